// What is to be spread (SWIM §4.1: infection): every update until so many members have acknowledged it, the ones sent least
// first. Over HTTP every message is answered, so a transmission counts when it is acknowledged, and one that failed is made up.
import type { QueueDepths, Update } from "./types.ts";
import { updateSize } from "./size.ts";

/** An update in the queue. */
export interface QueuedUpdate {
  readonly key: string;
  readonly update: Update;
  readonly size: number;
  /** Acknowledged so often … */
  acknowledged: number;
  /** … and sent so often without an answer yet. */
  underWay: number;
  /** In the queue still. */
  queued: boolean;
}

/** A later update of the same key makes an earlier one needless. */
function updateKey(update: Update): string {
  switch (update.type) {
    case "alive":
      return `member ${update.member.name}`;
    case "suspect":
    case "dead":
      return `member ${update.name}`;
    case "join-intent":
    case "leave-intent":
      return `intent ${update.name}`;
    case "user-event":
      return `event ${update.time} ${update.name} ${update.payload.join()}`;
  }
}

/** Updates by key, in the order in which they are to be sent. */
export class UpdateQueue {
  readonly #byKey = new Map<string, QueuedUpdate>();
  /** By how often they were sent, acknowledged or under way; each in the order in which they are to go. */
  readonly #tiers: Set<QueuedUpdate>[] = [];
  readonly #depth: number;
  readonly depths: QueueDepths = { members: 0, intents: 0, events: 0 };
  /** Updates that gave way to others since the start. */
  overflowed = 0;

  constructor(depth: number) {
    this.#depth = depth;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** The update that waits under this key. */
  get(key: string): QueuedUpdate | undefined {
    return this.#byKey.get(key);
  }

  put(update: Update): QueuedUpdate {
    const key = updateKey(update);
    const former = this.#byKey.get(key);
    if (former !== undefined) this.#remove(former);
    else if (this.#byKey.size >= this.#depth) this.#makeRoom();
    const item: QueuedUpdate = { key, update, size: updateSize(update), acknowledged: 0, underWay: 0, queued: true };
    this.#byKey.set(key, item);
    this.#tier(item).add(item);
    this.#count(item, 1);
    return item;
  }

  /** Updates for one message, at most `bytes` of them but at least one, if any was sent less than `limit` times. */
  take(bytes: number, limit: number): QueuedUpdate[] {
    const taken = this.#select(bytes, limit);
    for (const item of taken) this.#move(item, 1);
    return taken;
  }

  /** The same for an answer, which nobody acknowledges: it counts for nothing, but others come first next time. */
  peek(bytes: number, limit: number): QueuedUpdate[] {
    const taken = this.#select(bytes, limit);
    for (const item of taken) this.#move(item, 0);
    return taken;
  }

  /** A message with these was answered. Done are those that `limit` members have acknowledged. */
  acknowledge(items: readonly QueuedUpdate[], limit: number): void {
    for (const item of items) {
      item.underWay -= 1;
      item.acknowledged += 1;
      if (item.queued && item.acknowledged >= limit) this.#remove(item);
    }
  }

  /** A message with these was not answered. */
  fail(items: readonly QueuedUpdate[]): void {
    for (const item of items) {
      if (item.queued) this.#move(item, -1);
      else item.underWay -= 1;
    }
  }

  #select(bytes: number, limit: number): QueuedUpdate[] {
    this.#trim(limit);
    const taken: QueuedUpdate[] = [];
    let left = bytes;
    for (let at = 0; at < this.#tiers.length && at < limit; at += 1) {
      for (const item of this.#tiers[at] as Set<QueuedUpdate>) {
        if (item.size > left && taken.length > 0) continue;
        taken.push(item);
        left -= item.size;
        if (left < SMALLEST_BYTES) return taken;
      }
    }
    return taken;
  }

  /** The pool has shrunk: some may have been acknowledged by enough already. */
  #trim(limit: number): void {
    for (let at = limit; at < this.#tiers.length; at += 1) {
      for (const item of this.#tiers[at] as Set<QueuedUpdate>) if (item.acknowledged >= limit) this.#remove(item);
    }
  }

  #tier(item: QueuedUpdate): Set<QueuedUpdate> {
    const at = item.acknowledged + item.underWay;
    while (this.#tiers.length <= at) this.#tiers.push(new Set());
    return this.#tiers[at] as Set<QueuedUpdate>;
  }

  /** To the end of its tier, or of another one when more or fewer are under way. */
  #move(item: QueuedUpdate, by: number): void {
    this.#tier(item).delete(item);
    item.underWay += by;
    this.#tier(item).add(item);
  }

  #remove(item: QueuedUpdate): void {
    this.#tier(item).delete(item);
    this.#byKey.delete(item.key);
    item.queued = false;
    this.#count(item, -1);
  }

  /** Full: the one that has gone out most gives way, the oldest of several. */
  #makeRoom(): void {
    for (let at = this.#tiers.length - 1; at >= 0; at -= 1) {
      for (const item of this.#tiers[at] as Set<QueuedUpdate>) {
        this.#remove(item);
        this.overflowed += 1;
        return;
      }
    }
  }

  #count(item: QueuedUpdate, by: number): void {
    const { type } = item.update;
    if (type === "user-event") this.depths.events += by;
    else if (type === "join-intent" || type === "leave-intent") this.depths.intents += by;
    else this.depths.members += by;
  }
}

/** No update is smaller. */
const SMALLEST_BYTES = 20;
