// What the agent says of itself: its member record, as Serf would show it, and /v1/agent/self with the statistics of
// `proconsul info`.
import type { AgentConfig } from "../config/agent-config.ts";
import { sanitise } from "../config/sanitise.ts";
import type { Server } from "../server/server.ts";
import type { UserMap } from "../types/records.ts";
import { toUserMap } from "../util/user-map.ts";
import { CONSUL_VERSION, VERSION } from "../version.ts";

/** A member as /v1/agent/members shows it; `Status` is Serf's number: 1 alive, 2 leaving, 3 left, 4 failed. */
export interface ShownMember {
  Name: string;
  Addr: string;
  Port: number;
  Tags: UserMap;
  Status: number;
  ProtocolMin: number;
  ProtocolMax: number;
  ProtocolCur: number;
  DelegateMin: number;
  DelegateMax: number;
  DelegateCur: number;
}

const PROTOCOL = { ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4 };
const ALIVE = 1;

/** The tags by which servers and clients know each other. */
function memberTags(config: AgentConfig): UserMap {
  const tags: [string, string][] = [
    ["role", config.server ? "consul" : "node"],
    ["dc", config.datacenter],
    ["segment", ""],
    ["id", config.nodeId],
    ["vsn", "2"],
    ["vsn_min", "2"],
    ["vsn_max", "3"],
    ["build", `${CONSUL_VERSION}:proconsul-${VERSION}`],
  ];
  if (config.server) {
    tags.push(
      ["port", String(config.ports.server)],
      ["wan_join_port", String(config.ports.serfWan)],
      ["raft_vsn", "3"],
      ["acls", "0"],
      ["ft_fs", "1"],
      ["ft_si", "1"],
    );
    if (config.bootstrap || config.dev) tags.push(["bootstrap", "1"]);
    if (config.bootstrapExpect > 0) tags.push(["expect", String(config.bootstrapExpect)]);
  }
  return toUserMap(tags);
}

/** The agent's own record in the LAN pool, or in the WAN pool. */
export function ownMember(config: AgentConfig, wan: boolean): ShownMember {
  return {
    Name: wan ? `${config.nodeName}.${config.datacenter}` : config.nodeName,
    Addr: wan ? config.advertiseAddressWan : config.advertiseAddress,
    Port: wan ? config.ports.serfWan : config.ports.serfLan,
    Tags: memberTags(config),
    Status: ALIVE,
    ...PROTOCOL,
  };
}

/** The service `consul` of a server shows these of its tags. */
export function serverMeta(): UserMap {
  return toUserMap([
    ["non_voter", "false"],
    ["raft_version", "3"],
    ["read_replica", "false"],
    ["serf_protocol_current", "2"],
    ["serf_protocol_min", "1"],
    ["serf_protocol_max", "5"],
    ["version", CONSUL_VERSION],
  ]);
}

/** The body of /v1/agent/self. */
export function describeAgent(config: AgentConfig, coordinate: unknown, stats: UserMap<UserMap>): unknown {
  return {
    Config: {
      Datacenter: config.datacenter,
      PrimaryDatacenter: config.primaryDatacenter,
      NodeName: config.nodeName,
      NodeID: config.nodeId,
      BindAddr: config.bindAddress,
      Revision: "",
      Server: config.server,
      Version: CONSUL_VERSION,
      BuildDate: "0001-01-01T00:00:00Z",
    },
    DebugConfig: sanitise(config, {
      version: CONSUL_VERSION,
      versionPrerelease: "",
      versionMetadata: `proconsul-${VERSION}`,
      revision: "",
      buildDate: "0001-01-01 00:00:00 +0000 UTC",
    }),
    Coord: coordinate,
    Member: ownMember(config, false),
    Stats: stats,
    Meta: toUserMap([
      ...Object.entries(config.nodeMeta),
      ["consul-network-segment", ""],
      ["consul-version", CONSUL_VERSION],
    ]),
  };
}

/** What `info` prints, section by section. */
export function statistics(config: AgentConfig, server: Server, counts: AgentCounts): UserMap<UserMap> {
  const { raft } = server;
  const section = (entries: readonly (readonly [string, string | number | boolean])[]): UserMap =>
    toUserMap(entries.map(([key, value]) => [key, String(value)] as const));
  const leader = raft.configuration.servers.find(({ id }) => id === server.leader)?.address ?? "";
  return toUserMap<UserMap>([
    [
      "agent",
      section([
        ["check_monitors", counts.checks],
        ["check_ttls", counts.ttls],
        ["checks", counts.checks],
        ["services", counts.services],
      ]),
    ],
    [
      "build",
      section([
        ["prerelease", ""],
        ["revision", ""],
        ["version", CONSUL_VERSION],
        ["proconsul", VERSION],
      ]),
    ],
    [
      "consul",
      section([
        ["acl", "disabled"],
        ["bootstrap", config.bootstrap || config.dev],
        ["known_datacenters", counts.datacenters],
        ["leader", server.leading],
        ["leader_addr", leader],
        ["server", config.server],
      ]),
    ],
    [
      "raft",
      section([
        ["applied_index", server.appliedIndex],
        ["commit_index", raft.commitIndex],
        ["fsm_pending", 0],
        ["last_contact", server.leading ? "0" : `${Math.round(raft.lastContact(counts.now))}ms`],
        ["last_log_index", raft.lastIndex],
        ["last_log_term", raft.lastTerm],
        ["last_snapshot_index", raft.snapshotIndex],
        ["latest_configuration", JSON.stringify(raft.configuration.servers)],
        ["latest_configuration_index", raft.configurationIndex],
        ["num_peers", Math.max(0, raft.configuration.servers.filter(({ voter }) => voter).length - 1)],
        ["protocol_version", 3],
        ["state", raft.role === "leader" ? "Leader" : raft.role === "follower" ? "Follower" : "Candidate"],
        ["term", raft.term],
      ]),
    ],
    [
      "runtime",
      section([
        ["heap_used", counts.heapUsed],
        ["rss", counts.rss],
        ["blocked_queries", server.blocked],
      ]),
    ],
    [
      "serf_lan",
      section([
        ["members", counts.members],
        ["failed", 0],
        ["left", 0],
        ["event_time", counts.eventTime],
        ["encrypted", counts.encrypted],
      ]),
    ],
    [
      "serf_wan",
      section([
        ["members", 1],
        ["failed", 0],
        ["left", 0],
        ["encrypted", counts.encrypted],
      ]),
    ],
  ]);
}

/** What is counted elsewhere for the statistics. */
export interface AgentCounts {
  now: number;
  services: number;
  checks: number;
  ttls: number;
  members: number;
  datacenters: number;
  eventTime: number;
  heapUsed: number;
  rss: number;
  encrypted: boolean;
}
