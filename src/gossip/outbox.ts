// What waits for a leaf. Nobody can call it, so it gets everything in the answers to its own calls, from its anchor; an answer
// may get lost, so the leaf's next call says what it has got.
import type { Update } from "./types.ts";
import type { QueuedUpdate } from "./update-queue.ts";

/** Updates for one leaf, repeated until it has them. */
export class Outbox {
  readonly #waiting = new Map<string, QueuedUpdate>();
  #sent: readonly QueuedUpdate[] = [];
  #sequence = 0;
  readonly #depth: number;

  /** @param depth what is more gives way, the oldest first: push-pull makes up for it. */
  constructor(depth: number) {
    this.#depth = depth;
  }

  put(item: QueuedUpdate): void {
    this.#waiting.delete(item.key);
    this.#waiting.set(item.key, item);
    if (this.#waiting.size <= this.#depth) return;
    for (const key of this.#waiting.keys()) {
      this.#waiting.delete(key);
      return;
    }
  }

  /** The leaf calls, having got the answer numbered `received`: the next answer's updates, at most `bytes` but one at least. */
  take(received: number, bytes: number): { sequence: number; updates: Update[] } {
    if (received === this.#sequence) {
      for (const item of this.#sent) if (this.#waiting.get(item.key) === item) this.#waiting.delete(item.key);
    }
    const sent: QueuedUpdate[] = [];
    let left = bytes;
    for (const item of this.#waiting.values()) {
      if (item.size > left && sent.length > 0) break;
      sent.push(item);
      left -= item.size;
    }
    this.#sent = sent;
    this.#sequence += 1;
    return { sequence: this.#sequence, updates: sent.map(({ update }) => update) };
  }
}
