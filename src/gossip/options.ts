// What a gossip machine is made of at boot: the defaults of a pool within a datacenter (LAN) and between datacenters (WAN),
// as Consul has them, and checks.
import { assert } from "../util/assert.ts";
import { tagsSize } from "./size.ts";
import type { GossipLimits, GossipOptions, GossipTimings } from "./types.ts";

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;

/** Members within milliseconds of each other. */
export const LAN_TIMINGS: GossipTimings = {
  probeIntervalMs: 1 * SECOND_MS,
  probeTimeoutMs: 500,
  indirectChecks: 3,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  awarenessMaxMultiplier: 8,
  buddySystem: true,
  stallMs: 100,
  gossipIntervalMs: 200,
  gossipNodes: 3,
  retransmitMult: 4,
  gossipToTheDeadMs: 30 * SECOND_MS,
  pushPullIntervalMs: 30 * SECOND_MS,
  pushPullTimeoutMs: 10 * SECOND_MS,
  deadNodeReclaimMs: 30 * SECOND_MS,
  reconnectIntervalMs: 30 * SECOND_MS,
  reconnectTimeoutMs: 72 * HOUR_MS,
  tombstoneTimeoutMs: 24 * HOUR_MS,
  reapIntervalMs: 15 * SECOND_MS,
  recentIntentMs: 300 * SECOND_MS,
  leaveTimeoutMs: 5 * SECOND_MS,
  leavePropagateMs: 3 * SECOND_MS,
};

/** Members as far apart as the world is wide. Three are told at a time, as in Consul (memberlist's own WAN profile has four). */
export const WAN_TIMINGS: GossipTimings = {
  ...LAN_TIMINGS,
  probeIntervalMs: 5 * SECOND_MS,
  probeTimeoutMs: 3 * SECOND_MS,
  suspicionMult: 6,
  gossipIntervalMs: 500,
  gossipToTheDeadMs: 60 * SECOND_MS,
  pushPullIntervalMs: 60 * SECOND_MS,
  pushPullTimeoutMs: 30 * SECOND_MS,
};

/** A message of HTTP need not fit into one datagram, so more is piggybacked than the 1400 bytes of memberlist. */
export const GOSSIP_LIMITS: GossipLimits = {
  piggybackBytes: 4096,
  userEventBytes: 512,
  tagBytes: 2048,
  eventBuffer: 512,
  queueDepth: 4096,
  relays: 256,
  members: 65_536,
};

/** The longest name that a member may have, in UTF-16 units. */
export const NAME_LENGTH_MAX = 128;

/** @throws AssertionError when the options contradict each other: a bug of the host. */
export function checkOptions(options: GossipOptions): void {
  const { name, tags, timings, limits, versions } = options;
  assert(name !== "" && name.length <= NAME_LENGTH_MAX, "a member needs a name of at most 128 characters");
  assert(tagsSize(tags) <= limits.tagBytes, `the tags are larger than ${limits.tagBytes} bytes`);
  assert(timings.probeTimeoutMs > 0, "probeTimeoutMs must be positive");
  assert(timings.probeIntervalMs > timings.probeTimeoutMs, "probeIntervalMs must be longer than probeTimeoutMs");
  assert(timings.gossipIntervalMs > 0 && timings.gossipNodes >= 1, "gossip needs an interval and somebody to tell");
  assert(timings.suspicionMult >= 1 && timings.retransmitMult >= 1, "multipliers must be at least 1");
  assert(timings.suspicionMaxTimeoutMult >= 1, "suspicionMaxTimeoutMult must be at least 1");
  assert(timings.awarenessMaxMultiplier >= 1, "awarenessMaxMultiplier must be at least 1");
  assert(timings.pushPullIntervalMs > 0, "pushPullIntervalMs must be positive");
  assert(timings.reapIntervalMs > 0 && timings.reconnectIntervalMs > 0, "intervals must be positive");
  assert(
    limits.piggybackBytes > 0 && limits.eventBuffer >= 1 && limits.queueDepth >= 1,
    "limits must let something through",
  );
  const { protocolMin, protocolCurrent, protocolMax } = versions;
  assert(protocolMin <= protocolCurrent && protocolCurrent <= protocolMax, "protocol versions must be in order");
}
