// The frames of a stream between two agents: many calls and their answers, in any order, on one connection.
//   frame   length u32 of what follows · kind u8 · id u32 · the rest by kind; big-endian
//   beat    0: nothing more; a client sends one each second and is sent one back. Its id is 0
//   call    1: length of the path u8 · path · body
//   answer  2: the body's end, or all of it
//   part    3: a piece of a large answer; more comes
//   failed  4: nothing more; the call was not answered, and what it did is unknown
// What comes is not trusted: whatever is none of these ends the stream.

/** What a frame is. */
export const BEAT = 0;
/** A call. */
export const CALL = 1;
/** An answer, or its last piece. */
export const ANSWER = 2;
/** A piece of an answer that is not the last. */
export const PART = 3;
/** A call that was not answered. */
export const FAILED = 4;

/** Calls with larger bodies go by requests of their own. */
export const CALL_BYTES_MAX: number = 1024 * 1024;
/** Larger answers come in pieces, so that small ones get between them. */
export const PART_BYTES: number = 256 * 1024;
/** Kind and id. */
const HEAD_BYTES = 5;
const LENGTH_BYTES = 4;
const FRAME_BYTES_MAX = CALL_BYTES_MAX + 1024;

/** One frame. `payload` is a view into what came. */
export interface Frame {
  kind: number;
  id: number;
  payload: Uint8Array;
}

/** The bytes of a frame before its payload. */
export function frameHead(kind: number, id: number, payloadBytes: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + HEAD_BYTES);
  const length = HEAD_BYTES + payloadBytes;
  bytes[0] = length >>> 24;
  bytes[1] = length >>> 16;
  bytes[2] = length >>> 8;
  bytes[3] = length;
  bytes[4] = kind;
  bytes[5] = id >>> 24;
  bytes[6] = id >>> 16;
  bytes[7] = id >>> 8;
  bytes[8] = id;
  return bytes;
}

const u32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 24) |
  ((bytes[at + 1] as number) << 16) |
  ((bytes[at + 2] as number) << 8) |
  (bytes[at + 3] as number);

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  readonly #take: (frame: Frame) => void;
  /** What came of a frame whose end is not there yet. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** How many bytes make it worth looking again. */
  #wanted = LENGTH_BYTES;

  constructor(take: (frame: Frame) => void) {
    this.#take = take;
  }

  /** @throws Error when what came is no frame; the stream is then of no use any more. */
  push(chunk: Uint8Array): void {
    if (this.#heldBytes === 0) {
      this.#cut(chunk);
      return;
    }
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wanted) return;
    const whole = new Uint8Array(this.#heldBytes);
    let at = 0;
    for (const piece of this.#held) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#cut(whole);
  }

  #cut(bytes: Uint8Array): void {
    let at = 0;
    let wanted = LENGTH_BYTES;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = u32(bytes, at) >>> 0;
      if (length < HEAD_BYTES || length > FRAME_BYTES_MAX) throw new Error(`a frame of ${length} bytes`);
      wanted = LENGTH_BYTES + length;
      if (bytes.length - at < wanted) break;
      const kind = bytes[at + LENGTH_BYTES] as number;
      const id = u32(bytes, at + LENGTH_BYTES + 1) >>> 0;
      const payload = bytes.subarray(at + LENGTH_BYTES + HEAD_BYTES, at + wanted);
      at += wanted;
      wanted = LENGTH_BYTES;
      this.#take({ kind, id, payload });
    }
    this.#wanted = wanted;
    if (at === bytes.length) return;
    this.#held = [at === 0 ? bytes : bytes.subarray(at)];
    this.#heldBytes = bytes.length - at;
  }
}
