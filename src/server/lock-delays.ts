// Lock delays (https://developer.hashicorp.com/consul/docs/automate/session): for a while after a session lost its locks
// nobody may take them, so that the old holder can notice. By the leader's clock, in its memory, never in the log.
import type { StoredTimes } from "../host/stored-times.ts";
import type { ReleasedLock } from "../state/change.ts";

const NANOSECONDS_PER_MS = 1e6;
/** The table is swept when it has grown to twice what the last sweep left. */
const SWEEP_MIN = 1024;

export class LockDelays {
  readonly #untilMs = new Map<string, number>();
  #sweepAt = SWEEP_MIN;
  readonly #times: StoredTimes | null;

  /** @param times where they are kept that a sleep of the leader must not end; in memory when null. */
  constructor(times: StoredTimes | null = null) {
    this.#times = times;
  }

  /** True while `key` may not be locked. @param now monotonic milliseconds. */
  delayed(key: string, now: number): boolean {
    const until = this.#times === null ? this.#untilMs.get(key) : this.#times.get(key);
    if (until === undefined || until === null) return false;
    if (now < until) return true;
    this.#forget(key);
    return false;
  }

  /** Notes locks that ended with their session. */
  note(released: readonly ReleasedLock[], now: number): void {
    const delays = this.#times ?? this.#untilMs;
    for (const { key, lockDelayNs } of released) delays.set(key, now + lockDelayNs / NANOSECONDS_PER_MS);
    if (delays.size < this.#sweepAt) return;
    for (const [key, until] of delays.entries()) if (until <= now) this.#forget(key);
    this.#sweepAt = Math.max(SWEEP_MIN, delays.size * 2);
  }

  #forget(key: string): void {
    this.#untilMs.delete(key);
    this.#times?.delete(key);
  }

  /** How many keys are noted, those whose delay is over among them. */
  get size(): number {
    return (this.#times ?? this.#untilMs).size;
  }

  /** This server leads no more: what is in memory is for nobody. */
  clear(): void {
    this.#untilMs.clear();
  }
}
