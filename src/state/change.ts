// What a command changed. The ordered list of changes is the only thing that says so: blocking queries, watches, delta
// streams, the state hash and history are all made from it.

import type {
  AutopilotConfig,
  ConfigEntry,
  Federation,
  HealthCheck,
  KVEntry,
  KVStamp,
  Node,
  NodeCoordinate,
  NodeService,
  PreparedQuery,
  ReplicationLink,
  Session,
} from "../types/records.ts";

/** A service name and the sorted union of its instances' tags: derived from the instances, and the same as they say. */
export interface ServiceName {
  Name: string;
  Tags: readonly string[];
}

/** The records of each table. `service-names` is derived; the others are what a snapshot holds. */
export interface TableRecords {
  kv: KVEntry;
  nodes: Node;
  services: NodeService;
  checks: HealthCheck;
  sessions: Session;
  queries: PreparedQuery;
  config: ConfigEntry;
  coordinates: NodeCoordinate;
  autopilot: AutopilotConfig;
  federation: Federation;
  links: ReplicationLink;
  stamps: KVStamp;
  "service-names": ServiceName;
}
export type TableName = keyof TableRecords;

interface ChangeOf<T extends TableName> {
  table: T;
  /** The table's key: as given for kv, else of folded names (see key.ts). */
  key: string;
  /** The record before; null when there was none. Never mutated, so it may be kept. */
  before: TableRecords[T] | null;
  /** The record after; null when it is gone. */
  after: TableRecords[T] | null;
}
/** Changes of nodes and checks also say which services' answers show them, as topics (`service:…`, `connect:…`). */
interface Concerning {
  concerns: readonly string[];
}

export type NodeChange = ChangeOf<"nodes"> & Concerning;
export type CheckChange = ChangeOf<"checks"> & Concerning;

/** One record created (`before` null), replaced or removed (`after` null). */
export type Change =
  | ChangeOf<"kv">
  | NodeChange
  | ChangeOf<"services">
  | CheckChange
  | ChangeOf<"sessions">
  | ChangeOf<"queries">
  | ChangeOf<"config">
  | ChangeOf<"coordinates">
  | ChangeOf<"autopilot">
  | ChangeOf<"federation">
  | ChangeOf<"links">
  | ChangeOf<"stamps">
  | ChangeOf<"service-names">;

/** However long a session's lock delay is: Consul's bound, 60 s. */
const LOCK_DELAY_MAX_NS = 60_000_000_000;

/** A lock that its session's end released, or whose key it deleted. */
export interface ReleasedLock {
  key: string;
  lockDelayNs: number;
}

/**
 * The locks that ended with their session in one apply, with the session's lock delay: the leader keeps others from
 * taking them for that long. Locks given back by their holder, and sessions without a delay, are not in it.
 */
export function releasedLocks(changes: readonly Change[]): ReleasedLock[] {
  let delays: Map<string, number> | null = null;
  for (const change of changes) {
    if (change.table === "sessions" && change.before !== null && change.after === null && change.before.LockDelay > 0) {
      (delays ??= new Map()).set(change.before.ID, Math.min(change.before.LockDelay, LOCK_DELAY_MAX_NS));
    }
  }
  const released: ReleasedLock[] = [];
  if (delays === null) return released;
  for (const change of changes) {
    if (change.table !== "kv" || change.before?.Session === undefined) continue;
    if (change.after !== null && change.after.Session === change.before.Session) continue;
    const lockDelayNs = delays.get(change.before.Session);
    if (lockDelayNs !== undefined) released.push({ key: change.key, lockDelayNs });
  }
  return released;
}
