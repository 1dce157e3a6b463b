// The Raft log in an object's SQLite. Every method is done when it returns: the object's output gate lets no answer out
// before what it wrote is durable, and resets the object when it cannot be.
import { OperationalError } from "../../src/types/error.ts";
import type { LoadedLog, LogBatch, LogStore } from "../../src/platform.ts";
import type { Entry, EntryKind, HardState } from "../../src/raft/types.ts";
import { assert } from "../../src/util/assert.ts";
import { concat } from "../../src/util/bytes.ts";
import type { ObjectStorage, SqlStorage } from "./object-state.ts";
import { bytesOf, PART_BYTES, readMeta, writeMeta } from "./schema.ts";

const HARD_STATE = "hard-state";
const BASE = "log-base";

/** The log of the one server that lives in an object. */
export class SqlLogStore implements LogStore {
  readonly #storage: Pick<ObjectStorage, "sql" | "transactionSync">;
  readonly #sql: SqlStorage;
  #last = 0;
  #base = { index: 0, term: 0 };

  constructor(storage: Pick<ObjectStorage, "sql" | "transactionSync">) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  async load(): Promise<LoadedLog> {
    const hardState = readMeta(this.#sql, HARD_STATE);
    const base = readMeta(this.#sql, BASE);
    if (base !== undefined) this.#base = JSON.parse(base as string) as { index: number; term: number };
    const entries: Entry[] = [];
    let parts: Uint8Array[] = [];
    const finish = (): void => {
      const last = entries.at(-1);
      if (last !== undefined && parts.length > 1) last.data = concat(parts);
    };
    const rows = this.#sql.exec("SELECT at, part, term, kind, data FROM raft_log ORDER BY at, part");
    for (const [at, part, term, kind, data] of rows.raw()) {
      if (part !== 0) {
        parts.push(bytesOf(data));
        continue;
      }
      finish();
      parts = [bytesOf(data)];
      const index = at as number;
      const expected = (entries.at(-1)?.index ?? this.#base.index) + 1;
      if (index !== expected)
        throw new OperationalError(
          "storage-failed",
          `The log has a gap: entry ${index} stands where ${expected} should`,
        );
      entries.push({ index, term: term as number, kind: kind as EntryKind, data: parts[0] as Uint8Array });
    }
    finish();
    this.#last = entries.at(-1)?.index ?? this.#base.index;
    return {
      hardState: hardState === undefined ? null : (JSON.parse(hardState as string) as HardState),
      base: { ...this.#base },
      entries,
    };
  }

  append({ entries, hardState }: LogBatch): void {
    const head = entries[0];
    this.#storage.transactionSync(() => {
      if (head !== undefined) {
        assert(head.index > this.#base.index && head.index <= this.#last + 1, `append at ${head.index} leaves a gap`);
        if (head.index <= this.#last) this.#sql.exec("DELETE FROM raft_log WHERE at >= ?", head.index);
        for (const [at, entry] of entries.entries()) {
          assert(entry.index === head.index + at, `entries have a gap at ${entry.index}`);
          this.#write(entry);
        }
      }
      if (hardState !== null)
        writeMeta(this.#sql, HARD_STATE, JSON.stringify({ term: hardState.term, vote: hardState.vote }));
    });
    if (head !== undefined) this.#last = head.index + entries.length - 1;
  }

  #write({ index, term, kind, data }: Entry): void {
    const insert = "INSERT INTO raft_log (at, part, term, kind, data) VALUES (?, ?, ?, ?, ?)";
    this.#sql.exec(insert, index, 0, term, kind, data.length <= PART_BYTES ? data : data.subarray(0, PART_BYTES));
    for (let from = PART_BYTES, part = 1; from < data.length; from += PART_BYTES, part++)
      this.#sql.exec(insert, index, part, null, null, data.subarray(from, from + PART_BYTES));
  }

  compact(index: number, term: number): void {
    if (index <= this.#base.index) return;
    assert(index <= this.#last, `compact to ${index}, past the last entry ${this.#last}`);
    this.#storage.transactionSync(() => {
      this.#sql.exec("DELETE FROM raft_log WHERE at <= ?", index);
      this.#setBase(index, term);
    });
  }

  reset(index: number, term: number): void {
    this.#storage.transactionSync(() => {
      this.#sql.exec("DELETE FROM raft_log");
      this.#setBase(index, term);
    });
    this.#last = index;
  }

  #setBase(index: number, term: number): void {
    writeMeta(this.#sql, BASE, JSON.stringify({ index, term }));
    this.#base = { index, term };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
