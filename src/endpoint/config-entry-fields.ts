// What the fields of configuration entries may hold, and how they are read and shown. Users write them in JSON or HCL, in
// CamelCase or snake_case, numbers as texts, one object where a list is meant; what is kept is one form: Consul's names,
// without the fields that Consul leaves out when they are zero.
//
//   struct({ Mode: text, Paths: list(struct({ Path: text, ListenerPort: whole })), Meta: map(text) })
import { parseBool } from "../config/flags.ts";
import type { UserMap } from "../types/records.ts";
import { formatDuration, parseDuration } from "../util/duration.ts";
import { quote } from "../util/quote.ts";
import { userMap } from "../util/user-map.ts";

/** A kind of value. */
export interface Field {
  /**
   * The value as it is kept; `path` is dotted, and unknown keys below it are added to `unknown`.
   * @throws Error that names the path, when the value is of another type.
   */
  read(value: unknown, path: string, unknown: string[]): unknown;
  /** What stands for an absent field, when it is shown at all. */
  zero(): unknown;
  /** True for what Go leaves out under `omitempty`. */
  isZero(value: unknown): boolean;
  /** True: shown even when it is zero. */
  readonly shown: boolean;
  /** Other names that users know it by. */
  readonly aliases: readonly string[];
}

/** The fields of an object, by Consul's names, in the order in which they are shown. */
export type Fields = Readonly<Record<string, Field>>;

const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null;

function wrongType(value: unknown, path: string, expected: string): Error {
  const got = Array.isArray(value) ? "list" : typeof value === "object" ? "map" : typeof value;
  return new Error(`1 error(s) decoding:\n\n* '${path}' expected type '${expected}', got unconvertible type '${got}'`);
}

function scalar<T extends string | number | bigint | boolean>(
  zero: T,
  expected: string,
  convert: (value: string | number | bigint | boolean) => T | null,
): Field {
  return {
    read(value, path) {
      if (isAbsent(value)) return zero;
      const sole = soleItem(value);
      const read = typeof sole === "object" ? null : convert(sole as string | number | bigint | boolean);
      if (read === null) throw wrongType(value, path, expected);
      return read;
    },
    zero: () => zero,
    isZero: (value) => value === zero,
    shown: false,
    aliases: [],
  };
}

function isEmptyMap(value: unknown): boolean {
  return value === null || (isObject(value) && Object.keys(value).length === 0);
}

/** In HCL what is written once may come as a list of one. */
const soleItem = (value: unknown): unknown =>
  Array.isArray(value) && value.length === 1 ? (value[0] as unknown) : value;

export const text: Field = scalar("", "string", (value) =>
  typeof value === "boolean" ? (value ? "1" : "0") : String(value),
);

/** The same, in lower case. */
export const lowerText: Field = scalar("", "string", (value) => String(value).toLowerCase());

export const flag: Field = scalar(false, "bool", (value) => {
  if (typeof value === "string") return value === "" ? false : parseBool(value);
  return Boolean(value);
});

function integer(min: number, max: number, expected: string): Field {
  return scalar(0, expected, (value) => {
    const number =
      typeof value === "string" && !/^\s*[+-]?\d*\s*$/.test(value) ? Number.NaN : Math.trunc(Number(value));
    return number >= min && number <= max ? number : null;
  });
}
export const whole: Field = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "int");
/** A number that cannot be negative. */
export const count: Field = integer(0, 2 ** 32 - 1, "uint32");

/** A number with a fraction. */
export const decimal: Field = scalar(0, "float32", (value) => {
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
});

function nanoseconds(value: string | number | bigint | boolean): number | null {
  if (typeof value === "boolean") return null;
  if (typeof value !== "string") return Number(value);
  if (value === "") return 0;
  try {
    return parseDuration(value);
  } catch {
    return null;
  }
}
/** A duration that is shown as nanoseconds. */
export const duration: Field = scalar(0, "time.Duration", nanoseconds);
/** A duration that is shown as a text such as "5s". */
export const durationText: Field = scalar("", "time.Duration", (value) => {
  const ns = nanoseconds(value);
  return ns === null ? null : ns === 0 ? "" : formatDuration(ns);
});

/** Whatever the user put there: the same data in maps that inherit nothing. */
export const opaque: Field = {
  read: (value) => (isAbsent(value) ? null : plain(value)),
  zero: () => null,
  isZero: isEmptyMap,
  shown: false,
  aliases: [],
};

function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const copy = userMap<unknown>();
  for (const [key, inner] of Object.entries(value)) copy[key] = plain(inner);
  return copy;
}

/** Also shown when it is zero. */
export const shown = (field: Field): Field => ({ ...field, shown: true });

/** With other names for it. */
export const alias = (field: Field, ...aliases: readonly string[]): Field => ({ ...field, aliases });

/** Null unless it is given, whatever is given. */
export const pointer = (field: Field): Field => ({
  ...field,
  read: (value, path, unknown) => (isAbsent(value) ? null : field.read(value, path, unknown)),
  zero: () => null,
  isZero: (value) => value === null,
});

export const list = (item: Field): Field => ({
  read(value, path, unknown) {
    if (isAbsent(value)) return null;
    const items = Array.isArray(value) ? (value as unknown[]) : [value];
    return items.map((each, at) => item.read(each, `${path}[${at}]`, unknown));
  },
  zero: () => null,
  isZero: (value) => value === null || (value as unknown[]).length === 0,
  shown: false,
  aliases: [],
});

export const texts: Field = list(text);

/** A map with keys of the user. */
export const map = (item: Field): Field => ({
  read(value, path, unknown) {
    if (isAbsent(value)) return null;
    const object = soleItem(value);
    if (!isObject(object)) throw wrongType(value, path, "map");
    const entries = userMap<unknown>();
    for (const [key, each] of Object.entries(object)) entries[key] = item.read(each, `${path}[${key}]`, unknown);
    return entries;
  },
  zero: () => null,
  isZero: isEmptyMap,
  shown: false,
  aliases: [],
});

/** An object that is always there, and may be empty. */
export function struct(fields: Fields): Field {
  const names = namesOf(fields);
  return {
    read(value, path, unknown) {
      const object = isAbsent(value) ? {} : soleItem(value);
      if (!isObject(object)) throw wrongType(value, path, "map");
      return readFields(fields, names, object, path, unknown);
    },
    zero: () => readFields(fields, names, {}, "", []),
    isZero: () => false,
    shown: true,
    aliases: [],
  };
}

/** An object that may be absent. */
export const optional = (fields: Fields): Field => ({ ...pointer(struct(fields)), shown: false });

const fold = (key: string): string => key.toLowerCase().replaceAll("_", "");

function namesOf(fields: Fields): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [name, field] of Object.entries(fields))
    for (const each of [name, ...field.aliases]) names.set(fold(each), name);
  return names;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A reader of a whole entry's fields; keys that are not fields are added to `unknown`. */
export function fieldReader(fields: Fields): (object: Record<string, unknown>, unknown: string[]) => UserMap<unknown> {
  const names = namesOf(fields);
  return (object, unknown) => readFields(fields, names, object, "", unknown);
}

function readFields(
  fields: Fields,
  names: ReadonlyMap<string, string>,
  object: Record<string, unknown>,
  path: string,
  unknown: string[],
): UserMap<unknown> {
  const given = new Map<string, unknown>();
  for (const key of Object.keys(object)) {
    const name = names.get(fold(key));
    if (name === undefined) unknown.push(within(path, key));
    else if (!isAbsent(object[key])) given.set(name, object[key]);
  }
  const read = userMap<unknown>();
  for (const [name, field] of Object.entries(fields)) {
    const value = given.has(name) ? field.read(given.get(name), within(path, name), unknown) : field.zero();
    if (field.shown || !field.isZero(value)) read[name] = value;
  }
  return read;
}

const within = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

/** Several faults in one text, as Go's multierror writes them. */
export function listed(faults: readonly string[]): string {
  const head = faults.length === 1 ? "1 error occurred:" : `${faults.length} errors occurred:`;
  return `${head}\n\t${faults.map((fault) => `* ${fault}`).join("\n\t")}\n\n`;
}

/** The fault of a key that no field has. */
export function unknownKey(path: string): string {
  const enterprise = path.toLowerCase().endsWith("namespace") ? ", namespaces are a consul enterprise feature" : "";
  return `invalid config key ${quote(path)}${enterprise}`;
}
