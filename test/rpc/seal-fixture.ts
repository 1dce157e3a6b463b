// Two agents, or more, that call each other through sealed doors in one process, with a hand on their clocks and on every
// message between them.
import { cipher } from "../../runtimes/node/cipher.ts";
import type { Peers } from "../../src/platform.ts";
import { RefusalLog } from "../../src/rpc/refusal-log.ts";
import { Seal } from "../../src/rpc/seal.ts";
import { SealedDoor, SealedPeers } from "../../src/rpc/sealed-peers.ts";
import { OperationalError } from "../../src/types/error.ts";
import { Random } from "../../src/util/random.ts";

export const START_MS: number = Date.UTC(2030, 0, 1);
export const KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i);
export const OTHER_KEY: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => 200 - i);

export type Door = (path: string, bytes: Uint8Array, from: string) => Promise<Uint8Array>;
/** A message on its way; what comes back goes on. */
export type Tamper = (message: Uint8Array) => Uint8Array;

/** Clocks that only tests turn. */
export const clock: { nowMs: number } = { nowMs: 0 };

export class SealedAgent {
  readonly name: string;
  readonly seal: Seal;
  readonly logs: { message: string; fields: Record<string, unknown> }[] = [];
  readonly refusals: RefusalLog;
  readonly peers: Peers;
  readonly door: Door;
  readonly handled: { path: string; body: Uint8Array; from: string }[] = [];
  /** How far this agent's wall clock is off. */
  offMs = 0;

  constructor(
    network: Network,
    name: string,
    { keys = [KEY], takesClear = false, seed = 1 }: { keys?: Uint8Array[]; takesClear?: boolean; seed?: number } = {},
  ) {
    this.name = name;
    const random = new Random(seed + name.length * 1000 + name.charCodeAt(0));
    const platform = {
      wall: () => START_MS + clock.nowMs + this.offMs,
      random: (length: number) => Uint8Array.from({ length }, () => random.next() & 0xff),
      cipher,
    };
    this.seal = new Seal({ keys, name, platform });
    this.refusals = new RefusalLog(
      () => clock.nowMs,
      (message, fields) => this.logs.push({ message, fields }),
    );
    const options = { seal: this.seal, now: () => clock.nowMs, wall: platform.wall, refusals: this.refusals };
    this.peers = new SealedPeers(network.peers, options);
    const door = new SealedDoor(
      (path, body, from) => {
        this.handled.push({ path, body, from });
        return Promise.resolve(Uint8Array.of(body.length, ...body.subarray(0, 4), 9));
      },
      options,
      takesClear,
    );
    this.door = (path, bytes, from) => door.handle(path, bytes, from);
    network.doors.set(name, this.door);
  }
}

/** Carries calls to doors by name, and keeps what it carried. */
export class Network {
  readonly doors: Map<string, Door> = new Map();
  readonly requests: Uint8Array[] = [];
  readonly replies: Uint8Array[] = [];
  onRequest: Tamper = (bytes) => bytes;
  onReply: Tamper = (bytes) => bytes;
  /** What calls fail with on their way. */
  failure: OperationalError | null = null;

  readonly peers: Peers = {
    call: async (address, path, body) => {
      if (this.failure !== null) throw this.failure;
      const door = this.doors.get(address);
      if (door === undefined) throw new OperationalError("unreachable", `${address}: connection refused`);
      this.requests.push(body.slice());
      const reply = await door(path, this.onRequest(body.slice()), "192.0.2.1");
      this.replies.push(reply.slice());
      return this.onReply(reply.slice());
    },
  };
}
