// A disk in memory that can lose power, fail, fill up and tear writes. It keeps apart what was written and what a sync
// made durable: after `powerCut` there is what was durable and any part of the rest that one asks for.
import type { FileSystem, OpenFile } from "../../../runtimes/node/file-system.ts";

/** One thing that was done and is not durable yet. Name changes are durable by their directory's sync. */
export type Pending =
  | { kind: "write"; inode: number; position: number; bytes: Uint8Array }
  | { kind: "names"; directory: string; changes: [path: string, inode: number | null][] };

export type OperationKind =
  | "open"
  | "create"
  | "read"
  | "write"
  | "sync"
  | "list"
  | "rename"
  | "unlink"
  | "sync-directory";

/** Told of every operation before it is done. It may throw, and for a write say how many bytes are taken. */
export type Interference = (kind: OperationKind, path: string, bytes: number) => number | void;

export function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export class FaultDisk implements FileSystem {
  /** Called before each operation. */
  before: Interference | null = null;
  /** Called after each operation that could change something. */
  after: ((kind: OperationKind, path: string) => void) | null = null;
  /** Syncs take a turn of the event loop. */
  isSlow: boolean = false;
  /** The most bytes that all files may have. */
  capacity: number = Infinity;
  #files = new Map<number, Uint8Array<ArrayBuffer>>();
  #names = new Map<string, number>();
  #durableFiles = new Map<number, Uint8Array<ArrayBuffer>>();
  #durableNames = new Map<string, number>();
  #pending: Pending[] = [];
  #nextInode = 1;
  openFiles = 0;

  /** What is not durable yet, oldest first. */
  get pending(): readonly Pending[] {
    return this.#pending;
  }

  /** The disk as a power cut leaves it: what is durable, and then `survived`, in order. */
  powerCut(survived: readonly Pending[]): FaultDisk {
    const disk = new FaultDisk();
    disk.#nextInode = this.#nextInode;
    for (const [inode, bytes] of this.#durableFiles) disk.#files.set(inode, bytes.slice());
    disk.#names = new Map(this.#durableNames);
    for (const change of survived) {
      if (change.kind === "write") disk.#put(disk.#files, change.inode, change.position, change.bytes);
      else for (const [path, inode] of change.changes) setOrDelete(disk.#names, path, inode);
    }
    for (const inode of disk.#names.values()) if (!disk.#files.has(inode)) disk.#files.set(inode, new Uint8Array(0));
    disk.#settle();
    return disk;
  }

  /** A disk with everything that was written, all of it durable. */
  copy(): FaultDisk {
    return this.powerCut(this.#pending);
  }

  /** The disk as a killed process leaves it: everything that was written, durable or not as it is. */
  killed(): FaultDisk {
    const disk = new FaultDisk();
    disk.#nextInode = this.#nextInode;
    for (const [inode, bytes] of this.#files) disk.#files.set(inode, bytes.slice());
    for (const [inode, bytes] of this.#durableFiles) disk.#durableFiles.set(inode, bytes.slice());
    disk.#names = new Map(this.#names);
    disk.#durableNames = new Map(this.#durableNames);
    disk.#pending = [...this.#pending];
    return disk;
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** A file's bytes, to be changed at will, or undefined. */
  file(path: string): Uint8Array<ArrayBuffer> | undefined {
    const inode = this.#names.get(path);
    return inode === undefined ? undefined : this.#files.get(inode);
  }

  /** Replaces or makes a file, durably; null deletes it. */
  setFile(path: string, bytes: Uint8Array | null): void {
    this.#names.delete(path);
    if (bytes !== null) {
      const inode = this.#nextInode++;
      this.#files.set(inode, new Uint8Array(bytes));
      this.#names.set(path, inode);
    }
    this.#settle();
  }

  /** Makes all that there is durable. */
  #settle(): void {
    this.#durableNames = new Map(this.#names);
    this.#durableFiles = new Map();
    for (const [inode, bytes] of this.#files) this.#durableFiles.set(inode, bytes.slice());
    this.#pending = [];
  }

  async makeDirectory(): Promise<void> {}

  async list(path: string): Promise<string[]> {
    this.#begin("list", path);
    return [...this.#names.keys()]
      .filter((name) => directoryOf(name) === path)
      .map((name) => name.slice(path.length + 1));
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<OpenFile> {
    this.#begin(mode === "create" ? "create" : "open", path);
    let inode = this.#names.get(path);
    if (mode === "create") {
      // A new inode, also for a file that is there: the old content is of no interest to what is tested here.
      inode = this.#nextInode++;
      this.#files.set(inode, new Uint8Array(0));
      this.#rename([[path, inode]]);
      this.after?.("create", path);
    }
    if (inode === undefined) throw diskError("ENOENT");
    this.openFiles += 1;
    return new FaultFile(this, inode, path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#begin("rename", to);
    const inode = this.#names.get(from);
    if (inode === undefined) throw diskError("ENOENT");
    this.#rename([
      [from, null],
      [to, inode],
    ]);
    this.after?.("rename", to);
  }

  async unlink(path: string): Promise<void> {
    this.#begin("unlink", path);
    if (!this.#names.has(path)) throw diskError("ENOENT");
    this.#rename([[path, null]]);
    this.after?.("unlink", path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#begin("sync-directory", path);
    for (const change of this.#pending) {
      if (change.kind !== "names" || change.directory !== path) continue;
      for (const [name, inode] of change.changes) setOrDelete(this.#durableNames, name, inode);
    }
    this.#pending = this.#pending.filter((change) => change.kind !== "names" || change.directory !== path);
    this.after?.("sync-directory", path);
  }

  size(inode: number): number {
    return this.#files.get(inode)?.length ?? 0;
  }

  read(inode: number, path: string, into: Uint8Array, position: number): number {
    this.#begin("read", path);
    const piece = (this.#files.get(inode) as Uint8Array).subarray(position, position + into.length);
    into.set(piece);
    return piece.length;
  }

  write(inode: number, path: string, bytes: Uint8Array, position: number): number {
    const told = this.#begin("write", path, bytes.length);
    const growth = Math.max(0, position + bytes.length - this.size(inode));
    const room = Math.max(0, this.capacity - this.#used());
    const fits = growth <= room ? bytes.length : Math.max(0, bytes.length - (growth - room));
    if (fits === 0 && bytes.length > 0) throw diskError("ENOSPC");
    const count = Math.min(told, fits);
    const taken = bytes.slice(0, count);
    this.#put(this.#files, inode, position, taken);
    this.#pending.push({ kind: "write", inode, position, bytes: taken });
    this.after?.("write", path);
    return count;
  }

  sync(inode: number, path: string): void {
    this.#begin("sync", path);
    this.#durableFiles.set(inode, (this.#files.get(inode) as Uint8Array<ArrayBuffer>).slice());
    this.#pending = this.#pending.filter((change) => change.kind !== "write" || change.inode !== inode);
    this.after?.("sync", path);
  }

  #begin(kind: OperationKind, path: string, bytes = 0): number {
    return this.before?.(kind, path, bytes) ?? bytes;
  }

  #used(): number {
    let used = 0;
    for (const inode of new Set(this.#names.values())) used += this.size(inode);
    return used;
  }

  #put(files: Map<number, Uint8Array<ArrayBuffer>>, inode: number, position: number, bytes: Uint8Array): void {
    let file = files.get(inode) ?? new Uint8Array(0);
    if (position + bytes.length > file.length) {
      const grown = new Uint8Array(position + bytes.length);
      grown.set(file);
      file = grown;
      files.set(inode, file);
    }
    file.set(bytes, position);
  }

  #rename(changes: [string, number | null][]): void {
    for (const [path, inode] of changes) setOrDelete(this.#names, path, inode);
    this.#pending.push({ kind: "names", directory: directoryOf((changes[0] as [string, null])[0]), changes });
  }
}

class FaultFile implements OpenFile {
  readonly #disk: FaultDisk;
  readonly #inode: number;
  readonly #path: string;
  #isOpen = true;

  constructor(disk: FaultDisk, inode: number, path: string) {
    this.#disk = disk;
    this.#inode = inode;
    this.#path = path;
  }

  async size(): Promise<number> {
    return this.#disk.size(this.#use());
  }
  async read(into: Uint8Array, position: number): Promise<number> {
    return this.#disk.read(this.#use(), this.#path, into, position);
  }
  async write(bytes: Uint8Array, position: number): Promise<number> {
    return this.#disk.write(this.#use(), this.#path, bytes, position);
  }
  async datasync(): Promise<void> {
    if (this.#disk.isSlow) await new Promise((resolve) => setImmediate(resolve));
    this.#disk.sync(this.#use(), this.#path);
  }
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#disk.openFiles -= 1;
  }
  #use(): number {
    if (!this.#isOpen) throw diskError("EBADF");
    return this.#inode;
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function setOrDelete(names: Map<string, number>, path: string, inode: number | null): void {
  if (inode === null) names.delete(path);
  else names.set(path, inode);
}
