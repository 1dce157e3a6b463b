// User events (https://developer.hashicorp.com/consul/api-docs/event): what this agent has seen of them, the newest 256.
import { decode, encode } from "../codec/value.ts";

/** An event as it goes around; filters are regular expressions that each receiver tests itself. */
export interface UserEvent {
  ID: string;
  Name: string;
  Payload: Uint8Array | null;
  NodeFilter: string;
  ServiceFilter: string;
  TagFilter: string;
  Version: number;
  LTime: number;
}

const KEPT = 256;

/** The events that one agent has seen. */
export class Events {
  readonly #events: UserEvent[] = [];
  readonly #waiting = new Set<() => void>();

  /** Notes an event; one that is known already is dropped. */
  note(event: UserEvent): void {
    if (this.#events.some(({ ID }) => ID === event.ID)) return;
    this.#events.push(event);
    if (this.#events.length > KEPT) this.#events.shift();
    for (const wake of Array.from(this.#waiting)) wake();
  }

  /** Oldest first. @param name "" for all. */
  list(name: string): UserEvent[] {
    return name === "" ? [...this.#events] : this.#events.filter((event) => event.Name === name);
  }

  /**
   * What `X-Consul-Index` says of a list: made of the newest event's id, not ordered, compared for equality only. A
   * decimal text, for it has 64 bits; 1 when there is none.
   */
  index(name: string): string {
    const last = this.list(name).at(-1);
    return last === undefined ? "1" : idIndex(last.ID);
  }

  /** Calls `wake` at every event until the returned function is called. */
  onEvent(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }
}

/** The two halves of a UUID, xored. */
function idIndex(id: string): string {
  const hex = id.replaceAll("-", "");
  return String(BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`));
}

/** An event as the pool carries it, without the time, which is the pool's. */
export function encodeEvent({
  ID,
  Payload,
  NodeFilter,
  ServiceFilter,
  TagFilter,
  Version,
  Name,
}: Omit<UserEvent, "LTime">): Uint8Array {
  return encode({ ID, Name, Payload, NodeFilter, ServiceFilter, TagFilter, Version });
}

/** Null for what is none. */
export function decodeEvent(bytes: Uint8Array, LTime: number): UserEvent | null {
  try {
    return { ...(decode(bytes) as Omit<UserEvent, "LTime">), LTime };
  } catch {
    return null;
  }
}
