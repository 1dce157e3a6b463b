// A client's packet, read just far enough to answer it: header, the one question, EDNS (RFC 1035 §4.1, 6891, 7871). It
// allocates nothing, since most packets are answered from the cache. What is accepted is what Consul's server accepts.

import { copyOf } from "./copy.ts";
import { FLAG } from "./message.ts";
import { escapedByte, LABEL_BYTES_MAX, NAME_BYTES_MAX } from "./name.ts";
import { TYPE } from "./record.ts";
import { HEADER_BYTES } from "./wire-reader.ts";

/** What to do with a packet. `drop`: no answer, as for answers sent to us, which would otherwise start a loop. */
export type QueryVerdict = "answer" | "drop" | "format-error" | "not-implemented";

const OPTION_CLIENT_SUBNET = 8;
/** Bits of a question that its answer carries too. */
export const ECHOED_FLAGS: number = FLAG.RD | FLAG.CD;

/** The client's network, as EDNS gives it (RFC 7871 §6): the fields as they came. */
export interface ClientSubnet {
  family: number;
  sourceBits: number;
  /** As many bytes as `sourceBits` needs. */
  address: Uint8Array;
}

/** One scratch object, filled by `read` and valid until the next. */
export class QueryScan {
  id = 0;
  flags = 0;
  type = 0;
  /** Where the question section ends; it starts after the header. */
  questionEnd = 0;
  /** False without an OPT record. */
  edns = false;
  udpBytes = 0;
  ednsVersion = 0;
  /** Where the client subnet option's data is in the packet; -1 without one. */
  #subnetAt = -1;
  #subnetBytes = 0;

  get hasSubnet(): boolean {
    return this.#subnetAt !== -1;
  }

  read(packet: Uint8Array): QueryVerdict {
    if (packet.length < HEADER_BYTES) return "drop";
    this.id = u16(packet, 0);
    this.flags = u16(packet, 2);
    if ((this.flags & FLAG.QR) !== 0) return "drop";
    if ((this.flags & 0x7800) !== 0) return "not-implemented";
    const answers = u16(packet, 6);
    const authorities = u16(packet, 8);
    const additionals = u16(packet, 10);
    // One record of the first two is what an IXFR or a NOTIFY may bring; OPT and a signature may be added.
    if (u16(packet, 4) !== 1 || answers > 1 || authorities > 1 || additionals > 2) return "format-error";
    const nameEnd = skipName(packet, HEADER_BYTES, false);
    if (nameEnd === -1 || nameEnd + 4 > packet.length) return "format-error";
    this.type = u16(packet, nameEnd);
    this.questionEnd = nameEnd + 4;
    this.edns = false;
    this.#subnetAt = -1;
    let at = this.questionEnd;
    for (let left = answers + authorities + additionals; left > 0; left -= 1) {
      at = this.#skipRecord(packet, at, left <= additionals);
      if (at === -1) return "format-error";
    }
    return "answer";
  }

  /** Skips a record and takes note of it when it is the OPT record; gives where it ends, or -1. */
  #skipRecord(packet: Uint8Array, start: number, additional: boolean): number {
    const at = skipName(packet, start, true);
    if (at === -1 || at + 10 > packet.length) return -1;
    const end = at + 10 + u16(packet, at + 8);
    if (end > packet.length) return -1;
    if (u16(packet, at) !== TYPE.OPT || !additional) return end;
    // Its owner is the root, and there is only one (RFC 6891 §6.1.1).
    if (at !== start + 1 || this.edns) return -1;
    this.edns = true;
    this.udpBytes = u16(packet, at + 2);
    this.ednsVersion = packet[at + 5]!;
    return this.#readOptions(packet, at + 10, end) ? end : -1;
  }

  #readOptions(packet: Uint8Array, start: number, end: number): boolean {
    let at = start;
    while (at < end) {
      if (at + 4 > end) return false;
      const code = u16(packet, at);
      const length = u16(packet, at + 2);
      at += 4;
      if (at + length > end) return false;
      if (code === OPTION_CLIENT_SUBNET && this.#subnetAt === -1) {
        if (!isSubnet(packet, at, length)) return false;
        this.#subnetAt = at;
        this.#subnetBytes = length;
      }
      at += length;
    }
    return true;
  }

  /** The client subnet, copied from the packet that was read last; null without one. */
  subnet(packet: Uint8Array): ClientSubnet | null {
    if (this.#subnetAt === -1) return null;
    const sourceBits = packet[this.#subnetAt + 2]!;
    const start = this.#subnetAt + 4;
    const address = copyOf(packet, start, this.#subnetAt + this.#subnetBytes);
    return { family: u16(packet, this.#subnetAt), sourceBits, address };
  }

  /** The question's name in presentation form, its case as asked. */
  name(packet: Uint8Array): string {
    let name = "";
    for (let at = HEADER_BYTES; packet[at] !== 0;) {
      const end = at + packet[at]! + 1;
      if (name !== "") name += ".";
      for (at += 1; at < end; at += 1) name += escapedByte(packet[at]!);
    }
    return name;
  }
}

/** Family 0 (nothing told), IPv4 or IPv6; no more address bytes than the prefix needs, none of its bits beyond it set. */
function isSubnet(packet: Uint8Array, at: number, length: number): boolean {
  if (length < 4) return false;
  const family = u16(packet, at);
  const bits = packet[at + 2]!;
  const bitsMax = family === 1 ? 32 : family === 2 ? 128 : family === 0 ? 0 : -1;
  if (bits > bitsMax || length - 4 !== (bits + 7) >>> 3) return false;
  return bits % 8 === 0 || (packet[at + length - 1]! & (0xff >>> (bits % 8))) === 0;
}

/** Where a name ends, or -1 when it is malformed. What a pointer leads to is not looked at: it is not needed. */
function skipName(packet: Uint8Array, start: number, pointers: boolean): number {
  let at = start;
  while (at < packet.length) {
    const length = packet[at]!;
    if (length === 0) return at + 1 - start > NAME_BYTES_MAX ? -1 : at + 1;
    if (length >= 0xc0) return pointers && at + 2 <= packet.length ? at + 2 : -1;
    if (length > LABEL_BYTES_MAX) return -1;
    at += length + 1;
  }
  return -1;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
