// Replies already encoded, by question. A hit needs no look-up, no records and no encoding: a copy with the client's id.
//
// Correct: an entry is used only while every result that it was made of says that it is fresh, so a reply is never older
// than the source's own knowledge. Random: where order matters an entry holds several replies, each from a shuffle of its
// own; a hit takes one by chance, and one that was used a few times gives way to a new shuffle. Each reply by itself is
// thus as random as without the cache; only neighbours in time may be alike.

import type { Random } from "../util/random.ts";
import { type Answer, isFresh, keep, varies } from "./answer.ts";
import { copyOf } from "./copy.ts";
import { HEADER_BYTES } from "./wire-reader.ts";

/** A reply with id 0 and without the bits that echo the question's. */
export interface Encoded {
  bytes: Uint8Array;
  /** Where the SOA's serial, which is the time, must be written; 0 for nowhere. */
  serialAt: number;
}

const VARIANTS_MAX = 16;
/** How often a variant is used before a new shuffle takes its place. */
const USES_MAX = 16;
const ENTRIES_MAX = 4096;
/** All encoded replies together. */
const BYTES_MAX = 16 * 1024 * 1024;

interface Entry {
  /** The question section, exactly as asked: the reply repeats it, letter case and all. */
  question: Uint8Array;
  form: number;
  answer: Answer;
  variants: (Encoded | undefined)[];
  uses: Uint8Array;
  bytes: number;
  /** Used since eviction last looked at it. */
  used: boolean;
}

/** What `find` found. A vacant `slot` is to be filled by `put`. */
export type Found = { encoded: Encoded } | { answer: Answer; slot: number };

export class ReplyCache {
  readonly #entries = new Map<number, Entry>();
  readonly #random: Random;
  #bytes = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Number of questions kept. */
  get size(): number {
    return this.#entries.size;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  /**
   * Looks a packet up.
   * @param form a number for all else that the encoding depends on: transport, EDNS, size.
   * @returns a reply; or the answer, still fresh, of which the slot wants a new reply; or null.
   */
  find(packet: Uint8Array, questionEnd: number, form: number): Found | null {
    const key = hashOf(packet, questionEnd, form);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.form !== form || !isQuestion(entry.question, packet, questionEnd)) return null;
    if (!isFresh(entry.answer)) {
      this.#drop(key, entry);
      return null;
    }
    entry.used = true;
    const count = entry.variants.length;
    const slot = count === 1 ? 0 : this.#random.below(count);
    const encoded = entry.variants[slot];
    if (encoded === undefined) return { answer: entry.answer, slot };
    if (count > 1) {
      if (entry.uses[slot]! >= USES_MAX) return { answer: entry.answer, slot };
      entry.uses[slot]! += 1;
    }
    return { encoded };
  }

  /** Keeps a reply made of `answer`, which must be fresh; in the slot that `find` gave, or as a question's first. */
  put(packet: Uint8Array, questionEnd: number, form: number, answer: Answer, slot: number, encoded: Encoded): void {
    const key = hashOf(packet, questionEnd, form);
    let entry = this.#entries.get(key);
    if (entry !== undefined && entry.answer !== answer) {
      this.#drop(key, entry);
      entry = undefined;
    }
    if (entry === undefined) {
      keep(answer);
      const count = varies(answer) ? VARIANTS_MAX : 1;
      const question = copyOf(packet, HEADER_BYTES, questionEnd);
      const variants = Array.from<Encoded | undefined>({ length: count });
      entry = { question, form, answer, variants, uses: new Uint8Array(count), bytes: question.length, used: false };
      this.#entries.set(key, entry);
      this.#bytes += entry.bytes;
    }
    const change = encoded.bytes.length - (entry.variants[slot]?.bytes.length ?? 0);
    entry.variants[slot] = encoded;
    entry.uses[slot] = 1;
    entry.bytes += change;
    this.#bytes += change;
    if (this.#entries.size > ENTRIES_MAX || this.#bytes > BYTES_MAX) this.#evict(entry);
  }

  /** Lets the oldest go, those first that were not used since the last time (a second chance for the others). */
  #evict(keep: Entry): void {
    let chances = this.#entries.size;
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= ENTRIES_MAX && this.#bytes <= BYTES_MAX) return;
      if (entry === keep) continue;
      if (entry.used && chances > 0) {
        chances -= 1;
        entry.used = false;
        this.#entries.delete(key);
        this.#entries.set(key, entry);
      } else this.#drop(key, entry);
    }
  }

  #drop(key: number, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

/** FNV-1a of the question and the form. Questions with the same hash take each other's place, nothing worse. */
function hashOf(packet: Uint8Array, questionEnd: number, form: number): number {
  let hash = 0x811c9dc5 ^ form;
  for (let at = HEADER_BYTES; at < questionEnd; at += 1) hash = Math.imul(hash ^ packet[at]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

function isQuestion(question: Uint8Array, packet: Uint8Array, questionEnd: number): boolean {
  if (question.length !== questionEnd - HEADER_BYTES) return false;
  for (let at = 0; at < question.length; at += 1) if (question[at] !== packet[HEADER_BYTES + at]) return false;
  return true;
}
