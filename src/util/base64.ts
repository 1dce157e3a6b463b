// Base64 (RFC 4648) as Go's encoding/base64 has it: standard alphabet with padding, and the URL alphabet with or without.
// Line breaks inside are skipped, errors name the byte as Go does. The runtime's own encoder is used where there is one.

import { allocate } from "./slab.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const PAD = 0x3d;

const codes = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));
const standardDigits = digitsOf(ALPHABET);
const urlDigits = digitsOf(URL_ALPHABET);

/** Letter code to its six bits, -1 for what is no letter. */
function digitsOf(alphabet: string): Int32Array {
  const digits = new Int32Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i += 1) digits[alphabet.charCodeAt(i)] = i;
  return digits;
}

const native = (Uint8Array.prototype as { toBase64?: (this: Uint8Array) => string }).toBase64;
const ascii = new TextDecoder();
const scratch = new Uint8Array(8192);
/** Bytes that fill the scratch exactly; a multiple of 3, so pieces join without padding between. */
const PIECE_BYTES = 6144;

/** Standard base64, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  if (native !== undefined) return native.call(bytes);
  if (bytes.length <= PIECE_BYTES) return encodePiece(bytes, 0, bytes.length);
  let written = "";
  for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
    written += encodePiece(bytes, from, Math.min(from + PIECE_BYTES, bytes.length));
  }
  return written;
}

function encodePiece(bytes: Uint8Array, from: number, to: number): string {
  let at = from;
  let out = 0;
  for (; at + 2 < to; at += 3) {
    const bits = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    scratch[out] = codes[bits >> 18]!;
    scratch[out + 1] = codes[(bits >> 12) & 63]!;
    scratch[out + 2] = codes[(bits >> 6) & 63]!;
    scratch[out + 3] = codes[bits & 63]!;
    out += 4;
  }
  if (at < to) {
    const two = at + 1 < to;
    const bits = (bytes[at]! << 16) | (two ? bytes[at + 1]! << 8 : 0);
    scratch[out] = codes[bits >> 18]!;
    scratch[out + 1] = codes[(bits >> 12) & 63]!;
    scratch[out + 2] = two ? codes[(bits >> 6) & 63]! : PAD;
    scratch[out + 3] = PAD;
    out += 4;
  }
  return ascii.decode(scratch.subarray(0, out));
}

/**
 * The bytes of standard base64. Line breaks are skipped; padding is required.
 * @throws Error `illegal base64 data at input byte N`.
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return decodeWhole(text, standardDigits) ?? decodeSlowly(text, standardDigits, true);
}

/** Base64 with `-` and `_`, without padding. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * The bytes of URL-safe base64, padded or not.
 * @throws Error `illegal base64 data at input byte N`.
 */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return decodeWhole(text, urlDigits) ?? decodeSlowly(text, urlDigits, text.endsWith("="));
}

/** The usual case: whole quanta and nothing but letters and the last padding. Null when the text is anything else. */
function decodeWhole(text: string, digits: Int32Array): Uint8Array<ArrayBuffer> | null {
  const length = text.length;
  if (length === 0) return allocate(0);
  if ((length & 3) !== 0) return null;
  let padding = 0;
  if (text.charCodeAt(length - 1) === PAD) padding = text.charCodeAt(length - 2) === PAD ? 2 : 1;
  const bytes = allocate((length >> 2) * 3 - padding);
  const full = padding === 0 ? length : length - 4;
  let out = 0;
  // Codes past ASCII are masked to index the table, and told by `wide` at the end.
  let bad = 0;
  let wide = 0;
  for (let at = 0; at < full; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    wide |= a | b | c | d;
    const bits = (digits[a & 127]! << 18) | (digits[b & 127]! << 12) | (digits[c & 127]! << 6) | digits[d & 127]!;
    bad |= bits;
    bytes[out] = bits >> 16;
    bytes[out + 1] = bits >> 8;
    bytes[out + 2] = bits;
    out += 3;
  }
  if (padding !== 0) {
    const a = text.charCodeAt(full);
    const b = text.charCodeAt(full + 1);
    const c = padding === 1 ? text.charCodeAt(full + 2) : 65;
    wide |= a | b | c;
    const bits = (digits[a & 127]! << 18) | (digits[b & 127]! << 12) | (digits[c & 127]! << 6);
    bad |= bits;
    bytes[out] = bits >> 16;
    if (padding === 1) bytes[out + 1] = bits >> 8;
  }
  return bad < 0 || wide > 127 ? null : bytes;
}

/** Anything else, a letter at a time: what may still be right (line breaks, no padding), or which byte is wrong. */
function decodeSlowly(text: string, digits: Int32Array, padded: boolean): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const letters = withoutBreaks(text);
  const end = letters.length;
  let at = 0;
  while (at < end) {
    let bits = 0;
    let count = 0;
    const start = at;
    while (count < 4 && at < end) {
      const code = letters[at]!.code;
      const digit = code < 128 ? digits[code]! : -1;
      if (digit < 0) break;
      bits = (bits << 6) | digit;
      count += 1;
      at += 1;
    }
    if (count === 4) {
      bytes.push((bits >> 16) & 255, (bits >> 8) & 255, bits & 255);
      continue;
    }
    if (at === end) {
      // The text ends inside a quantum.
      if (padded || count === 1) throw illegal(letters[start]!.offset);
    } else {
      at = skipPadding(letters, at, count, padded, text);
    }
    if (count === 2) bytes.push((bits >> 4) & 255);
    if (count === 3) bytes.push((bits >> 10) & 255, (bits >> 2) & 255);
  }
  const whole = allocate(bytes.length);
  whole.set(bytes);
  return whole;
}

interface Letter {
  code: number;
  /** Its byte in the text as UTF-8. */
  offset: number;
}

function withoutBreaks(text: string): Letter[] {
  const letters: Letter[] = [];
  let offset = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code !== 10 && code !== 13) letters.push({ code, offset });
    if (code < 0x80) offset += 1;
    else if (code < 0x800 || (code >= 0xd800 && code < 0xe000)) offset += 2;
    else offset += 3;
  }
  return letters;
}

/** Checks the padding after a quantum of `count` letters at `at`, which must end the text; returns where it ends. */
function skipPadding(letters: Letter[], at: number, count: number, padded: boolean, text: string): number {
  const first = letters[at]!;
  if (first.code !== PAD || count < 2 || !padded) throw illegal(first.offset);
  let next = at + 1;
  if (count === 2) {
    if (next === letters.length) throw illegal(text.length);
    if (letters[next]!.code !== PAD) throw illegal(letters[next]!.offset - 1);
    next += 1;
  }
  if (next < letters.length) throw illegal(letters[next]!.offset);
  return next;
}

function illegal(offset: number): Error {
  return new Error(`illegal base64 data at input byte ${offset}`);
}
