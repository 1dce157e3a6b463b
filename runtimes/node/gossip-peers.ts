// Gossip's calls to other agents, on Node, Bun and Deno: HTTP/1.1 POST requests on sockets of their own. Probes rotate over all
// members, so only a few idle connections are kept, the longest idle giving way. A connection carries one call at a time, and
// a large call (push-pull) has one of its own, so that no probe waits behind it.
import { connect, type Socket } from "node:net";
import type { Peers } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { dialError, dialTimeout } from "./dial-error.ts";
import { GOSSIP_BODY_BYTES_MAX } from "./gossip.ts";

const GOSSIP_PREFIX = "/gossip/";
const IDLE_SOCKETS_MAX = 32;
const IDLE_MS = 15_000;
/** Longer requests are push-pulls. */
const PROBE_BYTES_MAX = 16 * 1024;
const HEAD_BYTES_MAX = 16 * 1024;
const END_OF_HEAD = "\r\n\r\n";

/** Calls under `/gossip/` by connections of their own, all others by `others`. */
export function withGossip(others: Peers): Peers {
  const gossip = new GossipPeers();
  return {
    call: (address, path, body, timeoutMs, sending) =>
      (path.startsWith(GOSSIP_PREFIX) ? gossip : others).call(address, path, body, timeoutMs, sending),
  };
}

/** A connection to one address. */
interface Connection {
  readonly address: string;
  readonly socket: Socket;
  /** It has carried a call before. */
  isUsed: boolean;
  /** What to do with what comes, and at its end. */
  take(chunk: Uint8Array): void;
  ended(error: NodeJS.ErrnoException | null): void;
}

/** One call as it is being made. */
interface Call {
  readonly address: string;
  readonly request: Uint8Array;
  /** The connection is kept afterwards. */
  readonly isKept: boolean;
  readonly sending: (() => void) | undefined;
  /** The connection the call is on now. */
  connection: Connection | null;
  isSent: boolean;
  resolve(answer: Uint8Array): void;
  reject(error: OperationalError): void;
}

/** The client. */
export class GossipPeers implements Peers {
  /** The longest idle first. */
  readonly #idle = new Set<Connection>();

  /** Connections that wait for their next call. */
  get idle(): number {
    return this.#idle.size;
  }

  call(address: string, path: string, body: Uint8Array, timeoutMs: number, sending?: () => void): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      // An address comes from other members, and goes into the head.
      if (!/^[\w.:%[\]-]+:\d+$/.test(address)) {
        reject(new OperationalError("unreachable", `${JSON.stringify(address)} is no address`));
        return;
      }
      const isKept = body.length <= PROBE_BYTES_MAX;
      const head =
        `POST ${path} HTTP/1.1\r\nHost: ${address}\r\nContent-Type: application/octet-stream\r\n` +
        `Content-Length: ${body.length}\r\n${isKept ? "" : "Connection: close\r\n"}\r\n`;
      const timer = setTimeout(() => {
        const { connection } = call;
        call.reject(
          call.isSent ? new OperationalError("timeout", `${address}: no answer in time`) : dialTimeout(address),
        );
        connection?.socket.destroy();
      }, timeoutMs);
      const call: Call = {
        address,
        request: Buffer.concat([Buffer.from(head, "latin1"), body]),
        isKept,
        sending,
        connection: null,
        isSent: false,
        resolve: (answer) => {
          clearTimeout(timer);
          call.connection = null;
          resolve(answer);
        },
        reject: (error) => {
          clearTimeout(timer);
          call.connection = null;
          reject(error);
        },
      };
      this.#start(call, isKept ? this.#takeIdle(address) : null);
    });
  }

  /** Puts the call on a connection, or on a new one. */
  #start(call: Call, kept: Connection | null): void {
    const connection = kept ?? this.#open(call.address);
    const { socket } = connection;
    call.connection = connection;
    let isConnected = kept !== null;
    const answer = new AnswerReader();
    connection.take = (chunk) => {
      const state = answer.push(chunk);
      if (state === "more") return;
      if (state === "done" && call.isKept && !answer.closes) this.#keep(connection);
      else discard(connection);
      if (state === "done") call.resolve(answer.body);
      else call.reject(new OperationalError(answer.code, `${call.address}: ${answer.fault}`));
    };
    connection.ended = (error) => {
      if (call.connection !== connection) return;
      // A kept connection may have been closed meanwhile: nothing of the call was heard there.
      if (connection.isUsed && !answer.hasBegun) return this.#start(call, null);
      if (!isConnected) return call.reject(dialError(call.address, error ?? new Error("closed")));
      const why = error?.message ?? "the connection ended before its answer";
      call.reject(new OperationalError("outcome-unknown", `${call.address}: ${why}`, { cause: error }));
    };
    const send = (): void => {
      isConnected = true;
      call.isSent = true;
      call.sending?.();
      socket.write(call.request);
    };
    if (isConnected) send();
    else socket.once("connect", send);
  }

  #open(address: string): Connection {
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    const socket = connect({ host, port: Number(address.slice(colon + 1)), autoSelectFamily: true });
    socket.setNoDelay(true);
    const connection: Connection = { address, socket, isUsed: false, take: () => {}, ended: () => {} };
    let failure: NodeJS.ErrnoException | null = null;
    socket.on("data", (chunk: Uint8Array) => connection.take(chunk));
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("end", () => socket.destroy());
    socket.on("timeout", () => socket.destroy());
    socket.on("close", () => {
      this.#idle.delete(connection);
      connection.ended(failure);
    });
    return connection;
  }

  #takeIdle(address: string): Connection | null {
    for (const connection of this.#idle) {
      if (connection.address !== address || connection.socket.destroyed) continue;
      this.#idle.delete(connection);
      connection.socket.setTimeout(0);
      connection.socket.ref();
      return connection;
    }
    return null;
  }

  #keep(connection: Connection): void {
    connection.isUsed = true;
    // What comes without a call is nobody's right answer.
    connection.take = () => connection.socket.destroy();
    connection.ended = () => {};
    connection.socket.setTimeout(IDLE_MS);
    connection.socket.unref();
    this.#idle.add(connection);
    if (this.#idle.size <= IDLE_SOCKETS_MAX) return;
    const [longest] = this.#idle;
    this.#idle.delete(longest as Connection);
    discard(longest as Connection);
  }
}

function discard(connection: Connection): void {
  connection.take = () => {};
  connection.ended = () => {};
  connection.socket.destroy();
}

/** Reads one answer as our own listeners send it: a head, and a body of the length that the head names. */
class AnswerReader {
  /** Of the head until it is whole, then of the body. */
  #chunks: Uint8Array[] = [];
  #have = 0;
  /** Of the body; null while the head is not whole. */
  #length: number | null = null;
  hasBegun = false;
  /** The other side ends the connection after it. */
  closes = false;
  fault = "its answer is no answer of an agent";
  code: "outcome-unknown" | "unsupported" = "outcome-unknown";

  get body(): Uint8Array {
    return this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks);
  }

  push(chunk: Uint8Array): "more" | "done" | "bad" {
    this.hasBegun = true;
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    const length = this.#length ?? this.#head();
    if (typeof length !== "number") return length;
    return this.#have < length ? "more" : this.#have === length ? "done" : "bad";
  }

  /** The body's length, once it is known. */
  #head(): number | "more" | "bad" {
    const bytes = Buffer.concat(this.#chunks);
    const end = bytes.indexOf(END_OF_HEAD);
    if (end < 0) return bytes.length > HEAD_BYTES_MAX ? "bad" : "more";
    const head = bytes.toString("latin1", 0, end);
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
    if (status === "404") {
      this.code = "unsupported";
      this.fault = "who is there takes no gossip of this pool: is it the right port?";
    } else if (status !== undefined && status !== "200") this.fault = `it answered ${status}`;
    const stated = /^content-length: *(\d+) *$/im.exec(head)?.[1];
    if (status !== "200" || stated === undefined || Number(stated) > GOSSIP_BODY_BYTES_MAX) return "bad";
    this.closes = /^connection: *close *$/im.test(head);
    this.#chunks = [bytes.subarray(end + END_OF_HEAD.length)];
    this.#have = bytes.length - end - END_OF_HEAD.length;
    this.#length = Number(stated);
    return this.#length;
  }
}
