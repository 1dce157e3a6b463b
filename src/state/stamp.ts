// Stamps of keys that several datacenters write: who wrote this version, when, and which versions it has taken into account.
// A hybrid clock (Kulkarni et al. 2014) orders versions, above every version that they replace; a version vector
// (Parker et al. 1983) says which writes knew nothing of each other. Versions are never changed, so whoever has seen the same ones
// keeps the same one: the greatest by (Ms, Origin).
// A key without a record was not written since its rule began: its stamp follows from its ModifyIndex, below every clock.

import type { KVEntry, KVStamp, UserMap } from "../types/records.ts";
import { toUserMap } from "../util/user-map.ts";
import { sameBytes } from "./equal.ts";
import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Tables } from "./tables.ts";
import type { Transaction } from "./transaction.ts";

/** What orders two versions and says whether one knew the other. */
export type Version = Pick<KVStamp, "Ms" | "Origin" | "Seen">;

/** Stamps by key; of deleted keys the index of their deletion is the weight. */
export class StampTable {
  readonly records: OrderedMap<KVStamp> = createOrderedMap<KVStamp>(({ Deleted, Index }) => (Deleted ? Index : 0));

  write(key: string, before: KVStamp | null, after: KVStamp | null): void {
    if (after !== null) this.records.set(key, after);
    else if (before !== null) this.records.delete(key);
  }
}

/** True when datacenters besides this one write the key. */
export function isStamped(tables: Tables, key: string): boolean {
  return tables.federation.twoWay.some(({ Prefix }) => key.startsWith(Prefix));
}

/** The stamp of an entry that has no record. */
function derived(datacenter: string, { ModifyIndex }: KVEntry): Version {
  return { Ms: ModifyIndex, Origin: datacenter, Seen: toUserMap([[datacenter, ModifyIndex]]) };
}

/** The stamp of what is there under a key, or of its deletion; null when nothing is known of the key. */
export function versionOf(tables: Tables, key: string): Version | null {
  const stamp = tables.stamps.records.get(key);
  if (stamp !== undefined) return stamp;
  const entry = tables.kv.entries.get(key);
  return entry === undefined ? null : derived(tables.federation.record?.Datacenter ?? "", entry);
}

/** True when `version` has taken `other` into account, or is it. */
export function hasSeen(version: Version, other: Version): boolean {
  return (version.Seen[other.Origin] ?? 0) >= other.Ms;
}

/** True when of two versions that knew nothing of each other this one stays: the later, and of the same time that of the greater name. */
export function beats(version: Version, other: Version): boolean {
  if (version.Ms !== other.Ms) return version.Ms > other.Ms;
  return version.Origin > other.Origin;
}

/** Everything that either has taken into account. */
export function mergeSeen(a: UserMap<number>, b: UserMap<number>): UserMap<number> {
  const merged = toUserMap(Object.entries(a));
  for (const [datacenter, ms] of Object.entries(b)) merged[datacenter] = Math.max(merged[datacenter] ?? 0, ms);
  return merged;
}

/** Writes the stamp of a version that is here from this index on. */
export function writeStamp(tx: Transaction, key: string, version: Version, isDeleted: boolean): void {
  const { Ms, Origin, Seen } = version;
  const before = tx.tables.stamps.records.get(key) ?? null;
  const after: KVStamp = { Key: key, Ms, Origin, Seen, Index: tx.index, Deleted: isDeleted };
  tx.write({ table: "stamps", key, before, after });
}

/** Stamps what a command of this datacenter wrote under the prefixes of two-way rules. */
export function stampWrites(tx: Transaction, atMs: number): void {
  const { tables } = tx;
  /** What was there before the command, by key. */
  const written = new Map<string, KVEntry | null>();
  for (const change of tx.changes)
    if (change.table === "kv" && !written.has(change.key) && isStamped(tables, change.key))
      written.set(change.key, change.before);
  const datacenter = tables.federation.record?.Datacenter ?? "";
  for (const [key, before] of written) {
    const after = tables.kv.entries.get(key) ?? null;
    const base = tables.stamps.records.get(key) ?? (before === null ? null : derived(datacenter, before));
    if (isSame(before, after)) {
      // Only a lock changed: the version stays what it was, whatever its index is now.
      if (base !== null && !tables.stamps.records.has(key)) writeStamp(tx, key, base, after === null);
      continue;
    }
    const Ms = Math.max(atMs, base === null ? 1 : base.Ms + 1);
    const Seen = mergeSeen(base?.Seen ?? toUserMap<number>([]), toUserMap([[datacenter, Ms]]));
    writeStamp(tx, key, { Ms, Origin: datacenter, Seen }, after === null);
  }
}

function isSame(a: KVEntry | null, b: KVEntry | null): boolean {
  if (a === null || b === null) return a === b;
  return a.Flags === b.Flags && sameBytes(a.Value, b.Value);
}
