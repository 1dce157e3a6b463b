// Tells those who wait that something may have changed.
import type { Timers } from "../host/timers.ts";

/** Listeners and waiters of one thing. */
export class ChangeSignal {
  readonly #timers: Timers;
  readonly #listeners = new Set<() => void>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Calls `listener` at each change until the function given back is called. */
  onChange(listener: () => void): () => void {
    // A function of its own, should the same listener come twice.
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Resolves at the next change, or after `timeoutMs`. */
  untilChange(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        forget();
        this.#timers.cancel(timer);
        resolve();
      };
      const timer = this.#timers.after(timeoutMs, done);
      const forget = this.onChange(done);
    });
  }

  tell(): void {
    for (const listener of Array.from(this.#listeners)) listener();
  }
}
