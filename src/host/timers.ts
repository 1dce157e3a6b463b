// Timers over the platform's one timer: a heap of deadlines, of which the earliest is what the platform is asked to wake
// the agent for. Machines and the shell share it, so an agent owns exactly one timer wherever it runs.
import type { Platform } from "../platform.ts";
import { Heap, type HeapEntry } from "../util/heap.ts";

/** A timer; cancel it by `Timers.cancel`. */
export interface Timer {
  /** Monotonic milliseconds. */
  readonly at: number;
  /** False once it has fired or was cancelled. */
  readonly pending: boolean;
}

class Pending implements Timer {
  readonly at: number;
  fire: (() => void) | null;
  entry: HeapEntry<Pending> | null = null;
  /** Its place among those that must go off even if the agent is put to sleep. */
  lasting: HeapEntry<Pending> | null = null;

  constructor(at: number, fire: () => void) {
    this.at = at;
    this.fire = fire;
  }

  get pending(): boolean {
    return this.fire !== null;
  }
}

export class Timers {
  readonly #platform: Pick<Platform, "now" | "wakeAt" | "alarmAt">;
  readonly #heap = new Heap<Pending>();
  /** Those that outlast a sleep; empty where there is none. */
  readonly #lasting = new Heap<Pending>();
  #armed: number | null = null;
  #firing = false;

  constructor(platform: Pick<Platform, "now" | "wakeAt" | "alarmAt">) {
    this.#platform = platform;
  }

  /** Number of timers pending. */
  get pending(): number {
    return this.#heap.size;
  }

  /** The earliest deadline, in monotonic milliseconds; null when nothing is pending. */
  get next(): number | null {
    return this.#heap.peek()?.at ?? null;
  }

  /**
   * Calls `fire` once, `delayMs` from now or later.
   * @param lasting a platform that puts idle agents to sleep starts this one again for it; who starts sets the timer anew.
   */
  after(delayMs: number, fire: () => void, lasting = false): Timer {
    return this.at(this.#platform.now() + Math.max(0, delayMs), fire, lasting);
  }

  /** Calls `fire` once, at monotonic `at` or later. */
  at(at: number, fire: () => void, lasting = false): Timer {
    const timer = new Pending(at, fire);
    timer.entry = this.#heap.push(at, timer);
    if (lasting && this.#platform.alarmAt !== undefined) {
      timer.lasting = this.#lasting.push(at, timer);
      this.setAlarm();
    }
    this.#arm();
    return timer;
  }

  /** Tells a platform that puts idle agents to sleep when this one must be there again: by the first lasting timer. */
  setAlarm(): void {
    this.#platform.alarmAt?.(this.#lasting.peek()?.at ?? null);
  }

  /** Cancelling a timer that has fired is no error. */
  cancel(timer: Timer | null): void {
    if (!(timer instanceof Pending)) return;
    timer.fire = null;
    this.#forget(timer);
    if (timer.entry === null) return;
    this.#heap.cancel(timer.entry);
    timer.entry = null;
    this.#arm();
  }

  /** Fires what is due; the runtime calls this (through the agent) when the platform's timer goes off. */
  wake(): void {
    this.#armed = null;
    this.#firing = true;
    try {
      // Only what is due now: a timer set for "now" while firing waits for the next wake-up.
      for (const timer of this.#due(this.#platform.now())) {
        const { fire } = timer;
        timer.fire = null;
        this.#forget(timer);
        fire?.();
      }
    } finally {
      this.#firing = false;
      this.#arm();
    }
  }

  #forget(timer: Pending): void {
    if (timer.lasting !== null) this.#lasting.cancel(timer.lasting);
    timer.lasting = null;
  }

  #due(now: number): Pending[] {
    const due: Pending[] = [];
    for (let next = this.#heap.peek(); next !== undefined && next.at <= now; next = this.#heap.peek()) {
      this.#heap.pop();
      next.value.entry = null;
      due.push(next.value);
    }
    return due;
  }

  #arm(): void {
    if (this.#firing) return;
    const next = this.#heap.peek()?.at ?? null;
    if (next === this.#armed) return;
    this.#armed = next;
    this.#platform.wakeAt(next);
  }
}
