// How long a suspect has to refute (Lifeguard §IV-B, LHA-Suspicion): long while one member suspects it, shorter with every
// other that does. The formula is apart from the timer.
import { logRatio } from "./logarithm.ts";

/**
 * What is left of a suspicion, in milliseconds, negative when it is over: from `maxMs` without confirmations towards `minMs`
 * with all of `wanted`, on a logarithmic scale.
 */
export function remainingSuspicionMs(
  confirmations: number,
  wanted: number,
  elapsedMs: number,
  minMs: number,
  maxMs: number,
): number {
  const share = logRatio(confirmations + 1, wanted + 1);
  return Math.max(minMs, Math.floor(maxMs - share * (maxMs - minMs))) - elapsedMs;
}

/** The timer of one suspicion. */
export class Suspicion {
  readonly #wanted: number;
  readonly #minMs: number;
  readonly #maxMs: number;
  /** The first to suspect is no confirmation. */
  readonly #from: Set<string>;
  #startMs: number;
  #deadlineMs: number;

  /** @param wanted confirmations that bring the time down to `minMs`; 0: it is `minMs` from the start. */
  constructor(from: string, wanted: number, minMs: number, maxMs: number, now: number) {
    this.#from = new Set([from]);
    this.#wanted = wanted;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#startMs = now;
    this.#deadlineMs = now + (wanted < 1 ? minMs : maxMs);
  }

  /** When the suspect is dead, unless it refutes. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  get confirmations(): number {
    return this.#from.size - 1;
  }

  /** Another member suspects it too. True when that is news. It takes the time that is left down to `graceMs` at most. */
  confirm(from: string, now: number, graceMs = 0): boolean {
    if (this.confirmations >= this.#wanted || this.#from.has(from)) return false;
    this.#from.add(from);
    const elapsedMs = now - this.#startMs;
    const leftMs = remainingSuspicionMs(this.confirmations, this.#wanted, elapsedMs, this.#minMs, this.#maxMs);
    this.#deadlineMs = Math.min(this.#deadlineMs, now + Math.max(graceMs, leftMs));
    return true;
  }

  /** Time in which this process could not listen does not count. */
  extend(ms: number): void {
    this.#startMs += ms;
    this.#deadlineMs += ms;
  }
}
