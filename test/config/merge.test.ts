import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAgentFlags } from "../../src/config/agent-flags.ts";
import { type ConfigFormat, configFormat, type Merged, mergeSources, orderConfigDir } from "../../src/config/merge.ts";

interface Given {
  json?: string[];
  hcl?: string[];
  flags?: string[];
  enterpriseKeys?: "refuse" | "warn";
}

function merge(given: Given): Merged | { errors: string[] } {
  const flags = parseAgentFlags(given.flags ?? []);
  if ("error" in flags) throw new Error(flags.error);
  const files = (
    texts: string[] | undefined,
    format: ConfigFormat,
  ): { name: string; format: ConfigFormat; text: string }[] =>
    (texts ?? []).map((text, index) => ({ name: `${index}.${format}`, format, text }));
  const sources = [...files(given.json, "json"), ...files(given.hcl, "hcl")];
  return mergeSources({ sources, flags, enterpriseKeys: given.enterpriseKeys ?? "refuse" });
}

function merged(given: Given): Merged {
  const result = merge(given);
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return result;
}

/** The value of one key as JSON. */
const valueOf = (given: Given, path: string): unknown =>
  JSON.parse(JSON.stringify(merged(given).settings.get(path) ?? null));

const precedence: readonly [string, Given, string, unknown][] = [
  ["a default", {}, "datacenter", "dc1"],
  ["a file over a default", { json: ['{"datacenter": "a"}'] }, "datacenter", "a"],
  ["a later file over an earlier", { json: ['{"datacenter": "a"}', '{"datacenter": "b"}'] }, "datacenter", "b"],
  ["a flag over a file", { json: ['{"datacenter": "a"}'], flags: ["-datacenter=b"] }, "datacenter", "b"],
  ["-hcl over a file", { json: ['{"datacenter": "a"}'], flags: ["-hcl", 'datacenter = "b"'] }, "datacenter", "b"],
  ["-hcl over a flag", { flags: ["-hcl", 'datacenter = "b"', "-datacenter=a"] }, "datacenter", "b"],
  ["a later -hcl over an earlier", { flags: ["-hcl=retry_max = 1", "-hcl=retry_max = 2"] }, "retry_max", 2],
  ["a file over -dev", { hcl: ['log_level = "warn"'], flags: ["-dev"] }, "log_level", "warn"],
  ["-dev over a default", { flags: ["-dev"] }, "bind_addr", "127.0.0.1"],
  ["false over true", { json: ['{"server": true}', '{"server": false}'] }, "server", false],
  ["0 over a number", { json: ['{"bootstrap_expect": 3}'], flags: ["-bootstrap-expect=0"] }, "bootstrap_expect", 0],
  [
    "lists: files in order, flags before them, -hcl after",
    {
      json: ['{"recursors": ["1"]}', '{"recursors": ["2"]}'],
      flags: ["-recursor=f1", "-recursor", "f2", "-hcl", 'recursors = ["h"]'],
    },
    "recursors",
    ["f1", "f2", "1", "2", "h"],
  ],
  [
    "lists: -retry-join before -join, whatever their order",
    { json: ['{"retry_join": ["f"]}'], flags: ["-join=b", "-retry-join=a"] },
    "retry_join",
    ["a", "b", "f"],
  ],
  [
    "lists: start_join after retry_join of the same file",
    { json: ['{"start_join": ["b"], "retry_join": ["a"]}', '{"start_join": ["c"]}'] },
    "retry_join",
    ["a", "b", "c"],
  ],
  [
    "a list in a block: flags after files",
    {
      hcl: ['http_config { allow_write_http_from = ["10.0.0.0/8"] }'],
      flags: ["-allow-write-http-from=127.0.0.0/8"],
    },
    "http_config.allow_write_http_from",
    ["10.0.0.0/8", "127.0.0.0/8"],
  ],
  [
    "maps: key by key",
    { json: ['{"node_meta": {"a": "1", "b": "1"}}', '{"node_meta": {"b": "2"}}'], flags: ["-node-meta=c:3"] },
    "node_meta",
    { a: "1", b: "2", c: "3" },
  ],
  ["blocks: key by key", { hcl: ["ports { http = 1 dns = 1 }", "ports { dns = 2 }"] }, "ports.http", 1],
  [
    "services: one and many, of all files",
    { json: ['{"service": {"name": "b"}, "services": [{"name": "a"}]}', '{"service": {"name": "c"}}'] },
    "services",
    [{ name: "a" }, { name: "b" }, { name: "c" }],
  ],
  [
    "checks: one and many, of all files",
    { hcl: ['check { name = "a" }', 'checks { name = "b" }\nchecks { name = "c" }'] },
    "checks",
    [{ name: "a" }, { name: "b" }, { name: "c" }],
  ],
  ["what users cannot change", { json: ['{"segment_limit": 5}'] }, "segment_limit", null],
];

for (const [name, given, path, wanted] of precedence) {
  test(`mergeSources: ${name}`, () => assert.deepEqual(valueOf(given, path), wanted));
}

const moved: readonly [string, string, unknown, string[]][] = [
  [
    '{"ui": true}',
    "ui_config.enabled",
    true,
    ["The 'ui' field is deprecated. Use the 'ui_config.enabled' field instead."],
  ],
  [
    '{"ui_dir": "x"}',
    "ui_config.dir",
    "x",
    ["The 'ui_dir' field is deprecated. Use the 'ui_config.dir' field instead."],
  ],
  [
    '{"acl_datacenter": "a"}',
    "acl.enabled",
    true,
    ["The 'acl_datacenter' field is deprecated. Use the 'primary_datacenter' field instead."],
  ],
  [
    '{"acl_replication_token": "a"}',
    "acl.enable_token_replication",
    true,
    ["The 'acl_replication_token' field is deprecated. Use the 'acl.tokens.replication' field instead."],
  ],
  [
    '{"acl_token": "old", "acl": {"tokens": {"default": "new"}}}',
    "acl.tokens.default",
    "new",
    ["The 'acl_token' field is deprecated. Use the 'acl.tokens.default' field instead."],
  ],
  [
    '{"acl": {"tokens": {"agent_master": "a"}}}',
    "acl.tokens.agent_recovery",
    "a",
    ["The 'acl.tokens.agent_master' field is deprecated. Use the 'acl.tokens.agent_recovery' field instead."],
  ],
  [
    '{"tls_min_version": "tls13"}',
    "tls.defaults.tls_min_version",
    "TLSv1_3",
    [
      "'tls_min_version' value 'tls13' is deprecated, please specify 'TLSv1_3' instead",
      "The 'tls_min_version' field is deprecated. Use the 'tls.defaults.tls_min_version' field instead.",
    ],
  ],
  [
    '{"verify_incoming": true}',
    "tls.grpc.verify_incoming",
    false,
    ["The 'verify_incoming' field is deprecated. Use the 'tls.defaults.verify_incoming' field instead."],
  ],
  [
    '{"tls_prefer_server_cipher_suites": true}',
    "tls_prefer_server_cipher_suites",
    null,
    ["The 'tls_prefer_server_cipher_suites' field is deprecated and will be ignored."],
  ],
  [
    '{"acl_enforce_version_8": true}',
    "acl_enforce_version_8",
    null,
    ['config key "acl_enforce_version_8" is deprecated and should be removed'],
  ],
];

for (const [text, path, value, warnings] of moved) {
  test(`mergeSources: the old key of ${text}`, () => {
    assert.deepEqual(valueOf({ json: [text] }, path), value);
    assert.deepEqual(merged({ json: [text] }).warnings, warnings);
  });
}

test("mergeSources: old flags warn", () => {
  assert.deepEqual(merged({ flags: ["-join=a", "-join-wan=b"] }).warnings, [
    "The flag '-join' is deprecated. Use the '-retry-join' flag instead.",
    "The flag '-join-wan' is deprecated. Use the '-retry-join-wan' flag instead.",
  ]);
});

test("mergeSources: faults name the source, of all sources", () => {
  assert.deepEqual(merge({ json: ["{", '{"servr": true}'], hcl: ["a = "], flags: ["-hcl", "b"] }), {
    errors: [
      "failed to parse 0.json: At 1:2: expected a key in double quotes, got the end of the text",
      "failed to parse 1.json: invalid config key servr (line 1, column 2)",
      "failed to parse 0.hcl: At 1:5: expected a value, got the end of the text",
      "failed to parse flags-0.hcl: At 1:2: key 'b' expected start of object ('{') or assignment ('=')",
    ],
  });
});

test("mergeSources: an empty file says nothing, whatever its format", () => {
  assert.equal(merged({ json: [""], hcl: [""] }).userKeys.size, 0);
});

const enterprise: readonly [string, string][] = [
  ['{"read_replica": true}', "read_replica"],
  ['{"non_voting_server": false}', "non_voting_server"],
  ['{"partition": "p"}', "partition"],
  ['{"license_path": "x"}', "license_path"],
  ['{"audit": {"enabled": true}}', "audit"],
  ['{"autopilot": {"redundancy_zone_tag": "z"}}', "autopilot.redundancy_zone_tag"],
  ['{"dns_config": {"prefer_namespace": true}}', "dns_config.prefer_namespace"],
  ['{"acl": {"tokens": {"managed_service_provider": [{"accessor_id": "a"}]}}}', "acl.tokens.managed_service_provider"],
  ['{"reporting": {"license": {"enabled": true}}}', "reporting"],
];

for (const [text, key] of enterprise) {
  test(`mergeSources: ${text} is refused, or a warning`, () => {
    assert.deepEqual(merge({ json: [text] }), {
      errors: [`0.json: "${key}" is a Consul Enterprise configuration, which this build does not have`],
    });
    const { settings, warnings } = merged({ json: [text], enterpriseKeys: "warn" });
    assert.deepEqual(warnings, [`"${key}" is a Consul Enterprise configuration and will have no effect`]);
    assert.equal(settings.has(key), false);
  });
}

test("mergeSources: segments are refused whatever else is only warned of", () => {
  for (const text of ['{"segment": "a"}', '{"segments": [{"name": "a"}]}']) {
    assert.ok("errors" in merge({ json: [text], enterpriseKeys: "warn" }), text);
  }
  assert.ok("errors" in merge({ flags: ["-segment=a"], enterpriseKeys: "warn" }));
});

test("mergeSources: Enterprise keys without a value ask for nothing", () => {
  const text = '{"partition": "", "segment": "", "segments": [], "audit": {"enabled": false}, "reporting": {}}';
  assert.deepEqual(merged({ json: [text] }).warnings, []);
});

test("orderConfigDir: .json and .hcl only, sorted by bytes", () => {
  assert.deepEqual(orderConfigDir("conf", ["b.hcl", "a.json", "README", "B.json", "10.hcl", "9.hcl", "a.json~"]), {
    files: ["10.hcl", "9.hcl", "B.json", "a.json", "b.hcl"],
    warnings: [
      "skipping file conf/README, extension must be .hcl or .json, or config format must be set",
      "skipping file conf/a.json~, extension must be .hcl or .json, or config format must be set",
    ],
  });
  assert.deepEqual(orderConfigDir("conf", ["b", "a.txt"], "hcl"), { files: ["a.txt", "b"], warnings: [] });
});

test("configFormat: by extension, or as forced", () => {
  assert.equal(configFormat("a/b.json"), "json");
  assert.equal(configFormat("a/b.hcl"), "hcl");
  assert.equal(configFormat("a/b.HCL"), null);
  assert.equal(configFormat("a/b"), null);
  assert.equal(configFormat("a/b.json", "hcl"), "hcl");
});
