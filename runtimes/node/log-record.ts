// The log's records: how they lie in a file, what operations they carry, and how a bad one is judged. A record is one
// write followed by one sync, so the next record is never written before this one is durable; that is what tells a torn
// write from damage. All numbers are little-endian; `DESIGN.md` draws the layout.
import type { LogBatch } from "../../src/platform.ts";
import type { Entry, EntryKind, HardState } from "../../src/raft/types.ts";
import { assert } from "../../src/util/assert.ts";
import { text, utf8 } from "../../src/util/bytes.ts";
import { crc32c } from "../../src/util/crc32c.ts";

/** One thing that happens to the log. `seal` ends a segment; the rest are calls of `LogStore`. */
export type Operation =
  | { type: "append"; batch: LogBatch }
  | { type: "base"; index: number; term: number }
  | { type: "reset"; index: number; term: number }
  | { type: "seal" };

/** What the log holds at a place in the stream, save the entries themselves. */
export interface LogState {
  hardState: HardState | null;
  base: { index: number; term: number };
  /** Index of the last entry, or of the base when there is none. */
  last: number;
}

/** The first record of a segment. With `state` a segment can be the oldest one, whatever was deleted before it. */
export interface SegmentHeader {
  /** Random, the same in all segments of one log. */
  salt: Uint8Array;
  /** 1 for the first segment ever, without gaps. */
  sequence: number;
  /** How long the segment before was, with its seal; 0 when this is the first. */
  previousBytes: number;
  state: LogState;
}

/** What records of one segment are made with: the seed of their checksums, and the four bytes that end each of them. */
export interface RecordKey {
  seed: number;
  trailer: number;
}

const HEADER_BYTES = 16;
const TRAILER_BYTES = 4;
const ALIGNMENT = 8;
const MAGIC = utf8("RAFTLOG");
const VERSION = 1;
const SALT_BYTES = 8;
const STATE_AT = MAGIC.length + 1 + SALT_BYTES + 8;
const ENTRY_BYTES = 13;
const NO_VOTE = 0xffff;
const HIGH = 2 ** 32;

const KINDS: readonly EntryKind[] = ["command", "noop", "config"];
const TAG = { hardState: 1, entries: 2, base: 3, reset: 4, seal: 5 } as const;

/** How much of the file a record with that much payload takes. */
export function recordBytes(payloadBytes: number): number {
  return Math.ceil((HEADER_BYTES + payloadBytes + TRAILER_BYTES) / ALIGNMENT) * ALIGNMENT;
}

/** The size of a `seal` record. */
export const SEAL_BYTES: number = recordBytes(1);

/** Nobody who does not know the salt can write bytes, say as a KV value, that pass for a record. */
export function recordKey(salt: Uint8Array, sequence: number): RecordKey {
  const seed = crc32c(Uint8Array.of(sequence, sequence >>> 8, sequence >>> 16, sequence >>> 24), crc32c(salt));
  return { seed, trailer: (crc32c(salt, seed) | 0x01010101) >>> 0 };
}

/** Payload bytes of an operation. */
export function operationBytes(operation: Operation): number {
  switch (operation.type) {
    case "append": {
      const { entries, hardState } = operation.batch;
      let bytes = hardState === null ? 0 : hardStateBytes(hardState);
      if (entries.length > 0) bytes += 13;
      for (const entry of entries) bytes += ENTRY_BYTES + entry.data.length;
      return bytes;
    }
    case "base":
    case "reset":
      return 17;
    case "seal":
      return 1;
  }
}

function hardStateBytes(hardState: HardState): number {
  const vote = hardState.vote === null ? 0 : utf8(hardState.vote).length;
  assert(vote < NO_VOTE, "the vote's name is too long for the log");
  return 11 + vote;
}

/** Writes one record at the start of `bytes`, which has room for it, and returns its checksum. */
export function encodeRecord(
  bytes: Uint8Array<ArrayBuffer>,
  operations: readonly Operation[],
  at: { offset: number; previous: number; key: RecordKey },
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = HEADER_BYTES;
  for (const operation of operations) end = encodeOperation(bytes, view, end, operation);
  return frame(bytes, view, end, at);
}

/** The first record of a segment, whole. */
export function encodeHeader(header: SegmentHeader, previous: number): { bytes: Uint8Array<ArrayBuffer>; crc: number } {
  const { state } = header;
  const payload = STATE_AT + 24 + (state.hardState === null ? 0 : hardStateBytes(state.hardState));
  const bytes = new Uint8Array(recordBytes(payload));
  const view = new DataView(bytes.buffer);
  let at = HEADER_BYTES;
  bytes.set(MAGIC, at);
  bytes[at + MAGIC.length] = VERSION;
  at += MAGIC.length + 1;
  bytes.set(header.salt, at);
  at += SALT_BYTES;
  view.setUint32(at, header.sequence, true);
  view.setUint32(at + 4, header.previousBytes, true);
  setNumber(view, at + 8, state.base.index);
  setNumber(view, at + 16, state.base.term);
  setNumber(view, at + 24, state.last);
  if (state.hardState !== null) encodeHardState(bytes, view, at + 32, state.hardState);
  const key = recordKey(header.salt, header.sequence);
  return { bytes, crc: frame(bytes, view, HEADER_BYTES + payload, { offset: 0, previous, key }) };
}

/** Puts header, padding and trailer around a payload that ends at `end`. */
function frame(
  bytes: Uint8Array,
  view: DataView,
  end: number,
  at: { offset: number; previous: number; key: RecordKey },
): number {
  const payload = end - HEADER_BYTES;
  const whole = recordBytes(payload);
  const trailer = whole - TRAILER_BYTES;
  bytes.fill(0, end, trailer);
  view.setUint32(4, payload, true);
  view.setUint32(8, placeOf(at.offset, at.key), true);
  view.setUint32(12, at.previous, true);
  view.setUint32(trailer, at.key.trailer, true);
  const crc = crc32c(bytes, at.key.seed, 4, trailer);
  view.setUint32(0, crc, true);
  return crc;
}

function encodeOperation(bytes: Uint8Array, view: DataView, start: number, operation: Operation): number {
  let at = start;
  switch (operation.type) {
    case "append": {
      const { entries, hardState } = operation.batch;
      if (hardState !== null) at = encodeHardState(bytes, view, at, hardState);
      if (entries.length > 0) at = encodeEntries(bytes, view, at, entries);
      return at;
    }
    case "base":
    case "reset":
      bytes[at] = operation.type === "base" ? TAG.base : TAG.reset;
      setNumber(view, at + 1, operation.index);
      setNumber(view, at + 9, operation.term);
      return at + 17;
    case "seal":
      bytes[at] = TAG.seal;
      return at + 1;
  }
}

function encodeHardState(bytes: Uint8Array, view: DataView, at: number, hardState: HardState): number {
  const vote = hardState.vote === null ? null : utf8(hardState.vote);
  bytes[at] = TAG.hardState;
  setNumber(view, at + 1, hardState.term);
  view.setUint16(at + 9, vote === null ? NO_VOTE : vote.length, true);
  if (vote === null) return at + 11;
  bytes.set(vote, at + 11);
  return at + 11 + vote.length;
}

function encodeEntries(bytes: Uint8Array, view: DataView, start: number, entries: readonly Entry[]): number {
  bytes[start] = TAG.entries;
  setNumber(view, start + 1, (entries[0] as Entry).index);
  view.setUint32(start + 9, entries.length, true);
  let at = start + 13;
  for (const { term, kind, data } of entries) {
    setNumber(view, at, term);
    view.setUint32(at + 8, data.length, true);
    bytes[at + 12] = kind === "command" ? 0 : kind === "noop" ? 1 : 2;
    bytes.set(data, at + ENTRY_BYTES);
    at += ENTRY_BYTES + data.length;
  }
  return at;
}

/** A record found in a file. */
export interface FoundRecord {
  crc: number;
  previous: number;
  payloadStart: number;
  payloadEnd: number;
  /** Where the next record begins. */
  end: number;
}

/** What a record says of its own offset; what a user wrote cannot say so, and make the search for records a long one. */
function placeOf(offset: number, key: RecordKey): number {
  return (offset ^ key.seed) >>> 0;
}

/** The record at `offset`, or null when what is there is not one, whole and unchanged. */
export function recordAt(bytes: Uint8Array, view: DataView, offset: number, key: RecordKey): FoundRecord | null {
  if (offset + HEADER_BYTES > bytes.length) return null;
  const length = view.getUint32(offset + 4, true);
  const end = offset + recordBytes(length);
  if (length === 0 || end > bytes.length || view.getUint32(offset + 8, true) !== placeOf(offset, key)) return null;
  const crc = view.getUint32(offset, true);
  if (crc32c(bytes, key.seed, offset + 4, end - TRAILER_BYTES) !== crc) return null;
  const payloadStart = offset + HEADER_BYTES;
  return { crc, previous: view.getUint32(offset + 12, true), payloadStart, payloadEnd: payloadStart + length, end };
}

/** The salt and the sequence number of a segment, read before its checksum can be; null when it is no segment at all. */
export function segmentIdentity(bytes: Uint8Array): { version: number; salt: Uint8Array; sequence: number } | null {
  if (bytes.length < HEADER_BYTES + STATE_AT + 24) return null;
  for (let i = 0; i < MAGIC.length; i++) if (bytes[HEADER_BYTES + i] !== MAGIC[i]) return null;
  const saltAt = HEADER_BYTES + MAGIC.length + 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    version: bytes[saltAt - 1] as number,
    salt: bytes.slice(saltAt, saltAt + SALT_BYTES),
    sequence: view.getUint32(saltAt + SALT_BYTES, true),
  };
}

/** The only version of the format so far. */
export const FORMAT_VERSION: number = VERSION;

/** Reads the first record, which `recordAt` found to be whole. */
export function decodeHeader(bytes: Uint8Array, view: DataView, record: FoundRecord): SegmentHeader {
  const at = record.payloadStart + MAGIC.length + 1 + SALT_BYTES;
  const base = { index: getNumber(view, at + 8), term: getNumber(view, at + 16) };
  const hardState = at + 32 < record.payloadEnd ? decodeHardState(bytes, view, at + 32).hardState : null;
  return {
    salt: bytes.slice(at - SALT_BYTES, at),
    sequence: view.getUint32(at, true),
    previousBytes: view.getUint32(at + 4, true),
    state: { hardState, base, last: getNumber(view, at + 24) },
  };
}

/** The operations of a whole record; entries' data are views of `bytes`. Null when it holds what this version does not know. */
export function decodeOperations(bytes: Uint8Array, view: DataView, record: FoundRecord): Operation[] | null {
  const operations: Operation[] = [];
  let at = record.payloadStart;
  while (at < record.payloadEnd) {
    switch (bytes[at]) {
      case TAG.hardState: {
        const { hardState, end } = decodeHardState(bytes, view, at);
        operations.push({ type: "append", batch: { entries: [], hardState } });
        at = end;
        break;
      }
      case TAG.entries: {
        const { entries, end } = decodeEntries(bytes, view, at);
        if (entries === null) return null;
        operations.push({ type: "append", batch: { entries, hardState: null } });
        at = end;
        break;
      }
      case TAG.base:
      case TAG.reset: {
        const type = bytes[at] === TAG.base ? "base" : "reset";
        operations.push({ type, index: getNumber(view, at + 1), term: getNumber(view, at + 9) });
        at += 17;
        break;
      }
      case TAG.seal:
        operations.push({ type: "seal" });
        at += 1;
        break;
      default:
        return null;
    }
  }
  return operations;
}

function decodeHardState(bytes: Uint8Array, view: DataView, at: number): { hardState: HardState; end: number } {
  const length = view.getUint16(at + 9, true);
  const term = getNumber(view, at + 1);
  if (length === NO_VOTE) return { hardState: { term, vote: null }, end: at + 11 };
  const end = at + 11 + length;
  return { hardState: { term, vote: text(bytes.subarray(at + 11, end)) }, end };
}

function decodeEntries(bytes: Uint8Array, view: DataView, start: number): { entries: Entry[] | null; end: number } {
  const first = getNumber(view, start + 1);
  const count = view.getUint32(start + 9, true);
  const entries: Entry[] = [];
  let at = start + 13;
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(at + 8, true);
    const kind = KINDS[bytes[at + 12] as number];
    if (kind === undefined) return { entries: null, end: at };
    const data = bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + length);
    entries.push({ index: first + i, term: getNumber(view, at), kind, data });
    at += ENTRY_BYTES + length;
  }
  return { entries, end: at };
}

/** Whole numbers up to 2^53, as 64 bits. */
function setNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % HIGH, true);
  view.setUint32(at + 4, Math.floor(value / HIGH), true);
}

function getNumber(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * HIGH + view.getUint32(at, true);
}

/** What the bytes after the last good record are; the reasons are in `judgeTail`. */
export type Tail = { kind: "clean" } | { kind: "torn"; end: number } | { kind: "damaged"; why: string };

/** Torn writes leave whole pieces of this size as they were: sectors are larger, and a killed process leaves a prefix. */
const TEAR_BYTES = 64;

/**
 * Judges what lies after the last good record, from `start` on, where a segment has nothing but zeros until a record is written.
 *
 * 1. Zeros only: nothing was being written.
 * 2. A good record further on: it was written after what is at `start` was durable, so that was damaged since.
 * 3. The bytes end as a record ends and no aligned piece of 64 bytes before is all zeros: all of a record arrived, and it
 *    is wrong. A torn write does not look so, since what it did not write still has its zeros; so this is damage too.
 * 4. Anything else is a write that did not finish, which nobody was told was durable.
 */
export function judgeTail(bytes: Uint8Array, view: DataView, start: number, key: RecordKey): Tail {
  const end = lastNonZero(bytes, start, bytes.length);
  if (end === start) return { kind: "clean" };
  for (let at = start + ALIGNMENT; at < end; at += ALIGNMENT) {
    if (recordAt(bytes, view, at, key) !== null) {
      return { kind: "damaged", why: `a good record follows at offset ${at}` };
    }
  }
  const complete = end % ALIGNMENT === 0 && view.getUint32(end - TRAILER_BYTES, true) === key.trailer;
  if (complete && !hasZeroPiece(bytes, start, end)) {
    return { kind: "damaged", why: "all of it was written, so this is no torn write" };
  }
  return { kind: "torn", end };
}

/** The offset after the last byte between `start` and `stop` that is not zero, or `start`. */
function lastNonZero(bytes: Uint8Array, start: number, stop: number): number {
  let end = stop;
  while (end > start && bytes[end - 1] === 0) end -= 1;
  return end;
}

function hasZeroPiece(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end;) {
    const next = Math.min(end, (Math.floor(at / TEAR_BYTES) + 1) * TEAR_BYTES);
    if (lastNonZero(bytes, at, next) === at) return true;
    at = next;
  }
  return false;
}
