// Snapshots of the store on durable storage: written in slices while writes go on, from a view that they do not move;
// checked as a whole before they are believed; the newest two are kept. The file is framed as codec/frame.ts says; its
// first record says where in the log it stands, the others are those of state/snapshot.ts.
import { FrameReader, FrameWriter } from "../codec/frame.ts";
import { decode, encode } from "../codec/value.ts";
import type { Timers } from "../host/timers.ts";
import type { Blobs } from "../platform.ts";
import type { SnapshotPoint } from "../raft/types.ts";
import type { SnapshotRecord, StateSnapshot } from "../state/snapshot.ts";
import { StateRestorer, type StateStore } from "../state/store.ts";
import { OperationalError } from "../types/error.ts";

const PREFIX = "snapshots/";
const KEPT = 2;
/** Bytes of records gathered into one frame. */
const FRAME_BYTES = 256 * 1024;
/** How many records are encoded before the loop gets its turn: about two milliseconds' work. */
const SLICE_RECORDS = 2000;

/** A snapshot that was read back. */
export interface LoadedSnapshot {
  point: SnapshotPoint;
  store: StateStore;
}

/** A name that sorts as the index does. */
const nameOf = (point: SnapshotPoint): string => `${PREFIX}${String(point.index).padStart(16, "0")}-${point.term}.snap`;

const NAME = /^snapshots\/(\d{16})-(\d{1,16})\.snap$/;

/** Where the snapshot of that name stands. @throws OperationalError `invalid-request` when it is none. */
export function placeOf(name: string): { index: number; term: number } {
  const [, index, term] = (typeof name === "string" ? NAME.exec(name) : null) ?? [];
  if (index === undefined || term === undefined)
    throw new OperationalError("invalid-request", "not the name of a snapshot");
  return { index: Number(index), term: Number(term) };
}

/** The name of the newest snapshot, or null. */
export async function newestSnapshot(blobs: Blobs): Promise<string | null> {
  return (await blobs.list(PREFIX)).at(-1) ?? null;
}

/** Deletes all snapshots of `index`. */
export async function deleteSnapshot(blobs: Blobs, index: number): Promise<void> {
  for (const name of await blobs.list(PREFIX)) if (placeOf(name).index === index) await blobs.delete(name);
}

/** Deletes all but the newest two. */
export async function pruneSnapshots(blobs: Blobs): Promise<void> {
  const names = await blobs.list(PREFIX);
  for (const old of names.slice(0, Math.max(0, names.length - KEPT))) await blobs.delete(old);
}

/** Writes a snapshot; it is durable when this resolves. Older ones go, save one. */
export async function saveSnapshot(
  blobs: Blobs,
  timers: Timers,
  point: SnapshotPoint,
  view: StateSnapshot,
): Promise<void> {
  const name = nameOf(point);
  const file = await blobs.create(name);
  try {
    for await (const chunk of encodeSnapshot(timers, point, view)) await file.write(chunk);
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
  await pruneSnapshots(blobs);
}

/** The newest snapshot that is whole, or null. A damaged one is told to `damaged` and passed over. */
export async function loadSnapshot(
  blobs: Blobs,
  damaged: (name: string, error: unknown) => void,
): Promise<LoadedSnapshot | null> {
  const names = await blobs.list(PREFIX);
  for (const name of names.reverse()) {
    const chunks = await blobs.open(name);
    if (chunks === null) continue;
    try {
      return await decodeSnapshot(chunks);
    } catch (error) {
      damaged(name, error);
    }
  }
  return null;
}

/** The bytes of a snapshot, a slice at a time. */
export async function* encodeSnapshot(
  timers: Timers,
  point: SnapshotPoint,
  view: StateSnapshot,
): AsyncGenerator<Uint8Array> {
  const writer = new FrameWriter();
  let batch: unknown[] = [point];
  let bytes = 0;
  let sinceTurn = 0;
  for (const record of view.records()) {
    batch.push(record);
    bytes += sizeOf(record);
    if (bytes >= FRAME_BYTES) {
      yield writer.push(encode(batch));
      batch = [];
      bytes = 0;
    }
    if (++sinceTurn >= SLICE_RECORDS) {
      sinceTurn = 0;
      await new Promise<void>((resolve) => timers.after(0, resolve));
    }
  }
  if (batch.length > 0) yield writer.push(encode(batch));
  yield writer.finish();
}

/** @throws OperationalError when the bytes are not a whole snapshot. */
async function decodeSnapshot(chunks: AsyncIterable<Uint8Array>): Promise<LoadedSnapshot> {
  const decoder = new SnapshotDecoder();
  for await (const chunk of chunks) decoder.push(chunk);
  return decoder.finish();
}

/** The same of bytes at hand, a slice at a time. @throws OperationalError when they are not a whole snapshot. */
export async function decodeInSlices(timers: Timers, snapshot: Uint8Array): Promise<LoadedSnapshot> {
  const decoder = new SnapshotDecoder();
  for (let at = 0; at < snapshot.length; at += FRAME_BYTES) {
    decoder.push(snapshot.subarray(at, at + FRAME_BYTES));
    await new Promise<void>((resolve) => timers.after(0, resolve));
  }
  return decoder.finish();
}

/** Takes the bytes of a snapshot as they come. Every method throws OperationalError when they are not a whole snapshot. */
export class SnapshotDecoder {
  readonly #reader = new FrameReader();
  readonly #restorer = new StateRestorer();
  #point: SnapshotPoint | null = null;

  push(chunk: Uint8Array): void {
    for (const frame of this.#reader.push(chunk)) {
      const batch = decode(frame) as unknown[];
      const from = this.#point === null ? 1 : 0;
      if (this.#point === null) this.#point = batch[0] as SnapshotPoint;
      for (let at = from; at < batch.length; at++) this.#restorer.add(batch[at] as SnapshotRecord);
    }
  }

  finish(): LoadedSnapshot {
    this.#reader.finish();
    if (this.#point === null) throw new OperationalError("invalid-request", "the snapshot is empty");
    return { point: this.#point, store: this.#restorer.finish() };
  }
}

/** A rough size, enough to cut frames by. */
function sizeOf(record: SnapshotRecord): number {
  return record.table === "kv" ? 64 + record.record.Key.length + record.record.Value.length : 512;
}
