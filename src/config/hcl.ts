// The parser of HCL version 1 (https://github.com/hashicorp/hcl/tree/hcl1), with that language's meaning of repetition:
// blocks under one key add up, lists under one key are joined, of several plain values the last one counts. A text that
// begins with `{` is JSON.
import { quote } from "../util/quote.ts";
import { HclScanner, type Token } from "./hcl-scanner.ts";
import { parseJson } from "./json.ts";
import {
  BlockList,
  ConfigSyntaxError,
  depthMax,
  type Position,
  type RawDocument,
  type RawObject,
  type RawValue,
} from "./raw-value.ts";

export interface HclOptions {
  /** Refuses `key = value` given twice in one object, as ACL rules do. Off, the rules above apply. */
  refuseDuplicates?: boolean;
}

/** Parses a whole text. @throws ConfigSyntaxError with line and column. */
export function parseHcl(source: string, options: HclOptions = {}): RawDocument {
  if (/^\s*\{/.test(source)) return parseJson(source);
  return new Parser(source, options.refuseDuplicates ?? false).document();
}

class Parser {
  readonly #scanner: HclScanner;
  readonly #refuseDuplicates: boolean;
  readonly #positions: WeakMap<RawObject, Map<string, Position>> = new WeakMap();
  #token: Token;

  constructor(source: string, refuseDuplicates: boolean) {
    this.#scanner = new HclScanner(source);
    this.#refuseDuplicates = refuseDuplicates;
    this.#token = this.#scanner.next();
  }

  document(): RawDocument {
    return { root: this.#items("end", 0), positions: this.#positions };
  }

  #advance(): Token {
    const token = this.#token;
    this.#token = this.#scanner.next();
    return token;
  }

  /** The items of an object, up to the token `closing`, which stays. Commas between items are optional. */
  #items(closing: "}" | "end", depth: number): RawObject {
    if (depth > depthMax) throw new ConfigSyntaxError(this.#token.position, `nested deeper than ${depthMax}`);
    const object: RawObject = Object.create(null);
    const positions = new Map<string, Position>();
    this.#positions.set(object, positions);
    while (this.#token.type !== closing) {
      this.#item(object, positions, depth);
      if (this.#token.type === ",") this.#advance();
    }
    return object;
  }

  #item(object: RawObject, positions: Map<string, Position>, depth: number): void {
    const keys: Token[] = [];
    while (this.#token.type === "identifier" || this.#token.type === "string") keys.push(this.#advance());
    const first = keys[0];
    const { type, position } = this.#token;
    if (first === undefined) throw this.#unexpected("a key");
    const key = String(first.value);
    if (type === "{") {
      this.#addBlock(object, key, this.#block(keys, depth), first.position);
    } else if (type === "=") {
      if (keys.length > 1) throw new ConfigSyntaxError(position, "nested object expected: '{' got '='");
      if (this.#refuseDuplicates && key in object) {
        throw new ConfigSyntaxError(
          first.position,
          `The argument ${quote(key)} was already set. Each argument can only be defined once`,
        );
      }
      this.#advance();
      // An object given with `=` is a block all the same.
      if (this.#tokenType() === "{") this.#addBlock(object, key, this.#object(depth), first.position);
      else this.#assign(object, key, this.#value(depth), first.position);
    } else {
      const names = keys.map((each) => String(each.value)).join(" ");
      throw new ConfigSyntaxError(position, `key '${names}' expected start of object ('{') or assignment ('=')`);
    }
    if (!positions.has(key)) positions.set(key, first.position);
  }

  #tokenType(): Token["type"] {
    return this.#token.type;
  }

  /** The block that begins here, wrapped once for each label after its key. */
  #block(keys: readonly Token[], depth: number): RawObject {
    let block = this.#object(depth + keys.length - 1);
    for (let index = keys.length - 1; index > 0; index -= 1) {
      const label = keys[index] as Token;
      const outer: RawObject = Object.create(null);
      const list = new BlockList();
      list.items.push(block);
      outer[String(label.value)] = list;
      this.#positions.set(outer, new Map([[String(label.value), label.position]]));
      block = outer;
    }
    return block;
  }

  #addBlock(object: RawObject, key: string, block: RawObject, position: Position): void {
    const present = object[key];
    if (present !== undefined && !(present instanceof BlockList)) throw mixed(key, position);
    const list = present ?? new BlockList();
    list.items.push(block);
    object[key] = list;
  }

  #assign(object: RawObject, key: string, value: RawValue, position: Position): void {
    const present = object[key];
    if (present instanceof BlockList) throw mixed(key, position);
    object[key] = Array.isArray(present) && Array.isArray(value) ? [...present, ...value] : value;
  }

  #object(depth: number): RawObject {
    this.#advance();
    const object = this.#items("}", depth + 1);
    this.#advance();
    return object;
  }

  #value(depth: number): RawValue {
    switch (this.#token.type) {
      case "string":
      case "number":
      case "bool":
        return this.#advance().value;
      case "[":
        return this.#list(depth + 1);
      case "{":
        return this.#object(depth);
      default:
        throw this.#unexpected("a value");
    }
  }

  #list(depth: number): RawValue[] {
    if (depth > depthMax) throw new ConfigSyntaxError(this.#token.position, `nested deeper than ${depthMax}`);
    this.#advance();
    const items: RawValue[] = [];
    while (this.#token.type !== "]") {
      if (this.#token.type === ",") throw this.#unexpected("a value");
      items.push(this.#value(depth));
      if (this.#tokenType() === ",") this.#advance();
      else if (this.#tokenType() !== "]") throw this.#unexpected("',' or ']'");
    }
    this.#advance();
    return items;
  }

  #unexpected(wanted: string): ConfigSyntaxError {
    const { type, value, position } = this.#token;
    const got = type === "end" ? "the end of the text" : type === "string" ? "a string" : `'${value}'`;
    return new ConfigSyntaxError(position, `expected ${wanted}, got ${got}`);
  }
}

function mixed(key: string, position: Position): ConfigSyntaxError {
  return new ConfigSyntaxError(position, `key '${key}' is given both as a block and as a value`);
}
