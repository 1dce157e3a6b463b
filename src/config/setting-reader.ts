// Reads settings by the types of their keys, turns durations into milliseconds, and collects what is wrong with them.
import { assert } from "../util/assert.ts";
import { formatDuration, nsPerMs, parseDuration } from "../util/duration.ts";
import { type IpNetwork, parseCidr } from "../util/ip-address.ts";
import { quote } from "../util/quote.ts";
import { userMap } from "../util/user-map.ts";
import type { UserMap } from "../types/records.ts";
import type { RawObject } from "./raw-value.ts";
import type { KeyType } from "./schema.ts";
import { keySpec, type Settings, type SettingValue } from "./settings.ts";

export class SettingReader {
  readonly settings: Settings;
  /** What is wrong, in the order it was met; who reads adds to it. */
  readonly errors: string[];

  constructor(settings: Settings, errors: string[]) {
    this.settings = settings;
    this.errors = errors;
  }

  /** True when the key has a value, a default included. */
  has(path: string): boolean {
    return this.settings.has(path);
  }

  #read(path: string, ...types: KeyType[]): SettingValue | undefined {
    assert(types.includes(keySpec(path).type), `${path} is not of type ${types.join(" or ")}`);
    return this.settings.get(path);
  }

  bool(path: string, fallback: boolean = false): boolean {
    return (this.#read(path, "bool") as boolean | undefined) ?? fallback;
  }

  string(path: string): string {
    return (this.#read(path, "string") as string | undefined) ?? "";
  }

  number(path: string, fallback: number = 0): number {
    return (this.#read(path, "int", "float") as number | undefined) ?? fallback;
  }

  strings(path: string): string[] {
    return [...((this.#read(path, "strings") as readonly string[] | undefined) ?? [])];
  }

  objects(path: string): readonly RawObject[] {
    return (this.#read(path, "any-maps", "services", "checks") as readonly RawObject[] | undefined) ?? [];
  }

  stringMap(path: string): UserMap {
    const map = this.#read(path, "string-map") as RawObject | undefined;
    return Object.assign(userMap<string>(), map);
  }

  /** Milliseconds, at least `minMs`; `fallbackMs` when the key has no value. */
  durationMs(path: string, fallbackMs: number = 0, minMs: number | null = null): number {
    const value = this.#read(path, "duration") as string | number | undefined;
    const ms = value === undefined ? fallbackMs : this.parseMs(path, value);
    if (minMs !== null && ms < minMs) {
      const [given, least] = [ms, minMs].map((each) => formatDuration(each * nsPerMs));
      this.errors.push(`${path}: duration '${given}' cannot be less than: ${least}`);
    }
    return ms;
  }

  /** Milliseconds of a duration as a file has it; `path` is for the message. */
  parseMs(path: string, value: string | number): number {
    try {
      return (typeof value === "number" ? value : parseDuration(value)) / nsPerMs;
    } catch (error) {
      this.errors.push(`${path}: invalid duration: ${quote(String(value))}: ${(error as Error).message}`);
      return 0;
    }
  }

  /** A port; -1, which means off, for one that is not set or not above 0. */
  port(path: string): number {
    const port = this.number(path, -1);
    if (port > 65_535) this.errors.push(`${path}: invalid port: ${port}`);
    return port > 0 ? port : -1;
  }

  /** A rate; negative means no limit. */
  rate(path: string, fallback: number = -1): number {
    const rate = this.number(path, fallback);
    return rate < 0 ? Number.POSITIVE_INFINITY : rate;
  }

  cidrs(path: string): IpNetwork[] {
    const found: IpNetwork[] = [];
    for (const text of this.strings(path)) {
      const network = parseCidr(text.trim());
      if (network === null) this.errors.push(`${path}: invalid cidr: ${text}`);
      else found.push(network);
    }
    return found;
  }
}
