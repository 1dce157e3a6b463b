// An object's storage on `node:sqlite`, which all three runtimes have: what is written to it is tested without workerd.
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { ObjectStorage, SqlCursor, SqlStorage, SqlValue } from "../../../runtimes/cloudflare/object-state.ts";

/** What production holds a row's value to; the local runtime lets twice as much pass. */
const VALUE_BYTES_MAX = 2_000_000;

/** One object's storage, in memory: `reopened` is what a next instance finds. */
export class FakeStorage implements ObjectStorage {
  readonly database: DatabaseSync = new DatabaseSync(":memory:");
  readonly sql: SqlStorage;
  alarm: number | null = null;
  /** Rows written so far, as the platform would bill them. */
  written = 0;
  #depth = 0;

  constructor() {
    this.sql = { exec: (query, ...bindings) => this.#exec(query, bindings), databaseSize: 0 };
  }

  #exec(query: string, bindings: SqlValue[]): SqlCursor {
    for (const value of bindings)
      if (value instanceof Uint8Array && value.length > VALUE_BYTES_MAX) throw new Error("string or blob too big");
    const statement = this.database.prepare(query);
    const bound = bindings.map((value): SQLInputValue =>
      value instanceof ArrayBuffer ? new Uint8Array(value) : value,
    );
    const before = this.#changes();
    const rows = statement.all(...bound) as Record<string, unknown>[];
    const rowsWritten = this.#changes() - before;
    this.written += rowsWritten;
    const shown = rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, shownValue(value)])),
    );
    return {
      toArray: () => shown,
      *raw() {
        for (const row of shown) yield Object.values(row);
      },
      [Symbol.iterator]: () => shown[Symbol.iterator](),
      rowsWritten,
      rowsRead: rows.length,
    };
  }

  #changes(): number {
    return Number((this.database.prepare("SELECT total_changes() AS n").get() as { n: number }).n);
  }

  transactionSync<T>(run: () => T): T {
    const name = `s${this.#depth++}`;
    this.database.exec(`SAVEPOINT ${name}`);
    try {
      const result = run();
      this.database.exec(`RELEASE ${name}`);
      return result;
    } catch (error) {
      this.database.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  getAlarm(): Promise<number | null> {
    return Promise.resolve(this.alarm);
  }
  setAlarm(atMs: number): Promise<void> {
    this.alarm = atMs;
    return Promise.resolve();
  }
  deleteAlarm(): Promise<void> {
    this.alarm = null;
    return Promise.resolve();
  }
}

/** BLOBs come as `ArrayBuffer`s there. */
function shownValue(value: unknown): SqlValue {
  return value instanceof Uint8Array ? (value.slice().buffer as ArrayBuffer) : (value as SqlValue);
}
