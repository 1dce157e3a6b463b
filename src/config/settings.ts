// Settings: what a file, the flags or the defaults say, as one flat map from dotted path to value, checked against the
// table of keys. Flat, because then merging, reading and comparing need no recursion.
import { quote } from "../util/quote.ts";
import { assert } from "../util/assert.ts";
import {
  BlockList,
  blocksOf,
  isRawObject,
  plainObject,
  type RawDocument,
  type RawObject,
  type RawValue,
  soleBlock,
} from "./raw-value.ts";
import { configBlocks, configKeys, type KeySpec } from "./schema.ts";

/** A value of a key; lists and objects are never changed once they are in a map. */
export type SettingValue = boolean | number | string | readonly string[] | readonly RawObject[] | RawObject;
export type Settings = Map<string, SettingValue>;

/** Settings of one source, or what is wrong with it: a line for each fault, naming the key and its place. */
export type SettingsResult = { settings: Settings } | { errors: string[] };

/** Checks names and types of all keys of a parsed source. Names match whatever their case, as in Consul. */
export function settingsOf(document: RawDocument): SettingsResult {
  const settings: Settings = new Map();
  const errors: string[] = [];
  walk(document, document.root, "", settings, errors);
  return errors.length > 0 ? { errors } : { settings };
}

function walk(document: RawDocument, object: RawObject, prefix: string, settings: Settings, errors: string[]): void {
  for (const [key, value] of Object.entries(object)) {
    const path = prefix + key.toLowerCase();
    const spec = configKeys.get(path);
    const position = document.positions.get(object)?.get(key);
    const place = position === undefined ? "" : ` (line ${position.line}, column ${position.column})`;
    if (spec === undefined && !configBlocks.has(path)) {
      errors.push(`invalid config key ${prefix}${key}${place}`);
    } else if (value === null) {
      // JSON's null is the same as leaving the key out.
    } else if (spec === undefined) {
      const block = soleBlock(value);
      if (block !== null) walk(document, block, `${path}.`, settings, errors);
      else errors.push(`'${path}' expected one block, got ${describe(value)}${place}`);
    } else {
      const setting = settingValue(spec, value);
      if (setting === undefined) errors.push(`'${path}' expected ${wanted[spec.type]}, got ${describe(value)}${place}`);
      else settings.set(path, setting);
    }
  }
}

const wanted: Readonly<Record<KeySpec["type"], string>> = {
  bool: "true or false",
  int: "an integer",
  float: "a number",
  string: "a string",
  duration: 'a duration such as "10s"',
  strings: "a list of strings",
  "string-map": "one block of strings",
  "any-map": "one block",
  "any-maps": "a list of blocks",
  service: "one block",
  services: "a list of blocks",
  check: "one block",
  checks: "a list of blocks",
};

/** The value as its type has it; undefined when it does not fit. */
function settingValue(spec: KeySpec, value: RawValue): SettingValue | undefined {
  switch (spec.type) {
    case "bool":
      return typeof value === "boolean" ? value : undefined;
    case "int":
      return Number.isSafeInteger(value) ? (value as number) : undefined;
    case "float":
      return typeof value === "number" ? value : undefined;
    case "string":
      return typeof value === "string" ? value : undefined;
    case "duration":
      return typeof value === "string" || Number.isSafeInteger(value) ? (value as string | number) : undefined;
    case "strings": {
      const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
      return isList ? (value as readonly string[]) : undefined;
    }
    case "string-map": {
      const block = soleBlock(value);
      if (block === null || !Object.values(block).every((item) => typeof item === "string")) return undefined;
      return block;
    }
    case "any-map":
    case "service":
    case "check": {
      const block = soleBlock(value);
      return block === null ? undefined : plainObject(block);
    }
    default:
      return blocksOf(value)?.map(plainObject);
  }
}

function describe(value: RawValue): string {
  if (typeof value === "string") return `the string ${quote(value)}`;
  if (value instanceof BlockList) return value.items.length === 1 ? "a block" : `${value.items.length} blocks`;
  if (Array.isArray(value)) return "a list";
  if (isRawObject(value)) return "an object";
  return String(value);
}

/**
 * Layers in the order of precedence, the lowest first. As in Consul, a later plain value replaces an earlier one, lists
 * are appended, maps are laid over each other key by key.
 */
export function mergeSettings(layers: readonly Settings[]): Settings {
  const merged: Settings = new Map();
  for (const layer of layers) {
    for (const [path, value] of layer) {
      const present = merged.get(path);
      merged.set(path, present === undefined ? value : mergeValue(path, present, value));
    }
  }
  return merged;
}

function mergeValue(path: string, earlier: SettingValue, later: SettingValue): SettingValue {
  switch (configKeys.get(path)?.type) {
    case "strings":
      return [...(earlier as readonly string[]), ...(later as readonly string[])];
    case "services":
    case "checks":
    case "any-maps":
      return [...(earlier as readonly RawObject[]), ...(later as readonly RawObject[])];
    case "string-map":
    case "any-map":
      return Object.assign(Object.create(null) as RawObject, earlier, later);
    default:
      return later;
  }
}

/** The defaults, or with `dev` those of `-dev`. */
export function defaultSettings(dev: boolean): Settings {
  const settings: Settings = new Map();
  for (const spec of configKeys.values()) {
    const value = dev && spec.dev !== undefined ? spec.dev : spec.default;
    if (value !== undefined) settings.set(spec.path, value);
  }
  return settings;
}

/** The table's row of a key. It is a bug to ask for one that is not there. */
export function keySpec(path: string): KeySpec {
  const spec = configKeys.get(path);
  assert(spec !== undefined, `no config key ${path}`);
  return spec;
}
