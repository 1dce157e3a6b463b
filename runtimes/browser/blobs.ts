// Named byte strings in IndexedDB, by idb-keyval: what an agent in a page keeps, its id and its services and checks. Each
// write is one transaction that is on the disk before it counts, which browsers leave to whoever asks for it.
import { createStore, del, get, keys, set, type UseStore } from "idb-keyval";
import { assertBlobName } from "../../src/host/memory-store.ts";
import type { Blobs, BlobWriter } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { assert } from "../../src/util/assert.ts";
import { concat } from "../../src/util/bytes.ts";

const STORE = "blobs";
const PIECE_BYTES = 64 * 1024;

/** The blobs of one database. */
export class IdbBlobs implements Blobs {
  readonly #store: UseStore;

  /** @param database its name, nobody else's; opened by the first use */
  constructor(database: string) {
    this.#store = strictStore(database);
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    assertBlobName(name);
    return (await storing(name, get<Uint8Array<ArrayBuffer>>(name, this.#store))) ?? null;
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    assertBlobName(name);
    await storing(name, set(name, new Uint8Array(bytes), this.#store));
  }

  async list(prefix: string): Promise<string[]> {
    const names = await storing(prefix, keys<string>(this.#store));
    return names.filter((name) => name.startsWith(prefix)).sort();
  }

  async delete(name: string): Promise<void> {
    assertBlobName(name);
    await storing(name, del(name, this.#store));
  }

  async open(name: string): Promise<AsyncIterable<Uint8Array> | null> {
    const bytes = await this.read(name);
    if (bytes === null) return null;
    return (async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
    })();
  }

  async create(name: string): Promise<BlobWriter> {
    assertBlobName(name);
    let chunks: Uint8Array[] | null = [];
    return {
      write: async (chunk) => {
        assert(chunks !== null, "write to a blob that was committed or aborted");
        chunks.push(chunk.slice());
      },
      commit: async () => {
        assert(chunks !== null, "commit of a blob that was committed or aborted");
        const bytes = concat(chunks);
        chunks = null;
        await this.write(name, bytes);
      },
      abort: async () => {
        chunks = null;
      },
    };
  }
}

/** As `createStore`, but a transaction is complete only when it would survive a power cut. */
function strictStore(database: string): UseStore {
  // It makes the store when there is none.
  const relaxed = createStore(database, STORE);
  return (mode, use) =>
    relaxed("readonly", ({ transaction: { db } }) => {
      const transaction = db.transaction(STORE, mode, { durability: "strict" });
      return new Promise((resolve, reject) => {
        transaction.addEventListener("abort", () => reject(transaction.error ?? new Error("the write was aborted")));
        Promise.resolve(use(transaction.objectStore(STORE))).then(resolve, reject);
      });
    });
}

/** Says an error of the browser as an agent expects it. */
async function storing<T>(name: string, act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (error) {
    const code = (error as Error).name === "QuotaExceededError" ? "disk-full" : "storage-failed";
    throw new OperationalError(code, `IndexedDB, ${name}: ${String(error)}`, { cause: error });
  }
}
