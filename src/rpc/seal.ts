// Seals calls between agents with the keys of `encrypt`, and opens them. What it adds to AES-GCM:
// - Every life of an agent (a start of it) seals with a key of its own, drawn from the shared key and the life's 16 random
//   bytes by HMAC-SHA256; its nonces are the time and a count. So no nonce comes twice under one key, however much is
//   sent; random nonces would reach the limit of 2^32 messages for a key (NIST SP 800-38D §8.3) within days of Raft's traffic.
// - A call is for one life of one agent: it can be replayed neither to others nor to the same agent after a restart.
// - To that life it can come once: by the count (replay-window.ts), and only near the time it was sealed.
// - An answer belongs to one call. Whoever answers is known by its life, so a caller learns from the answer whom to seal for.
// Invariant: nothing is kept of, and nothing but a notice is said to, who has not shown that it holds a key.
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { CipherKey, Platform } from "../platform.ts";
import { assert } from "../util/assert.ts";
import { concat, equal, hex, utf8 } from "../util/bytes.ts";
import { Generations } from "../util/generations.ts";
import { ReplayWindow } from "./replay-window.ts";
import {
  decodeSealed,
  encodeHead,
  KEY_ID_BYTES,
  LIFE_BYTES,
  OTHER_TARGET,
  ANSWER,
  receivedAad,
  REFUSAL,
  REQUEST,
  type SealedMessage,
} from "./sealed-form.ts";

/** What a seal is made with. */
export interface SealOptions {
  /** 16, 24 or 32 bytes each. All of them open; the first one seals. */
  keys: readonly Uint8Array[];
  /** This agent's name, told to the others. */
  name: string;
  platform: Pick<Platform, "wall" | "random"> & Required<Pick<Platform, "cipher">>;
}

/** A call, sealed. */
export interface SealedRequest {
  readonly bytes: Uint8Array;
  readonly nonce: Uint8Array;
  readonly key: RingKey;
}

/** A call that was sealed with a key that this agent has. */
export interface OpenedRequest {
  readonly outcome: "opened" | "other-target" | "clock" | "replay";
  readonly message: SealedMessage;
  readonly key: RingKey;
  readonly body: Uint8Array;
}

/** An answer, opened: whose it is, and what. */
export interface OpenedAnswer {
  readonly kind: number;
  readonly from: Uint8Array;
  readonly name: string;
  readonly body: Uint8Array;
}

/** One of the shared keys. */
export interface RingKey {
  readonly bytes: Uint8Array;
  readonly id: Uint8Array;
  /** The key of this agent's life. */
  readonly own: CipherKey;
}

/** Whom a call is for when the caller does not know who is at the address: nobody. */
export const NOBODY: Uint8Array = new Uint8Array(LIFE_BYTES);

/** How far apart two clocks may be. */
export const CLOCK_SKEW_MS = 60_000;
/** A large call is on its way for longer. */
const SLOWEST_BYTES_PER_MS = 1024;
/** Lives that are remembered: those heard of within the last half of this many at least. */
const LIVES_MAX = 8192;
const KEY_LABEL = "proconsul key ";
const LIFE_LABEL = utf8("proconsul life ");

interface Life {
  readonly key: CipherKey;
  window: ReplayWindow | null;
}

/** The seal of one life of an agent. */
export class Seal {
  /** Which life of which agent this is. */
  readonly life: Uint8Array;
  readonly #ring: readonly RingKey[];
  readonly #name: string;
  readonly #platform: SealOptions["platform"];
  readonly #lives = new Generations<string, Life>(LIVES_MAX);
  #counter = 0;

  constructor({ keys, name, platform }: SealOptions) {
    assert(keys.length > 0, "a seal needs a key");
    this.life = platform.random(LIFE_BYTES);
    this.#name = name;
    this.#platform = platform;
    this.#ring = keys.map((bytes) => ({
      bytes,
      id: sha256(concat([utf8(KEY_LABEL), bytes])).subarray(0, KEY_ID_BYTES),
      own: platform.cipher.key(lifeKey(bytes, this.life)),
    }));
  }

  /** Seals a call for the life `to`. */
  async request(path: string, to: Uint8Array, body: Uint8Array): Promise<SealedRequest> {
    const key = this.#ring[0] as RingKey;
    const { bytes, nonce } = await this.#seal(REQUEST, key, to, path, null, body);
    return { bytes, nonce, key };
  }

  /** Opens a call. `not-ours` has no key that opens it, `unreadable` is of no known form. */
  async openRequest(path: string, bytes: Uint8Array): Promise<OpenedRequest | "not-ours" | "unreadable"> {
    const message = decodeSealed(bytes);
    if (message === null || message.kind !== REQUEST) return "unreadable";
    const key = this.#ring.find(({ id }) => equal(id, message.keyId));
    if (key === undefined) return "not-ours";
    const opened = await this.#open(key, message, path, null);
    if (opened === null) return "not-ours";
    return { outcome: this.#judge(message, opened.life), message, key, body: opened.body };
  }

  /** Seals the answer to a call. */
  async answer(
    kind: typeof ANSWER | typeof REFUSAL | typeof OTHER_TARGET,
    path: string,
    { message, key }: OpenedRequest,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    return (await this.#seal(kind, key, message.from, path, message.nonce, body)).bytes;
  }

  /** Opens an answer; null when it is none to this call from who holds its key. */
  async openAnswer(path: string, { key, nonce }: SealedRequest, bytes: Uint8Array): Promise<OpenedAnswer | null> {
    const message = decodeSealed(bytes);
    if (message === null || message.kind === REQUEST) return null;
    if (!equal(message.keyId, key.id) || !equal(message.to, this.life)) return null;
    const opened = await this.#open(key, message, path, nonce);
    if (opened === null) return null;
    return { kind: message.kind, from: message.from.slice(), name: message.name, body: opened.body };
  }

  /** The keys, the one that seals first. */
  get keys(): readonly Uint8Array[] {
    return this.#ring.map(({ bytes }) => bytes);
  }

  /** Lives remembered. */
  get lives(): number {
    return this.#lives.size;
  }

  async #seal(
    kind: number,
    key: RingKey,
    to: Uint8Array,
    path: string,
    request: Uint8Array | null,
    body: Uint8Array,
  ): Promise<{ bytes: Uint8Array; nonce: Uint8Array }> {
    const timeMs = Math.floor(this.#platform.wall());
    const head = { kind, keyId: key.id, from: this.life, to, timeMs, counter: this.#counter++, name: this.#name };
    const { aad, headBytes, nonce } = encodeHead(head, path, request);
    const bytes = await key.own.seal(nonce, aad, body, headBytes);
    bytes.set(aad.subarray(0, headBytes));
    return { bytes, nonce };
  }

  async #open(
    key: RingKey,
    message: SealedMessage,
    path: string,
    request: Uint8Array | null,
  ): Promise<{ body: Uint8Array; life: Life } | null> {
    const id = hex(key.id) + hex(message.from);
    const known = this.#lives.get(id);
    const cipherKey = known?.key ?? this.#platform.cipher.key(lifeKey(key.bytes, message.from));
    const body = await cipherKey.open(message.nonce, receivedAad(message, path, request), message.sealed);
    if (body === null) return null;
    // Meanwhile another call may have made it known: there must be one window for all.
    let life = known ?? this.#lives.get(id);
    if (life === undefined) this.#lives.set(id, (life = { key: cipherKey, window: null }));
    return { body, life };
  }

  /** What an authentic call is: for this life, of this time, and new. */
  #judge(message: SealedMessage, life: Life): OpenedRequest["outcome"] {
    if (!equal(message.to, this.life)) return "other-target";
    const lateMs = this.#platform.wall() - message.timeMs;
    const latestMs = CLOCK_SKEW_MS + message.sealed.length / SLOWEST_BYTES_PER_MS;
    if (lateMs < -CLOCK_SKEW_MS || lateMs > latestMs) return "clock";
    life.window ??= new ReplayWindow();
    return life.window.take(message.counter) ? "opened" : "replay";
  }
}

function lifeKey(key: Uint8Array, life: Uint8Array): Uint8Array {
  return hmac(sha256, key, concat([LIFE_LABEL, life]));
}
