// From files, flags and the machine's facts to the configuration an agent runs with. All faults are collected, Consul's
// first one first; the messages are Consul's where users know them.
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file
import { kvReplicationOf } from "./kv-replication.ts";
import { decodeBase64 } from "../util/base64.ts";
import { isUuid } from "../util/bytes.ts";
import { quote } from "../util/quote.ts";
import { OperationalError } from "../types/error.ts";
import { acceptedKeysWarning } from "./accepted-keys.ts";
import { AddressResolver, type AgentAddresses } from "./agent-addresses.ts";
import type { AgentFlags } from "./agent-flags.ts";
import {
  aclConfig,
  dnsConfig,
  gossipPool,
  hourMs,
  httpConfig,
  internalTimings,
  limitsOf,
  raftConfig,
  telemetryConfig,
  uiConfig,
} from "./config-sections.ts";
import type * as types from "./config-types.ts";
import { decodeCheckDefinition } from "./check-definition.ts";
import { parseLogLevel } from "./log-level.ts";
import { type ConfigSource, type EnterpriseKeys, mergeSources } from "./merge.ts";
import type { InterfaceAddress } from "./network-interface.ts";
import type { RawObject } from "./raw-value.ts";
import { type CheckDefinition, decodeServiceDefinition, type ServiceDefinition } from "./service-definition.ts";
import { remoteDatacenters } from "./remote-datacenters.ts";
import { SettingReader } from "./setting-reader.ts";
import { tlsConfig } from "./tls-config.ts";
import { validateConfig } from "./validate-config.ts";
import { decodeWatchDefinition, type WatchDefinition } from "./watch-definition.ts";

export type * from "./config-types.ts";
export type { InterfaceAddress } from "./network-interface.ts";

/** What a configuration is made from. */
export interface ConfigInput {
  /** The files, in order (see `orderConfigDir`). */
  sources: readonly ConfigSource[];
  /** What `parseAgentFlags` gave; null for none, as `validate` has none. */
  flags: AgentFlags | null;
  /** The machine's name, for a node without one. */
  hostname: string;
  /** The addresses of the interfaces that are up; null where the runtime cannot know them. */
  interfaces: readonly InterfaceAddress[] | null;
  /** Keys of Consul Enterprise are errors, or with `warn` warnings. Default `refuse`. */
  enterpriseKeys?: EnterpriseKeys;
}

export type ConfigResult = { config: types.AgentConfig; warnings: string[] } | { errors: string[] };

/** Builds and checks the configuration. That `data_dir` can be used is for the caller to see. */
export function buildConfig(input: ConfigInput): ConfigResult {
  const merged = mergeSources({
    sources: input.sources,
    flags: input.flags,
    enterpriseKeys: input.enterpriseKeys ?? "refuse",
  });
  if ("errors" in merged) return merged;
  const errors: string[] = [];
  const { warnings } = merged;
  const reader = new SettingReader(merged.settings, errors);
  const dev = input.flags?.dev ?? false;
  const ports = portsOf(reader);
  const resolver = new AddressResolver(reader, input.interfaces);
  const addresses = resolver.resolve(ports, warnings);
  const config = assemble({ reader, hostname: input.hostname, dev, ports, addresses, resolver, warnings });
  if (config.bootstrapExpect === 1) {
    config.bootstrap = true;
    config.bootstrapExpect = 0;
    warnings.push("BootstrapExpect is set to 1; this is the same as Bootstrap mode.");
  }
  validateConfig(config, errors, warnings);
  if (errors.length > 0) return { errors };
  const accepted = acceptedKeysWarning(merged.settings, merged.userKeys);
  if (accepted !== null) warnings.push(accepted);
  return { config, warnings };
}

interface Parts {
  reader: SettingReader;
  hostname: string;
  dev: boolean;
  ports: types.AgentConfig["ports"];
  addresses: AgentAddresses;
  resolver: AddressResolver;
  warnings: string[];
}

function assemble({ reader, hostname, dev, ports, addresses: resolved, resolver, warnings }: Parts): types.AgentConfig {
  const { serfLanBind, serfWanBind, ...addresses } = resolved;
  const server = reader.bool("server");
  const datacenter = reader.string("datacenter").toLowerCase();
  const scripts = reader.bool("enable_script_checks");
  return {
    datacenter,
    primaryDatacenter: reader.string("primary_datacenter").toLowerCase() || datacenter,
    nodeName: (reader.string("node_name") || hostname).trim(),
    nodeId: nodeId(reader),
    nodeMeta: reader.stringMap("node_meta"),
    disableHostNodeId: reader.bool("disable_host_node_id"),
    locality: localityOf(reader),

    server,
    bootstrap: reader.bool("bootstrap"),
    bootstrapExpect: reader.number("bootstrap_expect"),
    dev,
    dataDir: reader.string("data_dir"),

    ...addresses,
    ports,
    unixSockets: {
      user: reader.string("unix_sockets.user"),
      group: reader.string("unix_sockets.group"),
      mode: reader.string("unix_sockets.mode"),
    },
    translateWanAddrs: reader.bool("translate_wan_addrs"),

    domain: reader.string("domain"),
    altDomain: reader.string("alt_domain"),
    dns: dnsConfig(reader),
    httpConfig: httpConfig(reader),
    uiConfig: uiConfig(reader),

    logLevel: logLevel(reader),
    logJson: reader.bool("log_json"),
    logFile: reader.string("log_file"),
    logRotateBytes: reader.number("log_rotate_bytes"),
    logRotateDurationMs: reader.durationMs("log_rotate_duration"),
    logRotateMaxFiles: reader.number("log_rotate_max_files"),
    enableSyslog: reader.bool("enable_syslog"),
    syslogFacility: reader.string("syslog_facility"),
    pidFile: reader.string("pid_file"),
    telemetry: telemetryConfig(reader, warnings),
    enableDebug: reader.bool("enable_debug"),
    autoReloadConfig: reader.bool("auto_reload_config"),

    limits: limitsOf(reader),
    kvMaxValueBytes: reader.number("limits.kv_max_value_size"),
    // A transaction must be able to write the largest value.
    txnMaxRequestBytes: Math.max(reader.number("limits.txn_max_req_len"), reader.number("limits.kv_max_value_size")),
    disableKvKeyValidation: reader.bool("disable_kv_key_validation"),
    disableHttpUnprintableCharFilter: reader.bool("disable_http_unprintable_char_filter"),
    defaultQueryTimeMs: reader.durationMs("default_query_time"),
    maxQueryTimeMs: reader.durationMs("max_query_time"),
    discoveryMaxStaleMs: reader.durationMs("discovery_max_stale"),
    performance: {
      rpcHoldTimeoutMs: reader.durationMs("performance.rpc_hold_timeout"),
      leaveDrainTimeMs: reader.durationMs("performance.leave_drain_time"),
    },

    raft: raftConfig(reader, dev),
    protocolVersion: reader.number("protocol"),
    autopilot: {
      cleanupDeadServers: reader.bool("autopilot.cleanup_dead_servers"),
      lastContactThresholdMs: reader.durationMs("autopilot.last_contact_threshold"),
      maxTrailingLogs: reader.number("autopilot.max_trailing_logs"),
      minQuorum: reader.number("autopilot.min_quorum"),
      serverStabilizationTimeMs: reader.durationMs("autopilot.server_stabilization_time"),
    },
    gossipLan: gossipPool(reader, "lan", serfLanBind, addresses.advertiseAddress, ports.serfLan),
    gossipWan:
      ports.serfWan > 0 ? gossipPool(reader, "wan", serfWanBind, addresses.advertiseAddressWan, ports.serfWan) : null,
    retryJoin: {
      addresses: resolver.expandList("retry_join"),
      intervalMs: reader.durationMs("retry_interval"),
      attemptsMax: reader.number("retry_max"),
    },
    retryJoinWan: {
      addresses: resolver.expandList("retry_join_wan"),
      intervalMs: reader.durationMs("retry_interval_wan"),
      attemptsMax: reader.number("retry_max_wan"),
    },
    remoteDatacenters: remoteDatacenters(reader),
    gatewayToken: reader.string("gateway_token"),
    rejoinAfterLeave: reader.bool("rejoin_after_leave"),
    leaveOnTerminate: reader.bool("leave_on_terminate", !server),
    skipLeaveOnInterrupt: reader.bool("skip_leave_on_interrupt", server),
    serverRejoinAgeMaxMs: reader.durationMs("server_rejoin_age_max", 0, 6 * hourMs),
    advertiseReconnectTimeoutMs: reader.durationMs("advertise_reconnect_timeout"),
    encrypt: encryptKey(reader),
    encryptVerifyIncoming: reader.bool("encrypt_verify_incoming"),
    encryptVerifyOutgoing: reader.bool("encrypt_verify_outgoing"),
    disableKeyringFile: reader.bool("disable_keyring_file"),
    disableCoordinates: reader.bool("disable_coordinates"),

    services: servicesOf(reader),
    checks: checksOf(reader),
    watches: watchesOf(reader),
    checkOutputBytesMax: reader.number("check_output_max_size"),
    checkUpdateIntervalMs: reader.durationMs("check_update_interval"),
    discardCheckOutput: reader.bool("discard_check_output"),
    enableScriptChecks: scripts,
    enableLocalScriptChecks: reader.bool("enable_local_script_checks", scripts),
    sessionTtlMinMs: reader.durationMs("session_ttl_min") || 10_000,
    disableRemoteExec: reader.bool("disable_remote_exec"),

    acl: aclConfig(reader),
    tls: tlsConfig(reader),
    serverName: reader.string("server_name"),
    configEntries: [...reader.objects("config_entries.bootstrap")] as RawObject[],
    kvReplication: kvReplicationOf(reader.objects("kv_replication"), datacenter, reader.errors),
    timings: internalTimings(dev),
    settings: reader.settings,
  };
}

function portsOf(reader: SettingReader): types.AgentConfig["ports"] {
  const grpcTls = reader.has("ports.grpc_tls") || !reader.bool("server") ? reader.port("ports.grpc_tls") : 8503;
  return {
    dns: reader.port("ports.dns"),
    http: reader.port("ports.http"),
    https: reader.port("ports.https"),
    grpc: reader.port("ports.grpc"),
    grpcTls,
    server: reader.port("ports.server"),
    serfLan: reader.port("ports.serf_lan"),
    serfWan: reader.port("ports.serf_wan"),
    gateway: reader.port("ports.gateway"),
    sidecarMin: reader.port("ports.sidecar_min_port"),
    sidecarMax: reader.port("ports.sidecar_max_port"),
    exposeMin: reader.port("ports.expose_min_port"),
    exposeMax: reader.port("ports.expose_max_port"),
  };
}

function nodeId(reader: SettingReader): string {
  const id = reader.string("node_id").toLowerCase();
  if (id !== "" && !isUuid(id)) reader.errors.push(`node_id ${quote(reader.string("node_id"))} is not a valid UUID`);
  return id;
}

function localityOf(reader: SettingReader): types.AgentConfig["locality"] {
  const [region, zone] = [reader.string("locality.region"), reader.string("locality.zone")];
  if (region === "" && zone !== "") reader.errors.push("locality is invalid: zone cannot be set without region");
  return region === "" ? null : { region, zone };
}

function logLevel(reader: SettingReader): types.AgentConfig["logLevel"] {
  const name = reader.string("log_level");
  const level = parseLogLevel(name);
  if (level === null) {
    reader.errors.push(`Invalid log level: ${name}. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]`);
  }
  return level ?? "info";
}

function encryptKey(reader: SettingReader): string {
  const key = reader.string("encrypt");
  if (key === "") return key;
  try {
    if (![16, 24, 32].includes(decodeBase64(key).length)) {
      reader.errors.push("encrypt has invalid key: key size must be 16, 24 or 32 bytes");
    }
  } catch (error) {
    reader.errors.push(`encrypt has invalid key: ${(error as Error).message}`);
  }
  return key;
}

/** Applies `decode` to each definition; a refusal becomes an error that begins with what was refused. */
function decodeAll<T>(reader: SettingReader, path: string, kind: string, decode: (raw: RawObject) => T): T[] {
  const decoded: T[] = [];
  for (const raw of reader.objects(path)) {
    try {
      decoded.push(decode(raw));
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      const name = Object.entries(raw).find(([key]) => key.toLowerCase() === "name")?.[1];
      reader.errors.push(`${kind} ${quote(String(name ?? ""))}: ${error.message}`);
    }
  }
  return decoded;
}

function servicesOf(reader: SettingReader): ServiceDefinition[] {
  return decodeAll(reader, "services", "service", (raw) => decodeServiceDefinition(raw, { source: "file" }));
}

function checksOf(reader: SettingReader): CheckDefinition[] {
  return decodeAll(reader, "checks", "check", (raw) => decodeCheckDefinition(raw, { source: "file" }));
}

function watchesOf(reader: SettingReader): WatchDefinition[] {
  return decodeAll(reader, "watches", "watch", (raw) => decodeWatchDefinition(raw, true));
}
