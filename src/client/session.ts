// Sessions, the owners of locks: https://developer.hashicorp.com/consul/api-docs/session
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type { Session, SessionRequest } from "./types.ts";
import { parseJson } from "./json.ts";

export interface SessionArea {
  /** Gives the new session's id. */
  create(session?: SessionRequest, options?: RequestOptions): Promise<string>;
  destroy(id: string, options?: RequestOptions): Promise<boolean>;
  /** Starts the TTL anew; null when the session is no more. */
  renew(id: string, options?: RequestOptions): Promise<Session | null>;
  /** Null when there is no such session. */
  info(id: string, options?: ReadOptions): Promise<Read<Session | null>>;
  node(node: string, options?: ReadOptions): Promise<Read<Session[]>>;
  list(options?: ReadOptions): Promise<Read<Session[]>>;
}

export function sessionArea(transport: Transport): SessionArea {
  return {
    async create(session = {}, options) {
      return (await transport.write<{ ID: string }>("PUT", "session/create", options, {}, session)).ID;
    },
    destroy: (id, options) => transport.write("PUT", `session/destroy/${segment(id)}`, options),
    async renew(id, options) {
      const path = `session/renew/${segment(id)}`;
      const response = await transport.send({ method: "PUT", path, options, outcomes: [404] });
      const text = await response.text();
      return response.status === 404 ? null : ((parseJson(text) as Session[])[0] ?? null);
    },
    async info(id, options) {
      const read = await transport.read<Session[]>(`session/info/${segment(id)}`, options);
      return { ...read, value: read.value[0] ?? null };
    },
    node: (node, options) => transport.read(`session/node/${segment(node)}`, options),
    list: (options) => transport.read("session/list", options),
  };
}
