// Prepared queries as their owner defines them: https://developer.hashicorp.com/consul/api-docs/query
import type { PreparedQuery } from "../types/records.ts";
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";

/** What may be left out is left out. */
export type QueryDefinition = { Service: { Service: string } & Partial<PreparedQuery["Service"]> } & Partial<
  Omit<PreparedQuery, "Service" | "ID" | "CreateIndex" | "ModifyIndex">
>;

/** What only the owner of a prepared query asks. */
export interface QueryAdminArea {
  list(options?: ReadOptions): Promise<Read<PreparedQuery[]>>;
  /** Gives the new query's id. */
  create(query: QueryDefinition, options?: RequestOptions): Promise<string>;
  /** Null when there is no such query. */
  read(id: string, options?: ReadOptions): Promise<Read<PreparedQuery | null>>;
  update(id: string, query: QueryDefinition, options?: RequestOptions): Promise<void>;
  delete(id: string, options?: RequestOptions): Promise<void>;
  /** The query a template makes of this name. */
  explain(idOrName: string, options?: ReadOptions): Promise<Read<{ Query: PreparedQuery } | null>>;
}

/** The area's methods on a transport. */
export function queryAdminArea(transport: Transport): QueryAdminArea {
  const path = (id: string): string => `query/${segment(id)}`;
  return {
    list: (options) => transport.read("query", options),
    async create(query, options) {
      return (await transport.write<{ ID: string }>("POST", "query", options, {}, query)).ID;
    },
    async read(id, options) {
      const read = await transport.read<PreparedQuery[]>(path(id), options, {}, { value: [] });
      return { ...read, value: read.value[0] ?? null };
    },
    update: (id, query, options) => transport.write("PUT", path(id), options, {}, query),
    delete: (id, options) => transport.write("DELETE", path(id), options),
    explain: (id, options) => transport.read(`${path(id)}/explain`, options, {}, { value: null }),
  };
}
