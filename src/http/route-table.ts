// Every route of the API is one row here: authorisation and the description of the API are made from the same rows that
// are served.
import type { Context } from "./context.ts";
import type { Reply } from "./reply.ts";

export type Method = "GET" | "PUT" | "POST" | "DELETE";

/** The permission a route will need, in the words of Consul's rule language; "none" for open routes. */
export type Permission =
  | "none"
  | `${"acl" | "agent" | "event" | "key" | "keyring" | "mesh" | "node" | "operator" | "query" | "service" | "session"}:${"read" | "write" | "list"}`;

export interface RouteRow {
  readonly method: Method;
  /** The path; one that ends in `/*` matches everything below it, and the rest of the path is the row's argument. */
  readonly path: string;
  /** What the rest of the path names, for rows that end in `/*`. */
  readonly tail?: string;
  /** Query parameters the route reads, besides `dc`, `token` and `pretty`. */
  readonly params: readonly string[];
  readonly permission: Permission | readonly Permission[];
  /** What the route does, in one line. */
  readonly summary: string;
  handle(context: Context): Reply | Promise<Reply>;
}

/** The parameters that every read of replicated state takes. */
export const READ_PARAMS: readonly string[] = ["index", "wait", "stale", "consistent", "cached", "max_stale"];
/** What lists of the catalog and of health take besides. */
export const LIST_PARAMS: readonly string[] = ["near", "node-meta", "filter", ...READ_PARAMS];
