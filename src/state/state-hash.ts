// The hash of the state: the sum of the hashes of all records, so that a change costs the hashes of what was and of what
// is, whatever the size of the store, and the order of the writes does not matter. Servers compare it at equal indexes.
// It finds divergence; it is no defence against somebody who makes records to collide.
// Two lanes of 32 bits with xor, rotate and multiply, and the finaliser of MurmurHash3 (Appleby, public domain).

import type { KVEntry } from "../types/records.ts";
import { unreachable } from "../util/assert.ts";
import type { TableName, TableRecords } from "./change.ts";

const FACTOR_A = 0xcc9e2d51;
const FACTOR_B = 0x1b873593;
const float = new DataView(new ArrayBuffer(8));

/** Finishes a lane, so that near inputs give far hashes. */
function finish(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The running sum, and the record hash under way. */
export class StateHash {
  #sumA = 0;
  #sumB = 0;
  #a = 0;
  #b = 0;

  /** Adds a record of a table. */
  add<T extends TableName>(table: T, key: string, record: TableRecords[T]): void {
    this.#hash(table, key, record);
    this.#sumA = (this.#sumA + this.#a) | 0;
    this.#sumB = (this.#sumB + this.#b) | 0;
  }

  /** Takes away a record that was added. */
  subtract<T extends TableName>(table: T, key: string, record: TableRecords[T]): void {
    this.#hash(table, key, record);
    this.#sumA = (this.#sumA - this.#a) | 0;
    this.#sumB = (this.#sumB - this.#b) | 0;
  }

  /** Goes on from a sum as `toString` gave it. */
  load(sum: string): void {
    this.#sumA = Number.parseInt(sum.slice(0, 8), 16) | 0;
    this.#sumB = Number.parseInt(sum.slice(8), 16) | 0;
  }

  /** The sum, as 16 hexadecimal digits. */
  toString(): string {
    return hex(this.#sumA) + hex(this.#sumB);
  }

  #hash<T extends TableName>(table: T, key: string, record: TableRecords[T]): void {
    this.#a = 0x9747b28c;
    this.#b = 0x2f0b4c47;
    this.#string(table);
    this.#string(key);
    if (table === "kv") this.#entry(record as KVEntry);
    else this.#value(record);
    this.#a = finish(this.#a);
    this.#b = finish(this.#b);
  }

  #word(word: number): void {
    const a = this.#a ^ Math.imul(word, FACTOR_A);
    const b = this.#b ^ Math.imul(word, FACTOR_B);
    this.#a = (Math.imul((a << 15) | (a >>> 17), 5) + 0x38495ab5) | 0;
    this.#b = (Math.imul((b << 13) | (b >>> 19), 5) + 0x561ccd1b) | 0;
  }

  #string(text: string): void {
    this.#word(text.length);
    let i = 0;
    for (; i + 1 < text.length; i += 2) this.#word(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    if (i < text.length) this.#word(text.charCodeAt(i));
  }

  #bytes(bytes: Uint8Array): void {
    this.#word(bytes.length);
    let i = 0;
    for (; i + 3 < bytes.length; i += 4) {
      this.#word(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    }
    for (; i < bytes.length; i++) this.#word(bytes[i]!);
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value)) {
      this.#word(value | 0);
      this.#word(Math.floor(value / 0x100000000) | 0);
      return;
    }
    float.setFloat64(0, value);
    this.#word(3);
    this.#word(float.getInt32(0));
    this.#word(float.getInt32(4));
  }

  /** The commonest record, without a walk over its field names. */
  #entry(entry: KVEntry): void {
    this.#number(entry.CreateIndex);
    this.#number(entry.ModifyIndex);
    this.#value(entry.LockIndex);
    this.#value(entry.Flags);
    this.#string(entry.Session ?? "");
    this.#bytes(entry.Value);
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case "number":
        this.#word(1);
        this.#number(value);
        return;
      case "string":
        this.#word(2);
        this.#string(value);
        return;
      case "boolean":
        this.#word(value ? 5 : 4);
        return;
      case "bigint":
        this.#word(6);
        this.#string(value.toString());
        return;
      case "undefined":
        this.#word(7);
        return;
      case "object":
        if (value === null) this.#word(8);
        else if (value instanceof Uint8Array) this.#bytes(value);
        else if (Array.isArray(value)) {
          this.#word(9);
          this.#word(value.length);
          for (const element of value) this.#value(element);
        } else this.#object(value as Record<string, unknown>);
        return;
      default:
        unreachable(value as never);
    }
  }

  /** A sum over the fields, so that their order does not matter: a codec may give them back in another one. */
  #object(object: Record<string, unknown>): void {
    const outerA = this.#a;
    const outerB = this.#b;
    let sumA = 0;
    let sumB = 0;
    for (const name of Object.keys(object)) {
      const value = object[name];
      if (value === undefined) continue;
      this.#a = 0x3c6ef372;
      this.#b = 0x510e527f;
      this.#string(name);
      this.#value(value);
      sumA = (sumA + finish(this.#a)) | 0;
      sumB = (sumB + finish(this.#b)) | 0;
    }
    this.#a = outerA;
    this.#b = outerB;
    this.#word(10);
    this.#word(sumA);
    this.#word(sumB);
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
