// One end of a stream between two agents: frames in, frames out. What is sent in one turn of the event loop leaves in one
// write, and what the other end does not take waits here, small frames before the pieces of large answers.
import { ANSWER, BEAT, CALL, type Frame, FrameReader, frameHead, PART, PART_BYTES } from "./peer-frames.ts";

/** Where the bytes go; whoever made it tells the link what comes, what is taken, and the end. */
export interface LinkSink {
  /** False: wait for `drained`. The parts belong together, `bytes` of them. */
  write(parts: readonly Uint8Array[], bytes: number): boolean;
  /** Ends the connection, both ways. */
  close(): void;
}

/** What may wait for the other end to take it; beyond it the stream has no use. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

/** An answer that goes out piece by piece. */
interface Large {
  id: number;
  body: Uint8Array;
  at: number;
}

/** One end. */
export class PeerLink {
  readonly #sink: LinkSink;
  readonly #reader: FrameReader;
  readonly #ended: (why: string) => void;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #large: Large[] = [];
  #isBlocked = false;
  #isArmed = false;
  isClosed = false;
  /** Monotonic time of the last bytes that came. */
  heardMs: number = performance.now();
  /** Counts writes, so that who sent something can tell whether it has left. */
  writes = 0;

  /**
   * @param take called with each frame; an error that it throws ends the link
   * @param ended called once, with the reason
   */
  constructor(sink: LinkSink, take: (frame: Frame) => void, ended: (why: string) => void) {
    this.#sink = sink;
    this.#reader = new FrameReader(take);
    this.#ended = ended;
  }

  beat(): void {
    this.#push(BEAT, 0, NOTHING);
  }

  /** @param path its bytes behind their length. */
  call(id: number, path: Uint8Array, body: Uint8Array): void {
    this.#parts.push(frameHead(CALL, id, path.length + body.length), path, body);
    this.#grown(path.length + body.length);
  }

  answer(id: number, body: Uint8Array): void {
    if (body.length <= PART_BYTES) this.#push(ANSWER, id, body);
    else {
      this.#large.push({ id, body, at: 0 });
      this.#arm();
    }
  }

  /** A frame without anything more. */
  say(kind: number, id: number): void {
    this.#push(kind, id, NOTHING);
  }

  /** Bytes came. */
  chunk(bytes: Uint8Array): void {
    if (this.isClosed) return;
    this.heardMs = performance.now();
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.close(`what came is no frame: ${(error as Error).message}`);
    }
  }

  /** The other end takes bytes again. */
  drained(): void {
    this.#isBlocked = false;
    if (this.#bytes > 0 || this.#large.length > 0) this.#arm();
  }

  close(why: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#parts = [];
    this.#large = [];
    this.#sink.close();
    this.#ended(why);
  }

  #push(kind: number, id: number, body: Uint8Array): void {
    this.#parts.push(frameHead(kind, id, body.length));
    if (body.length > 0) this.#parts.push(body);
    this.#grown(body.length);
  }

  #grown(bytes: number): void {
    this.#bytes += bytes + 9;
    if (this.#bytes > WAITING_BYTES_MAX) this.close("the other end does not take what is sent");
    else this.#arm();
  }

  #arm(): void {
    if (this.#isArmed || this.#isBlocked || this.isClosed) return;
    this.#isArmed = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isArmed = false;
    if (this.isClosed) return;
    // One piece of each large answer at a time.
    for (const large of this.#large) {
      const end = Math.min(large.at + PART_BYTES, large.body.length);
      const piece = large.body.subarray(large.at, end);
      large.at = end;
      this.#parts.push(frameHead(end === large.body.length ? ANSWER : PART, large.id, piece.length), piece);
      this.#bytes += piece.length + 9;
    }
    if (this.#large.length > 0) this.#large = this.#large.filter(({ at, body }) => at < body.length);
    if (this.#parts.length === 0) return;
    const parts = this.#parts;
    const bytes = this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
    this.writes += 1;
    this.#isBlocked = !this.#sink.write(parts, bytes);
    if (this.#large.length > 0) this.#arm();
  };
}
