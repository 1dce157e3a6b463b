// The platform of a Durable Object. While something is asked of it, its one timer is `setTimeout`; a pending one would keep
// the object in memory, and billed, for ever, so when it has been idle for a moment that timer is dropped, and the
// object's one alarm stands for what must happen all the same.
import { atLeast, formatText } from "../../src/agent/logs.ts";
import type { LogLevel, Platform, ReportEvent } from "../../src/platform.ts";
import { SqlBlobs } from "./blobs.ts";
import { SqlLogStore } from "./log-store.ts";
import type { ObjectNamespace, ObjectStorage } from "./object-state.ts";
import { noPeers, toObject } from "./peers.ts";
import { createTables, writeMeta } from "./schema.ts";
import { SqlTables } from "./tables.ts";

/** What it is made with. */
export interface ObjectPlatformOptions {
  storage: ObjectStorage;
  /** The objects of the Worker, by the names of their datacenters. */
  objects: ObjectNamespace;
  /** Called when the timer goes off. */
  wake(): void;
  /** Calls under way have begun or ended: `busy` says whether there are any. */
  busyChanged(): void;
}

/** Timers longer than this overflow `setTimeout`; waking early is harmless. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The platform of one object, and of one instance of it. */
export class ObjectPlatform implements Platform {
  readonly log: SqlLogStore;
  readonly blobs: SqlBlobs;
  readonly tables: SqlTables;
  readonly peers: Platform["peers"] = noPeers;
  readonly report: (event: ReportEvent) => void;
  /** What is less is not shown. */
  logLevel: LogLevel = "warn";
  readonly #options: ObjectPlatformOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at: number | null = null;
  #isAwake = true;
  #calls = 0;
  #barriers = 0;
  /** When the alarm is set to go off, in epoch milliseconds; undefined until that is known. */
  #alarmAt: number | null | undefined;

  constructor(options: ObjectPlatformOptions) {
    this.#options = options;
    const { storage } = options;
    createTables(storage.sql);
    this.log = new SqlLogStore(storage);
    this.blobs = new SqlBlobs(storage);
    this.tables = new SqlTables(storage);
    this.report = (event) => {
      if (event.type === "log" && atLeast(event.level, this.logLevel)) console.log(formatText(event, Date.now()));
    };
  }

  now(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }

  random(length: number): Uint8Array<ArrayBuffer> {
    return crypto.getRandomValues(new Uint8Array(length));
  }

  wakeAt(at: number | null): void {
    this.#at = at;
    if (this.#isAwake) this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#at === null) return;
    const delay = Math.max(0, Math.ceil(this.#at - performance.now()));
    this.#timer = setTimeout(() => this.#options.wake(), Math.min(delay, TIMER_MAX_MS));
  }

  /** Moves the alarm forward to `at` (monotonic ms), if it is set for later or not at all: an early one is harmless. */
  alarmAt(at: number | null): void {
    if (at === null || this.#alarmAt === undefined) return;
    const wall = Math.max(Date.now() + 1, Math.ceil(Date.now() + at - performance.now()));
    if (this.#alarmAt !== null && this.#alarmAt <= wall) return;
    this.#alarmAt = wall;
    void this.#options.storage.setAlarm(wall);
  }

  /** Reads when the alarm is set for. */
  async readAlarm(): Promise<void> {
    this.#alarmAt = await this.#options.storage.getAlarm();
  }

  /** The alarm has gone off: it is not set any more. */
  alarmRang(): void {
    this.#alarmAt = null;
  }

  /** Calls to others are under way. */
  get busy(): boolean {
    return this.#calls > 0;
  }

  async fetch(request: Request): Promise<Response> {
    this.#calls += 1;
    if (this.#calls === 1) this.#options.busyChanged();
    try {
      return await (toObject(this.#options.objects, request) ?? fetch(request));
    } finally {
      this.#calls -= 1;
      if (this.#calls === 0) this.#options.busyChanged();
    }
  }

  /** Drops the timer, so that the object may be put to sleep. */
  pause(): void {
    this.#isAwake = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Sets the timer again. */
  resume(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#arm();
  }

  /**
   * Writes, so that the answer to what is asked now leaves only if this instance still owns the object: what is read from
   * memory does not prove it.
   */
  barrier(): void {
    writeMeta(this.#options.storage.sql, "barrier", ++this.#barriers);
  }
}
