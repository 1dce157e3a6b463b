// What a configuration text says before anyone has given it a meaning: the common result of the HCL and JSON parsers.
// HCL1 cannot tell `check { }` written once from a list of one, so an object that hangs on a key is a `BlockList`;
// who knows what the key means asks for one object (`soleBlock`), for a list (`blocksOf`) or for plain data (`plain`).

/** A line and a column, both from 1; columns count Unicode characters. */
export interface Position {
  line: number;
  column: number;
}

/** A parsed value. Integers past 2^53 are bigints. */
export type RawValue = null | boolean | number | bigint | string | readonly RawValue[] | BlockList | RawObject;

/** An object without a prototype, since its keys come from users. */
export interface RawObject {
  [key: string]: RawValue;
}

/** The objects that were written under one key of an HCL object, in order: `key { }`, `key = { }`, repeated or not. */
export class BlockList {
  readonly items: RawObject[] = [];
}

/** A parsed text: its root and where in the text each key of each object stands. */
export interface RawDocument {
  root: RawObject;
  positions: WeakMap<RawObject, Map<string, Position>>;
}

/** The text is not well formed. The message begins with the place, as HCL's do: `At 3:14: ...`. */
export class ConfigSyntaxError extends Error {
  override readonly name: string = "ConfigSyntaxError";
  readonly position: Position;
  constructor(position: Position, reason: string) {
    super(`At ${position.line}:${position.column}: ${reason}`);
    this.position = position;
  }
}

/** Finds lines and columns; reads on from the last place asked for, so that a text read forwards is read once. */
export class PositionCounter {
  readonly #source: string;
  #at = 0;
  #line = 1;
  #column = 1;

  constructor(source: string) {
    this.#source = source;
  }

  /** The position of the UTF-16 unit `at`. */
  position(at: number): Position {
    if (at < this.#at) {
      this.#at = 0;
      this.#line = 1;
      this.#column = 1;
    }
    for (; this.#at < at; this.#at += 1) {
      const code = this.#source.charCodeAt(this.#at);
      if (code === 0x0a) {
        this.#line += 1;
        this.#column = 1;
      } else if (code < 0xdc00 || code > 0xdfff) {
        // The second half of a surrogate pair is no character of its own.
        this.#column += 1;
      }
    }
    return { line: this.#line, column: this.#column };
  }
}

/** Objects and lists may be nested this deep in a text; deeper ones are refused. */
export const depthMax = 64;

/** True for an object, not for a list or a `BlockList`. */
export function isRawObject(value: unknown): value is RawObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof BlockList);
}

/** The objects that `value` stands for: a block list's, one object, a list of objects; null when it is none of these. */
export function blocksOf(value: RawValue): readonly RawObject[] | null {
  if (value instanceof BlockList) return value.items;
  if (isRawObject(value)) return [value];
  if (Array.isArray(value) && value.every(isRawObject)) return value as readonly RawObject[];
  return null;
}

/** The one object that `value` stands for; null when there is not exactly one. */
export function soleBlock(value: RawValue): RawObject | null {
  const blocks = blocksOf(value);
  return blocks !== null && blocks.length === 1 ? (blocks[0] as RawObject) : null;
}

/** One block with a label: `key "label" { ... }`. */
export interface LabelledBlock {
  label: string;
  body: RawObject;
}

/**
 * The labelled blocks under one key, in the order written: `key "a" { } key "b" { }` in HCL, `{"key": {"a": {}, "b": {}}}`
 * in JSON. Null when something there is not a block with one label.
 */
export function labelledBlocks(value: RawValue): LabelledBlock[] | null {
  const outer = blocksOf(value);
  if (outer === null) return null;
  const found: LabelledBlock[] = [];
  for (const labels of outer) {
    for (const [label, inner] of Object.entries(labels)) {
      const bodies = blocksOf(inner);
      if (bodies === null) return null;
      for (const body of bodies) found.push({ label, body });
    }
  }
  return found;
}

/**
 * The same value without block lists: one block becomes its object, several become a list. Lists that were written as
 * lists stay lists.
 */
export function plain(value: RawValue): RawValue {
  if (value instanceof BlockList) {
    const items = value.items.map(plain);
    return items.length === 1 ? (items[0] as RawValue) : items;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (!isRawObject(value)) return value;
  const copy: RawObject = Object.create(null);
  for (const [key, inner] of Object.entries(value)) copy[key] = plain(inner);
  return copy;
}

/** `plain` of an object. */
export function plainObject(value: RawObject): RawObject {
  return plain(value) as RawObject;
}
