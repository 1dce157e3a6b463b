// The state's tables in an object's SQLite. They are one table there, so that waking makes and looks up as little as can be;
// a key is bytes that sort as UTF-16 code units do.
import type { StoredTable, TableStorage } from "../../src/state/stored-tables.ts";
import { utf8 } from "../../src/util/bytes.ts";
import type { ObjectStorage, SqlStorage, SqlValue } from "./object-state.ts";
import { bytesOf, first } from "./schema.ts";

/** All tables of one object. */
export class SqlTables implements TableStorage {
  readonly #storage: Pick<ObjectStorage, "sql" | "transactionSync">;
  readonly #tables = new Map<string, SqlTable>();

  constructor(storage: Pick<ObjectStorage, "sql" | "transactionSync">) {
    this.#storage = storage;
  }

  table(name: string): StoredTable {
    let table = this.#tables.get(name);
    if (table === undefined) this.#tables.set(name, (table = new SqlTable(this.#storage.sql, name)));
    return table;
  }

  transaction<T>(run: () => T): T {
    return this.#storage.transactionSync(run);
  }
}

class SqlTable implements StoredTable {
  readonly #sql: SqlStorage;
  readonly #name: string;
  /** How many rows there are, once that was counted. */
  #size: number | null = null;

  constructor(sql: SqlStorage, name: string) {
    this.#sql = sql;
    this.#name = name;
  }

  get size(): number {
    this.#size ??= first(this.#sql, "SELECT count(*) FROM state WHERE t = ?", this.#name)?.[0] as number;
    return this.#size;
  }

  clear(): void {
    this.#sql.exec("DELETE FROM state WHERE t = ?", this.#name);
    this.#size = 0;
  }

  get(key: string): Uint8Array | undefined {
    const row = first(this.#sql, "SELECT v FROM state WHERE t = ? AND k = ?", this.#name, encodeKey(key));
    return row === undefined ? undefined : bytesOf(row[0]);
  }

  has(key: string): boolean {
    return first(this.#sql, "SELECT 1 FROM state WHERE t = ? AND k = ?", this.#name, encodeKey(key)) !== undefined;
  }

  set(key: string, value: Uint8Array, weight: number): void {
    if (this.#size !== null && !this.has(key)) this.#size += 1;
    this.#sql.exec(
      "INSERT INTO state (t, k, w, v) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT (t, k) DO UPDATE SET w = excluded.w, v = excluded.v",
      this.#name,
      encodeKey(key),
      weight,
      value,
    );
  }

  delete(key: string): void {
    if (this.#size !== null && this.has(key)) this.#size -= 1;
    this.#sql.exec("DELETE FROM state WHERE t = ? AND k = ?", this.#name, encodeKey(key));
  }

  *rows(from: string | null, to: string | null, afterFrom = false, limit = -1): Generator<[string, Uint8Array]> {
    const { where, bindings } = range(this.#name, from, to, afterFrom);
    const query = `SELECT k, v FROM state WHERE ${where} ORDER BY k LIMIT ?`;
    for (const [key, value] of this.#sql.exec(query, ...bindings, limit).raw()) yield [decodeKey(key), bytesOf(value)];
  }

  *keys(from: string | null, to: string | null): Generator<string> {
    const { where, bindings } = range(this.#name, from, to, false);
    for (const [key] of this.#sql.exec(`SELECT k FROM state WHERE ${where} ORDER BY k`, ...bindings).raw())
      yield decodeKey(key);
  }

  last(): [string, Uint8Array] | undefined {
    const row = first(this.#sql, "SELECT k, v FROM state WHERE t = ? ORDER BY k DESC LIMIT 1", this.#name);
    return row === undefined ? undefined : [decodeKey(row[0]), bytesOf(row[1])];
  }

  *heavier(from: string | null, to: string | null, weight: number): Generator<[string, Uint8Array]> {
    const { where, bindings } = range(this.#name, from, to, false);
    const query = `SELECT k, v FROM state WHERE ${where} AND w > ? ORDER BY k`;
    for (const [key, value] of this.#sql.exec(query, ...bindings, weight).raw()) yield [decodeKey(key), bytesOf(value)];
  }

  maxWeight(from: string | null, to: string | null): number {
    const { where, bindings } = range(this.#name, from, to, false);
    return (first(this.#sql, `SELECT max(w) FROM state WHERE ${where}`, ...bindings)?.[0] as number | null) ?? 0;
  }
}

function range(
  name: string,
  from: string | null,
  to: string | null,
  afterFrom: boolean,
): { where: string; bindings: SqlValue[] } {
  const bindings: SqlValue[] = [name];
  let where = "t = ?";
  if (from !== null) {
    where += afterFrom ? " AND k > ?" : " AND k >= ?";
    bindings.push(encodeKey(from));
  }
  if (to !== null) {
    where += " AND k < ?";
    bindings.push(encodeKey(to));
  }
  return { where, bindings };
}

const SURROGATE = /[\ud800-\udfff]/;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** UTF-8, but for surrogates, which are three bytes each, alone or in pairs (CESU-8): bytes then sort as code units do. */
function encodeKey(key: string): Uint8Array<ArrayBuffer> {
  if (!SURROGATE.test(key)) return utf8(key);
  const bytes: number[] = [];
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at);
    if (unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 63));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 63), 0x80 | (unit & 63));
  }
  return new Uint8Array(bytes);
}

function decodeKey(column: SqlValue | undefined): string {
  const bytes = bytesOf(column);
  // 0xED begins the surrogates, and few other characters.
  if (!bytes.includes(0xed)) return decoder.decode(bytes);
  let key = "";
  for (let at = 0; at < bytes.length;) {
    const head = bytes[at] as number;
    const [a = 0, b = 0] = [bytes[at + 1], bytes[at + 2]];
    if (head < 0x80) key += String.fromCharCode(head);
    else if (head < 0xe0) key += String.fromCharCode(((head & 31) << 6) | (a & 63));
    else key += String.fromCharCode(((head & 15) << 12) | ((a & 63) << 6) | (b & 63));
    at += head < 0x80 ? 1 : head < 0xe0 ? 2 : 3;
  }
  return key;
}
