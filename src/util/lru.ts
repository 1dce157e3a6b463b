// A map bounded in entries and, if wished, in bytes: what was used longest ago goes first.

interface Slot<V> {
  value: V;
  bytes: number;
}

/** A bounded map. Get and set cost O(1); a set may drop several old entries to make room. */
export class Lru<K, V> {
  readonly #slots = new Map<K, Slot<V>>();
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax the sum of the sizes given to `set`; without limit when left out. */
  constructor(entriesMax: number, bytesMax: number = Number.POSITIVE_INFINITY) {
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#slots.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The value, which becomes the one used last. */
  get(key: K): V | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    // A Map iterates in the order of insertion: to insert again is to be the youngest.
    this.#slots.delete(key);
    this.#slots.set(key, slot);
    return slot.value;
  }

  /** Keeps a value. One larger than the whole budget is not kept, and takes the key's former value with it. */
  set(key: K, value: V, bytes = 0): void {
    this.delete(key);
    if (bytes > this.#bytesMax || this.#entriesMax < 1) return;
    this.#slots.set(key, { value, bytes });
    this.#bytes += bytes;
    while (this.#slots.size > this.#entriesMax || this.#bytes > this.#bytesMax) {
      const oldest = this.#slots.keys().next();
      if (oldest.done === true) return;
      this.delete(oldest.value);
    }
  }

  /** False when the key was not there. */
  delete(key: K): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#bytes -= slot.bytes;
    return this.#slots.delete(key);
  }

  clear(): void {
    this.#slots.clear();
    this.#bytes = 0;
  }
}
