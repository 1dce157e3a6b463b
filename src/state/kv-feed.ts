// The keys under a prefix as another datacenter follows them: all of them in the order of their names, a part at a time, or
// what changed since an index, deletions among it, in the order of the changes. Read from the records' own indexes and the tombstones:
// there is no log to keep. Once tombstones that somebody has not seen are reaped, the answer says so.

import type { KVEntry, KVStamp } from "../types/records.ts";
import type { KVVersion } from "./command.ts";
import { linkKey } from "./federation.ts";
import { prefixEnd } from "./key.ts";
import { isStamped, versionOf } from "./stamp.ts";
import type { Tables } from "./tables.ts";

/** How much one answer may hold. One version is in it, however large. */
export interface FeedLimits {
  versionsMax: number;
  bytesMax: number;
}

/** Asks for what changed after (`index`, `after`); with `after` "" everything up to `index` is known. */
export interface ChangesArgs extends FeedLimits {
  prefix: string;
  index: number;
  /** The last key that is known of those that changed at `index` itself. */
  after: string;
}

/** Asks for the keys after `after`, "" for the first ones. */
export interface RangeArgs extends FeedLimits {
  prefix: string;
  after: string;
}

/** One answer: a part of the keys, or of the changes. */
export interface Feed {
  /** Names the history: with another one nothing that was read before counts. */
  Identity: string;
  /** The datacenters that these keys are taken over from here. */
  Via: string[];
  /** The keys carry stamps: a two-way rule covers them here too. */
  Stamped: boolean;
  Versions: KVVersion[];
  /** Where to go on: see `ChangesArgs` and `RangeArgs`. */
  Index: number;
  After: string;
  /** There is more already. */
  More: boolean;
  /** False when deletions since then were forgotten, or so much has changed that all keys tell it sooner. */
  Known: boolean;
}

/** Of a prefix the part of the answers that does not depend on where somebody is. */
function header(tables: Tables, prefix: string): Pick<Feed, "Identity" | "Via" | "Stamped"> {
  const { record, twoWay } = tables.federation;
  const stampedBy = twoWay.find((rule) => prefix.startsWith(rule.Prefix));
  const via = new Set<string>();
  for (const rule of record?.Rules ?? []) {
    if (!rule.ToPrefix.startsWith(prefix) && !prefix.startsWith(rule.ToPrefix)) continue;
    via.add(rule.From);
    for (const datacenter of tables.links.records.get(linkKey(rule))?.Via ?? []) via.add(datacenter);
  }
  return {
    Identity: [record?.StoreID ?? "", record?.RestoredIndex ?? 0, stampedBy?.Since ?? 0].join("."),
    Via: [...via].sort(),
    Stamped: stampedBy !== undefined,
  };
}

/** Whoever is so many changes behind reads all keys by name: each answer by index looks at all changes since. */
const FAR = 32_768;

/** A change under way to the answer. */
interface Found {
  index: number;
  key: string;
}

const inOrder = (a: Found, b: Found): number => a.index - b.index || (a.key < b.key ? -1 : 1);

/** What changed since. */
export function changesSince(tables: Tables, args: ChangesArgs, lastIndex: number): Feed {
  const { prefix, index, after } = args;
  const head = header(tables, prefix);
  const floor = head.Stamped ? (tables.federation.record?.ForgottenIndex ?? 0) : tables.floor.index;
  const found = new Earliest(args.versionsMax + 1);
  const [from, to] = [prefix === "" ? null : prefix, prefixEnd(prefix)];
  const above = after === "" ? index : index - 1;
  const note = (at: number, key: string): void => {
    if (at > index || key > after) found.add({ index: at, key });
  };
  tables.kv.entries.visitAbove(from, to, above, ({ ModifyIndex }, key) => note(ModifyIndex, key));
  if (head.Stamped) tables.stamps.records.visitAbove(from, to, above, ({ Index }, key) => note(Index, key));
  else tables.kv.tombstones.visitAbove(from, to, above, note);
  const all = found.sorted();
  const Versions = cut(args, all, ({ key }) => version(tables, key));
  const last = all[Versions.length - 1];
  const More = Versions.length < all.length;
  return {
    ...head,
    Versions,
    Index: More && last !== undefined ? last.index : lastIndex,
    After: More && last !== undefined ? last.key : "",
    More,
    Known: index >= floor && found.count <= FAR,
  };
}

/** The next keys in order, and with stamps the deleted ones among them. */
export function rangeAfter(tables: Tables, args: RangeArgs, lastIndex: number): Feed {
  const { prefix, after } = args;
  const head = header(tables, prefix);
  const from = after === "" ? prefix : after + "\u0000";
  const to = prefixEnd(prefix);
  const keys: string[] = [];
  const limit = args.versionsMax + 1;
  const gather = (_: KVEntry | KVStamp, key: string): boolean => keys.push(key) < limit;
  tables.kv.entries.visit(from, to, gather);
  if (head.Stamped) {
    const present = keys.splice(0);
    tables.stamps.records.visitAbove(from, to, 0, gather);
    keys.push(...present);
    keys.sort((a, b) => (a < b ? -1 : 1));
    keys.splice(limit);
  }
  const Versions = cut(args, keys, (key) => version(tables, key));
  const More = Versions.length < keys.length;
  return { ...head, Versions, Index: lastIndex, After: More ? Versions.at(-1)!.Key : "", More, Known: true };
}

/** The first of them that an answer may hold. */
function cut<T>(limits: FeedLimits, all: readonly T[], make: (one: T) => KVVersion): KVVersion[] {
  const versions: KVVersion[] = [];
  let bytes = 0;
  for (const one of all) {
    const made = make(one);
    bytes += made.Key.length + (made.Value?.length ?? 0);
    if (versions.length > 0 && (bytes > limits.bytesMax || versions.length === limits.versionsMax)) break;
    versions.push(made);
  }
  return versions;
}

/** What is under the key now. */
function version(tables: Tables, key: string): KVVersion {
  const entry = tables.kv.entries.get(key);
  const stamp = isStamped(tables, key) ? versionOf(tables, key) : null;
  return {
    Key: key,
    Value: entry?.Value ?? null,
    Flags: entry?.Flags ?? 0,
    Ms: stamp?.Ms ?? 0,
    Origin: stamp?.Origin ?? "",
    Seen: stamp?.Seen ?? null,
  };
}

/** The first few of many, without keeping the many. */
class Earliest {
  readonly #limit: number;
  #kept: Found[] = [];
  /** Nothing above this can be among the first ones. */
  #bound = Number.POSITIVE_INFINITY;
  /** How many there were. */
  count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(found: Found): void {
    this.count += 1;
    if (found.index > this.#bound) return;
    this.#kept.push(found);
    if (this.#kept.length < 4 * this.#limit) return;
    this.#kept = this.sorted();
    this.#bound = this.#kept.at(-1)!.index;
  }

  sorted(): Found[] {
    return this.#kept.sort(inOrder).slice(0, this.#limit);
  }
}
