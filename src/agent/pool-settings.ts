// What a gossip pool is run with, from the agent's configuration: who it is in the pool, its timings, whom it lets in.
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/gossip
import type { AgentConfig, GossipPool, RetryJoin } from "../config/config-types.ts";
import { GOSSIP_LIMITS, LAN_TIMINGS, WAN_TIMINGS } from "../gossip/options.ts";
import type { GossipOptions, GossipTimings, MergeRule } from "../gossip/types.ts";
import { assert } from "../util/assert.ts";
import { joinHostPort } from "../util/ip-address.ts";
import { CLUSTER_TAG } from "./cluster-id.ts";
import { DATACENTER_ADVICE } from "./pool-envelope.ts";
import { MEMBER_VERSIONS, memberTags, RECONNECT_TIMEOUT_TAG } from "./member-tags.ts";

/** The pool of a datacenter, or the one of servers of all datacenters. */
export type PoolKind = "lan" | "wan";

/** What of a pool the configuration decides. */
export interface PoolSettings {
  readonly kind: PoolKind;
  readonly datacenter: string;
  /** Everything of the machine but its seed. */
  readonly gossip: Omit<GossipOptions, "seed">;
  /** Addresses without a port get this one. */
  readonly defaultPort: number;
  readonly retryJoin: RetryJoin;
  readonly rejoinAfterLeave: boolean;
}

/** The least that is left of a probe interval for helpers, where the configuration leaves nothing (as `-dev` does). */
const HELPERS_SHARE = 0.5;

/** Leaves are anchored at servers: those stay. */
const ANCHOR_TAG = { tag: "role", value: "consul" };
const SERF_PORT = 8301;

/** Name, payload and filters of an event; no datagram has to hold it. */
const EVENT_BYTES_MAX = 2048;

/** The settings of one of the pools. The WAN pool is only for servers whose `ports.serf_wan` is on. */
export function poolSettings(config: AgentConfig, kind: PoolKind): PoolSettings {
  const pool = kind === "lan" ? config.gossipLan : config.gossipWan;
  assert(pool !== null, "an agent without a WAN port is in no WAN pool");
  const { nodeName, datacenter } = config;
  // A client whose LAN port is off is a leaf: nobody can call it, and a server speaks for it.
  const isReachable = pool.port > 0;
  return {
    kind,
    datacenter,
    gossip: {
      name: kind === "lan" ? nodeName : `${nodeName}.${datacenter}`,
      address: isReachable ? joinHostPort(pool.advertiseAddress, pool.port) : "",
      tags: memberTags(config),
      versions: MEMBER_VERSIONS,
      timings: timingsOf(pool, kind),
      limits: { ...GOSSIP_LIMITS, userEventBytes: EVENT_BYTES_MAX },
      mergeRules: kind === "lan" ? lanRules(datacenter) : WAN_RULES,
      allowedNetworks: pool.allowedCidrs.length > 0 ? pool.allowedCidrs : null,
      anchorTag: kind === "lan" ? ANCHOR_TAG : null,
      reconnectTimeoutTag: kind === "lan" ? RECONNECT_TIMEOUT_TAG : null,
      coordinates: !config.disableCoordinates,
    },
    defaultPort: isReachable ? pool.port : SERF_PORT,
    retryJoin: kind === "lan" ? config.retryJoin : config.retryJoinWan,
    rejoinAfterLeave: config.rejoinAfterLeave,
  };
}

function timingsOf(pool: GossipPool, kind: PoolKind): GossipTimings {
  const { probeIntervalMs, probeTimeoutMs } = pool;
  return {
    ...(kind === "lan" ? LAN_TIMINGS : WAN_TIMINGS),
    probeIntervalMs,
    probeTimeoutMs: probeTimeoutMs < probeIntervalMs ? probeTimeoutMs : probeIntervalMs * HELPERS_SHARE,
    suspicionMult: pool.suspicionMult,
    gossipIntervalMs: pool.gossipIntervalMs,
    gossipNodes: pool.gossipNodes,
    retransmitMult: pool.retransmitMult,
    reconnectTimeoutMs: pool.reconnectTimeoutMs,
  };
}

/** Two clusters of one datacenter name would be taken for one. */
const CLUSTER_RULE: MergeRule = {
  type: "agree",
  tag: CLUSTER_TAG,
  within: "dc",
  message:
    "Member '{name}' is of another cluster than '{other}', though both call their datacenter '{within}': give the datacenter of one of " +
    "them another name, or, if it was to be one cluster, start the new servers with empty data directories and without -bootstrap",
};

function lanRules(datacenter: string): MergeRule[] {
  return [
    {
      type: "one-of",
      tag: "dc",
      values: [datacenter],
      message: `Member '{name}' part of wrong datacenter '{value}'; this one is '${datacenter}'. ${DATACENTER_ADVICE}`,
    },
    CLUSTER_RULE,
    {
      type: "one-of",
      tag: "segment",
      values: [""],
      message: "Member '{name}' is of network segment '{value}'; segments are not supported",
    },
    { type: "unique", tag: "id", message: "Member '{name}' has conflicting node ID '{value}' with member '{other}'" },
  ];
}

const WAN_RULES: readonly MergeRule[] = [
  { type: "one-of", tag: "role", values: ["consul"], message: "Member '{name}' is not a server" },
  CLUSTER_RULE,
];
