// Where a store keeps its records when it is not memory: tables of rows on stable storage, written and read at once. The
// host gives them (platform.ts) and says how records become bytes; see DESIGN.md, "On storage".
import type { TableName } from "./change.ts";

/** The rows of one table, in the order of their keys: by UTF-16 code unit, as in memory. */
export interface StoredTable {
  readonly size: number;
  get(key: string): Uint8Array | undefined;
  has(key: string): boolean;
  /** @param weight what `maxWeight` compares. */
  set(key: string, value: Uint8Array, weight: number): void;
  delete(key: string): void;
  /**
   * Rows of a half-open range in order; null is no bound. The table must not be changed meanwhile, and nobody may wait.
   * @param afterFrom the range begins after `from` rather than with it.
   * @param limit gives no more rows than this.
   */
  rows(from: string | null, to: string | null, afterFrom?: boolean, limit?: number): Iterable<[string, Uint8Array]>;
  /** The keys alone. */
  keys(from: string | null, to: string | null): Iterable<string>;
  /** The greatest key. */
  last(): [string, Uint8Array] | undefined;
  /** The rows of the range whose weight is above `weight`, in order; the same holds as of `rows`. */
  heavier(from: string | null, to: string | null, weight: number): Iterable<[string, Uint8Array]>;
  /** The greatest weight in the range, 0 when it is empty. */
  maxWeight(from: string | null, to: string | null): number;
  clear(): void;
}

/** Tables by name: made when they are first asked for. */
export interface TableStorage {
  table(name: string): StoredTable;
  /** Does all of it or, when it throws, nothing. */
  transaction<T>(run: () => T): T;
}

/** The tables of a store. */
export const STATE_TABLES: readonly string[] = [
  ...Object.keys({
    kv: true,
    nodes: true,
    services: true,
    checks: true,
    sessions: true,
    queries: true,
    config: true,
    coordinates: true,
    autopilot: true,
    federation: true,
    links: true,
    stamps: true,
  } satisfies Record<Exclude<TableName, "service-names">, true>),
  "kv-by-session",
  "tombstones",
  "tombstone-queue",
  "topics",
  "topic-queue",
];

/** What a store on storage is made with. */
export interface StateStorage {
  readonly tables: TableStorage;
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}
