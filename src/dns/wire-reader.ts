// Reading the pieces of a DNS message (RFC 1035 §4): integers, names with compression, records. The reader never throws and
// never loops: it stops at the first thing that is out of bounds and says so in `failed`.

import { copyOf } from "./copy.ts";
import { escapedByte, LABEL_BYTES_MAX, NAME_BYTES_MAX } from "./name.ts";
import { TYPE, type OptRecord, type ResourceRecord } from "./record.ts";

/** Bytes of a message's header. */
export const HEADER_BYTES = 12;
const DNSSEC_OK = 0x8000;

/** Reads a message from its start. After a failure everything reads as zero or empty. */
export class WireReader {
  readonly bytes: Uint8Array;
  at = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  u8(): number {
    if (this.at + 1 > this.bytes.length) return this.#fail();
    return this.bytes[this.at++]!;
  }

  u16(): number {
    if (this.at + 2 > this.bytes.length) return this.#fail();
    const value = (this.bytes[this.at]! << 8) | this.bytes[this.at + 1]!;
    this.at += 2;
    return value;
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  /** The next `length` bytes, copied. */
  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) {
      this.#fail();
      return new Uint8Array(0);
    }
    const taken = copyOf(this.bytes, this.at, this.at + length);
    this.at += length;
    return taken;
  }

  /**
   * A name in presentation form. A pointer must lead to before the labels it continues, so a loop of pointers fails, and
   * so does a name of more than 255 bytes.
   */
  name(): string {
    const { bytes } = this;
    let name = "";
    let at = this.at;
    let after = -1;
    let total = 1;
    // Where the current run of labels began; the next pointer must lead before it.
    let start = at;
    for (;;) {
      if (at >= bytes.length) return this.#noName();
      const length = bytes[at]!;
      if (length === 0) {
        this.at = after === -1 ? at + 1 : after;
        return name;
      }
      if (length >= 0xc0) {
        if (at + 2 > bytes.length) return this.#noName();
        const target = ((length & 0x3f) << 8) | bytes[at + 1]!;
        if (target >= start) return this.#noName();
        if (after === -1) after = at + 2;
        at = target;
        start = target;
        continue;
      }
      total += length + 1;
      if (length > LABEL_BYTES_MAX || total > NAME_BYTES_MAX || at + 1 + length > bytes.length) return this.#noName();
      if (name !== "") name += ".";
      for (let i = at + 1; i <= at + length; i += 1) name += escapedByte(bytes[i]!);
      at += length + 1;
    }
  }

  /** A record; null when it is malformed. */
  record(): ResourceRecord | null {
    const name = this.name();
    const code = this.u16();
    const klass = this.u16();
    const ttl = this.u32();
    const length = this.u16();
    const end = this.at + length;
    if (this.failed || end > this.bytes.length) return null;
    const record = code === TYPE.OPT ? this.#opt(klass, ttl, end) : this.#data(code, { name, ttl, class: klass }, end);
    if (this.failed || this.at !== end) return null;
    return record;
  }

  #data(code: number, head: { name: string; ttl: number; class: number }, end: number): ResourceRecord {
    const length = end - this.at;
    switch (code) {
      case TYPE.A:
        return { type: "A", ...head, address: this.take(4) };
      case TYPE.AAAA:
        return { type: "AAAA", ...head, address: this.take(16) };
      case TYPE.CNAME:
        return { type: "CNAME", ...head, target: this.name() };
      case TYPE.NS:
        return { type: "NS", ...head, target: this.name() };
      case TYPE.PTR:
        return { type: "PTR", ...head, target: this.name() };
      case TYPE.MX:
        return { type: "MX", ...head, preference: this.u16(), exchange: this.name() };
      case TYPE.SRV:
        return {
          type: "SRV",
          ...head,
          priority: this.u16(),
          weight: this.u16(),
          port: this.u16(),
          target: this.name(),
        };
      case TYPE.SOA:
        return {
          type: "SOA",
          ...head,
          mname: this.name(),
          rname: this.name(),
          serial: this.u32(),
          refresh: this.u32(),
          retry: this.u32(),
          expire: this.u32(),
          minimum: this.u32(),
        };
      case TYPE.TXT: {
        const texts: Uint8Array[] = [];
        while (this.at < end && !this.failed) texts.push(this.take(this.u8()));
        return { type: "TXT", ...head, texts };
      }
      default:
        return { type: "other", ...head, code, data: this.take(length) };
    }
  }

  #opt(udpBytes: number, ttl: number, end: number): OptRecord {
    const options: { code: number; data: Uint8Array }[] = [];
    while (this.at < end && !this.failed) {
      const code = this.u16();
      options.push({ code, data: this.take(this.u16()) });
    }
    return {
      type: "OPT",
      udpBytes,
      extendedRcode: Math.floor(ttl / 0x100_0000),
      version: Math.floor(ttl / 0x1_0000) % 0x100,
      dnssecOk: (ttl & DNSSEC_OK) !== 0,
      options,
    };
  }

  #fail(): number {
    this.failed = true;
    this.at = this.bytes.length;
    return 0;
  }

  #noName(): string {
    this.#fail();
    return "";
  }
}
