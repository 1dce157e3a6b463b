// A bounded map for hot paths: two generations of entries, the young one filled by what is used, the old one dropped whole
// when the young one is full. A hit costs one Map look-up; an exact order of use, as in lru.ts, would cost a delete and an
// insert more.

export class Generations<K, V> {
  readonly #youngMax: number;
  readonly #dropped: ((value: V) => void) | undefined;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /**
   * @param entriesMax how many entries there are at most; what was used within the last half of it is always kept.
   * @param dropped told of every value that goes: displaced, replaced, deleted or cleared.
   */
  constructor(entriesMax: number, dropped?: (value: V) => void) {
    this.#youngMax = Math.max(1, entriesMax >> 1);
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#insert(key, old);
    return old;
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.#insert(key, value);
  }

  delete(key: K): void {
    const value = this.#young.get(key) ?? this.#old.get(key);
    if (value === undefined) return;
    this.#young.delete(key);
    this.#old.delete(key);
    this.#dropped?.(value);
  }

  clear(): void {
    const gone = [this.#young, this.#old];
    this.#young = new Map();
    this.#old = new Map();
    if (this.#dropped !== undefined)
      for (const generation of gone) for (const value of generation.values()) this.#dropped(value);
  }

  #insert(key: K, value: V): void {
    if (this.#young.size >= this.#youngMax) {
      const gone = this.#old;
      this.#old = this.#young;
      this.#young = new Map();
      if (this.#dropped !== undefined) for (const dropped of gone.values()) this.#dropped(dropped);
    }
    this.#young.set(key, value);
  }
}
