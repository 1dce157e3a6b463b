// Raft's messages on their way to other servers, many in one call. Each peer has two lanes with one call under way in
// each: messages with entries go in order and one call after the other, so that the follower's log meets them in order;
// the small ones (heartbeats, votes, answers) never wait behind them. What the peer says at once to what it got comes back
// in the reply. A call that fails is told to the machine, which sends again what still matters. A call that hangs (a lost
// packet, a connection that leads nowhere) holds up nothing for long: the next one is then sent beside it.
import { decodeBatch, encodeBatch, encodeMessage } from "../codec/raft-message.ts";
import type { Message } from "../raft/types.ts";
import type { PeerClient } from "./peer-door.ts";

/** The path of Raft's messages: a batch there, a batch back. */
export const MESSAGE_PATH = "/raft/1/message";

export interface MessageSenderOptions {
  readonly client: PeerClient;
  /** Where a server takes calls; null when nobody knows. */
  address(id: string): string | null;
  /** Messages to this server got lost. */
  unreachable(id: string): void;
  /** Messages that came back in a reply. */
  received(from: string, messages: readonly Message[]): void;
  /** Monotonic milliseconds. */
  now(): number;
  readonly small: LaneLimits;
  readonly entries: LaneLimits;
}

/** How long a call may take, and after how long it counts as hanging. */
export interface LaneLimits {
  readonly timeoutMs: number;
  readonly hangsMs: number;
}

/** Calls under way in one lane, all but the last of them hanging. */
const CALLS_MAX = 4;

/** A call holds no more than this, or one message. */
const CALL_BYTES_MAX = 4 * 1024 * 1024;
/** What may wait in a lane; beyond it messages are lost, which the machine can stand. */
const LANE_BYTES_MAX = 64 * 1024 * 1024;
const LANE_MESSAGES_MAX = 4096;

/** To all other servers. */
export class MessageSender {
  readonly #options: MessageSenderOptions;
  readonly #peers = new Map<string, PeerQueue>();

  constructor(options: MessageSenderOptions) {
    this.#options = options;
  }

  send(to: string, message: Message): void {
    let peer = this.#peers.get(to);
    if (peer === undefined) this.#peers.set(to, (peer = new PeerQueue(this.#options, to)));
    peer.push(message);
  }

  /** Servers that left need no queue. */
  keep(ids: readonly string[]): void {
    for (const id of this.#peers.keys()) if (!ids.includes(id)) this.#peers.delete(id);
  }

  /** Sends nothing more. */
  stop(): void {
    for (const peer of this.#peers.values()) peer.stop();
    this.#peers.clear();
  }
}

class PeerQueue {
  readonly #small: Lane;
  readonly #entries: Lane;

  constructor(options: MessageSenderOptions, id: string) {
    this.#small = new Lane(options, id, options.small);
    this.#entries = new Lane(options, id, options.entries);
  }

  push(message: Message): void {
    if (message.type !== "append-entries") this.#small.push(message);
    else if (message.entries.length > 0) this.#entries.push(message);
    // One that asks for the end of what is still on its way would be refused if it came first.
    else if (message.prevIndex > this.#entries.startsAt) this.#entries.push(message);
    else this.#small.heartbeat(message);
  }

  stop(): void {
    this.#small.stop();
    this.#entries.stop();
  }
}

class Lane {
  readonly #options: MessageSenderOptions;
  readonly #id: string;
  readonly #limits: LaneLimits;
  #queue: Message[] = [];
  #bytes = 0;
  /** Under way, and when the last of them began. */
  #calls = 0;
  #startedMs = 0;
  #stopped = false;
  /** The lowest `prevIndex` of what waits or is under way; Infinity when nothing is. */
  startsAt: number = Number.POSITIVE_INFINITY;

  constructor(options: MessageSenderOptions, id: string, limits: LaneLimits) {
    this.#options = options;
    this.#id = id;
    this.#limits = limits;
  }

  push(message: Message): void {
    if (this.#stopped) return;
    if (this.#queue.length >= LANE_MESSAGES_MAX || this.#bytes >= LANE_BYTES_MAX) {
      this.#options.unreachable(this.#id);
      return;
    }
    if (message.type === "append-entries") {
      this.startsAt = Math.min(this.startsAt, message.prevIndex);
      for (const { data } of message.entries) this.#bytes += data.length;
    }
    this.#queue.push(message);
    if (this.#calls === 0 || this.#isHanging) void this.#run();
  }

  get #isHanging(): boolean {
    return this.#calls < CALLS_MAX && this.#options.now() - this.#startedMs >= this.#limits.hangsMs;
  }

  /** A heartbeat takes the place of an older one that still waits and says nothing else. */
  heartbeat(message: Extract<Message, { type: "append-entries" }>): void {
    const at = this.#queue.findIndex(
      (older) =>
        older.type === "append-entries" && older.term === message.term && older.prevIndex === message.prevIndex,
    );
    if (at === -1) this.push(message);
    else {
      this.#queue[at] = message;
      if (this.#isHanging) void this.#run();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#queue = [];
  }

  async #run(): Promise<void> {
    this.#calls += 1;
    this.#startedMs = this.#options.now();
    // What is sent in this turn goes together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      this.#startedMs = this.#options.now();
      await this.#call(this.#take());
    }
    this.#calls -= 1;
    if (this.#calls === 0) this.startsAt = Number.POSITIVE_INFINITY;
  }

  #take(): Uint8Array {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (const message of this.#queue) {
      const encoded = encodeMessage(message);
      if (parts.length > 0 && bytes + encoded.length > CALL_BYTES_MAX) break;
      parts.push(encoded);
      bytes += encoded.length;
    }
    this.#queue.splice(0, parts.length);
    this.#bytes = Math.max(0, this.#bytes - bytes);
    if (this.#queue.length === 0) this.#bytes = 0;
    return encodeBatch(parts);
  }

  async #call(batch: Uint8Array): Promise<void> {
    const { client, address, unreachable, received } = this.#options;
    const id = this.#id;
    const at = address(id);
    let messages: readonly Message[] | null = null;
    if (at !== null) {
      try {
        messages = decodeBatch(await client.call({ id, address: at }, MESSAGE_PATH, batch, this.#limits.timeoutMs));
      } catch {
        // Whatever it was, the messages may be lost.
      }
    }
    if (this.#stopped) return;
    if (messages === null) {
      // What waits is of the same age, and would find the same.
      this.#queue = [];
      this.#bytes = 0;
      unreachable(id);
    } else if (messages.length > 0) received(id, messages);
  }
}
