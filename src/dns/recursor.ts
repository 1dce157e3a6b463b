// Questions that are not ours: passed to the configured recursors, one after another, by the transport that the client
// used. Each leaves with an id of its own, and only an answer to that id and question is taken (RFC 5452 §9.1).

import { OperationalError } from "../types/error.ts";
import type { Random } from "../util/random.ts";
import { shuffled } from "./answer.ts";
import { type DnsConfig, recursorAddress } from "./config.ts";
import { copyOf } from "./copy.ts";
import { decodeMessage, encodeMessage, FLAG, type Message } from "./message.ts";
import { CLASS_IN, RCODE, type ResourceRecord } from "./record.ts";
import type { DnsSource, Transport } from "./source.ts";
import { HEADER_BYTES } from "./wire-reader.ts";

export interface RecursorContext {
  source: DnsSource;
  config: DnsConfig;
  random: Random;
}

/**
 * Passes a client's packet on.
 * @param questionEnd where its question section ends.
 * @returns the first answer with NOERROR or NXDOMAIN, under the client's id; null when no recursor gave one.
 */
export async function forward(
  context: RecursorContext,
  packet: Uint8Array,
  questionEnd: number,
  transport: Transport,
): Promise<Uint8Array | null> {
  const { source, config } = context;
  if (source.recurse === undefined) return null;
  for (const recursor of order(context)) {
    const query = withId(packet, context.random.below(0x1_0000));
    const reply = await replyOf(source.recurse(query, transport, recursorAddress(recursor), config.recursorTimeoutMs));
    if (reply === null || !answersTo(reply, query, questionEnd)) continue;
    const rcode = reply[3]! & 15;
    if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) continue;
    return withId(reply, (packet[0]! << 8) | packet[1]!);
  }
  return null;
}

/** Asks the recursors about a host name that an answer of ours leads to; nothing when none of them answers. */
export async function askRecursors(
  context: RecursorContext,
  name: string,
  type: number,
): Promise<readonly ResourceRecord[]> {
  const { source, config } = context;
  if (source.recurse === undefined) return [];
  for (const recursor of order(context)) {
    const query = encodeMessage(question(context.random.below(0x1_0000), name, type));
    const address = recursorAddress(recursor);
    let reply = await replyOf(source.recurse(query, "udp", address, config.recursorTimeoutMs));
    if (reply === null || !answersTo(reply, query, query.length)) continue;
    if ((reply[2]! & (FLAG.TC >>> 8)) !== 0) {
      const whole = await replyOf(source.recurse(query, "tcp", address, config.recursorTimeoutMs));
      if (whole !== null && answersTo(whole, query, query.length)) reply = whole;
    }
    const message = decodeMessage(reply);
    if (message !== null) return message.answers;
  }
  return [];
}

/** The recursors as they are to be tried. */
function order({ config, random }: RecursorContext): readonly string[] {
  return config.recursorStrategy === "random" ? shuffled(config.recursors, random) : config.recursors;
}

/** The reply, or null when the recursor failed. @throws whatever is no OperationalError: a bug. */
async function replyOf(pending: Promise<Uint8Array>): Promise<Uint8Array | null> {
  try {
    return await pending;
  } catch (error) {
    if (error instanceof OperationalError) return null;
    throw error;
  }
}

function withId(packet: Uint8Array, id: number): Uint8Array {
  const copy = copyOf(packet);
  copy[0] = id >>> 8;
  copy[1] = id;
  return copy;
}

/** True for an answer with the query's id and question, letter case aside: some recursors do not keep it. */
function answersTo(reply: Uint8Array, query: Uint8Array, questionEnd: number): boolean {
  if (reply.length < questionEnd || (reply[2]! & 0x80) === 0) return false;
  if (reply[0] !== query[0] || reply[1] !== query[1] || reply[4] !== 0 || reply[5] !== 1) return false;
  for (let at = HEADER_BYTES; at < questionEnd; at += 1) {
    if (lower(reply[at]!) !== lower(query[at]!)) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

function question(id: number, name: string, type: number): Message {
  return {
    id,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: [{ name, type, class: CLASS_IN }],
    answers: [],
    authorities: [],
    additionals: [],
  };
}
