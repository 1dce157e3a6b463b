// Raft's messages to bytes and back. One message: a byte for its type, its numbers as unsigned 64-bit integers, flags as
// bytes; an entry: a byte for its kind, its term, the length of its data, the data. Big-endian. The indexes of entries follow
// from `prevIndex`. A batch is a sequence of messages, each behind its length. Decoding trusts nothing but the shape of
// the numbers, which the Raft machine checks itself (raft/message-check.ts).
import type { AppendEntries, Entry, EntryKind, Message } from "../raft/types.ts";
import { allocate } from "../util/slab.ts";

const TYPES: readonly Message["type"][] = [
  "request-vote",
  "vote-response",
  "append-entries",
  "append-response",
  "timeout-now",
  "read-index",
  "read-index-response",
];
const KINDS: readonly EntryKind[] = ["command", "noop", "config"];

const TWO_32 = 0x1_0000_0000;
const NUMBER_BYTES = 8;
const LENGTH_BYTES = 4;
const ENTRY_HEADER_BYTES = 1 + NUMBER_BYTES + LENGTH_BYTES;
/** Type, six numbers and the count of entries. */
const APPEND_HEADER_BYTES = 1 + 6 * NUMBER_BYTES + LENGTH_BYTES;
/** Of the messages without entries, by type. */
const SIZES: Record<Exclude<Message["type"], "append-entries">, number> = {
  "request-vote": 2 + 3 * NUMBER_BYTES,
  "vote-response": 2 + NUMBER_BYTES,
  "append-response": 2 + 6 * NUMBER_BYTES,
  "timeout-now": 1 + NUMBER_BYTES,
  "read-index": 1 + 2 * NUMBER_BYTES,
  "read-index-response": 2 + 3 * NUMBER_BYTES,
};

/** One message goes to all followers that stand at the same place: its bytes are made once. */
const made = new WeakMap<AppendEntries, Uint8Array>();

/** The bytes of one message. Those of a message with entries are remembered while the message lives: never write to them. */
export function encodeMessage(message: Message): Uint8Array {
  if (message.type !== "append-entries" || message.entries.length === 0) return encodeNew(message);
  let bytes = made.get(message);
  if (bytes === undefined) {
    bytes = encodeNew(message);
    made.set(message, bytes);
  }
  return bytes;
}

/** The message that the bytes are, or null when they are none. Its data is a copy: the bytes may be reused. */
export function decodeMessage(bytes: Uint8Array): Message | null {
  return readWhole(new Reader(bytes, 0, bytes.length));
}

/** Encoded messages as one sequence of bytes. */
export function encodeBatch(messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { length } of messages) size += LENGTH_BYTES + length;
  const writer = new Writer(size);
  for (const message of messages) {
    writer.length(message.length);
    writer.bytes(message);
  }
  return writer.written();
}

/** The messages of a batch; null when any of it is none. */
export function decodeBatch(bytes: Uint8Array): Message[] | null {
  const reader = new Reader(bytes, 0, bytes.length);
  const messages: Message[] = [];
  while (reader.left > 0) {
    const part = reader.part(reader.length());
    const message = reader.isShort ? null : readWhole(part);
    if (message === null) return null;
    messages.push(message);
  }
  return messages;
}

function encodeNew(message: Message): Uint8Array<ArrayBuffer> {
  const writer = new Writer(message.type === "append-entries" ? sizeOf(message) : SIZES[message.type]);
  writer.byte(TYPES.indexOf(message.type));
  writer.number(message.term);
  switch (message.type) {
    case "request-vote":
      writer.byte((message.preVote ? 1 : 0) | (message.transfer ? 2 : 0));
      writer.number(message.lastIndex);
      writer.number(message.lastTerm);
      break;
    case "vote-response":
      writer.byte((message.preVote ? 1 : 0) | (message.granted ? 2 : 0));
      break;
    case "append-entries":
      writeAppend(writer, message);
      break;
    case "append-response":
      writer.byte(message.success ? 1 : 0);
      writer.number(message.round);
      writer.number(message.index);
      writer.number(message.hintIndex);
      writer.number(message.hintTerm);
      writer.number(message.lastIndex);
      break;
    case "timeout-now":
      break;
    case "read-index":
      writer.number(message.context);
      break;
    case "read-index-response":
      writer.number(message.context);
      writer.byte(message.index === null ? 0 : 1);
      writer.number(message.index ?? 0);
      break;
  }
  return writer.written();
}

function sizeOf({ entries }: AppendEntries): number {
  let size = APPEND_HEADER_BYTES;
  for (const { data } of entries) size += ENTRY_HEADER_BYTES + data.length;
  return size;
}

function writeAppend(writer: Writer, message: AppendEntries): void {
  writer.number(message.prevIndex);
  writer.number(message.prevTerm);
  writer.number(message.commit);
  writer.number(message.round);
  // A whole number, rounded up: who takes the message must not be free before the leader's lease is over.
  writer.number(Math.ceil(message.leaseMs));
  writer.length(message.entries.length);
  for (const { kind, term, data } of message.entries) {
    writer.byte(KINDS.indexOf(kind));
    writer.number(term);
    writer.length(data.length);
    writer.bytes(data);
  }
}

/** What the reader holds, all of it. */
function readWhole(reader: Reader): Message | null {
  const message = read(reader);
  return message !== null && !reader.isShort && reader.left === 0 ? message : null;
}

function read(reader: Reader): Message | null {
  const type = TYPES[reader.byte()];
  const term = reader.number();
  switch (type) {
    case "request-vote": {
      const flags = reader.flags(3);
      const [lastIndex, lastTerm] = [reader.number(), reader.number()];
      return { type, term, preVote: (flags & 1) !== 0, transfer: (flags & 2) !== 0, lastIndex, lastTerm };
    }
    case "vote-response": {
      const flags = reader.flags(3);
      return { type, term, preVote: (flags & 1) !== 0, granted: (flags & 2) !== 0 };
    }
    case "append-entries":
      return readAppend(reader, term);
    case "append-response":
      return {
        type,
        term,
        success: reader.flags(1) === 1,
        round: reader.number(),
        index: reader.number(),
        hintIndex: reader.number(),
        hintTerm: reader.number(),
        lastIndex: reader.number(),
      };
    case "timeout-now":
      return { type, term };
    case "read-index":
      return { type, term, context: reader.number() };
    case "read-index-response": {
      const context = reader.number();
      const isGiven = reader.flags(1) === 1;
      const index = reader.number();
      return { type, term, context, index: isGiven ? index : null };
    }
    default:
      return null;
  }
}

function readAppend(reader: Reader, term: number): AppendEntries | null {
  const prevIndex = reader.number();
  const prevTerm = reader.number();
  const commit = reader.number();
  const round = reader.number();
  const leaseMs = reader.number();
  const count = reader.length();
  if (reader.isShort || count * ENTRY_HEADER_BYTES > reader.left) return null;
  const entries: Entry[] = [];
  if (count === 0) return { type: "append-entries", term, prevIndex, prevTerm, commit, round, leaseMs, entries };
  // One copy for all entries of the message, which the log keeps and lets go of at about the same time.
  const bytes = reader.bytes(reader.left).slice();
  const own = new Reader(bytes, 0, bytes.length);
  for (let i = 1; i <= count; i += 1) {
    const kind = KINDS[own.byte()];
    const entryTerm = own.number();
    const data = own.bytes(own.length());
    if (kind === undefined || own.isShort) return null;
    entries.push({ index: prevIndex + i, term: entryTerm, kind, data });
  }
  if (own.left > 0) return null;
  return { type: "append-entries", term, prevIndex, prevTerm, commit, round, leaseMs, entries };
}

/** Writes into room that is just enough. */
class Writer {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(size: number) {
    this.#bytes = allocate(size);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  length(value: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.#at = at + LENGTH_BYTES;
  }

  number(value: number): void {
    this.length(Math.floor(value / TWO_32));
    this.length(value % TWO_32);
  }

  bytes(value: Uint8Array): void {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }
}

const NOTHING = new Uint8Array(0);

/** Reads from the front; past the end, or at a number past 2^53, it gives zeros and says so in `isShort`. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  isShort = false;

  constructor(bytes: Uint8Array, from: number, end: number) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    return this.#has(1) ? this.#bytes[this.#at++]! : 0;
  }

  /** A byte with no other bits than those of `mask`. */
  flags(mask: number): number {
    const flags = this.byte();
    if ((flags & ~mask) !== 0) this.isShort = true;
    return flags;
  }

  length(): number {
    if (!this.#has(LENGTH_BYTES)) return 0;
    const bytes = this.#bytes;
    const at = this.#at;
    this.#at = at + LENGTH_BYTES;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  number(): number {
    if (!this.#has(NUMBER_BYTES)) return 0;
    const value = this.length() * TWO_32 + this.length();
    if (Number.isSafeInteger(value)) return value;
    this.isShort = true;
    return 0;
  }

  bytes(length: number): Uint8Array {
    if (!this.#has(length)) return NOTHING;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A reader of the next bytes, which this one passes over. */
  part(length: number): Reader {
    const from = this.#at;
    if (this.#has(length)) this.#at += length;
    return new Reader(this.#bytes, from, this.#at);
  }

  #has(length: number): boolean {
    if (length > this.left) this.isShort = true;
    return !this.isShort;
  }
}
