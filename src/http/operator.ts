// /v1/operator: https://developer.hashicorp.com/consul/api-docs/operator.
import {
  autopilotConfiguration,
  autopilotHealth,
  type AutopilotSettings,
  autopilotSet,
  autopilotShape,
  healthShape,
  operatorUsage,
  raftConfiguration,
  raftRemovePeer,
  raftTransferLeader,
  stateShape,
  usageShape,
} from "../endpoint/operator.ts";
import type { ServerGroup } from "../endpoint/server-group.ts";
import { type RecoveryPlan } from "../server/recovery-plan.ts";
import { parseBool } from "../config/flags.ts";
import type { Usage } from "../state/read.ts";
import { OperationalError } from "../types/error.ts";
import { bool, duration, int, object, raw, string, withDefault } from "../util/decode.ts";
import { nsPerMs } from "../util/duration.ts";
import { stringifyJson } from "../util/json.ts";
import { toUserMap } from "../util/user-map.ts";
import type { Context } from "./context.ts";
import type { Encoding } from "./json-encoding.ts";
import { emptyReply, jsonReply, type Reply, textReply, TRUE } from "./reply.ts";
import { parseUint64 } from "./query-values.ts";
import { READ_PARAMS, type RouteRow } from "./route-table.ts";

export const operatorRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/operator/raft/configuration",
    params: ["stale"],
    permission: "operator:read",
    summary: "Lists the servers of the Raft group",
    handle: getConfiguration,
  },
  {
    method: "DELETE",
    path: "/v1/operator/raft/peer",
    params: ["id", "address"],
    permission: "operator:write",
    summary: "Removes a server from the Raft group",
    handle: removePeer,
  },
  {
    method: "POST",
    path: "/v1/operator/raft/transfer-leader",
    params: ["id"],
    permission: "operator:write",
    summary: "Hands leadership to another server",
    handle: transferLeader,
  },
  {
    method: "GET",
    path: "/v1/operator/raft/recovery",
    params: [],
    permission: "operator:read",
    summary: "Says what going on without the servers that are gone would mean, asked of any survivor; not in Consul",
    handle: async (c) => c.reply(recoveryShape(await c.agent.server.group.recovery.plan(), c.agent.server.group)),
  },
  {
    method: "PUT",
    path: "/v1/operator/raft/recovery",
    params: ["lead", "index"],
    permission: "operator:write",
    summary: "Goes on without the servers that are gone, as the plan said; not in Consul",
    handle: recover,
  },
  {
    method: "GET",
    path: "/v1/operator/autopilot/configuration",
    params: ["stale"],
    permission: "operator:read",
    summary: "Reads the autopilot configuration",
    handle: getAutopilot,
  },
  {
    method: "PUT",
    path: "/v1/operator/autopilot/configuration",
    params: ["cas"],
    permission: "operator:write",
    summary: "Replaces the autopilot configuration",
    handle: setAutopilot,
  },
  {
    method: "GET",
    path: "/v1/operator/autopilot/health",
    params: [],
    permission: "operator:read",
    summary: "Says how the servers are; 429 when one is not healthy",
    handle: getHealth,
  },
  {
    method: "GET",
    path: "/v1/operator/autopilot/state",
    params: [],
    permission: "operator:read",
    summary: "Says how the servers are and what each of them is",
    handle: async (c) => c.reply(stateShape(await c.command(autopilotHealth, null))),
  },
  {
    method: "GET",
    path: "/v1/operator/usage",
    params: ["global", ...READ_PARAMS],
    permission: "operator:read",
    summary: "Counts nodes, services and instances",
    handle: getUsage,
  },
  {
    method: "GET",
    path: "/v1/operator/utilization",
    params: [],
    permission: "operator:read",
    summary: "A report of Consul Enterprise, which this is not",
    handle: () => textReply(404, "operator utilization requires Consul Enterprise"),
  },
  {
    method: "GET",
    path: "/v1/operator/keyring",
    params: ["relay-factor", "local-only"],
    permission: "keyring:read",
    summary: "Lists the gossip keys",
    handle: keyring,
  },
  {
    method: "POST",
    path: "/v1/operator/keyring",
    params: ["relay-factor"],
    permission: "keyring:write",
    summary: "Installs a gossip key",
    handle: keyring,
  },
  {
    method: "PUT",
    path: "/v1/operator/keyring",
    params: ["relay-factor"],
    permission: "keyring:write",
    summary: "Makes a gossip key the one to encrypt with",
    handle: keyring,
  },
  {
    method: "DELETE",
    path: "/v1/operator/keyring",
    params: ["relay-factor"],
    permission: "keyring:write",
    summary: "Removes a gossip key",
    handle: keyring,
  },
];

// ------------------------------------------------------------------------------------------------------------- Raft

async function getConfiguration(c: Context): Promise<Reply> {
  if (!c.query.has("stale")) return c.reply(await c.command(raftConfiguration, null));
  // While there is no leader to ask, a server says what it knows.
  return c.reply(await c.agent.route.local(raftConfiguration, null, c.datacenter));
}

async function removePeer(c: Context): Promise<Reply> {
  const [id, address] = [c.query.get("id"), c.query.get("address")];
  if (id === null && address === null)
    throw new OperationalError(
      "invalid-request",
      "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove",
    );
  if (id !== null && address !== null)
    throw new OperationalError("invalid-request", "Must specify only one of ?id or ?address");
  await c.command(raftRemovePeer, { id, address });
  return emptyReply();
}

/** The plan of a recovery, in the words of the API. */
function recoveryShape(plan: RecoveryPlan, group: ServerGroup): Record<string, unknown> {
  return {
    Servers: plan.servers.map(({ id, address, voter, status }) => ({
      ID: id,
      Node: status?.name || group.nameOf(id),
      Address: address,
      Voter: voter,
      Alive: status !== null,
      Role: status?.role ?? "",
      Term: status?.term ?? 0,
      LastTerm: status?.lastTerm ?? 0,
      LastIndex: status?.lastIndex ?? 0,
      CommitIndex: status?.knownCommit ?? 0,
      Fate: id === plan.lead?.id ? "leads" : plan.followers.some((server) => server.id === id) ? "follows" : "left out",
    })),
    Quorum: plan.quorum,
    VotersAlive: plan.alive,
    Lead: plan.lead?.id ?? "",
    LastIndex: plan.lead?.lastIndex ?? 0,
    Uncommitted: plan.uncommitted,
    KnownLost: plan.lost,
    MayLoseWrites: plan.mayLose,
    Refusal: plan.refusal,
  };
}

async function recover(c: Context): Promise<Reply> {
  const [lead, index] = [c.query.get("lead") ?? "", Number(c.query.get("index") ?? "")];
  if (lead === "" || !Number.isSafeInteger(index) || index < 1)
    throw new OperationalError(
      "invalid-request",
      "Must specify ?lead and ?index, the server that is to lead and the end of its log, as the plan says",
    );
  const { group } = c.agent.server;
  return c.reply(recoveryShape(await group.recovery.recover(lead, index), group));
}

async function transferLeader(c: Context): Promise<Reply> {
  const id = c.query.get("id");
  const Success = await c.command(raftTransferLeader, id === null || id === "" ? null : id);
  return c.reply({ Success });
}

// -------------------------------------------------------------------------------------------------------- autopilot

async function getAutopilot(c: Context): Promise<Reply> {
  const answer = await c.agent.route.query(autopilotConfiguration, null, c.queryOptions(), c.datacenter);
  const config = answer.shared.read.value;
  if (config === null) throw new OperationalError("refused", "autopilot config not initialized yet");
  return c.reply(autopilotShape(config));
}

/** What is left out has Consul's default. */
const autopilotBody = object({
  CleanupDeadServers: withDefault(bool, true),
  LastContactThreshold: withDefault(duration, 200 * nsPerMs),
  MaxTrailingLogs: withDefault(int, 250),
  MinQuorum: int,
  ServerStabilizationTime: withDefault(duration, 10_000 * nsPerMs),
  RedundancyZoneTag: string,
  DisableUpgradeMigration: bool,
  UpgradeVersionTag: string,
  CreateIndex: raw,
  ModifyIndex: raw,
});

async function setAutopilot(c: Context): Promise<Reply> {
  const body = await c.json(autopilotBody, "Error parsing autopilot config");
  const { RedundancyZoneTag, DisableUpgradeMigration, UpgradeVersionTag } = body;
  for (const [name, value] of Object.entries({ RedundancyZoneTag, DisableUpgradeMigration, UpgradeVersionTag }))
    if (value !== "" && value !== false)
      throw new OperationalError(
        "invalid-request",
        `Error parsing autopilot config: ${name} is a Consul Enterprise feature`,
      );
  for (const name of ["LastContactThreshold", "MaxTrailingLogs", "MinQuorum", "ServerStabilizationTime"] as const)
    if (body[name] < 0)
      throw new OperationalError("invalid-request", `Error parsing autopilot config: ${name} must not be negative`);
  const config: AutopilotSettings = {
    CleanupDeadServers: body.CleanupDeadServers,
    LastContactThreshold: body.LastContactThreshold,
    MaxTrailingLogs: body.MaxTrailingLogs,
    MinQuorum: body.MinQuorum,
    ServerStabilizationTime: body.ServerStabilizationTime,
  };
  const cas = c.query.get("cas");
  const written = await c.command(autopilotSet, { config, cas: cas === null ? null : casOf(cas) });
  return cas === null ? TRUE : c.reply(written);
}

function casOf(value: string): number | bigint {
  try {
    return parseUint64(value);
  } catch (error) {
    throw new OperationalError("invalid-request", `Error parsing cas value: ${(error as Error).message}`);
  }
}

async function getHealth(c: Context): Promise<Reply> {
  const health = await c.command(autopilotHealth, null);
  return c.reply(healthShape(health), health.healthy ? 200 : 429);
}

// ----------------------------------------------------------------------------------------------------- usage, keyring

function getUsage(c: Context): Reply | Promise<Reply> {
  const datacenter = c.datacenter === "" ? c.agent.datacenter : c.datacenter;
  return c.read(operatorUsage, null, usage(datacenter, c.pretty), { effectiveConsistency: true });
}

/** The counts by datacenter, and, as Consul has it, what the headers say once more. */
const usage = (datacenter: string, pretty: boolean): Encoding<Usage> => ({
  form: `usage:${pretty}`,
  encode: (value, headers) =>
    jsonReply(
      stringifyJson(
        {
          Usage: toUserMap([[datacenter, usageShape(value)]]),
          Index: Number(headers[headers.indexOf("X-Consul-Index") + 1]),
          LastContact: 0,
          KnownLeader: true,
          ConsistencyLevel: headers[headers.indexOf("X-Consul-Effective-Consistency") + 1],
          NotModified: false,
          Backend: 0,
          ResultsFilteredByACLs: false,
        },
        pretty,
      ),
      headers,
    ),
});

const RELAY_FACTOR_MAX = 5;
/** Serf's status of a member that is there. */
const ALIVE = 1;

/** The parameters are judged as Consul judges them. Keys are listed; to change them while agents run is not in this build. */
function keyring(c: Context): Reply {
  const relayFactor = c.query.get("relay-factor") ?? "";
  if (relayFactor !== "") {
    if (!/^[+-]?\d+$/.test(relayFactor))
      throw new OperationalError(
        "invalid-request",
        `Error parsing relay factor: strconv.Atoi: parsing ${JSON.stringify(relayFactor)}: invalid syntax`,
      );
    if (Number(relayFactor) < 0 || Number(relayFactor) > RELAY_FACTOR_MAX)
      throw new OperationalError("invalid-request", "Invalid relay-factor: value out of range, must be 0 to 5");
  }
  const localOnly = c.query.get("local-only") ?? "";
  if (localOnly !== "") {
    const local = parseBool(localOnly);
    if (local === null)
      throw new OperationalError(
        "invalid-request",
        `Error parsing local-only: strconv.ParseBool: parsing ${JSON.stringify(localOnly)}: invalid syntax`,
      );
    if (local && c.request.method !== "GET")
      throw new OperationalError(
        "invalid-request",
        "Invalid use of local-only: local-only can only be set for GET requests",
      );
  }
  const { encryption, config } = c.agent;
  if (!encryption.enabled)
    throw new OperationalError("refused", "keyring is not enabled: the agent has no gossip encryption key (encrypt)");
  if (c.request.method !== "GET")
    throw new OperationalError(
      "unsupported",
      "keys are not rotated in this build: to change the key, give all agents the new one and start them anew",
    );
  const pools = localOnly !== "" && parseBool(localOnly) === true ? [false] : [true, false];
  return c.reply(
    pools
      .filter((wan) => !wan || (config.server && config.ports.serfWan > 0))
      .map((wan) => encryption.report(wan, c.agent.members(wan).filter(({ Status }) => Status === ALIVE).length)),
  );
}
