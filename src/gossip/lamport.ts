// Lamport time (Lamport 1978): orders intents and events without clocks.

/** Larger times come from nobody right: they would leave no room to count on. */
export const LAMPORT_TIME_MAX: number = 2 ** 48;

/** Runs ahead of every time it has seen. */
export class LamportClock {
  #time = 0;

  /** The next time to be given out is at least this. */
  get time(): number {
    return this.#time;
  }

  /** Goes on by one and says where it was: a time for an own event. */
  next(): number {
    this.#time += 1;
    return this.#time - 1;
  }

  /** Has seen `time`, and is later from now on. */
  witness(time: number): void {
    if (time >= this.#time) this.#time = time + 1;
  }
}
