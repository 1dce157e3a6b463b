// `LogStore` and `Blobs` in memory: for `-dev`, where a restart begins anew, and for tests, where the same store is
// handed to the next agent as if it were the disk of a restarted one. Nothing here survives the process.
import type { BlobWriter, Blobs, LoadedLog, LogBatch, LogStore } from "../platform.ts";
import type { Entry, HardState } from "../raft/types.ts";
import { OperationalError } from "../types/error.ts";
import { assert } from "../util/assert.ts";

/** The log in memory. Its methods return `undefined`: what they did is as durable as it gets. `close` keeps everything for the next `load`. */
export class MemoryLogStore implements LogStore {
  #hardState: HardState | null = null;
  #base: { index: number; term: number } = { index: 0, term: 0 };
  #entries: Entry[] = [];

  async load(): Promise<LoadedLog> {
    return {
      hardState: this.#hardState && { ...this.#hardState },
      base: { ...this.#base },
      entries: this.#entries.slice(),
    };
  }

  append(batch: LogBatch): void {
    const first = batch.entries[0];
    if (first !== undefined) {
      const kept = first.index - this.#base.index - 1;
      assert(kept >= 0, `append at ${first.index}, which is compacted: the base is ${this.#base.index}`);
      assert(kept <= this.#entries.length, `append at ${first.index} leaves a gap after ${this.#last()}`);
      batch.entries.forEach((entry, i) =>
        assert(entry.index === first.index + i, `entries have a gap at ${entry.index}`),
      );
      if (kept < this.#entries.length) this.#entries.length = kept;
      for (const entry of batch.entries) this.#entries.push(entry);
    }
    if (batch.hardState !== null) this.#hardState = { term: batch.hardState.term, vote: batch.hardState.vote };
  }

  compact(index: number, term: number): void {
    if (index <= this.#base.index) return;
    assert(index <= this.#last(), `compact to ${index}, past the last entry ${this.#last()}`);
    this.#entries.splice(0, index - this.#base.index);
    this.#base = { index, term };
  }

  reset(index: number, term: number): void {
    this.#entries = [];
    this.#base = { index, term };
  }

  async close(): Promise<void> {}

  #last(): number {
    return this.#base.index + this.#entries.length;
  }
}

/** Named byte strings in memory. Bytes are copied on the way in and on the way out. */
export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Uint8Array<ArrayBuffer>>();

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    assertBlobName(name);
    return this.#blobs.get(name)?.slice() ?? null;
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    assertBlobName(name);
    this.#blobs.set(name, new Uint8Array(bytes));
  }

  async list(prefix: string): Promise<string[]> {
    return [...this.#blobs.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  async delete(name: string): Promise<void> {
    assertBlobName(name);
    this.#blobs.delete(name);
  }

  async open(name: string): Promise<AsyncIterable<Uint8Array> | null> {
    assertBlobName(name);
    const bytes = this.#blobs.get(name);
    return bytes === undefined ? null : pieces(bytes);
  }

  async create(name: string): Promise<BlobWriter> {
    assertBlobName(name);
    return new MemoryBlobWriter((bytes) => this.#blobs.set(name, bytes));
  }
}

class MemoryBlobWriter implements BlobWriter {
  readonly #commit: (bytes: Uint8Array<ArrayBuffer>) => void;
  #chunks: Uint8Array[] | null = [];
  #length = 0;

  constructor(commit: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#commit = commit;
  }

  async write(chunk: Uint8Array): Promise<void> {
    assert(this.#chunks !== null, "write to a blob that was committed or aborted");
    this.#chunks.push(chunk.slice());
    this.#length += chunk.length;
  }

  async commit(): Promise<void> {
    assert(this.#chunks !== null, "commit of a blob that was committed or aborted");
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    this.#chunks = null;
    this.#commit(bytes);
  }

  /** After `commit` it does nothing, so that it may stand in a `finally`. */
  async abort(): Promise<void> {
    this.#chunks = null;
  }
}

const PIECE_BYTES = 64 * 1024;

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.slice(at, at + PIECE_BYTES);
}

const BLOB_NAME = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;
const BLOB_NAME_LENGTH_MAX = 240;

/**
 * Checks a name of `Blobs`: parts of `[A-Za-z0-9._-]` between `/`, none of them empty, `.` or `..`, and none that ends in
 * `.tmp`, which stores keep for blobs that are being written. It has at most 240 characters, a `/` counting three, so
 * that it can be the name of a file.
 * @throws OperationalError `invalid-request`.
 */
export function assertBlobName(name: string): void {
  const parts = name.split("/");
  const isGood =
    BLOB_NAME.test(name) &&
    name.length + 2 * (parts.length - 1) <= BLOB_NAME_LENGTH_MAX &&
    parts.every((part) => part !== "." && part !== ".." && !part.endsWith(".tmp"));
  if (isGood) return;
  throw new OperationalError("invalid-request", `Invalid blob name ${JSON.stringify(name.slice(0, 80))}`);
}
