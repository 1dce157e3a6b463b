// Which numbers of a sender came already (the anti-replay window of RFC 4303 §3.4.3, kept as in RFC 6479): the highest one,
// and a bit for each of the numbers below it that still may come. Whatever is older is taken for a replay.

/** How far a call may be overtaken by later ones of its sender. */
const WINDOW = 16_384;
const WORD_BITS = 32;
/** One word more than the window: the word being filled holds numbers that have not come. */
const WORDS = WINDOW / WORD_BITS + 1;

/** Of one sender. Fixed in size. */
export class ReplayWindow {
  readonly #bits = new Uint32Array(WORDS);
  #highest = -1;

  /** True when `counter` did not come before; it has come from then on. Negative numbers never come. */
  take(counter: number): boolean {
    if (counter < 0) return false;
    const word = Math.floor(counter / WORD_BITS);
    const highestWord = Math.floor(this.#highest / WORD_BITS);
    if (counter > this.#highest) {
      const fresh = Math.min(word - highestWord, WORDS);
      for (let i = 1; i <= fresh; i += 1) this.#bits[(highestWord + i + WORDS) % WORDS] = 0;
      // A jump past everything leaves the words in any order; all of them are empty then.
      this.#highest = counter;
    } else if (counter <= this.#highest - WINDOW) return false;
    const at = word % WORDS;
    const bit = (1 << (counter % WORD_BITS)) >>> 0;
    const bits = this.#bits[at] as number;
    if ((bits & bit) !== 0) return false;
    this.#bits[at] = (bits | bit) >>> 0;
    return true;
  }
}
