// What the agent says of itself: /v1/agent/self with the statistics of `proconsul info`.
import type { AgentMember } from "../client/types.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { sanitise } from "../config/sanitise.ts";
import type { Server } from "../server/server.ts";
import type { UserMap } from "../types/records.ts";
import { toUserMap } from "../util/user-map.ts";
import { CONSUL_VERSION, VERSION } from "../version.ts";

/** The body of /v1/agent/self. */
export function describeAgent(
  config: AgentConfig,
  primaryDatacenter: string,
  coordinate: unknown,
  member: AgentMember,
  stats: UserMap<UserMap>,
): unknown {
  return {
    Config: {
      Datacenter: config.datacenter,
      PrimaryDatacenter: primaryDatacenter,
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
    Member: member,
    Stats: stats,
    Meta: toUserMap([
      ...Object.entries(config.nodeMeta),
      ["consul-network-segment", ""],
      ["consul-version", CONSUL_VERSION],
    ]),
  };
}

/** What `info` prints, section by section; `server` is null at a client. */
export function statistics(config: AgentConfig, server: Server | null, counts: AgentCounts): UserMap<UserMap> {
  const { pool } = counts;
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
    ["consul", server === null ? clientSection(counts) : serverSection(config, server, counts)],
    ...(server === null ? [] : [["raft", raftSection(server, counts.now)] as const]),
    [
      "runtime",
      section([
        ["heap_used", counts.heapUsed],
        ["rss", counts.rss],
        ["blocked_queries", server?.blocked ?? 0],
      ]),
    ],
    ["serf_lan", pool],
    ...(counts.wanPool === null ? [] : [["serf_wan", counts.wanPool] as const]),
  ]);
}

function section(entries: readonly (readonly [string, string | number | boolean])[]): UserMap {
  return toUserMap(entries.map(([key, value]) => [key, String(value)] as const));
}

function clientSection({ knownServers }: AgentCounts): UserMap {
  return section([
    ["acl", "disabled"],
    ["known_servers", knownServers],
    ["server", false],
  ]);
}

function serverSection(config: AgentConfig, server: Server, { datacenters }: AgentCounts): UserMap {
  const leader = server.raft.configuration.servers.find(({ id }) => id === server.leader)?.address ?? "";
  return section([
    ["acl", "disabled"],
    ["bootstrap", config.bootstrap || config.dev],
    ["known_datacenters", datacenters],
    ["leader", server.leading],
    ["leader_addr", leader],
    ["server", true],
  ]);
}

function raftSection({ raft, leading, appliedIndex }: Server, now: number): UserMap {
  return section([
    ["applied_index", appliedIndex],
    ["commit_index", raft.commitIndex],
    ["fsm_pending", 0],
    ["last_contact", leading ? "0" : `${Math.round(raft.lastContact(now))}ms`],
    ["last_log_index", raft.lastIndex],
    ["last_log_term", raft.lastTerm],
    ["last_snapshot_index", raft.snapshotIndex],
    ["latest_configuration", JSON.stringify(raft.configuration.servers)],
    ["latest_configuration_index", raft.configurationIndex],
    ["num_peers", Math.max(0, raft.configuration.servers.filter(({ voter }) => voter).length - 1)],
    ["protocol_version", 3],
    ["state", raft.role === "leader" ? "Leader" : raft.role === "follower" ? "Follower" : "Candidate"],
    ["term", raft.term],
  ]);
}

/** What is counted elsewhere for the statistics. */
export interface AgentCounts {
  now: number;
  services: number;
  checks: number;
  ttls: number;
  /** The section of the LAN pool. */
  pool: UserMap;
  /** The section of the WAN pool; null of who is in none. */
  wanPool: UserMap | null;
  /** Of a client: the servers that it can use. */
  knownServers: number;
  datacenters: number;
  heapUsed: number;
  rss: number;
}
