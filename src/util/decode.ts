// Decoding what came as JSON into records, by the rules of Go's encoding/json, which Consul's users rely on: keys match
// whatever their case, an absent field or a null is the zero value, a wrong type is an error that names the field.
// A decoder is a function of a value and its path; the combinators below make decoders of decoders.
//
//   const body = object({ Name: string, Port: int, Tags: list(string), Wait: duration }, { strict: true });
//   type Body = Decoded<typeof body>;
//   const request = decode(body, parseJsonBody(text));

import { decodeBase64 } from "./base64.ts";
import { allocate } from "./slab.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { quote } from "./quote.ts";
import { userMap } from "./user-map.ts";

/** What was sent does not fit; the message tells which field, in the way of Go's json package. */
export class DecodeError extends Error {
  override readonly name: string = "DecodeError";
}

/** `value` is undefined where a field is absent; `path` is dotted, "" at the top. @throws DecodeError */
export type Decoder<T> = (value: unknown, path: string) => T;

/** What a decoder gives. */
export type Decoded<D> = D extends Decoder<infer T> ? T : never;

/** Applies a decoder to a whole value. @throws DecodeError */
export function decode<T>(decoder: Decoder<T>, value: unknown): T {
  return decoder(value, "");
}

const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** A text; "" when absent. */
export const string: Decoder<string> = (value, path) => {
  if (typeof value === "string") return value;
  if (isAbsent(value)) return "";
  throw wrongType(value, path, "string");
};

/** true or false; false when absent. */
export const bool: Decoder<boolean> = (value, path) => {
  if (typeof value === "boolean") return value;
  if (isAbsent(value)) return false;
  throw wrongType(value, path, "bool");
};

/** An integer within ±2^53; 0 when absent. */
export const int: Decoder<number> = (value, path) => {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (isAbsent(value)) return 0;
  throw wrongType(value, path, "int");
};

/** Any finite number; 0 when absent. */
export const float: Decoder<number> = (value, path) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint") return Number(value);
  if (isAbsent(value)) return 0;
  throw wrongType(value, path, "float64");
};

/** An integer in [0, 2^64): a bigint above 2^53, as `parseJson` gives it; 0 when absent. */
export const uint64: Decoder<number | bigint> = (value, path) => {
  if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) return value;
  if (typeof value === "bigint" && value >= 0n && value <= UINT64_MAX) return value;
  if (isAbsent(value)) return 0;
  throw wrongType(value, path, "uint64");
};

/** Nanoseconds: from a text such as "10s" or from a number of nanoseconds; 0 when absent or "". */
export const duration: Decoder<number> = (value, path) => {
  if (typeof value === "number" && Number.isFinite(value)) return Math.trunc(value);
  if (typeof value === "bigint") return Number(value);
  if (isAbsent(value) || value === "") return 0;
  if (typeof value !== "string") throw wrongType(value, path, "duration");
  try {
    return parseDuration(value);
  } catch (error) {
    throw new DecodeError((error as Error).message, { cause: error });
  }
};

/** A duration as Go would write it ("10s"), from a text or a number of nanoseconds; "" when absent. */
export const durationText: Decoder<string> = (value, path) =>
  isAbsent(value) || value === "" ? "" : formatDuration(duration(value, path));

/** Bytes from a base64 text; none when absent. */
export const bytes: Decoder<Uint8Array> = (value, path) => {
  if (isAbsent(value)) return allocate(0);
  if (typeof value !== "string") throw wrongType(value, path, "[]uint8");
  try {
    return decodeBase64(value);
  } catch (error) {
    throw new DecodeError((error as Error).message, { cause: error });
  }
};

/** Whatever was sent, undefined when absent. Objects in it are `parseJson`'s: see there. */
export const raw: Decoder<unknown> = (value) => value;

/** A list; empty when absent. */
export function list<T>(item: Decoder<T>): Decoder<T[]> {
  return (value, path) => {
    if (isAbsent(value)) return [];
    if (!Array.isArray(value)) throw wrongType(value, path, "list");
    const items: T[] = [];
    for (const entry of value as unknown[]) items.push(item(entry, path));
    return items;
  };
}

/** A map with keys of the user, made without a prototype; empty when absent. */
export function map<T>(item: Decoder<T>): Decoder<Record<string, T>> {
  return (value, path) => {
    const items = userMap<T>();
    if (isAbsent(value)) return items;
    if (!isObject(value)) throw wrongType(value, path, "map");
    for (const key of Object.keys(value)) items[key] = item(value[key], join(path, key));
    return items;
  };
}

/** As `decoder`, but undefined when absent or null. */
export function optional<T>(decoder: Decoder<T>): Decoder<T | undefined> {
  return (value, path) => (isAbsent(value) ? undefined : decoder(value, path));
}

/** As `decoder`, but null when absent or null. */
export function nullable<T>(decoder: Decoder<T>): Decoder<T | null> {
  return (value, path) => (isAbsent(value) ? null : decoder(value, path));
}

/** As `decoder`, but `fallback` when absent or null. */
export function withDefault<T>(decoder: Decoder<T>, fallback: T): Decoder<T> {
  return (value, path) => (isAbsent(value) ? fallback : decoder(value, path));
}

/** What `decoder` gives, turned by `then`, which may throw a DecodeError. */
export function mapped<T, U>(decoder: Decoder<T>, then: (value: T, path: string) => U): Decoder<U> {
  return (value, path) => then(decoder(value, path), path);
}

export interface ObjectOptions {
  /** An unknown field is an error rather than ignored. */
  strict?: boolean;
  /** Underscores in keys do not count: `enable_tag_override` is EnableTagOverride. */
  snakeCase?: boolean;
  /** Other names for a field: `{ CheckID: ["id"] }`. Matched like the names themselves. */
  aliases?: Readonly<Record<string, readonly string[]>>;
}

type Fields = Readonly<Record<string, Decoder<unknown>>>;
type DecodedFields<F extends Fields> = { -readonly [K in keyof F]: Decoded<F[K]> };

/**
 * A record with just these fields, in this order; all of them zero when the object is absent. Keys match exactly or
 * without regard to case; of several that match one field, the last counts, as in Go.
 */
export function object<F extends Fields>(fields: F, options: ObjectOptions = {}): Decoder<DecodedFields<F>> {
  const names = Object.keys(fields);
  const decoders = names.map((name) => fields[name]!);
  const absent: readonly unknown[] = names.map(() => undefined);
  const fold = options.snakeCase === true ? foldSnake : foldCase;
  const slots = new Map<string, number>();
  for (const [slot, name] of names.entries()) {
    slots.set(fold(name), slot);
    for (const alias of options.aliases?.[name] ?? []) slots.set(fold(alias), slot);
  }
  // The exact spelling is what most send: it needs no folding.
  for (const [slot, name] of names.entries()) slots.set(name, slot);

  return (value, path) => {
    const found = absent.slice();
    if (!isAbsent(value)) {
      if (!isObject(value)) throw wrongType(value, path, "object");
      for (const key of Object.keys(value)) {
        const slot = slots.get(key) ?? slots.get(fold(key));
        if (slot !== undefined) found[slot] = value[key];
        else if (options.strict === true) throw new DecodeError(`json: unknown field ${quote(key)}`);
      }
    }
    const record: Record<string, unknown> = {};
    for (let slot = 0; slot < names.length; slot += 1) {
      const name = names[slot]!;
      record[name] = decoders[slot]!(found[slot], path === "" ? name : `${path}.${name}`);
    }
    return record as DecodedFields<F>;
  };
}

function foldCase(key: string): string {
  return key.toLowerCase();
}

function foldSnake(key: string): string {
  return key.toLowerCase().replaceAll("_", "");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** The error for a value of the wrong type; `expected` is what the field holds. */
function wrongType(value: unknown, path: string, expected: string): DecodeError {
  const where = path === "" ? "value" : `field ${path}`;
  return new DecodeError(`json: cannot unmarshal ${kindOf(value)} into ${where} of type ${expected}`);
}

function kindOf(value: unknown): string {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" || typeof value === "bigint") return `number ${value}`;
  if (Array.isArray(value)) return "array";
  return typeof value;
}
