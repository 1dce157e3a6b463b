// Blobs in files, for Node, Bun and Deno: one directory, a file for each blob. A blob is written under a temporary name,
// synced, renamed, and the directory synced, so after a crash there are the old bytes or the new ones.
//
// `/` in a name is written `%2F` in the file's name: then every name is a file, `a` and `a/b` can both be there, and only one
// directory needs syncing. On file systems that take `A` and `a` for the same name, so does this.
import type { BlobWriter, Blobs } from "../../src/platform.ts";
import { assertBlobName } from "../../src/host/memory-store.ts";
import { assert } from "../../src/util/assert.ts";
import {
  errorCode,
  type FileSystem,
  nodeFileSystem,
  type OpenFile,
  readAll,
  storageError,
  writeAll,
} from "./file-system.ts";

/** Names of blobs never end so. */
const TEMPORARY = ".tmp";
/** Large blobs are read in pieces of this size. */
const PIECE_BYTES = 256 * 1024;

/**
 * Opens the blobs in `dir`, which is made when it is missing, and removes what a crash left half written.
 * @throws OperationalError `storage-failed` when the directory cannot be used.
 */
export async function openBlobs(dir: string, options: { fileSystem?: FileSystem } = {}): Promise<Blobs> {
  const fs = options.fileSystem ?? nodeFileSystem;
  try {
    await fs.makeDirectory(dir);
    for (const name of await fs.list(dir)) if (name.endsWith(TEMPORARY)) await fs.unlink(`${dir}/${name}`);
  } catch (error) {
    throw storageError(`Cannot open ${dir}`, error);
  }
  return new FileBlobs(fs, dir);
}

class FileBlobs implements Blobs {
  readonly #fs: FileSystem;
  readonly #dir: string;
  #temporaries = 0;
  /** The last change under way for each name: changes of one blob take effect in the order of the calls. */
  readonly #changes = new Map<string, Promise<void>>();

  constructor(fs: FileSystem, dir: string) {
    this.#fs = fs;
    this.#dir = dir;
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const path = this.#path(name);
    const file = await this.#openToRead(path);
    if (file === null) return null;
    try {
      return await readAll(file);
    } catch (error) {
      throw storageError(`Cannot read ${path}`, error);
    } finally {
      await file.close();
    }
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    // The caller may use its bytes for something else before their turn has come.
    const own = this.#changes.has(name) ? bytes.slice() : bytes;
    await this.#change(name, async () => {
      const temporary = this.#temporary(path);
      try {
        const file = await this.#fs.open(temporary, "create");
        try {
          await writeAll(file, own, 0);
          await file.datasync();
        } finally {
          await file.close();
        }
        await this.#publish(temporary, path);
      } catch (error) {
        await this.#fs.unlink(temporary).catch(() => {});
        throw storageError(`Cannot write ${path}`, error);
      }
    });
  }

  async list(prefix: string): Promise<string[]> {
    let files: string[];
    try {
      files = await this.#fs.list(this.#dir);
    } catch (error) {
      throw storageError(`Cannot list ${this.#dir}`, error);
    }
    const names = files.filter((file) => !file.endsWith(TEMPORARY)).map((file) => file.replaceAll("%2F", "/"));
    return names.filter((name) => name.startsWith(prefix)).sort();
  }

  async delete(name: string): Promise<void> {
    const path = this.#path(name);
    await this.#change(name, async () => {
      try {
        await this.#fs.unlink(path);
        await this.#fs.syncDirectory(this.#dir);
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw storageError(`Cannot delete ${path}`, error);
      }
    });
  }

  /** What is read is the blob as it was when opened, whatever is written or deleted meanwhile. Its file is closed at the end of the loop over it. */
  async open(name: string): Promise<AsyncIterable<Uint8Array> | null> {
    const path = this.#path(name);
    const file = await this.#openToRead(path);
    return file === null ? null : pieces(file, path);
  }

  async create(name: string): Promise<BlobWriter> {
    const path = this.#path(name);
    const temporary = this.#temporary(path);
    let file: OpenFile;
    try {
      file = await this.#fs.open(temporary, "create");
    } catch (error) {
      throw storageError(`Cannot write ${path}`, error);
    }
    const discard = async (): Promise<void> => {
      await file.close().catch(() => {});
      await this.#fs.unlink(temporary).catch(() => {});
    };
    const publish = async (): Promise<void> => {
      await file.close();
      await this.#change(name, () => this.#publish(temporary, path));
    };
    return new FileBlobWriter(file, path, publish, discard);
  }

  #path(name: string): string {
    assertBlobName(name);
    return `${this.#dir}/${name.replaceAll("/", "%2F")}`;
  }

  #temporary(path: string): string {
    this.#temporaries += 1;
    return `${path}.${this.#temporaries}${TEMPORARY}`;
  }

  async #publish(temporary: string, path: string): Promise<void> {
    await this.#fs.rename(temporary, path);
    await this.#fs.syncDirectory(this.#dir);
  }

  async #openToRead(path: string): Promise<OpenFile | null> {
    try {
      return await this.#fs.open(path, "read");
    } catch (error) {
      if (errorCode(error) === "ENOENT") return null;
      throw storageError(`Cannot read ${path}`, error);
    }
  }

  async #change(name: string, change: () => Promise<void>): Promise<void> {
    const before = this.#changes.get(name);
    const mine = before === undefined ? change() : before.then(change, change);
    this.#changes.set(name, mine);
    try {
      await mine;
    } finally {
      if (this.#changes.get(name) === mine) this.#changes.delete(name);
    }
  }
}

class FileBlobWriter implements BlobWriter {
  readonly #file: OpenFile;
  readonly #path: string;
  readonly #publish: () => Promise<void>;
  readonly #discard: () => Promise<void>;
  #length = 0;
  #isDone = false;
  /** Writes are done one after the other, also when they are not waited for. */
  #last: Promise<void> = Promise.resolve();

  constructor(file: OpenFile, path: string, publish: () => Promise<void>, discard: () => Promise<void>) {
    this.#file = file;
    this.#path = path;
    this.#publish = publish;
    this.#discard = discard;
  }

  async write(chunk: Uint8Array): Promise<void> {
    assert(!this.#isDone, "write to a blob that was committed or aborted");
    const position = this.#length;
    this.#length += chunk.length;
    const write = this.#last.then(() => writeAll(this.#file, chunk, position));
    this.#last = write;
    // A failed write fails `commit` too; whoever does not wait for it must not bring the process down.
    write.catch(() => {});
    try {
      await write;
    } catch (error) {
      throw storageError(`Cannot write ${this.#path}`, error);
    }
  }

  async commit(): Promise<void> {
    assert(!this.#isDone, "commit of a blob that was committed or aborted");
    this.#isDone = true;
    try {
      await this.#last;
      await this.#file.datasync();
      await this.#publish();
    } catch (error) {
      await this.#discard();
      throw storageError(`Cannot write ${this.#path}`, error);
    }
  }

  /** After `commit` it does nothing, so that it may stand in a `finally`. */
  async abort(): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    await this.#last.catch(() => {});
    await this.#discard();
  }
}

async function* pieces(file: OpenFile, path: string): AsyncGenerator<Uint8Array> {
  try {
    for (let position = 0; ;) {
      const piece = new Uint8Array(PIECE_BYTES);
      const count = await file.read(piece, position);
      if (count === 0) return;
      position += count;
      yield count === piece.length ? piece : piece.subarray(0, count);
    }
  } catch (error) {
    throw storageError(`Cannot read ${path}`, error);
  } finally {
    await file.close();
  }
}
