// A log on a `FaultDisk`, small enough to try everything that can happen to it.
import assert from "node:assert/strict";
import { type LogStoreOptions, openLogStore } from "../../../runtimes/node/log-store.ts";
import type { LoadedLog, LogStore } from "../../../src/platform.ts";
import type { FaultDisk } from "./fault-disk.ts";
import { type Call, callStore, entry, printLog } from "./log-model.ts";

export const DIR = "/raft";

/** Segments of a few records. */
export const SMALL: LogStoreOptions = { segmentBytes: 1024, allocateBytes: 512, reserveBytes: 128 };

export async function openOn(
  disk: FaultDisk,
  options: LogStoreOptions = {},
): Promise<{ store: LogStore; loaded: LoadedLog }> {
  const store = await openLogStore(DIR, { ...SMALL, ...options, fileSystem: disk });
  try {
    return { store, loaded: await store.load() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Loads what is on the disk and, when that works, sees that one can write on: a log that was repaired has to be whole. */
export async function loadAndGoOn(disk: FaultDisk, options: LogStoreOptions = {}): Promise<LoadedLog> {
  const { store, loaded } = await openOn(disk, options);
  const next = entry(loaded.base.index + loaded.entries.length + 1, 99, "goes on");
  await store.append({ entries: [next], hardState: { term: 99, vote: "goes on" } });
  await store.close();
  const again = await openOn(disk, options);
  await again.store.close();
  assert.equal(disk.openFiles, 0, "files were left open");
  const expected = { base: loaded.base, entries: [...loaded.entries, next], hardState: { term: 99, vote: "goes on" } };
  assert.equal(printLog(again.loaded), printLog(expected));
  return loaded;
}

/** Makes the calls one after the other, each durable before the next. */
export async function makeCalls(disk: FaultDisk, calls: readonly Call[], options: LogStoreOptions = {}): Promise<void> {
  const { store } = await openOn(disk, options);
  for (const call of calls) await callStore(store, call);
  await store.close();
}

/** Text of that length that no part of is zero, and no two are alike. */
export function filler(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => 1 + ((i * 31 + seed * 17 + ((i * seed) >> 3)) % 255));
}
