// Every route that takes `?index=`, with a path that can be asked for: made from the table of routes, so that a new route
// is held to the wire rules from its first day.
import type { TestAgent } from "../support/agent.ts";
import { routes } from "../../src/http/routes.ts";

const NO_SUCH_ID = "00000000-0000-0000-0000-000000000000";

/** What stands for `/*` where not just any name will do, by the whole path. */
const TAILS = new Map([
  ["/v1/health/state/*", "any"],
  ["/v1/session/info/*", NO_SUCH_ID],
  ["/v1/query/*", NO_SUCH_ID],
  ["/v1/config/*", "service-defaults"],
]);

/** Where Consul's blocking queries are documented. The routes of its web page have a contract of their own. */
const AREAS = /^\/v1\/(?:kv|catalog|health|session|coordinate|query|config)(?:\/|$)/;

/** Paths that read replicated state; names in them exist in no test. */
export const blockingPaths: readonly string[] = [
  ...routes
    .filter(({ method, params, path }) => method === "GET" && params.includes("index") && AREAS.test(path))
    .map(({ path }) => (path.endsWith("/*") ? path.slice(0, -1) + (TAILS.get(path) ?? "absent") : path)),
  "/v1/kv/absent?recurse",
  "/v1/kv/absent?keys",
  "/v1/kv/?keys",
];

/** `path` with one more parameter. */
export const withParam = (path: string, param: string): string => `${path}${path.includes("?") ? "&" : "?"}${param}`;

/** The index of an answer to `path`, now. */
export async function indexOf(agent: TestAgent, path: string): Promise<number> {
  return Number((await agent.fetch("GET", path)).header("x-consul-index"));
}
