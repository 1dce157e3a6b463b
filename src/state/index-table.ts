// The index of each topic but those of keys: the index of the last change that touched it. A topic of something that is
// gone stays as its tombstone until it is reaped.

import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap, OrderedMapSnapshot } from "./ordered-map.ts";
import { StoredQueue } from "./stored-indexes.ts";
import { StoredMap } from "./stored-map.ts";
import type { StateStorage } from "./stored-tables.ts";
import { ReapQueue } from "./tombstone.ts";
import type { Floor, Queue } from "./tombstone.ts";

/** Topics and their indexes. */
export class IndexTable {
  readonly #indexes: OrderedMap<number>;
  readonly #queue: Queue;
  readonly #floor: Floor;
  /** True while the thing that a topic names exists: only then is its index kept for good. */
  readonly #exists: (topic: string) => boolean;

  constructor(floor: Floor, exists: (topic: string) => boolean, storage: StateStorage | null = null) {
    this.#floor = floor;
    this.#exists = exists;
    this.#indexes = storage === null ? createOrderedMap() : new StoredMap(storage, "topics");
    this.#queue = storage === null ? new ReapQueue() : new StoredQueue(storage, "topic-queue");
  }

  /** Notes that a change at `index` touched the topic; the tables must say already what exists after it. */
  touch(topic: string, index: number): void {
    this.#indexes.set(topic, index);
    if (!this.#exists(topic)) this.#queue.push(topic, index);
  }

  /** At least the floor, at least 1. */
  indexOf(topic: string): number {
    return Math.max(1, this.#indexes.get(topic) ?? this.#floor.index);
  }

  /** Forgets the topics of what was gone by `index`; gives how many. */
  reap(index: number): number {
    let count = 0;
    this.#queue.take(index, (topic, at) => {
      // Whatever came back has a later index.
      if (this.#indexes.get(topic) !== at) return;
      this.#indexes.delete(topic);
      this.#floor.raise(at);
      count++;
    });
    return count;
  }

  /** The queue of what is to be reaped. */
  get queue(): Queue {
    return this.#queue;
  }

  snapshot(): OrderedMapSnapshot<number> {
    return this.#indexes.snapshot();
  }

  /** Puts back a topic of a snapshot. */
  load(topic: string, index: number): void {
    this.#indexes.set(topic, index);
  }

  /** Ends the loading, when all tables are loaded: queues the topics of what is gone. */
  loaded(): void {
    const gone: [string, number][] = [];
    for (const entry of this.#indexes.scan()) if (!this.#exists(entry[0])) gone.push(entry);
    gone.sort((a, b) => a[1] - b[1]);
    for (const [topic, index] of gone) this.#queue.push(topic, index);
  }
}
