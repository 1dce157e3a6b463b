// The last changes by index, within a bound: what delta streams and history read, and what tells them when they are too
// late and must read the state instead.

import { assert } from "../util/assert.ts";
import type { Change } from "./change.ts";

/** The changes of one apply. */
export interface LoggedChanges {
  index: number;
  changes: readonly Change[];
}

export interface ChangesLogLimits {
  /** Applies kept at most. */
  entriesMax: number;
  /** Bytes kept at most, as `weighChange` estimates them. The newest apply is kept whatever it weighs. */
  bytesMax: number;
}

/** Stands where an apply was dropped and the array is not cut yet, so that nothing keeps its changes alive. */
const DROPPED: LoggedChanges = { index: 0, changes: [] };

/** A bounded log of changes. */
export class ChangesLog {
  readonly #limits: ChangesLogLimits;
  #entries: LoggedChanges[] = [];
  #weights: number[] = [];
  #start = 0;
  #bytes = 0;
  /** Nothing at or below this index can be told. */
  #compactedIndex: number;

  /** `index` is where the store is: what came before is compacted. */
  constructor(limits: ChangesLogLimits, index = 0) {
    assert(limits.entriesMax >= 1, "a log of changes keeps at least one");
    this.#limits = limits;
    this.#compactedIndex = index;
  }

  /** Adds what an apply changed; an apply that changed nothing needs none. Indexes must rise. */
  append(index: number, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    assert(index > this.lastIndex, "indexes rise in the log of changes");
    let weight = 0;
    for (const change of changes) weight += weighChange(change);
    this.#entries.push({ index, changes });
    this.#weights.push(weight);
    this.#bytes += weight;
    while (this.size > this.#limits.entriesMax || (this.#bytes > this.#limits.bytesMax && this.size > 1)) this.#drop();
  }

  /** What was changed after `index`, in order; "compacted" when some of it is not kept any more. */
  since(index: number): readonly LoggedChanges[] | "compacted" {
    if (index < this.#compactedIndex) return "compacted";
    let low = this.#start;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.index <= index) low = middle + 1;
      else high = middle;
    }
    return this.#entries.slice(low);
  }

  /** Forgets all: the store was replaced by one at `index`. */
  reset(index: number): void {
    this.#entries = [];
    this.#weights = [];
    this.#start = 0;
    this.#bytes = 0;
    this.#compactedIndex = index;
  }

  /** How many applies are kept. */
  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** The index of the newest apply kept, or where the log begins. */
  get lastIndex(): number {
    return this.size === 0 ? this.#compactedIndex : this.#entries[this.#entries.length - 1]!.index;
  }

  #drop(): void {
    this.#compactedIndex = this.#entries[this.#start]!.index;
    this.#bytes -= this.#weights[this.#start]!;
    this.#entries[this.#start] = DROPPED;
    this.#start++;
    if (this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#weights = this.#weights.slice(this.#start);
      this.#start = 0;
    }
  }
}

/** About how many bytes a change keeps alive. */
export function weighChange(change: Change): number {
  if (change.table === "kv") {
    return 200 + change.key.length + (change.before?.Value.length ?? 0) + (change.after?.Value.length ?? 0);
  }
  if (change.table === "checks") {
    return 800 + (change.before?.Output.length ?? 0) + (change.after?.Output.length ?? 0);
  }
  return 800;
}
