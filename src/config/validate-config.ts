// The rules between settings: what must be there, what excludes what, and what deserves a warning.
import { quote } from "../util/quote.ts";
import { utf8 } from "../util/bytes.ts";
import { parseCidr } from "../util/ip-address.ts";
import type { AgentConfig } from "./config-types.ts";
import { nodeMetadataFault } from "./metadata.ts";
import { gatewayRules } from "./remote-datacenters.ts";

/** Adds what is wrong to `errors` and what is doubtful to `warnings`, with Consul's texts where users know them. */
export function validateConfig(config: AgentConfig, errors: string[], warnings: string[]): void {
  identity(config, errors, warnings);
  ports(config, errors);
  bootstrap(config, errors, warnings);
  ui(config, errors);
  numbers(config, errors);
  mesh(config, errors, warnings);
  gatewayRules(config, errors, warnings);
  if (config.server && config.advertiseReconnectTimeoutMs !== 0) {
    errors.push("advertise_reconnect_timeout can only be used on a client");
  }
  if (config.enableScriptChecks && !config.acl.enabled && config.httpConfig.allowWriteHttpFrom.length === 0) {
    warnings.push(
      "using enable-script-checks without ACLs and without allow_write_http_from is DANGEROUS, " +
        "use enable-local-script-checks instead: whoever reaches the HTTP port can run programs here",
    );
  }
}

/** Why a name that must be simple is refused; null when it is not. */
function basicNameFault(field: string, value: string): string | null {
  if (value === "") return `${field} cannot be empty`;
  if (/^[a-z0-9_-]+$/.test(value)) return null;
  return `${field} can only contain lowercase alphanumeric, - or _ characters. received: ${quote(value)}`;
}

function identity(config: AgentConfig, errors: string[], warnings: string[]): void {
  const { datacenter, nodeName } = config;
  const add = (fault: string | null): void => {
    if (fault !== null) errors.push(fault);
  };
  if (config.raft.protocol !== 3) {
    errors.push(`raft_protocol version ${config.raft.protocol} is not supported by this version of Consul`);
  }
  if (config.protocolVersion < 2 || config.protocolVersion > 3) {
    const wrong = config.protocolVersion < 2 ? "low" : "high";
    errors.push(`Protocol version '${config.protocolVersion}' too ${wrong}. Must be in range: [2, 3]`);
  }
  add(basicNameFault("datacenter", datacenter));
  if (datacenter !== "" && !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(datacenter)) {
    warnings.push(
      `Datacenter : ${quote(datacenter)} will not be PKI X.509 compatible due to invalid characters. ` +
        "Valid characters include lowercase alphanumeric characters with dashes in between.",
    );
  }
  if (config.dataDir === "" && !config.dev) errors.push("data_dir cannot be empty");
  if (config.primaryDatacenter !== datacenter) add(basicNameFault("primary_datacenter", config.primaryDatacenter));
  if (nodeName === "") {
    errors.push("node_name cannot be empty");
  } else if (/[^A-Za-z0-9\\-]/.test(nodeName)) {
    warnings.push(
      `Node name ${quote(nodeName)} will not be discoverable via DNS due to invalid characters. ` +
        "Valid characters include all alpha-numerics and dashes.",
    );
  } else if (utf8(nodeName).length > 63) {
    warnings.push(
      `Node name ${quote(nodeName)} will not be discoverable via DNS due to it being too long. ` +
        "Valid lengths are between 1 and 63 bytes.",
    );
  }
  const meta = nodeMetadataFault(config.nodeMeta);
  if (meta !== null) errors.push(`node_meta invalid: ${meta}`);
  const [first = "", ...rest] = config.altDomain.split(".");
  if (rest.length > 0 && ["service", "connect", "node", "query", "addr", datacenter].includes(first)) {
    errors.push(`alt_domain cannot start with {service,connect,node,query,addr,${datacenter}}`);
  }
}

function ports({ ports: each, settings, server }: AgentConfig, errors: string[]): void {
  if (each.server <= 0) errors.push("server-port must be greater than zero");
  // A client without the port is a leaf of the pool: it calls and is not called.
  if (each.serfLan <= 0 && (server || each.serfLan !== -1))
    errors.push("serf-lan-port must be greater than zero (a client may have -1: then nobody calls it)");
  const ranges = [
    ["proxy", Number(settings.get("ports.proxy_min_port")), Number(settings.get("ports.proxy_max_port"))],
    ["sidecar", each.sidecarMin, each.sidecarMax],
    ["expose", each.exposeMin, each.exposeMax],
  ] as const;
  for (const [name, min, max] of ranges) {
    if (max >= min) continue;
    errors.push(`${name}_min_port must be less than ${name}_max_port. To disable, set both to zero.`);
  }
}

function bootstrap(config: AgentConfig, errors: string[], warnings: string[]): void {
  const { server, dev, bootstrapExpect: expect } = config;
  if (config.bootstrap && !server) errors.push("'bootstrap = true' requires 'server = true'");
  if (expect < 0) errors.push(`bootstrap_expect cannot be ${expect}. Must be greater than or equal to zero`);
  if (expect > 0 && !server) errors.push("'bootstrap_expect > 0' requires 'server = true'");
  if (expect > 0 && dev) errors.push("'bootstrap_expect > 0' not allowed in dev mode");
  if (expect > 0 && config.bootstrap) {
    errors.push("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive");
  }
  if (!server) return;
  if (expect === 2) warnings.push("bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance.");
  if (expect > 2 && expect % 2 === 0) {
    warnings.push(
      "bootstrap_expect is even number: A cluster with an even number of servers does not achieve " +
        "optimum fault tolerance.",
    );
  }
  if (config.bootstrap && expect === 0) warnings.push("bootstrap = true: do not enable unless necessary");
  if (expect > 1) warnings.push(`bootstrap_expect > 0: expecting ${expect} servers`);
}

function ui({ uiConfig, dev }: AgentConfig, errors: string[]): void {
  const { contentPath, metricsProvider, metricsProxy } = uiConfig;
  if (!/^[A-Za-z0-9/_-]+$/.test(contentPath)) {
    errors.push(`ui-content-path can only contain alphanumeric, -, _, or /. received: ${quote(contentPath)}`);
  }
  if (/^\/v\d+\/$/.test(contentPath)) {
    errors.push(`ui-content-path cannot have 'v[0-9]'. received: ${quote(contentPath)}`);
  }
  if (uiConfig.enabled && uiConfig.dir !== "" && !dev) {
    errors.push(
      "Both the ui_config.enabled and ui_config.dir (or -ui and -ui-dir) were specified, please provide only one. " +
        "The first serves the page that comes with this program, the second one of your own.",
    );
  }
  const provider = metricsProvider === "" ? null : basicNameFault("ui_config.metrics_provider", metricsProvider);
  if (provider !== null) errors.push(provider);
  if (!isJsonObject(uiConfig.metricsProviderOptionsJson)) {
    errors.push(
      "ui_config.metrics_provider_options_json must be empty or a string containing a valid JSON object. " +
        `received: ${quote(uiConfig.metricsProviderOptionsJson)}`,
    );
  }
  if (metricsProxy.baseUrl !== "" && !isWebUrl(metricsProxy.baseUrl)) {
    errors.push(
      `ui_config.metrics_proxy.base_url must be a valid http or https URL. received: ${quote(metricsProxy.baseUrl)}`,
    );
  }
  for (const path of metricsProxy.pathAllowlist) {
    if (!/^\/[^?#]*$/.test(path)) {
      errors.push(`ui_config.metrics_proxy.path_allowlist: path ${quote(path)} is not an absolute path`);
    }
  }
  for (const [name, url] of Object.entries(uiConfig.dashboardUrlTemplates)) {
    const fault = basicNameFault("ui_config.dashboard_url_templates key names", name);
    if (fault !== null) errors.push(fault);
    if (!isWebUrl(url)) {
      errors.push(
        `ui_config.dashboard_url_templates values must be a valid http or https URL. received: ${quote(url)}`,
      );
    }
  }
}

function isWebUrl(text: string): boolean {
  return /^https?:/i.test(text);
}

function isJsonObject(text: string): boolean {
  if (text === "") return true;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value);
  } catch {
    return false;
  }
}

function numbers(config: AgentConfig, errors: string[]): void {
  if (config.checkOutputBytesMax < 1) {
    errors.push("check_output_max_size must be positive, to discard check output use the discard_check_output flag");
  }
  for (const [key, value] of [
    ["autopilot.max_trailing_logs", config.autopilot.maxTrailingLogs],
    ["autopilot.min_quorum", config.autopilot.minQuorum],
    ["dns_config.udp_answer_limit", config.dns.udpAnswerLimit],
    ["dns_config.a_record_limit", config.dns.aRecordLimit],
    ["raft_snapshot_threshold", config.raft.snapshotThreshold],
    ["raft_trailing_logs", config.raft.trailingLogs],
  ] as const) {
    if (value < 0) errors.push(`${key} cannot be ${value}. Must be greater than or equal to zero`);
  }
  // Timers must move on, or they would never let anything else run.
  const pools = config.gossipWan === null ? [] : ([["gossip_wan", config.gossipWan]] as const);
  for (const [pool, timing] of [["gossip_lan", config.gossipLan] as const, ...pools]) {
    for (const [key, value] of [
      ["gossip_interval", timing.gossipIntervalMs],
      ["probe_interval", timing.probeIntervalMs],
      ["probe_timeout", timing.probeTimeoutMs],
      ["gossip_nodes", timing.gossipNodes],
      ["suspicion_mult", timing.suspicionMult],
      ["retransmit_mult", timing.retransmitMult],
    ] as const) {
      if (value <= 0) errors.push(`${pool}.${key} must be greater than zero`);
    }
  }
  logStore(config, errors);
  if (config.raft.snapshotIntervalMs <= 0) errors.push("raft_snapshot_interval must be greater than zero");
  const { settings } = config;
  const burst = settings.get("cache.entry_fetch_max_burst");
  if (Number(burst) <= 0) errors.push(`cache.entry_fetch_max_burst must be strictly positive, was: ${String(burst)}`);
  if (settings.get("cache.entry_fetch_rate") === 0) {
    errors.push("cache.entry_fetch_rate must be strictly positive, was: 0");
  }
}

function logStore({ server, settings }: AgentConfig, errors: string[]): void {
  if (!server) return;
  const backend = settings.get("raft_logstore.backend");
  if (backend !== undefined && !["", "default", "boltdb", "wal"].includes(String(backend))) {
    errors.push("raft_logstore.backend must be one of 'boltdb' or 'wal'");
  }
  const segmentMb = Number(settings.get("raft_logstore.wal.segment_size_mb"));
  if (segmentMb < 1) errors.push("raft_logstore.wal.segment_size_mb cannot be less than 1MB");
  if (segmentMb > 1024) errors.push("raft_logstore.wal.segment_size_mb cannot be greater than 1024 (1GiB)");
}

/** Keys of the mesh and of automatic configuration, which this build only checks. */
function mesh(config: AgentConfig, errors: string[], warnings: string[]): void {
  const { server, settings } = config;
  const on = (key: string): boolean => settings.get(key) === true;
  const gateways = settings.get("primary_gateways");
  if (on("connect.enable_mesh_gateway_wan_federation")) {
    const key = "connect.enable_mesh_gateway_wan_federation";
    if (!on("connect.enabled")) errors.push(`'${key}=true' requires 'connect.enabled=true'`);
    if (!server) errors.push(`'${key} = true' requires 'server = true'`);
    if (config.nodeName.includes("/")) {
      errors.push(`'${key} = true' requires that 'node_name' not contain '/' characters`);
    }
    if (config.retryJoinWan.addresses.length > 0) errors.push(`'retry_join_wan' is incompatible with '${key} = true'`);
  }
  if (Array.isArray(gateways) && gateways.length > 0) {
    if (!server) errors.push("'primary_gateways' requires 'server = true'");
    else if (config.primaryDatacenter === config.datacenter) {
      errors.push("'primary_gateways' should only be configured in a secondary datacenter");
    }
  }
  const provider = settings.get("connect.ca_provider");
  if (provider !== undefined && !["", "consul", "vault", "aws-pca"].includes(String(provider))) {
    errors.push(`${String(provider)} is not a valid CA provider`);
  }
  for (const family of [4, 6]) {
    const key = `virtual_ip_cidr_v${family}`;
    const cidr = settings.get(`connect.${key}`) ?? "";
    if (cidr !== "" && parseCidr(String(cidr))?.network.family !== family) {
      errors.push(`invalid ${key}: ${quote(String(cidr))} is no IPv${family} network`);
    }
  }
  if (server && on("auto_encrypt.tls")) errors.push("auto_encrypt.tls can only be used on a client.");
  if (!server && on("auto_encrypt.allow_tls")) errors.push("auto_encrypt.allow_tls can only be used on a server.");
  if (on("auto_config.enabled") && on("auto_encrypt.tls")) {
    errors.push("both auto_encrypt.tls and auto_config.enabled cannot be set to true.");
  }
  if (server && on("auto_config.enabled")) {
    errors.push("auto_config.enabled cannot be set to true for server agents.");
  }
  if (on("auto_encrypt.allow_tls") && !config.tls.internalRpc.verifyIncoming) {
    warnings.push(
      "if auto_encrypt.allow_tls is turned on, tls.internal_rpc.verify_incoming should be enabled " +
        "(either explicitly or via tls.defaults.verify_incoming), except while TLS is being introduced",
    );
  }
  const streaming = settings.get("rpc.enable_streaming");
  if (server && streaming === false && on("use_streaming_backend")) {
    warnings.push("use_streaming_backend = true requires rpc.enable_streaming on servers to work properly");
  }
  if (!server && streaming === true) {
    warnings.push("rpc.enable_streaming = true has no effect when not running in server mode");
  }
}
