// What the simulator, the workloads and the checkers know of each other. The simulator (world.ts) gives `Sim`; workloads in
// workload/ are its clients; checkers in check/ look at it from inside. Times are virtual milliseconds.
import type { Server } from "../../src/server/server.ts";
import type { Message } from "../../src/raft/types.ts";
import type { Random } from "../../src/util/random.ts";

/** What came back, read whole. Names of headers are in lower case. */
export interface SimReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** One agent of the simulated cluster, through all its lives. */
export interface SimNode {
  readonly name: string;
  /** Its process runs; it may still be frozen or cut off. */
  readonly up: boolean;
  /**
   * A client's HTTP request over the simulated client link. It may never answer; it rejects when the connection was
   * refused (certainly not done) or broke (outcome unknown): the message says which, the code is OperationalError's.
   */
  request(method: string, target: string, body?: string): Promise<SimReply>;
  /** The server of its present life, for checkers; null while it is down. */
  readonly server: Server | null;
  /** It sends what it is asked to another datacenter, where any server may answer. */
  readonly isFar?: boolean;
}

/** A machine as those see it who look at the seams: at its disk, and at what it says to others. */
export interface SeamNode extends SimNode {
  readonly id: string;
  readonly frozen: boolean;
  readonly clock: { now(): number };
  readonly disk: {
    /** What would survive a power cut now. */
    readonly durable: {
      readonly hardState: { readonly term: number; readonly vote: string | null } | null;
      readonly baseIndex: number;
      readonly lastIndex: number;
      termAt(index: number): number | null;
    };
    /** Something that was durable is gone, by a fault. */
    readonly isLost: boolean;
    readonly isWiped: boolean;
  };
}

/** A message of Raft, as its sender gives it to the network. */
export interface Said {
  readonly from: SeamNode;
  readonly to: SeamNode;
  /** Of entries only their term is told. */
  readonly message: Message | { readonly type: "entries"; readonly term: number };
}

/** The simulated world. */
export interface Sim {
  /** Virtual monotonic milliseconds since the start. */
  readonly now: number;
  /** All agents there ever were and still are: removed ones are gone from it, added ones come at the end. */
  readonly nodes: readonly SimNode[];
  /** Whom clients may ask, when those are not the same. */
  readonly doors?: readonly SimNode[];
  /** The agents in which something has happened since the last step: all others are as they were. Absent: maybe all. */
  readonly touched?: ReadonlySet<SimNode>;
  /** The stream of random numbers of one purpose: the same object at each call. */
  random(purpose: string): Random;
  /** Calls `fn` at a time, or now when that has passed. */
  at(ms: number, fn: () => void): void;
  sleep(ms: number): Promise<void>;
  /** Adds a line to the trace: it counts for the hash, so it must be the same on every runtime. */
  trace(text: string): void;
  /** Shows all messages of Raft between servers; absent where there is no network. */
  onSaid?(listener: (said: Said) => void): void;
  /** Ends the run: a checker has found a violation. */
  fail(checker: string, message: string): never;
  /** The same, where nothing may be thrown: the run ends after the present event. */
  found?(checker: string, message: string): unknown;
}

/** What clients do. */
export interface Workload {
  readonly name: string;
  start(sim: Sim): void;
  /** No new operations. */
  stop(): void;
  /** No operation is under way, or none that is still waited for. */
  settled(): boolean;
  /** Checks what was seen, after healing. Throws, or calls `sim.fail`. */
  finish(sim: Sim): void;
}

/** What must always hold. */
export interface Checker {
  readonly name: string;
  /** Called after every event, or every few milliseconds of virtual time: `everyMs` says; absent or 0 means every event. */
  readonly everyMs?: number;
  step?(sim: Sim): void;
  /** Called once, when all faults are healed and the cluster has had time to recover. */
  healed?(sim: Sim): void;
}
