// The configuration that an agent runs with: every setting resolved, typed and checked. Durations are milliseconds and may
// have a fraction. Each field's key in a file is its name in snake case, under the block that the comment names, unless
// it says otherwise.
import type { LogLevel } from "./log-level.ts";
import type { CheckDefinition, ServiceDefinition } from "./service-definition.ts";
import type { IpNetwork } from "../util/ip-address.ts";
import type { KVRuleInput, UserMap } from "../types/records.ts";
import type { RawObject } from "./raw-value.ts";
import type { Settings } from "./settings.ts";
import type { WatchDefinition } from "./watch-definition.ts";

/** Where to listen: a TCP (and for DNS also UDP) address, or a Unix socket. */
export type ListenAddress = { type: "tcp"; host: string; port: number } | { type: "unix"; path: string };

/** One of the two gossip pools. */
export interface GossipPool {
  bindAddress: string;
  advertiseAddress: string;
  port: number;
  /** Networks that members may have addresses in; empty for any. */
  allowedCidrs: IpNetwork[];
  gossipNodes: number;
  gossipIntervalMs: number;
  probeIntervalMs: number;
  probeTimeoutMs: number;
  suspicionMult: number;
  retransmitMult: number;
  /** How long a failed member is remembered. */
  reconnectTimeoutMs: number;
}

/** `retry_join` and its neighbours, for one pool. */
export interface RetryJoin {
  /** Addresses, names, or `provider=...` texts. */
  addresses: string[];
  intervalMs: number;
  /** 0 for no end. */
  attemptsMax: number;
}

/** `dns_config`, with `domain`, `alt_domain` and `recursors` beside it. */
export interface DnsConfig {
  allowStale: boolean;
  maxStaleMs: number;
  nodeTtlMs: number;
  /** By service name, `prefix*` or `*`: the exact name counts before the longest prefix. */
  serviceTtlMs: UserMap<number>;
  onlyPassing: boolean;
  enableTruncate: boolean;
  udpAnswerLimit: number;
  aRecordLimit: number;
  disableCompression: boolean;
  /** `enable_additional_node_meta_txt` */
  nodeMetaTxt: boolean;
  recursorStrategy: "sequential" | "random";
  recursorTimeoutMs: number;
  /** Seconds, as the record has them. */
  soa: { refresh: number; retry: number; expire: number; minTtl: number };
  useCache: boolean;
  cacheMaxAgeMs: number;
}

/** `http_config` */
export interface HttpConfig {
  blockEndpoints: string[];
  /** Empty for everywhere. */
  allowWriteHttpFrom: IpNetwork[];
  responseHeaders: UserMap;
  useCache: boolean;
  /** 0 for the runtime's own limit. */
  headerBytesMax: number;
  readTimeoutMs: number;
  readHeaderTimeoutMs: number;
  writeTimeoutMs: number;
  idleTimeoutMs: number;
}

export type LimitsMode = "disabled" | "permissive" | "enforcing";

/** `limits`. Rates are events per second, `Infinity` for no limit. */
export interface Limits {
  httpMaxConnsPerClient: number;
  /** Largest body of a request, `http_max_request_body_size`. */
  httpRequestBytesMax: number;
  httpsHandshakeTimeoutMs: number;
  rpcClientTimeoutMs: number;
  rpcHandshakeTimeoutMs: number;
  rpcMaxBurst: number;
  rpcMaxConnsPerClient: number;
  rpcRate: number;
  requestLimits: { mode: LimitsMode; readRate: number; writeRate: number };
}

/** The timings of Raft, already multiplied by `performance.raft_multiplier`. */
export interface RaftConfig {
  multiplier: number;
  heartbeatTimeoutMs: number;
  electionTimeoutMs: number;
  leaderLeaseTimeoutMs: number;
  snapshotThreshold: number;
  snapshotIntervalMs: number;
  trailingLogs: number;
  preVoteDisabled: boolean;
  protocol: number;
}

/** `autopilot`, the values a new cluster starts with. */
export interface AutopilotSettings {
  cleanupDeadServers: boolean;
  lastContactThresholdMs: number;
  maxTrailingLogs: number;
  minQuorum: number;
  serverStabilizationTimeMs: number;
}

/** `acl` */
export interface AclConfig {
  enabled: boolean;
  defaultPolicy: "allow" | "deny";
  downPolicy: "allow" | "deny" | "extend-cache" | "async-cache";
  policyTtlMs: number;
  tokenTtlMs: number;
  roleTtlMs: number;
  enableKeyListPolicy: boolean;
  enableTokenPersistence: boolean;
  enableTokenReplication: boolean;
  tokens: AclTokens;
}
/** Secrets; "" when not given. */
export interface AclTokens {
  initialManagement: string;
  default: string;
  agent: string;
  agentRecovery: string;
  replication: string;
  configFileServiceRegistration: string;
  dns: string;
}

/** One of `tls.internal_rpc`, `tls.https` and `tls.grpc`, with what `tls.defaults` gives it. */
export interface TlsListener {
  caFile: string;
  caPath: string;
  certFile: string;
  keyFile: string;
  minVersion: string;
  cipherSuites: string[];
  verifyIncoming: boolean;
  verifyOutgoing: boolean;
  verifyServerHostname: boolean;
  useAutoCert: boolean;
}

/** `ui_config` */
export interface UiConfig {
  enabled: boolean;
  /** A directory to serve in place of the built-in page; "" for none. */
  dir: string;
  /** Begins and ends with a slash. */
  contentPath: string;
  metricsProvider: string;
  metricsProviderFiles: string[];
  /** A JSON object as text, or "". */
  metricsProviderOptionsJson: string;
  metricsProxy: { baseUrl: string; addHeaders: { name: string; value: string }[]; pathAllowlist: string[] };
  dashboardUrlTemplates: UserMap;
}

/** `telemetry` */
export interface TelemetryConfig {
  metricsPrefix: string;
  disableHostname: boolean;
  filterDefault: boolean;
  allowedPrefixes: string[];
  blockedPrefixes: string[];
  /** 0 when the Prometheus format is not served. */
  prometheusRetentionMs: number;
}

/** The timings of the agent's own work that Consul lets nobody change. */
export interface InternalTimings {
  antiEntropyIntervalMs: number;
  checkReapIntervalMs: number;
  checkDeregisterIntervalMinMs: number;
  coordinateUpdatePeriodMs: number;
  coordinateBatchSize: number;
  coordinateBatchesMax: number;
  /** Coordinate updates per second that a whole cluster aims at, and the least time between two of one node. */
  syncCoordinateRateTarget: number;
  syncCoordinateIntervalMinMs: number;
  /** How often the leader asks servers for their health. */
  serverHealthIntervalMs: number;
}

/** A datacenter that is reached by one address alone (not in Consul). */
export interface RemoteDatacenter {
  name: string;
  /** `https://host[:port]`. */
  address: string;
  /** What its gateway wants to be shown; "" for nothing. */
  token: string;
}

export interface AgentConfig {
  // Identity
  datacenter: string;
  primaryDatacenter: string;
  nodeName: string;
  /** Lower case; "" when the agent makes one and keeps it. */
  nodeId: string;
  nodeMeta: UserMap;
  disableHostNodeId: boolean;
  locality: { region: string; zone: string } | null;

  // Mode
  server: boolean;
  bootstrap: boolean;
  bootstrapExpect: number;
  /** In memory, alone, on loopback; answers are always pretty-printed and nothing is persisted. */
  dev: boolean;
  /** "" only under `-dev`. */
  dataDir: string;

  // Addresses
  bindAddress: string;
  advertiseAddress: string;
  advertiseAddressWan: string;
  /** Of the node: lan, wan and, by family, lan_ipv4 and so on, with the user's own beside them. */
  taggedAddresses: UserMap;
  clientAddresses: string[];
  /** What to listen on for clients; empty where the port is off. */
  addresses: {
    dns: ListenAddress[];
    http: ListenAddress[];
    https: ListenAddress[];
    grpc: ListenAddress[];
    grpcTls: ListenAddress[];
  };
  /** -1 for off. */
  ports: {
    dns: number;
    http: number;
    https: number;
    grpc: number;
    grpcTls: number;
    server: number;
    serfLan: number;
    serfWan: number;
    /** Where datacenters call that know this one by an address alone. */
    gateway: number;
    sidecarMin: number;
    sidecarMax: number;
    exposeMin: number;
    exposeMax: number;
  };
  unixSockets: { user: string; group: string; mode: string };
  translateWanAddrs: boolean;

  // DNS and HTTP
  /** With a dot at its end if the user wrote one; names compare without it. */
  domain: string;
  altDomain: string;
  recursors: string[];
  dns: DnsConfig;
  httpConfig: HttpConfig;
  uiConfig: UiConfig;

  // Logs, metrics, process
  logLevel: LogLevel;
  logJson: boolean;
  /** "" for standard output only. */
  logFile: string;
  /** 0 for no limit. */
  logRotateBytes: number;
  /** 0 for Consul's 24 hours. */
  logRotateDurationMs: number;
  /** 0 keeps all, negative none. */
  logRotateMaxFiles: number;
  enableSyslog: boolean;
  syslogFacility: string;
  pidFile: string;
  telemetry: TelemetryConfig;
  enableDebug: boolean;
  autoReloadConfig: boolean;

  // Limits and performance
  limits: Limits;
  kvMaxValueBytes: number;
  txnMaxRequestBytes: number;
  disableKvKeyValidation: boolean;
  disableHttpUnprintableCharFilter: boolean;
  defaultQueryTimeMs: number;
  maxQueryTimeMs: number;
  discoveryMaxStaleMs: number;
  performance: { rpcHoldTimeoutMs: number; leaveDrainTimeMs: number };

  // Raft, gossip, membership
  raft: RaftConfig;
  protocolVersion: number;
  autopilot: AutopilotSettings;
  gossipLan: GossipPool;
  /** Null when `ports.serf_wan` is off. */
  gossipWan: GossipPool | null;
  retryJoin: RetryJoin;
  retryJoinWan: RetryJoin;
  remoteDatacenters: RemoteDatacenter[];
  /** "" for none. */
  gatewayToken: string;
  rejoinAfterLeave: boolean;
  leaveOnTerminate: boolean;
  skipLeaveOnInterrupt: boolean;
  serverRejoinAgeMaxMs: number;
  /** Only on clients: what they tell servers instead of the servers' own; 0 for nothing. */
  advertiseReconnectTimeoutMs: number;
  /** Base64 of 16, 24 or 32 bytes; "" for none. */
  encrypt: string;
  encryptVerifyIncoming: boolean;
  encryptVerifyOutgoing: boolean;
  disableKeyringFile: boolean;
  disableCoordinates: boolean;

  // Services, checks, sessions
  services: ServiceDefinition[];
  checks: CheckDefinition[];
  watches: WatchDefinition[];
  /** `check_output_max_size`: most bytes that are kept of a check's output. */
  checkOutputBytesMax: number;
  checkUpdateIntervalMs: number;
  discardCheckOutput: boolean;
  /** Programs may run as checks, whoever registers them. */
  enableScriptChecks: boolean;
  /** Programs may run as checks of configuration files. */
  enableLocalScriptChecks: boolean;
  sessionTtlMinMs: number;
  disableRemoteExec: boolean;

  // Security
  acl: AclConfig;
  tls: { internalRpc: TlsListener; https: TlsListener; grpc: TlsListener };
  serverName: string;

  /** `config_entries.bootstrap`, plain; the endpoint for config entries gives them their meaning. */
  configEntries: RawObject[];
  /** `kv_replication`: the prefixes of keys that are taken over from other datacenters. Not in Consul. */
  kvReplication: KVRuleInput[];
  timings: InternalTimings;

  /** The merged keys that all this was made from: what a reload compares. */
  settings: Settings;
}
