// The flags of `agent` (https://developer.hashicorp.com/consul/commands/agent): each sets one configuration key, save the
// few that say where configuration comes from.
import { type FlagSpec, type FlagType, type FlagValues, parseFlags, usageText } from "./flags.ts";
import type { ConfigFormat } from "./merge.ts";
import type { RawObject } from "./raw-value.ts";
import { configKeys, type KeyType } from "./schema.ts";
import type { Settings, SettingValue } from "./settings.ts";

interface AgentFlag {
  name: string;
  /** The key it sets; null for the flags that `parseAgentFlags` itself reads. */
  key: string | null;
  /** For flags without a key. */
  type?: FlagType;
  sameAs?: string;
  usage: string;
}

const table: readonly AgentFlag[] = [
  { name: "advertise", key: "advertise_addr", usage: "Address that other agents are told to reach this one at." },
  { name: "advertise-wan", key: "advertise_addr_wan", usage: "The same for agents of other datacenters." },
  { name: "bind", key: "bind_addr", usage: "Address to listen on for other agents." },
  { name: "server-port", key: "ports.server", usage: "Port that servers serve each other and clients on." },
  { name: "bootstrap", key: "bootstrap", usage: "Lets this server elect itself leader without others." },
  {
    name: "bootstrap-expect",
    key: "bootstrap_expect",
    usage: "Number of servers to wait for before the first election.",
  },
  {
    name: "client",
    key: "client_addr",
    usage: "Address to listen on for clients: HTTP, HTTPS, DNS and gRPC.",
  },
  {
    name: "check_output_max_size",
    key: "check_output_max_size",
    usage: "Bytes of output that are kept of a check.",
  },
  {
    name: "config-dir",
    key: null,
    type: "strings",
    // One list, since the order among files and directories counts.
    sameAs: "config-file",
    usage: "Directory whose .hcl and .json files are read in the order of their names. May be given repeatedly.",
  },
  {
    name: "config-file",
    key: null,
    type: "strings",
    usage: "Configuration file in HCL or JSON, as its extension says. May be given repeatedly.",
  },
  {
    name: "config-format",
    key: null,
    type: "string",
    usage: "Format of all configuration files whatever their extension: 'hcl' or 'json'.",
  },
  { name: "data-dir", key: "data_dir", usage: "Directory for the agent's state." },
  { name: "datacenter", key: "datacenter", usage: "Datacenter of the agent." },
  {
    name: "default-query-time",
    key: "default_query_time",
    usage: "How long a blocking query waits when it does not say so itself.",
  },
  { name: "dev", key: null, type: "bool", usage: "Runs a server for development: in memory, alone, on loopback." },
  {
    name: "disable-host-node-id",
    key: "disable_host_node_id",
    usage: "Makes the node id at random rather than from the host.",
  },
  { name: "disable-keyring-file", key: "disable_keyring_file", usage: "Does not keep the gossip keys on disk." },
  { name: "dns-port", key: "ports.dns", usage: "Port for DNS." },
  { name: "domain", key: "domain", usage: "Domain that DNS answers for." },
  { name: "alt-domain", key: "alt_domain", usage: "A second domain that DNS answers for." },
  { name: "enable-script-checks", key: "enable_script_checks", usage: "Allows checks that run programs." },
  {
    name: "enable-local-script-checks",
    key: "enable_local_script_checks",
    usage: "Allows checks that run programs when a configuration file defines them.",
  },
  {
    name: "allow-write-http-from",
    key: "http_config.allow_write_http_from",
    usage: "Network (CIDR) from which the HTTP interface may be written to. May be given repeatedly.",
  },
  { name: "encrypt", key: "encrypt", usage: "Key that gossip is encrypted with, in base64." },
  { name: "grpc-port", key: "ports.grpc", usage: "Port for gRPC." },
  { name: "grpc-tls-port", key: "ports.grpc_tls", usage: "Port for gRPC over TLS." },
  { name: "http-port", key: "ports.http", usage: "Port for HTTP." },
  { name: "https-port", key: "ports.https", usage: "Port for HTTPS." },
  { name: "log-level", key: "log_level", usage: "Least important log lines to write: trace, debug, info, warn, err." },
  { name: "log-json", key: "log_json", usage: "Writes log lines as JSON." },
  { name: "log-file", key: "log_file", usage: "File that log lines are written to." },
  { name: "log-rotate-bytes", key: "log_rotate_bytes", usage: "Size at which a new log file is begun." },
  { name: "log-rotate-duration", key: "log_rotate_duration", usage: "Time after which a new log file is begun." },
  { name: "log-rotate-max-files", key: "log_rotate_max_files", usage: "Number of old log files that are kept." },
  { name: "max-query-time", key: "max_query_time", usage: "Longest that a blocking query may wait, before jitter." },
  { name: "node", key: "node_name", usage: "Name of this node, unique in its datacenter." },
  { name: "node-id", key: "node_id", usage: "UUID of this node. Made once and kept in the data directory by default." },
  {
    name: "node-meta",
    key: "node_meta",
    usage: "Metadata of this node, of the form key:value. May be given repeatedly.",
  },
  { name: "non-voting-server", key: "read_replica", sameAs: "read-replica", usage: "Old name of -read-replica." },
  { name: "read-replica", key: "read_replica", usage: "Consul Enterprise: a server without a vote." },
  { name: "pid-file", key: "pid_file", usage: "File that the process id is written to." },
  { name: "protocol", key: "protocol", usage: "Version of the protocol between agents." },
  { name: "raft-protocol", key: "raft_protocol", usage: "Version of the Raft protocol." },
  { name: "recursor", key: "recursors", usage: "DNS server to ask about other domains. May be given repeatedly." },
  {
    name: "primary-gateway",
    key: "primary_gateways",
    usage: "Mesh gateway of the primary datacenter to join through. May be given repeatedly.",
  },
  { name: "rejoin", key: "rejoin_after_leave", usage: "Joins again even if the agent left on purpose before." },
  { name: "auto-reload-config", key: "auto_reload_config", usage: "Reloads configuration files when they change." },
  { name: "retry-interval", key: "retry_interval", usage: "Time between attempts to join." },
  { name: "retry-interval-wan", key: "retry_interval_wan", usage: "Time between attempts to join other datacenters." },
  {
    name: "retry-join",
    key: "retry_join",
    usage: "Agent to join at the start, tried until it works. May be given repeatedly.",
  },
  {
    name: "retry-join-wan",
    key: "retry_join_wan",
    usage: "Server of another datacenter to join, tried until it works. May be given repeatedly.",
  },
  { name: "retry-max", key: "retry_max", usage: "Attempts to join before the agent gives up; 0 for no end." },
  { name: "retry-max-wan", key: "retry_max_wan", usage: "The same for other datacenters." },
  {
    name: "serf-lan-allowed-cidrs",
    key: "serf_lan_allowed_cidrs",
    usage: "Network (CIDR) whose agents may join. May be given repeatedly.",
  },
  {
    name: "serf-wan-allowed-cidrs",
    key: "serf_wan_allowed_cidrs",
    usage: "Network (CIDR) whose servers of other datacenters may join. May be given repeatedly.",
  },
  { name: "serf-lan-bind", key: "serf_lan", usage: "Address to listen on for the datacenter's gossip." },
  { name: "serf-lan-port", key: "ports.serf_lan", usage: "Port for the datacenter's gossip." },
  { name: "segment", key: "segment", usage: "Consul Enterprise: network segment to join." },
  { name: "serf-wan-bind", key: "serf_wan", usage: "Address to listen on for gossip between datacenters." },
  { name: "serf-wan-port", key: "ports.serf_wan", usage: "Port for gossip between datacenters." },
  { name: "server", key: "server", usage: "Runs a server rather than a client." },
  { name: "syslog", key: "enable_syslog", usage: "Writes log lines to syslog as well." },
  { name: "ui", key: "ui_config.enabled", usage: "Serves the web page." },
  { name: "ui-content-path", key: "ui_config.content_path", usage: "Path that the web page is served under: /ui/." },
  { name: "ui-dir", key: "ui_config.dir", usage: "Directory with a web page to serve in place of the built-in one." },
  {
    name: "hcl",
    key: null,
    type: "strings",
    usage: "A piece of configuration in HCL. May be given repeatedly.",
  },
  // After retry-join, whose list they lengthen.
  { name: "join", key: "start_join", usage: "Old name of -retry-join." },
  { name: "join-wan", key: "start_join_wan", usage: "Old name of -retry-join-wan." },
];

const flagTypes: Partial<Record<KeyType, FlagType>> = {
  bool: "bool",
  int: "int",
  string: "string",
  // Checked with the files', so that the message names the key.
  duration: "string",
  strings: "strings",
  "string-map": "string-map",
};

/** The flags of `agent`, for the parser and the help. */
export const agentFlagSpecs: readonly FlagSpec[] = table.map(({ name, key, type, sameAs, usage }) => ({
  name,
  type: type ?? flagTypes[configKeys.get(key ?? "")?.type ?? "string"] ?? "string",
  usage,
  separator: ":",
  ...(sameAs === undefined ? {} : { sameAs }),
}));

/** What the flags of `agent` say. */
export interface AgentFlags {
  values: FlagValues;
  dev: boolean;
  /** Paths of files and directories, in the order given, whichever flag named them. */
  configPaths: readonly string[];
  configFormat: ConfigFormat | null;
  /** The `-hcl` fragments. */
  hcl: readonly string[];
}

/** Reads the words after `agent`. `help` is true when only help was asked for. */
export function parseAgentFlags(words: readonly string[]): AgentFlags | { error: string; help: boolean } {
  const result = parseFlags(agentFlagSpecs, words);
  if ("error" in result) return result;
  const { flags } = result;
  const format = flags.string("config-format");
  if (format !== "" && format !== "json" && format !== "hcl") {
    return { error: "config: -config-format must be either 'hcl' or 'json'", help: false };
  }
  return {
    values: flags,
    dev: flags.bool("dev"),
    configPaths: flags.strings("config-file"),
    configFormat: format === "" ? null : format,
    hcl: flags.strings("hcl"),
  };
}

export interface FlagSettings {
  /** Lists at the top level: they come before those of the files. */
  lists: Settings;
  /** All else: it wins over the files. */
  values: Settings;
  warnings: string[];
}

/** The flags as settings, with Consul's order for lists. */
export function flagSettings(flags: AgentFlags): FlagSettings {
  const result: FlagSettings = { lists: new Map(), values: new Map(), warnings: [] };
  for (const { name, key } of table) {
    const given = flags.values.get(name);
    if (given === undefined || key === null) continue;
    const value = given instanceof Map ? mapSetting(given) : (given as SettingValue);
    if (name === "join" || name === "join-wan") {
      addToList(result.lists, name === "join" ? "retry_join" : "retry_join_wan", value as readonly string[]);
      result.warnings.push(`The flag '-${name}' is deprecated. Use the '-retry-${name}' flag instead.`);
    } else if (Array.isArray(value) && !key.includes(".")) {
      addToList(result.lists, key, value as readonly string[]);
    } else {
      result.values.set(key, value);
    }
  }
  return result;
}

function addToList(settings: Settings, key: string, more: readonly string[]): void {
  settings.set(key, [...((settings.get(key) ?? []) as readonly string[]), ...more]);
}

function mapSetting(map: ReadonlyMap<string, string>): RawObject {
  return Object.assign(Object.create(null) as RawObject, Object.fromEntries(map));
}

/** The help of `agent`; `program` is the command's own name. */
export function agentUsage(program: string): string {
  return usageText(
    `Usage: ${program} agent [options]\n\n  Starts the agent and runs until it is interrupted.`,
    agentFlagSpecs,
  );
}
