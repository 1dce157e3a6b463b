// What a server is made with.
import type { Failover } from "../endpoint/failover.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { Configuration, RaftTimings } from "../raft/types.ts";
import type { PeerClient } from "../rpc/peer-door.ts";
import type { KVRuleInput } from "../types/records.ts";
import type { Meter } from "../util/instrument.ts";
import type { HealthThresholds, ServerMember } from "./autopilot.ts";
import type { CareSettings } from "./caretaker.ts";
import type { Remote } from "./replication-link.ts";

/** Everything that a server must be told; who is in the group, and where, comes from outside. */
export interface ServerOptions {
  platform: Platform;
  timers: Timers;
  id: string;
  /** `host:port` where it takes calls. */
  ownAddress: string;
  datacenter: string;
  /** `primary_datacenter` of the files. */
  primaryDatacenter: string;
  /** `kv_replication`. */
  kvReplication: readonly KVRuleInput[];
  /** The way to other datacenters: used once the server leads. */
  remote(): Remote;
  /** The group of a first life; null when others bring it up, or `bootstrap` does. */
  bootstrap: Configuration | null;
  /** The way to other servers. */
  client: PeerClient;
  /** Where a server takes calls, when somebody knows better than the group's configuration; else null. */
  address(id: string): string | null;
  timings: RaftTimings;
  sessionTtlMinMs: number;
  /** The way to other datacenters. */
  failover: Failover;
  /** Entries after which a snapshot is due, if the last one is `snapshotIntervalMs` old. */
  snapshotThreshold: number;
  snapshotIntervalMs: number;
  trailingEntries: number;
  /** The health thresholds that count until the store has an autopilot configuration. */
  healthThresholds: HealthThresholds;
  /** The same of what autopilot changes. */
  care: CareSettings;
  /** The member of the LAN pool that has a server's id, or null. */
  member(id: string): ServerMember | null;
  /** Where the server's metrics go. */
  meter: Meter;
  log(level: "debug" | "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
  /** Who leads changed; `leading` only once everything before this server's term is applied. */
  leadership(status: { leading: boolean; leader: string | null }): void;
  /** The server has stopped and cannot go on. */
  failed(error: unknown): void;
}
