// JSON (RFC 8259) for configuration files: unlike JSON.parse it says where a text is wrong, refuses a key given twice
// and keeps integers past 2^53 whole. What the API receives is read elsewhere.
import { quote } from "../util/quote.ts";
import {
  ConfigSyntaxError,
  depthMax,
  type Position,
  PositionCounter,
  type RawDocument,
  type RawObject,
  type RawValue,
} from "./raw-value.ts";

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals: ReadonlyMap<string, RawValue> = new Map<string, RawValue>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

/** Parses a text whose root is an object. @throws ConfigSyntaxError with line and column. */
export function parseJson(source: string): RawDocument {
  return new Parser(source).document();
}

class Parser {
  readonly #source: string;
  readonly #positions: WeakMap<RawObject, Map<string, Position>> = new WeakMap();
  readonly #counter: PositionCounter;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    this.#counter = new PositionCounter(source);
  }

  document(): RawDocument {
    if (this.#peek() !== "{") throw this.#unexpected("'{'");
    const root = this.#object(1);
    if (this.#peek() !== "") throw this.#unexpected("the end of the text");
    return { root, positions: this.#positions };
  }

  /** The next character that is not white space, which stays; "" at the end. */
  #peek(): string {
    for (;;) {
      const character = this.#source[this.#at];
      if (character === undefined) return "";
      if (character !== " " && character !== "\n" && character !== "\t" && character !== "\r") return character;
      this.#at += 1;
    }
  }

  #value(depth: number): RawValue {
    const character = this.#peek();
    if (character === "{") return this.#object(depth + 1);
    if (character === "[") return this.#list(depth + 1);
    if (character === '"') return this.#string();
    number.lastIndex = this.#at;
    const found = number.exec(this.#source);
    if (found !== null) {
      this.#at += found[0].length;
      const value = Number(found[0]);
      return /[.eE]/.test(found[0]) || Number.isSafeInteger(value) ? value : BigInt(found[0]);
    }
    for (const [word, value] of literals) {
      if (!this.#source.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    throw this.#unexpected("a value");
  }

  #object(depth: number): RawObject {
    this.#enter(depth);
    const object: RawObject = Object.create(null);
    const positions = new Map<string, Position>();
    this.#positions.set(object, positions);
    if (this.#peek() === "}") {
      this.#at += 1;
      return object;
    }
    for (;;) {
      if (this.#peek() !== '"') throw this.#unexpected("a key in double quotes");
      const start = this.#at;
      const key = this.#string();
      if (key in object) throw this.#error(start, `duplicate key ${quote(key)}`);
      positions.set(key, this.#counter.position(start));
      if (this.#peek() !== ":") throw this.#unexpected("':'");
      this.#at += 1;
      object[key] = this.#value(depth);
      if (!this.#comma("}")) return object;
    }
  }

  #list(depth: number): RawValue[] {
    this.#enter(depth);
    const items: RawValue[] = [];
    if (this.#peek() === "]") {
      this.#at += 1;
      return items;
    }
    for (;;) {
      items.push(this.#value(depth));
      if (!this.#comma("]")) return items;
    }
  }

  #enter(depth: number): void {
    if (depth > depthMax) throw this.#error(this.#at, `nested deeper than ${depthMax}`);
    this.#at += 1;
  }

  /** True after a comma, false after `closing`. */
  #comma(closing: "}" | "]"): boolean {
    const character = this.#peek();
    if (character !== "," && character !== closing) throw this.#unexpected(`',' or '${closing}'`);
    this.#at += 1;
    return character === ",";
  }

  #string(): string {
    const start = this.#at;
    let at = start + 1;
    for (;;) {
      const code = this.#source.charCodeAt(at);
      if (Number.isNaN(code)) throw this.#error(start, "string not terminated");
      if (code < 0x20) throw this.#error(at, "control character in a string");
      at += 1;
      if (code === 0x22) break;
      if (code === 0x5c) at += 1;
    }
    this.#at = at;
    try {
      return JSON.parse(this.#source.slice(start, at)) as string;
    } catch {
      throw this.#error(start, "invalid escape in a string");
    }
  }

  #error(at: number, reason: string): ConfigSyntaxError {
    return new ConfigSyntaxError(this.#counter.position(at), reason);
  }

  #unexpected(wanted: string): ConfigSyntaxError {
    const character = this.#peek();
    const got = character === "" ? "the end of the text" : quote(character);
    return this.#error(this.#at, `expected ${wanted}, got ${got}`);
  }
}
