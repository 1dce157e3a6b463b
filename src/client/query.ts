// Prepared queries: https://developer.hashicorp.com/consul/api-docs/query
import type { PreparedQuery } from "../types/records.ts";
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type { QueryResult } from "./types.ts";

/** What may be left out is left out. */
export type QueryDefinition = { Service: { Service: string } & Partial<PreparedQuery["Service"]> } & Partial<
  Omit<PreparedQuery, "Service" | "ID" | "CreateIndex" | "ModifyIndex">
>;

export interface QueryArea {
  list(options?: ReadOptions): Promise<Read<PreparedQuery[]>>;
  /** Gives the new query's id. */
  create(query: QueryDefinition, options?: RequestOptions): Promise<string>;
  /** Null when there is no such query. */
  read(id: string, options?: ReadOptions): Promise<Read<PreparedQuery | null>>;
  update(id: string, query: QueryDefinition, options?: RequestOptions): Promise<void>;
  delete(id: string, options?: RequestOptions): Promise<void>;
  /** Null when no query has this id or name and no template matches it. */
  execute(
    idOrName: string,
    options?: ReadOptions & { limit?: number; connect?: boolean },
  ): Promise<Read<QueryResult | null>>;
  /** The query a template makes of this name. */
  explain(idOrName: string, options?: ReadOptions): Promise<Read<{ Query: PreparedQuery } | null>>;
}

export function queryArea(transport: Transport): QueryArea {
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
    execute: (id, options) =>
      transport.read(
        `${path(id)}/execute`,
        options,
        { limit: options?.limit, connect: options?.connect && "true" },
        { value: null },
      ),
    explain: (id, options) => transport.read(`${path(id)}/explain`, options, {}, { value: null }),
  };
}
