// Local health (Lifeguard §IV-A): how far a member should mistrust itself. 0 is healthy; every point lengthens its probe
// interval by one, so that it suspects others more slowly.

/** A score in [0, max - 1]. */
export class Awareness {
  readonly #max: number;
  #score = 0;

  /** @param max at least 1; with 1 the score is always 0. */
  constructor(max: number) {
    this.#max = max;
  }

  get score(): number {
    return this.#score;
  }

  /** Better (negative) or worse. */
  apply(delta: number): void {
    this.#score = Math.min(this.#max - 1, Math.max(0, this.#score + delta));
  }

  scaleMs(ms: number): number {
    return ms * (this.#score + 1);
  }
}
