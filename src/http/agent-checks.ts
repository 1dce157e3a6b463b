// /v1/agent/check…: https://developer.hashicorp.com/consul/api-docs/agent/check. The agent's own checks.
import { agentChecks } from "../agent/local-view.ts";
import { isCheckStatus } from "../check/status.ts";
import { decodeCheckDefinition } from "../config/service-definition.ts";
import { checkFields } from "../filter/fields.ts";
import { OperationalError } from "../types/error.ts";
import type { CheckStatus } from "../types/records.ts";
import { object, raw, string } from "../util/decode.ts";
import type { Context } from "./context.ts";
import { filteredMap } from "./filtered-map.ts";
import { emptyReply, type Reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

/** pass, warn and fail differ in nothing else. */
const push = (verb: string, status: CheckStatus): RouteRow => ({
  method: "PUT",
  path: `/v1/agent/check/${verb}/*`,
  tail: "check",
  params: ["note"],
  permission: ["node:write", "service:write"],
  summary: `Renews a TTL check as ${status}`,
  handle: (c) => renew(c, status, c.query.get("note") ?? ""),
});

export const agentCheckRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/agent/checks",
    params: ["filter"],
    permission: ["node:read", "service:read"],
    summary: "Lists the agent's checks, by ID",
    handle: (c) => c.reply(filteredMap(c, agentChecks(c.agent.local.state), checkFields)),
  },
  {
    method: "PUT",
    path: "/v1/agent/check/register",
    params: [],
    permission: ["node:write", "service:write"],
    summary: "Registers a check with the agent",
    handle: register,
  },
  {
    method: "PUT",
    path: "/v1/agent/check/deregister/*",
    tail: "check",
    params: [],
    permission: ["node:write", "service:write"],
    summary: "Removes a check from the agent",
    handle: deregister,
  },
  push("pass", "passing"),
  push("warn", "warning"),
  push("fail", "critical"),
  {
    method: "PUT",
    path: "/v1/agent/check/update/*",
    tail: "check",
    params: [],
    permission: ["node:write", "service:write"],
    summary: "Renews a TTL check with a status and an output",
    handle: update,
  },
];

async function register(c: Context): Promise<Reply> {
  const { local } = c.agent;
  const body = await c.json(raw, "Request decode failed", c.agent.config.limits.httpRequestBytesMax);
  const definition = decodeCheckDefinition(body, { source: "http" });
  await local.registerCheck(definition);
  return emptyReply();
}

async function deregister(c: Context): Promise<Reply> {
  const { local } = c.agent;
  local.state.removeCheck(c.tail);
  await local.settled();
  return emptyReply();
}

function renew(c: Context, status: CheckStatus, output: string): Reply {
  c.agent.local.checks.updateTtl(c.tail, status, output);
  return emptyReply();
}

const updateBody = object({ Status: string, Output: string });

async function update(c: Context): Promise<Reply> {
  const { Status, Output } = await c.json(
    updateBody,
    "Request decode failed",
    c.agent.config.limits.httpRequestBytesMax,
  );
  if (!isCheckStatus(Status)) throw new OperationalError("invalid-request", `Invalid check status: '${Status}'`);
  return renew(c, Status, Output);
}
