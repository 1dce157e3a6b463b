// When a server takes a snapshot of its own store, so that the log before it may go: one at a time, when the log has
// outgrown the threshold and the last one is not too recent.
import type { Timer, Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { SnapshotPoint } from "../raft/types.ts";
import type { StateStore } from "../state/store.ts";
import type { ServerInstruments } from "./instruments.ts";
import type { ServerOptions } from "./server-options.ts";
import { saveSnapshot } from "./snapshots.ts";

/** A log that has outgrown its threshold this many times is compacted however recent the last snapshot is. */
const THRESHOLD_FACTOR_MAX = 8;

/** What it needs of the server. */
export interface SnapshotTakerHost {
  readonly platform: Pick<Platform, "now" | "blobs">;
  readonly timers: Timers;
  readonly options: Pick<ServerOptions, "snapshotThreshold" | "snapshotIntervalMs" | "log">;
  readonly instruments: ServerInstruments;
  /** Entries applied since the last snapshot. */
  grown(): number;
  /** Where the store stands now. */
  point(): SnapshotPoint;
  state(): StateStore;
  /** The state is on storage: what is applied needs no snapshot. */
  readonly isStored: boolean;
  /** A snapshot is durable. */
  taken(point: SnapshotPoint): void;
}

/** Takes them. */
export class SnapshotTaker {
  readonly #host: SnapshotTakerHost;
  #busy = false;
  #timer: Timer | null = null;

  constructor(host: SnapshotTakerHost) {
    this.#host = host;
  }

  start(): void {
    const { timers, options } = this.#host;
    if (this.#host.isStored) return;
    this.#timer = timers.after(options.snapshotIntervalMs, () => {
      this.start();
      if (this.#host.grown() >= options.snapshotThreshold) void this.take();
    });
  }

  stop(): void {
    this.#host.timers.cancel(this.#timer);
  }

  /** An entry was applied. */
  applied(): void {
    const { isStored, options } = this.#host;
    const factor = isStored ? 1 : THRESHOLD_FACTOR_MAX;
    if (this.#host.grown() >= options.snapshotThreshold * factor) void this.take();
  }

  /** Takes one now, unless one is being taken. Failures are logged. */
  async take(): Promise<void> {
    if (this.#busy) return;
    if (this.#host.isStored) {
      this.#host.taken(this.#host.point());
      return;
    }
    this.#busy = true;
    const { platform, timers, instruments, options } = this.#host;
    try {
      const point = this.#host.point();
      const startedMs = platform.now();
      const view = this.#host.state().snapshot();
      const createdMs = platform.now();
      await saveSnapshot(platform.blobs, timers, point, view);
      const endedMs = platform.now();
      this.#host.taken(point);
      instruments.snapshotCreated.add(createdMs - startedMs);
      instruments.snapshotPersisted.add(endedMs - createdMs);
      instruments.snapshotTaken.add(endedMs - startedMs);
      options.log("info", "snapshot complete up to index", { index: point.index, ms: Math.round(endedMs - startedMs) });
    } catch (error) {
      options.log("error", "failed to take snapshot; the log is kept until one succeeds", { error });
    } finally {
      this.#busy = false;
    }
  }
}
