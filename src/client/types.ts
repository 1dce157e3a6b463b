// Records as the API sends and takes them, with Consul's own names. Where they are what the store holds, they come from
// `types/records`; maps and lists that Consul may leave out or send as null say so.
import type {
  AutopilotConfig,
  CheckStatus,
  Coordinate,
  HealthCheck,
  Indexed,
  Node,
  ServiceAddress,
  ServicePort,
  Uint64,
  UserMap,
  Weights,
} from "../types/records.ts";

export type {
  AutopilotConfig,
  CheckStatus,
  ConfigEntry,
  Coordinate,
  HealthCheck,
  Node,
  NodeCoordinate,
  Session,
  ServiceAddress,
  ServicePort,
  Uint64,
  UserMap,
  Weights,
} from "../types/records.ts";

/** https://developer.hashicorp.com/consul/api-docs/kv#sample-response, the value decoded. */
export interface KeyValue extends Indexed {
  Key: string;
  Value: Uint8Array<ArrayBuffer>;
  Flags: Uint64;
  LockIndex: Uint64;
  /** The session that holds the key. */
  Session?: string;
}

/** A service instance together with its node: `/v1/catalog/service/:name`. */
export interface CatalogService extends Indexed {
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  TaggedAddresses: UserMap | null;
  NodeMeta: UserMap | null;
  ServiceKind?: string;
  ServiceID: string;
  ServiceName: string;
  ServiceTags: string[] | null;
  ServiceAddress: string;
  ServiceTaggedAddresses?: UserMap<ServiceAddress> | null;
  ServiceMeta: UserMap | null;
  ServicePort: number;
  ServicePorts?: ServicePort[] | null;
  ServiceWeights: Weights;
  ServiceEnableTagOverride: boolean;
}

/** A service instance without its node. */
export interface AgentService {
  ID: string;
  Service: string;
  Kind?: string;
  Tags: string[] | null;
  Meta: UserMap | null;
  Address: string;
  Port: number;
  Ports?: ServicePort[] | null;
  SocketPath?: string;
  TaggedAddresses?: UserMap<ServiceAddress> | null;
  Weights: Weights;
  EnableTagOverride: boolean;
  Datacenter?: string;
  ContentHash?: string;
  CreateIndex?: number;
  ModifyIndex?: number;
}

export interface CatalogNode {
  Node: Node;
  Services: UserMap<AgentService>;
}
export interface CatalogNodeServices {
  Node: Node;
  Services: AgentService[];
}
/** One of `/v1/health/service/:name`. */
export interface ServiceEntry {
  Node: Node;
  Service: AgentService;
  Checks: HealthCheck[];
}

/** https://developer.hashicorp.com/consul/api-docs/catalog#register-entity */
export interface CatalogRegistration {
  Node: string;
  Address?: string;
  ID?: string;
  Datacenter?: string;
  TaggedAddresses?: UserMap;
  NodeMeta?: UserMap;
  Service?: Partial<Omit<AgentService, "ContentHash">>;
  Check?: CatalogCheck;
  Checks?: CatalogCheck[];
  SkipNodeUpdate?: boolean;
}
export interface CatalogCheck {
  Node?: string;
  CheckID?: string;
  Name: string;
  Status?: CheckStatus;
  Notes?: string;
  Output?: string;
  ServiceID?: string;
  Definition?: UserMap<unknown>;
}
export interface CatalogDeregistration {
  Node: string;
  Datacenter?: string;
  ServiceID?: string;
  CheckID?: string;
}

/** https://developer.hashicorp.com/consul/api-docs/agent/service#register-service */
export interface ServiceRegistration {
  Name: string;
  ID?: string;
  Tags?: string[];
  Address?: string;
  Port?: number;
  Ports?: ServicePort[];
  SocketPath?: string;
  TaggedAddresses?: UserMap<ServiceAddress>;
  Meta?: UserMap;
  Weights?: Weights;
  EnableTagOverride?: boolean;
  Kind?: string;
  Check?: CheckDefinition;
  Checks?: CheckDefinition[];
  Token?: string;
  [field: string]: unknown;
}

/** How an agent checks: exactly one of the kinds HTTP, TCP, UDP, GRPC, H2PING, Args, TTL, Alias. Durations as "10s". */
export interface CheckDefinition {
  Name?: string;
  CheckID?: string;
  Notes?: string;
  Status?: CheckStatus;
  Interval?: string;
  Timeout?: string;
  TTL?: string;
  HTTP?: string;
  Method?: string;
  Header?: Record<string, string[]>;
  Body?: string;
  TCP?: string;
  UDP?: string;
  GRPC?: string;
  GRPCUseTLS?: boolean;
  H2PING?: string;
  Args?: string[];
  AliasNode?: string;
  AliasService?: string;
  TLSSkipVerify?: boolean;
  TLSServerName?: string;
  SuccessBeforePassing?: number;
  FailuresBeforeWarning?: number;
  FailuresBeforeCritical?: number;
  DeregisterCriticalServiceAfter?: string;
  OutputMaxSize?: number;
}
export interface CheckRegistration extends CheckDefinition {
  Name: string;
  ID?: string;
  ServiceID?: string;
  Token?: string;
}

/** `/v1/agent/self`. */
export interface AgentSelf {
  Config: {
    Datacenter: string;
    PrimaryDatacenter: string;
    NodeName: string;
    NodeID: string;
    Revision: string;
    Server: boolean;
    Version: string;
    BuildDate: string;
  };
  DebugConfig: UserMap<unknown>;
  Coord?: Coordinate | null;
  Member: AgentMember;
  Stats: UserMap<UserMap>;
  Meta: UserMap;
}

/** A member of a gossip pool. Status: 0 none, 1 alive, 2 leaving, 3 left, 4 failed. */
export interface AgentMember {
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

/** What the agent knows of a service's health; `status` is 200, 429 for warning, 503 for critical. */
export interface AgentServiceHealth {
  AggregatedStatus: string;
  Service: AgentService;
  Checks: HealthCheck[] | null;
}

/** https://developer.hashicorp.com/consul/api-docs/session#create-session */
export interface SessionRequest {
  Name?: string;
  Node?: string;
  /** Such as "15s". */
  LockDelay?: string;
  TTL?: string;
  Behavior?: "release" | "delete";
  NodeChecks?: string[];
  ServiceChecks?: { ID: string; Namespace?: string }[];
}

/** One of a transaction's operations: exactly one of the members. https://developer.hashicorp.com/consul/api-docs/txn */
export interface TxnOperation {
  KV?: { Verb: string; Key: string; Value?: string | Uint8Array; Flags?: Uint64; Index?: Uint64; Session?: string };
  Node?: { Verb: string; Node: UserMap<unknown> };
  Service?: { Verb: string; Node: string; Service: UserMap<unknown> };
  Check?: { Verb: string; Check: UserMap<unknown> };
}
export interface TxnResult {
  KV?: KeyValue;
  Node?: Node;
  Service?: AgentService & Indexed;
  Check?: HealthCheck;
}
export interface TxnError {
  OpIndex: number;
  What: string;
}
/** `ok` false: nothing was changed, and `errors` says which operations stood against it. */
export interface TxnOutcome {
  ok: boolean;
  results: TxnResult[];
  errors: TxnError[];
}

export interface UserEvent {
  ID: string;
  Name: string;
  Payload: Uint8Array<ArrayBuffer>;
  NodeFilter: string;
  ServiceFilter: string;
  TagFilter: string;
  Version: number;
  LTime: number;
}

export interface QueryResult {
  Service: string;
  Nodes: ServiceEntry[];
  DNS: { TTL: string };
  Datacenter: string;
  Failovers: number;
}

export interface RaftServer {
  ID: string;
  Node: string;
  Address: string;
  Leader: boolean;
  ProtocolVersion: string;
  Voter: boolean;
  LastIndex: number;
}
export interface RaftConfiguration {
  Servers: RaftServer[];
  Index: number;
}

/** A server in the plan of a recovery; what it says of itself is 0 or "" while it does not answer. */
export interface RaftRecoveryServer {
  ID: string;
  Node: string;
  Address: string;
  Voter: boolean;
  Alive: boolean;
  Role: string;
  Term: number;
  LastTerm: number;
  LastIndex: number;
  /** The highest index that it knows to be committed, whether it holds it or not. */
  CommitIndex: number;
  Fate: "leads" | "follows" | "left out";
}

/** What going on without the servers that are gone would mean. */
export interface RaftRecoveryPlan {
  Servers: RaftRecoveryServer[];
  Quorum: number;
  /** Voters that answer and hold a log. */
  VotersAlive: number;
  /** The id of who is to lead, and the end of its log. */
  Lead: string;
  LastIndex: number;
  /** Entries that may never have been acknowledged; they are kept. */
  Uncommitted: number;
  /** Entries known to be committed that no survivor holds. */
  KnownLost: number;
  /** Those that are gone could have acknowledged writes among themselves. */
  MayLoseWrites: boolean;
  /** Why it is not to be done; "" when it may be. */
  Refusal: string;
}

/** How one thing is taken over from another datacenter. Times are RFC 3339, year 1 for never. */
export interface ReplicationLinkStatus {
  ReplicationType: "config-entries" | "primary" | "kv";
  SourceDatacenter: string;
  /** Of keys, as are the counts further on. */
  Prefix?: string;
  ToPrefix?: string;
  Mode?: "one-way" | "two-way";
  Running: boolean;
  State: "comparing" | "following" | "failing";
  /** How long something may be missing; null when it never had everything. */
  LagMs: number | null;
  ReplicatedIndex: number;
  Batches: number;
  Written?: number;
  Deleted?: number;
  Conflicts?: number;
  Failures: number;
  LastSuccess: string;
  LastError: string;
  LastErrorMessage: string;
  NextAttempt: string;
}

/** What a datacenter takes over from others. */
export interface ReplicationStatus {
  Datacenter: string;
  PrimaryDatacenter: string;
  /** Counts the moves of the primary; 0 is what files say. */
  PrimaryEpoch: number;
  ConfiguredPrimary: string;
  KnownDatacenters: string[];
  Links: ReplicationLinkStatus[];
}

/** What one datacenter says about the primary, if it can be asked. */
export interface SeenDatacenter {
  Datacenter: string;
  Reachable: boolean;
  Error: string;
  PrimaryDatacenter: string;
  PrimaryEpoch: number;
  ConfiguredPrimary: string;
}

/** Who is the primary, as far as is known where it was asked. */
export interface PrimaryStatus {
  PrimaryDatacenter: string;
  PrimaryEpoch: number;
  Datacenters: SeenDatacenter[];
}

/** What moving the primary would mean. */
export interface PrimaryMovePlan {
  From: string;
  To: string;
  PrimaryEpoch: number;
  /** Configuration entries that differ; null when that is not known. */
  Behind: number | null;
  Datacenters: SeenDatacenter[];
  /** Why not, where force would do it all the same. */
  Refusals: string[];
  /** Why not at all; "" when it may be. */
  Impossible: string;
}

/** A move that was begun: the plan that it followed, and what it came to. */
export interface PrimaryMove extends PrimaryMovePlan {
  /** When not, the target does so once it hears of it, and until then nobody is the primary. */
  TakenOver: boolean;
}

/** Durations as "200ms", which is how this endpoint sends them, or as nanoseconds. */
export interface AutopilotConfiguration extends Omit<
  AutopilotConfig,
  "LastContactThreshold" | "ServerStabilizationTime"
> {
  LastContactThreshold: string | number;
  ServerStabilizationTime: string | number;
  RedundancyZoneTag?: string;
  DisableUpgradeMigration?: boolean;
  UpgradeVersionTag?: string;
}
export interface AutopilotServer {
  ID: string;
  Name: string;
  Address: string;
  NodeStatus: string;
  Version: string;
  LastContact: string;
  LastTerm: number;
  LastIndex: number;
  Healthy: boolean;
  /** Why not, where nothing else says it; Proconsul's own. */
  Reason?: string;
  StableSince: string;
  Status: string;
  Meta: UserMap | null;
  NodeType: string;
}
export interface AutopilotState {
  Healthy: boolean;
  FailureTolerance: number;
  OptimisticFailureTolerance: number;
  Servers: UserMap<AutopilotServer>;
  Leader: string;
  Voters: string[];
  ReadReplicas?: string[] | null;
}

export interface KeyringResponse {
  WAN: boolean;
  Datacenter: string;
  Segment?: string;
  Keys: UserMap<number>;
  PrimaryKeys: UserMap<number>;
  NumNodes: number;
  Messages?: UserMap | null;
  Error?: string;
}

export interface DatacenterCoordinates {
  Datacenter: string;
  AreaID: string;
  Coordinates: { Node: string; Segment?: string; Coord: Coordinate }[];
}
