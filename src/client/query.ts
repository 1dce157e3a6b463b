// Prepared queries as callers run them: https://developer.hashicorp.com/consul/api-docs/query#execute-prepared-query
import type { Read, ReadOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type { QueryResult } from "./types.ts";

/** Prepared queries, to be run. */
export interface QueryArea {
  /** Null when no query has this id or name and no template matches it. */
  execute(
    idOrName: string,
    options?: ReadOptions & { limit?: number; connect?: boolean },
  ): Promise<Read<QueryResult | null>>;
}

/** The area's methods on a transport. */
export function queryArea(transport: Transport): QueryArea {
  return {
    execute: (id, options) =>
      transport.read(
        `query/${segment(id)}/execute`,
        options,
        { limit: options?.limit, connect: options?.connect && "true" },
        { value: null },
      ),
  };
}
