// Streams between agents on sockets of our own: the head of one HTTP request and of its answer, then both bodies in HTTP's
// chunks, for as long as the connection lasts. `node:http` on the same bytes costs several times as much. The client's half
// speaks to every runtime's server; the listener's half takes a connection over before `node:http` sees it.
import { connect, type Socket } from "node:net";
import { OperationalError } from "../../src/types/error.ts";
import { type LinkSink, PeerLink } from "../peer-link.ts";
import { serveStream, STREAM_PATH, STREAM_TYPE } from "../peer-stream-server.ts";
import type { OpenPeerStream } from "../peer-streams.ts";
import type { PeerHandle } from "../peer-handle.ts";

const OPEN_MS = 3000;
const HEAD_BYTES_MAX = 8192;
/** A chunk's length takes no more than this, in hexadecimal. */
const LENGTH_DIGITS_MAX = 8;
const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const END_OF_HEAD = "\r\n\r\n";
const STREAM_START: Buffer = Buffer.from(`POST ${STREAM_PATH} HTTP/1.1\r\n`);
const STREAM_HEADERS = `Content-Type: ${STREAM_TYPE}\r\nCache-Control: no-store, no-transform\r\nTransfer-Encoding: chunked\r\n`;
const ACCEPTED: Buffer = Buffer.from(`HTTP/1.1 200 OK\r\n${STREAM_HEADERS}${"\r\n"}`);
const REFUSED: Buffer = Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

/** The bytes of a chunked body. */
class ChunkReader {
  readonly #take: (bytes: Uint8Array) => void;
  /** What is left of the present chunk; -1 while its length is read, -2 while the line's end behind it is. */
  #left = -1;
  #length = 0;
  #digits = 0;
  #isExtension = false;

  constructor(take: (bytes: Uint8Array) => void) {
    this.#take = take;
  }

  /** @throws Error when it is no chunk, or the last one. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const end = Math.min(bytes.length, at + this.#left);
        this.#take(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#left = -2;
        continue;
      }
      const byte = bytes[at++] as number;
      if (this.#left === -2) {
        if (byte === LF) this.#left = -1;
        else if (byte !== CR) throw new Error("a chunk is longer than it says");
      } else this.#lengthByte(byte);
    }
  }

  #lengthByte(byte: number): void {
    if (byte === LF) {
      if (this.#length === 0) throw new Error(this.#digits === 0 ? "a chunk without a length" : "the stream has ended");
      this.#left = this.#length;
      this.#length = 0;
      this.#digits = 0;
      this.#isExtension = false;
      return;
    }
    if (byte === CR || this.#isExtension) return;
    if (byte === SEMICOLON) {
      this.#isExtension = true;
      return;
    }
    const digit =
      byte >= 48 && byte <= 57
        ? byte - 48
        : byte >= 97 && byte <= 102
          ? byte - 87
          : byte >= 65 && byte <= 70
            ? byte - 55
            : -1;
    if (digit < 0 || (this.#digits += 1) >= LENGTH_DIGITS_MAX) throw new Error("a chunk's length is none");
    this.#length = this.#length * 16 + digit;
  }
}

/** Writes chunks to a socket, each in one write. */
class ChunkSink implements LinkSink {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(parts: readonly Uint8Array[], bytes: number): boolean {
    const length = bytes.toString(16);
    const chunk = Buffer.allocUnsafe(length.length + bytes + 4);
    let at = chunk.write(length, "latin1");
    chunk[at++] = CR;
    chunk[at++] = LF;
    for (const part of parts) {
      chunk.set(part, at);
      at += part.length;
    }
    chunk[at++] = CR;
    chunk[at] = LF;
    return this.#socket.write(chunk);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** What comes on a socket goes to its link, until either ends. @param rest what came behind the head */
function connectLink(socket: Socket, link: PeerLink, rest: Uint8Array): void {
  const chunks = new ChunkReader((bytes) => link.chunk(bytes));
  const took = (bytes: Uint8Array): void => {
    try {
      chunks.push(bytes);
    } catch (error) {
      link.close((error as Error).message);
    }
  };
  socket.setTimeout(0);
  socket.setNoDelay(true);
  socket.on("data", took);
  socket.on("drain", () => link.drained());
  socket.on("error", (error) => link.close(error.message));
  socket.on("end", () => link.close("the connection was ended"));
  socket.on("close", () => link.close("the connection was closed"));
  if (rest.length > 0) took(rest);
}

/** Opens a stream. */
export const openPeerSocket: OpenPeerStream = (address, events) =>
  new Promise((resolve, reject) => {
    const { host, port } = splitAddress(address);
    const socket = connect({ host, port, noDelay: true });
    let head: Buffer = Buffer.alloc(0);
    const fail = (why: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new OperationalError("unreachable", `${address}: ${why}`));
    };
    const timer = setTimeout(() => fail("no stream in time"), OPEN_MS);
    const failed = (error: Error): void => fail(error.message);
    const closed = (): void => fail("the connection was closed");
    const headCame = (bytes: Buffer): void => {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf(END_OF_HEAD);
      if (end === -1 && head.length < HEAD_BYTES_MAX) return;
      const said = head.subarray(0, Math.max(0, end)).toString("latin1");
      if (!said.startsWith("HTTP/1.1 200 ") || !/\r\ntransfer-encoding: *chunked/i.test(said)) {
        fail("it answered with no stream");
        return;
      }
      clearTimeout(timer);
      socket.off("data", headCame).off("error", failed).off("close", closed);
      const link = new PeerLink(new ChunkSink(socket), events.take, events.ended);
      connectLink(socket, link, head.subarray(end + END_OF_HEAD.length));
      resolve({ link, hold: (isHeld) => void (isHeld ? socket.ref() : socket.unref()) });
    };
    socket.on("data", headCame).on("error", failed).on("close", closed);
    socket.write(`${STREAM_START.toString("latin1")}Host: ${address}\r\n${STREAM_HEADERS}\r\n`);
    // Nobody waits for it: calls are requests meanwhile.
    socket.unref();
    timer.unref();
  });

/**
 * Looks at what a new connection begins with: a stream is served here, anything else is handed on to `others` as it came.
 * @param open the sockets that are served here, to be closed with the listener
 */
export function takeStreams(
  handle: PeerHandle,
  socket: Socket,
  others: (socket: Socket) => void,
  open: Set<Socket>,
): void {
  let head: Buffer = Buffer.alloc(0);
  const closed = (): void => void open.delete(socket);
  const failed = (): void => void socket.destroy();
  open.add(socket);
  socket.setTimeout(HEAD_MS, failed);
  const came = (bytes: Buffer): void => {
    head = head.length === 0 ? bytes : Buffer.concat([head, bytes]);
    const known = Math.min(head.length, STREAM_START.length);
    const isStream = head.compare(STREAM_START, 0, known, 0, known) === 0;
    if (isStream && head.length < STREAM_START.length) return;
    const end = isStream ? head.indexOf(END_OF_HEAD) : -1;
    if (isStream && end === -1 && head.length < HEAD_BYTES_MAX) return;
    socket.off("data", came).off("error", failed).off("close", closed).off("timeout", failed);
    socket.setTimeout(0);
    if (!isStream) {
      open.delete(socket);
      // The parser reads what is put back before what comes.
      socket.pause();
      socket.unshift(head);
      others(socket);
      socket.resume();
      return;
    }
    if (end === -1 || !/\r\ntransfer-encoding: *chunked/i.test(head.subarray(0, end).toString("latin1"))) {
      socket.end(REFUSED);
      socket.on("error", failed);
      open.delete(socket);
      return;
    }
    socket.on("close", closed);
    socket.write(ACCEPTED);
    const link = serveStream(handle, socket.remoteAddress ?? "", new ChunkSink(socket));
    connectLink(socket, link, head.subarray(end + END_OF_HEAD.length));
  };
  socket.on("data", came).on("error", failed).on("close", closed);
}
/** How long a connection may be silent before it has said what it is. */
const HEAD_MS = 10_000;

/** `host:port`, `[host]:port`. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}
