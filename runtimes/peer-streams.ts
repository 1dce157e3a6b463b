// Calls between servers on streams: to each address one for Raft and one for everything else, so that no number of forwarded
// requests holds up a heartbeat. A stream is opened beside the calls: until it is open, when it cannot be, for large bodies
// and for what goes to many agents (gossip) a call is a request of its own, which is right by itself. A stream over which
// nothing comes is given up, and what was under way on it has an unknown outcome, as with a connection that broke.
import type { Peers } from "../src/platform.ts";
import { OperationalError } from "../src/types/error.ts";
import { PEER_BODY_BYTES_MAX } from "./peer-handle.ts";
import { ANSWER, BEAT, CALL_BYTES_MAX, FAILED, type Frame, PART } from "./peer-frames.ts";
import type { PeerLink } from "./peer-link.ts";

/** What a stream tells of itself while it is open, and once at its end. */
export interface StreamEvents {
  take(frame: Frame): void;
  ended(why: string): void;
}

/** An open stream. */
export interface OpenStream {
  readonly link: PeerLink;
  /** Whether it keeps the process alive: while a call is under way. */
  hold(isHeld: boolean): void;
}

/** Opens a stream to an address; rejects when the other side knows none, or cannot be reached. */
export type OpenPeerStream = (address: string, events: StreamEvents) => Promise<OpenStream>;

const RAFT_PREFIX = "/raft/";
const RPC_PREFIX = "/rpc/";
const SNAPSHOT_SUFFIX = "/snapshot";
const BEAT_MS = 1000;
/** Nothing heard for this long, though beats were sent: the stream leads nowhere. */
const SILENCE_MS = 10_000;
/** Raft has nothing to lose by a new one. */
const RAFT_SILENCE_MS = 3500;
/** A stream without calls is closed after this long. */
const IDLE_MS = 60_000;
/** When opening failed: how long until it is tried again, at first and at most. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;
/** Addresses that are remembered; more are never servers. */
const ADDRESSES_MAX = 1024;

const encoder = new TextEncoder();
const pathBytes = new Map<string, Uint8Array>();

/** The bytes of a path behind their length. Paths of calls are few. */
function bytesOf(path: string): Uint8Array {
  let bytes = pathBytes.get(path);
  if (bytes === undefined) {
    const text = encoder.encode(path);
    bytes = new Uint8Array(1 + text.length);
    bytes[0] = text.length;
    bytes.set(text, 1);
    if (pathBytes.size < 256) pathBytes.set(path, bytes);
  }
  return bytes;
}

/** Calls by streams where that is possible, else by requests. */
export class StreamPeers implements Peers {
  readonly #requests: Peers;
  readonly #open: OpenPeerStream;
  readonly #streams = new Map<string, Stream>();

  constructor(requests: Peers, open: OpenPeerStream) {
    this.#requests = requests;
    this.#open = open;
  }

  /** How many streams are open. */
  get open(): number {
    return [...this.#streams.values()].filter((stream) => stream.isOpen).length;
  }

  call(address: string, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const isRaft = path.startsWith(RAFT_PREFIX);
    // Snapshots come in pieces that no heartbeat should wait for.
    if (path.endsWith(SNAPSHOT_SUFFIX)) return this.#requests.call(address, path, body, timeoutMs);
    if (body.length > CALL_BYTES_MAX || (!isRaft && !path.startsWith(RPC_PREFIX)))
      return this.#requests.call(address, path, body, timeoutMs);
    const key = isRaft ? `${address} raft` : address;
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      if (this.#streams.size >= ADDRESSES_MAX) this.#forgetClosed();
      this.#streams.set(key, (stream = new Stream(address, isRaft, this.#open)));
    }
    if (stream.isOpen) return stream.call(path, body, timeoutMs);
    stream.open();
    return this.#requests.call(address, path, body, timeoutMs);
  }

  #forgetClosed(): void {
    for (const [key, stream] of this.#streams) if (!stream.isOpen) this.#streams.delete(key);
  }
}

interface Pending {
  resolve(answer: Uint8Array): void;
  reject(error: OperationalError): void;
  timer: ReturnType<typeof setTimeout>;
  sentMs: number;
  /** It has left once the link has written more often than this. */
  writes: number;
  parts: Uint8Array[] | null;
  bytes: number;
}

class Stream {
  readonly #address: string;
  readonly #isRaft: boolean;
  readonly #openStream: OpenPeerStream;
  readonly #pending = new Map<number, Pending>();
  #stream: OpenStream | null = null;
  #isOpening = false;
  #retryMs = 0;
  #retryAtMs = 0;
  #beats: ReturnType<typeof setInterval> | undefined;
  #usedMs = 0;
  #id = 0;

  constructor(address: string, isRaft: boolean, open: OpenPeerStream) {
    this.#address = address;
    this.#isRaft = isRaft;
    this.#openStream = open;
  }

  get isOpen(): boolean {
    return this.#stream !== null;
  }

  /** Begins to open it, unless it is being opened, or could not be a moment ago. */
  open(): void {
    if (this.#isOpening || performance.now() < this.#retryAtMs) return;
    this.#isOpening = true;
    const take = (frame: Frame): void => this.#take(frame);
    const ended = (why: string): void => this.#ended(why);
    this.#openStream(this.#address, { take, ended }).then(
      (stream) => {
        this.#isOpening = false;
        if (stream.link.isClosed) {
          this.#failed();
          return;
        }
        this.#stream = stream;
        this.#retryMs = 0;
        this.#usedMs = performance.now();
        stream.hold(false);
        this.#beats = setInterval(() => this.#beat(), BEAT_MS);
        this.#beats.unref();
      },
      () => {
        this.#isOpening = false;
        this.#failed();
      },
    );
  }

  call(path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const stream = this.#stream as OpenStream;
    return new Promise((resolve, reject) => {
      const id = (this.#id = (this.#id + 1) >>> 0);
      const timer = setTimeout(() => this.#timedOut(id), timeoutMs);
      if (this.#pending.size === 0) stream.hold(true);
      const sentMs = performance.now();
      this.#usedMs = sentMs;
      this.#pending.set(id, { resolve, reject, timer, sentMs, writes: stream.link.writes, parts: null, bytes: 0 });
      stream.link.call(id, bytesOf(path), body);
    });
  }

  #take({ kind, id, payload }: Frame): void {
    if (kind === BEAT) return;
    if (kind !== ANSWER && kind !== PART && kind !== FAILED) throw new Error(`a frame of kind ${kind}`);
    const pending = this.#pending.get(id);
    // Its call was given up.
    if (pending === undefined) return;
    if (kind === PART) {
      pending.parts ??= [];
      // The bytes come in one piece of memory with others: what is kept for longer is kept alone.
      pending.parts.push(payload.slice());
      pending.bytes += payload.length;
      if (pending.bytes > PEER_BODY_BYTES_MAX) throw new Error("an answer larger than any");
      return;
    }
    this.#end(id, pending);
    if (kind === ANSWER) pending.resolve(pending.parts === null ? payload : joined([...pending.parts, payload]));
    else pending.reject(this.#error("outcome-unknown", "the call was not answered"));
  }

  #end(id: number, pending: Pending): void {
    clearTimeout(pending.timer);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#stream?.hold(false);
  }

  #timedOut(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#end(id, pending);
    pending.reject(this.#error("timeout", "no answer in time"));
    // Not a word since: what is lost on the way comes late or never, and a new connection may do better. Only Raft can
    // stand that what else is under way is given up.
    const link = this.#stream?.link;
    if (this.#isRaft && link !== undefined && link.heardMs < pending.sentMs)
      link.close("no answer, and nothing else, in time");
  }

  #beat(): void {
    const link = (this.#stream as OpenStream).link;
    const nowMs = performance.now();
    if (nowMs - link.heardMs > (this.#isRaft ? RAFT_SILENCE_MS : SILENCE_MS)) link.close("nothing was heard for long");
    else if (this.#pending.size === 0 && nowMs - this.#usedMs > IDLE_MS) link.close("not used for long");
    else link.beat();
  }

  #ended(why: string): void {
    const link = this.#stream?.link;
    this.#stream = null;
    clearInterval(this.#beats);
    if (link === undefined) return;
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { timer, reject, writes } of all) {
      clearTimeout(timer);
      reject(this.#error(link.writes > writes ? "outcome-unknown" : "unreachable", why));
    }
  }

  #failed(): void {
    this.#retryMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, this.#retryMs * 2));
    this.#retryAtMs = performance.now() + this.#retryMs;
  }

  #error(code: "timeout" | "outcome-unknown" | "unreachable", why: string): OperationalError {
    return new OperationalError(code, `${this.#address}: ${why}`);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
