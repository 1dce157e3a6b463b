// A binary min-heap of timed things, each cancellable by its handle. Equal times come out in the order they went in, so
// that a simulation replays exactly.

/** A thing in the heap: the handle to cancel it by. */
export interface HeapEntry<T> {
  readonly value: T;
  /** What it is ordered by, usually a time in milliseconds. */
  readonly at: number;
}

class Entry<T> implements HeapEntry<T> {
  readonly value: T;
  readonly at: number;
  readonly sequence: number;
  /** Its place in the heap, -1 once it is out. */
  place: number;
  constructor(value: T, at: number, sequence: number, place: number) {
    this.value = value;
    this.at = at;
    this.sequence = sequence;
    this.place = place;
  }
}

/** Push and pop cost O(log n), peek O(1), cancel O(log n). */
export class Heap<T> {
  readonly #entries: Entry<T>[] = [];
  #sequence = 0;

  get size(): number {
    return this.#entries.length;
  }

  push(at: number, value: T): HeapEntry<T> {
    const entry = new Entry(value, at, this.#sequence, this.#entries.length);
    this.#sequence += 1;
    this.#entries.push(entry);
    this.#rise(entry);
    return entry;
  }

  /** The first in order, left where it is. */
  peek(): HeapEntry<T> | undefined {
    return this.#entries[0];
  }

  /** Takes the first in order out. */
  pop(): HeapEntry<T> | undefined {
    const first = this.#entries[0];
    if (first !== undefined) this.#take(first);
    return first;
  }

  /** Takes an entry of this heap out, wherever it is. False when it is out already. */
  cancel(handle: HeapEntry<T>): boolean {
    const entry = handle as Entry<T>;
    if (entry.place < 0 || this.#entries[entry.place] !== entry) return false;
    this.#take(entry);
    return true;
  }

  #take(entry: Entry<T>): void {
    const last = this.#entries.pop()!;
    if (last !== entry) {
      last.place = entry.place;
      this.#entries[last.place] = last;
      this.#rise(last);
      this.#sink(last);
    }
    entry.place = -1;
  }

  #rise(entry: Entry<T>): void {
    const entries = this.#entries;
    while (entry.place > 0) {
      const parent = entries[(entry.place - 1) >> 1]!;
      if (isBefore(parent, entry)) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry<T>): void {
    const entries = this.#entries;
    for (;;) {
      const left = entries[2 * entry.place + 1];
      if (left === undefined) return;
      const right = entries[2 * entry.place + 2];
      const least = right !== undefined && isBefore(right, left) ? right : left;
      if (isBefore(entry, least)) return;
      this.#swap(entry, least);
    }
  }

  #swap(parent: Entry<T>, child: Entry<T>): void {
    const place = parent.place;
    parent.place = child.place;
    child.place = place;
    this.#entries[parent.place] = parent;
    this.#entries[child.place] = child;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}
