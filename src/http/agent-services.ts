// /v1/agent/service…: https://developer.hashicorp.com/consul/api-docs/agent/service. The agent's own services.
import {
  agentServices,
  hashedAgentService,
  healthStatusCode,
  serviceHealth,
  serviceHealthByName,
  worstHealth,
} from "../agent/local-view.ts";
import { decodeServiceDefinition } from "../config/service-definition.ts";
import { nodeServiceFields } from "../filter/fields.ts";
import { OperationalError } from "../types/error.ts";
import { raw } from "../util/decode.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { filteredMap } from "./filtered-map.ts";
import { requireEnable } from "./query-values.ts";
import { emptyReply, jsonReply, reply, type Reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

export const agentServiceRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/agent/services",
    params: ["filter"],
    permission: "service:read",
    summary: "Lists the agent's services, by ID",
    handle: (c) => c.reply(filteredMap(c, agentServices(c.agent.local.state, c.agent.datacenter), nodeServiceFields)),
  },
  {
    method: "GET",
    path: "/v1/agent/service/*",
    tail: "service",
    params: ["hash", "wait"],
    permission: "service:read",
    summary: "Reads one of the agent's services; with a hash, waits until it is another",
    handle: read,
  },
  {
    method: "PUT",
    path: "/v1/agent/service/register",
    params: ["replace-existing-checks"],
    permission: "service:write",
    summary: "Registers a service and its checks with the agent",
    handle: register,
  },
  {
    method: "PUT",
    path: "/v1/agent/service/deregister/*",
    tail: "service",
    params: [],
    permission: "service:write",
    summary: "Removes a service from the agent",
    handle: deregister,
  },
  {
    method: "PUT",
    path: "/v1/agent/service/maintenance/*",
    tail: "service",
    params: ["enable", "reason"],
    permission: "service:write",
    summary: "Puts a service into maintenance mode, or ends it",
    handle: maintenance,
  },
  {
    method: "GET",
    path: "/v1/agent/health/service/name/*",
    tail: "name",
    params: ["format"],
    permission: "service:read",
    summary: "The health of a service's local instances; the status code says it too",
    handle: healthByName,
  },
  {
    method: "GET",
    path: "/v1/agent/health/service/id/*",
    tail: "service",
    params: ["format"],
    permission: "service:read",
    summary: "The health of a local service; the status code says it too",
    handle: healthById,
  },
];

async function register(c: Context): Promise<Reply> {
  const { local } = c.agent;
  const body = await c.json(raw, "Request decode failed", c.agent.config.limits.httpRequestBytesMax);
  const definition = decodeServiceDefinition(body, { source: "http" });
  // Nothing but these two counts, as in Consul.
  const replace = ["", "true"].includes(c.query.get("replace-existing-checks") ?? "false");
  await local.registerService(definition, replace);
  return emptyReply();
}

async function deregister(c: Context): Promise<Reply> {
  const { local } = c.agent;
  local.state.removeService(c.tail);
  await local.settled();
  return emptyReply();
}

async function maintenance(c: Context): Promise<Reply> {
  const { local } = c.agent;
  const id = c.requireTail("Missing service ID");
  if (requireEnable(c)) await local.enableMaintenance(id, c.query.get("reason") ?? "");
  else {
    local.state.disableServiceMaintenance(id);
    await local.settled();
  }
  return emptyReply();
}

/** The answer, or with `?hash=` of what the asker has, the next one (Consul: hash-based blocking). */
function read(c: Context): Reply | Promise<Reply> {
  const { local, timers, datacenter } = c.agent;
  const answer = (): Reply => {
    const record = local.state.services.get(c.tail);
    if (record === undefined) throw new OperationalError("not-found", `unknown service ID: ${c.tail}`);
    const shown = hashedAgentService(record.service, datacenter);
    return jsonReply(stringifyJson(shown, c.pretty), ["X-Consul-Contenthash", shown.ContentHash]);
  };
  const hash = c.query.get("hash") ?? "";
  const record = local.state.services.get(c.tail);
  if (hash === "" || record === undefined || hashedAgentService(record.service, datacenter).ContentHash !== hash)
    return answer();
  const { waitMs } = c.eventWait("");
  return new Promise((resolve, reject) => {
    const done = (): void => {
      off();
      forget();
      timers.cancel(timer);
      try {
        resolve(answer());
      } catch (error) {
        reject(error);
      }
    };
    const off = local.state.watchService(c.tail, () => {
      const now = local.state.services.get(c.tail);
      if (now === undefined || hashedAgentService(now.service, datacenter).ContentHash !== hash) done();
    });
    const timer = timers.after(waitMs, done);
    const forget = c.request.onGone(done);
  });
}

/** Text where it was asked for, else JSON; the header says in a word what the code says in a number. */
function health(c: Context, status: number, word: string, value: unknown): Reply {
  const asText = c.query.get("format") === "text" || c.request.header("accept") === "text/plain";
  const reason = ["X-Consul-Reason", word];
  if (asText) return reply(status, ["Content-Type", "text/plain", ...reason], word);
  return jsonReply(stringifyJson(value, c.pretty), reason, status);
}

function healthById(c: Context): Reply {
  const id = c.requireTail("Missing serviceID");
  const found = serviceHealth(c.agent.local.state, id, c.agent.datacenter);
  if (found === null)
    return missing(c, `ServiceId ${id} not found`, { AggregatedStatus: "critical", Checks: null, Service: null });
  return health(c, healthStatusCode(found.AggregatedStatus), found.AggregatedStatus, found);
}

function healthByName(c: Context): Reply {
  const name = c.requireTail("Missing service Name");
  const found = serviceHealthByName(c.agent.local.state, name, c.agent.datacenter);
  if (found.length === 0) return missing(c, `ServiceName ${name} Not Found`, []);
  const worst = worstHealth(found);
  return health(c, healthStatusCode(worst), worst, found);
}

const missing = (c: Context, why: string, value: unknown): Reply => health(c, 404, why, value);
