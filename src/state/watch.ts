// Who waits for which topic. Waiting is level-triggered: a waiter is told that what it read may have changed, and reads
// again. Registration and firing cost what is touched: each topic has a list of its own, and a changed key is looked up
// under each length that some waiting prefix has, so that neither many waiters elsewhere nor many prefixes matter.

import { KV_PREFIX_TOPIC, KV_TOPIC } from "./topic.ts";

/** Ends a watch; harmless when it is over. */
export interface WatchHandle {
  cancel(): void;
}

/** One waiter on one topic: a link of the topic's list. */
interface Link {
  waiter: Waiter;
  list: TopicList;
  previous: Link | null;
  next: Link | null;
}

class TopicList {
  readonly name: string;
  /** Null for a topic; the length of the prefix for a KV prefix. */
  readonly prefixLength: number | null;
  head: Link | null = null;
  tail: Link | null = null;
  constructor(name: string, prefixLength: number | null) {
    this.name = name;
    this.prefixLength = prefixLength;
  }
}

class Waiter implements WatchHandle {
  readonly watches: Watches;
  readonly call: () => void;
  /** Stays after it was called. */
  readonly stays: boolean;
  readonly afterIndex: number;
  links: Link[] = [];
  /** The last notify that reached it. */
  round = 0;
  over = false;
  constructor(watches: Watches, call: () => void, stays: boolean, afterIndex: number) {
    this.watches = watches;
    this.call = call;
    this.stays = stays;
    this.afterIndex = afterIndex;
  }
  cancel(): void {
    this.watches.remove(this);
  }
}

/** The waiters of one store. */
export class Watches {
  readonly #topics: Map<string, TopicList> = new Map();
  readonly #prefixes: Map<string, TopicList> = new Map();
  /** How many of the waited-for prefixes have each length, and the lengths. */
  readonly #lengths: Map<number, number> = new Map();
  #round = 0;
  #size = 0;

  /**
   * Calls `wake` once, at the first `notify` with an index above `afterIndex` that touches any of the topics (KV prefixes
   * too), then forgets it. Read and add in one synchronous turn: nothing can be missed between.
   */
  add(topics: readonly string[], afterIndex: number, wake: () => void): WatchHandle {
    return this.#register(topics, new Waiter(this, wake, false, afterIndex));
  }

  /**
   * Calls `touched` at every `notify` that touches any of the topics, once per notify, until cancelled: for forgetting
   * cached answers. They are called before any `wake`, so that whoever wakes reads anew.
   */
  onTouch(topics: readonly string[], touched: () => void): WatchHandle {
    return this.#register(topics, new Waiter(this, touched, true, 0));
  }

  /** Tells what an apply at `index` touched: `Applied.topics`. Each waiter is called at most once. */
  notify(topics: readonly string[], index: number): void {
    if (this.#size === 0 || topics.length === 0) return;
    const round = ++this.#round;
    const reached: Waiter[] = [];
    for (const topic of topics) {
      reach(this.#topics.get(topic), round, index, reached);
      if (this.#lengths.size > 0 && topic.startsWith(KV_TOPIC)) this.#reachPrefixes(topic, round, index, reached);
    }
    this.#call(reached);
  }

  /** Calls everyone: the store was replaced. */
  notifyAll(): void {
    const round = ++this.#round;
    const reached: Waiter[] = [];
    for (const lists of [this.#topics, this.#prefixes]) {
      for (const list of lists.values()) reach(list, round, Number.MAX_SAFE_INTEGER, reached);
    }
    this.#call(reached);
  }

  /** How many waiters there are, the staying ones too. */
  get size(): number {
    return this.#size;
  }

  /** Forgets a waiter. */
  remove(handle: WatchHandle): void {
    const waiter = handle as Waiter;
    if (waiter.over) return;
    waiter.over = true;
    this.#size--;
    for (const link of waiter.links) this.#unlink(link);
    waiter.links = [];
  }

  #reachPrefixes(topic: string, round: number, index: number, reached: Waiter[]): void {
    const keyLength = topic.length - KV_TOPIC.length;
    for (const length of this.#lengths.keys()) {
      if (length > keyLength) continue;
      reach(this.#prefixes.get(topic.slice(KV_TOPIC.length, KV_TOPIC.length + length)), round, index, reached);
    }
  }

  #call(reached: readonly Waiter[]): void {
    for (const waiter of reached) if (waiter.stays && !waiter.over) waiter.call();
    for (const waiter of reached) {
      if (waiter.stays || waiter.over) continue;
      this.remove(waiter);
      waiter.call();
    }
  }

  #register(topics: readonly string[], waiter: Waiter): WatchHandle {
    this.#size++;
    for (const topic of topics) {
      const list = this.#listOf(topic);
      const link: Link = { waiter, list, previous: list.tail, next: null };
      if (list.tail === null) list.head = link;
      else list.tail.next = link;
      list.tail = link;
      waiter.links.push(link);
    }
    return waiter;
  }

  #listOf(topic: string): TopicList {
    const prefixed = topic.startsWith(KV_PREFIX_TOPIC);
    const name = prefixed ? topic.slice(KV_PREFIX_TOPIC.length) : topic;
    const lists = prefixed ? this.#prefixes : this.#topics;
    let list = lists.get(name);
    if (list === undefined) {
      list = new TopicList(name, prefixed ? name.length : null);
      lists.set(name, list);
      if (prefixed) this.#lengths.set(name.length, (this.#lengths.get(name.length) ?? 0) + 1);
    }
    return list;
  }

  #unlink(link: Link): void {
    const { list, previous, next } = link;
    if (previous === null) list.head = next;
    else previous.next = next;
    if (next === null) list.tail = previous;
    else next.previous = previous;
    if (list.head !== null) return;
    if (list.prefixLength === null) {
      this.#topics.delete(list.name);
      return;
    }
    this.#prefixes.delete(list.name);
    const count = this.#lengths.get(list.prefixLength)! - 1;
    if (count === 0) this.#lengths.delete(list.prefixLength);
    else this.#lengths.set(list.prefixLength, count);
  }
}

/** Collects the waiters of a list that this round did not reach yet. */
function reach(list: TopicList | undefined, round: number, index: number, reached: Waiter[]): void {
  if (list === undefined) return;
  for (let link = list.head; link !== null; link = link.next) {
    const { waiter } = link;
    if (waiter.round === round || waiter.afterIndex >= index) continue;
    waiter.round = round;
    reached.push(waiter);
  }
}
