// Keys and values: the table, its tombstones, and the verbs that a command or a transaction applies.
// https://developer.hashicorp.com/consul/api-docs/kv. A write that changes nothing makes no change and keeps the index.

import type { KVEntry, Uint64 } from "../types/records.ts";
import type { LockSeen, Refusal } from "./command.ts";
import { sameBytes } from "./equal.ts";
import { GroupIndex, type Groups } from "./group-index.ts";
import { fold, prefixEnd } from "./key.ts";
import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Read } from "./read.ts";
import { StoredGroups, StoredQueue } from "./stored-indexes.ts";
import { StoredMap } from "./stored-map.ts";
import type { StateStorage } from "./stored-tables.ts";
import { ReapQueue } from "./tombstone.ts";
import type { Floor, Queue } from "./tombstone.ts";
import { kvPrefixTopic, kvTopic } from "./topic.ts";
import type { Transaction } from "./transaction.ts";

/** Entries, tombstones of deleted keys, and which keys a session holds. */
export class KVTable {
  readonly entries: OrderedMap<KVEntry>;
  readonly tombstones: OrderedMap<number>;
  readonly queue: Queue;
  readonly #bySession: Groups<string>;
  readonly #floor: Floor;

  constructor(floor: Floor, storage: StateStorage | null = null) {
    this.#floor = floor;
    const weight = (entry: KVEntry): number => entry.ModifyIndex;
    const itself = (index: number): number => index;
    this.entries = storage === null ? createOrderedMap(weight) : new StoredMap(storage, "kv", weight);
    this.tombstones = storage === null ? createOrderedMap(itself) : new StoredMap(storage, "tombstones", itself);
    this.queue = storage === null ? new ReapQueue() : new StoredQueue(storage, "tombstone-queue");
    this.#bySession = storage === null ? new GroupIndex() : new StoredGroups(storage, "kv-by-session");
  }

  /** Puts what a change says. */
  write(key: string, before: KVEntry | null, after: KVEntry | null): void {
    if (after === null) this.entries.delete(key);
    else this.entries.set(key, after);
    if (before?.Session === after?.Session) return;
    if (before?.Session !== undefined) this.#bySession.delete(before.Session, key);
    if (after?.Session !== undefined) this.#bySession.set(after.Session, key, key);
  }

  /** Keeps the tombstones right, once a change of the key at `index` is final. */
  settle(key: string, before: KVEntry | null, after: KVEntry | null, index: number): void {
    if (after === null) this.bury(key, index);
    else if (before === null) this.tombstones.delete(key);
  }

  bury(key: string, index: number): void {
    this.tombstones.set(key, index);
    this.queue.push(key, index);
  }

  /** Forgets the tombstones up to `index`; gives how many. */
  reap(index: number): number {
    let count = 0;
    this.queue.take(index, (key, at) => {
      if (this.tombstones.get(key) !== at) return;
      this.tombstones.delete(key);
      this.#floor.raise(at);
      count++;
    });
    return count;
  }

  /** The keys that a session holds, in order: the table's own list. */
  heldBy(session: string): readonly string[] {
    return this.#bySession.list(session);
  }

  /** The entry's ModifyIndex; of a missing key the index of its deletion, or the floor. */
  keyIndex(key: string): number {
    const entry = this.entries.get(key);
    if (entry !== undefined) return entry.ModifyIndex;
    return Math.max(1, this.tombstones.get(key) ?? this.#floor.index);
  }

  /** The same without the floor, 0 when there is nothing. */
  touched(prefix: string): number {
    const [from, to] = [prefix === "" ? null : prefix, prefixEnd(prefix)];
    return Math.max(this.entries.maxWeight(from, to), this.tombstones.maxWeight(from, to));
  }

  /** The index of the last change under the prefix: of what is there, of what was deleted there, or the floor. */
  prefixIndex(prefix: string): number {
    return Math.max(1, this.touched(prefix), this.#floor.index);
  }

  get(key: string): Read<KVEntry | null> {
    const topics = [kvTopic(key)];
    const entry = this.entries.get(key);
    if (entry !== undefined) return { value: entry, index: entry.ModifyIndex, topics };
    return { value: null, index: this.keyIndex(key), topics };
  }

  list(prefix: string): Read<readonly KVEntry[]> {
    const value: KVEntry[] = [];
    this.entries.visit(prefix, prefixEnd(prefix), (entry) => {
      value.push(entry);
    });
    return { value, index: this.prefixIndex(prefix), topics: [kvPrefixTopic(prefix)] };
  }

  keys(prefix: string, separator: string): Read<readonly string[]> {
    const value: string[] = [];
    const end = prefixEnd(prefix);
    if (separator === "") {
      this.entries.visitKeys(prefix, end, (key) => {
        value.push(key);
      });
    } else {
      this.#folders(prefix, end, separator, value);
    }
    return { value, index: this.prefixIndex(prefix), topics: [kvPrefixTopic(prefix)] };
  }

  /** Goes from one folder to the next by its end, so that what is inside costs nothing. */
  #folders(prefix: string, end: string | null, separator: string, into: string[]): void {
    let from: string | null = prefix;
    while (from !== null) {
      let next: string | null = null;
      this.entries.visitKeys(from, end, (key) => {
        const at = key.indexOf(separator, prefix.length);
        if (at < 0) {
          into.push(key);
          return true;
        }
        const folder = key.slice(0, at + separator.length);
        into.push(folder);
        next = prefixEnd(folder);
        return false;
      });
      from = next;
    }
  }
}

/** A refusal of a KV verb. */
function refuse(message: string): Refusal {
  return { code: "refused", message };
}

function makeEntry(
  key: string,
  value: Uint8Array,
  flags: Uint64,
  lockIndex: Uint64,
  session: string | undefined,
  createIndex: number,
  modifyIndex: number,
): KVEntry {
  const entry: KVEntry = {
    LockIndex: lockIndex,
    Key: key,
    Flags: flags,
    Value: value,
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  };
  if (session !== undefined) entry.Session = session;
  return entry;
}

/** Writes an entry, unless it is as it was; gives the entry that is there now. */
function put(
  tx: Transaction,
  before: KVEntry | null,
  key: string,
  value: Uint8Array,
  flags: Uint64,
  lockIndex: Uint64,
  session: string | undefined,
): KVEntry {
  if (
    before !== null &&
    before.Flags === flags &&
    before.LockIndex === lockIndex &&
    before.Session === session &&
    sameBytes(before.Value, value)
  ) {
    return before;
  }
  const after = makeEntry(key, value, flags, lockIndex, session, before?.CreateIndex ?? tx.index, tx.index);
  tx.write({ table: "kv", key, before, after });
  return after;
}

/** Sets a key, and leaves a lock on it as it is. Gives the entry. */
export function kvSet(tx: Transaction, key: string, value: Uint8Array, flags: Uint64): KVEntry {
  const before = tx.tables.kv.entries.get(key) ?? null;
  return put(tx, before, key, value, flags, before?.LockIndex ?? 0, before?.Session);
}

/** True when `index` lets a write through: the ModifyIndex of what is there, or 0 for nothing there. */
export function casMatches(existing: { ModifyIndex: number } | null | undefined, index: Uint64): boolean {
  return existing == null ? Number(index) === 0 : Number(index) !== 0 && index === existing.ModifyIndex;
}

/** Sets a key if its ModifyIndex is `index`, 0 meaning that there is none; null when it is not. */
export function kvCas(tx: Transaction, key: string, value: Uint8Array, flags: Uint64, index: Uint64): KVEntry | null {
  return casMatches(tx.tables.kv.entries.get(key), index) ? kvSet(tx, key, value, flags) : null;
}

/** Takes the lock for a session and sets the key; null when another session has it, or has just lost it. */
export function kvLock(
  tx: Transaction,
  key: string,
  value: Uint8Array,
  flags: Uint64,
  sessionId: string,
  seen?: LockSeen,
): KVEntry | null | Refusal {
  if (sessionId === "") return refuse("missing session");
  const session = tx.tables.sessions.get(sessionId);
  if (session === undefined) return refuse(`invalid session ${JSON.stringify(sessionId)}`);
  const before = tx.tables.kv.entries.get(key) ?? null;
  if (before?.Session !== undefined && before.Session !== session.ID) return null;
  const lockIndex = before?.LockIndex ?? 0;
  if (before?.Session === undefined && seen !== undefined && mayBeDelayed(tx, lockIndex, seen)) return null;
  const next = before?.Session === undefined ? increment(lockIndex) : lockIndex;
  return put(tx, before, key, value, flags, next, session.ID);
}

/** A lock that is free was taken, or its holder has ended, since somebody looked: its delay may run, and nobody has asked for it. */
function mayBeDelayed(tx: Transaction, lockIndex: Uint64, { lockIndex: seenIndex, holder }: LockSeen): boolean {
  return lockIndex > seenIndex || (holder !== undefined && tx.tables.sessions.get(holder) === undefined);
}

/** Gives the lock back and sets the key; null when the session does not hold it. */
export function kvUnlock(
  tx: Transaction,
  key: string,
  value: Uint8Array,
  flags: Uint64,
  sessionId: string,
): KVEntry | null | Refusal {
  if (sessionId === "") return refuse("missing session");
  const before = tx.tables.kv.entries.get(key) ?? null;
  if (before?.Session === undefined || fold(before.Session) !== fold(sessionId)) return null;
  return put(tx, before, key, value, flags, before.LockIndex, undefined);
}

/** Takes the lock of an ended session away, and leaves the value. */
export function kvRelease(tx: Transaction, key: string): void {
  const before = tx.tables.kv.entries.get(key);
  if (before !== undefined) put(tx, before, key, before.Value, before.Flags, before.LockIndex, undefined);
}

/** Deletes a key; nothing to do when there is none. */
export function kvDelete(tx: Transaction, key: string): void {
  const before = tx.tables.kv.entries.get(key);
  if (before !== undefined) tx.write({ table: "kv", key, before, after: null });
}

/** Deletes a key if its ModifyIndex is `index`. True also when there is none; 0 deletes nothing. */
export function kvDeleteCas(tx: Transaction, key: string, index: Uint64): boolean {
  const before = tx.tables.kv.entries.get(key);
  if (before === undefined) return true;
  if (before.ModifyIndex !== index) return false;
  kvDelete(tx, key);
  return true;
}

/** Deletes every key that begins with the prefix. */
export function kvDeleteTree(tx: Transaction, prefix: string): void {
  const doomed: KVEntry[] = [];
  tx.tables.kv.entries.visit(prefix, prefixEnd(prefix), (entry) => {
    doomed.push(entry);
  });
  for (const before of doomed) tx.write({ table: "kv", key: before.Key, before, after: null });
}

function increment(value: Uint64): Uint64 {
  if (typeof value === "bigint") return value + 1n;
  return value < Number.MAX_SAFE_INTEGER ? value + 1 : BigInt(value) + 1n;
}
