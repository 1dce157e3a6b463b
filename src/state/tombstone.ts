// What is gone leaves a tombstone, the index of its end, so that the index of a missing thing neither goes back nor moves
// with the rest of the table. When the leader reaps them (Consul: after 15 minutes), the greatest index reaped becomes
// the floor, below which no index is given: then too none goes back.

/** Who went at which index, in the order of going, for the reaping. What came back meanwhile is skipped. */
export interface Queue {
  /** Indexes must not fall. */
  push(name: string, index: number): void;
  /** Takes out all up to `index`, oldest first. */
  take(index: number, each: (name: string, index: number) => void): void;
  /** How many are waiting; some may have come back. */
  readonly size: number;
  /** The index of the newest, 0 when there is none. */
  readonly lastIndex: number;
}

/** The queue in memory. */
export class ReapQueue implements Queue {
  #names: string[] = [];
  #indexes: number[] = [];
  #start = 0;

  push(name: string, index: number): void {
    this.#names.push(name);
    this.#indexes.push(index);
  }

  take(index: number, each: (name: string, index: number) => void): void {
    while (this.#start < this.#names.length && this.#indexes[this.#start]! <= index) {
      each(this.#names[this.#start]!, this.#indexes[this.#start]!);
      this.#start++;
    }
    if (this.#start * 2 > this.#names.length) {
      this.#names = this.#names.slice(this.#start);
      this.#indexes = this.#indexes.slice(this.#start);
      this.#start = 0;
    }
  }

  get size(): number {
    return this.#names.length - this.#start;
  }

  get lastIndex(): number {
    return this.size === 0 ? 0 : this.#indexes[this.#indexes.length - 1]!;
  }
}

/** The lowest index that may be given for something that has no index of its own. */
export class Floor {
  #index = 0;
  get index(): number {
    return this.#index;
  }
  raise(index: number): void {
    if (index > this.#index) this.#index = index;
  }
}
