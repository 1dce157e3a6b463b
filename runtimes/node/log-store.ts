// The Raft log in files, for Node, Bun and Deno: an append-only stream of checksummed, chained records, cut into segments.
// `DESIGN.md` has the format, the argument why nothing that was said to be durable can be lost, and the measurements.
//
// 1. A record is one write and one sync. The next record is not written before this one is durable.
// 2. Nothing but zeros lies after the last record: durable before it was written, and at least `SPARE_BYTES` of them.
// 3. After a failed write or sync nothing is written any more, except that a full disk is undone.
import type { LoadedLog, LogBatch, LogStore } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { assert } from "../../src/util/assert.ts";
import {
  errorCode,
  errorText,
  type FileSystem,
  isDiskFull,
  nodeFileSystem,
  type OpenFile,
  storageError,
  writeAll,
} from "./file-system.ts";
import { addToGroup, emptyState, type Group, newGroup } from "./log-group.ts";
import {
  encodeRecord,
  type LogState,
  type Operation,
  operationBytes,
  recordBytes,
  type RecordKey,
  SEAL_BYTES,
} from "./log-record.ts";
import { recoverLog, type SegmentFile } from "./log-recovery.ts";
import { createSegment, SPARE_BYTES, writeZeros } from "./log-segment.ts";

export interface LogStoreOptions {
  fileSystem?: FileSystem;
  /** A segment takes no more records past this size. Small ones free space sooner, large ones change seldom. */
  segmentBytes?: number;
  /** A file grows by this much, in zeros: more means fewer, longer pauses for it. */
  allocateBytes?: number;
  /** Room that entries leave in a file, so that on a full disk terms, votes and compaction still find some. */
  reserveBytes?: number;
  /** Told in plain words what `load` repaired after a crash. */
  notice?: (text: string) => void;
}

/**
 * Opens the log in `dir`, which `load` makes when it is missing. The caller holds the data directory's lock, and does not
 * change the entries that it gave as long as they are not durable.
 */
export async function openLogStore(dir: string, options: LogStoreOptions = {}): Promise<LogStore> {
  return new FileLogStore(dir, options);
}

/** A record takes no further calls past this size. */
const GROUP_BYTES = 8 * 1024 * 1024;
/** A buffer for records is kept up to this size. */
const SCRATCH_BYTES_MAX = 1024 * 1024;

class FileLogStore implements LogStore {
  readonly #dir: string;
  readonly #fs: FileSystem;
  readonly #options: Required<Omit<LogStoreOptions, "fileSystem">>;

  #phase: "new" | "loading" | "open" | "closed" = "new";
  #failure: OperationalError | null = null;
  /** The full disk that refused entries, until entries are written again. */
  #refusal: OperationalError | null = null;
  /** What is durable, and what will be once the groups are. */
  #written: LogState = emptyState();
  #queued: LogState = this.#written;
  #groups: Group[] = [];
  #isArmed = false;
  /** The record that is being written. */
  #flight: Promise<void> | null = null;
  #deleting: Promise<void> | null = null;

  #salt: Uint8Array = new Uint8Array(0);
  #segments: SegmentFile[] = [];
  #file: OpenFile | null = null;
  #key: RecordKey = { seed: 0, trailer: 0 };
  #bodyStart = 0;
  #end = 0;
  #chain = 0;
  #allocated = 0;

  #scratch: Uint8Array<ArrayBuffer> = new Uint8Array(16 * 1024);

  constructor(dir: string, options: LogStoreOptions) {
    this.#dir = dir;
    this.#fs = options.fileSystem ?? nodeFileSystem;
    this.#options = {
      segmentBytes: options.segmentBytes ?? 16 * 1024 * 1024,
      allocateBytes: options.allocateBytes ?? 1024 * 1024,
      reserveBytes: Math.max(options.reserveBytes ?? 64 * 1024, SPARE_BYTES),
      notice: options.notice ?? (() => {}),
    };
  }

  async load(): Promise<LoadedLog> {
    assert(this.#phase === "new", "a log is loaded once");
    this.#phase = "loading";
    try {
      const recovered = await recoverLog(this.#fs, this.#dir, this.#options);
      this.#written = recovered.state;
      this.#queued = recovered.state;
      this.#salt = recovered.salt;
      this.#segments = recovered.segments;
      this.#file = recovered.file;
      this.#key = recovered.key;
      this.#bodyStart = recovered.bodyStart;
      this.#end = recovered.end;
      this.#chain = recovered.chain;
      this.#allocated = recovered.allocated;
      this.#phase = "open";
      this.#deleteSegments();
      return recovered.loaded;
    } catch (error) {
      this.#failure = storageError(`Cannot open the Raft log in ${this.#dir}`, error);
      throw this.#failure;
    }
  }

  append(batch: LogBatch): Promise<void> {
    const closed = this.#closedBy();
    if (closed !== null) return Promise.reject(closed);
    const { last, base } = this.#queued;
    const first = batch.entries[0];
    if (first !== undefined) {
      // The caller has not seen yet that what comes before was refused.
      if (first.index > last + 1 && this.#refusal !== null) return Promise.reject(this.#refusal);
      assert(first.index > base.index, `append at ${first.index}, which is compacted: the base is ${base.index}`);
      assert(first.index <= last + 1, `append at ${first.index} leaves a gap after ${last}`);
      for (let i = 1; i < batch.entries.length; i++) {
        assert(batch.entries[i]?.index === first.index + i, `entries have a gap after ${first.index + i - 1}`);
      }
    }
    return this.#enqueue({ type: "append", batch });
  }

  compact(index: number, term: number): Promise<void> {
    const closed = this.#closedBy();
    if (closed !== null) return Promise.reject(closed);
    const { last, base } = this.#queued;
    if (index <= base.index) return Promise.resolve();
    assert(index <= last, `compact to ${index}, past the last entry ${last}`);
    return this.#enqueue({ type: "base", index, term });
  }

  reset(index: number, term: number): Promise<void> {
    const closed = this.#closedBy();
    if (closed !== null) return Promise.reject(closed);
    return this.#enqueue({ type: "reset", index, term });
  }

  /** Waits for what was called before and lets go of the files. Works, and rejects nothing, after a failure too. */
  async close(): Promise<void> {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    await this.#groups.at(-1)?.promise.catch(() => {});
    await this.#flight;
    await this.#deleting;
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => {});
  }

  #closedBy(): OperationalError | null {
    if (this.#failure !== null) return this.#failure;
    if (this.#phase === "closed") return new OperationalError("shutting-down", "The Raft log is closed");
    assert(this.#phase === "open", "a log is loaded before it is written to");
    return null;
  }

  #enqueue(operation: Operation): Promise<void> {
    const bytes = operationBytes(operation);
    let group = this.#groups.at(-1);
    if (group === undefined || group.isClosed || group.payloadBytes > GROUP_BYTES) {
      group = newGroup(this.#queued);
      this.#groups.push(group);
    }
    addToGroup(group, operation, bytes);
    this.#queued = group.state;
    this.#arm();
    return group.promise;
  }

  /** Writes what is queued once this turn of the event loop has queued all of its own. */
  #arm(): void {
    if (this.#isArmed || this.#flight !== null) return;
    this.#isArmed = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => {
    this.#isArmed = false;
    const group = this.#groups[0];
    if (group === undefined || this.#failure !== null) return;
    group.isClosed = true;
    this.#flight = this.#flush(group);
  };

  /** Makes one record durable, or refuses it and all that wait, or ends the store. Never rejects. */
  async #flush(group: Group): Promise<void> {
    const size = recordBytes(group.payloadBytes);
    let step = `Cannot make room in ${this.#dir}`;
    try {
      if (this.#end + size > this.#options.segmentBytes && this.#end > this.#bodyStart) await this.#roll();
      if (this.#hasRoom(size) || (await this.#makeRoom(group, size))) {
        const file = this.#openFile();
        const crc = this.#encode(group, size);
        step = `Cannot write ${this.#path()}`;
        if (await this.#write(file, size)) {
          step = `Cannot sync ${this.#path()}`;
          await file.datasync();
          this.#flushed(group, size, crc);
        }
      } else {
        this.#refuse(size);
      }
    } catch (error) {
      this.#fail(step, error);
    }
    this.#flight = null;
    if (this.#groups.length > 0) this.#arm();
  }

  #encode(group: Group, size: number): number {
    if (this.#scratch.length < size) this.#scratch = new Uint8Array(Math.max(size, this.#scratch.length * 2));
    const at = { offset: this.#end, previous: this.#chain, key: this.#key };
    return encodeRecord(this.#scratch, group.operations, at);
  }

  #flushed(group: Group, size: number, crc: number): void {
    this.#end += size;
    this.#chain = crc;
    this.#written = group.state;
    this.#groups.shift();
    if (group.hasEntries) this.#refusal = null;
    if (this.#scratch.length > SCRATCH_BYTES_MAX) this.#scratch = new Uint8Array(16 * 1024);
    if (group.hasReset) for (const segment of this.#segments) segment.lastIndex = 0;
    const active = this.#segments.at(-1) as SegmentFile;
    active.lastIndex = Math.max(active.lastIndex, group.lastIndex);
    group.resolve();
    if (this.#segments.length > 1) this.#deleteSegments();
  }

  #hasRoom(size: number): boolean {
    return this.#end + size + this.#options.reserveBytes <= this.#allocated;
  }

  /**
   * Makes the file longer, by durable zeros, so that the record fits with the reserve behind it; false when the disk is
   * full. What may not be refused lightly, a vote or a compaction, then takes from the reserve.
   */
  async #makeRoom(group: Group, size: number): Promise<boolean> {
    const { reserveBytes, allocateBytes } = this.#options;
    const wanted = this.#end + size + reserveBytes;
    const file = this.#openFile();
    const grown = this.#allocated + Math.ceil((wanted - this.#allocated) / allocateBytes) * allocateBytes;
    try {
      await writeZeros((zeros, position) => writeAll(file, zeros, position), this.#allocated, grown);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return !group.hasEntries && this.#end + size + SPARE_BYTES <= this.#allocated;
    }
    await file.datasync();
    this.#allocated = grown;
    return true;
  }

  /** Goes on in a new segment. On a full disk it leaves things as they are: the segment then grows past its size. */
  async #roll(): Promise<void> {
    const seal = new Uint8Array(SEAL_BYTES);
    const at = { offset: this.#end, previous: this.#chain, key: this.#key };
    const previous = encodeRecord(seal, [{ type: "seal" }], at);
    const sequence = (this.#segments.at(-1) as SegmentFile).sequence + 1;
    const header = { salt: this.#salt, sequence, previousBytes: this.#end + seal.length, state: this.#written };
    let made: Awaited<ReturnType<typeof createSegment>>;
    try {
      made = await createSegment(this.#fs, this.#dir, header, previous, this.#options.allocateBytes);
    } catch (error) {
      if (isDiskFull(error)) return;
      throw error;
    }
    const old = this.#openFile();
    await writeAll(old, seal, this.#end);
    await old.datasync();
    this.#file = await this.#fs.open(made.path, "write");
    await old.close();
    this.#segments.push({ sequence, path: made.path, lastIndex: 0 });
    this.#key = made.key;
    this.#bodyStart = made.end;
    this.#end = made.end;
    this.#chain = made.chain;
    this.#allocated = made.allocated;
  }

  /** Writes the record. On a full disk it undoes what was written of it, refuses it, and returns false. */
  async #write(file: OpenFile, size: number): Promise<boolean> {
    try {
      await writeAll(file, this.#scratch.subarray(0, size), this.#end);
      return true;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
    await writeZeros((zeros, position) => writeAll(file, zeros, position), this.#end, this.#end + size);
    await file.datasync();
    this.#refuse(size);
    return false;
  }

  #refuse(size: number): void {
    const message = `No space is left for the Raft log in ${this.#dir}: ${size} bytes are needed`;
    this.#refusal = new OperationalError("disk-full", message);
    this.#rejectAll(this.#refusal);
  }

  #fail(what: string, cause: unknown): void {
    const message = `${what}: ${errorText(cause)}. What is on disk is unknown now, so this server has to stop.`;
    this.#failure ??= new OperationalError("storage-failed", message, { cause });
    this.#rejectAll(this.#failure);
  }

  /** Later calls build on the rejected ones, so all that wait are rejected. */
  #rejectAll(error: OperationalError): void {
    const groups = this.#groups;
    this.#groups = [];
    this.#queued = this.#written;
    for (const group of groups) group.reject(error);
  }

  /** Deletes segments that hold nothing wanted, oldest first and one durable deletion at a time, so that no gap can arise. */
  #deleteSegments(): void {
    if (this.#deleting !== null || this.#failure !== null || !this.#isOldestUnwanted()) return;
    this.#deleting = (async () => {
      try {
        while (this.#isOldestUnwanted() && this.#failure === null) {
          const { path } = this.#segments[0] as SegmentFile;
          await this.#fs.unlink(path).catch((error: unknown) => {
            if (errorCode(error) !== "ENOENT") throw error;
          });
          await this.#fs.syncDirectory(this.#dir);
          this.#segments.shift();
        }
      } catch (error) {
        this.#fail(`Cannot delete an old segment in ${this.#dir}`, error);
      } finally {
        this.#deleting = null;
      }
    })();
  }

  #isOldestUnwanted(): boolean {
    const oldest = this.#segments[0];
    return oldest !== undefined && this.#segments.length > 1 && oldest.lastIndex <= this.#written.base.index;
  }

  #openFile(): OpenFile {
    assert(this.#file !== null, "the log's file is open");
    return this.#file;
  }

  #path(): string {
    return this.#segments.at(-1)?.path ?? this.#dir;
  }
}
