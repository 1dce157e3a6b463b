import assert from "node:assert/strict";
import { test } from "node:test";
import { agentFlagSpecs, agentUsage, flagSettings, parseAgentFlags } from "../../src/config/agent-flags.ts";
import { configKeys } from "../../src/config/schema.ts";

/** Every flag of the agent with a value and the setting it makes; null for those that make none. */
const flags: readonly [string, string | null, unknown][] = [
  ["-advertise=1.2.3.4", "advertise_addr", "1.2.3.4"],
  ["-advertise-wan=1.2.3.4", "advertise_addr_wan", "1.2.3.4"],
  ["-allow-write-http-from=10.0.0.0/8", "http_config.allow_write_http_from", ["10.0.0.0/8"]],
  ["-alt-domain=alt.", "alt_domain", "alt."],
  ["-auto-reload-config", "auto_reload_config", true],
  ["-bind=1.2.3.4", "bind_addr", "1.2.3.4"],
  ["-bootstrap", "bootstrap", true],
  ["-bootstrap-expect=3", "bootstrap_expect", 3],
  ["-check_output_max_size=100", "check_output_max_size", 100],
  ["-client=0.0.0.0", "client_addr", "0.0.0.0"],
  ["-config-dir=d", null, null],
  ["-config-file=f.hcl", null, null],
  ["-config-format=hcl", null, null],
  ["-data-dir=d", "data_dir", "d"],
  ["-datacenter=dc2", "datacenter", "dc2"],
  ["-default-query-time=10s", "default_query_time", "10s"],
  ["-dev", null, null],
  ["-disable-host-node-id", "disable_host_node_id", true],
  ["-disable-keyring-file", "disable_keyring_file", true],
  ["-dns-port=53", "ports.dns", 53],
  ["-domain=d.", "domain", "d."],
  ["-enable-local-script-checks", "enable_local_script_checks", true],
  ["-enable-script-checks", "enable_script_checks", true],
  ["-encrypt=k", "encrypt", "k"],
  ["-grpc-port=-1", "ports.grpc", -1],
  ["-grpc-tls-port=8503", "ports.grpc_tls", 8503],
  ["-hcl=retry_max = 1", null, null],
  ["-http-port=80", "ports.http", 80],
  ["-https-port=443", "ports.https", 443],
  ["-join=a", "retry_join", ["a"]],
  ["-join-wan=a", "retry_join_wan", ["a"]],
  ["-log-file=f", "log_file", "f"],
  ["-log-json", "log_json", true],
  ["-log-level=warn", "log_level", "warn"],
  ["-log-rotate-bytes=10", "log_rotate_bytes", 10],
  ["-log-rotate-duration=1h", "log_rotate_duration", "1h"],
  ["-log-rotate-max-files=2", "log_rotate_max_files", 2],
  ["-max-query-time=1m", "max_query_time", "1m"],
  ["-node=n", "node_name", "n"],
  ["-node-id=i", "node_id", "i"],
  ["-node-meta=a:b:c", "node_meta", { a: "b:c" }],
  ["-non-voting-server", "read_replica", true],
  ["-pid-file=f", "pid_file", "f"],
  ["-primary-gateway=a", "primary_gateways", ["a"]],
  ["-protocol=2", "protocol", 2],
  ["-raft-protocol=3", "raft_protocol", 3],
  ["-read-replica", "read_replica", true],
  ["-recursor=1.1.1.1", "recursors", ["1.1.1.1"]],
  ["-rejoin", "rejoin_after_leave", true],
  ["-retry-interval=5s", "retry_interval", "5s"],
  ["-retry-interval-wan=5s", "retry_interval_wan", "5s"],
  ["-retry-join=a", "retry_join", ["a"]],
  ["-retry-join-wan=a", "retry_join_wan", ["a"]],
  ["-retry-max=1", "retry_max", 1],
  ["-retry-max-wan=1", "retry_max_wan", 1],
  ["-segment=s", "segment", "s"],
  ["-serf-lan-allowed-cidrs=10.0.0.0/8", "serf_lan_allowed_cidrs", ["10.0.0.0/8"]],
  ["-serf-lan-bind=1.2.3.4", "serf_lan", "1.2.3.4"],
  ["-serf-lan-port=1", "ports.serf_lan", 1],
  ["-serf-wan-allowed-cidrs=10.0.0.0/8", "serf_wan_allowed_cidrs", ["10.0.0.0/8"]],
  ["-serf-wan-bind=1.2.3.4", "serf_wan", "1.2.3.4"],
  ["-serf-wan-port=1", "ports.serf_wan", 1],
  ["-server", "server", true],
  ["-server-port=1", "ports.server", 1],
  ["-syslog", "enable_syslog", true],
  ["-ui", "ui_config.enabled", true],
  ["-ui-content-path=/x/", "ui_config.content_path", "/x/"],
  ["-ui-dir=d", "ui_config.dir", "d"],
];

test("the table of agent flags is the one tested here", () => {
  const tested = flags.map(([word]) => word.slice(1).split("=", 1)[0]).sort();
  assert.deepEqual(tested, agentFlagSpecs.map(({ name }) => name).sort());
});

for (const [word, key, value] of flags) {
  test(`agent ${word}`, () => {
    for (const words of [[word], [`-${word}`], word.includes("=") ? word.split(/=(.*)/s).slice(0, 2) : [word]]) {
      const parsed = parseAgentFlags(words);
      assert.ok(!("error" in parsed), JSON.stringify(parsed));
      const { lists, values } = flagSettings(parsed);
      const settings = JSON.parse(JSON.stringify([...lists, ...values]));
      assert.deepEqual(settings, key === null ? [] : [[key, value]]);
      if (key !== null) assert.ok(configKeys.has(key));
    }
  });
}

test("parseAgentFlags: where configuration comes from", () => {
  const parsed = parseAgentFlags([
    "-config-file=a.hcl",
    "-config-dir",
    "d",
    "-dev",
    "-config-file",
    "b.json",
    "-hcl=x = 1",
    "-config-format=json",
    "-hcl",
    "y = 2",
  ]);
  assert.ok(!("error" in parsed));
  assert.deepEqual(parsed.configPaths, ["a.hcl", "d", "b.json"]);
  assert.equal(parsed.configFormat, "json");
  assert.equal(parsed.dev, true);
  assert.deepEqual(parsed.hcl, ["x = 1", "y = 2"]);
});

test("parseAgentFlags: a flag's value that looks like another flag", () => {
  const parsed = parseAgentFlags(["-node", "-config-dir", "-config-dir=d"]);
  assert.ok(!("error" in parsed));
  assert.deepEqual(parsed.configPaths, ["d"]);
  assert.equal(parsed.values.string("node"), "-config-dir");
});

test("parseAgentFlags: what is refused", () => {
  assert.deepEqual(parseAgentFlags(["-nope"]), { error: "flag provided but not defined: -nope", help: false });
  assert.deepEqual(parseAgentFlags(["-config-format=yaml"]), {
    error: "config: -config-format must be either 'hcl' or 'json'",
    help: false,
  });
  assert.deepEqual(parseAgentFlags(["-http-port=x"]), {
    error: 'invalid value "x" for flag -http-port: parse error',
    help: false,
  });
  assert.deepEqual(parseAgentFlags(["-h"]), { error: "flag: help requested", help: true });
});

test("agentUsage: names every flag", () => {
  const help = agentUsage("proconsul");
  assert.ok(help.startsWith("Usage: proconsul agent [options]\n"));
  for (const { name } of agentFlagSpecs) assert.ok(new RegExp(`^  -${name}(=<value>)?$`, "m").test(help), name);
});
