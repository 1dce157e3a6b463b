// Counts what is refused and logs it, but seldom: whoever sends rubbish must not be able to fill a disk with lines about it.

/** Lines are counted anew after this time. */
const INTERVAL_MS = 5000;
/** Of one address, one line at most. */
const LINES_MAX = 4;

/** Of calls that cannot be opened, in both directions. */
export class RefusalLog {
  /** Refused so far. */
  count = 0;
  readonly #now: () => number;
  readonly #warn: (message: string, fields: Record<string, unknown>) => void;
  readonly #logged = new Set<string>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  /** Refused and not said since the last line. */
  #more = 0;

  constructor(now: () => number, warn: (message: string, fields: Record<string, unknown>) => void) {
    this.#now = now;
    this.#warn = warn;
  }

  /** Something from, or to, this address was refused. */
  note(address: string, why: string): void {
    this.count += 1;
    const nowMs = this.#now();
    if (nowMs - this.#sinceMs >= INTERVAL_MS) {
      this.#sinceMs = nowMs;
      this.#logged.clear();
    }
    if (this.#logged.size >= LINES_MAX || this.#logged.has(address)) {
      this.#more += 1;
      return;
    }
    this.#logged.add(address);
    this.#warn("refused a call between agents", {
      address,
      reason: why,
      ...(this.#more > 0 ? { more: this.#more } : {}),
    });
    this.#more = 0;
  }
}
