// The grammar of `?filter=`, that of go-bexpr 0.1.2, which Consul uses:
//   or    = and { _ "or" _ and }            and   = not { _ "and" _ not }
//   not   = "not" _ not | group             group = "(" or ")" | match
//   match = selector ("==" | "!=" | contains | not contains | matches | not matches) value
//         | selector (is empty | is not empty) | value (in | not in) selector
//   selector = name { "." name | "[" string "]" }     value = selector | number | string
// As in the original, words are not reserved, alternatives are tried in order, and the error names the farthest place
// that was reached and all that could have stood there. Unlike it, the time is linear and the nesting bounded.

import { text as textOf, utf8 } from "../util/bytes.ts";
import type { Expression, Match, MatchOperator } from "./expression.ts";

const NESTING_MAX = 128;

/** What is wrong with an expression, in go-bexpr's words: `1:5 (4): no match found, expected: …`. */
export class FilterSyntaxError extends Error {
  override readonly name: string = "FilterSyntaxError";
}

/** @throws FilterSyntaxError */
export function parseExpression(text: string): Expression {
  return new Parser(text).whole();
}

type Words = readonly [MatchOperator, ...string[]];

const beforeValue: readonly Words[] = [
  ["In", "contains"],
  ["Not In", "not", "contains"],
  ["Matches", "matches"],
  ["Not Matches", "not", "matches"],
];
const alone: readonly Words[] = [
  ["Is Empty", "is", "empty"],
  ["Is Not Empty", "is", "not", "empty"],
];
const beforeSelector: readonly Words[] = [
  ["In", "in"],
  ["Not In", "not", "in"],
];

class Parser {
  readonly #text: string;
  #at = 0;
  #nesting = 0;
  /** The farthest place where something was missing, and what. */
  #missedAt = 0;
  readonly #missed = new Set<string>();
  /** Errors that no other alternative can undo. */
  readonly #errors = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Expression {
    this.#space();
    const expression = this.#or();
    if (expression !== null) this.#space();
    const ended = expression !== null && this.#end();
    if (this.#errors.size > 0) throw new FilterSyntaxError([...this.#errors].join("\n"));
    if (!ended) {
      throw new FilterSyntaxError(`${this.#place(this.#missedAt)}: no match found, expected: ${this.#expected()}`);
    }
    return expression;
  }

  #or(): Expression | null {
    return this.#chain("or", () => this.#and());
  }

  #and(): Expression | null {
    return this.#chain("and", () => this.#not());
  }

  #chain(type: "or" | "and", next: () => Expression | null): Expression | null {
    const first = next();
    if (first === null) return null;
    const operands = [first];
    for (;;) {
      const before = this.#at;
      const operand = this.#space() && this.#literal(type) && this.#space() ? next() : null;
      if (operand === null) {
        this.#at = before;
        return operands.length === 1 ? first : { type, operands };
      }
      operands.push(operand);
    }
  }

  #not(): Expression | null {
    const start = this.#at;
    if (this.#literal("not") && this.#space() && this.#descend()) {
      const operand = this.#not();
      this.#nesting -= 1;
      if (operand !== null) return operand.type === "not" ? operand.operand : { type: "not", operand };
    }
    // "not" may be a selector or a value itself.
    this.#at = start;
    return this.#group();
  }

  #group(): Expression | null {
    if (!this.#literal("(")) return this.#match();
    if (!this.#descend()) return null;
    this.#space();
    const inner = this.#or();
    this.#nesting -= 1;
    if (inner === null) return null;
    this.#space();
    if (this.#literal(")")) return inner;
    this.#fail("grouping", "Unmatched parentheses");
    return null;
  }

  #match(): Match | null {
    return this.#selectorFirst() ?? this.#valueFirst();
  }

  #selectorFirst(): Match | null {
    const start = this.#at;
    const selector = this.#selector();
    if (selector !== null) {
      const after = this.#at;
      const operator = this.#sign("Equal", "==") ?? this.#sign("Not Equal", "!=") ?? this.#word(beforeValue, true);
      const value = operator === null ? null : this.#value();
      if (operator !== null && value !== null) return { type: "match", selector, operator, value };
      this.#at = after;
      const lone = this.#word(alone, false);
      if (lone !== null) return { type: "match", selector, operator: lone };
    }
    this.#at = start;
    return null;
  }

  #valueFirst(): Match | null {
    const start = this.#at;
    const value = this.#value();
    const operator = value === null ? null : this.#word(beforeSelector, true);
    if (value !== null && operator !== null) {
      const selector = this.#selector();
      if (selector !== null) return { type: "match", selector, operator, value };
      this.#fail("match", "Invalid selector");
    }
    this.#at = start;
    return null;
  }

  /** An operator of signs, which needs no space around it. */
  #sign(operator: MatchOperator, sign: string): MatchOperator | null {
    const start = this.#at;
    this.#space();
    if (this.#literal(sign)) {
      this.#space();
      return operator;
    }
    this.#at = start;
    return null;
  }

  /** The first of the operators whose words stand here, each after white space, and with some behind it if so asked. */
  #word(operators: readonly Words[], spaceAfter: boolean): MatchOperator | null {
    const start = this.#at;
    for (const [operator, ...words] of operators) {
      const found = words.every((word) => this.#space() && this.#literal(word)) && (!spaceAfter || this.#space());
      if (found) return operator;
      this.#at = start;
    }
    return null;
  }

  #selector(): string[] | null {
    const first = this.#name();
    if (first === null) return null;
    const selector = [first];
    for (;;) {
      const before = this.#at;
      const next = (this.#literal(".") ? this.#name() : null) ?? this.#index(before);
      if (next === null) {
        this.#at = before;
        return selector;
      }
      selector.push(next);
    }
  }

  #index(start: number): string | null {
    this.#at = start;
    if (!this.#literal("[")) return null;
    this.#space();
    const key = this.#string();
    if (key === null) {
      this.#fail("index", "Invalid index");
      return null;
    }
    this.#space();
    if (this.#literal("]")) return key;
    this.#fail("index", "Unclosed index expression");
    return null;
  }

  #name(): string | null {
    const start = this.#at;
    if (!isLetter(this.#code())) {
      this.#miss("[a-zA-Z]");
      return null;
    }
    this.#at += 1;
    while (isLetter(this.#code()) || isDigit(this.#code()) || this.#code() === 0x5f) this.#at += 1;
    this.#miss("[a-zA-Z0-9_]");
    return this.#text.slice(start, this.#at);
  }

  #value(): string | null {
    const selector = this.#selector();
    if (selector !== null) return selector.join(".");
    return this.#number() ?? this.#string();
  }

  #number(): string | null {
    const start = this.#at;
    this.#literal("-");
    if (!this.#literal("0")) {
      if (!isDigit(this.#code())) {
        this.#miss("[1-9]");
        this.#at = start;
        return null;
      }
      this.#digits();
    }
    const whole = this.#at;
    if (this.#literal(".") && !this.#digits()) this.#at = whole;
    const end = this.#at;
    // White space, a closing parenthesis or the end must follow.
    const closed = this.#space() || this.#end() || this.#literal(")");
    this.#at = end;
    if (!closed) {
      this.#fail("number", "Invalid number literal");
      this.#at = start;
      return null;
    }
    return this.#text.slice(start, end);
  }

  #digits(): boolean {
    const start = this.#at;
    while (isDigit(this.#code())) this.#at += 1;
    this.#miss("[0-9]");
    return this.#at > start;
  }

  /** A string in backticks, taken as it is, or in double quotes, with Go's escapes; neither can hold its own quote. */
  #string(): string | null {
    const start = this.#at;
    const mark = this.#literal("`") ? "`" : this.#literal('"') ? '"' : null;
    if (mark === null) return null;
    const end = this.#text.indexOf(mark, this.#at);
    if (end < 0) {
      this.#at = this.#text.length;
      this.#fail("string", "Unterminated string literal");
      this.#at = start;
      return null;
    }
    const content = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    if (mark === "`") return content.replaceAll("\r", "");
    const unescaped = unescape(content);
    if (unescaped !== null) return unescaped;
    this.#errors.add(`${this.#place(start)}: rule "string": invalid syntax`);
    return "";
  }

  /** White space, at least one; where it ends, more could have stood. */
  #space(): boolean {
    const start = this.#at;
    for (;;) {
      const code = this.#code();
      if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) break;
      this.#at += 1;
    }
    this.#miss("[ \\t\\r\\n]");
    return this.#at > start;
  }

  #literal(literal: string): boolean {
    if (this.#text.startsWith(literal, this.#at)) {
      this.#at += literal.length;
      return true;
    }
    this.#miss(literal === '"' ? '"\\""' : `"${literal}"`);
    return false;
  }

  #end(): boolean {
    if (this.#at === this.#text.length) return true;
    this.#miss("EOF");
    return false;
  }

  #code(): number {
    return this.#at < this.#text.length ? this.#text.charCodeAt(this.#at) : 0;
  }

  #descend(): boolean {
    if (this.#nesting === NESTING_MAX) {
      this.#errors.add(`${this.#place(this.#at)}: the expression is nested deeper than ${NESTING_MAX} levels`);
      return false;
    }
    this.#nesting += 1;
    return true;
  }

  #miss(what: string): void {
    if (this.#at < this.#missedAt) return;
    if (this.#at > this.#missedAt) {
      this.#missed.clear();
      this.#missedAt = this.#at;
    }
    this.#missed.add(what);
  }

  #expected(): string {
    const wanted = [...this.#missed].filter((what) => what !== "EOF").sort();
    if (this.#missed.has("EOF")) wanted.push("EOF");
    const last = wanted.pop() ?? "";
    return wanted.length === 0 ? last : `${wanted.join(", ")} or ${last}`;
  }

  #fail(rule: string, message: string): void {
    this.#errors.add(`${this.#place(this.#at)}: rule "${rule}": ${message}`);
  }

  /** `line:column (byte offset)`; lines and columns count from 1, columns are characters. */
  #place(at: number): string {
    const before = this.#text.slice(0, at);
    const lines = before.split("\n");
    return `${lines.length}:${[...lines.at(-1)!].length + 1} (${utf8(before).length})`;
  }
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

const escapes = /\\(?:([abfnrtv\\])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;
const simpleEscapes: ReadonlyMap<string, number> = new Map([
  ["a", 0x07],
  ["b", 0x08],
  ["f", 0x0c],
  ["n", 0x0a],
  ["r", 0x0d],
  ["t", 0x09],
  ["v", 0x0b],
  ["\\", 0x5c],
]);

/** Undoes the escapes of a Go string literal; null when it is none. */
function unescape(content: string): string | null {
  if (content.includes("\n")) return null;
  if (!content.includes("\\")) return content;
  const bytes: number[] = [];
  for (let at = 0; at < content.length; at = escapes.lastIndex) {
    const next = content.indexOf("\\", at);
    for (const byte of utf8(content.slice(at, next < 0 ? content.length : next))) bytes.push(byte);
    if (next < 0) break;
    escapes.lastIndex = next;
    const found = escapes.exec(content);
    if (found === null) return null;
    const [, simple, hex, octal, short, long] = found;
    if (simple !== undefined) bytes.push(simpleEscapes.get(simple)!);
    else if (hex !== undefined || octal !== undefined) {
      const byte = hex === undefined ? Number.parseInt(octal!, 8) : Number.parseInt(hex, 16);
      if (byte > 0xff) return null;
      bytes.push(byte);
    } else {
      const code = Number.parseInt(short ?? long!, 16);
      if (code > 0x10_ffff || (code >= 0xd800 && code < 0xe000)) return null;
      for (const byte of utf8(String.fromCodePoint(code))) bytes.push(byte);
    }
  }
  return textOf(Uint8Array.from(bytes));
}
