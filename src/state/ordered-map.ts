// The small synchronous interface that every table is kept in. In memory it is the persistent B+ tree of bplus-tree.ts,
// on storage the rows of stored-map.ts.
// Order: by UTF-16 code unit, what `<` says of two strings on every engine. Consul orders by UTF-8 bytes, which differs
// only between U+E000..U+FFFF and the planes above.

import { BPlusTree } from "./bplus-tree.ts";
import { prefixEnd } from "./key.ts";

/** What can be read of an ordered map. Bounds are half-open: `from` is in, `to` is not; null is no bound. */
export interface OrderedMapView<V> {
  readonly size: number;
  get(key: string): V | undefined;
  has(key: string): boolean;
  /** The least key at or above `from`, with its value. */
  first(from?: string): [string, V] | undefined;
  /** The greatest key. */
  last(): [string, V] | undefined;
  /** Entries in order, lazily. A live map must not be changed during a scan: scan a snapshot then. */
  scan(from?: string | null, to?: string | null): IterableIterator<[string, V]>;
  /** The same without an allocation per entry; ends early when `visit` returns false. */
  visit(from: string | null, to: string | null, visit: (value: V, key: string) => boolean | void): void;
  /** The keys alone: where a record is read from storage, this does not. */
  visitKeys(from: string | null, to: string | null, visit: (key: string) => boolean | void): void;
  /** The entries in the range whose weight is above `weight`, in order: the rest costs next to nothing. */
  visitAbove(from: string | null, to: string | null, weight: number, visit: (value: V, key: string) => void): void;
  /** The greatest weight in the range, 0 when it is empty: logarithmic, whatever the range holds. */
  maxWeight(from: string | null, to: string | null): number;
}

/** A view that later changes of the map do not move. */
export type OrderedMapSnapshot<V> = OrderedMapView<V>;

/** A map from strings to values, in order. */
export interface OrderedMap<V> extends OrderedMapView<V> {
  /** Gives what was there before. */
  set(key: string, value: V): V | undefined;
  /** Gives what was there. */
  delete(key: string): V | undefined;
  /** In constant time; the map copies what it changes later. */
  snapshot(): OrderedMapSnapshot<V>;
}

/** An empty map in memory. `weigh` says what `maxWeight` compares: a number of at least 0, fixed for a value. */
export function createOrderedMap<V>(weigh?: (value: V) => number): OrderedMap<V> {
  return new BPlusTree<V>(weigh);
}

/** The values whose key begins with the prefix, in order. */
export function collect<V>(map: OrderedMapView<V>, prefix: string): V[] {
  const values: V[] = [];
  map.visit(prefix, prefixEnd(prefix), (value) => {
    values.push(value);
  });
  return values;
}

/** True when a key begins with the prefix. */
export function hasPrefix<V>(map: OrderedMapView<V>, prefix: string): boolean {
  return map.first(prefix)?.[0].startsWith(prefix) === true;
}
