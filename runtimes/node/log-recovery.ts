// What happens at the start of a server: read all segments, check that they are one chain, finish what a crash
// interrupted, make sure that what was read is durable, and hand over the place where writing goes on.
import type { LoadedLog } from "../../src/platform.ts";
import type { Entry } from "../../src/raft/types.ts";
import { OperationalError } from "../../src/types/error.ts";
import { assert } from "../../src/util/assert.ts";
import { equal } from "../../src/util/bytes.ts";
import { errorText, type FileSystem, type OpenFile, readAll, writeAll } from "./file-system.ts";
import { LogDamaged } from "./log-damaged.ts";
import {
  encodeRecord,
  type LogState,
  type Operation,
  type RecordKey,
  SEAL_BYTES,
  type SegmentHeader,
} from "./log-record.ts";
import {
  createSegment,
  readSegment,
  type ReadSegment,
  segmentName,
  segmentSequence,
  SPARE_BYTES,
  TEMPORARY,
  writeZeros,
} from "./log-segment.ts";

/** A file of the log, and the highest index of an entry in it that may still be wanted; 0 when it has none. */
export interface SegmentFile {
  sequence: number;
  path: string;
  lastIndex: number;
}

/** The log as found, and all that is needed to write on. */
export interface RecoveredLog {
  loaded: LoadedLog;
  state: LogState;
  salt: Uint8Array;
  /** Oldest first; the last is the one to write to. */
  segments: SegmentFile[];
  file: OpenFile;
  key: RecordKey;
  /** Where the segment's header ends, where the next record goes, the checksum it continues, where the zeros end. */
  bodyStart: number;
  end: number;
  chain: number;
  allocated: number;
}

export interface RecoveryOptions {
  /** How much room a new segment has. */
  allocateBytes: number;
  /** Told what was repaired. */
  notice(text: string): void;
}

/**
 * Reads the log in `dir`, which is made when it is not there.
 * @throws LogDamaged; OperationalError `storage-failed` or `disk-full` when files cannot be read or written.
 */
export async function recoverLog(fs: FileSystem, dir: string, options: RecoveryOptions): Promise<RecoveredLog> {
  await fs.makeDirectory(dir);
  const sequences = await segmentsIn(fs, dir);
  if (sequences.length === 0) return await beginLog(fs, dir, options);

  const replay = new Replay();
  const segments: SegmentFile[] = [];
  // Only the last two are kept: the others' bytes live on in the entries that are still wanted.
  let before: ReadSegment | null = null;
  let active: ReadSegment | null = null;
  for (const [i, sequence] of sequences.entries()) {
    before = active;
    active = await readOne(fs, dir, sequence, replay, before);
    const isLast = i === sequences.length - 1;
    if (before !== null) checkSeal(before, active, isLast);
    if (isLast) checkLast(dir, active, sequence);
    if (replay.wasReset) for (const older of segments) older.lastIndex = 0;
    segments.push({ sequence, path: active.path, lastIndex: replay.lastIndex });
  }
  assert(active !== null, "a log has at least one segment");
  const oldest = segments[0] as SegmentFile;
  if (replay.first > replay.state.base.index + 1) {
    const missing = `entries ${replay.state.base.index + 1} to ${replay.first - 1}`;
    throw new LogDamaged(oldest.path, 0, `the segments before it, with ${missing}, are missing`);
  }
  const file = await fs.open(active.path, "write");
  try {
    if (before !== null && active.end === active.bodyStart) await settleSeal(fs, before, options);
    await settleTail(file, active, options);
    await fs.syncDirectory(dir);
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
  const { hardState, base } = replay.state;
  return {
    loaded: { hardState: hardState && { ...hardState }, base: { ...base }, entries: tighten(replay.entries) },
    state: replay.state,
    salt: active.header.salt,
    segments,
    file,
    key: active.key,
    bodyStart: active.bodyStart,
    end: active.end,
    chain: active.chain,
    allocated: active.bytes.length,
  };
}

/** Sequence numbers of the segments, ascending, after leftovers of a crash were removed. */
async function segmentsIn(fs: FileSystem, dir: string): Promise<number[]> {
  const names = await fs.list(dir);
  for (const name of names) if (name.endsWith(TEMPORARY)) await fs.unlink(`${dir}/${name}`);
  const sequences = names.map(segmentSequence).filter((sequence) => sequence !== null);
  sequences.sort((a, b) => a - b);
  for (let i = 1; i < sequences.length; i++) {
    const expected = (sequences[i - 1] as number) + 1;
    if (sequences[i] !== expected) throw new LogDamaged(`${dir}/${segmentName(expected)}`, 0, "the file is missing");
  }
  return sequences;
}

async function beginLog(fs: FileSystem, dir: string, options: RecoveryOptions): Promise<RecoveredLog> {
  const salt = crypto.getRandomValues(new Uint8Array(8));
  const state: LogState = { hardState: null, base: { index: 0, term: 0 }, last: 0 };
  const header = { salt, sequence: 1, previousBytes: 0, state };
  const made = await createSegment(fs, dir, header, 0, options.allocateBytes);
  return {
    ...made,
    loaded: { hardState: null, base: { ...state.base }, entries: [] },
    state,
    salt,
    segments: [{ sequence: 1, path: made.path, lastIndex: 0 }],
    file: await fs.open(made.path, "write"),
    bodyStart: made.end,
  };
}

async function readOne(
  fs: FileSystem,
  dir: string,
  sequence: number,
  replay: Replay,
  before: ReadSegment | null,
): Promise<ReadSegment> {
  const path = `${dir}/${segmentName(sequence)}`;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const file = await fs.open(path, "read");
    try {
      bytes = await readAll(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new OperationalError("storage-failed", `Cannot read the Raft log: ${path}: ${errorText(error)}`, {
      cause: error,
    });
  }
  const begin = (header: SegmentHeader, previous: number): string | null => {
    if (before !== null) checkLink(before, path, header, previous);
    return replay.begin(header.state, before === null);
  };
  return readSegment(path, sequence, bytes, begin, (operation) => replay.apply(operation));
}

/** Checks that a segment with that header goes on where `before` ended, or where it is to end with the seal that a crash kept from it. */
function checkLink(before: ReadSegment, path: string, header: SegmentHeader, previous: number): void {
  if (!equal(header.salt, before.header.salt)) {
    throw new LogDamaged(path, 0, `the file is of another log than ${before.path}`);
  }
  const end = before.sealed ? before.end : before.end + SEAL_BYTES;
  const chain = before.sealed ? before.chain : sealOf(before).crc;
  if (end === header.previousBytes && chain === previous) return;
  if (before.sealed)
    throw new LogDamaged(before.path, end, `${path} does not continue it: one of them is an older copy`);
  throw unsealed(before, path, header);
}

/**
 * A segment has no seal only when a crash came between the making of the next and the sealing: then nothing was written
 * to the next one, and it is the last.
 */
function checkSeal(before: ReadSegment, segment: ReadSegment, isLast: boolean): void {
  const isUntouched = isLast && segment.end === segment.bodyStart && segment.tail.kind === "clean";
  if (!before.sealed && !isUntouched) throw unsealed(before, segment.path, segment.header);
}

function unsealed(before: ReadSegment, path: string, header: SegmentHeader): LogDamaged {
  const why = before.tail.kind === "damaged" ? `: ${before.tail.why}` : "";
  const what = `the record there is bad or missing, while ${path} says that the file had ${header.previousBytes} bytes${why}`;
  return new LogDamaged(before.path, before.end, what);
}

/** Checks the end of the log. */
function checkLast(dir: string, segment: ReadSegment, sequence: number): void {
  if (segment.sealed) throw new LogDamaged(`${dir}/${segmentName(sequence + 1)}`, 0, "the file is missing");
  if (segment.tail.kind === "damaged") {
    throw new LogDamaged(segment.path, segment.end, `the record there is bad, and ${segment.tail.why}`);
  }
  // A record is written only after the zeros behind it are durable, so no crash takes them away.
  const size = segment.bytes.length;
  const used = segment.tail.kind === "torn" ? segment.tail.end : segment.end;
  if (size - used < SPARE_BYTES) {
    throw new LogDamaged(segment.path, segment.end, `the file was cut short to ${size} bytes`);
  }
}

function sealOf(segment: ReadSegment): { bytes: Uint8Array<ArrayBuffer>; crc: number } {
  const bytes = new Uint8Array(SEAL_BYTES);
  const at = { offset: segment.end, previous: segment.chain, key: segment.key };
  return { crc: encodeRecord(bytes, [{ type: "seal" }], at), bytes };
}

/**
 * Seals the segment that the last one follows, durably: a crash may have come before the seal was written or synced. Nothing
 * is written to the last segment before.
 */
async function settleSeal(fs: FileSystem, segment: ReadSegment, options: RecoveryOptions): Promise<void> {
  const { sealed, lastRecord, end } = segment;
  const file = await fs.open(segment.path, "write");
  try {
    if (sealed) await writeAll(file, segment.bytes.subarray(lastRecord, end), lastRecord);
    else await writeAll(file, sealOf(segment).bytes, end);
    await file.datasync();
  } finally {
    await file.close();
  }
  if (!sealed) options.notice(`${segment.path}: finished the change to the next segment`);
}

/**
 * Puts zeros in place of a torn record, and makes the last good one durable: the process may have been killed before its
 * sync. It is written once more for that, because after a failed sync the kernel takes the page for clean.
 */
async function settleTail(file: OpenFile, segment: ReadSegment, options: RecoveryOptions): Promise<void> {
  const { tail, end, lastRecord } = segment;
  await writeAll(file, segment.bytes.subarray(lastRecord, end), lastRecord);
  if (tail.kind === "torn") {
    await writeZeros((zeros, position) => writeAll(file, zeros, position), end, tail.end);
    options.notice(`${segment.path}: cut ${tail.end - end} bytes of a write that had not finished, at offset ${end}`);
  }
  await file.datasync();
}

/** Follows the operations of a log from its oldest segment on. */
class Replay {
  state: LogState = { hardState: null, base: { index: 0, term: 0 }, last: 0 };
  /** Entries from index `first` on. Those before, after the base, were in segments that are not there. */
  entries: Entry[] = [];
  first = 1;
  /** The highest index that the current segment has; 0 when there is none. */
  lastIndex = 0;
  /** True when the current segment has a `reset`: nothing in those before is wanted. */
  wasReset = false;

  /** Takes the state in a segment's header; says what is wrong with it. */
  begin(state: LogState, oldest: boolean): string | null {
    this.lastIndex = 0;
    this.wasReset = false;
    if (oldest) {
      this.state = { hardState: state.hardState, base: { ...state.base }, last: state.last };
      this.first = state.last + 1;
      return null;
    }
    const { hardState, base, last } = this.state;
    const same =
      state.last === last &&
      state.base.index === base.index &&
      state.base.term === base.term &&
      state.hardState?.term === hardState?.term &&
      state.hardState?.vote === hardState?.vote;
    return same ? null : "the file's header does not agree with the segments before it";
  }

  /** Says what is wrong with the operation, which a good log never has. */
  apply(operation: Operation): string | null {
    const { state } = this;
    switch (operation.type) {
      case "append":
        if (operation.batch.hardState !== null) state.hardState = operation.batch.hardState;
        return this.#append(operation.batch.entries);
      case "base":
        if (operation.index <= state.base.index || operation.index > state.last) return "the base is out of place";
        state.base = { index: operation.index, term: operation.term };
        if (operation.index >= this.first) {
          this.entries.splice(0, operation.index + 1 - this.first);
          this.first = operation.index + 1;
        }
        return null;
      case "reset":
        state.base = { index: operation.index, term: operation.term };
        state.last = operation.index;
        this.entries = [];
        this.first = operation.index + 1;
        this.lastIndex = 0;
        this.wasReset = true;
        return null;
      case "seal":
        return null;
    }
  }

  #append(entries: readonly Entry[]): string | null {
    const start = entries[0];
    if (start === undefined) return null;
    if (start.index <= this.state.base.index || start.index > this.state.last + 1) return "the entry is out of place";
    if (start.index < this.first) {
      this.entries = [];
      this.first = start.index;
    } else {
      this.entries.length = start.index - this.first;
    }
    for (const entry of entries) this.entries.push(entry);
    this.state.last = start.index + entries.length - 1;
    this.lastIndex = Math.max(this.lastIndex, this.state.last);
    return null;
  }
}

/** Entries are views of whole files; where few are left of one, they get bytes of their own and the file's are let go. */
function tighten(entries: Entry[]): Entry[] {
  const wanted = new Map<ArrayBufferLike, number>();
  for (const { data } of entries) wanted.set(data.buffer, (wanted.get(data.buffer) ?? 0) + data.length);
  for (const [buffer, length] of wanted) {
    if (length * 2 >= buffer.byteLength) continue;
    const tight = new Uint8Array(length);
    let at = 0;
    for (const entry of entries) {
      if (entry.data.buffer !== buffer) continue;
      tight.set(entry.data, at);
      entry.data = tight.subarray(at, at + entry.data.length);
      at += entry.data.length;
    }
  }
  return entries;
}
