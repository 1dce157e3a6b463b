// The two indexes beside the stored maps, kept in tables of their own: which names a group has, and what waits to be reaped.
import { join, prefixEnd, under } from "./key.ts";
import type { Groups } from "./group-index.ts";
import type { Queue } from "./tombstone.ts";
import type { StateStorage, StoredTable } from "./stored-tables.ts";

const NOTHING = new Uint8Array(0);
/** Digits of an index in a key: as many as 2^53 has. */
const INDEX_DIGITS = 16;

/** Groups of names that stand for themselves: a group's values are its keys. */
export class StoredGroups implements Groups<string> {
  readonly #table: StoredTable;

  constructor({ tables }: StateStorage, name: string) {
    this.#table = tables.table(name);
  }

  set(group: string, key: string): void {
    this.#table.set(join(group, key), NOTHING, 0);
  }

  delete(group: string, key: string): void {
    this.#table.delete(join(group, key));
  }

  list(group: string): readonly string[] {
    const first = under(group);
    return Array.from(this.#table.keys(first, prefixEnd(first)), (key) => key.slice(first.length));
  }

  has(group: string): boolean {
    return this.list(group).length > 0;
  }
}

/** What is gone, by the index of its going. */
export class StoredQueue implements Queue {
  readonly #table: StoredTable;

  constructor({ tables }: StateStorage, name: string) {
    this.#table = tables.table(name);
  }

  push(name: string, index: number): void {
    this.#table.set(keyOf(index) + name, NOTHING, index);
  }

  take(index: number, each: (name: string, index: number) => void): void {
    // Nothing may be deleted while rows are read.
    const due = Array.from(this.#table.keys(null, keyOf(index + 1)));
    for (const key of due) {
      each(key.slice(INDEX_DIGITS), Number(key.slice(0, INDEX_DIGITS)));
      this.#table.delete(key);
    }
  }

  get size(): number {
    return this.#table.size;
  }

  get lastIndex(): number {
    return Number(this.#table.last()?.[0].slice(0, INDEX_DIGITS) ?? 0);
  }
}

const keyOf = (index: number): string => String(index).padStart(INDEX_DIGITS, "0");
