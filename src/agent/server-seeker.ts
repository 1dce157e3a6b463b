// A client that has lost sight of every server looks for them itself, again and again: after a cut that lasted, both sides
// hold each other for dead, and gossip alone tries one dead member in half a minute.
import type { Timer, Timers } from "../host/timers.ts";

/** What it works with. */
export interface ServerSeekerOptions {
  readonly timers: Timers;
  /** There is a server to use. */
  isFound(): boolean;
  /** Tries to join whoever may be one. May reject. */
  seek(): Promise<unknown>;
}

const INTERVAL_MS = 3000;

/** Seeks from `lost` until one is found. */
export class ServerSeeker {
  readonly #options: ServerSeekerOptions;
  #timer: Timer | null = null;
  #isSeeking = false;
  #stopped = false;

  constructor(options: ServerSeekerOptions) {
    this.#options = options;
  }

  /** The last server is gone. */
  lost(): void {
    if (this.#stopped || this.#isSeeking || this.#timer?.pending === true) return;
    this.#timer = this.#options.timers.after(INTERVAL_MS, () => void this.#seek());
  }

  stop(): void {
    this.#stopped = true;
    this.#options.timers.cancel(this.#timer);
  }

  async #seek(): Promise<void> {
    const { isFound, seek } = this.#options;
    if (isFound()) return;
    this.#isSeeking = true;
    // Nobody there yet: it is tried again.
    await seek().catch(() => {});
    this.#isSeeking = false;
    if (!isFound()) this.lost();
  }
}
