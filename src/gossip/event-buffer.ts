// Recent user events, so that each is delivered once (Serf): by Lamport time, the oldest giving way.
import { equal } from "../util/bytes.ts";
import type { UserEvent } from "./types.ts";

/** Several events may have one time: members count for themselves. More than so many of one time are nobody's right work. */
const EVENTS_PER_TIME_MAX = 16;

interface Slot {
  time: number;
  events: UserEvent[];
}

/** User events by Lamport time, in a ring of so many times. */
export class EventBuffer {
  readonly #slots: (Slot | undefined)[];
  /** Events before this time are not wanted. */
  minTime = 0;

  /** @param length how many Lamport times are remembered. */
  constructor(length: number) {
    this.#slots = Array.from({ length });
  }

  /** Remembers the event; false when it is known, or too old to tell. `clockTime` is the event clock's. */
  add(event: UserEvent, clockTime: number): boolean {
    const length = this.#slots.length;
    if (event.time < this.minTime || event.time + length < clockTime) return false;
    const at = event.time % length;
    const slot = this.#slots[at];
    if (slot === undefined || slot.time < event.time) {
      this.#slots[at] = { time: event.time, events: [event] };
      return true;
    }
    if (slot.time > event.time || slot.events.length >= EVENTS_PER_TIME_MAX) return false;
    if (slot.events.some((known) => known.name === event.name && equal(known.payload, event.payload))) return false;
    slot.events.push(event);
    return true;
  }

  /** All of them, oldest first. */
  get recent(): UserEvent[] {
    const slots = this.#slots.filter((slot) => slot !== undefined).sort((a, b) => a.time - b.time);
    return slots.flatMap(({ events }) => events);
  }
}
