// Lock delays (https://developer.hashicorp.com/consul/docs/automate/session): for a while after a session lost its locks
// nobody may take them, so that the old holder can notice. By the leader's clock, in its memory, never in the log.
import type { ReleasedLock } from "../state/change.ts";

const NANOSECONDS_PER_MS = 1e6;
/** The table is swept when it has grown to twice what the last sweep left. */
const SWEEP_MIN = 1024;

export class LockDelays {
  readonly #untilMs = new Map<string, number>();
  #sweepAt = SWEEP_MIN;

  /** True while `key` may not be locked. @param now monotonic milliseconds. */
  delayed(key: string, now: number): boolean {
    const until = this.#untilMs.get(key);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#untilMs.delete(key);
    return false;
  }

  /** Notes locks that ended with their session. */
  note(released: readonly ReleasedLock[], now: number): void {
    for (const { key, lockDelayNs } of released) this.#untilMs.set(key, now + lockDelayNs / NANOSECONDS_PER_MS);
    if (this.#untilMs.size < this.#sweepAt) return;
    for (const [key, until] of this.#untilMs) if (until <= now) this.#untilMs.delete(key);
    this.#sweepAt = Math.max(SWEEP_MIN, this.#untilMs.size * 2);
  }

  /** How many keys are noted, those whose delay is over among them. */
  get size(): number {
    return this.#untilMs.size;
  }

  clear(): void {
    this.#untilMs.clear();
  }
}
