// Snapshots as a stream of frames, so that a file or a transfer that was cut or damaged is told exactly and never restored:
//   header   "PCSNAP" and two bytes of version
//   frame    u32 length · u32 CRC-32C of the payload · payload
//   trailer  u32 0xffffffff · u32 CRC-32C of what follows · u64 count of frames · SHA-256 of all payloads in order
// Integers are big-endian. Both sides work a piece at a time and keep no more than one frame.

import { sha256 } from "@noble/hashes/sha2.js";
import { OperationalError } from "../types/error.ts";
import { assert } from "../util/assert.ts";
import { concat, equal } from "../util/bytes.ts";
import { crc32c } from "../util/crc32c.ts";

/** Longer payloads are refused by both sides. */
export const framePayloadBytesMax: number = 16 * 1024 * 1024;

const HEADER = Uint8Array.from([0x50, 0x43, 0x53, 0x4e, 0x41, 0x50, 0, 1]);
const MAGIC_BYTES = 6;
const FRAME_HEADER_BYTES = 8;
const TRAILER_MARK = 0xffff_ffff;
const COUNT_BYTES = 8;
const HASH_BYTES = 32;
const TRAILER_BODY_BYTES = COUNT_BYTES + HASH_BYTES;
const NOTHING = new Uint8Array(0);

/** Writes a stream of frames: the bytes that its methods return, in order, are the stream. */
export class FrameWriter {
  readonly #hash = sha256.create();
  #count = 0;
  #started = false;
  #finished = false;

  /** The bytes of one frame, the stream's header before the first. A payload over the limit is a failed assertion. */
  push(payload: Uint8Array): Uint8Array<ArrayBuffer> {
    assert(!this.#finished, "a finished stream takes no frames");
    assert(payload.length <= framePayloadBytesMax, "a frame's payload is over the limit");
    this.#hash.update(payload);
    this.#count += 1;
    const header = new Uint8Array(FRAME_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, payload.length);
    view.setUint32(4, crc32c(payload));
    return concat([this.#header(), header, payload]);
  }

  /** The bytes that end the stream. */
  finish(): Uint8Array<ArrayBuffer> {
    assert(!this.#finished, "a stream is finished once");
    this.#finished = true;
    const trailer = new Uint8Array(FRAME_HEADER_BYTES + TRAILER_BODY_BYTES);
    const view = new DataView(trailer.buffer);
    view.setUint32(0, TRAILER_MARK);
    view.setBigUint64(FRAME_HEADER_BYTES, BigInt(this.#count));
    trailer.set(this.#hash.digest(), FRAME_HEADER_BYTES + COUNT_BYTES);
    view.setUint32(4, crc32c(trailer.subarray(FRAME_HEADER_BYTES)));
    return concat([this.#header(), trailer]);
  }

  #header(): Uint8Array {
    if (this.#started) return NOTHING;
    this.#started = true;
    return HEADER;
  }
}

type Expecting = "header" | "frame header" | "payload" | "trailer" | "end";

/** Reads a stream of frames, given in pieces of any size. */
export class FrameReader {
  readonly #hash = sha256.create();
  #parts: Uint8Array[] = [];
  #have = 0;
  #expecting: Expecting = "header";
  #need: number = HEADER.length;
  #crc = 0;
  #count = 0;

  /** Whole frames read so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Takes the next bytes; returns the payloads they complete, each checked. A payload may be a view into a piece given.
   * @throws OperationalError invalid-request when the stream is damaged, naming the frame; nothing can follow.
   */
  push(bytes: Uint8Array): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    if (bytes.length > 0) {
      this.#parts.push(bytes);
      this.#have += bytes.length;
    }
    while (this.#have >= this.#need && this.#expecting !== "end") {
      const taken = this.#take(this.#need);
      const payload = this.#read(taken);
      if (payload !== null) payloads.push(payload);
    }
    if (this.#expecting === "end" && this.#have > 0) throw damaged("bytes follow its end");
    return payloads;
  }

  /** To be called when there are no more bytes. @throws OperationalError invalid-request when the stream is cut short. */
  finish(): void {
    if (this.#expecting === "end") return;
    if (this.#expecting === "header") throw damaged("it is cut within its header");
    throw damaged(`it is cut after ${this.#count} whole frames`);
  }

  /** Reads what was expected; returns the payload if it was one. */
  #read(taken: Uint8Array): Uint8Array | null {
    switch (this.#expecting) {
      case "header":
        if (!equal(taken.subarray(0, MAGIC_BYTES), HEADER.subarray(0, MAGIC_BYTES))) {
          throw new OperationalError("invalid-request", "not a snapshot: it does not start like one");
        }
        if (!equal(taken, HEADER)) {
          const version = taken[MAGIC_BYTES]! * 256 + taken[MAGIC_BYTES + 1]!;
          throw new OperationalError("invalid-request", `snapshot version ${version} is unknown here`);
        }
        this.#expect("frame header", FRAME_HEADER_BYTES);
        return null;
      case "frame header":
        this.#frameHeader(taken);
        return null;
      case "payload":
        if (crc32c(taken) !== this.#crc) throw damaged(`the checksum of frame ${this.#count + 1} differs`);
        this.#hash.update(taken);
        this.#count += 1;
        this.#expect("frame header", FRAME_HEADER_BYTES);
        return taken;
      default:
        this.#trailer(taken);
        return null;
    }
  }

  #frameHeader(taken: Uint8Array): void {
    const view = viewOf(taken);
    const length = view.getUint32(0);
    this.#crc = view.getUint32(4);
    if (length === TRAILER_MARK) this.#expect("trailer", TRAILER_BODY_BYTES);
    else if (length > framePayloadBytesMax) throw damaged(`frame ${this.#count + 1} claims ${length} bytes`);
    else this.#expect("payload", length);
  }

  #trailer(taken: Uint8Array): void {
    if (crc32c(taken) !== this.#crc) throw damaged("the checksum of its trailer differs");
    const count = viewOf(taken).getBigUint64(0);
    if (count !== BigInt(this.#count)) throw damaged(`it holds ${this.#count} frames of ${count}`);
    if (!equal(taken.subarray(COUNT_BYTES), this.#hash.digest())) throw damaged("its SHA-256 differs");
    this.#expect("end", 0);
  }

  #expect(what: Expecting, bytes: number): void {
    this.#expecting = what;
    this.#need = bytes;
  }

  /** The next `length` bytes of the parts, joined only where they lie in several. */
  #take(length: number): Uint8Array {
    this.#have -= length;
    if (length === 0) return NOTHING;
    const taken: Uint8Array[] = [];
    let missing = length;
    let used = 0;
    while (missing > 0) {
      const part = this.#parts[used]!;
      if (part.length <= missing) {
        taken.push(part);
        missing -= part.length;
        used += 1;
      } else {
        taken.push(part.subarray(0, missing));
        this.#parts[used] = part.subarray(missing);
        missing = 0;
      }
    }
    if (used > 0) this.#parts = this.#parts.slice(used);
    return taken.length === 1 ? taken[0]! : concat(taken);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function damaged(why: string): OperationalError {
  return new OperationalError("invalid-request", `the snapshot is damaged: ${why}`);
}
