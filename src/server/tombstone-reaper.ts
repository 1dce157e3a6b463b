// Forgets tombstones once every client that might hold an older index has had its time: they are kept for 15 minutes,
// reaped in steps of 30 seconds, through the log, so that all servers forget the same (Consul: tombstone_ttl).
import type { Timer, Timers } from "../host/timers.ts";

const TTL_MS = 15 * 60_000;
const GRANULARITY_MS = 30_000;

export interface ReaperHost {
  readonly timers: Timers;
  now(): number;
  tombstones(): { count: number; maxIndex: number };
  /** Proposes a reap up to `index`. */
  reap(index: number): Promise<unknown>;
}

/** Runs on the leader. A new leader starts its own reckoning: tombstones may live longer, never shorter. */
export class TombstoneReaper {
  readonly #host: ReaperHost;
  /** When which highest index was seen, oldest first. */
  readonly #seen: { index: number; at: number }[] = [];
  #timer: Timer | null = null;

  constructor(host: ReaperHost) {
    this.#host = host;
  }

  start(): void {
    if (this.#timer === null) this.#schedule();
  }

  stop(): void {
    this.#host.timers.cancel(this.#timer);
    this.#timer = null;
    this.#seen.length = 0;
  }

  #schedule(): void {
    this.#timer = this.#host.timers.after(GRANULARITY_MS, () => {
      this.#look();
      this.#schedule();
    });
  }

  #look(): void {
    const now = this.#host.now();
    const { count, maxIndex } = this.#host.tombstones();
    const last = this.#seen.at(-1);
    if (count > 0 && (last === undefined || last.index < maxIndex)) this.#seen.push({ index: maxIndex, at: now });
    let due = 0;
    while (this.#seen[0] !== undefined && this.#seen[0].at + TTL_MS <= now)
      due = (this.#seen.shift() as { index: number }).index;
    // What could not be proposed now is covered by the next, higher index.
    if (due > 0) void this.#host.reap(due).catch(() => {});
  }
}
