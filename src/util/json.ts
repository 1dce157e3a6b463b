// JSON as Go's encoding/json reads and writes it: integers past 2^53 are exact (bigint), bytes are base64 strings, `<`,
// `>` and `&` are escaped in what is written, errors have Go's words. The engine's own JSON does the work wherever it can.
//
// Parsed objects are ordinary objects whose keys are all their own, `__proto__` too (it sets no prototype). Read them
// with Object.keys, or through util/decode, which makes user-keyed maps without a prototype; never with `in`.

import { encodeBase64 } from "./base64.ts";

const DEPTH_MAX = 64;

/** The text is not JSON, or deeper than 64 levels. */
export class JsonError extends Error {
  override readonly name: string = "JsonError";
  /** True when the text ends too early: Go's stream decoder then says `EOF` or `unexpected EOF`. */
  readonly truncated: boolean;
  constructor(message: string, truncated: boolean) {
    super(message);
    this.truncated = truncated;
  }
}

/** @throws JsonError with the message of Go's `json.Unmarshal`. */
export function parseJson(text: string): unknown {
  return parse(text, false);
}

/**
 * Reads a body as Go's `json.Decoder` does, which Consul uses for most: what follows the first value is ignored, and a text
 * cut short is `unexpected EOF`, an empty one `EOF`.
 * @throws JsonError
 */
export function parseJsonBody(text: string): unknown {
  return parse(text, true);
}

function parse(text: string, stream: boolean): unknown {
  if (!mayBeDeep(text) && !/\d{16}/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // Our own parser tells what is wrong.
    }
  }
  return new Parser(text, stream).whole();
}

/** True when the text has more than DEPTH_MAX opening brackets, in strings or not. */
function mayBeDeep(text: string): boolean {
  let opened = 0;
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      opened += 1;
      if (opened > DEPTH_MAX) return isDeep(text);
    }
  }
  return false;
}

/** Counts the levels outside strings, without judging the text. */
function isDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > DEPTH_MAX) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}

const numberForm = /(-?(?:0|[1-9]\d*))(\.\d+)?([eE][+-]?\d+)?/y;

class Parser {
  readonly #text: string;
  readonly #stream: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, stream: boolean) {
    this.#text = text;
    this.#stream = stream;
  }

  whole(): unknown {
    const first = this.#skipSpace();
    if (this.#stream && first === undefined) throw new JsonError("EOF", true);
    const value = this.#value();
    if (!this.#stream && this.#skipSpace() !== undefined) throw this.#unexpected("after top-level value");
    return value;
  }

  #value(): unknown {
    const char = this.#skipSpace();
    if (char === "{") return this.#object();
    if (char === "[") return this.#array();
    if (char === '"') return this.#string();
    if (char === "t") return this.#literal("true", true);
    if (char === "f") return this.#literal("false", false);
    if (char === "n") return this.#literal("null", null);
    if (char === "-" || (char !== undefined && char >= "0" && char <= "9")) return this.#number();
    throw this.#unexpected("looking for beginning of value");
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#enter();
    let char = this.#skipSpace();
    if (char === "}") return this.#leave(object);
    for (;;) {
      if (char !== '"') throw this.#unexpected("looking for beginning of object key string");
      const key = this.#string();
      if (this.#skipSpace() !== ":") throw this.#unexpected("after object key");
      this.#at += 1;
      const value = this.#value();
      if (key === "__proto__") {
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      } else object[key] = value;
      char = this.#skipSpace();
      if (char === "}") return this.#leave(object);
      if (char !== ",") throw this.#unexpected("after object key:value pair");
      this.#at += 1;
      char = this.#skipSpace();
    }
  }

  #array(): unknown[] {
    const array: unknown[] = [];
    this.#enter();
    if (this.#skipSpace() === "]") return this.#leave(array);
    for (;;) {
      array.push(this.#value());
      const char = this.#skipSpace();
      if (char === "]") return this.#leave(array);
      if (char !== ",") throw this.#unexpected("after array element");
      this.#at += 1;
    }
  }

  #enter(): void {
    this.#at += 1;
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new JsonError("exceeded max depth", false);
  }

  #leave<T>(value: T): T {
    this.#at += 1;
    this.#depth -= 1;
    return value;
  }

  #string(): string {
    const start = this.#at;
    this.#at += 1;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) {
        this.#at += 1;
        // The form is checked: the engine undoes the escapes.
        return JSON.parse(this.#text.slice(start, this.#at)) as string;
      }
      // The code is NaN at the end of the text.
      if (!(code >= 0x20)) throw this.#unexpected("in string literal");
      this.#at += 1;
      if (code === 0x5c) this.#escape();
    }
  }

  #escape(): void {
    const char = this.#text[this.#at];
    if (char === undefined || !'"\\/bfnrtu'.includes(char)) throw this.#unexpected("in string escape code");
    this.#at += 1;
    if (char !== "u") return;
    for (const end = this.#at + 4; this.#at < end; this.#at += 1) {
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? ""))
        throw this.#unexpected("in \\u hexadecimal character escape");
    }
  }

  #number(): number | bigint {
    numberForm.lastIndex = this.#at;
    const found = numberForm.exec(this.#text);
    if (found === null) {
      this.#at += 1;
      throw this.#unexpected("in numeric literal");
    }
    this.#at = numberForm.lastIndex;
    const [whole, digits, fraction, exponent] = found;
    const char = this.#text[this.#at];
    if (char === "." && fraction === undefined && exponent === undefined) {
      this.#at += 1;
      throw this.#unexpected("after decimal point in numeric literal");
    }
    if ((char === "e" || char === "E") && exponent === undefined) {
      this.#at += 1;
      if (this.#text[this.#at] === "+" || this.#text[this.#at] === "-") this.#at += 1;
      throw this.#unexpected("in exponent of numeric literal");
    }
    if (fraction !== undefined || exponent !== undefined) return Number(whole);
    const value = Number(digits);
    // No 64-bit integer has more digits; reading millions of them exactly would only cost time.
    return Number.isSafeInteger(value) || whole.length > 20 ? value : BigInt(whole);
  }

  #literal<T>(word: string, value: T): T {
    for (let i = 1; i < word.length; i += 1) {
      this.#at += 1;
      if (this.#text[this.#at] !== word[i]) {
        throw this.#unexpected(`in literal ${word} (expecting ${quoteChar(word.charCodeAt(i))})`);
      }
    }
    this.#at += 1;
    return value;
  }

  /** The next character that is no white space, not consumed; undefined at the end. */
  #skipSpace(): string | undefined {
    for (;;) {
      const char = this.#text[this.#at];
      if (char !== " " && char !== "\n" && char !== "\t" && char !== "\r") return char;
      this.#at += 1;
    }
  }

  #unexpected(where: string): JsonError {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) {
      return new JsonError(this.#stream ? "unexpected EOF" : "unexpected end of JSON input", true);
    }
    return new JsonError(`invalid character ${quoteChar(firstByte(code))} ${where}`, false);
  }
}

/** Go reads bytes: of a character past ASCII it names the first. */
function firstByte(code: number): number {
  if (code < 0x80) return code;
  if (code < 0x800) return 0xc0 | (code >> 6);
  if (code < 0x10000) return 0xe0 | (code >> 12);
  return 0xf0 | (code >> 18);
}

const namedEscapes = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0b, "\\v"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
  [0x27, "\\'"],
  [0x5c, "\\\\"],
]);

function quoteChar(byte: number): string {
  const named = namedEscapes.get(byte);
  if (named !== undefined) return `'${named}'`;
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, "0")}'`;
  return `'${String.fromCharCode(byte)}'`;
}

/**
 * The JSON text of plain data. Bigints are written as bare numbers, byte arrays as base64 strings; undefined fields are
 * left out. Nothing follows the last bracket.
 * @param pretty four spaces a level, as `?pretty` asks.
 */
export function stringifyJson(value: unknown, pretty = false): string {
  const written = isOrdinary(value)
    ? (JSON.stringify(value, undefined, pretty ? 4 : undefined) ?? "null")
    : write(value, pretty, "\n");
  return needsEscape.test(written) ? written.replace(escaped, escapeOf) : written;
}

const needsEscape = /[<>&\u2028\u2029]/;
const escaped = /[<>&\u2028\u2029]/g;

/** These stand only inside strings, so a `\u` escape is always right. */
function escapeOf(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** True when JSON.stringify would write the value as we want it. */
function isOrdinary(value: unknown): boolean {
  if (typeof value === "bigint") return false;
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (!isOrdinary(item)) return false;
    return true;
  }
  if (value instanceof Uint8Array) return false;
  const object = value as Record<string, unknown>;
  for (const key in object) {
    const field = object[key];
    if (typeof field === "object" ? field !== null && !isOrdinary(field) : typeof field === "bigint") return false;
  }
  return true;
}

/** @param line the line break and indent of the level that holds the value. */
function write(value: unknown, pretty: boolean, line: string): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (value instanceof Uint8Array) return `"${encodeBase64(value)}"`;
  const inner = pretty ? `${line}    ` : "";
  let written = "";
  if (Array.isArray(value)) {
    for (const item of value) written += `${written === "" ? "" : ","}${inner}${write(item, pretty, inner)}`;
    return written === "" ? "[]" : `[${written}${pretty ? line : ""}]`;
  }
  const colon = pretty ? ": " : ":";
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key];
    if (field === undefined) continue;
    written += `${written === "" ? "" : ","}${inner}${JSON.stringify(key)}${colon}${write(field, pretty, inner)}`;
  }
  return written === "" ? "{}" : `{${written}${pretty ? line : ""}}`;
}
