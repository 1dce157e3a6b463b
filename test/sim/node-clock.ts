// The clocks of one simulated machine: a monotonic one that may run a little fast or slow, a wall clock that may jump and
// drift, and the agent's one timer, which may go off late.
import type { EventHandle, EventQueue } from "./event-queue.ts";

const START_MS = Date.UTC(2030, 0, 1);
/** A timer must not go off a rounding error too early: it would be set again for ever. */
const ROUNDING_MS = 0.001;

export class NodeClock {
  readonly #events: EventQueue;
  #baseMs = 0;
  #sinceMs = 0;
  #rate = 1;
  /** What the wall clock is off by, and how much more with every millisecond. */
  #wallOffsetMs = 0;
  #wallDrift = 0;
  /** How late timers go off. */
  lateMs: (() => number) | null = null;
  #wakeAt: number | null = null;
  #event: EventHandle | null = null;
  readonly #fire: () => void;

  constructor(events: EventQueue, wake: () => void) {
    this.#events = events;
    this.#fire = () => {
      this.#event = null;
      this.#wakeAt = null;
      wake();
    };
  }

  now(): number {
    return this.#rate === 1 ? this.#baseMs + (this.#events.now - this.#sinceMs) : this.#skewed();
  }

  wall(): number {
    const elapsed = this.#events.now - this.#sinceMs;
    return START_MS + this.now() + this.#wallOffsetMs + elapsed * this.#wallDrift;
  }

  get rate(): number {
    return this.#rate;
  }

  /** The monotonic clock runs at this rate from now on. */
  setRate(rate: number): void {
    this.#settle();
    this.#rate = rate;
    this.wakeAt(this.#wakeAt);
  }

  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  setWallDrift(perMs: number): void {
    this.#settle();
    this.#wallDrift = perMs;
  }

  /** Sets the one timer, in this clock's time. */
  wakeAt(at: number | null): void {
    this.#events.cancel(this.#event);
    this.#event = null;
    this.#wakeAt = at;
    if (at === null) return;
    const late = (this.lateMs === null ? 0 : this.lateMs()) + (this.#sinceMs === 0 ? 0 : ROUNDING_MS);
    const ms = this.#sinceMs + (at - this.#baseMs) / this.#rate + late;
    this.#event = this.#events.at(ms, this.#fire);
  }

  #skewed(): number {
    return this.#baseMs + (this.#events.now - this.#sinceMs) * this.#rate;
  }

  #settle(): void {
    const elapsed = this.#events.now - this.#sinceMs;
    this.#wallOffsetMs += elapsed * this.#wallDrift;
    this.#baseMs = this.now();
    this.#sinceMs = this.#events.now;
  }
}
