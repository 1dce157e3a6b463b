// What befalls each datacenter of a simulation, and the links between them: since when all is well somewhere. Where it is, and has
// been for a while, requests must be answered, whatever goes on elsewhere.
import type { EventQueue } from "./event-queue.ts";

/** A place: a datacenter's name, or those of two with a blank between. */
type Place = string;

export class Weather {
  readonly #events: EventQueue;
  /** Faults that go on, by place. */
  readonly #going = new Map<Place, number>();
  /** When something was last wrong. */
  readonly #lastMs = new Map<Place, number>();

  constructor(events: EventQueue) {
    this.#events = events;
  }

  /** A fault begins, of a datacenter or of a link. */
  begin(place: Place): void {
    this.#going.set(place, (this.#going.get(place) ?? 0) + 1);
    this.wrong(place);
  }

  end(place: Place): void {
    this.#going.set(place, (this.#going.get(place) ?? 0) - 1);
    this.wrong(place);
  }

  /** Something is not as it should be at this moment. */
  wrong(place: Place): void {
    this.#lastMs.set(place, this.#events.now);
  }

  /** Since when all is well in these datacenters and on the links between them; Infinity while it is not. */
  wellSince(datacenters: readonly string[]): number {
    let sinceMs = 0;
    for (const one of datacenters) {
      sinceMs = Math.max(sinceMs, this.#since(one));
      for (const other of datacenters) if (one < other) sinceMs = Math.max(sinceMs, this.#since(linkOf(one, other)));
    }
    return sinceMs;
  }

  #since(place: Place): number {
    return (this.#going.get(place) ?? 0) > 0 ? Infinity : (this.#lastMs.get(place) ?? 0);
  }
}

/** The link between two datacenters, as a place. */
export const linkOf = (one: string, other: string): Place => (one < other ? `${one} ${other}` : `${other} ${one}`);
