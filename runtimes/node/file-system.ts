// The few file operations that the log and the blobs are built from, as an interface, so that tests can put a disk under
// them that fails, fills up, tears writes or loses power. The real one is `node:fs`, which Node, Bun and Deno all have.
import fs from "node:fs";
import { dirname } from "node:path";
import { OperationalError } from "../../src/types/error.ts";

/** An open file. Writes go where they are told; there is no file position. Every method may fail with a `code` such as `EIO` or `ENOSPC`. */
export interface OpenFile {
  size(): Promise<number>;
  /** Reads up to `into.length` bytes at `position` and says how many; 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes at `position` and says how many bytes it took, perhaps fewer than given. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** Makes what was written, and the size, survive a power cut. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileSystem {
  /** Makes a directory and those above it, durably; no error when it is there. A file in its place is `ENOTDIR`. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory, in no order. */
  list(path: string): Promise<string[]>;
  /** `read` and `write` want the file to be there, `create` makes it or empties it; the last two can also read. */
  open(path: string, mode: "read" | "write" | "create"): Promise<OpenFile>;
  /** Replaces `to`, in one step. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes creations, renames and deletions in a directory survive a power cut. */
  syncDirectory(path: string): Promise<void>;
}

/** `node:fs`: files and directories of the machine. */
export const nodeFileSystem: FileSystem = {
  async makeDirectory(path) {
    try {
      await fs.promises.mkdir(path, { mode: 0o700 });
    } catch (error) {
      const code = errorCode(error);
      if (code === "ENOENT" && dirname(path) !== path) {
        await this.makeDirectory(dirname(path));
        return await this.makeDirectory(path);
      }
      // Whatever `mkdir` says of a root or of a directory on a read-only disk: it is there or it is not.
      const stats = await fs.promises.stat(path).catch(() => null);
      if (stats === null) throw error;
      if (!stats.isDirectory())
        throw Object.assign(new Error(`ENOTDIR: not a directory, ${path}`), { code: "ENOTDIR" });
    }
    // Also when it was there: a process that was killed may not have come so far. A directory that one may not read may
    // still be one's own parent; then its owner has made it.
    await this.syncDirectory(dirname(path)).catch((error: unknown) => {
      if (errorCode(error) !== "EACCES" && errorCode(error) !== "EPERM") throw error;
    });
  },
  list: (path) => fs.promises.readdir(path),
  async open(path, mode) {
    const flags = mode === "read" ? "r" : mode === "write" ? "r+" : "w+";
    return new NodeFile(
      await new Promise<number>((resolve, reject) => fs.open(path, flags, 0o600, settle(resolve, reject))),
    );
  },
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),
  async syncDirectory(path) {
    // Windows cannot open a directory for this; NTFS journals its directories by itself.
    if (process.platform === "win32") return;
    const fd = await new Promise<number>((resolve, reject) => fs.open(path, "r", settle(resolve, reject)));
    try {
      await new Promise<void>((resolve, reject) => fs.fsync(fd, settle(resolve, reject)));
    } catch (error) {
      // So say file systems that have no such operation: then their names are as durable as they make them.
      if (errorCode(error) !== "EINVAL" && errorCode(error) !== "ENOTSUP") throw error;
    } finally {
      fs.closeSync(fd);
    }
  },
};

const ON_LOOP_BYTES = 64 * 1024;

/** By descriptor and callback: `FileHandle` costs more for each call. */
class NodeFile implements OpenFile {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) =>
      fs.fstat(this.#fd, (error, stats) => (error ? reject(error) : resolve(stats.size))),
    );
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => fs.read(this.#fd, into, 0, into.length, position, settle(resolve, reject)));
  }

  /** A small write only goes into the kernel's memory, which takes less time than another thread would to begin with it. */
  async write(bytes: Uint8Array, position: number): Promise<number> {
    if (bytes.length <= ON_LOOP_BYTES) return fs.writeSync(this.#fd, bytes, 0, bytes.length, position);
    return await new Promise((resolve, reject) =>
      fs.write(this.#fd, bytes, 0, bytes.length, position, settle(resolve, reject)),
    );
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => fs.fdatasync(this.#fd, settle(resolve, reject)));
  }

  /** A second time it does nothing: the number may be another file's by then. */
  close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd === -1) return Promise.resolve();
    return new Promise((resolve, reject) => fs.close(fd, settle(resolve, reject)));
  }
}

function settle<T>(
  resolve: (value: T) => void,
  reject: (error: Error) => void,
): (error: Error | null | undefined, value?: T) => void {
  return (error, value) => (error ? reject(error) : resolve(value as T));
}

/** Writes all of `bytes`, however many calls it takes. */
export async function writeAll(file: OpenFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const written = await file.write(done === 0 ? bytes : bytes.subarray(done), position + done);
    if (written <= 0) throw shortWrite();
    done += written;
  }
}

function shortWrite(): Error {
  return Object.assign(new Error("EIO: the file took no more bytes"), { code: "EIO" });
}

/** The whole file. */
export async function readAll(file: OpenFile): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await file.size());
  let done = 0;
  while (done < bytes.length) {
    const count = await file.read(bytes.subarray(done), done);
    if (count === 0) return bytes.subarray(0, done);
    done += count;
  }
  return bytes;
}

/** The `code` of a failed file operation, such as `ENOENT`, or "". */
export function errorCode(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : "";
}

/** True when the disk, or the user's share of it, is full. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** What a failed file operation says. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The error as what a caller of a store sees: `disk-full` or `storage-failed`, with `what` could not be done. Others stay as they are. */
export function storageError(what: string, error: unknown): OperationalError {
  if (error instanceof OperationalError) return error;
  const code = isDiskFull(error) ? "disk-full" : "storage-failed";
  return new OperationalError(code, `${what}: ${errorText(error)}`, { cause: error });
}
