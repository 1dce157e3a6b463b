// The blocks of the configuration, each read from its settings. What is wrong goes to the reader's errors.
import { quote } from "../util/quote.ts";
import { userMap } from "../util/user-map.ts";
import type {
  AclConfig,
  DnsConfig,
  GossipPool,
  HttpConfig,
  InternalTimings,
  Limits,
  LimitsMode,
  RaftConfig,
  TelemetryConfig,
  UiConfig,
} from "./config-types.ts";
import type { SettingReader } from "./setting-reader.ts";

export const hourMs: number = 3_600_000;

/** `dns_config` */
export function dnsConfig(reader: SettingReader): DnsConfig {
  const serviceTtlMs = userMap<number>();
  for (const [name, ttl] of Object.entries(reader.stringMap("dns_config.service_ttl"))) {
    serviceTtlMs[name] = reader.parseMs(`dns_config.service_ttl[${quote(name)}]`, ttl);
  }
  const strategy = reader.string("dns_config.recursor_strategy") || "sequential";
  if (strategy !== "sequential" && strategy !== "random") {
    reader.errors.push(`dns_config.recursor_strategy: invalid strategy: ${quote(strategy)}`);
  }
  const soa = (key: string): number => {
    const seconds = reader.number(`dns_config.soa.${key}`);
    if (seconds < 0 || seconds > 0xffff_ffff) {
      reader.errors.push(`dns_config.soa.${key} cannot be ${seconds}. Must be between 0 and 4294967295`);
    }
    return seconds;
  };
  return {
    allowStale: reader.bool("dns_config.allow_stale"),
    maxStaleMs: reader.durationMs("dns_config.max_stale"),
    nodeTtlMs: reader.durationMs("dns_config.node_ttl"),
    serviceTtlMs,
    onlyPassing: reader.bool("dns_config.only_passing"),
    enableTruncate: reader.bool("dns_config.enable_truncate"),
    udpAnswerLimit: reader.number("dns_config.udp_answer_limit"),
    aRecordLimit: reader.number("dns_config.a_record_limit"),
    disableCompression: reader.bool("dns_config.disable_compression"),
    nodeMetaTxt: reader.bool("dns_config.enable_additional_node_meta_txt"),
    recursorStrategy: strategy === "random" ? "random" : "sequential",
    recursorTimeoutMs: reader.durationMs("dns_config.recursor_timeout"),
    soa: { refresh: soa("refresh"), retry: soa("retry"), expire: soa("expire"), minTtl: soa("min_ttl") },
    useCache: reader.bool("dns_config.use_cache"),
    cacheMaxAgeMs: reader.durationMs("dns_config.cache_max_age"),
  };
}

/** `http_config` */
export function httpConfig(reader: SettingReader): HttpConfig {
  return {
    blockEndpoints: reader.strings("http_config.block_endpoints"),
    allowWriteHttpFrom: reader.cidrs("http_config.allow_write_http_from"),
    responseHeaders: reader.stringMap("http_config.response_headers"),
    useCache: reader.bool("http_config.use_cache"),
    headerBytesMax: reader.number("http_config.max_header_bytes"),
    readTimeoutMs: reader.durationMs("http_config.read_timeout", 0, 1000),
    readHeaderTimeoutMs: reader.durationMs("http_config.read_header_timeout", 0, 1000),
    writeTimeoutMs: reader.durationMs("http_config.write_timeout", 0, 1000),
    idleTimeoutMs: reader.durationMs("http_config.idle_timeout", 0, 10_000),
  };
}

/** `ui_config` */
export function uiConfig(reader: SettingReader): UiConfig {
  const path = reader.string("ui_config.content_path").replace(/^\/+|\/+$/g, "");
  const metricsProvider = reader.string("ui_config.metrics_provider");
  const pathAllowlist = reader.strings("ui_config.metrics_proxy.path_allowlist");
  if (metricsProvider === "prometheus" && pathAllowlist.length === 0) {
    pathAllowlist.push("/api/v1/query", "/api/v1/query_range");
  }
  return {
    enabled: reader.bool("ui_config.enabled"),
    dir: reader.string("ui_config.dir"),
    contentPath: reader.string("ui_config.content_path") === "" ? "/ui/" : `/${path}/`,
    metricsProvider,
    metricsProviderFiles: reader.strings("ui_config.metrics_provider_files"),
    metricsProviderOptionsJson: reader.string("ui_config.metrics_provider_options_json"),
    metricsProxy: {
      baseUrl: reader.string("ui_config.metrics_proxy.base_url"),
      addHeaders: reader.objects("ui_config.metrics_proxy.add_headers").map((header) => ({
        name: String(header["name"] ?? ""),
        value: String(header["value"] ?? ""),
      })),
      pathAllowlist,
    },
    dashboardUrlTemplates: reader.stringMap("ui_config.dashboard_url_templates"),
  };
}

/** `telemetry`; rules of the prefix filter that are none become warnings. */
export function telemetryConfig(reader: SettingReader, warnings: string[]): TelemetryConfig {
  const allowedPrefixes: string[] = [];
  const blockedPrefixes: string[] = [];
  for (const rule of reader.strings("telemetry.prefix_filter")) {
    if (rule === "") warnings.push("Cannot have empty filter rule in prefix_filter");
    else if (rule[0] === "+") allowedPrefixes.push(rule.slice(1));
    else if (rule[0] === "-") blockedPrefixes.push(rule.slice(1));
    else warnings.push(`Filter rule must begin with either '+' or '-': ${quote(rule)}`);
  }
  return {
    metricsPrefix: reader.string("telemetry.metrics_prefix"),
    disableHostname: reader.bool("telemetry.disable_hostname"),
    filterDefault: reader.bool("telemetry.filter_default"),
    allowedPrefixes,
    blockedPrefixes,
    prometheusRetentionMs: reader.durationMs("telemetry.prometheus_retention_time"),
  };
}

/** `limits` */
export function limitsOf(reader: SettingReader): Limits {
  const mode = reader.string("limits.request_limits.mode");
  if (mode !== "disabled" && mode !== "permissive" && mode !== "enforcing") {
    reader.errors.push(`limits.request_limits.mode: invalid mode: ${quote(mode)}`);
  }
  for (const key of ["kv_max_value_size", "txn_max_req_len", "http_max_request_body_size"]) {
    const bytes = reader.number(`limits.${key}`);
    if (bytes < 0) reader.errors.push(`limits.${key} cannot be ${bytes}. Must be greater than or equal to zero`);
  }
  return {
    httpMaxConnsPerClient: reader.number("limits.http_max_conns_per_client"),
    httpRequestBytesMax: reader.number("limits.http_max_request_body_size"),
    httpsHandshakeTimeoutMs: reader.durationMs("limits.https_handshake_timeout"),
    rpcClientTimeoutMs: reader.durationMs("limits.rpc_client_timeout"),
    rpcHandshakeTimeoutMs: reader.durationMs("limits.rpc_handshake_timeout"),
    rpcMaxBurst: reader.number("limits.rpc_max_burst"),
    rpcMaxConnsPerClient: reader.number("limits.rpc_max_conns_per_client"),
    rpcRate: reader.rate("limits.rpc_rate"),
    requestLimits: {
      mode: mode as LimitsMode,
      readRate: reader.rate("limits.request_limits.read_rate"),
      writeRate: reader.rate("limits.request_limits.write_rate"),
    },
  };
}

const raftMultiplierMax = 10;

/** Consul multiplies one set of timings by `raft_multiplier`; under `-dev` a much shorter one. */
export function raftConfig(reader: SettingReader, dev: boolean): RaftConfig {
  const multiplier = reader.number("performance.raft_multiplier");
  if (multiplier < 1 || multiplier > raftMultiplierMax) {
    reader.errors.push(
      `performance.raft_multiplier cannot be ${multiplier}. Must be between 1 and ${raftMultiplierMax}`,
    );
  }
  return {
    multiplier,
    heartbeatTimeoutMs: (dev ? 35 : 1000) * multiplier,
    electionTimeoutMs: (dev ? 52 : 1000) * multiplier,
    leaderLeaseTimeoutMs: (dev ? 20 : 500) * multiplier,
    snapshotThreshold: reader.number("raft_snapshot_threshold"),
    snapshotIntervalMs: reader.durationMs("raft_snapshot_interval"),
    trailingLogs: reader.number("raft_trailing_logs"),
    preVoteDisabled: reader.bool("raft_prevote_disabled"),
    protocol: reader.number("raft_protocol"),
  };
}

/** The timings that Consul lets nobody change. */
export function internalTimings(dev: boolean): InternalTimings {
  return {
    antiEntropyIntervalMs: 60_000,
    checkReapIntervalMs: 30_000,
    checkDeregisterIntervalMinMs: 60_000,
    coordinateUpdatePeriodMs: dev ? 100 : 5000,
    coordinateBatchSize: 128,
    coordinateBatchesMax: 5,
    syncCoordinateRateTarget: 64,
    syncCoordinateIntervalMinMs: 15_000,
    serverHealthIntervalMs: dev ? 10 : 2000,
  };
}

/** Serf's 72 hours when nobody sets it. */
const reconnectTimeoutMs = 72 * hourMs;

/** `gossip_lan` or `gossip_wan`, with the addresses of that pool. */
export function gossipPool(
  reader: SettingReader,
  pool: "lan" | "wan",
  bindAddress: string,
  advertiseAddress: string,
  port: number,
): GossipPool {
  return {
    bindAddress,
    advertiseAddress,
    port,
    allowedCidrs: reader.cidrs(`serf_${pool}_allowed_cidrs`),
    gossipNodes: reader.number(`gossip_${pool}.gossip_nodes`),
    gossipIntervalMs: reader.durationMs(`gossip_${pool}.gossip_interval`),
    probeIntervalMs: reader.durationMs(`gossip_${pool}.probe_interval`),
    probeTimeoutMs: reader.durationMs(`gossip_${pool}.probe_timeout`),
    suspicionMult: reader.number(`gossip_${pool}.suspicion_mult`),
    retransmitMult: reader.number(`gossip_${pool}.retransmit_mult`),
    reconnectTimeoutMs:
      reader.durationMs(pool === "lan" ? "reconnect_timeout" : "reconnect_timeout_wan") || reconnectTimeoutMs,
  };
}

/** `acl` */
export function aclConfig(reader: SettingReader): AclConfig {
  const defaultPolicy = reader.string("acl.default_policy");
  const downPolicy = reader.string("acl.down_policy");
  if (!["allow", "deny"].includes(defaultPolicy)) {
    reader.errors.push(`unexpected ACL default policy value of ${quote(defaultPolicy)}`);
  }
  if (!["allow", "deny", "extend-cache", "async-cache"].includes(downPolicy)) {
    reader.errors.push(`unexpected ACL down policy value of ${quote(downPolicy)}`);
  }
  const token = (name: string): string => reader.string(`acl.tokens.${name}`);
  return {
    enabled: reader.bool("acl.enabled"),
    defaultPolicy: defaultPolicy as AclConfig["defaultPolicy"],
    downPolicy: downPolicy as AclConfig["downPolicy"],
    policyTtlMs: reader.durationMs("acl.policy_ttl"),
    tokenTtlMs: reader.durationMs("acl.token_ttl"),
    roleTtlMs: reader.durationMs("acl.role_ttl"),
    enableKeyListPolicy: reader.bool("acl.enable_key_list_policy"),
    enableTokenPersistence: reader.bool("acl.enable_token_persistence"),
    enableTokenReplication: reader.bool("acl.enable_token_replication"),
    tokens: {
      initialManagement: token("initial_management"),
      default: token("default"),
      agent: token("agent"),
      agentRecovery: token("agent_recovery"),
      replication: token("replication"),
      configFileServiceRegistration: token("config_file_service_registration"),
      dns: token("dns"),
    },
  };
}
