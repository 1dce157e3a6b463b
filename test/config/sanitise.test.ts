import assert from "node:assert/strict";
import { test } from "node:test";
import { sanitise } from "../../src/config/sanitise.ts";
import { built } from "./build.ts";

const facts = { version: "2.0.0", versionPrerelease: "", versionMetadata: "", revision: "r", buildDate: "b" };

/** The fields that Consul's own object has at the top level. */
const consulFields = `
  ACLEnableKeyListPolicy ACLInitialManagementToken ACLResolverSettings ACLTokenReplication ACLTokens ACLsEnabled
  AEInterval AdvertiseAddrLAN AdvertiseAddrWAN AdvertiseReconnectTimeout AllowWriteHTTPFrom AutoConfig
  AutoEncryptAllowTLS AutoEncryptDNSSAN AutoEncryptIPSAN AutoEncryptTLS AutoReloadConfig
  AutoReloadConfigCoalesceInterval AutopilotCleanupDeadServers AutopilotDisableUpgradeMigration
  AutopilotLastContactThreshold AutopilotMaxTrailingLogs AutopilotMinQuorum AutopilotRedundancyZoneTag
  AutopilotServerStabilizationTime AutopilotUpgradeVersionTag BindAddr Bootstrap BootstrapExpect BuildDate Cache
  CheckDeregisterIntervalMin CheckOutputMaxSize CheckReapInterval CheckUpdateInterval Checks ClientAddrs
  ConfigEntryBootstrap ConnectCAConfig ConnectCAProvider ConnectEnabled ConnectMeshGatewayWANFederationEnabled
  ConnectSidecarMaxPort ConnectSidecarMinPort ConnectVirtualIPCIDRv4 ConnectVirtualIPCIDRv6
  ConsulCoordinateUpdateBatchSize ConsulCoordinateUpdateMaxBatches ConsulCoordinateUpdatePeriod
  ConsulRaftElectionTimeout ConsulRaftHeartbeatTimeout ConsulRaftLeaderLeaseTimeout ConsulServerHealthInterval
  DNSARecordLimit DNSAddrs DNSAllowStale DNSAltDomain DNSCacheMaxAge DNSDisableCompression DNSDomain
  DNSEnableTruncate DNSMaxStale DNSNodeMetaTXT DNSNodeTTL DNSOnlyPassing DNSPort DNSRecursorStrategy
  DNSRecursorTimeout DNSRecursors DNSSOA DNSServiceTTL DNSUDPAnswerLimit DNSUseCache DataDir Datacenter
  DefaultIntentionPolicy DefaultQueryTime DevMode DisableAnonymousSignature DisableCoordinates
  DisableHTTPUnprintableCharFilter DisableHostNodeID DisableKVKeyValidation DisableKeyringFile DisableRemoteExec
  DisableUpdateCheck DiscardCheckOutput DiscoveryMaxStale EnableAgentTLSForChecks EnableCentralServiceConfig
  EnableDebug EnableLocalScriptChecks EnableRemoteScriptChecks EnableXDSLoadBalancing EncryptKey Experiments
  ExposeMaxPort ExposeMinPort GRPCAddrs GRPCKeepaliveInterval GRPCKeepaliveTimeout GRPCPort GRPCTLSAddrs
  GRPCTLSPort GossipLANGossipInterval GossipLANGossipNodes GossipLANProbeInterval GossipLANProbeTimeout
  GossipLANRetransmitMult GossipLANSuspicionMult GossipWANGossipInterval GossipWANGossipNodes
  GossipWANProbeInterval GossipWANProbeTimeout GossipWANRetransmitMult GossipWANSuspicionMult HTTPAddrs
  HTTPBlockEndpoints HTTPIdleTimeout HTTPMaxConnsPerClient HTTPMaxHeaderBytes HTTPPort HTTPReadHeaderTimeout
  HTTPReadTimeout HTTPResponseHeaders HTTPSAddrs HTTPSHandshakeTimeout HTTPSPort HTTPUseCache HTTPWriteTimeout
  KVMaxValueSize LeaveDrainTime LeaveOnTerm Locality Logging MaxQueryTime NodeID NodeMeta NodeName PeeringEnabled
  PidFile PrimaryDatacenter PrimaryGateways PrimaryGatewaysInterval RPCAdvertiseAddr RPCBindAddr RPCClientTimeout
  RPCConfig RPCHandshakeTimeout RPCHoldTimeout RPCMaxBurst RPCMaxConnsPerClient RPCProtocol RPCRateLimit
  RaftLogStoreConfig RaftPreVoteDisabled RaftProtocol RaftSnapshotInterval RaftSnapshotThreshold RaftTrailingLogs
  ReadReplica ReconnectTimeoutLAN ReconnectTimeoutWAN RejoinAfterLeave RequestLimitsMode RequestLimitsReadRate
  RequestLimitsWriteRate RetryJoinIntervalLAN RetryJoinIntervalWAN RetryJoinLAN RetryJoinMaxAttemptsLAN
  RetryJoinMaxAttemptsWAN RetryJoinWAN Revision SegmentName Segments SerfAdvertiseAddrLAN SerfAdvertiseAddrWAN
  SerfAllowedCIDRsLAN SerfAllowedCIDRsWAN SerfBindAddrLAN SerfBindAddrWAN SerfPortLAN SerfPortWAN ServerMode
  ServerName ServerPort ServerRejoinAgeMax Services SessionTTLMin SkipLeaveOnInt StaticRuntimeConfig
  SyncCoordinateIntervalMin SyncCoordinateRateTarget TLS TaggedAddresses Telemetry TranslateWANAddrs TxnMaxReqLen
  UIConfig UnixSocketGroup UnixSocketMode UnixSocketUser UseStreamingBackend Version VersionMetadata
  VersionPrerelease Watches XDSUpdateRateLimit`
  .trim()
  .split(/\s+/);

test("sanitise: has Consul's fields, and is plain JSON", () => {
  const shown = sanitise(built({ flags: ["-dev"] }), facts);
  for (const field of consulFields) assert.ok(field in shown, field);
  assert.deepEqual(Object.keys(shown).sort(), consulFields.toSorted());
  assert.deepEqual(JSON.parse(JSON.stringify(shown)), structuredClone(shown));
});

test("sanitise: values as Consul writes them", () => {
  const shown = sanitise(
    built({
      flags: ["-dev", "-node=n1"],
      json: { serf_lan_allowed_cidrs: ["10.0.0.0/8"], addresses: { http: "1.2.3.4 unix:///run/x" }, log_level: "err" },
    }),
    facts,
  );
  assert.deepEqual(shown["DNSAddrs"], ["tcp://127.0.0.1:8600", "udp://127.0.0.1:8600"]);
  assert.deepEqual(shown["HTTPAddrs"], ["tcp://1.2.3.4:8500", "unix:///run/x"]);
  assert.equal(shown["SerfAdvertiseAddrLAN"], "tcp://127.0.0.1:8301");
  assert.deepEqual(shown["SerfAllowedCIDRsLAN"], ["10.0.0.0/8"]);
  assert.equal(shown["ServerRejoinAgeMax"], "168h0m0s");
  assert.equal(shown["DNSMaxStale"], "87600h0m0s");
  assert.equal(shown["ConsulRaftElectionTimeout"], "52ms");
  assert.equal(shown["NodeName"], "n1");
  assert.equal((shown["Logging"] as { LogLevel: string }).LogLevel, "ERR");
});

const secret = "f00dcafe";
const config = built({
  hcl: `
    data_dir = "d"
    encrypt = "AAAAAAAAAAAAAAAAAAAAAA=="
    acl { tokens { default = "${secret}" agent = "${secret}" initial_management = "${secret}" dns = "${secret}" } }
    tls { defaults { key_file = "${secret}" } https { key_file = "${secret}" } }
    retry_join = ["provider=x secret_access_key=${secret} region=eu"]
    retry_join_wan = ["provider=x token=${secret}"]
    node_meta { api_key = "${secret}" rack = "r1" }
    http_config { response_headers { X-Secret = "${secret}" } }
    telemetry { circonus_api_token = "${secret}" }
    ui_config { metrics_proxy { add_headers = [{ name = "Authorization" value = "${secret}" }] } }
    connect { ca_config { token = "${secret}" address = "vault" } }
    auto_config { intro_token = "${secret}" }
    service { name = "a" token = "${secret}" meta { key = "${secret}" }
      check { name = "c" http = "x" interval = "1s" token = "${secret}" header { X-Consul-Token = ["${secret}"] } }
      connect { sidecar_service { token = "${secret}" proxy { config { secret_id = "${secret}" } } } } }
    check { name = "n" ttl = "1s" token = "${secret}" }
    watches = [{ type = "nodes" token = "${secret}" args = ["x"] }]
  `,
});

test("sanitise: no secret is shown", () => {
  const text = JSON.stringify(sanitise(config, facts));
  assert.ok(!text.includes(secret), text.slice(text.indexOf(secret) - 80, text.indexOf(secret) + 20));
  assert.ok(!text.includes("AAAAAAAA"));
});

test("sanitise: what is no secret is shown beside", () => {
  const shown = sanitise(config, facts);
  assert.deepEqual(shown["RetryJoinLAN"], ["provider=x secret_access_key=hidden region=eu"]);
  assert.deepEqual(shown["NodeMeta"], { api_key: "hidden", rack: "r1" });
  assert.deepEqual(shown["ConnectCAConfig"], { token: "hidden", address: "vault" });
  const [service] = shown["Services"] as {
    Name: string;
    Token: string;
    Checks: { Interval: string; Header: unknown }[];
  }[];
  assert.deepEqual([service?.Name, service?.Token, service?.Checks[0]?.Interval], ["a", "hidden", "1s"]);
  assert.deepEqual(service?.Checks[0]?.Header, { "X-Consul-Token": ["hidden"] });
});
