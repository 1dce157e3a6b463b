// The log in memory since its base (thesis §3.5, §5.1). The base is the entry that compaction or a snapshot left behind:
// its index and term are known, its data is not.
import { assert } from "../util/assert.ts";
import type { Entry } from "./types.ts";

/** Invariants: (1) indexes run from `baseIndex + 1` without gaps; (2) terms never fall; (3) nothing changes but by these methods. */
export class Log {
  #baseIndex: number;
  #baseTerm: number;
  #entries: Entry[];

  constructor(base: { index: number; term: number }, entries: readonly Entry[]) {
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#entries = entries.slice();
  }

  get baseIndex(): number {
    return this.#baseIndex;
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  get lastTerm(): number {
    const { length } = this.#entries;
    return length === 0 ? this.#baseTerm : this.#entries[length - 1]!.term;
  }

  /** The term of the entry at `index`, the base included (0 before the first entry); null when it is not known here. */
  termAt(index: number): number | null {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term ?? null;
  }

  /** The entry at `index`, which must be in memory. */
  at(index: number): Entry {
    const entry = this.#entries[index - this.#baseIndex - 1];
    assert(entry !== undefined, `entry ${index} is not in the log`);
    return entry;
  }

  /** True when a log with this end holds everything that this one holds (thesis §3.6.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, `entry ${entry.index} does not follow ${this.lastIndex}`);
    assert(entry.term >= this.lastTerm, `term ${entry.term} does not follow ${this.lastTerm}`);
    this.#entries.push(entry);
  }

  /** Removes the entries from `from` on. */
  truncate(from: number): void {
    assert(from > this.#baseIndex, `entry ${from} is not in the log`);
    this.#entries.length = Math.min(this.#entries.length, from - this.#baseIndex - 1);
  }

  /** The entries from `from` to `to`, both included. */
  slice(from: number, to: number): Entry[] {
    assert(from > this.#baseIndex && to <= this.lastIndex, `${from}..${to} is not in the log`);
    return this.#entries.slice(from - this.#baseIndex - 1, to - this.#baseIndex);
  }

  /** The last index of a message that begins at `from`: at least `from`, within the limits beyond it. */
  lastWithin(from: number, entriesMax: number, bytesMax: number): number {
    const last = Math.min(this.lastIndex, from + entriesMax - 1);
    let bytes = this.at(from).data.length;
    let to = from;
    while (to < last) {
      bytes += this.at(to + 1).data.length;
      if (bytes > bytesMax) break;
      to += 1;
    }
    return to;
  }

  /** Bytes of data in the entries from `from` to `to`, both included. */
  bytesBetween(from: number, to: number): number {
    let bytes = 0;
    for (let index = from; index <= to; index += 1) bytes += this.at(index).data.length;
    return bytes;
  }

  /**
   * The last index at or below `index` whose term is not above `term`: where two logs may still agree, when one of them has
   * `term` at `index` (etcd's reject hint). `index` itself when it is below what is known here.
   */
  lastNotAbove(index: number, term: number): number {
    for (let at = Math.min(index, this.lastIndex); at >= this.#baseIndex; at -= 1) {
      const termAt = this.termAt(at);
      if (termAt === null || termAt <= term) return at;
    }
    return Math.min(index, Math.max(0, this.#baseIndex - 1));
  }

  /** The index below which entries can go when `index` stays and what trails it keeps within the limits. */
  trailing(index: number, entriesMax: number, bytesMax: number): number {
    let at = index;
    let bytes = 0;
    while (at > this.#baseIndex && index - at < entriesMax) {
      bytes += this.at(at).data.length;
      if (bytes > bytesMax) break;
      at -= 1;
    }
    return at;
  }

  /** Forgets the entries up to `index`, which becomes the base. */
  compact(index: number): void {
    const term = this.termAt(index);
    assert(term !== null && index >= this.#baseIndex, `cannot compact to ${index}`);
    this.#entries = this.#entries.slice(index - this.#baseIndex);
    this.#baseIndex = index;
    this.#baseTerm = term;
  }

  /** Forgets everything: a snapshot that ends with this entry took the log's place. */
  reset(index: number, term: number): void {
    this.#entries = [];
    this.#baseIndex = index;
    this.#baseTerm = term;
  }
}
