// The configuration as `DebugConfig` of /v1/agent/self shows it: Consul's names, durations and addresses as text, and
// "hidden" in place of whatever may be a secret.
// https://developer.hashicorp.com/consul/api-docs/agent#read-configuration
import { formatDuration, nsPerMs } from "../util/duration.ts";
import { formatCidr, joinHostPort } from "../util/ip-address.ts";
import type { AgentConfig, GossipPool, ListenAddress, TlsListener } from "./config-types.ts";
import { checkDisplay, hidden, hideSecrets, isSecret, serviceDisplay } from "./definition-display.ts";
import { plain, type RawObject } from "./raw-value.ts";
import { SettingReader } from "./setting-reader.ts";

/** Facts of the program that the object shows besides. */
export interface BuildFacts {
  version: string;
  versionPrerelease: string;
  versionMetadata: string;
  revision: string;
  /** As Go prints a time: `2026-01-02 03:04:05 +0000 UTC`. */
  buildDate: string;
}

/** A plain object, for JSON. */
export function sanitise(config: AgentConfig, build: BuildFacts): Record<string, unknown> {
  const reader = new SettingReader(config.settings, []);
  return {
    ...identity(config, build),
    ...addresses(config),
    ...aclAndTls(config),
    ...dns(config),
    ...http(config),
    ...gossip("LAN", config.gossipLan),
    ...gossip("WAN", config.gossipWan),
    ...membership(config),
    ...gateways(config),
    ...raftAndAutopilot(config, reader),
    ...agent(config),
    ...limits(config),
    ...telemetryAndUi(config, reader),
    ...mesh(reader),
    Services: config.services.map(serviceDisplay),
    Checks: config.checks.map((check) => ({
      ...checkDisplay(check),
      ID: check.id,
      ServiceID: check.serviceId,
      Token: hidden,
    })),
    Watches: hideSecrets("Watches", reader.objects("watches")),
    ConfigEntryBootstrap: hideSecrets("ConfigEntryBootstrap", config.configEntries),
  };
}

function text(ms: number): string {
  return formatDuration(ms * nsPerMs);
}

/** Go's rate limits are infinite at the largest float; -1 says the same in JSON and in a file. */
function rate(perSecond: number): number {
  return Number.isFinite(perSecond) ? perSecond : -1;
}

function listen(list: readonly ListenAddress[], scheme: string = "tcp"): string[] {
  return list.map((each) =>
    each.type === "unix" ? `unix://${each.path}` : `${scheme}://${joinHostPort(each.host, each.port)}`,
  );
}

function tcp(host: string, port: number): string {
  return port > 0 ? `tcp://${joinHostPort(host, port)}` : "";
}

/** `provider=aws secret_access_key=...` keeps its words and loses its secrets. */
function hideJoinSecrets(address: string): string {
  return address
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => (isSecret(word) ? `${word.split("=", 1)[0]}=${hidden}` : word))
    .join(" ");
}

function identity(config: AgentConfig, build: BuildFacts): Record<string, unknown> {
  return {
    Datacenter: config.datacenter,
    PrimaryDatacenter: config.primaryDatacenter,
    NodeID: config.nodeId,
    NodeName: config.nodeName,
    NodeMeta: hideSecrets("NodeMeta", config.nodeMeta),
    DisableHostNodeID: config.disableHostNodeId,
    Locality: config.locality === null ? null : { Region: config.locality.region, Zone: config.locality.zone },
    ServerMode: config.server,
    Bootstrap: config.bootstrap,
    BootstrapExpect: config.bootstrapExpect,
    DevMode: config.dev,
    DataDir: config.dataDir,
    PidFile: config.pidFile,
    Version: build.version,
    VersionPrerelease: build.versionPrerelease,
    VersionMetadata: build.versionMetadata,
    Revision: build.revision,
    BuildDate: build.buildDate,
  };
}

function addresses(config: AgentConfig): Record<string, unknown> {
  const { ports } = config;
  return {
    BindAddr: config.bindAddress,
    AdvertiseAddrLAN: config.advertiseAddress,
    AdvertiseAddrWAN: config.advertiseAddressWan,
    TaggedAddresses: config.taggedAddresses,
    ClientAddrs: config.clientAddresses,
    DNSAddrs: [...listen(config.addresses.dns), ...listen(config.addresses.dns, "udp")],
    HTTPAddrs: listen(config.addresses.http),
    HTTPSAddrs: listen(config.addresses.https),
    GRPCAddrs: listen(config.addresses.grpc),
    GRPCTLSAddrs: listen(config.addresses.grpcTls),
    DNSPort: ports.dns,
    HTTPPort: ports.http,
    HTTPSPort: ports.https,
    GRPCPort: ports.grpc,
    GRPCTLSPort: ports.grpcTls,
    ServerPort: ports.server,
    SerfPortLAN: ports.serfLan,
    SerfPortWAN: ports.serfWan,
    ConnectSidecarMinPort: ports.sidecarMin,
    ConnectSidecarMaxPort: ports.sidecarMax,
    ExposeMinPort: ports.exposeMin,
    ExposeMaxPort: ports.exposeMax,
    RPCAdvertiseAddr: tcp(config.advertiseAddress, ports.server),
    RPCBindAddr: tcp(config.bindAddress, ports.server),
    UnixSocketUser: config.unixSockets.user,
    UnixSocketGroup: config.unixSockets.group,
    UnixSocketMode: config.unixSockets.mode,
    TranslateWANAddrs: config.translateWanAddrs,
  };
}

function aclAndTls(config: AgentConfig): Record<string, unknown> {
  const { acl } = config;
  return {
    ACLsEnabled: acl.enabled,
    ACLResolverSettings: {
      ACLsEnabled: acl.enabled,
      Datacenter: config.datacenter,
      NodeName: config.nodeName,
      ACLPolicyTTL: text(acl.policyTtlMs),
      ACLTokenTTL: text(acl.tokenTtlMs),
      ACLRoleTTL: text(acl.roleTtlMs),
      ACLDownPolicy: acl.downPolicy,
      ACLDefaultPolicy: acl.defaultPolicy,
      EnterpriseMeta: {},
    },
    ACLEnableKeyListPolicy: acl.enableKeyListPolicy,
    ACLInitialManagementToken: hidden,
    ACLTokenReplication: acl.enableTokenReplication,
    ACLTokens: {
      ACLAgentRecoveryToken: hidden,
      ACLAgentToken: hidden,
      ACLConfigFileRegistrationToken: hidden,
      ACLDNSToken: hidden,
      ACLDefaultToken: hidden,
      ACLReplicationToken: hidden,
      DataDir: config.dataDir,
      EnablePersistence: acl.enableTokenPersistence,
      EnterpriseConfig: {},
    },
    TLS: {
      InternalRPC: tlsListener(config.tls.internalRpc),
      HTTPS: tlsListener(config.tls.https),
      GRPC: tlsListener(config.tls.grpc),
      ServerName: config.serverName,
      ServerMode: config.server,
      NodeName: config.nodeName,
      Domain: config.domain,
    },
    ServerName: config.serverName,
    EncryptKey: hidden,
    StaticRuntimeConfig: {
      EncryptVerifyIncoming: config.encryptVerifyIncoming,
      EncryptVerifyOutgoing: config.encryptVerifyOutgoing,
    },
    DisableKeyringFile: config.disableKeyringFile,
  };
}

function tlsListener(listener: TlsListener): Record<string, unknown> {
  return {
    CAFile: listener.caFile,
    CAPath: listener.caPath,
    CertFile: listener.certFile,
    KeyFile: hidden,
    CipherSuites: listener.cipherSuites,
    TLSMinVersion: listener.minVersion,
    VerifyIncoming: listener.verifyIncoming,
    VerifyOutgoing: listener.verifyOutgoing,
    VerifyServerHostname: listener.verifyServerHostname,
    UseAutoCert: listener.useAutoCert,
  };
}

function dns({ dns: each, domain, altDomain, recursors }: AgentConfig): Record<string, unknown> {
  return {
    DNSDomain: domain,
    DNSAltDomain: altDomain,
    DNSRecursors: recursors,
    DNSRecursorStrategy: each.recursorStrategy,
    DNSRecursorTimeout: text(each.recursorTimeoutMs),
    DNSAllowStale: each.allowStale,
    DNSMaxStale: text(each.maxStaleMs),
    DNSNodeTTL: text(each.nodeTtlMs),
    DNSServiceTTL: Object.fromEntries(Object.entries(each.serviceTtlMs).map(([name, ms]) => [name, text(ms)])),
    DNSOnlyPassing: each.onlyPassing,
    DNSEnableTruncate: each.enableTruncate,
    DNSUDPAnswerLimit: each.udpAnswerLimit,
    DNSARecordLimit: each.aRecordLimit,
    DNSDisableCompression: each.disableCompression,
    DNSNodeMetaTXT: each.nodeMetaTxt,
    DNSSOA: { Refresh: each.soa.refresh, Retry: each.soa.retry, Expire: each.soa.expire, Minttl: each.soa.minTtl },
    DNSUseCache: each.useCache,
    DNSCacheMaxAge: text(each.cacheMaxAgeMs),
  };
}

function http({ httpConfig: each, ...config }: AgentConfig): Record<string, unknown> {
  return {
    HTTPBlockEndpoints: each.blockEndpoints,
    AllowWriteHTTPFrom: each.allowWriteHttpFrom.map(formatCidr),
    HTTPResponseHeaders: hideSecrets("HTTPResponseHeaders", each.responseHeaders),
    HTTPUseCache: each.useCache,
    HTTPMaxHeaderBytes: each.headerBytesMax,
    HTTPReadTimeout: text(each.readTimeoutMs),
    HTTPReadHeaderTimeout: text(each.readHeaderTimeoutMs),
    HTTPWriteTimeout: text(each.writeTimeoutMs),
    HTTPIdleTimeout: text(each.idleTimeoutMs),
    DisableHTTPUnprintableCharFilter: config.disableHttpUnprintableCharFilter,
    DisableKVKeyValidation: config.disableKvKeyValidation,
    DefaultQueryTime: text(config.defaultQueryTimeMs),
    MaxQueryTime: text(config.maxQueryTimeMs),
    DiscoveryMaxStale: text(config.discoveryMaxStaleMs),
  };
}

function gossip(pool: "LAN" | "WAN", each: GossipPool | null): Record<string, unknown> {
  return {
    [`Gossip${pool}GossipInterval`]: text(each?.gossipIntervalMs ?? 0),
    [`Gossip${pool}GossipNodes`]: each?.gossipNodes ?? 0,
    [`Gossip${pool}ProbeInterval`]: text(each?.probeIntervalMs ?? 0),
    [`Gossip${pool}ProbeTimeout`]: text(each?.probeTimeoutMs ?? 0),
    [`Gossip${pool}RetransmitMult`]: each?.retransmitMult ?? 0,
    [`Gossip${pool}SuspicionMult`]: each?.suspicionMult ?? 0,
    [`ReconnectTimeout${pool}`]: text(each?.reconnectTimeoutMs ?? 0),
    [`SerfAllowedCIDRs${pool}`]: each?.allowedCidrs.map(formatCidr) ?? [],
    [`SerfBindAddr${pool}`]: each === null ? "" : tcp(each.bindAddress, each.port),
    [`SerfAdvertiseAddr${pool}`]: each === null ? "" : tcp(each.advertiseAddress, each.port),
  };
}

/** What Consul has not is shown only where it is used. */
function gateways({ remoteDatacenters, gatewayToken, ports }: AgentConfig): Record<string, unknown> {
  const shown = remoteDatacenters.map(({ name, address, token }) => ({
    Name: name,
    Address: address,
    Token: token === "" ? "" : hidden,
  }));
  return {
    ...(shown.length === 0 ? {} : { RemoteDatacenters: shown }),
    ...(ports.gateway > 0 ? { GatewayPort: ports.gateway } : {}),
    ...(gatewayToken === "" ? {} : { GatewayToken: hidden }),
  };
}

function membership(config: AgentConfig): Record<string, unknown> {
  return {
    RetryJoinLAN: config.retryJoin.addresses.map(hideJoinSecrets),
    RetryJoinWAN: config.retryJoinWan.addresses.map(hideJoinSecrets),
    RetryJoinIntervalLAN: text(config.retryJoin.intervalMs),
    RetryJoinIntervalWAN: text(config.retryJoinWan.intervalMs),
    RetryJoinMaxAttemptsLAN: config.retryJoin.attemptsMax,
    RetryJoinMaxAttemptsWAN: config.retryJoinWan.attemptsMax,
    RejoinAfterLeave: config.rejoinAfterLeave,
    LeaveOnTerm: config.leaveOnTerminate,
    SkipLeaveOnInt: config.skipLeaveOnInterrupt,
    LeaveDrainTime: text(config.performance.leaveDrainTimeMs),
    ServerRejoinAgeMax: text(config.serverRejoinAgeMaxMs),
    AdvertiseReconnectTimeout: text(config.advertiseReconnectTimeoutMs),
    DisableCoordinates: config.disableCoordinates,
    SegmentName: "",
    Segments: [],
    ReadReplica: false,
  };
}

function raftAndAutopilot(config: AgentConfig, reader: SettingReader): Record<string, unknown> {
  const { raft, autopilot, timings } = config;
  return {
    RaftProtocol: raft.protocol,
    RaftSnapshotThreshold: raft.snapshotThreshold,
    RaftSnapshotInterval: text(raft.snapshotIntervalMs),
    RaftTrailingLogs: raft.trailingLogs,
    RaftPreVoteDisabled: raft.preVoteDisabled,
    RaftLogStoreConfig: {
      Backend: reader.string("raft_logstore.backend"),
      DisableLogCache: reader.bool("raft_logstore.disable_log_cache"),
      Verification: {
        Enabled: reader.bool("raft_logstore.verification.enabled"),
        Interval: text(reader.durationMs("raft_logstore.verification.interval")),
      },
      BoltDB: { NoFreelistSync: reader.bool("raft_logstore.boltdb.no_freelist_sync") },
      WAL: { SegmentSize: reader.number("raft_logstore.wal.segment_size_mb") * 1024 * 1024 },
    },
    ConsulRaftElectionTimeout: text(raft.electionTimeoutMs),
    ConsulRaftHeartbeatTimeout: text(raft.heartbeatTimeoutMs),
    ConsulRaftLeaderLeaseTimeout: text(raft.leaderLeaseTimeoutMs),
    ConsulServerHealthInterval: text(timings.serverHealthIntervalMs),
    ConsulCoordinateUpdateBatchSize: timings.coordinateBatchSize,
    ConsulCoordinateUpdateMaxBatches: timings.coordinateBatchesMax,
    ConsulCoordinateUpdatePeriod: text(timings.coordinateUpdatePeriodMs),
    SyncCoordinateIntervalMin: text(timings.syncCoordinateIntervalMinMs),
    SyncCoordinateRateTarget: timings.syncCoordinateRateTarget,
    RPCProtocol: config.protocolVersion,
    RPCHoldTimeout: text(config.performance.rpcHoldTimeoutMs),
    AutopilotCleanupDeadServers: autopilot.cleanupDeadServers,
    AutopilotLastContactThreshold: text(autopilot.lastContactThresholdMs),
    AutopilotMaxTrailingLogs: autopilot.maxTrailingLogs,
    AutopilotMinQuorum: autopilot.minQuorum,
    AutopilotServerStabilizationTime: text(autopilot.serverStabilizationTimeMs),
    AutopilotRedundancyZoneTag: "",
    AutopilotDisableUpgradeMigration: false,
    AutopilotUpgradeVersionTag: "",
  };
}

/** Consul's own names of levels. */
const levels = { trace: "TRACE", debug: "DEBUG", info: "INFO", warn: "WARN", error: "ERR" } as const;

function agent(config: AgentConfig): Record<string, unknown> {
  return {
    AEInterval: text(config.timings.antiEntropyIntervalMs),
    CheckReapInterval: text(config.timings.checkReapIntervalMs),
    CheckDeregisterIntervalMin: text(config.timings.checkDeregisterIntervalMinMs),
    CheckOutputMaxSize: config.checkOutputBytesMax,
    CheckUpdateInterval: text(config.checkUpdateIntervalMs),
    DiscardCheckOutput: config.discardCheckOutput,
    EnableRemoteScriptChecks: config.enableScriptChecks,
    EnableLocalScriptChecks: config.enableLocalScriptChecks,
    EnableDebug: config.enableDebug,
    DisableRemoteExec: config.disableRemoteExec,
    SessionTTLMin: text(config.sessionTtlMinMs),
    AutoReloadConfig: config.autoReloadConfig,
    AutoReloadConfigCoalesceInterval: "1s",
    Logging: {
      LogLevel: levels[config.logLevel],
      LogJSON: config.logJson,
      Name: "",
      LogFilePath: config.logFile,
      LogRotateBytes: config.logRotateBytes,
      LogRotateDuration: text(config.logRotateDurationMs),
      LogRotateMaxFiles: config.logRotateMaxFiles,
      EnableSyslog: config.enableSyslog,
      SyslogFacility: config.syslogFacility,
    },
  };
}

function limits({ limits: each, kvMaxValueBytes, txnMaxRequestBytes }: AgentConfig): Record<string, unknown> {
  const modes = { disabled: 0, permissive: 1, enforcing: 2 } as const;
  return {
    HTTPMaxConnsPerClient: each.httpMaxConnsPerClient,
    HTTPSHandshakeTimeout: text(each.httpsHandshakeTimeoutMs),
    KVMaxValueSize: kvMaxValueBytes,
    TxnMaxReqLen: txnMaxRequestBytes,
    RPCClientTimeout: text(each.rpcClientTimeoutMs),
    RPCHandshakeTimeout: text(each.rpcHandshakeTimeoutMs),
    RPCMaxBurst: each.rpcMaxBurst,
    RPCMaxConnsPerClient: each.rpcMaxConnsPerClient,
    RPCRateLimit: rate(each.rpcRate),
    RequestLimitsMode: modes[each.requestLimits.mode],
    RequestLimitsReadRate: rate(each.requestLimits.readRate),
    RequestLimitsWriteRate: rate(each.requestLimits.writeRate),
  };
}

function telemetryAndUi({ telemetry, uiConfig: ui }: AgentConfig, reader: SettingReader): Record<string, unknown> {
  return {
    Telemetry: {
      MetricsPrefix: telemetry.metricsPrefix,
      Disable: false,
      DisableHostname: telemetry.disableHostname,
      FilterDefault: telemetry.filterDefault,
      AllowedPrefixes: telemetry.allowedPrefixes,
      BlockedPrefixes: telemetry.blockedPrefixes,
      PrometheusOpts: { Expiration: text(telemetry.prometheusRetentionMs), Name: telemetry.metricsPrefix },
      StatsdAddr: reader.string("telemetry.statsd_address"),
      StatsiteAddr: reader.string("telemetry.statsite_address"),
      DogstatsdAddr: reader.string("telemetry.dogstatsd_addr"),
      DogstatsdTags: reader.strings("telemetry.dogstatsd_tags"),
      CirconusAPIToken: hidden,
      EnableHostMetrics: reader.bool("telemetry.enable_host_metrics"),
      RetryFailedConfiguration: reader.bool("telemetry.retry_failed_connection"),
    },
    UIConfig: {
      Enabled: ui.enabled,
      Dir: ui.dir,
      ContentPath: ui.contentPath,
      MetricsProvider: ui.metricsProvider,
      MetricsProviderFiles: ui.metricsProviderFiles,
      MetricsProviderOptionsJSON: ui.metricsProviderOptionsJson,
      MetricsProxy: {
        BaseURL: ui.metricsProxy.baseUrl,
        AddHeaders: ui.metricsProxy.addHeaders.map(({ name }) => ({ Name: name, Value: hidden })),
        PathAllowlist: ui.metricsProxy.pathAllowlist,
      },
      DashboardURLTemplates: hideSecrets("DashboardURLTemplates", ui.dashboardUrlTemplates),
    },
  };
}

/** Settings without effect in this build, shown as they were given. */
function mesh(reader: SettingReader): Record<string, unknown> {
  const caConfig = reader.settings.get("connect.ca_config") as RawObject | undefined;
  return {
    ConnectEnabled: reader.bool("connect.enabled"),
    ConnectCAProvider: reader.string("connect.ca_provider"),
    ConnectCAConfig: hideSecrets("ConnectCAConfig", plain(caConfig ?? {})),
    ConnectMeshGatewayWANFederationEnabled: reader.bool("connect.enable_mesh_gateway_wan_federation"),
    ConnectVirtualIPCIDRv4: reader.string("connect.virtual_ip_cidr_v4") || "240.0.0.0/4",
    ConnectVirtualIPCIDRv6: reader.string("connect.virtual_ip_cidr_v6") || "2000::/3",
    PeeringEnabled: reader.bool("peering.enabled"),
    PrimaryGateways: reader.strings("primary_gateways"),
    PrimaryGatewaysInterval: text(reader.durationMs("primary_gateways_interval")),
    DefaultIntentionPolicy: reader.string("default_intention_policy"),
    EnableCentralServiceConfig: reader.bool("enable_central_service_config"),
    EnableAgentTLSForChecks: reader.bool("enable_agent_tls_for_checks"),
    UseStreamingBackend: reader.bool("use_streaming_backend"),
    RPCConfig: { EnableStreaming: reader.bool("rpc.enable_streaming", reader.bool("server")) },
    AutoEncryptTLS: reader.bool("auto_encrypt.tls"),
    AutoEncryptAllowTLS: reader.bool("auto_encrypt.allow_tls"),
    AutoEncryptDNSSAN: reader.strings("auto_encrypt.dns_san"),
    AutoEncryptIPSAN: reader.strings("auto_encrypt.ip_san"),
    AutoConfig: { Enabled: reader.bool("auto_config.enabled"), IntroToken: hidden },
    Cache: {
      EntryFetchMaxBurst: reader.number("cache.entry_fetch_max_burst"),
      EntryFetchRate: rate(reader.rate("cache.entry_fetch_rate")),
    },
    XDSUpdateRateLimit: rate(reader.rate("xds.update_max_per_second")),
    EnableXDSLoadBalancing: reader.bool("performance.enable_xds_load_balancing"),
    GRPCKeepaliveInterval: text(reader.durationMs("performance.grpc_keepalive_interval")),
    GRPCKeepaliveTimeout: text(reader.durationMs("performance.grpc_keepalive_timeout")),
    DisableAnonymousSignature: reader.bool("disable_anonymous_signature"),
    DisableUpdateCheck: reader.bool("disable_update_check"),
    Experiments: reader.strings("experiments"),
  };
}
