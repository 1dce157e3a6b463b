// /v1/session: https://developer.hashicorp.com/consul/api-docs/session.
import {
  sessionCreate,
  sessionDestroy,
  type SessionDraft,
  sessionInfo,
  sessionList,
  sessionRenew,
  sessionsOfNode,
} from "../endpoint/session.ts";
import { SERF_HEALTH } from "../server/reconcile.ts";
import { healthService } from "../endpoint/health.ts";
import { OperationalError } from "../types/error.ts";
import { type Decoder, duration, list, mapped, nullable, object, optional, raw, string } from "../util/decode.ts";
import type { Context } from "./context.ts";
import { TRUE, type Reply } from "./reply.ts";
import { READ_PARAMS, type RouteRow } from "./route-table.ts";

export const sessionRoutes: readonly RouteRow[] = [
  {
    method: "PUT",
    path: "/v1/session/create",
    params: [],
    permission: "session:write",
    summary: "Creates a session",
    handle: create,
  },
  {
    method: "PUT",
    path: "/v1/session/destroy/*",
    tail: "session",
    params: [],
    permission: "session:write",
    summary: "Ends a session",
    handle: destroy,
  },
  {
    method: "PUT",
    path: "/v1/session/renew/*",
    tail: "session",
    params: [],
    permission: "session:write",
    summary: "Starts a session's TTL anew",
    handle: renew,
  },
  {
    method: "GET",
    path: "/v1/session/info/*",
    tail: "session",
    params: READ_PARAMS,
    permission: "session:read",
    summary: "Reads a session",
    handle: (c) => c.readJson(sessionInfo, c.requireTail("Missing session")),
  },
  {
    method: "GET",
    path: "/v1/session/node/*",
    tail: "node",
    params: READ_PARAMS,
    permission: "session:read",
    summary: "Lists a node's sessions",
    handle: (c) => c.readJson(sessionsOfNode, c.requireTail("Missing node name")),
  },
  {
    method: "GET",
    path: "/v1/session/list",
    params: READ_PARAMS,
    permission: "session:read",
    summary: "Lists all sessions",
    handle: (c) => c.readJson(sessionList, null),
  },
];

/** Numbers below this many nanoseconds can only have meant seconds. */
const SECONDS_BELOW_NS = 1000;
const LOCK_DELAY_DEFAULT_NS = 15e9;

const lockDelay: Decoder<number | undefined> = optional(
  mapped(duration, (ns) => (ns > 0 && ns < SECONDS_BELOW_NS ? ns * 1e9 : ns)),
);

const sessionBody = object({
  Name: string,
  Node: string,
  LockDelay: lockDelay,
  Behavior: string,
  TTL: string,
  Checks: nullable(list(string)),
  NodeChecks: nullable(list(string)),
  ServiceChecks: nullable(list(object({ ID: string, Namespace: string }))),
  // What a session that was read and is sent back also carries.
  ID: string,
  CreateIndex: raw,
  ModifyIndex: raw,
});

async function create(c: Context): Promise<Reply> {
  const body = await c.optionalJson(sessionBody);
  const { Checks } = body;
  // An empty list in the old way asks for no check at all; another one leaves the default beside it.
  const NodeChecks = body.NodeChecks ?? (Checks !== null && Checks.length === 0 ? [] : [SERF_HEALTH]);
  const draft: SessionDraft = {
    Name: body.Name,
    Node: body.Node === "" ? await homeOf(c) : body.Node,
    LockDelay: body.LockDelay ?? LOCK_DELAY_DEFAULT_NS,
    Behavior: body.Behavior,
    TTL: body.TTL,
    NodeChecks,
    ServiceChecks: body.ServiceChecks,
  };
  if (Checks !== null && !sameList(Checks, NodeChecks)) draft.Checks = Checks;
  return c.reply({ ID: await c.command(sessionCreate, draft) });
}

/** The node of a session that names none: the agent's own; in another datacenter, which has not that, one of its servers. */
async function homeOf(c: Context): Promise<string> {
  const { config, route, datacenter: own } = c.agent;
  if (c.datacenter === "" || c.datacenter === own) return config.nodeName;
  const args = { service: "consul", tags: [], connect: false, passing: true, nodeMeta: [], filter: "", near: "" };
  const { shared } = await route.query(healthService, args, c.agent.defaultQuery, c.datacenter);
  const [server] = shared.read.value;
  if (server === undefined)
    throw new OperationalError("refused", `no server of datacenter '${c.datacenter}' is healthy`);
  return server.Node.Node;
}

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, at) => item === b[at]);

async function destroy(c: Context): Promise<Reply> {
  await c.command(sessionDestroy, c.requireTail("Missing session"));
  return TRUE;
}

async function renew(c: Context): Promise<Reply> {
  const id = c.requireTail("Missing session");
  const session = await c.command(sessionRenew, id);
  if (session === null) throw new OperationalError("not-found", `Session id '${id}' not found`);
  return c.reply([session]);
}
