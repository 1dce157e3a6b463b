// The leader's rounds of heartbeats. Every message of a leader names the round in which it was sent, and every answer
// names it again, so an answer proves that the follower still followed when that round had already begun. Both the read
// index (thesis §6.4) and the lease (§6.4.1) count from the beginning of a round, never from the coming of an answer.

/** More rounds than can be under way: an answer to an older one proves nothing useful any more. */
const REMEMBERED = 256;

export class Rounds {
  /** The current round; rounds count from 1, 0 is before the first. */
  current = 0;
  readonly #beganMs: number[] = [];

  /** Begins the next round and returns its number. */
  begin(now: number): number {
    this.current += 1;
    this.#beganMs[this.current % REMEMBERED] = now;
    return this.current;
  }

  /** When a round began; -Infinity for one that is forgotten or never was. */
  beganMs(round: number): number {
    if (round < 1 || round > this.current || round <= this.current - REMEMBERED) return -Infinity;
    return this.#beganMs[round % REMEMBERED]!;
  }
}
