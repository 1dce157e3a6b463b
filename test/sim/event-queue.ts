// The virtual time of a simulation: events ordered by time, and of one time in the order in which they were asked for.
// Nothing happens but events, and between two of them promises run to rest, so a run is a function of its events alone.
import process from "node:process";
import { Heap, type HeapEntry } from "../../src/util/heap.ts";

/** An event that can be cancelled. */
export type EventHandle = HeapEntry<() => void>;

const { nextTick } = process;

/**
 * Resolves when every promise that can go on without an event has done so. The queue of `nextTick` is looked at when that of
 * the microtasks is empty, on Node, Bun and Deno alike, and costs a fifth of a turn of the event loop.
 */
export function rest(): Promise<void> {
  return new Promise((resolve) => nextTick(resolve));
}

export class EventQueue {
  /** Milliseconds since the start. */
  now = 0;
  /** Events so far. */
  count = 0;
  readonly #heap = new Heap<() => void>();

  /** Calls `event` at a time; one that has passed means now. */
  at(ms: number, event: () => void): EventHandle {
    return this.#heap.push(ms > this.now ? ms : this.now, event);
  }

  after(ms: number, event: () => void): EventHandle {
    return this.at(this.now + ms, event);
  }

  cancel(event: EventHandle | null): void {
    if (event !== null) this.#heap.cancel(event);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** When the next event is; Infinity when there is none. */
  get nextAt(): number {
    return this.#heap.peek()?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Turns the clock to the next event and lets it happen. False when there is none until `untilMs`. */
  step(untilMs: number): boolean {
    const next = this.#heap.peek();
    if (next === undefined || next.at > untilMs) return false;
    this.#heap.pop();
    this.now = next.at;
    this.count += 1;
    next.value();
    return true;
  }
}
