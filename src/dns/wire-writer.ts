// Writing the pieces of a DNS message (RFC 1035 §4): integers, names with compression, records.

import { assert } from "../util/assert.ts";
import { copyOf } from "./copy.ts";
import { LABEL_BYTES_MAX, labelBytes, NAME_BYTES_MAX } from "./name.ts";
import { CLASS_IN, TYPE, type OptRecord, type ResourceRecord } from "./record.ts";

/** Pointers have 14 bits: a name further on cannot be pointed to. */
const POINTER_MAX = 0x3fff;
const DNSSEC_OK = 0x8000;
const DOT = 0x2e;
const BACKSLASH = 0x5c;

/** Writes messages into a buffer of its own, which it uses again for the next one and which grows when it must. */
export class WireWriter {
  bytes: Uint8Array<ArrayBuffer>;
  at = 0;
  /** Where the serial of the last SOA record was written; 0 when none was. */
  serialAt = 0;
  #compress = true;
  /** Where each name, and each end of one, was written. */
  readonly #written = new Map<string, number>();

  constructor(capacityBytes = 4096) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  /** Begins a new message. With `compress` off every name is written in full. */
  begin(compress: boolean): void {
    this.at = 0;
    this.serialAt = 0;
    this.#compress = compress;
    if (this.#written.size > 0) this.#written.clear();
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return copyOf(this.bytes, 0, this.at);
  }

  u8(value: number): void {
    this.#need(1);
    this.bytes[this.at++] = value;
  }

  u16(value: number): void {
    this.#need(2);
    this.bytes[this.at++] = value >>> 8;
    this.bytes[this.at++] = value;
  }

  u32(value: number): void {
    this.#need(4);
    this.bytes[this.at++] = value >>> 24;
    this.bytes[this.at++] = value >>> 16;
    this.bytes[this.at++] = value >>> 8;
    this.bytes[this.at++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.#need(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /**
   * A name, which must be one that `isWireName` accepts. A `whole` one is written without pointers, as RFC 2782 wants of
   * targets; later names may still point to it.
   */
  name(name: string, whole = false): void {
    this.#need(NAME_BYTES_MAX);
    const { bytes } = this;
    let rest = name;
    while (rest !== "") {
      if (this.#compress) {
        const before = this.#written.get(rest);
        if (before === undefined) {
          if (this.at <= POINTER_MAX) this.#written.set(rest, this.at);
        } else if (!whole) {
          bytes[this.at++] = 0xc0 | (before >>> 8);
          bytes[this.at++] = before;
          return;
        }
      }
      const lengthAt = this.at++;
      let next = 0;
      for (; next < rest.length; next += 1) {
        const code = rest.charCodeAt(next);
        if (code === DOT) break;
        if (code === BACKSLASH || code >= 0x80) {
          next = this.#escapedLabel(rest, lengthAt + 1);
          break;
        }
        bytes[this.at++] = code;
      }
      const length = this.at - lengthAt - 1;
      assert(length > 0 && length <= LABEL_BYTES_MAX, "a label of 1 to 63 bytes");
      bytes[lengthAt] = length;
      rest = rest.slice(next + 1);
    }
    bytes[this.at++] = 0;
  }

  /** Writes the first label of `rest` when it has escapes, from `from` on; gives where it ends in `rest`. */
  #escapedLabel(rest: string, from: number): number {
    let end = 0;
    while (end < rest.length && rest.charCodeAt(end) !== DOT) end += rest.charCodeAt(end) === BACKSLASH ? 2 : 1;
    const label = labelBytes(rest.slice(0, end));
    assert(label.length <= LABEL_BYTES_MAX, "a label of 1 to 63 bytes");
    this.bytes.set(label, from);
    this.at = from + label.length;
    return end;
  }

  /** A record, whose names and texts must fit. */
  record(record: ResourceRecord): void {
    if (record.type === "OPT") {
      this.#opt(record);
      return;
    }
    this.name(record.name);
    this.u16(record.type === "other" ? record.code : TYPE[record.type]);
    this.u16(record.class ?? CLASS_IN);
    this.u32(record.ttl);
    this.u16(0);
    const start = this.at;
    switch (record.type) {
      case "A":
      case "AAAA":
        this.raw(record.address);
        break;
      case "CNAME":
      case "NS":
      case "PTR":
        this.name(record.target);
        break;
      case "SRV":
        this.u16(record.priority);
        this.u16(record.weight);
        this.u16(record.port);
        this.name(record.target, true);
        break;
      case "MX":
        this.u16(record.preference);
        this.name(record.exchange);
        break;
      case "TXT":
        for (const text of record.texts) {
          this.u8(text.length);
          this.raw(text);
        }
        break;
      case "SOA":
        this.name(record.mname);
        this.name(record.rname);
        this.serialAt = this.at;
        for (const value of [record.serial, record.refresh, record.retry, record.expire, record.minimum])
          this.u32(value);
        break;
      case "other":
        this.raw(record.data);
        break;
    }
    const length = this.at - start;
    this.bytes[start - 2] = length >>> 8;
    this.bytes[start - 1] = length;
  }

  #opt(record: OptRecord): void {
    this.u8(0);
    this.u16(TYPE.OPT);
    this.u16(record.udpBytes);
    this.u8(record.extendedRcode);
    this.u8(record.version);
    this.u16(record.dnssecOk ? DNSSEC_OK : 0);
    let length = 0;
    for (const option of record.options) length += 4 + option.data.length;
    this.u16(length);
    for (const option of record.options) {
      this.u16(option.code);
      this.u16(option.data.length);
      this.raw(option.data);
    }
  }

  #need(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + count));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }
}
