// Taking over versions of keys from another datacenter: as they are for a copy, by their stamps where several datacenters
// write. Locks are never carried: a key that a session holds here stays locked.

import type { Federation, KVRule, ReplicationLink } from "../types/records.ts";
import type { KVReplicate, KVReplicated, KVVersion } from "./command.ts";
import { sameBytes } from "./equal.ts";
import { linkKey } from "./federation.ts";
import { kvDelete, kvSet } from "./kv.ts";
import { beats, hasSeen, mergeSeen, type Version, versionOf, writeStamp } from "./stamp.ts";
import type { Transaction } from "./transaction.ts";

/** How many of the keys that were in conflict are named. */
const CONFLICT_KEYS_MAX = 16;

/** The rule of a link, null when there is none any more. */
function ruleOf(federation: Federation | null, link: string): KVRule | null {
  return federation?.Rules.find((rule) => linkKey(rule) === link) ?? null;
}

/** Takes over what the command says and notes where the link is now; false when it was elsewhere already. */
export function kvReplicate(tx: Transaction, command: KVReplicate): KVReplicated | false {
  const rule = ruleOf(tx.tables.federation.record, command.link);
  const before = tx.tables.links.records.get(command.link) ?? null;
  if (rule === null || (before?.ModifyIndex ?? 0) !== command.on) return false;
  const result: KVReplicated = { Written: 0, Deleted: 0, Conflicts: 0, ConflictKeys: [] };
  for (const version of command.versions) {
    if (rule.Mode === "one-way") take(tx, version, result);
    else resolve(tx, version, result);
  }
  const after: ReplicationLink = {
    ...command.position,
    Link: command.link,
    LocalIndex: tx.index,
    Written: (before?.Written ?? 0) + result.Written,
    Deleted: (before?.Deleted ?? 0) + result.Deleted,
    Conflicts: (before?.Conflicts ?? 0) + result.Conflicts,
    CreateIndex: before?.CreateIndex ?? tx.index,
    ModifyIndex: tx.index,
  };
  tx.write({ table: "links", key: command.link, before, after });
  return result;
}

function take(tx: Transaction, { Key, Value, Flags }: KVVersion, result: KVReplicated): void {
  const changes = tx.changes.length;
  if (Value === null) kvDelete(tx, Key);
  else kvSet(tx, Key, Value, Flags);
  if (tx.changes.length === changes) return;
  if (Value === null) result.Deleted += 1;
  else result.Written += 1;
}

/** Keeps one of two versions, the same one wherever both are known. */
function resolve(tx: Transaction, incoming: KVVersion, result: KVReplicated): void {
  const { Key, Value, Ms, Origin } = incoming;
  const version: Version = { Ms, Origin, Seen: incoming.Seen ?? mergeSeen({}, {}) };
  const local = versionOf(tx.tables, Key);
  if (local === null) {
    take(tx, incoming, result);
    writeStamp(tx, Key, version, Value === null);
    return;
  }
  if (hasSeen(local, version)) return;
  const merged: Version = { ...version, Seen: mergeSeen(local.Seen, version.Seen) };
  const isConflict = !hasSeen(version, local);
  if (isConflict && !isSaid(tx, incoming)) {
    result.Conflicts += 1;
    if (result.ConflictKeys.length < CONFLICT_KEYS_MAX) result.ConflictKeys.push(Key);
  }
  if (isConflict && beats(local, version)) {
    keep(tx, Key, { ...local, Seen: merged.Seen });
    return;
  }
  take(tx, incoming, result);
  writeStamp(tx, Key, merged, Value === null);
}

/** True when that is what is there already, whoever wrote it. */
function isSaid(tx: Transaction, { Key, Value, Flags }: KVVersion): boolean {
  const entry = tx.tables.kv.entries.get(Key);
  if (entry === undefined || Value === null) return entry === undefined && Value === null;
  return entry.Flags === Flags && sameBytes(entry.Value, Value);
}

/** What is here stays, and knows of the other version from now on: that is nobody's news, so its index stays too. */
function keep(tx: Transaction, key: string, { Ms, Origin, Seen }: Version): void {
  const before = tx.tables.stamps.records.get(key) ?? null;
  const entry = tx.tables.kv.entries.get(key);
  const Index = before?.Index ?? entry?.ModifyIndex ?? tx.index;
  tx.write({
    table: "stamps",
    key,
    before,
    after: { Key: key, Ms, Origin, Seen, Index, Deleted: entry === undefined },
  });
}

/** Forgets deletions before `beforeMs`; gives how many. */
export function kvForget(tx: Transaction, beforeMs: number): number {
  const { federation, stamps } = tx.tables;
  const before = federation.record;
  if (before === null) return 0;
  let greatest = before.ForgottenIndex;
  const gone: string[] = [];
  stamps.records.visitAbove(null, null, 0, ({ Ms, Index }, key) => {
    if (Ms >= beforeMs) return;
    gone.push(key);
    greatest = Math.max(greatest, Index);
  });
  for (const key of gone) {
    const stamp = stamps.records.get(key)!;
    tx.write({ table: "stamps", key, before: stamp, after: null });
  }
  if (greatest > before.ForgottenIndex)
    tx.write({
      table: "federation",
      key: "",
      before,
      after: { ...before, ForgottenIndex: greatest, ModifyIndex: tx.index },
    });
  return gone.length;
}
