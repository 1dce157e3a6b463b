// Timers over the platform's one timer: a heap of deadlines, of which the earliest is what the platform is asked to wake
// the agent for. Machines and the shell share it, so an agent owns exactly one timer wherever it runs.
import type { Platform } from "../platform.ts";

/** A pending timer; cancel it by `Timers.cancel`. */
export interface Timer {
  readonly at: number;
  /** Order among equal deadlines: first set, first fired. */
  readonly order: number;
  fire: (() => void) | null;
  /** Place in the heap; -1 once it has fired or was cancelled. */
  place: number;
}

/** A binary heap of timers (deadline, then order of setting) on one `Platform.wakeAt`. */
export class Timers {
  readonly #platform: Pick<Platform, "now" | "wakeAt">;
  readonly #heap: Timer[] = [];
  #order = 0;
  #armed: number | null = null;
  #firing = false;

  constructor(platform: Pick<Platform, "now" | "wakeAt">) {
    this.#platform = platform;
  }

  /** Number of timers pending. */
  get pending(): number {
    return this.#heap.length;
  }

  /** Calls `fire` once, `delayMs` from now or later. */
  after(delayMs: number, fire: () => void): Timer {
    return this.at(this.#platform.now() + Math.max(0, delayMs), fire);
  }

  /** Calls `fire` once, at monotonic `at` or later. */
  at(at: number, fire: () => void): Timer {
    const timer: Timer = { at, order: this.#order++, fire, place: this.#heap.length };
    this.#heap.push(timer);
    this.#up(timer.place);
    this.#arm();
    return timer;
  }

  /** Cancelling a timer that has fired is no error. */
  cancel(timer: Timer | null): void {
    if (timer === null || timer.place < 0) return;
    this.#remove(timer.place);
    timer.fire = null;
    this.#arm();
  }

  /** Fires what is due; the runtime calls this (through the agent) when the platform's timer goes off. */
  wake(): void {
    this.#armed = null;
    this.#firing = true;
    try {
      const now = this.#platform.now();
      // Only what was due when the wake-up came: a timer set for "now" while firing waits for the next one.
      const last = this.#order;
      for (let first = this.#heap[0]; first !== undefined && first.at <= now && first.order < last; first = this.#heap[0]) {
        this.#remove(0);
        const fire = first.fire;
        first.fire = null;
        fire?.();
      }
    } finally {
      this.#firing = false;
      this.#arm();
    }
  }

  #arm(): void {
    if (this.#firing) return;
    const next = this.#heap[0]?.at ?? null;
    if (next === this.#armed) return;
    this.#armed = next;
    this.#platform.wakeAt(next);
  }

  #remove(place: number): void {
    const heap = this.#heap;
    const timer = heap[place] as Timer;
    const last = heap.pop() as Timer;
    timer.place = -1;
    if (last === timer) return;
    heap[place] = last;
    last.place = place;
    this.#up(place);
    this.#down(last.place);
  }

  #up(place: number): void {
    const heap = this.#heap;
    const timer = heap[place] as Timer;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = heap[parentPlace] as Timer;
      if (!earlier(timer, parent)) break;
      heap[place] = parent;
      parent.place = place;
      place = parentPlace;
    }
    heap[place] = timer;
    timer.place = place;
  }

  #down(place: number): void {
    const heap = this.#heap;
    const timer = heap[place] as Timer;
    for (;;) {
      let childPlace = place * 2 + 1;
      if (childPlace >= heap.length) break;
      let child = heap[childPlace] as Timer;
      const right = heap[childPlace + 1];
      if (right !== undefined && earlier(right, child)) {
        child = right;
        childPlace++;
      }
      if (!earlier(child, timer)) break;
      heap[place] = child;
      child.place = place;
      place = childPlace;
    }
    heap[place] = timer;
    timer.place = place;
  }
}

const earlier = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
