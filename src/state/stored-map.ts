// The ordered map over a stored table: each record is read when it is asked for, and what was read lately is kept in memory.
import { Generations } from "../util/generations.ts";
import type { OrderedMap, OrderedMapSnapshot } from "./ordered-map.ts";
import type { StateStorage, StoredTable } from "./stored-tables.ts";

/** Records that are kept in memory once they were read, if they are not large. */
const KEPT_MAX = 4096;
const KEPT_BYTES_MAX = 4096;
/** Rows that a scan reads at a time: whoever takes its entries may wait between them. */
const PAGE_ROWS = 32;

/** A map of records that stand in a table. */
export class StoredMap<V> implements OrderedMap<V> {
  readonly #table: StoredTable;
  readonly #storage: StateStorage;
  readonly #weigh: ((value: V) => number) | undefined;
  readonly #kept = new Generations<string, { value: V }>(KEPT_MAX);
  /** Views that are still read. */
  readonly #views = new Set<WeakRef<StoredView<V>>>();

  constructor(storage: StateStorage, name: string, weigh?: (value: V) => number) {
    this.#storage = storage;
    this.#table = storage.tables.table(name);
    this.#weigh = weigh;
  }

  get size(): number {
    return this.#table.size;
  }

  get(key: string): V | undefined {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept.value;
    const bytes = this.#table.get(key);
    return bytes === undefined ? undefined : this.#read(key, bytes);
  }

  has(key: string): boolean {
    return this.#kept.get(key) !== undefined || this.#table.has(key);
  }

  first(from: string | null = null): [string, V] | undefined {
    for (const [key, bytes] of this.#table.rows(from, null, false, 1)) return [key, this.#read(key, bytes)];
    return undefined;
  }

  last(): [string, V] | undefined {
    const row = this.#table.last();
    return row === undefined ? undefined : [row[0], this.#read(row[0], row[1])];
  }

  *scan(from: string | null = null, to: string | null = null): Generator<[string, V], undefined, undefined> {
    let at = from;
    let isAfter = false;
    for (;;) {
      const page = this.page(at, to, isAfter);
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_ROWS) return;
      [at] = last;
      isAfter = true;
    }
  }

  /** Some entries from `from` on. */
  page(from: string | null, to: string | null, isAfter: boolean): [string, V][] {
    return Array.from(this.#table.rows(from, to, isAfter, PAGE_ROWS), ([key, bytes]) => [key, this.#read(key, bytes)]);
  }

  visit(from: string | null, to: string | null, visit: (value: V, key: string) => boolean | void): void {
    for (const [key, bytes] of this.#table.rows(from, to)) if (visit(this.#read(key, bytes), key) === false) return;
  }

  visitKeys(from: string | null, to: string | null, visit: (key: string) => boolean | void): void {
    for (const key of this.#table.keys(from, to)) if (visit(key) === false) return;
  }

  visitAbove(from: string | null, to: string | null, weight: number, visit: (value: V, key: string) => void): void {
    for (const [key, bytes] of this.#table.heavier(from, to, weight)) visit(this.#read(key, bytes), key);
  }

  maxWeight(from: string | null, to: string | null): number {
    return this.#table.maxWeight(from, to);
  }

  set(key: string, value: V): V | undefined {
    const before = this.get(key);
    this.#changes(key, before);
    const bytes = this.#storage.encode(value);
    this.#table.set(key, bytes, this.#weigh === undefined ? 0 : this.#weigh(value));
    this.#keep(key, value, bytes.length);
    return before;
  }

  delete(key: string): V | undefined {
    const before = this.get(key);
    if (before === undefined) return undefined;
    this.#changes(key, before);
    this.#table.delete(key);
    this.#kept.delete(key);
    return before;
  }

  snapshot(): OrderedMapSnapshot<V> {
    const view = new StoredView(this);
    this.#views.add(new WeakRef(view));
    return view;
  }

  /** Tells the views what a key had before. */
  #changes(key: string, before: V | undefined): void {
    for (const held of this.#views) {
      const view = held.deref();
      if (view === undefined) this.#views.delete(held);
      else view.note(key, before);
    }
  }

  #read(key: string, bytes: Uint8Array): V {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept.value;
    const value = this.#storage.decode(bytes) as V;
    this.#keep(key, value, bytes.length);
    return value;
  }

  #keep(key: string, value: V, bytes: number): void {
    if (bytes <= KEPT_BYTES_MAX) this.#kept.set(key, { value });
    else this.#kept.delete(key);
  }
}

/** A map as it was: what changed since is remembered here, the rest is read from the map. */
class StoredView<V> implements OrderedMapSnapshot<V> {
  readonly #map: StoredMap<V>;
  readonly #before = new Map<string, V | undefined>();
  readonly size: number;

  constructor(map: StoredMap<V>) {
    this.#map = map;
    this.size = map.size;
  }

  note(key: string, before: V | undefined): void {
    if (!this.#before.has(key)) this.#before.set(key, before);
  }

  get(key: string): V | undefined {
    return this.#before.has(key) ? this.#before.get(key) : this.#map.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  first(from: string | null = null): [string, V] | undefined {
    for (const entry of this.scan(from)) return entry;
    return undefined;
  }

  last(): [string, V] | undefined {
    let last: [string, V] | undefined;
    for (const entry of this.scan()) last = entry;
    return last;
  }

  *scan(from: string | null = null, to: string | null = null): Generator<[string, V], undefined, undefined> {
    let at = from;
    let isAfter = false;
    for (;;) {
      const page = this.#map.page(at, to, isAfter);
      const isLast = page.length < PAGE_ROWS;
      const end = isLast ? to : (page.at(-1) as [string, V])[0];
      const entries = page.filter(([key]) => !this.#before.has(key));
      for (const [key, value] of this.#before) {
        const isIn =
          (at === null || (isAfter ? key > at : key >= at)) && (end === null || (isLast ? key < end : key <= end));
        if (isIn && value !== undefined) entries.push([key, value]);
      }
      entries.sort(([a], [b]) => (a < b ? -1 : 1));
      yield* entries;
      if (isLast) return;
      at = end;
      isAfter = true;
    }
  }

  visit(from: string | null, to: string | null, visit: (value: V, key: string) => boolean | void): void {
    for (const [key, value] of this.scan(from, to)) if (visit(value, key) === false) return;
  }

  visitKeys(from: string | null, to: string | null, visit: (key: string) => boolean | void): void {
    for (const [key] of this.scan(from, to)) if (visit(key) === false) return;
  }

  visitAbove(): void {
    throw new Error("a view of a stored map is only scanned");
  }

  maxWeight(): number {
    throw new Error("a view of a stored map is only scanned");
  }
}
