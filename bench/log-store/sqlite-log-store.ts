// The log in `node:sqlite`, which all three runtimes have: the candidate that lost (see `runtimes/node/DESIGN.md`), kept to
// measure against. WAL and `synchronous=FULL`; the calls of one turn of the event loop share a transaction, as in the files.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { LoadedLog, LogBatch, LogStore } from "../../src/platform.ts";
import type { Entry, EntryKind } from "../../src/raft/types.ts";

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS entry (i INTEGER PRIMARY KEY, term INTEGER, kind TEXT, data BLOB);
  CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, term INTEGER, i INTEGER, vote TEXT) WITHOUT ROWID;`;

export class SqliteLogStore implements LogStore {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #deleteFrom: StatementSync;
  readonly #deleteTo: StatementSync;
  readonly #setState: StatementSync;
  #last = 0;
  #queue: (() => void)[] = [];
  #flushed: Promise<void> | null = null;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(SCHEMA);
    this.#insert = this.#database.prepare("INSERT INTO entry VALUES (?, ?, ?, ?)");
    this.#deleteFrom = this.#database.prepare("DELETE FROM entry WHERE i >= ?");
    this.#deleteTo = this.#database.prepare("DELETE FROM entry WHERE i <= ?");
    this.#setState = this.#database.prepare("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)");
  }

  async load(): Promise<LoadedLog> {
    const rows = this.#database.prepare("SELECT i, term, kind, data FROM entry ORDER BY i").all();
    const entries = rows.map((row): Entry => {
      const { i, term, kind, data } = row as { i: number; term: number; kind: EntryKind; data: Uint8Array };
      return { index: i, term, kind, data };
    });
    const states = this.#database.prepare("SELECT name, term, i, vote FROM state").all();
    const loaded: LoadedLog = { hardState: null, base: { index: 0, term: 0 }, entries };
    for (const row of states) {
      const { name, term, i, vote } = row as { name: string; term: number; i: number; vote: string | null };
      if (name === "hard") loaded.hardState = { term, vote };
      else loaded.base = { index: i, term };
    }
    this.#last = loaded.base.index + entries.length;
    return loaded;
  }

  append({ entries, hardState }: LogBatch): Promise<void> {
    return this.#enqueue(() => {
      const first = entries[0];
      if (first !== undefined && first.index <= this.#last) this.#deleteFrom.run(first.index);
      for (const { index, term, kind, data } of entries) {
        this.#insert.run(index, term, kind, data);
        this.#last = index;
      }
      if (hardState !== null) this.#setState.run("hard", hardState.term, 0, hardState.vote);
    });
  }

  compact(index: number, term: number): Promise<void> {
    return this.#enqueue(() => {
      this.#deleteTo.run(index);
      this.#setState.run("base", term, index, null);
    });
  }

  reset(index: number, term: number): Promise<void> {
    return this.#enqueue(() => {
      this.#database.exec("DELETE FROM entry");
      this.#setState.run("base", term, index, null);
      this.#last = index;
    });
  }

  async close(): Promise<void> {
    await this.#flushed;
    this.#database.close();
  }

  #enqueue(change: () => void): Promise<void> {
    this.#queue.push(change);
    this.#flushed ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        const changes = this.#queue;
        this.#queue = [];
        this.#flushed = null;
        try {
          this.#database.exec("BEGIN");
          for (const one of changes) one();
          this.#database.exec("COMMIT");
          resolve();
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    return this.#flushed;
  }
}
