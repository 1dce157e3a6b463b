// The bytes of an encrypted call and of its answer. All but the body is in the clear, and all of it is vouched for together
// with the path; an answer also with the nonce of its request.
//   magic 4 · version 1 · kind 1 · key 8 · from 16 · to 16 · time 6, counter 6 (the nonce) · length 1, name · ciphertext, tag
// `from` and `to` name lives, not agents: 16 random bytes that an agent draws at every start. A notice is in the clear and
// vouches for nothing: magic, version, kind, reason.
import { OperationalError } from "../types/error.ts";
import { isUtf8, text, utf8 } from "../util/bytes.ts";

const VERSION = 1;
/** No text begins with the first, nor does a call in the clear. */
const MAGIC = [0xf5, 0x50, 0x43, 0x53] as const;

/** The kind of a call. */
export const REQUEST = 1;
/** The kind of an answer. */
export const ANSWER = 2;
/** The kind of the refusal of a call that was opened. */
export const REFUSAL = 3;
/** The kind of the answer of who is not whom the call is for. */
export const OTHER_TARGET = 4;
const NOTICE = 5;

/** A notice: no key that is installed opens the call. */
export const NOT_OURS = 1;
/** A notice: the call is of another form. */
export const UNREADABLE = 2;
/** A notice: the agent has no key. */
export const NO_KEY = 3;

/** The name of a shared key: the beginning of a hash of it. */
export const KEY_ID_BYTES = 8;
/** The name of a life. */
export const LIFE_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_AT = 6;
const FROM_AT = KEY_AT + KEY_ID_BYTES;
const TO_AT = FROM_AT + LIFE_BYTES;
const NONCE_AT = TO_AT + LIFE_BYTES;
const NAME_AT = NONCE_AT + NONCE_BYTES;
const NAME_BYTES_MAX = 255;
const NOTICE_BYTES = 7;
const TWO_32 = 0x1_0000_0000;

/** What stands before the ciphertext. Byte fields may be views. */
export interface SealedHead {
  kind: number;
  keyId: Uint8Array;
  from: Uint8Array;
  to: Uint8Array;
  /** Milliseconds since the epoch by the sender's clock. */
  timeMs: number;
  /** Counts what `from` has sealed. */
  counter: number;
  /** The sender's name, for people. */
  name: string;
}

/** A message taken apart. */
export interface SealedMessage extends SealedHead {
  /** The bytes of the head. */
  head: Uint8Array;
  nonce: Uint8Array;
  sealed: Uint8Array;
}

/** True for what an agent with a key sends. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1] && bytes[2] === MAGIC[2] && bytes[3] === MAGIC[3];
}

/** What is vouched for: the head, then the path and what else the message belongs to. `headBytes` of it are to be sent. */
export function encodeHead(head: SealedHead, path: string, request: Uint8Array | null): EncodedHead {
  const name = nameBytes(head.name);
  const headBytes = NAME_AT + 1 + name.length;
  const pathBytes = utf8(path);
  const aad = new Uint8Array(headBytes + pathBytes.length + (request?.length ?? 0));
  aad.set(MAGIC);
  aad[4] = VERSION;
  aad[5] = head.kind;
  aad.set(head.keyId, KEY_AT);
  aad.set(head.from, FROM_AT);
  aad.set(head.to, TO_AT);
  writeUint48(aad, NONCE_AT, head.timeMs);
  writeUint48(aad, NONCE_AT + 6, head.counter);
  aad[NAME_AT] = name.length;
  aad.set(name, NAME_AT + 1);
  aad.set(pathBytes, headBytes);
  if (request !== null) aad.set(request, headBytes + pathBytes.length);
  return { aad, headBytes, nonce: aad.subarray(NONCE_AT, NAME_AT) };
}
/** What `encodeHead` gives: all that is vouched for, how much of it is the head, and the nonce in it, a view. */
export interface EncodedHead {
  aad: Uint8Array;
  headBytes: number;
  nonce: Uint8Array;
}

/** What is vouched for, of a message that came. */
export function receivedAad({ head }: SealedMessage, path: string, request: Uint8Array | null): Uint8Array {
  const pathBytes = utf8(path);
  const aad = new Uint8Array(head.length + pathBytes.length + (request?.length ?? 0));
  aad.set(head);
  aad.set(pathBytes, head.length);
  if (request !== null) aad.set(request, head.length + pathBytes.length);
  return aad;
}

/** Takes a message apart; null when it is no sealed message of this version. Its parts are views. */
export function decodeSealed(bytes: Uint8Array): SealedMessage | null {
  if (!isSealed(bytes) || bytes[4] !== VERSION || bytes.length <= NAME_AT) return null;
  const headBytes = NAME_AT + 1 + (bytes[NAME_AT] as number);
  const name = bytes.subarray(NAME_AT + 1, headBytes);
  if (bytes.length < headBytes + TAG_BYTES || !isUtf8(name)) return null;
  return {
    kind: bytes[5] as number,
    keyId: bytes.subarray(KEY_AT, FROM_AT),
    from: bytes.subarray(FROM_AT, TO_AT),
    to: bytes.subarray(TO_AT, NONCE_AT),
    timeMs: readUint48(bytes, NONCE_AT),
    counter: readUint48(bytes, NONCE_AT + 6),
    name: text(name),
    head: bytes.subarray(0, headBytes),
    nonce: bytes.subarray(NONCE_AT, NAME_AT),
    sealed: bytes.subarray(headBytes),
  };
}

/** A notice in the clear. */
export function encodeNotice(reason: number): Uint8Array {
  return Uint8Array.of(...MAGIC, VERSION, NOTICE, reason);
}

/** The reason of a notice; null when it is none. */
export function decodeNotice(bytes: Uint8Array): number | null {
  const isNotice = isSealed(bytes) && bytes.length === NOTICE_BYTES && bytes[4] === VERSION && bytes[5] === NOTICE;
  return isNotice ? (bytes[6] as number) : null;
}

function nameBytes(name: string): Uint8Array {
  const bytes = utf8(name);
  if (bytes.length > NAME_BYTES_MAX)
    throw new OperationalError("invalid-request", `longer than ${NAME_BYTES_MAX} bytes: ${name}`);
  return bytes;
}

function writeUint48(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  bytes[at + 2] = value >>> 24;
  bytes[at + 3] = value >>> 16;
  bytes[at + 4] = value >>> 8;
  bytes[at + 5] = value;
}

function readUint48(bytes: Uint8Array, at: number): number {
  const byte = (offset: number): number => bytes[at + offset] as number;
  const low = ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0;
  return (byte(0) * 256 + byte(1)) * TWO_32 + low;
}
