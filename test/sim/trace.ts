// What happened in a run: a hash of all of it, and, when asked for, readable lines. Two runs went alike when their hashes
// are equal, on whichever runtime.
import { hashText } from "./streams.ts";

const PRIME_A = 0x01000193;
const PRIME_B = 0x85ebca6b;
const MICROSECONDS = 1000;
/** Only so many bytes of a call are looked at: what differs elsewhere shows in what comes of it. */
const SAMPLES = 8;

export class Trace {
  /** Readable lines, when they are kept. */
  readonly lines: string[] | null;
  readonly #words = new Map<string, number>();
  #a = 0x811c9dc5;
  #b = 0x1b873593;

  constructor(isKept: boolean) {
    this.lines = isKept ? [] : null;
  }

  get hash(): string {
    return (this.#a >>> 0).toString(16).padStart(8, "0") + (this.#b >>> 0).toString(16).padStart(8, "0");
  }

  mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, PRIME_A);
    this.#b = Math.imul((this.#b << 13) | (this.#b >>> 19), 5) ^ Math.imul(value, PRIME_B);
  }

  time(ms: number): void {
    this.mix(Math.round(ms * MICROSECONDS) | 0);
  }

  text(text: string): void {
    this.mix(hashText(text));
  }

  /** A text that comes often, such as a path: it is read once. */
  word(text: string): void {
    let hash = this.#words.get(text);
    if (hash === undefined) this.#words.set(text, (hash = hashText(text)));
    this.mix(hash);
  }

  bytes(bytes: Uint8Array): void {
    const { length } = bytes;
    this.mix(length);
    const stride = Math.max(1, Math.floor(length / SAMPLES));
    for (let at = length - 1; at >= 0; at -= stride) this.mix(bytes[at] as number);
  }

  /** Adds a readable line, which counts for nothing: whatever it tells is in the hash already. */
  line(ms: number, text: string): void {
    this.lines?.push(`${ms.toFixed(3).padStart(12)} ${text}`);
  }
}
