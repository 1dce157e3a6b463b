// Every key of Consul's agent configuration (https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file),
// in one table: its type, its default, what `-dev` changes, whether a reload applies it, and whether this build does
// anything with it. Whoever makes a key work changes its row to `supported`.

/**
 * `duration` is a text such as "1m30s" or a number of nanoseconds. `strings` are lists of texts; `string-map` and `any-map`
 * are one object with the user's keys; `any-maps` is a list of objects. `service` and `check` are definitions (see
 * service-definition.ts), their plurals lists of them.
 */
export type KeyType =
  | "bool"
  | "int"
  | "float"
  | "string"
  | "duration"
  | "strings"
  | "string-map"
  | "any-map"
  | "any-maps"
  | "service"
  | "services"
  | "check"
  | "checks";

/**
 * `supported`: it does what Consul's documentation says. `accepted`: it is checked and otherwise ignored in this build,
 * and setting it is a warning. `fixed`: Consul parses it but overrides it with a value that users cannot change; so do we.
 * `enterprise`: it belongs to Consul Enterprise.
 */
export type Support = "supported" | "accepted" | "fixed" | "enterprise";

export interface KeySpec {
  /** Dotted, as in messages: `dns_config.max_stale`. */
  path: string;
  type: KeyType;
  support: Support;
  /** True when `reload` and SIGHUP apply a change. */
  reloadable: boolean;
  /** The value when nobody sets it, in the form a file would have it; undefined when being unset has a meaning of its own. */
  default?: boolean | number | string;
  /** The value under `-dev`, where it differs. */
  dev?: boolean | number | string;
  /** The key that took its place; setting the old one is a warning. */
  replacedBy?: string;
}

interface RowOptions {
  default?: boolean | number | string;
  dev?: boolean | number | string;
  reload?: boolean;
  replacedBy?: string;
}

const rows: KeySpec[] = [];

function add(support: Support, prefix: string, type: KeyType, keys: Readonly<Record<string, RowOptions>>): void {
  for (const [key, { reload, ...options }] of Object.entries(keys)) {
    rows.push({ path: prefix + key, type, support, reloadable: reload ?? false, ...options });
  }
}

/** Names without options. */
function names(list: string, options: RowOptions = {}): Record<string, RowOptions> {
  return Object.fromEntries(list.split(" ").map((name) => [name, options]));
}

const reload = true;

// ---- Who and where the agent is
add("supported", "", "string", {
  datacenter: { default: "dc1" },
  ...names("node_name node_id primary_datacenter data_dir pid_file"),
  bind_addr: { default: "0.0.0.0", dev: "127.0.0.1" },
  client_addr: { default: "127.0.0.1" },
  ...names("advertise_addr advertise_addr_ipv4 advertise_addr_ipv6"),
  ...names("advertise_addr_wan advertise_addr_wan_ipv4 advertise_addr_wan_ipv6 serf_lan serf_wan"),
  domain: { default: "consul." },
  alt_domain: {},
});
add("supported", "", "string-map", { node_meta: { reload }, tagged_addresses: {} });
add("supported", "addresses.", "string", names("dns http https grpc grpc_tls"));
add("supported", "ports.", "int", {
  dns: { default: 8600 },
  http: { default: 8500 },
  https: { default: -1 },
  server: { default: 8300 },
  serf_lan: { default: 8301 },
  serf_wan: { default: 8302 },
  // Not in Consul, nor are `remote_datacenters` and `gateway_token`.
  gateway: { default: -1 },
});
add("supported", "", "any-maps", { remote_datacenters: {} });
add("supported", "", "string", { gateway_token: {} });
// gRPC serves Envoy and dataplanes, which this build has not. 8503 on servers when grpc_tls is unset.
add("accepted", "ports.", "int", {
  grpc: { default: -1, dev: 8502 },
  grpc_tls: {},
  proxy_min_port: { default: 20_000 },
  proxy_max_port: { default: 20_255 },
  sidecar_min_port: { default: 21_000 },
  sidecar_max_port: { default: 21_255 },
  expose_min_port: { default: 21_500 },
  expose_max_port: { default: 21_755 },
});
add("supported", "unix_sockets.", "string", names("user group mode"));
add("accepted", "locality.", "string", names("region zone"));

// ---- Server and Raft
add("supported", "", "bool", {
  server: { default: false, dev: true },
  bootstrap: { default: false },
  leave_on_terminate: {},
  skip_leave_on_interrupt: {},
  rejoin_after_leave: {},
  disable_host_node_id: { default: true },
  raft_prevote_disabled: { default: false },
});
add("supported", "", "int", {
  bootstrap_expect: { default: 0 },
  protocol: { default: 2 },
  raft_protocol: { default: 3 },
  raft_snapshot_threshold: { default: 16_384, reload },
  raft_trailing_logs: { default: 10_240, reload },
  retry_max: { default: 0 },
  retry_max_wan: { default: 0 },
});
add("supported", "", "duration", {
  raft_snapshot_interval: { default: "30s", reload },
  reconnect_timeout: {},
  reconnect_timeout_wan: {},
  advertise_reconnect_timeout: {},
  retry_interval: { default: "30s" },
  retry_interval_wan: { default: "30s" },
  server_rejoin_age_max: { default: "168h" },
  session_ttl_min: {},
  default_query_time: { default: "300s" },
  max_query_time: { default: "600s" },
  discovery_max_stale: {},
});
add("supported", "", "strings", names("retry_join retry_join_wan serf_lan_allowed_cidrs serf_wan_allowed_cidrs"));
add("supported", "performance.", "int", { raft_multiplier: { default: 5, dev: 1, reload } });
add("supported", "performance.", "duration", {
  rpc_hold_timeout: { default: "7s" },
  leave_drain_time: { default: "5s" },
});
add("accepted", "performance.", "duration", {
  grpc_keepalive_interval: { default: "30s" },
  grpc_keepalive_timeout: { default: "20s" },
});
add("accepted", "performance.", "bool", { enable_xds_load_balancing: { default: true } });
add("accepted", "raft_logstore.", "string", { backend: {} });
add("accepted", "raft_logstore.", "bool", names("disable_log_cache verification.enabled boltdb.no_freelist_sync"));
add("accepted", "raft_logstore.", "duration", { "verification.interval": {} });
add("accepted", "raft_logstore.", "int", { "wal.segment_size_mb": { default: 64 } });
add("supported", "autopilot.", "bool", { cleanup_dead_servers: { default: true } });
add("supported", "autopilot.", "duration", {
  last_contact_threshold: { default: "200ms" },
  server_stabilization_time: { default: "10s" },
});
add("supported", "autopilot.", "int", { max_trailing_logs: { default: 250 }, min_quorum: { default: 0 } });
add("enterprise", "autopilot.", "string", names("redundancy_zone_tag upgrade_version_tag"));
add("enterprise", "autopilot.", "bool", { disable_upgrade_migration: {} });

// ---- Gossip. The WAN fan-out and retransmission are the LAN's: Consul takes them from there.
add("supported", "gossip_lan.", "duration", {
  gossip_interval: { default: "200ms", dev: "100ms" },
  probe_interval: { default: "1s", dev: "100ms" },
  probe_timeout: { default: "500ms", dev: "100ms" },
});
add("supported", "gossip_lan.", "int", {
  gossip_nodes: { default: 3 },
  suspicion_mult: { default: 4, dev: 3 },
  retransmit_mult: { default: 4 },
});
add("supported", "gossip_wan.", "duration", {
  gossip_interval: { default: "500ms", dev: "100ms" },
  probe_interval: { default: "5s", dev: "100ms" },
  probe_timeout: { default: "3s", dev: "100ms" },
});
add("supported", "gossip_wan.", "int", {
  gossip_nodes: { default: 3 },
  suspicion_mult: { default: 6, dev: 3 },
  retransmit_mult: { default: 4 },
});
add("supported", "", "string", { encrypt: {} });
add("supported", "", "bool", {
  encrypt_verify_incoming: { default: true },
  encrypt_verify_outgoing: { default: true },
  disable_keyring_file: { default: false, dev: true },
  disable_coordinates: { default: false },
});

// ---- Services, checks, watches
add("supported", "", "service", { service: {} });
add("supported", "", "services", { services: { reload } });
add("supported", "", "check", { check: {} });
add("supported", "", "checks", { checks: { reload } });
add("supported", "", "any-maps", { watches: { reload } });
add("supported", "", "int", { check_output_max_size: { default: 4096 } });
add("supported", "", "duration", { check_update_interval: { default: "5m" } });
add("supported", "", "bool", {
  discard_check_output: { default: false, reload },
  enable_script_checks: { default: false },
  enable_local_script_checks: {},
  enable_debug: { default: false, dev: true, reload },
  translate_wan_addrs: { default: false },
  disable_kv_key_validation: { default: false },
  disable_http_unprintable_char_filter: { default: false },
  disable_remote_exec: { default: true },
  auto_reload_config: { default: false },
});
add("accepted", "", "bool", {
  enable_agent_tls_for_checks: { default: false },
  enable_central_service_config: { default: true },
  use_streaming_backend: { default: true },
  "rpc.enable_streaming": {},
  disable_anonymous_signature: { default: false, dev: true },
  disable_update_check: { default: false },
});
add("supported", "config_entries.", "any-maps", { bootstrap: { reload } });
// Not in Consul.
add("supported", "", "any-maps", { kv_replication: {} });

// ---- DNS
add("supported", "", "strings", { recursors: { reload } });
add("supported", "dns_config.", "bool", {
  allow_stale: { default: true, reload },
  disable_compression: { default: false, reload },
  enable_truncate: { default: false, reload },
  only_passing: { default: false, reload },
  enable_additional_node_meta_txt: { default: true, reload },
  use_cache: { default: false, reload },
});
add("supported", "dns_config.", "int", {
  a_record_limit: { default: 0, reload },
  udp_answer_limit: { default: 3, reload },
  "soa.refresh": { default: 3600, reload },
  "soa.retry": { default: 600, reload },
  "soa.expire": { default: 86_400, reload },
  "soa.min_ttl": { default: 0, reload },
});
add("supported", "dns_config.", "duration", {
  max_stale: { default: "87600h", reload },
  node_ttl: { default: "0s", reload },
  recursor_timeout: { default: "2s", reload },
  cache_max_age: { default: "0s", reload },
});
add("supported", "dns_config.", "string-map", { service_ttl: { reload } });
add("supported", "dns_config.", "string", { recursor_strategy: { default: "sequential", reload } });
add("enterprise", "dns_config.", "bool", { prefer_namespace: {} });

// ---- HTTP
add("supported", "http_config.", "strings", names("block_endpoints allow_write_http_from"));
add("supported", "http_config.", "string-map", { response_headers: {} });
add("supported", "http_config.", "bool", { use_cache: { default: true } });
add("supported", "http_config.", "int", { max_header_bytes: { default: 0 } });
add("supported", "http_config.", "duration", {
  read_timeout: { default: "15m" },
  read_header_timeout: { default: "10s" },
  write_timeout: { default: "15m" },
  idle_timeout: { default: "120s" },
});

// ---- Limits
add("supported", "limits.", "int", {
  http_max_conns_per_client: { default: 200, reload },
  http_max_request_body_size: { default: 524_288 },
  kv_max_value_size: { default: 524_288 },
  txn_max_req_len: { default: 524_288 },
  rpc_max_burst: { default: 1000, reload },
  rpc_max_conns_per_client: { default: 100, reload },
});
add("supported", "limits.", "float", { rpc_rate: { default: -1, reload } });
add("supported", "limits.", "duration", {
  rpc_client_timeout: { default: "60s", reload },
  rpc_handshake_timeout: { default: "5s" },
  https_handshake_timeout: { default: "5s" },
});
add("supported", "limits.request_limits.", "string", { mode: { default: "disabled", reload } });
add("supported", "limits.request_limits.", "float", {
  read_rate: { default: -1, reload },
  write_rate: { default: -1, reload },
});
add("accepted", "cache.", "float", { entry_fetch_rate: { reload } });
add("accepted", "cache.", "int", { entry_fetch_max_burst: { default: 2, reload } });

// ---- Logs and metrics
add("supported", "", "string", { log_level: { default: "INFO", dev: "DEBUG", reload }, log_file: {} });
add("supported", "", "bool", { log_json: { default: false } });
add("supported", "", "duration", { log_rotate_duration: {} });
add("supported", "", "int", names("log_rotate_bytes log_rotate_max_files"));
add("accepted", "", "bool", { enable_syslog: { default: false } });
add("accepted", "", "string", { syslog_facility: { default: "LOCAL0" } });
add("supported", "telemetry.", "string", { metrics_prefix: { default: "consul" } });
add("supported", "telemetry.", "bool", { filter_default: { default: true }, disable_hostname: { default: false } });
add("supported", "telemetry.", "strings", { prefix_filter: { reload } });
add("supported", "telemetry.", "duration", { prometheus_retention_time: {} });
add("accepted", "telemetry.", "bool", {
  retry_failed_connection: { default: true },
  enable_host_metrics: { default: false },
  disable_per_tenancy_usage_metrics: { default: false },
  "certificate.enabled": { default: true },
  "certificate.exclude_auto_renewable": { default: false },
});
add("accepted", "telemetry.", "duration", { "certificate.cache_duration": { default: "5m" } });
add("accepted", "telemetry.", "int", {
  "certificate.critical_threshold_days": { default: 7 },
  "certificate.warning_threshold_days": { default: 30 },
  "certificate.info_threshold_days": { default: 90 },
});
add("accepted", "telemetry.", "string", {
  ...names("statsd_address statsite_address dogstatsd_addr circonus_api_app circonus_api_token circonus_api_url"),
  ...names("circonus_broker_id circonus_broker_select_tag circonus_check_display_name circonus_check_id"),
  ...names("circonus_check_force_metric_activation circonus_check_instance_id circonus_check_search_tag"),
  ...names("circonus_check_tags circonus_submission_interval circonus_submission_url"),
});
add("accepted", "telemetry.", "strings", { dogstatsd_tags: {} });

// ---- User interface
add("supported", "ui_config.", "bool", { enabled: { default: false, dev: true } });
add("supported", "ui_config.", "string", { ...names("dir content_path"), metrics_provider: { reload } });
add("accepted", "ui_config.", "strings", names("metrics_provider_files metrics_proxy.path_allowlist", { reload }));
add("accepted", "ui_config.", "string", names("metrics_provider_options_json metrics_proxy.base_url", { reload }));
add("accepted", "ui_config.", "any-maps", { "metrics_proxy.add_headers": { reload } });
add("accepted", "ui_config.", "string-map", { dashboard_url_templates: { reload } });

// ---- ACLs. Only the state of this build keeps them from `supported`.
const acl: Support = "accepted";
add(acl, "acl.", "bool", {
  enabled: { default: false },
  enable_key_list_policy: { default: false },
  enable_token_persistence: { default: false },
  enable_token_replication: { default: false },
});
add(acl, "acl.", "string", { default_policy: { default: "allow" }, down_policy: { default: "extend-cache" } });
add(acl, "acl.", "duration", { policy_ttl: { default: "30s" }, token_ttl: { default: "30s" }, role_ttl: {} });
add(acl, "acl.tokens.", "string", {
  initial_management: {},
  ...names("default agent agent_recovery replication config_file_service_registration dns", { reload }),
});
add("enterprise", "acl.", "bool", { msp_disable_bootstrap: {} });
add("enterprise", "acl.tokens.", "any-maps", { managed_service_provider: {} });

// ---- TLS
const tls: Support = "accepted";
for (const listener of ["defaults", "internal_rpc", "https", "grpc"]) {
  add(tls, `tls.${listener}.`, "string", {
    ...names("ca_file ca_path cert_file key_file tls_cipher_suites", { reload }),
    tls_min_version: listener === "defaults" ? { default: "TLSv1_2", reload } : { reload },
  });
  add(tls, `tls.${listener}.`, "bool", {
    ...names("verify_incoming verify_outgoing verify_server_hostname", { reload }),
    use_auto_cert: {},
  });
  add("accepted", `tls.${listener}.`, "strings", { tls_ecdh_curves: { reload } });
}
add(tls, "", "string", { server_name: {} });

// ---- Service mesh, peering, federation through gateways, automatic configuration
add("accepted", "connect.", "bool", {
  enabled: { default: true },
  enable_mesh_gateway_wan_federation: { default: false },
});
add("accepted", "connect.", "string", names("ca_provider virtual_ip_cidr_v4 virtual_ip_cidr_v6"));
add("accepted", "connect.", "any-map", { ca_config: {} });
add("accepted", "peering.", "bool", { enabled: { default: true } });
add("accepted", "xds.", "float", { update_max_per_second: { default: 250, reload } });
add("accepted", "", "string", { default_intention_policy: {} });
add("accepted", "", "strings", { primary_gateways: {}, experiments: {} });
add("accepted", "", "duration", {
  primary_gateways_interval: { default: "30s" },
  federation_state_anti_entropy_sync_interval: {},
});
add("accepted", "auto_encrypt.", "bool", names("tls allow_tls"));
add("accepted", "auto_encrypt.", "strings", names("dns_san ip_san"));
add("accepted", "auto_config.", "bool", names("enabled authorization.enabled authorization.static.allow_reuse"));
add("accepted", "auto_config.", "string", names("intro_token intro_token_file"));
add("accepted", "auto_config.", "strings", names("dns_sans ip_sans server_addresses"));
add("accepted", "auto_config.authorization.static.", "string", {
  ...names("oidc_discovery_url oidc_discovery_ca_cert jwks_url jwks_ca_cert bound_issuer"),
});
add(
  "accepted",
  "auto_config.authorization.static.",
  "strings",
  names("claim_assertions jwt_supported_algs bound_audiences jwt_validation_pub_keys"),
);
add("accepted", "auto_config.authorization.static.", "string-map", names("claim_mappings list_claim_mappings"));
add(
  "accepted",
  "auto_config.authorization.static.",
  "duration",
  names("expiration_leeway not_before_leeway clock_skew_leeway"),
);
add("accepted", "cloud.", "string", names("resource_id client_id client_secret hostname auth_url scada_address"));
add("accepted", "feature_gates.", "any-map", { bootstrap: {} });
// Where people keep the configuration of Consul's snapshot agent; no agent reads it.
add("accepted", "", "any-map", { snapshot_agent: {} });

// ---- Consul Enterprise
add("enterprise", "", "bool", names("read_replica non_voting_server"));
add("enterprise", "", "string", names("segment partition license_path"));
add("enterprise", "", "any-maps", { segments: {} });
add("enterprise", "", "any-map", names("audit reporting global_registry"));

// ---- What Consul parses and then overrides
add(
  "fixed",
  "",
  "duration",
  names("ae_interval check_deregister_interval_min check_reap_interval sync_coordinate_interval_min"),
);
add("fixed", "", "float", { sync_coordinate_rate_target: {} });
add("fixed", "", "int", names("segment_limit segment_name_limit"));
add("fixed", "", "any-map", { consul: {} });
add("fixed", "", "string", names("revision version version_prerelease version_metadata build_date"));
add(
  "fixed",
  "",
  "string",
  names("license_poll_base_time license_poll_max_time license_update_base_time license_update_max_time"),
);
add("fixed", "connect.", "string", { test_ca_leaf_root_change_spread: {} });
add("fixed", "peering.", "bool", { test_allow_peer_registrations: {} });

// ---- Old names (deprecated-keys.ts says what becomes of each)
add("supported", "", "bool", { ui: { replacedBy: "ui_config.enabled" } });
add("supported", "", "string", {
  ui_dir: { replacedBy: "ui_config.dir" },
  ui_content_path: { replacedBy: "ui_config.content_path" },
});
add("supported", "", "strings", {
  start_join: { replacedBy: "retry_join" },
  start_join_wan: { replacedBy: "retry_join_wan" },
});
add(acl, "acl.tokens.", "string", {
  master: { replacedBy: "acl.tokens.initial_management" },
  agent_master: { replacedBy: "acl.tokens.agent_recovery" },
});
add(acl, "", "string", {
  acl_agent_master_token: { replacedBy: "acl.tokens.agent_recovery" },
  acl_agent_token: { replacedBy: "acl.tokens.agent" },
  acl_token: { replacedBy: "acl.tokens.default" },
  acl_master_token: { replacedBy: "acl.tokens.initial_management" },
  acl_replication_token: { replacedBy: "acl.tokens.replication" },
  acl_datacenter: { replacedBy: "primary_datacenter" },
  acl_default_policy: { replacedBy: "acl.default_policy" },
  acl_down_policy: { replacedBy: "acl.down_policy" },
});
add(acl, "", "duration", { acl_ttl: { replacedBy: "acl.token_ttl" } });
add(acl, "", "bool", {
  enable_acl_replication: { replacedBy: "acl.enable_token_replication" },
  acl_enable_key_list_policy: { replacedBy: "acl.enable_key_list_policy" },
  acl_enforce_version_8: {},
});
add(tls, "", "string", {
  ca_file: { replacedBy: "tls.defaults.ca_file" },
  ca_path: { replacedBy: "tls.defaults.ca_path" },
  cert_file: { replacedBy: "tls.defaults.cert_file" },
  key_file: { replacedBy: "tls.defaults.key_file" },
  tls_cipher_suites: { replacedBy: "tls.defaults.tls_cipher_suites" },
  tls_min_version: { replacedBy: "tls.defaults.tls_min_version" },
});
add(tls, "", "bool", {
  verify_incoming: { replacedBy: "tls.defaults.verify_incoming" },
  verify_incoming_https: { replacedBy: "tls.https.verify_incoming" },
  verify_incoming_rpc: { replacedBy: "tls.internal_rpc.verify_incoming" },
  verify_outgoing: { replacedBy: "tls.defaults.verify_outgoing" },
  verify_server_hostname: { replacedBy: "tls.internal_rpc.verify_server_hostname" },
  tls_prefer_server_cipher_suites: {},
});
add("accepted", "raft_boltdb.", "bool", { nofreelistsync: { replacedBy: "raft_logstore.boltdb.no_freelist_sync" } });

/** All keys, by path. */
export const configKeys: ReadonlyMap<string, KeySpec> = new Map(rows.map((row) => [row.path, row]));

/** The paths of blocks: all that keys have before a dot. */
export const configBlocks: ReadonlySet<string> = new Set(
  rows.flatMap(({ path }) => {
    const parts = path.split(".");
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."));
  }),
);
