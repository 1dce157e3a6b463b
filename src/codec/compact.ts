// Bytes as gossip writes them: integers in groups of seven bits (LEB128), numbers as float 64, and each text once: the
// second time a text comes it is the number of its place among those before. There is one spelling only, so equal values
// have equal bytes, and the reader takes no other. It trusts nothing, never throws, and allocates for what is there.
import { utf8 } from "../util/bytes.ts";
import { allocate } from "../util/slab.ts";

const CAPACITY_MIN = 512;
const SEVEN_BITS = 0x7f;
const MORE = 0x80;
/** Eight groups of seven bits hold every safe integer. */
const GROUPS_MAX = 8;
const FLOAT_BYTES = 8;
const NOTHING = new Uint8Array(0);

/** Up to here a loop over the characters beats a call of the engine's encoder. */
const LOOP_CHARS_MAX = 48;

const floatBytes = new Uint8Array(FLOAT_BYTES);
const floatView = new DataView(floatBytes.buffer);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Writes values one after another into room that grows. */
export class CompactWriter {
  readonly #texts = new Map<string, number>();
  #bytes: Uint8Array<ArrayBuffer> = allocate(CAPACITY_MIN);
  #at = 0;

  byte(value: number): void {
    if (this.#at === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#at++] = value;
  }

  /** An integer of 0 or more, up to 2^53 - 1. */
  count(value: number): void {
    let rest = value;
    while (rest > SEVEN_BITS) {
      this.byte((rest % MORE) | MORE);
      rest = Math.floor(rest / MORE);
    }
    this.byte(rest);
  }

  float(value: number): void {
    this.#grow(FLOAT_BYTES);
    floatView.setFloat64(0, value);
    this.#bytes.set(floatBytes, this.#at);
    this.#at += FLOAT_BYTES;
  }

  bytes(value: Uint8Array): void {
    this.count(value.length);
    this.#grow(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  text(value: string): void {
    const place = this.#texts.get(value);
    if (place !== undefined) return this.count(place);
    this.#texts.set(value, this.#texts.size + 1);
    this.byte(0);
    if (!this.#ascii(value)) this.bytes(utf8(value));
  }

  /** Writes a short text that is all ASCII; false, and nothing written, when it is not. */
  #ascii(value: string): boolean {
    const { length } = value;
    if (length > LOOP_CHARS_MAX) return false;
    this.#grow(1 + length);
    const bytes = this.#bytes;
    let at = this.#at;
    // One group of seven bits holds the length.
    bytes[at++] = length;
    for (let i = 0; i < length; i += 1) {
      const code = value.charCodeAt(i);
      if (code > SEVEN_BITS) return false;
      bytes[at++] = code;
    }
    this.#at = at;
    return true;
  }

  /** What was written; valid until the next write. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }

  #grow(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#at + length, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Reads from the front. After anything wrong it gives zeros and empty texts, and says so in `isBad`. */
export class CompactReader {
  readonly #bytes: Uint8Array;
  readonly #texts: string[] = [];
  readonly #known = new Set<string>();
  #at = 0;
  isBad = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#has(1) ? this.#bytes[this.#at++]! : 0;
  }

  /** A byte with no other bits than those of `mask`. */
  flags(mask: number): number {
    const flags = this.byte();
    if ((flags & ~mask) === 0) return flags;
    this.isBad = true;
    return 0;
  }

  count(): number {
    let value = 0;
    let scale = 1;
    for (let group = 0; group < GROUPS_MAX; group += 1) {
      const byte = this.byte();
      value += (byte & SEVEN_BITS) * scale;
      scale *= MORE;
      if ((byte & MORE) !== 0) continue;
      // A last group of zeros would be a second spelling.
      if ((byte === 0 && group > 0) || value > Number.MAX_SAFE_INTEGER) break;
      return value;
    }
    this.isBad = true;
    return 0;
  }

  /** A count of things that are at least `bytesEach` long: no more than can follow, and no more than `max`. */
  length(bytesEach: number, max: number): number {
    const length = this.count();
    if (!this.isBad && length <= max && length * bytesEach <= this.left) return length;
    this.isBad = true;
    return 0;
  }

  /** A finite number. */
  float(): number {
    if (!this.#has(FLOAT_BYTES)) return 0;
    for (let at = 0; at < FLOAT_BYTES; at += 1) floatBytes[at] = this.#bytes[this.#at + at]!;
    const value = floatView.getFloat64(0);
    this.#at += FLOAT_BYTES;
    if (Number.isFinite(value)) return value;
    this.isBad = true;
    return 0;
  }

  /** A copy: what was read may be reused. */
  bytes(max: number): Uint8Array {
    return this.#slice(max).slice();
  }

  /** A text of at most `maxBytes` of UTF-8. */
  text(maxBytes: number): string {
    const place = this.count();
    if (this.isBad) return "";
    if (place > 0) {
      const text = this.#texts[place - 1];
      // One unit of UTF-16 is at least one byte of UTF-8.
      if (text !== undefined && text.length <= maxBytes) return text;
      this.isBad = true;
      return "";
    }
    const text = this.#decode(this.#slice(maxBytes));
    if (this.isBad || this.#known.has(text)) {
      this.isBad = true;
      return "";
    }
    this.#known.add(text);
    this.#texts.push(text);
    return text;
  }

  #decode(bytes: Uint8Array): string {
    try {
      return decoder.decode(bytes);
    } catch {
      this.isBad = true;
      return "";
    }
  }

  #slice(max: number): Uint8Array {
    const length = this.length(1, max);
    if (this.isBad) return NOTHING;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #has(length: number): boolean {
    if (length > this.left) this.isBad = true;
    return !this.isBad;
  }
}
