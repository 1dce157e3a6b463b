// The tables of an object's SQLite, and what is read and written of them in few words. A row in production holds at most
// 2 MB, where the local runtime takes 4: what may be larger is cut into parts of PART_BYTES.
import type { SqlStorage, SqlValue } from "./object-state.ts";

/** The largest value that one row is given. */
export const PART_BYTES: number = 1024 * 1024;

const TABLES: readonly string[] = [
  "CREATE TABLE IF NOT EXISTS meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
  // Only the first part of an entry has a term and a kind.
  "CREATE TABLE IF NOT EXISTS raft_log " +
    "(at INTEGER, part INTEGER, term INTEGER, kind TEXT, data BLOB, PRIMARY KEY (at, part)) WITHOUT ROWID",
  // The state: a row a record, under its table. The weight stands before the value, so that it is read without it.
  "CREATE TABLE IF NOT EXISTS state (t TEXT, k BLOB, w INTEGER, v BLOB, PRIMARY KEY (t, k)) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS blob (name TEXT PRIMARY KEY, data BLOB, parts INTEGER) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS blob_part (id INTEGER, part INTEGER, data BLOB, PRIMARY KEY (id, part)) WITHOUT ROWID",
];

/** Makes what is not there yet; costs one look when all is. */
export function createTables(sql: SqlStorage): void {
  for (const table of TABLES) sql.exec(table);
}

/** One value of `meta`; undefined when it is not set. */
export function readMeta(sql: SqlStorage, key: string): SqlValue | undefined {
  return first(sql, "SELECT v FROM meta WHERE k = ?", key)?.[0];
}

/** Sets one value of `meta`. */
export function writeMeta(sql: SqlStorage, key: string, value: SqlValue): void {
  sql.exec("INSERT INTO meta (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", key, value);
}

/** The first row that a query gives. */
export function first(sql: SqlStorage, query: string, ...bindings: SqlValue[]): SqlValue[] | undefined {
  for (const row of sql.exec(query, ...bindings).raw()) return row;
  return undefined;
}

/** A BLOB column as bytes. */
export const bytesOf = (value: SqlValue | undefined): Uint8Array<ArrayBuffer> => new Uint8Array(value as ArrayBuffer);
