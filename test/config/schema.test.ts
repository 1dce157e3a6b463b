import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../src/config/json.ts";
import { parseHcl } from "../../src/config/hcl.ts";
import { configBlocks, configKeys, type KeyType } from "../../src/config/schema.ts";
import { defaultSettings, mergeSettings, type Settings, settingsOf } from "../../src/config/settings.ts";

/** A value of each type, and one that is none. */
const samples: Readonly<Record<KeyType, { good: unknown; bad: unknown }>> = {
  bool: { good: true, bad: "true" },
  int: { good: 7, bad: 7.5 },
  float: { good: 7.5, bad: "7.5" },
  string: { good: "x", bad: 1 },
  duration: { good: "10s", bad: true },
  strings: { good: ["a", "b"], bad: "a" },
  "string-map": { good: { a: "b" }, bad: { a: 1 } },
  "any-map": { good: { a: { b: [1] } }, bad: "x" },
  "any-maps": { good: [{ a: 1 }, {}], bad: ["x"] },
  service: { good: { name: "a" }, bad: "x" },
  services: { good: [{ name: "a" }], bad: "x" },
  check: { good: { name: "a" }, bad: 1 },
  checks: { good: [{ name: "a" }], bad: [1] },
};

/** `{"a": {"b": value}}` for the path `a.b`. */
const nested = (path: string, value: unknown): unknown =>
  path
    .split(".")
    .reverse()
    .reduce((inner, key) => ({ [key]: inner }), value);

const read = (value: unknown): ReturnType<typeof settingsOf> => settingsOf(parseJson(JSON.stringify(value)));

test("settingsOf: every key takes a value of its type and refuses another, naming the key", () => {
  for (const { path, type } of configKeys.values()) {
    const { good, bad } = samples[type];
    const right = read(nested(path, good));
    assert.ok("settings" in right, path);
    assert.deepEqual(JSON.parse(JSON.stringify(right.settings.get(path))), good, path);
    const wrong = read(nested(path, bad));
    assert.ok("errors" in wrong, path);
    assert.match(
      wrong.errors[0] ?? "",
      new RegExp(`^'${path.replaceAll(".", "[.]")}' expected .+ \\(line 1, column \\d+\\)$`),
    );
  }
});

test("the table: no path is both a key and a block, defaults fit their types, new names exist", () => {
  assert.ok(configKeys.size > 390);
  for (const { path, type, default: value, dev, replacedBy } of configKeys.values()) {
    assert.ok(!configBlocks.has(path), path);
    assert.equal(path, path.toLowerCase());
    if (replacedBy !== undefined) {
      assert.equal(configKeys.get(replacedBy)?.type, type, path);
    }
    for (const each of [value, dev]) {
      if (each !== undefined) assert.ok("settings" in read(nested(path, each)), path);
    }
  }
});

test("the table: what the issue asks of a reload", () => {
  const reloadable = [
    "acl.tokens.default acl.tokens.agent acl.tokens.replication config_entries.bootstrap checks services watches",
    "node_meta log_level discard_check_output dns_config.node_ttl dns_config.soa.min_ttl recursors",
    "telemetry.prefix_filter raft_snapshot_threshold raft_snapshot_interval raft_trailing_logs",
    "performance.raft_multiplier limits.rpc_rate limits.rpc_max_burst limits.http_max_conns_per_client",
    "limits.request_limits.mode limits.request_limits.read_rate cache.entry_fetch_rate xds.update_max_per_second",
    "ui_config.metrics_proxy.base_url enable_debug tls.https.cert_file",
  ];
  for (const path of reloadable.join(" ").split(" ")) assert.equal(configKeys.get(path)?.reloadable, true, path);
  for (const path of ["data_dir", "node_name", "server", "encrypt", "ports.http", "bind_addr", "bootstrap_expect"]) {
    assert.equal(configKeys.get(path)?.reloadable, false, path);
  }
});

const faults: readonly [string, string][] = [
  ["servr = true", "invalid config key servr (line 1, column 1)"],
  ["ports {\n  htp = 1\n}", "invalid config key ports.htp (line 2, column 3)"],
  ["ports = 8500", "'ports' expected one block, got 8500 (line 1, column 1)"],
  ["ports { }\nports { }", "'ports' expected one block, got 2 blocks (line 1, column 1)"],
  ['server = "yes"', `'server' expected true or false, got the string "yes" (line 1, column 1)`],
  [
    "bootstrap_expect = 9007199254740993",
    "'bootstrap_expect' expected an integer, got 9007199254740993 (line 1, column 1)",
  ],
  ["retry_join = [1]", "'retry_join' expected a list of strings, got a list (line 1, column 1)"],
  ["datacenter { }", "'datacenter' expected a string, got a block (line 1, column 1)"],
  ["datacenter = [{}]", "'datacenter' expected a string, got a list (line 1, column 1)"],
];

for (const [text, message] of faults) {
  test(`settingsOf: ${JSON.stringify(text)} is refused`, () => {
    assert.deepEqual(settingsOf(parseHcl(text)), { errors: [message] });
  });
}

test("settingsOf: all faults of a source are told", () => {
  const result = settingsOf(parseHcl("a = 1\nserver = 1\nb { }"));
  assert.ok("errors" in result);
  assert.equal(result.errors.length, 3);
});

test("settingsOf: names match whatever their case, JSON's null is absence", () => {
  const result = read({ Server: true, PORTS: { Http: 1 }, node_name: null, Node_Meta: { Key: "V" } });
  assert.ok("settings" in result);
  assert.deepEqual([...result.settings.keys()], ["server", "ports.http", "node_meta"]);
  assert.deepEqual({ ...(result.settings.get("node_meta") as object) }, { Key: "V" });
});

test("settingsOf: HCL's blocks become one object, a list, or plain data, as the key wants", () => {
  const result = settingsOf(
    parseHcl(`
      service { name = "a" check { ttl = "1s" } }
      services { name = "b" }
      checks { name = "c" }
      checks { name = "d" }
      watches = [{ type = "key" }]
      config_entries { bootstrap { kind = "x" config { list = ["one"] } } }
      connect { ca_config { a { b = 1 } } }
    `),
  );
  assert.ok("settings" in result);
  assert.deepEqual(JSON.parse(JSON.stringify(Object.fromEntries(result.settings))), {
    service: { name: "a", check: { ttl: "1s" } },
    services: [{ name: "b" }],
    checks: [{ name: "c" }, { name: "d" }],
    watches: [{ type: "key" }],
    "config_entries.bootstrap": [{ kind: "x", config: { list: ["one"] } }],
    "connect.ca_config": { a: { b: 1 } },
  });
});

test("mergeSettings: plain values replace, lists append, maps overlay", () => {
  const layer = (entries: Record<string, unknown>): Settings => new Map(Object.entries(entries)) as Settings;
  const merged = mergeSettings([
    layer({ datacenter: "a", retry_join: ["1"], node_meta: { x: "1", y: "1" }, services: [{ name: "a" }] }),
    layer({ datacenter: "b", retry_join: ["2"], node_meta: { y: "2", z: "2" }, services: [{ name: "b" }] }),
    layer({ node_name: "n" }),
  ]);
  assert.deepEqual(JSON.parse(JSON.stringify(Object.fromEntries(merged))), {
    datacenter: "b",
    retry_join: ["1", "2"],
    node_meta: { x: "1", y: "2", z: "2" },
    services: [{ name: "a" }, { name: "b" }],
    node_name: "n",
  });
});

test("defaultSettings: -dev differs where Consul's does", () => {
  const [usual, dev] = [defaultSettings(false), defaultSettings(true)];
  const changed = [...dev].filter(([path, value]) => usual.get(path) !== value);
  assert.deepEqual(Object.fromEntries(changed.sort(([a], [b]) => (a < b ? -1 : 1))), {
    bind_addr: "127.0.0.1",
    disable_anonymous_signature: true,
    disable_keyring_file: true,
    enable_debug: true,
    "gossip_lan.gossip_interval": "100ms",
    "gossip_lan.probe_interval": "100ms",
    "gossip_lan.probe_timeout": "100ms",
    "gossip_lan.suspicion_mult": 3,
    "gossip_wan.gossip_interval": "100ms",
    "gossip_wan.probe_interval": "100ms",
    "gossip_wan.probe_timeout": "100ms",
    "gossip_wan.suspicion_mult": 3,
    log_level: "DEBUG",
    "performance.raft_multiplier": 1,
    "ports.grpc": 8502,
    server: true,
    "ui_config.enabled": true,
  });
  assert.equal(usual.size, dev.size);
});
