// Named byte strings in an object's SQLite: what fits one row is in its row, what does not is cut into parts beside it.
import { assertBlobName } from "../../src/host/memory-store.ts";
import type { Blobs, BlobWriter } from "../../src/platform.ts";
import { assert } from "../../src/util/assert.ts";
import { concat } from "../../src/util/bytes.ts";
import type { ObjectStorage, SqlStorage } from "./object-state.ts";
import { bytesOf, first, PART_BYTES } from "./schema.ts";

type Storage = Pick<ObjectStorage, "sql" | "transactionSync">;

/** What a reader is given at a time. */
const PIECE_BYTES = 64 * 1024;
const SET =
  "INSERT INTO blob (name, data, parts) VALUES (?, ?, ?) " +
  "ON CONFLICT (name) DO UPDATE SET data = excluded.data, parts = excluded.parts";

/** The blobs of one object. */
export class SqlBlobs implements Blobs {
  readonly #storage: Storage;
  readonly #sql: SqlStorage;

  /** Forgets what was being written when a former instance ended. */
  constructor(storage: Storage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    if (first(this.#sql, "SELECT 1 FROM blob_part LIMIT 1") !== undefined)
      this.#sql.exec("DELETE FROM blob_part WHERE id NOT IN (SELECT parts FROM blob WHERE parts IS NOT NULL)");
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    assertBlobName(name);
    const row = first(this.#sql, "SELECT data, parts FROM blob WHERE name = ?", name);
    if (row === undefined) return null;
    const [data, id] = row;
    return id === null ? bytesOf(data) : concat([...this.#parts(id as number)]);
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    assertBlobName(name);
    if (bytes.length > PART_BYTES) {
      const writer = new SqlBlobWriter(this.#storage, name);
      await writer.write(bytes);
      await writer.commit();
      return;
    }
    this.#storage.transactionSync(() => setBlob(this.#sql, name, bytes, null));
  }

  async list(prefix: string): Promise<string[]> {
    // The names that begin so: all of them are below the prefix with the greatest character that a name may have after it.
    const rows = this.#sql.exec(
      "SELECT name FROM blob WHERE name >= ? AND name < ? ORDER BY name",
      prefix,
      `${prefix}\x7f`,
    );
    return Array.from(rows.raw(), ([name]) => name as string);
  }

  async delete(name: string): Promise<void> {
    assertBlobName(name);
    this.#storage.transactionSync(() => {
      dropParts(this.#sql, name);
      this.#sql.exec("DELETE FROM blob WHERE name = ?", name);
    });
  }

  async open(name: string): Promise<AsyncIterable<Uint8Array> | null> {
    assertBlobName(name);
    const row = first(this.#sql, "SELECT data, parts FROM blob WHERE name = ?", name);
    if (row === undefined) return null;
    const [data, id] = row;
    const parts = id === null ? [bytesOf(data)] : this.#parts(id as number);
    return (async function* pieces(): AsyncGenerator<Uint8Array> {
      for (const part of parts)
        for (let at = 0; at < part.length; at += PIECE_BYTES) yield part.subarray(at, at + PIECE_BYTES);
    })();
  }

  async create(name: string): Promise<BlobWriter> {
    assertBlobName(name);
    return new SqlBlobWriter(this.#storage, name);
  }

  /** A statement for each part: none is open while others wait. */
  *#parts(id: number): Generator<Uint8Array<ArrayBuffer>> {
    for (let part = 0; ; part++) {
      const row = first(this.#sql, "SELECT data FROM blob_part WHERE id = ? AND part = ?", id, part);
      if (row === undefined) return;
      yield bytesOf(row[0]);
    }
  }
}

function dropParts(sql: SqlStorage, name: string): void {
  const id = first(sql, "SELECT parts FROM blob WHERE name = ?", name)?.[0];
  if (typeof id === "number") sql.exec("DELETE FROM blob_part WHERE id = ?", id);
}

function setBlob(sql: SqlStorage, name: string, data: Uint8Array | null, id: number | null): void {
  dropParts(sql, name);
  sql.exec(SET, name, data, id);
}

class SqlBlobWriter implements BlobWriter {
  readonly #storage: Storage;
  readonly #name: string;
  #id: number | null = null;
  #part = 0;
  #chunks: Uint8Array[] | null = [];
  #bytes = 0;

  constructor(storage: Storage, name: string) {
    this.#storage = storage;
    this.#name = name;
  }

  async write(chunk: Uint8Array): Promise<void> {
    assert(this.#chunks !== null, "write to a blob that was committed or aborted");
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.slice(at, at + PART_BYTES - this.#bytes);
      this.#chunks.push(piece);
      this.#bytes += piece.length;
      at += piece.length;
      if (this.#bytes === PART_BYTES) this.#flush();
    }
  }

  #flush(): void {
    const { sql } = this.#storage;
    this.#id ??= ((first(sql, "SELECT max(id) FROM blob_part")?.[0] as number | null) ?? 0) + 1;
    sql.exec(
      "INSERT INTO blob_part (id, part, data) VALUES (?, ?, ?)",
      this.#id,
      this.#part++,
      concat(this.#chunks ?? []),
    );
    this.#chunks = [];
    this.#bytes = 0;
  }

  async commit(): Promise<void> {
    assert(this.#chunks !== null, "commit of a blob that was committed or aborted");
    this.#storage.transactionSync(() => {
      if (this.#id === null) setBlob(this.#storage.sql, this.#name, concat(this.#chunks ?? []), null);
      else {
        if (this.#bytes > 0) this.#flush();
        setBlob(this.#storage.sql, this.#name, null, this.#id);
      }
    });
    this.#chunks = null;
  }

  /** After `commit` it does nothing, so that it may stand in a `finally`. */
  async abort(): Promise<void> {
    if (this.#chunks === null) return;
    this.#chunks = null;
    if (this.#id !== null) this.#storage.sql.exec("DELETE FROM blob_part WHERE id = ?", this.#id);
  }
}
