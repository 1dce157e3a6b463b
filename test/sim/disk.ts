// The simulated disk of one machine: a log and blobs that survive the process, as `LogStore` and `Blobs` of platform.ts
// promise and no better. What was not synced may be gone after a crash, in whole batches from the end; a sync takes a
// while, sometimes a long one; the disk may be full, or fail; and what is stored may turn out damaged when it is read.
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import type { BlobWriter, Blobs, LoadedLog, LogBatch, LogStore } from "../../src/platform.ts";
import type { HardState } from "../../src/raft/types.ts";
import { OperationalError } from "../../src/types/error.ts";
import { concat } from "../../src/util/bytes.ts";
import type { Random } from "../../src/util/random.ts";
import type { EventQueue } from "./event-queue.ts";
import { between, chance } from "./streams.ts";

/** A log that can be looked into without a promise: what would survive a power cut now. */
export class DurableLog extends MemoryLogStore {
  hardState: HardState | null = null;
  baseIndex = 0;
  #baseTerm = 0;
  #terms: number[] = [];

  get lastIndex(): number {
    return this.baseIndex + this.#terms.length;
  }

  /** The term of the entry at `index`; null when it is not there. */
  termAt(index: number): number | null {
    return index === this.baseIndex ? this.#baseTerm : (this.#terms[index - this.baseIndex - 1] ?? null);
  }

  override append(batch: LogBatch): void {
    super.append(batch);
    const [first] = batch.entries;
    if (first !== undefined) this.#terms.length = first.index - this.baseIndex - 1;
    for (const { term } of batch.entries) this.#terms.push(term);
    if (batch.hardState !== null) this.hardState = { ...batch.hardState };
  }

  override compact(index: number, term: number): void {
    super.compact(index, term);
    if (index <= this.baseIndex) return;
    this.#terms.splice(0, index - this.baseIndex);
    this.baseIndex = index;
    this.#baseTerm = term;
  }

  override reset(index: number, term: number): void {
    super.reset(index, term);
    this.#terms = [];
    this.baseIndex = index;
    this.#baseTerm = term;
  }
}

/** One call of the log that is not durable yet. */
interface Operation {
  readonly hasEntries: boolean;
  /** Entries and records in it: more than one can be torn. */
  readonly size: number;
  apply(store: MemoryLogStore): void;
  resolve(): void;
  reject(error: OperationalError): void;
}

/** What the disk is made with. */
export interface DiskOptions {
  readonly events: EventQueue;
  readonly random: Random;
  /** How long a sync takes: from and to. */
  readonly syncMs: readonly [number, number];
  fired(kind: string): void;
}

/** How long blobs take. */
const BLOB_MS: readonly [number, number] = [0.1, 2];

/** What the disk does wrong at the moment. */
interface DiskFaults {
  /** Every sync takes this much longer. */
  slowMs: number;
  /** No sync ends before. */
  stallUntilMs: number;
  full: boolean;
  /** The next sync fails. */
  failsNextSync: boolean;
  /** Snapshots cannot be written. */
  refusesBlobs: boolean;
  /** What was not synced is lost at a crash; else the crash leaves it. */
  loses: boolean;
}

const healthy = (): DiskFaults => ({
  slowMs: 0,
  stallUntilMs: 0,
  full: false,
  failsNextSync: false,
  refusesBlobs: false,
  loses: false,
});

export class SimDisk {
  faults: DiskFaults = healthy();
  /** What `load` says when the log is read; null when it is whole. */
  damage: string | null = null;
  /** A blob was lost or damaged: that may or may not be in the way of the next start. */
  isSuspect = false;
  /** Everything is gone, and the server does not know. */
  isWiped = false;
  /** Called at the next write to the log. */
  onWrite: (() => void) | null = null;
  readonly #options: DiskOptions;
  #log = new DurableLog();
  #blobs = new MemoryBlobs();
  /** Under way: synced together, and what waits for the next sync. */
  #flight: Operation[] = [];
  #waiting: Operation[] = [];
  /** After a failed sync nothing more is written in this life. */
  #failure: OperationalError | null = null;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  /** The stores of one life; `run` lets something happen in it, if it is not over. */
  open(run: (then: () => void) => void): { log: LogStore; blobs: Blobs } {
    this.#failure = null;
    return { log: new LifeLog(this, run), blobs: new LifeBlobs(this, run) };
  }

  /** What is durable of the log. */
  get durable(): DurableLog {
    return this.#log;
  }

  /** True when something is written and not synced. */
  get isBusy(): boolean {
    return this.#flight.length > 0;
  }

  /** An error of the storage is no surprise in this life. */
  get isExcused(): boolean {
    return this.#failure !== null || this.isLost;
  }

  /** Something that was durable is gone: only a new beginning helps. */
  get isLost(): boolean {
    return this.damage !== null || this.isSuspect || this.isWiped;
  }

  /** The process dies, or the power goes: what was not synced is lost from some batch on. */
  crash(): void {
    const { random, fired } = this.#options;
    const unsynced = [...this.#flight, ...this.#waiting];
    this.#flight = [];
    this.#waiting = [];
    this.onWrite = null;
    if (unsynced.length === 0) return;
    const kept = this.faults.loses ? random.below(unsynced.length + 1) : unsynced.length;
    for (const operation of unsynced.slice(0, kept)) operation.apply(this.#log);
    if (kept === unsynced.length) return;
    fired("disk-lost-writes");
    // A batch of several records of which only some were written: none of it is there.
    if ((unsynced[kept] as Operation).size > 1) fired("disk-torn-batch");
  }

  /** Everything is gone. */
  wipe(): void {
    this.crash();
    this.#log = new DurableLog();
    this.#blobs = new MemoryBlobs();
    this.damage = null;
    this.faults = healthy();
    this.isWiped = true;
  }

  heal(): void {
    this.faults = healthy();
  }

  /** Names of the snapshots, oldest first. */
  snapshots(): Promise<string[]> {
    return this.#blobs.list("snapshots/");
  }

  /** A blob is found to hold something else, or nothing. */
  async misdirect(name: string, random: Random): Promise<void> {
    const bytes = await this.#blobs.read(name);
    if (bytes === null) return;
    if (chance(random, 0.5)) await this.#blobs.write(name, bytes.subarray(0, random.below(bytes.length)));
    else {
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      await this.#blobs.write(name, bytes);
    }
  }

  async lose(name: string): Promise<void> {
    await this.#blobs.delete(name);
  }

  // ---------------------------------------------------------------------------------------- what the stores call

  load(run: (then: () => void) => void): Promise<LoadedLog> {
    return new Promise((resolve, reject) => {
      this.#options.events.after(between(this.#options.random, ...BLOB_MS), () =>
        run(() => {
          if (this.damage !== null) {
            this.#options.fired("disk-damage-found");
            reject(new OperationalError("storage-failed", `The Raft log is damaged: ${this.damage}`));
          } else this.#log.load().then(resolve, reject);
        }),
      );
    });
  }

  write(
    run: (then: () => void) => void,
    hasEntries: boolean,
    size: number,
    apply: (store: MemoryLogStore) => void,
  ): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ hasEntries, size, apply, resolve, reject });
      const told = this.onWrite;
      this.onWrite = null;
      told?.();
      if (this.#flight.length === 0) this.#sync(run);
    });
  }

  #sync(run: (then: () => void) => void): void {
    const { events, random, syncMs } = this.#options;
    this.#flight = this.#waiting;
    this.#waiting = [];
    const { slowMs, stallUntilMs } = this.faults;
    const ms = between(random, ...syncMs) + slowMs;
    events.at(Math.max(events.now + ms, stallUntilMs), () => run(() => this.#synced(run)));
  }

  #synced(run: (then: () => void) => void): void {
    const { random, fired } = this.#options;
    const flight = this.#flight;
    this.#flight = [];
    if (this.faults.failsNextSync) {
      this.faults.failsNextSync = false;
      fired("disk-sync-error");
      this.#failure = new OperationalError("storage-failed", "Cannot sync the Raft log: EIO");
      const written = random.below(flight.length + 1);
      for (const operation of flight.slice(0, written)) operation.apply(this.#log);
      this.#rejectAll([...flight, ...this.#waiting], this.#failure);
      return;
    }
    // What is no entry takes from the reserve.
    if (this.faults.full && flight.some(({ hasEntries }) => hasEntries)) {
      fired("disk-full");
      const rejected = [...flight, ...this.#waiting];
      this.#rejectAll(rejected, new OperationalError("disk-full", "No space is left for the Raft log"));
      return;
    }
    for (const operation of flight) operation.apply(this.#log);
    for (const operation of flight) operation.resolve();
    if (this.#waiting.length > 0) this.#sync(run);
  }

  #rejectAll(operations: readonly Operation[], error: OperationalError): void {
    this.#waiting = [];
    for (const operation of operations) operation.reject(error);
  }

  /** Does something with the blobs after a while. */
  blob<T>(run: (then: () => void) => void, isWrite: boolean, use: (blobs: MemoryBlobs) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#options.events.after(between(this.#options.random, ...BLOB_MS), () =>
        run(() => {
          if (isWrite && this.faults.refusesBlobs) {
            this.#options.fired("disk-snapshot-refused");
            reject(new OperationalError("disk-full", "No space is left for blobs"));
          } else use(this.#blobs).then(resolve, reject);
        }),
      );
    });
  }
}

class LifeLog implements LogStore {
  readonly #disk: SimDisk;
  readonly #run: (then: () => void) => void;

  constructor(disk: SimDisk, run: (then: () => void) => void) {
    this.#disk = disk;
    this.#run = run;
  }

  load(): Promise<LoadedLog> {
    return this.#disk.load(this.#run);
  }

  append(batch: LogBatch): Promise<void> {
    const { entries, hardState } = batch;
    const size = entries.length + (hardState === null ? 0 : 1);
    return this.#disk.write(this.#run, entries.length > 0, size, (store) => store.append(batch));
  }

  compact(index: number, term: number): Promise<void> {
    return this.#disk.write(this.#run, false, 1, (store) => store.compact(index, term));
  }

  reset(index: number, term: number): Promise<void> {
    return this.#disk.write(this.#run, false, 1, (store) => store.reset(index, term));
  }

  async close(): Promise<void> {}
}

class LifeBlobs implements Blobs {
  readonly #disk: SimDisk;
  readonly #run: (then: () => void) => void;

  constructor(disk: SimDisk, run: (then: () => void) => void) {
    this.#disk = disk;
    this.#run = run;
  }

  read(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#disk.blob(this.#run, false, (blobs) => blobs.read(name));
  }

  write(name: string, bytes: Uint8Array): Promise<void> {
    const own = bytes.slice();
    return this.#disk.blob(this.#run, true, (blobs) => blobs.write(name, own));
  }

  list(prefix: string): Promise<string[]> {
    return this.#disk.blob(this.#run, false, (blobs) => blobs.list(prefix));
  }

  delete(name: string): Promise<void> {
    return this.#disk.blob(this.#run, false, (blobs) => blobs.delete(name));
  }

  open(name: string): Promise<AsyncIterable<Uint8Array> | null> {
    return this.#disk.blob(this.#run, false, (blobs) => blobs.open(name));
  }

  async create(name: string): Promise<BlobWriter> {
    await this.#disk.blob(this.#run, true, async () => {});
    const chunks: Uint8Array[] = [];
    return {
      write: async (chunk) => void chunks.push(chunk.slice()),
      commit: () => this.write(name, concat(chunks)),
      abort: async () => void chunks.splice(0),
    };
  }
}
