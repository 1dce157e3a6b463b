// What a server knows only while it leads; it is made at the election and thrown away with the role.
import { findServer } from "./configuration.ts";
import type { Core } from "./core.ts";
import { Progress } from "./progress.ts";
import { reachedByMajority } from "./quorum.ts";
import { Rounds } from "./rounds.ts";
import type { AppendEntries } from "./types.ts";

/** A read index asked by another server. */
export interface RemoteRead {
  from: string;
  context: number;
}

/** Reads that share one round of heartbeats. */
export interface ReadBatch {
  refs: number[];
  remote: RemoteRead[];
}

export class Leadership {
  /** The index of the noop that opened the term: once it is committed, `commitIndex` is known to be right (§6.4). */
  readonly termStart: number;
  readonly progress: Map<string, Progress> = new Map();
  readonly rounds: Rounds = new Rounds();
  heartbeatDeadlineMs: number;
  /** When followers are told of a commit that no other message told them; Infinity: nothing to tell. */
  notifyDeadlineMs: number = Infinity;
  /** The last heartbeat came late: the quorum check was left out once. */
  wasStalled = false;
  /** The lease is not used before: until then the last leader's lease could last. */
  readonly leaseFromMs: number;
  /** A `TimeoutNow` was sent in this term: its target may be elected in spite of every promise, at any time. */
  isLeaseRevoked = false;
  uncommittedBytes = 0;
  /** The last entry of this term that was sent to anyone. */
  sentIndex = 0;
  /** The last message with entries, its size, and where the log ended then. */
  lastAppend: { message: AppendEntries; bytes: number; logEnd: number } | null = null;

  /** Reads that wait for a round. */
  waitingReads: ReadBatch = { refs: [], remote: [] };
  /** Reads whose round is under way, which round it is, and the commit index when it began; null: none. */
  reading: { batch: ReadBatch; round: number; index: number } | null = null;

  /** Room for one number per voter. */
  readonly #values: number[] = [];

  constructor(core: Core) {
    this.termStart = core.log.lastIndex + 1;
    this.heartbeatDeadlineMs = core.now + core.timings.heartbeatMs;
    this.leaseFromMs = core.promiseUntilMs;
    this.syncProgress(core);
  }

  /** Makes the peers those of the configuration in force. One that has left stays until it was told of the commit. */
  syncProgress(core: Core): void {
    for (const { id } of core.configuration.servers) {
      const known = this.progress.get(id);
      if (known !== undefined) known.leavingIndex = 0;
      else if (id !== core.id) {
        this.progress.set(id, new Progress(id, core.log.lastIndex + 1, core.now, core.limits));
      }
    }
    for (const [id, progress] of this.progress) {
      if (findServer(core.configuration, id) === undefined) progress.leavingIndex ||= core.members.index;
    }
  }

  /** The largest value that a majority of voters has reached; `own` is this server's. */
  reached(core: Core, own: number, of: (progress: Progress) => number): number {
    const { voters } = core.members;
    const values = this.#values;
    values.length = voters.length;
    for (let i = 0; i < voters.length; i += 1) {
      const id = voters[i]!;
      values[i] = id === core.id ? own : of(this.progress.get(id)!);
    }
    return reachedByMajority(values);
  }
}
