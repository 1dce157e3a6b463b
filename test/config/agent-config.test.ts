import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { build, built, errorsOf, type Given, warningsOf } from "./build.ts";
import { userMap } from "../../src/util/user-map.ts";

/** A client agent that only lacks what a test gives it. */
const client = (more: Record<string, unknown>): Given => ({ json: { data_dir: "d", ...more } });
const server = (more: Record<string, unknown>): Given => client({ server: true, ...more });
const NO_LAN_PORT = "serf-lan-port must be greater than zero (a client may have -1: then nobody calls it)";

// The steps of `validate` in the recordings of Consul's command line.
test("validate ok.json: valid, with the warning about bootstrap", () => {
  const json = { server: true, bootstrap: true, data_dir: "x", node_name: "v" };
  assert.deepEqual(warningsOf({ json }), ["bootstrap = true: do not enable unless necessary"]);
});
test("validate ok.hcl: valid", () => {
  assert.equal(built({ hcl: 'server = true\nbootstrap = true\ndata_dir = "x"\n' }).nodeName, "host");
});
test("validate unknown.json: the key and the file are named", () => {
  assert.deepEqual(errorsOf({ json: { servr: true } }), [
    "failed to parse a.json: invalid config key servr (line 1, column 2)",
  ]);
});
test("validate broken.json: refused with the place", () => {
  const sources = [{ name: "broken.json", format: "json" as const, text: "{" }];
  assert.deepEqual(errorsOf({ sources }), [
    "failed to parse broken.json: At 1:2: expected a key in double quotes, got the end of the text",
  ]);
});
test("validate types.json: the key and the wrong value are named", () => {
  assert.deepEqual(errorsOf({ json: { server: "maybe", data_dir: "x" } }), [
    `failed to parse a.json: 'server' expected true or false, got the string "maybe" (line 1, column 2)`,
  ]);
});
test("validate nodata.json: data_dir is needed", () => {
  assert.deepEqual(errorsOf({ json: { server: true } }), ["data_dir cannot be empty"]);
});

test("the defaults of a client", () => {
  const config = built(client({}));
  assert.deepEqual(
    [
      config.datacenter,
      config.primaryDatacenter,
      config.nodeName,
      config.domain,
      config.logLevel,
      config.sessionTtlMinMs,
    ],
    ["dc1", "dc1", "host", "consul.", "info", 10_000],
  );
  assert.deepEqual([config.leaveOnTerminate, config.skipLeaveOnInterrupt], [true, false]);
  assert.deepEqual(config.raft, {
    multiplier: 5,
    heartbeatTimeoutMs: 5000,
    electionTimeoutMs: 5000,
    leaderLeaseTimeoutMs: 2500,
    snapshotThreshold: 16_384,
    snapshotIntervalMs: 30_000,
    trailingLogs: 10_240,
    preVoteDisabled: false,
    protocol: 3,
  });
  assert.deepEqual(config.limits, {
    httpMaxConnsPerClient: 200,
    httpRequestBytesMax: 524_288,
    httpsHandshakeTimeoutMs: 5000,
    rpcClientTimeoutMs: 60_000,
    rpcHandshakeTimeoutMs: 5000,
    rpcMaxBurst: 1000,
    rpcMaxConnsPerClient: 100,
    rpcRate: Number.POSITIVE_INFINITY,
    requestLimits: { mode: "disabled", readRate: Number.POSITIVE_INFINITY, writeRate: Number.POSITIVE_INFINITY },
  });
  assert.deepEqual(
    [config.gossipLan, config.gossipWan].map((pool) => [
      pool?.gossipIntervalMs,
      pool?.gossipNodes,
      pool?.probeIntervalMs,
      pool?.probeTimeoutMs,
      pool?.suspicionMult,
      pool?.retransmitMult,
      pool?.reconnectTimeoutMs,
    ]),
    [
      [200, 3, 1000, 500, 4, 4, 259_200_000],
      [500, 3, 5000, 3000, 6, 4, 259_200_000],
    ],
  );
  assert.deepEqual([config.defaultQueryTimeMs, config.maxQueryTimeMs], [300_000, 600_000]);
  assert.deepEqual([config.kvMaxValueBytes, config.txnMaxRequestBytes], [524_288, 524_288]);
  assert.deepEqual(config.dns, {
    allowStale: true,
    maxStaleMs: 87_600 * 3_600_000,
    nodeTtlMs: 0,
    serviceTtlMs: userMap(),
    onlyPassing: false,
    enableTruncate: false,
    udpAnswerLimit: 3,
    aRecordLimit: 0,
    disableCompression: false,
    nodeMetaTxt: true,
    recursorStrategy: "sequential",
    recursorTimeoutMs: 2000,
    soa: { refresh: 3600, retry: 600, expire: 86_400, minTtl: 0 },
    useCache: false,
    cacheMaxAgeMs: 0,
  });
  assert.equal(config.ports.grpcTls, -1);
});

test("a server leaves differently and has a port for gRPC over TLS", () => {
  const config = built(server({}));
  assert.deepEqual([config.leaveOnTerminate, config.skipLeaveOnInterrupt, config.ports.grpcTls], [false, true, 8503]);
  const own = built(server({ leave_on_terminate: true, skip_leave_on_interrupt: false, ports: { grpc_tls: -1 } }));
  assert.deepEqual([own.leaveOnTerminate, own.skipLeaveOnInterrupt, own.ports.grpcTls], [true, false, -1]);
});

test("-dev: a server in memory with short timings, without data_dir", () => {
  const config = built({ flags: ["-dev"] });
  assert.deepEqual(
    [config.dev, config.server, config.bindAddress, config.logLevel, config.uiConfig.enabled, config.enableDebug],
    [true, true, "127.0.0.1", "debug", true, true],
  );
  assert.deepEqual(
    [config.raft.heartbeatTimeoutMs, config.raft.electionTimeoutMs, config.raft.leaderLeaseTimeoutMs],
    [35, 52, 20],
  );
  assert.deepEqual([config.gossipLan.probeTimeoutMs, config.gossipLan.suspicionMult], [100, 3]);
  assert.deepEqual([config.timings.coordinateUpdatePeriodMs, config.timings.serverHealthIntervalMs], [100, 10]);
  assert.equal(config.disableKeyringFile, true);
  assert.equal(config.ports.grpc, 8502);
  assert.deepEqual(warningsOf({ flags: ["-dev"] }), []);
});

test("the agent that the conformance runner starts", () => {
  const words = ["http", "dns", "server", "serf-lan", "serf-wan"].map((name, index) => `-${name}-port=${9000 + index}`);
  const flags = [
    "-dev",
    "-node=n1",
    "-datacenter=dc1",
    "-bind=127.0.0.1",
    "-client=127.0.0.1",
    ...words,
    "-grpc-port=-1",
  ];
  const config = built({ json: {}, flags });
  assert.deepEqual([config.ports.http, config.ports.serfWan, config.ports.grpc], [9000, 9004, -1]);
  assert.deepEqual(warningsOf({ json: {}, flags }), []);
});

type Pick = (config: AgentConfig) => unknown;
const settings: readonly [string, Given, Pick, unknown][] = [
  ["datacenter is lower case", client({ datacenter: "A" }), (c) => [c.datacenter, c.primaryDatacenter], ["a", "a"]],
  ["primary_datacenter", client({ primary_datacenter: "P" }), (c) => c.primaryDatacenter, "p"],
  ["node_name is trimmed", client({ node_name: " n " }), (c) => c.nodeName, "n"],
  [
    "node_id is lower case",
    client({ node_id: "AAAAAAAA-0000-0000-0000-000000000001" }),
    (c) => c.nodeId,
    "aaaaaaaa-0000-0000-0000-000000000001",
  ],
  ["raft_multiplier", client({ performance: { raft_multiplier: 9 } }), (c) => c.raft.leaderLeaseTimeoutMs, 4500],
  ["a duration in nanoseconds", client({ session_ttl_min: 5_000_000_000 }), (c) => c.sessionTtlMinMs, 5000],
  ["a duration with a fraction", client({ dns_config: { node_ttl: "1500us" } }), (c) => c.dns.nodeTtlMs, 1.5],
  [
    "service_ttl",
    client({ dns_config: { service_ttl: { "*": "5s", web: "1m" } } }),
    (c) => ({ ...c.dns.serviceTtlMs }),
    { "*": 5000, web: 60_000 },
  ],
  [
    "soa",
    client({ dns_config: { soa: { refresh: 1, retry: 2, expire: 3, min_ttl: 4 } } }),
    (c) => c.dns.soa,
    { refresh: 1, retry: 2, expire: 3, minTtl: 4 },
  ],
  [
    "recursor_strategy",
    client({ dns_config: { recursor_strategy: "random" } }),
    (c) => c.dns.recursorStrategy,
    "random",
  ],
  ["enable_script_checks", client({ enable_script_checks: true }), (c) => c.enableLocalScriptChecks, true],
  [
    "enable_local_script_checks",
    client({ enable_local_script_checks: true }),
    (c) => [c.enableScriptChecks, c.enableLocalScriptChecks],
    [false, true],
  ],
  [
    "kv_max_value_size raises the transaction's limit",
    client({ limits: { kv_max_value_size: 1_000_000 } }),
    (c) => c.txnMaxRequestBytes,
    1_000_000,
  ],
  ["a rate", client({ limits: { rpc_rate: 12.5 } }), (c) => c.limits.rpcRate, 12.5],
  ["a rate of 0", client({ limits: { rpc_rate: 0 } }), (c) => c.limits.rpcRate, 0],
  [
    "request_limits",
    client({ limits: { request_limits: { mode: "enforcing", read_rate: 5, write_rate: 2.5 } } }),
    (c) => c.limits.requestLimits,
    { mode: "enforcing", readRate: 5, writeRate: 2.5 },
  ],
  ["content_path", client({ ui_config: { content_path: "a/b" } }), (c) => c.uiConfig.contentPath, "/a/b/"],
  [
    "the paths of prometheus",
    client({ ui_config: { metrics_provider: "prometheus" } }),
    (c) => c.uiConfig.metricsProxy.pathAllowlist,
    ["/api/v1/query", "/api/v1/query_range"],
  ],
  [
    "add_headers",
    client({ ui_config: { metrics_proxy: { add_headers: [{ name: "a", value: "b" }] } } }),
    (c) => c.uiConfig.metricsProxy.addHeaders,
    [{ name: "a", value: "b" }],
  ],
  [
    "prefix_filter",
    client({ telemetry: { prefix_filter: ["+a", "-b"] } }),
    (c) => [c.telemetry.allowedPrefixes, c.telemetry.blockedPrefixes],
    [["a"], ["b"]],
  ],
  [
    "retry_join",
    client({ retry_join: ["a", "", "b"], retry_max: 3 }),
    (c) => c.retryJoin,
    { addresses: ["a", "b"], intervalMs: 30_000, attemptsMax: 3 },
  ],
  [
    "retry_join with a template",
    client({ retry_join: ['{{ printf "1.2.3.4 4.3.2.1" }}'] }),
    (c) => c.retryJoin.addresses,
    ["1.2.3.4", "4.3.2.1"],
  ],
  [
    "retry_join of a provider keeps its spaces",
    client({ retry_join: ["provider=aws tag_key=a tag_value=b"] }),
    (c) => c.retryJoin.addresses,
    ["provider=aws tag_key=a tag_value=b"],
  ],
  [
    "response_headers",
    client({ http_config: { response_headers: { "X-A": "1" } } }),
    (c) => ({ ...c.httpConfig.responseHeaders }),
    { "X-A": "1" },
  ],
  [
    "advertise_reconnect_timeout",
    client({ advertise_reconnect_timeout: "1m" }),
    (c) => c.advertiseReconnectTimeoutMs,
    60_000,
  ],
  ["reconnect_timeout", client({ reconnect_timeout: "24h" }), (c) => c.gossipLan.reconnectTimeoutMs, 86_400_000],
  ["locality", client({ locality: { region: "r", zone: "z" } }), (c) => c.locality, { region: "r", zone: "z" }],
  ["bootstrap_expect = 1", server({ bootstrap_expect: 1 }), (c) => [c.bootstrap, c.bootstrapExpect], [true, 0]],
  ["encrypt", client({ encrypt: "AAAAAAAAAAAAAAAAAAAAAA==" }), (c) => c.encrypt, "AAAAAAAAAAAAAAAAAAAAAA=="],
  ["log_level in any case", client({ log_level: "Err" }), (c) => c.logLevel, "error"],
  [
    "config_entries.bootstrap",
    {
      hcl: 'data_dir = "d"\nconfig_entries { bootstrap { kind = "proxy-defaults" name = "global" config { a = [1] } } }',
    },
    (c) => JSON.parse(JSON.stringify(c.configEntries)),
    [{ kind: "proxy-defaults", name: "global", config: { a: [1] } }],
  ],
  [
    "acl",
    client({ acl: { enabled: true, default_policy: "deny", tokens: { default: "t", initial_management: "m" } } }),
    (c) => [c.acl.enabled, c.acl.defaultPolicy, c.acl.tokens.default, c.acl.tokens.initialManagement, c.acl.roleTtlMs],
    [true, "deny", "t", "m", 0],
  ],
  [
    "tls: a listener has its own or the default",
    client({
      tls: { defaults: { ca_file: "ca", verify_incoming: true }, https: { verify_incoming: false, cert_file: "c" } },
    }),
    (c) => [c.tls.https.caFile, c.tls.https.certFile, c.tls.https.verifyIncoming, c.tls.internalRpc.verifyIncoming],
    ["ca", "c", false, true],
  ],
  [
    "tls: checking names implies TLS",
    client({ tls: { defaults: { verify_server_hostname: true } } }),
    (c) => [c.tls.internalRpc.verifyServerHostname, c.tls.internalRpc.verifyOutgoing, c.tls.https.verifyServerHostname],
    [true, true, false],
  ],
  [
    "tls: gRPC never calls out",
    client({ tls: { defaults: { verify_outgoing: true } } }),
    (c) => [c.tls.https.verifyOutgoing, c.tls.grpc.verifyOutgoing],
    [true, false],
  ],
  [
    "tls: suites that do not fit an own version are dropped",
    client({
      tls: {
        defaults: { tls_cipher_suites: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
        https: { tls_min_version: "TLSv1_3" },
      },
    }),
    (c) => [c.tls.grpc.cipherSuites.length, c.tls.https.cipherSuites.length],
    [1, 0],
  ],
  [
    "services",
    client({ service: { name: "a" }, services: [{ name: "b" }] }),
    (c) => c.services.map(({ name }) => name),
    ["b", "a"],
  ],
  [
    "checks",
    client({ check: { name: "a", ttl: "10s" } }),
    (c) => c.checks.map(({ id, ttlMs }) => [id, ttlMs]),
    [["a", 10_000]],
  ],
  [
    "watches",
    client({ watches: [{ type: "key", key: "a", args: ["x", "y"] }] }),
    (c) => c.watches.map(({ key, handler }) => [key, handler]),
    [["a", { type: "script", args: ["x", "y"] }]],
  ],
];

for (const [name, given, pick, wanted] of settings) {
  test(`buildConfig: ${name}`, () => assert.deepEqual(pick(built(given)), wanted));
}

const refusals: readonly [string, Given, string][] = [
  ["no data_dir", { json: {} }, "data_dir cannot be empty"],
  ["no datacenter", client({ datacenter: "" }), "datacenter cannot be empty"],
  [
    "a bad datacenter",
    client({ datacenter: "%" }),
    'datacenter can only contain lowercase alphanumeric, - or _ characters. received: "%"',
  ],
  [
    "a bad primary_datacenter",
    client({ primary_datacenter: "%" }),
    'primary_datacenter can only contain lowercase alphanumeric, - or _ characters. received: "%"',
  ],
  ["no node_name", { ...client({}), hostname: " " }, "node_name cannot be empty"],
  ["a bad node_id", client({ node_id: "x" }), 'node_id "x" is not a valid UUID'],
  [
    "a zone without region",
    client({ locality: { zone: "z" } }),
    "locality is invalid: zone cannot be set without region",
  ],
  ["bootstrap of a client", client({ bootstrap: true }), "'bootstrap = true' requires 'server = true'"],
  ["bootstrap_expect of a client", client({ bootstrap_expect: 3 }), "'bootstrap_expect > 0' requires 'server = true'"],
  [
    "bootstrap_expect below 0",
    server({ bootstrap_expect: -1 }),
    "bootstrap_expect cannot be -1. Must be greater than or equal to zero",
  ],
  [
    "bootstrap and bootstrap_expect",
    server({ bootstrap: true, bootstrap_expect: 3 }),
    "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive",
  ],
  [
    "bootstrap_expect with -dev",
    { ...server({ bootstrap_expect: 3 }), flags: ["-dev"] },
    "'bootstrap_expect > 0' not allowed in dev mode",
  ],
  ["raft_protocol", client({ raft_protocol: 2 }), "raft_protocol version 2 is not supported by this version of Consul"],
  ["protocol", client({ protocol: 1 }), "Protocol version '1' too low. Must be in range: [2, 3]"],
  [
    "raft_multiplier 0",
    client({ performance: { raft_multiplier: 0 } }),
    "performance.raft_multiplier cannot be 0. Must be between 1 and 10",
  ],
  [
    "raft_multiplier 20",
    client({ performance: { raft_multiplier: 20 } }),
    "performance.raft_multiplier cannot be 20. Must be between 1 and 10",
  ],
  [
    "an encrypt key that is no base64",
    client({ encrypt: "this is not a valid key" }),
    "encrypt has invalid key: illegal base64 data at input byte 4",
  ],
  [
    "an encrypt key of 8 bytes",
    client({ encrypt: "AAAAAAAAAAA=" }),
    "encrypt has invalid key: key size must be 16, 24 or 32 bytes",
  ],
  ["a port past 65535", client({ ports: { http: 65_536 } }), "ports.http: invalid port: 65536"],
  ["no server port", client({ ports: { server: 0 } }), "server-port must be greater than zero"],
  ["no LAN port at a server", server({ ports: { serf_lan: -1 } }), NO_LAN_PORT],
  [
    "sidecar ports",
    client({ ports: { sidecar_min_port: 10, sidecar_max_port: 5 } }),
    "sidecar_min_port must be less than sidecar_max_port. To disable, set both to zero.",
  ],
  [
    "an alternative domain that begins with a keyword",
    client({ alt_domain: "service.x" }),
    "alt_domain cannot start with {service,connect,node,query,addr,dc1}",
  ],
  [
    "an alternative domain that begins with the datacenter",
    client({ datacenter: "a", alt_domain: "a.x" }),
    "alt_domain cannot start with {service,connect,node,query,addr,a}",
  ],
  [
    "a bad duration",
    client({ dns_config: { max_stale: "x" } }),
    'dns_config.max_stale: invalid duration: "x": time: invalid duration "x"',
  ],
  [
    "a duration without unit",
    client({ retry_interval: "30" }),
    'retry_interval: invalid duration: "30": time: missing unit in duration "30"',
  ],
  [
    "a bad duration in a map",
    client({ dns_config: { service_ttl: { web: "x" } } }),
    'dns_config.service_ttl["web"]: invalid duration: "x": time: invalid duration "x"',
  ],
  [
    "a short read_timeout",
    client({ http_config: { read_timeout: "10ms" } }),
    "http_config.read_timeout: duration '10ms' cannot be less than: 1s",
  ],
  [
    "a short idle_timeout",
    client({ http_config: { idle_timeout: "1s" } }),
    "http_config.idle_timeout: duration '1s' cannot be less than: 10s",
  ],
  [
    "a short server_rejoin_age_max",
    client({ server_rejoin_age_max: "1h" }),
    "server_rejoin_age_max: duration '1h0m0s' cannot be less than: 6h0m0s",
  ],
  [
    "a recursor strategy",
    client({ dns_config: { recursor_strategy: "x" } }),
    'dns_config.recursor_strategy: invalid strategy: "x"',
  ],
  [
    "udp_answer_limit",
    client({ dns_config: { udp_answer_limit: -1 } }),
    "dns_config.udp_answer_limit cannot be -1. Must be greater than or equal to zero",
  ],
  [
    "a_record_limit",
    client({ dns_config: { a_record_limit: -1 } }),
    "dns_config.a_record_limit cannot be -1. Must be greater than or equal to zero",
  ],
  [
    "an soa value",
    client({ dns_config: { soa: { retry: -1 } } }),
    "dns_config.soa.retry cannot be -1. Must be between 0 and 4294967295",
  ],
  [
    "max_trailing_logs",
    client({ autopilot: { max_trailing_logs: -1 } }),
    "autopilot.max_trailing_logs cannot be -1. Must be greater than or equal to zero",
  ],
  [
    "check_output_max_size",
    client({ check_output_max_size: 0 }),
    "check_output_max_size must be positive, to discard check output use the discard_check_output flag",
  ],
  [
    "a gossip interval of 0",
    client({ gossip_lan: { gossip_interval: "0s" } }),
    "gossip_lan.gossip_interval must be greater than zero",
  ],
  [
    "a limits mode",
    client({ limits: { request_limits: { mode: "x" } } }),
    'limits.request_limits.mode: invalid mode: "x"',
  ],
  [
    "a negative size",
    client({ limits: { kv_max_value_size: -1 } }),
    "limits.kv_max_value_size cannot be -1. Must be greater than or equal to zero",
  ],
  [
    "a cidr",
    client({ http_config: { allow_write_http_from: ["x"] } }),
    "http_config.allow_write_http_from: invalid cidr: x",
  ],
  [
    "a cidr of gossip",
    client({ serf_lan_allowed_cidrs: ["10.0.0.0/33"] }),
    "serf_lan_allowed_cidrs: invalid cidr: 10.0.0.0/33",
  ],
  [
    "a log level",
    client({ log_level: "loud" }),
    "Invalid log level: loud. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]",
  ],
  ["a default policy", client({ acl: { default_policy: "maybe" } }), 'unexpected ACL default policy value of "maybe"'],
  ["a down policy", client({ acl: { down_policy: "maybe" } }), 'unexpected ACL down policy value of "maybe"'],
  [
    "node_meta without key",
    client({ node_meta: { "": "v" } }),
    "node_meta invalid: Couldn't load metadata pair ('', 'v'): Key cannot be blank",
  ],
  [
    "node_meta with a reserved key",
    client({ node_meta: { "consul-x": "v" } }),
    "node_meta invalid: Couldn't load metadata pair ('consul-x', 'v'): Key prefix 'consul-' is reserved for internal use",
  ],
  [
    "node_meta with a long key",
    client({ node_meta: { ["k".repeat(129)]: "v" } }),
    `node_meta invalid: Couldn't load metadata pair ('${"k".repeat(129)}', 'v'): Key is too long (limit: 128 characters)`,
  ],
  [
    "node_meta with 65 keys",
    client({ node_meta: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, "v"])) }),
    "node_meta invalid: Node metadata cannot contain more than 64 key/value pairs",
  ],
  [
    "ui-content-path with a version",
    client({ ui_config: { content_path: "v1" } }),
    `ui-content-path cannot have 'v[0-9]'. received: "/v1/"`,
  ],
  [
    "ui-content-path with spaces",
    client({ ui_config: { content_path: "a b" } }),
    'ui-content-path can only contain alphanumeric, -, _, or /. received: "/a b/"',
  ],
  [
    "ui options that are no object",
    client({ ui_config: { metrics_provider_options_json: "[]" } }),
    'ui_config.metrics_provider_options_json must be empty or a string containing a valid JSON object. received: "[]"',
  ],
  [
    "a metrics provider",
    client({ ui_config: { metrics_provider: "A" } }),
    'ui_config.metrics_provider can only contain lowercase alphanumeric, - or _ characters. received: "A"',
  ],
  [
    "a proxy url",
    client({ ui_config: { metrics_proxy: { base_url: "ftp://x" } } }),
    'ui_config.metrics_proxy.base_url must be a valid http or https URL. received: "ftp://x"',
  ],
  [
    "a proxy path",
    client({ ui_config: { metrics_proxy: { path_allowlist: ["x"] } } }),
    'ui_config.metrics_proxy.path_allowlist: path "x" is not an absolute path',
  ],
  [
    "a dashboard",
    client({ ui_config: { dashboard_url_templates: { a: "x" } } }),
    'ui_config.dashboard_url_templates values must be a valid http or https URL. received: "x"',
  ],
  [
    "advertise_reconnect_timeout of a server",
    server({ advertise_reconnect_timeout: "1m" }),
    "advertise_reconnect_timeout can only be used on a client",
  ],
  [
    "auto_encrypt.tls of a server",
    server({ auto_encrypt: { tls: true } }),
    "auto_encrypt.tls can only be used on a client.",
  ],
  [
    "auto_encrypt.allow_tls of a client",
    client({ auto_encrypt: { allow_tls: true } }),
    "auto_encrypt.allow_tls can only be used on a server.",
  ],
  [
    "auto_config of a server",
    server({ auto_config: { enabled: true } }),
    "auto_config.enabled cannot be set to true for server agents.",
  ],
  ["primary_gateways of a client", client({ primary_gateways: ["a"] }), "'primary_gateways' requires 'server = true'"],
  [
    "primary_gateways in the primary",
    server({ primary_gateways: ["a"] }),
    "'primary_gateways' should only be configured in a secondary datacenter",
  ],
  [
    "gateways with retry_join_wan",
    server({ connect: { enable_mesh_gateway_wan_federation: true }, retry_join_wan: ["a"] }),
    "'retry_join_wan' is incompatible with 'connect.enable_mesh_gateway_wan_federation = true'",
  ],
  ["a CA provider", client({ connect: { ca_provider: "x" } }), "x is not a valid CA provider"],
  [
    "a virtual network",
    client({ connect: { virtual_ip_cidr_v4: "::/8" } }),
    'invalid virtual_ip_cidr_v4: "::/8" is no IPv4 network',
  ],
  [
    "a log store",
    server({ raft_logstore: { backend: "x" } }),
    "raft_logstore.backend must be one of 'boltdb' or 'wal'",
  ],
  [
    "a log segment",
    server({ raft_logstore: { wal: { segment_size_mb: 0 } } }),
    "raft_logstore.wal.segment_size_mb cannot be less than 1MB",
  ],
  [
    "a cache burst",
    client({ cache: { entry_fetch_max_burst: 0 } }),
    "cache.entry_fetch_max_burst must be strictly positive, was: 0",
  ],
  [
    "tls.grpc.verify_outgoing",
    client({ tls: { grpc: { verify_outgoing: true } } }),
    "verify_outgoing is not valid in the tls.grpc stanza",
  ],
  [
    "tls.https.verify_server_hostname",
    client({ tls: { https: { verify_server_hostname: true } } }),
    "verify_server_hostname is only valid in the tls.defaults and tls.internal_rpc stanzas",
  ],
  [
    "tls.https.use_auto_cert",
    client({ tls: { https: { use_auto_cert: true } } }),
    "use_auto_cert is only valid in the tls.grpc stanza",
  ],
  [
    "a TLS version",
    client({ tls: { https: { tls_min_version: "tls12" } } }),
    "tls.https.tls_min_version: invalid TLS version: no matching TLS version found for tls12, please specify one of [TLS_AUTO, TLSv1_0, TLSv1_1, TLSv1_2, TLSv1_3]",
  ],
  [
    "a cipher suite",
    client({ tls: { defaults: { tls_cipher_suites: "X,Y" } } }),
    "tls.defaults.tls_cipher_suites: invalid TLS cipher suites: no matching Consul Agent TLS cipher suite found for X,Y",
  ],
  [
    "suites for TLS 1.3",
    client({ tls: { https: { tls_min_version: "TLSv1_3", tls_cipher_suites: "X" } } }),
    "tls.https.tls_cipher_suites: TLS 1.3 cipher suites are not configurable",
  ],
  ["a service without name", client({ service: {} }), 'service "": Missing service name'],
  [
    "a service's meta",
    client({ service: { name: "a", meta: { "b c": "d" } } }),
    `service "a": invalid meta: Couldn't load metadata pair ('b c', 'd'): Key contains invalid characters`,
  ],
  [
    "a service's weights",
    client({ service: { name: "a", weights: { passing: 0 } } }),
    'service "a": Invalid weight definition: Passing must be greater than 0',
  ],
  [
    "a service's check",
    client({ service: { name: "a", check: { name: "c", http: "x" } } }),
    'service "a": check "c": Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks',
  ],
  ["a service's unknown field", client({ service: { name: "a", prot: 1 } }), 'service "a": unknown field "prot"'],
  [
    "a socket and a port",
    client({ service: { name: "a", port: 1, socket_path: "/x" } }),
    'service "a": cannot have both socket path /x and address/port',
  ],
  [
    "a sidecar with an id",
    client({ service: { name: "a", connect: { sidecar_service: { id: "x" } } } }),
    `service "a": sidecar_service can't specify an ID`,
  ],
  [
    "a sidecar in a sidecar",
    client({ service: { name: "a", connect: { sidecar_service: { connect: { sidecar_service: {} } } } } }),
    `service "a": sidecar_service can't have a nested sidecar_service`,
  ],
  [
    "a check",
    client({ check: { name: "c", os_service: "x" } }),
    'check "c": Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks',
  ],
  ["a check's status", client({ check: { name: "c", ttl: "1s", status: "odd" } }), 'check "c": Bad check status'],
  ["a check's duration", client({ check: { name: "c", ttl: "x" } }), 'check "c": time: invalid duration "x"'],
  [
    "a watch of the mesh",
    client({ watches: [{ type: "connect_roots", args: ["x"] }] }),
    'watch "": Watch type connect_roots is not allowed in agent config',
  ],
];

for (const [name, given, message] of refusals) {
  test(`buildConfig: ${name} is refused`, () => assert.deepEqual(errorsOf(given), [message]));
}

test("buildConfig: a page of its own beside the built-in one is refused, save under -dev", () => {
  const json = { data_dir: "d", ui_config: { enabled: true, dir: "x" } };
  assert.match(errorsOf({ json })[0] ?? "", /^Both the ui_config\.enabled and ui_config\.dir .+ were specified/);
  assert.deepEqual(errorsOf({ json, flags: ["-dev"] }), []);
});

test("buildConfig: all faults are told at once", () => {
  assert.deepEqual(errorsOf({ json: { datacenter: "%", log_level: "x", bootstrap: true } }).length, 4);
});

const doubts: readonly [string, Given, string[]][] = [
  ["nothing", client({}), []],
  [
    "bootstrap_expect = 1",
    server({ bootstrap_expect: 1 }),
    [
      "BootstrapExpect is set to 1; this is the same as Bootstrap mode.",
      "bootstrap = true: do not enable unless necessary",
    ],
  ],
  [
    "bootstrap_expect = 2",
    server({ bootstrap_expect: 2 }),
    [
      "bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance.",
      "bootstrap_expect > 0: expecting 2 servers",
    ],
  ],
  ["bootstrap_expect = 3", server({ bootstrap_expect: 3 }), ["bootstrap_expect > 0: expecting 3 servers"]],
  [
    "bootstrap_expect = 4",
    server({ bootstrap_expect: 4 }),
    [
      "bootstrap_expect is even number: A cluster with an even number of servers does not achieve optimum fault tolerance.",
      "bootstrap_expect > 0: expecting 4 servers",
    ],
  ],
  [
    "a datacenter that no certificate can name",
    client({ datacenter: "a_b" }),
    [
      'Datacenter : "a_b" will not be PKI X.509 compatible due to invalid characters. Valid characters include lowercase alphanumeric characters with dashes in between.',
    ],
  ],
  [
    "a node name that DNS cannot have",
    client({ node_name: "a.b" }),
    [
      'Node name "a.b" will not be discoverable via DNS due to invalid characters. Valid characters include all alpha-numerics and dashes.',
    ],
  ],
  [
    "a long node name",
    client({ node_name: "n".repeat(64) }),
    [
      `Node name "${"n".repeat(64)}" will not be discoverable via DNS due to it being too long. Valid lengths are between 1 and 63 bytes.`,
    ],
  ],
  [
    "filter rules",
    client({ telemetry: { prefix_filter: ["", "nix"] } }),
    ["Cannot have empty filter rule in prefix_filter", `Filter rule must begin with either '+' or '-': "nix"`],
  ],
  [
    "no client address",
    client({ client_addr: "" }),
    ["client_addr is empty, client services (DNS, HTTP, HTTPS, GRPC) will not be listening for connections"],
  ],
  [
    "keys without effect",
    client({
      xds: { update_max_per_second: 5 },
      connect: { enabled: true },
      peering: { enabled: false },
      telemetry: { statsd_address: "x" },
    }),
    ["these configuration keys have no effect in this build: telemetry.statsd_address, xds.update_max_per_second"],
  ],
];

for (const [name, given, warnings] of doubts) {
  test(`buildConfig warns of ${name}`, () => assert.deepEqual(warningsOf(given), warnings));
}

test("buildConfig warns of scripts that anyone may register", () => {
  const given = client({ enable_script_checks: true });
  assert.match(warningsOf(given)[0] ?? "", /^using enable-script-checks without ACLs .+ is DANGEROUS/);
  const fenced = client({ enable_script_checks: true, http_config: { allow_write_http_from: ["127.0.0.0/8"] } });
  assert.deepEqual(warningsOf(fenced), []);
});

test("buildConfig: Enterprise keys are refused, or warned of", () => {
  const json = { data_dir: "d", partition: "p" };
  assert.deepEqual(errorsOf({ json }), [
    'a.json: "partition" is a Consul Enterprise configuration, which this build does not have',
  ]);
  assert.deepEqual(warningsOf({ json, enterpriseKeys: "warn" }), [
    '"partition" is a Consul Enterprise configuration and will have no effect',
  ]);
});

test("buildConfig: hostile texts end in errors, not in exceptions", () => {
  for (const text of ["\u0000", "{".repeat(10_000), '{"a":'.repeat(10_000), '"', "a = <<", "[", "null", "\ud800 = 1"]) {
    for (const format of ["json", "hcl"] as const) {
      const result = build({ sources: [{ name: "x", format, text }] });
      assert.ok("errors" in result && result.errors.length > 0, `${format} ${text.slice(0, 10)}`);
    }
  }
});
