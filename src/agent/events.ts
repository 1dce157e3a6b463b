// User events (https://developer.hashicorp.com/consul/api-docs/event): what this agent has seen of them, the newest 256.
import { decode, encode } from "../codec/value.ts";
import { matchesPattern } from "../filter/pattern.ts";
import { isUuid } from "../util/bytes.ts";

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

/** What of a service decides whether an event is meant for it. */
interface EventTarget {
  readonly Service: string;
  readonly Tags: readonly string[] | null;
}

const KEPT = 256;
const EVENT_VERSION = 1;

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

  /** Notes what came from the pool, if it is meant for this node; false when it cannot be read. */
  receive(payload: Uint8Array, time: number, nodeName: string, services: Iterable<EventTarget>): boolean {
    const event = decodeEvent(payload, time);
    if (event !== null && isEventFor(event, nodeName, services)) this.note(event);
    return event !== null;
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

/** Null for what is none, or of a version that is not known here: other members may send anything. */
export function decodeEvent(bytes: Uint8Array, LTime: number): UserEvent | null {
  try {
    const { ID, Name, Payload, NodeFilter, ServiceFilter, TagFilter, Version } = decode(bytes) as Record<
      string,
      unknown
    >;
    const texts = [ID, Name, NodeFilter, ServiceFilter, TagFilter];
    if (!texts.every((text) => typeof text === "string") || !isUuid(ID as string) || Version !== EVENT_VERSION)
      return null;
    if (Payload !== null && !(Payload instanceof Uint8Array)) return null;
    return { ID, Name, Payload, NodeFilter, ServiceFilter, TagFilter, Version, LTime } as UserEvent;
  } catch {
    // Not even a value.
    return null;
  }
}

/**
 * True when the event is meant for this node: its name matches the node filter, and one service of its own the filters of
 * service and tag.
 */
export function isEventFor(
  event: Pick<UserEvent, "NodeFilter" | "ServiceFilter" | "TagFilter">,
  nodeName: string,
  services: Iterable<EventTarget>,
): boolean {
  const { NodeFilter, ServiceFilter, TagFilter } = event;
  if (!matchesPattern(NodeFilter, nodeName)) return false;
  if (ServiceFilter === "") return true;
  for (const { Service, Tags } of services) {
    if (!matchesPattern(ServiceFilter, Service)) continue;
    if (TagFilter === "" || Tags?.some((tag) => matchesPattern(TagFilter, tag)) === true) return true;
  }
  return false;
}
