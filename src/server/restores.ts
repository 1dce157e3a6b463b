// Whole states put in place of the store, through the log, so that every server does it at the same entry.
import type { Timers } from "../host/timers.ts";
import type { Command } from "../state/command.ts";
import type { StateStore } from "../state/store.ts";
import { decodeInSlices, SnapshotDecoder } from "./snapshots.ts";

/** The entry of a restore: the bytes are those of a snapshot file. */
export interface Restore {
  type: "server.restore";
  snapshot: Uint8Array;
}

/** What entries of the log hold. */
export type LoggedCommand = Command | Restore;

/** Makes restores and the stores that they mean. */
export class Restores {
  /** The stores of restores that this server proposed: built before they were, so that applying them takes no time. */
  readonly #prepared = new WeakMap<Restore, StateStore>();

  /** @throws OperationalError when the snapshot is damaged: here rather than on every server once it is in the log. */
  async prepare(timers: Timers, snapshot: Uint8Array): Promise<Restore> {
    const { store } = await decodeInSlices(timers, snapshot);
    const restore: Restore = { type: "server.restore", snapshot };
    this.#prepared.set(restore, store);
    return restore;
  }

  /** The store that a committed restore brings. */
  storeOf(restore: Restore): StateStore {
    const prepared = this.#prepared.get(restore);
    if (prepared !== undefined) return prepared;
    const decoder = new SnapshotDecoder();
    decoder.push(restore.snapshot);
    return decoder.finish().store;
  }
}
