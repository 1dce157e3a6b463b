// The gauges of an agent, read from what it knows when somebody looks.
// https://developer.hashicorp.com/consul/docs/monitor/telemetry/agent
import type { AgentMember } from "../client/types.ts";
import type { AgentConfig } from "../config/config-types.ts";
import type { HostFacts } from "../platform.ts";
import type { Server } from "../server/server.ts";
import type { Labels } from "../util/instrument.ts";
import { CONSUL_VERSION } from "../version.ts";
import type { GaugeSource } from "./metrics.ts";

/** What the gauges of an agent are read from. */
export interface GaugedAgent {
  readonly config: Pick<AgentConfig, "datacenter" | "server">;
  /** Only a server agent has one. */
  readonly server: Server;
  readonly platform: { readonly host?: HostFacts };
  members(wan: boolean): readonly AgentMember[];
}

const ALIVE = 1;

/** The gauges of an agent, and of its server if it is one. */
export function agentGauges(agent: GaugedAgent): GaugeSource {
  const { config, platform } = agent;
  const datacenter: Labels = [["datacenter", config.datacenter]];
  return (gauge) => {
    gauge("version", 1, "Represents the Consul version", [
      ["version", CONSUL_VERSION],
      ["pre_release", ""],
    ]);
    const memory = platform.host?.memory();
    if (memory !== undefined) {
      gauge("runtime.alloc_bytes", memory.heapUsed, "Current number of bytes that are used of the heap");
      gauge("runtime.heap_total_bytes", memory.heapTotal, "Current size of the heap in bytes");
      gauge("runtime.sys_bytes", memory.rss, "Resident memory of the process in bytes");
    }
    const members = agent.members(false).filter(({ Status }) => Status === ALIVE);
    const servers = members.filter(({ Tags }) => Tags["role"] === "consul").length;
    gauge("members.servers", servers, "Measures the current number of server agents", datacenter);
    gauge("members.clients", members.length - servers, "Measures the current number of client agents", datacenter);
    if (config.server) serverGauges(agent.server, datacenter, gauge);
  };
}

/** How replication stands, of a leader: Consul's names where it has them, `leader.replication.config-entries.status` and `.index`. */
function replicationGauges(server: Server, gauge: Parameters<GaugeSource>[0]): void {
  for (const { name, isFailing, index, behindMs, status } of server.federation.links) {
    const { kind, source, prefix } = name;
    const labels: Labels = [["source", source], ...(kind === "kv" ? ([["prefix", prefix]] as const) : [])];
    const metric = `leader.replication.${kind}`;
    gauge(`${metric}.status`, isFailing ? 0 : 1, "Tracks if replication from another datacenter works", labels);
    gauge(`${metric}.index`, index, "Tracks the source's index that is here", labels);
    gauge(`${metric}.lag_ms`, behindMs, "Tracks for how many milliseconds something may be missing here", labels);
    if (kind === "kv")
      gauge(`${metric}.conflicts`, status.conflicts, "Tracks how many keys were written on both sides at once", labels);
  }
}

function serverGauges(server: Server, datacenter: Labels, gauge: Parameters<GaugeSource>[0]): void {
  const { raft, leading } = server;
  gauge("server.isLeader", leading ? 1 : 0, "Tracks if the server is a leader");
  gauge("raft.applied_index", server.appliedIndex, "Represents the raft applied index");
  gauge("raft.last_index", raft.lastIndex, "Represents the raft last index");
  gauge("raft.commit_index", raft.commitIndex, "Represents the raft commit index");
  gauge("rpc.queries_blocking", server.blocked, "Shows the current number of in-flight blocking queries");
  gauge("session_ttl.active", server.sessionTimers, "Tracks the active number of sessions being tracked");
  // Only a leader knows how the others are.
  const health = leading ? server.group.health : null;
  gauge(
    "autopilot.healthy",
    health === null ? Number.NaN : health.healthy ? 1 : 0,
    "Tracks the overall health of the local server cluster",
  );
  gauge(
    "autopilot.failure_tolerance",
    health === null ? Number.NaN : health.failureTolerance,
    "Tracks the number of voting servers that the cluster can lose while continuing to function",
  );
  gauge(
    "raft.state_diverged",
    health === null ? Number.NaN : health.servers.filter(({ diverged }) => diverged).length,
    "Tracks how many servers hold a state other than the leader's at the same index",
  );
  replicationGauges(server, gauge);
  const usage = server.state.usage().value;
  gauge("state.nodes", usage.nodes, "Measures the current number of nodes registered", datacenter);
  gauge("state.services", usage.services, "Measures the current number of unique services registered", datacenter);
  gauge(
    "state.service_instances",
    usage.serviceInstances,
    "Measures the current number of unique service instances registered",
    datacenter,
  );
  gauge("state.kv_entries", usage.kvEntries, "Measures the current number of entries in the KV store", datacenter);
  for (const [kind, count] of usage.connectServiceInstances) {
    const labels: Labels = [...datacenter, ["kind", kind]];
    gauge("state.connect_instances", count, "Measures the current number of mesh instances by kind", labels);
  }
  for (const [kind, count] of usage.configEntries) {
    const labels: Labels = [...datacenter, ["kind", kind]];
    gauge("state.config_entries", count, "Measures the current number of configuration entries by kind", labels);
  }
}
