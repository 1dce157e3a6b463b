// What operators ask of the servers: https://developer.hashicorp.com/consul/api-docs/operator. The Raft group and the
// health of its servers are the leader's knowledge rather than the store's, so they are answered where commands run.
import type { Usage } from "../state/read.ts";
import type { Unindexed } from "../state/command.ts";
import { OperationalError } from "../types/error.ts";
import type { AutopilotConfig, Uint64, UserMap } from "../types/records.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";
import { quote } from "../util/quote.ts";
import { toUserMap } from "../util/user-map.ts";
import type { CommandEndpoint, Prepared, QueryEndpoint } from "./endpoint.ts";
import type { GroupHealth, ServerHealth } from "./server-group.ts";

const refused = (message: string): OperationalError => new OperationalError("refused", message);

/** `id` of a server, or its `address`; exactly one of them is not null. */
export interface RaftPeer {
  id: string | null;
  address: string | null;
}

export interface RaftServer {
  ID: string;
  Node: string;
  Address: string;
  Leader: boolean;
  ProtocolVersion: string;
  Voter: boolean;
  /** As of the last look at the server's health. */
  LastIndex: number;
}

/** The group's servers, in the order of the configuration. `Index` is always 0, as in Consul. */
export const raftConfiguration: CommandEndpoint<null, { Servers: RaftServer[]; Index: number }> = {
  kind: "command",
  name: "operator.raft-configuration",
  prepare({ group }) {
    const known = new Map(group.health.servers.map((server) => [server.id, server]));
    const Servers = group.servers.map(({ id, address, voter }) => ({
      ID: id,
      Node: group.nameOf(id) || "(unknown)",
      Address: address,
      Leader: id === group.leader,
      ProtocolVersion: "3",
      Voter: voter,
      LastIndex: known.get(id)?.lastIndex ?? 0,
    }));
    return { answer: { Servers, Index: 0 } };
  },
};

/** Removes a server from the group; true once that is committed. */
export const raftRemovePeer: CommandEndpoint<RaftPeer, true> = {
  kind: "command",
  name: "operator.raft-remove-peer",
  prepare({ group }, { id, address }): Prepared<true> {
    const server = group.servers.find((known) => (id === null ? known.address === address : known.id === id));
    if (server === undefined) {
      const named = id === null ? `address ${quote(address ?? "")}` : `id ${quote(id)}`;
      throw refused(`${named} was not found in the Raft configuration`);
    }
    return { answer: group.change({ kind: "remove", id: server.id }).then(() => true as const) };
  },
};

/** Hands leadership to the server with this id, or for null to the best one. */
export const raftTransferLeader: CommandEndpoint<string | null, true> = {
  kind: "command",
  name: "operator.raft-transfer-leader",
  prepare({ group }, id): Prepared<true> {
    const others = group.servers.filter((server) => server.voter && server.id !== group.leader);
    if (id !== null && !group.servers.some((server) => server.id === id))
      throw refused(`id ${quote(id)} was not found in the Raft configuration`);
    if (others.length === 0 || (id !== null && !others.some((server) => server.id === id)))
      throw refused("cannot find peer: leadership can only be transferred to another voting server");
    return { answer: group.transfer(id).then(() => true as const) };
  },
};

// ------------------------------------------------------------------------------------------------------- autopilot

export type AutopilotSettings = Unindexed<AutopilotConfig>;

/** The autopilot configuration; null until a leader has written the first one. */
export const autopilotConfiguration: QueryEndpoint<null, AutopilotConfig | null> = {
  kind: "query",
  name: "operator.autopilot-configuration",
  run: (state) => state.autopilotConfig(),
  key: () => "operator.autopilot-configuration",
};

/** Replaces the autopilot configuration; false when its ModifyIndex is not `cas`. */
export const autopilotSet: CommandEndpoint<{ config: AutopilotSettings; cas: Uint64 | null }, boolean> = {
  kind: "command",
  name: "operator.autopilot-set",
  prepare(_context, { config, cas }): Prepared<boolean> {
    return {
      command: { type: "autopilot.set", config, cas },
      reply(result) {
        if (!result.ok) throw refused(result.error.message);
        return result.value as boolean;
      },
    };
  },
};

/** The configuration as the API shows it: durations as texts, and the fields of Consul Enterprise, which are never set. */
export const autopilotShape = (config: AutopilotConfig): Record<string, unknown> => ({
  CleanupDeadServers: config.CleanupDeadServers,
  LastContactThreshold: formatDuration(config.LastContactThreshold),
  MaxTrailingLogs: config.MaxTrailingLogs,
  MinQuorum: config.MinQuorum,
  ServerStabilizationTime: formatDuration(config.ServerStabilizationTime),
  RedundancyZoneTag: "",
  DisableUpgradeMigration: false,
  UpgradeVersionTag: "",
  CreateIndex: config.CreateIndex,
  ModifyIndex: config.ModifyIndex,
});

/** How the servers are. */
export const autopilotHealth: CommandEndpoint<null, GroupHealth> = {
  kind: "command",
  name: "operator.autopilot-health",
  prepare: ({ group }) => ({ answer: group.health }),
};

/** The body of /v1/operator/autopilot/health. */
export const healthShape = ({ healthy, failureTolerance, servers }: GroupHealth): Record<string, unknown> => ({
  Healthy: healthy,
  FailureTolerance: failureTolerance,
  Servers: servers.map((server) => ({
    ID: server.id,
    Name: server.name,
    Address: server.address,
    SerfStatus: server.memberStatus,
    Version: server.version,
    Leader: server.leader,
    LastContact: lastContact(server),
    LastTerm: server.lastTerm,
    LastIndex: server.lastIndex,
    Healthy: server.healthy,
    Voter: server.voter,
    StableSince: second(server.stableSinceMs),
    ...reason(server),
  })),
});

/** The body of /v1/operator/autopilot/state. */
export const stateShape = ({ healthy, failureTolerance, servers }: GroupHealth): Record<string, unknown> => ({
  Healthy: healthy,
  FailureTolerance: failureTolerance,
  OptimisticFailureTolerance: failureTolerance,
  Servers: toUserMap(servers.map((server) => [server.id, serverShape(server)] as const)),
  Leader: servers.find(({ leader }) => leader)?.id ?? "",
  Voters: servers.filter(({ voter }) => voter).map(({ id }) => id),
});

const serverShape = (server: ServerHealth): Record<string, unknown> => ({
  ID: server.id,
  Name: server.name,
  Address: server.address,
  NodeStatus: server.memberStatus,
  Version: server.version,
  LastContact: lastContact(server),
  LastTerm: server.lastTerm,
  LastIndex: server.lastIndex,
  Healthy: server.healthy,
  ...reason(server),
  StableSince: second(server.stableSinceMs),
  ReadReplica: false,
  Status: server.leader ? "leader" : server.voter ? "voter" : "non-voter",
  Meta: server.meta,
  NodeType: "voter",
});

/** Only said of a server whose state is wrong, which nothing else of its row shows; not in Consul. */
const reason = ({ diverged }: ServerHealth): { Reason?: string } =>
  diverged ? { Reason: "its state differs from that of the group" } : {};

/** A server that was never heard of shows the longest time there is, as Go writes it. */
const lastContact = ({ lastContactMs }: ServerHealth): string =>
  lastContactMs === Number.POSITIVE_INFINITY ? "2562047h47m16.854775807s" : formatDuration(lastContactMs * nsPerMs);

/** RFC 3339, to the second. */
const second = (epochMs: number): string =>
  new Date(Math.round(epochMs / 1000) * 1000).toISOString().replace(".000Z", "Z");

// ----------------------------------------------------------------------------------------------------------- usage

/** Counts of what is stored. */
export const operatorUsage: QueryEndpoint<null, Usage> = {
  kind: "query",
  name: "operator.usage",
  run: (state) => state.usage(),
  key: () => "operator.usage",
};

/** The kinds that are counted even when there are none. */
const CONNECT_KINDS: readonly string[] = [
  "api-gateway",
  "connect-native",
  "connect-proxy",
  "ingress-gateway",
  "mesh-gateway",
  "terminating-gateway",
];

/** The counts of one datacenter, as /v1/operator/usage shows them. */
export function usageShape(usage: Usage): Record<string, unknown> {
  const kinds: UserMap<number> = toUserMap(CONNECT_KINDS.map((kind) => [kind, 0] as const));
  for (const [kind, count] of usage.connectServiceInstances) kinds[kind] = count;
  return {
    Nodes: usage.nodes,
    Services: usage.services,
    ServiceInstances: usage.serviceInstances,
    ConnectServiceInstances: kinds,
    BillableServiceInstances: usage.billableServiceInstances,
  };
}
