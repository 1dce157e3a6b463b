// What stands before every gossip message between agents: the version of the form, and of a request which pool it is for,
// so that pools never mix: a byte each for version and pool, and for the LAN pool the datacenter's name.
import { concat, text, utf8 } from "../util/bytes.ts";
import type { PoolKind } from "./pool-settings.ts";

const VERSION = 1;
const KINDS: readonly PoolKind[] = ["lan", "wan"];
const NAMES: Record<PoolKind, string> = { lan: "LAN", wan: "WAN" };
const ANSWER_HEAD = Uint8Array.of(VERSION);
const HEAD_BYTES = 3;
const DATACENTER_BYTES_MAX = 255;
const ASCII_MAX = 0x7f;

/** What to do about agents of two datacenters in one LAN pool. */
export const DATACENTER_ADVICE: string =
  "Correct the `datacenter` of one of them, or join the datacenters by their servers' WAN pools (-retry-join-wan, join -wan)";

/** One pool: all members of the WAN pool say the same, those of a LAN pool name their datacenter. */
export interface PoolScope {
  readonly kind: PoolKind;
  readonly datacenter: string;
}

/** The bytes before a request to this pool. */
export function requestHead({ kind, datacenter }: PoolScope): Uint8Array {
  const name = kind === "lan" ? utf8(datacenter).subarray(0, DATACENTER_BYTES_MAX) : new Uint8Array(0);
  return concat([Uint8Array.of(VERSION, KINDS.indexOf(kind), name.length), name]);
}

/** The request after the head, or a text that says why it is not for this pool; null when the bytes are no request. */
export function openRequest(bytes: Uint8Array, own: PoolScope): Uint8Array | string | null {
  if (bytes.length < HEAD_BYTES) return null;
  const [version, kindByte, length] = bytes as unknown as [number, number, number];
  if (version !== VERSION)
    return `this agent speaks version ${VERSION} of gossip, not ${version}: run the same version of the program on both`;
  const kind = KINDS[kindByte];
  if (kind === undefined || bytes.length < HEAD_BYTES + length) return null;
  if (kind !== own.kind)
    return `this is the ${NAMES[own.kind]} pool of datacenter '${own.datacenter}', and the call is for a ${NAMES[kind]} pool: look at the ports`;
  const datacenter = bytes.subarray(HEAD_BYTES, HEAD_BYTES + length);
  if (kind === "lan" && !isText(datacenter, own.datacenter))
    return `this is datacenter '${own.datacenter}', and the call is for agents of datacenter '${text(datacenter)}'. ${DATACENTER_ADVICE}`;
  return bytes.subarray(HEAD_BYTES + length);
}

/** True when the bytes are the text; without making one where both are ASCII, as names of datacenters are. */
function isText(bytes: Uint8Array, wanted: string): boolean {
  if (bytes.length !== wanted.length) return text(bytes) === wanted;
  for (let at = 0; at < wanted.length; at += 1) {
    const code = wanted.charCodeAt(at);
    if (code > ASCII_MAX) return text(bytes) === wanted;
    if (bytes[at] !== code) return false;
  }
  return true;
}

/** An encoded answer as it is sent. */
export function sealAnswer(answer: Uint8Array): Uint8Array {
  return concat([ANSWER_HEAD, answer]);
}

/** The encoded answer that was sent; null when it has another form. */
export function openAnswer(bytes: Uint8Array): Uint8Array | null {
  return bytes[0] === VERSION ? bytes.subarray(1) : null;
}
