// Forgets tombstones once every client that might hold an older index has had its time: they are kept for 15 minutes,
// reaped in steps of 30 seconds, through the log, so that all servers forget the same (Consul: tombstone_ttl).
import type { StoredTimes } from "../host/stored-times.ts";
import type { Timer, Timers } from "../host/timers.ts";

const TTL_MS = 15 * 60_000;
const GRANULARITY_MS = 30_000;

export interface ReaperHost {
  /** Where it is kept what was seen before a sleep; null where there is none. */
  readonly times: StoredTimes | null;
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
  /** For the first that is due: it ends a sleep. */
  #alarm: Timer | null = null;

  constructor(host: ReaperHost) {
    this.#host = host;
  }

  start(): void {
    if (this.#timer !== null) return;
    this.#schedule();
    if (this.#host.times === null) return;
    const before = this.#host.times.entries().map(([index, at]) => ({ index: Number(index), at }));
    this.#seen.push(...before.sort((a, b) => a.index - b.index));
    this.#look();
  }

  stop(): void {
    this.#host.timers.cancel(this.#timer);
    this.#host.timers.cancel(this.#alarm);
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
    const { times, timers } = this.#host;
    if (count > 0 && (last === undefined || last.index < maxIndex)) {
      this.#seen.push({ index: maxIndex, at: now });
      times?.set(String(maxIndex), now);
    }
    let due = 0;
    while (this.#seen[0] !== undefined && this.#seen[0].at + TTL_MS <= now) {
      due = (this.#seen.shift() as { index: number }).index;
      times?.delete(String(due));
    }
    timers.cancel(this.#alarm);
    const [next] = this.#seen;
    this.#alarm = times === null || next === undefined ? null : timers.at(next.at + TTL_MS, () => this.#look(), true);
    // What could not be proposed now is covered by the next, higher index.
    if (due > 0) void this.#host.reap(due).catch(() => {});
  }
}
