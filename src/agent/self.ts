// What the agent says of itself: its member record, as Serf would show it, and /v1/agent/self with the statistics of
// `proconsul info`.
import type { AgentConfig } from "../config/agent-config.ts";
import { sanitise } from "../config/sanitise.ts";
import type { Server } from "../server/server.ts";
import type { UserMap } from "../types/records.ts";
import { joinHostPort } from "../util/ip-address.ts";
import { toUserMap } from "../util/user-map.ts";
import { CONSUL_VERSION, VERSION } from "../version.ts";
import { MEMBER_VERSIONS, memberTags, type ShownMember, shownMember } from "./member-tags.ts";

export type { ShownMember } from "./member-tags.ts";

/** The agent's own record in the LAN pool, or in the WAN pool. */
export function ownMember(config: AgentConfig, wan: boolean): ShownMember {
  const address = wan ? config.advertiseAddressWan : config.advertiseAddress;
  return shownMember({
    name: wan ? `${config.nodeName}.${config.datacenter}` : config.nodeName,
    address: joinHostPort(address, wan ? config.ports.serfWan : config.ports.serfLan),
    anchor: null,
    tags: memberTags(config),
    versions: MEMBER_VERSIONS,
    status: "alive",
    incarnation: 1,
  });
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
        ["encrypted", false],
      ]),
    ],
    [
      "serf_wan",
      section([
        ["members", 1],
        ["failed", 0],
        ["left", 0],
        ["encrypted", false],
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
}
