// Plain data to bytes and back, for the log, messages between agents and snapshots. The form is MessagePack
// (https://github.com/msgpack/msgpack/blob/master/spec.md), a subset of it in one spelling each, so that equal values
// with equal key order have equal bytes:
//   nil, false, true · integers in the shortest form, past 2^53 as a bigint · other numbers as float 64 (-0 is 0) · str ·
//   bin · array · map with str keys in the order given. No float 32, no extension types. Undefined fields are left out.
// Decoding trusts nothing: lengths are checked against what is left, nesting against 64 levels, text against UTF-8.

import { OperationalError } from "../types/error.ts";
import { assert, unreachable } from "../util/assert.ts";
import { allocate } from "../util/slab.ts";
import { userMap, userMapPrototype } from "../util/user-map.ts";

const DEPTH_MAX = 64;
const TWO_32 = 0x1_0000_0000;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;
const FLOAT64 = 0xcb;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
const UINT64 = 0xcf;
const INT8 = 0xd0;
const INT16 = 0xd1;
const INT32 = 0xd2;
const INT64 = 0xd3;
const STR8 = 0xd9;
const STR16 = 0xda;
const STR32 = 0xdb;
const ARRAY16 = 0xdc;
const ARRAY32 = 0xdd;
const MAP16 = 0xde;
const MAP32 = 0xdf;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const CAPACITY_MIN = 16_384;
/** A buffer that one large value has grown past this is let go of on reset. */
const CAPACITY_KEPT = 1_048_576;
/** Up to here a loop over the characters beats a call of the engine's encoder. */
const LOOP_CHARS_MAX = 48;
const LOOP_BYTES_MAX = 24;

/** Writes values one after another into one growing buffer, which it reuses. */
export class Encoder {
  #bytes: Uint8Array = new Uint8Array(CAPACITY_MIN);
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;
  #depth = 0;

  /** Bytes written since the last reset. */
  get length(): number {
    return this.#at;
  }

  /** What was written since the last reset, without a copy: valid until the next write or reset. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** A copy of what was written since the last reset. */
  copy(): Uint8Array<ArrayBuffer> {
    const copy = allocate(this.#at);
    copy.set(this.view());
    return copy;
  }

  reset(): void {
    this.#at = 0;
    this.#depth = 0;
    if (this.#bytes.length > CAPACITY_KEPT) this.#resize(CAPACITY_MIN);
  }

  /** Appends one value. A value that has no form here (a function, a Map, a class's instance) is a failed assertion. */
  write(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.#string(value);
        return;
      case "number":
        this.#number(value);
        return;
      case "boolean":
        this.#byte(value ? TRUE : FALSE);
        return;
      case "bigint":
        this.#bigint(value);
        return;
      case "undefined":
        this.#byte(NIL);
        return;
      case "object":
        if (value === null) this.#byte(NIL);
        else this.#object(value);
        return;
      case "function":
      case "symbol":
        assert(false, `a ${typeof value} cannot be encoded`);
        break;
      default:
        unreachable(value as never);
    }
  }

  #object(value: object): void {
    if (value instanceof Uint8Array) {
      this.#binary(value);
      return;
    }
    this.#depth += 1;
    assert(this.#depth <= DEPTH_MAX, "a value nested deeper than 64 levels cannot be encoded");
    if (Array.isArray(value)) {
      this.#header(value.length, 0x90, 15, ARRAY16, ARRAY32);
      for (let i = 0; i < value.length; i += 1) this.write(value[i]);
    } else {
      const prototype = Object.getPrototypeOf(value) as object | null;
      assert(
        prototype === Object.prototype || prototype === null || prototype === userMapPrototype,
        "only plain objects can be encoded",
      );
      this.#map(value as Record<string, unknown>);
    }
    this.#depth -= 1;
  }

  #map(value: Record<string, unknown>): void {
    const keys = Object.keys(value);
    const start = this.#at;
    if (this.#fields(value, keys, keys.length)) return;
    // The header counted undefined fields too: again, with the right count.
    let count = 0;
    for (const key of keys) if (value[key] !== undefined) count += 1;
    this.#at = start;
    this.#fields(value, keys, count);
  }

  /** Writes a map of the defined fields under the count given; stops with false when that count cannot be right. */
  #fields(value: Record<string, unknown>, keys: readonly string[], count: number): boolean {
    this.#header(count, 0x80, 15, MAP16, MAP32);
    const whole = count === keys.length;
    for (let i = 0; i < keys.length; i += 1) {
      const key = keys[i]!;
      const field = value[key];
      if (field === undefined) {
        if (whole) return false;
        continue;
      }
      this.#string(key);
      this.write(field);
    }
    return true;
  }

  /** The header of an array or a map: `fixed | length` while it is small. */
  #header(length: number, fixed: number, fixedMax: number, tag16: number, tag32: number): void {
    this.#room(5);
    if (length <= fixedMax) this.#bytes[this.#at++] = fixed | length;
    else if (length <= 0xffff) {
      this.#bytes[this.#at++] = tag16;
      this.#put16(length);
    } else {
      this.#bytes[this.#at++] = tag32;
      this.#put32(length);
    }
  }

  #string(value: string): void {
    const length = value.length;
    // A character takes three bytes at the most.
    this.#room(5 + length * 3);
    const start = this.#at;
    if (length <= LOOP_CHARS_MAX) {
      this.#putStringHeader(length);
      const bytes = this.#bytes;
      let at = this.#at;
      let i = 0;
      for (; i < length; i += 1) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[at++] = code;
      }
      if (i === length) {
        this.#at = at;
        return;
      }
      this.#at = start;
    }
    // Written behind a header of the length in characters, then moved if its length in bytes needs a longer one.
    this.#putStringHeader(length);
    const from = this.#at;
    const written = textEncoder.encodeInto(value, this.#bytes.subarray(from)).written;
    if (written === length) {
      this.#at = from + written;
      return;
    }
    const to = start + stringHeaderBytes(written);
    if (to !== from) this.#bytes.copyWithin(to, from, from + written);
    this.#at = start;
    this.#putStringHeader(written);
    this.#at = to + written;
  }

  #putStringHeader(length: number): void {
    const bytes = this.#bytes;
    if (length < 32) bytes[this.#at++] = 0xa0 | length;
    else if (length <= 0xff) {
      bytes[this.#at++] = STR8;
      bytes[this.#at++] = length;
    } else if (length <= 0xffff) {
      bytes[this.#at++] = STR16;
      this.#put16(length);
    } else {
      bytes[this.#at++] = STR32;
      this.#put32(length);
    }
  }

  #binary(value: Uint8Array): void {
    const length = value.length;
    this.#room(5 + length);
    const bytes = this.#bytes;
    if (length <= 0xff) {
      bytes[this.#at++] = BIN8;
      bytes[this.#at++] = length;
    } else if (length <= 0xffff) {
      bytes[this.#at++] = BIN16;
      this.#put16(length);
    } else {
      bytes[this.#at++] = BIN32;
      this.#put32(length);
    }
    bytes.set(value, this.#at);
    this.#at += length;
  }

  #number(value: number): void {
    this.#room(9);
    const bytes = this.#bytes;
    if (!Number.isSafeInteger(value)) {
      bytes[this.#at] = FLOAT64;
      // A NaN has many spellings in memory; a literal has one.
      this.#view.setFloat64(this.#at + 1, Number.isNaN(value) ? Number.NaN : value);
      this.#at += 9;
    } else if (value >= 0) {
      if (value <= 0x7f) bytes[this.#at++] = value;
      else if (value <= 0xff) {
        bytes[this.#at++] = UINT8;
        bytes[this.#at++] = value;
      } else if (value <= 0xffff) {
        bytes[this.#at++] = UINT16;
        this.#put16(value);
      } else if (value < TWO_32) {
        bytes[this.#at++] = UINT32;
        this.#put32(value);
      } else {
        bytes[this.#at++] = UINT64;
        this.#put32(Math.floor(value / TWO_32));
        this.#put32(value % TWO_32);
      }
    } else this.#negative(value);
  }

  #negative(value: number): void {
    const bytes = this.#bytes;
    if (value >= -32) bytes[this.#at++] = value;
    else if (value >= -0x80) {
      bytes[this.#at++] = INT8;
      bytes[this.#at++] = value;
    } else if (value >= -0x8000) {
      bytes[this.#at++] = INT16;
      this.#put16(value);
    } else if (value >= -0x8000_0000) {
      bytes[this.#at++] = INT32;
      this.#put32(value);
    } else {
      bytes[this.#at++] = INT64;
      // Two's complement: the high word rounds down, and the low word is what is left above it.
      const high = Math.floor(value / TWO_32);
      this.#put32(high);
      this.#put32(value - high * TWO_32);
    }
  }

  /** A bigint that fits a number has the number's form, as they are equal. */
  #bigint(value: bigint): void {
    const rounded = Number(value);
    if (Number.isSafeInteger(rounded)) {
      this.#number(rounded);
      return;
    }
    assert(value >= INT64_MIN && value <= UINT64_MAX, "an integer past 64 bits cannot be encoded");
    this.#room(9);
    this.#bytes[this.#at] = value > 0n ? UINT64 : INT64;
    this.#view.setBigUint64(this.#at + 1, BigInt.asUintN(64, value));
    this.#at += 9;
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  #put16(value: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = value >> 8;
    bytes[this.#at++] = value;
  }

  #put32(value: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = value >>> 24;
    bytes[this.#at++] = value >>> 16;
    bytes[this.#at++] = value >>> 8;
    bytes[this.#at++] = value;
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed > this.#bytes.length) this.#resize(Math.max(needed, this.#bytes.length * 2));
  }

  #resize(capacity: number): void {
    const bytes = new Uint8Array(capacity);
    if (this.#at > 0) bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

function stringHeaderBytes(length: number): number {
  if (length < 32) return 1;
  if (length <= 0xff) return 2;
  return length <= 0xffff ? 3 : 5;
}

const shared = new Encoder();

/** The bytes of one value. What has no form here is a failed assertion (see `Encoder.write`). */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  shared.reset();
  shared.write(value);
  return shared.copy();
}

export interface DecodeOptions {
  /** Objects are ordinary ones rather than without a prototype: for records whose keys are ours. */
  ordinary?: boolean;
  /** Byte strings are views into the input rather than copies: they keep it in memory, and change as it changes. */
  views?: boolean;
}

/**
 * The one value that the bytes are.
 * @throws OperationalError invalid-request when they are not exactly one value.
 */
export function decode(bytes: Uint8Array, options?: DecodeOptions): unknown {
  const decoder = new Decoder(bytes, options);
  const value = decoder.read();
  if (!decoder.done) throw malformed("bytes after the value");
  return value;
}

/** Reads values that were written one after another. */
export class Decoder {
  readonly #bytes: Uint8Array;
  readonly #ordinary: boolean;
  readonly #views: boolean;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array, options: DecodeOptions = {}) {
    this.#bytes = bytes;
    this.#ordinary = options.ordinary === true;
    this.#views = options.views === true;
  }

  /** True when every byte has been read. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next value. @throws OperationalError invalid-request */
  read(): unknown {
    if (this.#at >= this.#bytes.length) throw malformed("it ends too early");
    const tag = this.#bytes[this.#at++]!;
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#map(tag & 15);
    if (tag < 0xa0) return this.#array(tag & 15);
    if (tag < 0xc0) return this.#string(tag & 31);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case NIL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case BIN8:
        return this.#binary(this.#uint(1));
      case BIN16:
        return this.#binary(this.#uint(2));
      case BIN32:
        return this.#binary(this.#uint(4));
      case FLOAT64:
        return this.#float();
      case UINT8:
        return this.#uint(1);
      case UINT16:
        return this.#uint(2);
      case UINT32:
        return this.#uint(4);
      case UINT64:
        return this.#uint64();
      case INT8:
        return (this.#uint(1) << 24) >> 24;
      case INT16:
        return (this.#uint(2) << 16) >> 16;
      case INT32:
        return this.#uint(4) | 0;
      case INT64:
        return this.#int64();
      case STR8:
        return this.#string(this.#uint(1));
      case STR16:
        return this.#string(this.#uint(2));
      case STR32:
        return this.#string(this.#uint(4));
      case ARRAY16:
        return this.#array(this.#uint(2));
      case ARRAY32:
        return this.#array(this.#uint(4));
      case MAP16:
        return this.#map(this.#uint(2));
      case MAP32:
        return this.#map(this.#uint(4));
      default:
        throw malformed(`no value starts with byte ${tag}`);
    }
  }

  #array(count: number): unknown[] {
    this.#enter(count);
    const array: unknown[] = [];
    for (let i = 0; i < count; i += 1) array.push(this.read());
    this.#depth -= 1;
    return array;
  }

  #map(count: number): Record<string, unknown> {
    this.#enter(count * 2);
    const object: Record<string, unknown> = this.#ordinary ? {} : userMap();
    for (let i = 0; i < count; i += 1) {
      const key = this.#key();
      const value = this.read();
      if (key === "__proto__" && this.#ordinary) {
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      } else object[key] = value;
    }
    this.#depth -= 1;
    return object;
  }

  /** Opens a level that holds `values` values, of a byte each at the least. */
  #enter(values: number): void {
    if (values > this.#bytes.length - this.#at) throw malformed("it ends too early");
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw malformed("it is nested deeper than 64 levels");
  }

  #key(): string {
    const tag = this.#at < this.#bytes.length ? this.#bytes[this.#at++]! : 0;
    if (tag >= 0xa0 && tag < 0xc0) return this.#keyText(tag & 31);
    if (tag === STR8) return this.#string(this.#uint(1));
    if (tag === STR16) return this.#string(this.#uint(2));
    if (tag === STR32) return this.#string(this.#uint(4));
    throw malformed("a key is not a text");
  }

  /** Field names come again and again: the last one of each slot is kept as a string, with the bytes it came from. */
  #keyText(length: number): string {
    if (length === 0) return "";
    const from = this.#take(length);
    const bytes = this.#bytes;
    const slot = (bytes[from]! * 7 + bytes[from + length - 1]! * 3 + bytes[from + (length >> 1)]! + length * 31) & 255;
    const known = knownKeys[slot];
    if (known !== undefined && known.bytes.length === length) {
      let i = 0;
      while (i < length && known.bytes[i] === bytes[from + i]) i += 1;
      if (i === length) return known.text;
    }
    const text = this.#text(from, length);
    knownKeys[slot] = { bytes: bytes.slice(from, from + length), text };
    return text;
  }

  #string(length: number): string {
    return this.#text(this.#take(length), length);
  }

  #text(from: number, length: number): string {
    const bytes = this.#bytes;
    const to = from + length;
    if (length <= LOOP_BYTES_MAX) {
      let text = "";
      let at = from;
      for (; at + 3 < to; at += 4) {
        const a = bytes[at]!;
        const b = bytes[at + 1]!;
        const c = bytes[at + 2]!;
        const d = bytes[at + 3]!;
        if ((a | b | c | d) > 0x7f) return decodeText(bytes, from, to);
        text += String.fromCharCode(a, b, c, d);
      }
      for (; at < to; at += 1) {
        const byte = bytes[at]!;
        if (byte > 0x7f) return decodeText(bytes, from, to);
        text += String.fromCharCode(byte);
      }
      return text;
    }
    return decodeText(bytes, from, to);
  }

  #binary(length: number): Uint8Array {
    const from = this.#take(length);
    const view = this.#bytes.subarray(from, from + length);
    if (this.#views) return view;
    const copy = allocate(length);
    copy.set(view);
    return copy;
  }

  /** Passes over `length` bytes; returns where they start. */
  #take(length: number): number {
    const from = this.#at;
    if (length > this.#bytes.length - from) throw malformed("it ends too early");
    this.#at = from + length;
    return from;
  }

  #uint(size: 1 | 2 | 4): number {
    const from = this.#take(size);
    let value = 0;
    for (let at = from; at < from + size; at += 1) value = value * 256 + this.#bytes[at]!;
    return value;
  }

  #uint64(): number | bigint {
    const high = this.#uint(4);
    const low = this.#uint(4);
    if (high < 0x20_0000) return high * TWO_32 + low;
    return (BigInt(high) << 32n) | BigInt(low);
  }

  #int64(): number | bigint {
    const high = this.#uint(4) | 0;
    const low = this.#uint(4);
    const value = high * TWO_32 + low;
    if (Number.isSafeInteger(value)) return value;
    return (BigInt(high) << 32n) | BigInt(low);
  }

  #float(): number {
    const from = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + from, 8).getFloat64(0);
  }
}

const knownKeys: ({ bytes: Uint8Array; text: string } | undefined)[] = Array.from({ length: 256 });

function decodeText(bytes: Uint8Array, from: number, to: number): string {
  try {
    return textDecoder.decode(bytes.subarray(from, to));
  } catch {
    throw malformed("a text is not UTF-8");
  }
}

function malformed(why: string): OperationalError {
  return new OperationalError("invalid-request", `malformed encoded value: ${why}`);
}
