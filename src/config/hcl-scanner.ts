// The tokens of HCL version 1 (https://github.com/hashicorp/hcl/tree/hcl1), which Consul's files, service definitions,
// config entries and ACL rules are written in.
import { text } from "../util/bytes.ts";
import { ConfigSyntaxError, type Position, PositionCounter } from "./raw-value.ts";

export type TokenType = "identifier" | "string" | "number" | "bool" | "end" | "{" | "}" | "[" | "]" | "," | "=";

export interface Token {
  type: TokenType;
  /** What the token stands for: the unquoted text, the number, the boolean; the character itself for punctuation. */
  value: string | number | bigint | boolean;
  position: Position;
}

const identifier = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy;
const hexadecimal = /-?0[xX][0-9a-fA-F]*/y;
const decimal = /-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d*)?/y;
const anchorLine = /<<(-?)([\p{L}\p{Nd}_]*)([^\n]*)(\n|$)/uy;
const punctuation = new Set<string>(["{", "}", "[", "]", ",", "="]);
const escapes: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"],
  ['"', '"'],
]);

/** Reads one token after the other. */
export class HclScanner {
  readonly #source: string;
  readonly #counter: PositionCounter;
  #at = 0;

  constructor(source: string) {
    this.#source = source.replaceAll("\r\n", "\n");
    this.#counter = new PositionCounter(this.#source);
  }

  /** The next token; at the end of the text, for ever after, one of type `end`. @throws ConfigSyntaxError */
  next(): Token {
    this.#skipSpace();
    const start = this.#at;
    const position = this.#counter.position(start);
    const character = this.#source[start];
    if (character === undefined) return { type: "end", value: "", position };
    if (punctuation.has(character)) {
      this.#at += 1;
      return { type: character as TokenType, value: character, position };
    }
    if (character === '"') return { type: "string", value: this.#string(), position };
    if (character === "<") return { type: "string", value: this.#heredoc(), position };
    const name = this.#match(identifier);
    if (name !== null) {
      if (name === "true" || name === "false") return { type: "bool", value: name === "true", position };
      return { type: "identifier", value: name, position };
    }
    const number = this.#number();
    if (number !== null) return { type: "number", value: number, position };
    throw this.#error(start, "illegal char");
  }

  #match(form: RegExp): string | null {
    form.lastIndex = this.#at;
    const found = form.exec(this.#source);
    if (found === null) return null;
    this.#at += found[0].length;
    return found[0];
  }

  #skipSpace(): void {
    const source = this.#source;
    for (;;) {
      const character = source[this.#at];
      if (character === " " || character === "\t" || character === "\n" || character === "\r") {
        this.#at += 1;
      } else if (character === "#" || (character === "/" && source[this.#at + 1] === "/")) {
        const end = source.indexOf("\n", this.#at);
        this.#at = end < 0 ? source.length : end;
      } else if (character === "/" && source[this.#at + 1] === "*") {
        const end = source.indexOf("*/", this.#at + 2);
        if (end < 0) throw this.#error(this.#at, "comment not terminated");
        this.#at = end + 2;
      } else if (character === "/") {
        throw this.#error(this.#at, "expected '/' for comment");
      } else {
        return;
      }
    }
  }

  #number(): number | bigint | null {
    const start = this.#at;
    const hex = this.#match(hexadecimal);
    if (hex !== null) {
      if (/[xX]$/.test(hex)) throw this.#error(start, "illegal hexadecimal number");
      const size = BigInt(hex.replace("-", ""));
      return this.#integer(hex.startsWith("-") ? -size : size, start);
    }
    const written = this.#match(decimal);
    if (written === null) return null;
    if (/[.eE]/.test(written)) {
      const value = Number(written);
      if (Number.isNaN(value)) throw this.#error(start, "illegal number");
      return value;
    }
    // A leading zero means octal, as in Go.
    const octal = /^-?0\d+$/.test(written);
    if (octal && /[89]/.test(written)) throw this.#error(start, "illegal octal number");
    const digits = written.replace("-", "");
    const size = BigInt(octal ? `0o${digits}` : digits);
    return this.#integer(written.startsWith("-") ? -size : size, start);
  }

  #integer(value: bigint, start: number): number | bigint {
    if (BigInt.asIntN(64, value) !== value) throw this.#error(start, "number out of range");
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  /** A quoted string. What stands in `${...}` is kept as it is, quotes and newlines too. */
  #string(): string {
    const source = this.#source;
    const start = this.#at;
    this.#at += 1;
    let value = "";
    for (;;) {
      const character = source[this.#at];
      if (character === undefined || character === "\n") throw this.#error(start, "literal not terminated");
      if (character === '"') {
        this.#at += 1;
        return value;
      }
      if (character === "$" && source[this.#at + 1] === "{") value += this.#interpolation(start);
      else if (character === "\\") value += this.#escape();
      else {
        value += character;
        this.#at += 1;
      }
    }
  }

  #interpolation(start: number): string {
    const from = this.#at;
    let braces = 0;
    for (let at = from + 1; at < this.#source.length; at += 1) {
      const character = this.#source[at];
      if (character === "{") braces += 1;
      if (character === "}") braces -= 1;
      if (braces === 0) {
        this.#at = at + 1;
        return this.#source.slice(from, this.#at);
      }
    }
    throw this.#error(start, "literal not terminated");
  }

  #escape(): string {
    const source = this.#source;
    const start = this.#at;
    const simple = escapes.get(source[start + 1] ?? "");
    if (simple !== undefined) {
      this.#at += 2;
      return simple;
    }
    const unicode = /^\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(source.slice(start, start + 10));
    if (unicode !== null) {
      const code = Number.parseInt(unicode[1] ?? unicode[2] ?? "", 16);
      if (code > 0x10ffff) throw this.#error(start, "illegal char escape");
      this.#at += unicode[0].length;
      return String.fromCodePoint(code);
    }
    // \x41 and \101 are bytes: a run of them is read as UTF-8.
    const bytes: number[] = [];
    for (;;) {
      const found = /^\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2}))/.exec(source.slice(this.#at, this.#at + 4));
      if (found === null) break;
      bytes.push(found[1] === undefined ? Number.parseInt(found[2] ?? "", 8) : Number.parseInt(found[1], 16));
      this.#at += 4;
    }
    if (bytes.length === 0) throw this.#error(start, "illegal char escape");
    return text(Uint8Array.from(bytes));
  }

  /**
   * `<<EOF` up to a line that holds only the anchor; `<<-EOF` also takes the anchor's own indentation from each line, if
   * every line has it.
   */
  #heredoc(): string {
    const start = this.#at;
    if (this.#source[start + 1] !== "<") throw this.#error(start, "heredoc expected second '<', didn't see it");
    anchorLine.lastIndex = start;
    const opening = anchorLine.exec(this.#source);
    const anchor = opening?.[2] ?? "";
    if (opening === null || opening[4] === "") throw this.#error(start, "heredoc not terminated");
    if (opening[3] !== "") throw this.#error(start, "invalid characters in heredoc anchor");
    if (anchor === "") throw this.#error(start, "zero-length heredoc anchor");
    const lines: string[] = [];
    let at = start + opening[0].length;
    while (at < this.#source.length) {
      const newline = this.#source.indexOf("\n", at);
      const end = newline < 0 ? this.#source.length : newline;
      const line = this.#source.slice(at, end);
      at = end + 1;
      if (line.trimStart().replace(/\r*$/, "") !== anchor) {
        lines.push(line);
        continue;
      }
      this.#at = Math.min(at, this.#source.length);
      const indent = line.slice(0, line.length - line.trimStart().length);
      if (opening[1] !== "-") return lines.map((each) => `${each}\n`).join("") + indent;
      const strip = lines.every((each) => each.startsWith(indent)) ? indent.length : 0;
      return lines.map((each) => `${each.slice(strip)}\n`).join("");
    }
    throw this.#error(start, "heredoc not terminated");
  }

  #error(at: number, reason: string): ConfigSyntaxError {
    return new ConfigSyntaxError(this.#counter.position(at), reason);
  }
}
