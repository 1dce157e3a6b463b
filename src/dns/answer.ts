// An answer before it is bytes: rows that are put in a new order each time, and what stands still beside them.

import type { Random } from "../util/random.ts";
import { RCODE, type ResourceRecord } from "./record.ts";

/** What one instance (or node, or name) contributes. It is used whole or not at all. */
export interface Row {
  /** Rows with the same key say the same: the first one in order is used. */
  key: string;
  answers: readonly ResourceRecord[];
  /** Records that help with `answers`. */
  additionals: readonly ResourceRecord[];
}

export interface Answer {
  rcode: number;
  rows: readonly Row[];
  /** True when the rows are in no order of their own. */
  shuffle: boolean;
  /** Rows used at most; 0 is no limit. */
  limit: number;
  authorities: readonly ResourceRecord[];
  /** Records beside those of the rows. */
  additionals: readonly ResourceRecord[];
  /** False when the answer may differ by client network (RFC 7871 §7.2.1). */
  global: boolean;
  /** All must say true for the answer to be used again; null when it must not be. */
  fresh: readonly (() => boolean)[] | null;
  /** False when no two rows share a key or a target. */
  alike: boolean;
  /** Whose turn it is to come first; null leaves it to chance. */
  deck: Deck | null;
}

/**
 * Deals the rows' places one by one, each once before any comes again, the order new by chance each time round. The row that
 * comes first, which most clients take, is dealt so: every instance gets the same share, sooner than chance alone would give.
 */
class Deck {
  readonly #places: number[];
  #dealt = 0;

  constructor(count: number) {
    this.#places = Array.from({ length: count }, (_, place) => place);
  }

  next(random: Random): number {
    if (this.#dealt === this.#places.length) this.#dealt = 0;
    const place = draw(this.#places, this.#dealt, random);
    this.#dealt += 1;
    return place;
  }
}

/** The records of one reply, in order. */
export interface Sections {
  answers: ResourceRecord[];
  authorities: readonly ResourceRecord[];
  additionals: ResourceRecord[];
  /** True when rows were left over for want of room. */
  more: boolean;
}

/** An answer of no rows, to fill in. */
export function emptyAnswer(rcode: number = RCODE.NOERROR): Answer {
  return {
    rcode,
    rows: [],
    shuffle: false,
    limit: 0,
    authorities: [],
    additionals: [],
    global: true,
    fresh: [],
    alike: true,
    deck: null,
  };
}

/** True while everything that the answer was made of is as it was. */
export function isFresh(answer: Answer): boolean {
  if (answer.fresh === null) return false;
  for (const fresh of answer.fresh) if (!fresh()) return false;
  return true;
}

/** True when two replies made of the answer may differ. */
export function varies(answer: Answer): boolean {
  return answer.shuffle && answer.rows.length > 1;
}

/**
 * Makes the records of one reply: in a fresh order, duplicates left out, the answer's limit kept, and no more rows once
 * there are `answersMax` answers.
 */
export function arrange(answer: Answer, random: Random, answersMax: number): Sections {
  // Shuffled as it goes (Fisher and Yates), so that no more is drawn than is used.
  const shuffle = varies(answer);
  const rows = shuffle ? answer.rows.slice() : (answer.rows as Row[]);
  const first = shuffle && answer.deck !== null ? answer.deck.next(random) : -1;
  if (first !== -1) swap(rows, 0, first);
  const answers: ResourceRecord[] = [];
  const additionals: ResourceRecord[] = [];
  const keys = answer.alike && rows.length > 1 ? new Set<string>() : null;
  const helped = answer.alike && rows.length > 1 ? new Set<string>() : null;
  let more = false;
  let used = 0;
  for (let at = 0; at < rows.length; at += 1) {
    if (answers.length >= answersMax) {
      more = true;
      break;
    }
    const row = shuffle && (at > 0 || first === -1) ? draw(rows, at, random) : rows[at]!;
    if (keys !== null) {
      if (keys.has(row.key)) continue;
      keys.add(row.key);
    }
    for (const record of row.answers) answers.push(record);
    if (row.additionals.length > 0 && isNewHelp(row, helped)) {
      for (const record of row.additionals) additionals.push(record);
    }
    used += 1;
    if (used === answer.limit) break;
  }
  for (const record of answer.additionals) additionals.push(record);
  return { answers, authorities: answer.authorities, additionals, more };
}

/** Moves one of the items from `at` on to `at`, by chance. */
function draw<T>(items: T[], at: number, random: Random): T {
  swap(items, at, at + random.below(items.length - at));
  return items[at]!;
}

function swap<T>(items: T[], a: number, b: number): void {
  const item = items[a]!;
  items[a] = items[b]!;
  items[b] = item;
}

/** Several instances on one node have the same target: its addresses are told once. */
function isNewHelp(row: Row, helped: Set<string> | null): boolean {
  const first = row.answers[0];
  if (helped === null || first?.type !== "SRV") return true;
  if (helped.has(first.target)) return false;
  helped.add(first.target);
  return true;
}

/** A shuffled copy. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = items.slice();
  for (let at = 0; at < copy.length - 1; at += 1) draw(copy, at, random);
  return copy;
}

/** Makes an answer ready to be used again and again. */
export function keep(answer: Answer): void {
  answer.alike = areAlike(answer.rows);
  if (varies(answer)) answer.deck = new Deck(answer.rows.length);
}

/** True when two of the rows share a key, or the target that their records help with. */
function areAlike(rows: readonly Row[]): boolean {
  const keys = new Set<string>();
  const targets = new Set<string>();
  for (const { key, answers } of rows) {
    keys.add(key);
    targets.add(answers[0]?.type === "SRV" ? answers[0].target : key);
  }
  return keys.size < rows.length || targets.size < rows.length;
}
