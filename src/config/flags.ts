// Command-line flags by the conventions of Go's `flag` package (https://pkg.go.dev/flag), which every `consul` command
// follows: `-x` is `--x`, a value follows after `=` or as the next word, a boolean needs none, the first word that is no
// flag ends them, and so does `--`.
import { quote } from "../util/quote.ts";
import { parseDuration } from "../util/duration.ts";

/**
 * How a flag's words are read. `strings` and `string-map` may be given repeatedly and add up; of the others the last
 * counts. `uint` is exact up to 2^64, a duration is a number of nanoseconds.
 */
export type FlagType = "bool" | "string" | "int" | "uint" | "float" | "duration" | "strings" | "string-map";

/** One declared flag. */
export interface FlagSpec {
  name: string;
  type: FlagType;
  /** One or two sentences for the help. */
  usage: string;
  /** The heading it stands under in the help; "Command Options" when absent. */
  group?: string;
  /** What the value is called in the help; "value" when absent. */
  placeholder?: string;
  /** The flag of the same type whose value this one sets: for old names, and for two names of one list. */
  sameAs?: string;
  /** Between key and value of a `string-map`. With ":" a missing value is empty; with "=", the default, it is an error. */
  separator?: ":" | "=";
}

export type FlagValue = boolean | string | number | bigint | readonly string[] | ReadonlyMap<string, string>;

/** What was given. The getters give the fallback for a flag that was not. */
export class FlagValues {
  readonly #values: ReadonlyMap<string, FlagValue>;
  /** The words after the flags. */
  readonly args: readonly string[];

  constructor(values: ReadonlyMap<string, FlagValue>, args: readonly string[]) {
    this.#values = values;
    this.args = args;
  }

  /** True when the flag was given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value as parsed; undefined when the flag was not given. */
  get(name: string): FlagValue | undefined {
    return this.#values.get(name);
  }

  bool(name: string, fallback: boolean = false): boolean {
    const value = this.#values.get(name);
    return typeof value === "boolean" ? value : fallback;
  }

  string(name: string, fallback: string = ""): string {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : fallback;
  }

  /** An `int`, a `float`, or a `duration` in nanoseconds. */
  number(name: string, fallback: number = 0): number {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : fallback;
  }

  /** A `uint`: a bigint once it passes 2^53. */
  uint(name: string, fallback: number | bigint = 0): number | bigint {
    const value = this.#values.get(name);
    return typeof value === "number" || typeof value === "bigint" ? value : fallback;
  }

  /** All values of a repeated flag, in order. */
  strings(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? (value as readonly string[]) : [];
  }

  map(name: string): ReadonlyMap<string, string> {
    const value = this.#values.get(name);
    return value instanceof Map ? value : new Map();
  }
}

/** Either the flags, or why they cannot be used. `help` is true when help was asked for: `-h`, `-help` or `--help`. */
export type FlagsResult = { flags: FlagValues } | { error: string; help: boolean };

/** Reads the words of a command after its name. The errors have Go's texts. */
export function parseFlags(specs: readonly FlagSpec[], words: readonly string[]): FlagsResult {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const values = new Map<string, FlagValue>();
  let at = 0;
  while (at < words.length) {
    const word = words[at] as string;
    if (word.length < 2 || word[0] !== "-") break;
    at += 1;
    if (word === "--") break;
    const body = word.slice(word[1] === "-" ? 2 : 1);
    if (body === "" || body[0] === "-" || body[0] === "=") return failed(`bad flag syntax: ${word}`);
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals);
    const spec = byName.get(name);
    if (spec === undefined) {
      if (name === "help" || name === "h") return { error: "flag: help requested", help: true };
      return failed(`flag provided but not defined: -${name}`);
    }
    let text = equals < 0 ? undefined : body.slice(equals + 1);
    if (text === undefined && spec.type === "bool") text = "true";
    if (text === undefined) {
      text = words[at];
      at += 1;
      if (text === undefined) return failed(`flag needs an argument: -${name}`);
    }
    const reason = addValue(values, spec, text);
    if (reason !== null) {
      const shown = spec.type === "bool" ? "boolean value" : "value";
      const flag = spec.type === "bool" ? `-${name}` : `flag -${name}`;
      return failed(`invalid ${shown} ${quote(text)} for ${flag}: ${reason}`);
    }
  }
  return { flags: new FlagValues(values, words.slice(at)) };
}

function failed(error: string): FlagsResult {
  return { error, help: false };
}

/** Reads one value into `values`; the reason when it cannot. */
function addValue(values: Map<string, FlagValue>, spec: FlagSpec, text: string): string | null {
  const name = spec.sameAs ?? spec.name;
  const present = values.get(name);
  switch (spec.type) {
    case "string":
      values.set(name, text);
      return null;
    case "strings":
      values.set(name, [...((present as readonly string[] | undefined) ?? []), text]);
      return null;
    case "string-map": {
      const separator = spec.separator ?? "=";
      const at = text.indexOf(separator);
      if (at < 0 && separator === "=") return `Missing "=" value in argument: ${text}`;
      const pair = at < 0 ? ([text, ""] as const) : ([text.slice(0, at), text.slice(at + 1)] as const);
      values.set(name, new Map([...((present as ReadonlyMap<string, string> | undefined) ?? []), pair]));
      return null;
    }
    case "duration":
      try {
        values.set(name, parseDuration(text));
        return null;
      } catch (error) {
        return (error as Error).message;
      }
    default: {
      const value = spec.type === "bool" ? parseBool(text) : parseNumber(spec.type, text);
      if (value === null) return "parse error";
      values.set(name, value);
      return null;
    }
  }
}

/** A boolean in the forms that Go's `strconv.ParseBool` takes, else null. */
export function parseBool(text: string): boolean | null {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  return null;
}

function parseNumber(type: "int" | "uint" | "float", text: string): number | bigint | null {
  if (type === "float") return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : null;
  const form = type === "int" ? /^[+-]?(\d+|0[xX][0-9a-fA-F]+)$/ : /^(\d+|0[xX][0-9a-fA-F]+)$/;
  if (!form.test(text)) return null;
  const size = BigInt(text.replace(/^[+-]/, ""));
  if (size >= 2n ** 64n || (type === "int" && size > BigInt(Number.MAX_SAFE_INTEGER))) return null;
  const exact = Number.isSafeInteger(Number(size)) ? Number(size) : size;
  return text.startsWith("-") ? -exact : exact;
}

const lineWidthMax = 72;
const indent = "     ";

/**
 * The help of a command: its own text, then the flags by group, each group and flag in the order of their names.
 * The text ends without a newline.
 */
export function usageText(header: string, specs: readonly FlagSpec[]): string {
  const groups = new Map<string, FlagSpec[]>();
  for (const spec of specs) {
    const group = spec.group ?? "Command Options";
    groups.set(group, [...(groups.get(group) ?? []), spec]);
  }
  // The options of a command itself come last, after those that it shares with others.
  const titles = [...groups.keys()].sort((a, b) => Number(a === "Command Options") - Number(b === "Command Options"));
  let help = header.trim();
  for (const title of titles) {
    help += `\n\n${title}`;
    for (const spec of (groups.get(title) as FlagSpec[]).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const value = spec.type === "bool" ? "" : `=<${spec.placeholder ?? "value"}>`;
      help += `\n\n  -${spec.name}${value}\n${wrap(spec.usage)}`;
    }
  }
  return help;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent.length + line.length + 1 + word.length > lineWidthMax) {
      lines.push(indent + line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  lines.push(indent + line);
  return lines.join("\n");
}
