// User events: https://developer.hashicorp.com/consul/api-docs/event
import { decodeBase64 } from "./json.ts";
import type { Body, Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type { UserEvent } from "./types.ts";
import { parseJson } from "./json.ts";

/** Regular expressions that a receiver must match. */
export interface EventFilters {
  node?: string;
  service?: string;
  tag?: string;
}

export interface EventArea {
  fire(name: string, payload?: Body, options?: RequestOptions & EventFilters): Promise<UserEvent>;
  /** Events this agent has seen, oldest first. Its index does not grow: it only differs. */
  list(options?: ReadOptions & EventFilters & { name?: string }): Promise<Read<UserEvent[]>>;
}

type WireEvent = Omit<UserEvent, "Payload"> & { Payload: string | null };

export function eventArea(transport: Transport): EventArea {
  const decode = (event: WireEvent): UserEvent => ({ ...event, Payload: decodeBase64(event.Payload ?? "") });
  return {
    async fire(name, payload, { node, service, tag, ...options } = {}) {
      const query = { node, service, tag };
      const path = `event/fire/${segment(name)}`;
      const response = await transport.send({ method: "PUT", path, query, options, body: payload });
      return decode(parseJson(await response.text()) as WireEvent);
    },
    async list(options = {}) {
      const { name, node, service, tag } = options;
      const read = await transport.read<WireEvent[]>("event/list", options, { name, node, service, tag });
      return { ...read, value: read.value.map(decode) };
    },
  };
}
