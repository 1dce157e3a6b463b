// Consul's nouns, with Consul's own field names: what is stored is what is returned. Indexes are Raft indexes (numbers,
// below 2^53); `Flags` and `LockIndex` are the user's uint64 and are a bigint once they pass 2^53.

/** Fields every stored record has. */
export interface Indexed {
  CreateIndex: number;
  ModifyIndex: number;
}

/** An unsigned 64-bit integer: a number while it is exact, a bigint above `Number.MAX_SAFE_INTEGER`. */
export type Uint64 = number | bigint;

/** A map keyed by what users send: made with a null prototype, never by `{}`. */
export type UserMap<V = string> = Record<string, V>;

/** https://developer.hashicorp.com/consul/api-docs/kv */
export interface KVEntry extends Indexed {
  LockIndex: Uint64;
  Key: string;
  Flags: Uint64;
  Value: Uint8Array;
  /** Absent when no session holds the key. */
  Session?: string;
}

/** https://developer.hashicorp.com/consul/api-docs/catalog */
export interface Node extends Indexed {
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  TaggedAddresses: UserMap | null;
  Meta: UserMap | null;
}

export interface ServiceAddress {
  Address: string;
  Port: number;
}
export interface Weights {
  Passing: number;
  Warning: number;
}
export interface ServicePort {
  Name: string;
  Port: number;
  Default: boolean;
}

/** A service instance as the catalog stores it, under its node. */
export interface NodeService extends Indexed {
  /** The node's name; not part of what is shown under a node. */
  Node: string;
  Kind: string;
  ID: string;
  Service: string;
  Tags: string[];
  Address: string;
  TaggedAddresses: UserMap<ServiceAddress> | null;
  Meta: UserMap | null;
  Port: number;
  Ports: ServicePort[] | null;
  SocketPath: string;
  Weights: Weights;
  EnableTagOverride: boolean;
  Proxy: UserMap<unknown>;
  Connect: UserMap<unknown>;
  Locality: UserMap | null;
  PeerName: string;
}

export type CheckStatus = "passing" | "warning" | "critical";

/** A health check as the catalog stores it; `ServiceID` is "" for a node's check. */
export interface HealthCheck extends Indexed {
  Node: string;
  CheckID: string;
  Name: string;
  Status: CheckStatus;
  Notes: string;
  Output: string;
  ServiceID: string;
  ServiceName: string;
  ServiceTags: string[];
  Type: string;
  Interval: string;
  Timeout: string;
  ExposedPort: number;
  Definition: UserMap<unknown>;
}

/** https://developer.hashicorp.com/consul/api-docs/session. LockDelay is nanoseconds, as Consul shows it. */
export interface Session extends Indexed {
  ID: string;
  Name: string;
  Node: string;
  LockDelay: number;
  Behavior: "release" | "delete";
  TTL: string;
  /** The checks given in the old way, when they differ from NodeChecks; they bind the session as NodeChecks do. */
  Checks?: string[];
  NodeChecks: string[] | null;
  ServiceChecks: { ID: string; Namespace: string }[] | null;
}

/** https://developer.hashicorp.com/consul/api-docs/query */
export interface PreparedQuery extends Indexed {
  ID: string;
  Name: string;
  Session: string;
  Token: string;
  Template: { Type: string; Regexp: string; RemoveEmptyTags: boolean };
  Service: {
    Service: string;
    SamenessGroup: string;
    Failover: {
      NearestN: number;
      Datacenters: string[] | null;
      Targets: { Peer: string; Datacenter: string }[] | null;
    };
    OnlyPassing: boolean;
    IgnoreCheckIDs: string[] | null;
    Near: string;
    Tags: string[] | null;
    NodeMeta: UserMap | null;
    ServiceMeta: UserMap | null;
    Connect: boolean;
    Peer: string;
  };
  DNS: { TTL: string };
}

/** A Vivaldi coordinate, in seconds (Dabek et al. 2004; Serf's form). */
export interface Coordinate {
  Vec: number[];
  Error: number;
  Adjustment: number;
  Height: number;
}
/** A node's coordinate in the store. */
export interface NodeCoordinate {
  Node: string;
  Segment: string;
  Coord: Coordinate;
}

/** A configuration entry: `Kind` and `Name` name it, the rest is the kind's own. */
export interface ConfigEntry extends Indexed {
  Kind: string;
  Name: string;
  [field: string]: unknown;
}

/** Durations are nanoseconds. */
export interface AutopilotConfig extends Indexed {
  CleanupDeadServers: boolean;
  LastContactThreshold: number;
  MaxTrailingLogs: number;
  MinQuorum: number;
  ServerStabilizationTime: number;
}

/** The datacenter that takes the writes that are for all datacenters. */
export interface Primary {
  Datacenter: string;
  /** Counts the moves: of two that are said to be the primary the one with the higher epoch is. 0 is what files say. */
  Epoch: number;
  /** Who stepped down in favour of it: it takes over what that had. "" when nobody did. */
  From: string;
  /** The first primary: who follows another one is not concerned by these moves. */
  Family: string;
}

/** A prefix of keys that is taken over from another datacenter. */
export interface KVRule {
  From: string;
  Prefix: string;
  ToPrefix: string;
  Mode: "one-way" | "two-way";
  /** The index at which the rule began: changes before it carry no stamps. */
  Since: number;
}

/** A rule as files give it. */
export type KVRuleInput = Omit<KVRule, "Since">;

/** What a datacenter knows of itself among others. There is one record at most. */
export interface Federation extends Indexed {
  /** This datacenter's name. */
  Datacenter: string;
  /** Names this history of the store, "" until somebody asks. */
  StoreID: string;
  /** The index of the last restore, 0 when there was none. */
  RestoredIndex: number;
  /** Null until the primary was moved for the first time. */
  Primary: Primary | null;
  Rules: KVRule[];
  /** The greatest index among the deletions whose stamps were forgotten. */
  ForgottenIndex: number;
}

/** How far one rule's replication has come. */
export interface ReplicationLink extends Indexed {
  Link: string;
  /** Of the source's history: another one means that nothing is known of it. */
  Identity: string;
  /** `compare` walks all keys in order, `follow` the changes by their index. */
  Phase: "compare" | "follow";
  /** The source's index up to which its changes are here, or are when the walk has ended. */
  Index: number;
  /** The last key that is done: of the walk, or among the changes of `Index` + 1; "" for none. */
  After: string;
  /** The datacenters that the source itself takes these keys from. */
  Via: string[];
  /** The local index after which only others can have written here. */
  LocalIndex: number;
  /** Counts since the rule began. */
  Written: number;
  Deleted: number;
  Conflicts: number;
}

/** Who wrote a key when, among datacenters that all write it. */
export interface KVStamp {
  Key: string;
  /** Epoch milliseconds by the writer's clock, but above every version that it replaced. */
  Ms: number;
  /** The datacenter of the write. */
  Origin: string;
  /** By datacenter the latest of its versions that this one has taken into account. */
  Seen: UserMap<number>;
  /** The local index at which this version came here. */
  Index: number;
  Deleted: boolean;
}
