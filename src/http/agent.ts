// /v1/agent: https://developer.hashicorp.com/consul/api-docs/agent. The agent itself: what it is, whom it knows, its life.
import { formatJson, formatText } from "../agent/logs.ts";
import { parseLogLevel } from "../config/log-level.ts";
import { memberFields } from "../filter/fields.ts";
import { compileFilter } from "../filter/filter.ts";
import { OperationalError } from "../types/error.ts";
import { utf8 } from "../util/bytes.ts";
import { CONSUL_VERSION, VERSION } from "../version.ts";
import type { Context } from "./context.ts";
import { requireEnable } from "./query-values.ts";
import { emptyReply, reply, type Reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

export const agentRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/agent/self",
    params: [],
    permission: "agent:read",
    summary: "The agent's configuration, its own member record and its statistics",
    handle: (c) => c.reply(c.agent.describe()),
  },
  {
    method: "GET",
    path: "/v1/agent/members",
    params: ["wan", "segment", "filter"],
    permission: "node:read",
    summary: "The members of the LAN pool, or of the WAN pool",
    handle: members,
  },
  {
    method: "GET",
    path: "/v1/agent/version",
    params: [],
    permission: "agent:read",
    summary: "The version of the build",
    handle: (c) =>
      c.reply({
        SHA: "",
        BuildDate: "0001-01-01T00:00:00Z",
        HumanVersion: VERSION,
        FIPS: "",
        ConsulVersion: CONSUL_VERSION,
      }),
  },
  {
    method: "GET",
    path: "/v1/agent/host",
    params: [],
    permission: "operator:read",
    summary: "Facts of the machine",
    handle: host,
  },
  {
    method: "GET",
    path: "/v1/agent/monitor",
    params: ["loglevel", "logjson"],
    permission: "agent:read",
    summary: "Streams the agent's log",
    handle: monitor,
  },
  {
    method: "PUT",
    path: "/v1/agent/maintenance",
    params: ["enable", "reason"],
    permission: "node:write",
    summary: "Puts the node into maintenance mode, or ends it",
    handle: maintenance,
  },
  {
    method: "PUT",
    path: "/v1/agent/reload",
    params: [],
    permission: "agent:write",
    summary: "Reads the configuration files again",
    handle: reload,
  },
  {
    method: "PUT",
    path: "/v1/agent/join/*",
    tail: "address",
    params: ["wan"],
    permission: "agent:write",
    summary: "Joins the agents at an address",
    handle: join,
  },
  {
    method: "PUT",
    path: "/v1/agent/leave",
    params: [],
    permission: "agent:write",
    summary: "Leaves the datacenter and ends the agent",
    handle: leave,
  },
  {
    method: "PUT",
    path: "/v1/agent/force-leave/*",
    tail: "node",
    params: ["prune", "wan"],
    permission: "operator:write",
    summary: "Makes a failed member one that has left",
    handle: forceLeave,
  },
  {
    method: "PUT",
    path: "/v1/agent/token/*",
    tail: "kind",
    params: [],
    permission: "agent:write",
    summary: "Sets one of the agent's ACL tokens",
    handle: () => {
      throw new OperationalError("permission-denied", "ACL support disabled", { status: 401 });
    },
  },
];

const isWan = ({ query }: Context): boolean =>
  query.has("wan") && query.get("wan") !== "0" && query.get("wan") !== "false";

function members(c: Context): Reply {
  const segment = c.query.get("segment");
  if (segment !== null && segment !== "" && segment !== "_all")
    throw new OperationalError("refused", "Network segments are not supported in this version of Consul");
  const list = c.agent.members(isWan(c));
  const filter = c.query.get("filter") ?? "";
  return c.reply(filter === "" ? list : list.filter(compileFilter(filter, memberFields)));
}

function host(c: Context): Reply {
  const facts = c.agent.platform.host?.facts();
  if (facts === undefined)
    throw new OperationalError("unsupported", "This runtime tells nothing of the machine it runs on");
  return c.reply(facts);
}

async function maintenance(c: Context): Promise<Reply> {
  const { local } = c.agent;
  if (requireEnable(c)) await local.enableMaintenance("", c.query.get("reason") ?? "");
  else {
    local.state.disableNodeMaintenance();
    await local.settled();
  }
  return emptyReply();
}

function reload(c: Context): Reply {
  c.agent.onReload();
  return emptyReply();
}

async function join(c: Context): Promise<Reply> {
  await c.agent.join(c.requireTail("Missing address"), isWan(c));
  return emptyReply();
}

/** Answers first: the agent that has left cannot. */
function leave(c: Context): Reply {
  c.agent.timers.after(LEAVE_DELAY_MS, () => c.agent.leaveAndStop());
  return emptyReply();
}
/** Time for the answer to go out. */
const LEAVE_DELAY_MS = 100;

async function forceLeave(c: Context): Promise<Reply> {
  await c.agent.forceLeave(c.requireTail("Missing node name"), c.query.has("prune"), isWan(c));
  return emptyReply();
}

/** How many lines wait for a slow reader before the oldest are dropped. */
const MONITOR_LINES_MAX = 512;

function monitor(c: Context): Reply {
  const name = c.query.get("loglevel") || "INFO";
  const level = parseLogLevel(name);
  if (level === null) throw new OperationalError("invalid-request", `Unknown log level: ${name}`);
  const format = c.query.has("logjson") ? formatJson : formatText;
  let off: () => void = () => {};
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        off = c.agent.logs.follow(level, (event, wallMs) => {
          // A reader that does not keep up misses lines; it must not hold the agent's memory.
          if ((controller.desiredSize ?? 0) > 0)
            controller.enqueue(utf8(`${format(event, wallMs)}\n`) as Uint8Array<ArrayBuffer>);
        });
      },
      cancel: () => off(),
    },
    { highWaterMark: MONITOR_LINES_MAX },
  );
  return reply(200, ["Content-Type", "text/plain; charset=utf-8"], body);
}
