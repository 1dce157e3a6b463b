import assert from "node:assert/strict";
import { test } from "node:test";
import { diffReloadable, restartWarning } from "../../src/config/reload.ts";
import { built } from "./build.ts";

const config = (more: Record<string, unknown>): ReturnType<typeof built> => built({ json: { data_dir: "d", ...more } });

const diffs: readonly [string, Record<string, unknown>, Record<string, unknown>, string[], string[]][] = [
  ["nothing", { node_meta: { a: "1", b: "2" } }, { node_meta: { b: "2", a: "1" } }, [], []],
  ["a level", {}, { log_level: "debug" }, ["log_level"], []],
  ["a key that is gone", { log_level: "debug" }, {}, ["log_level"], []],
  ["a node's name", { node_name: "a" }, { node_name: "b" }, [], ["node_name"]],
  ["the value that holds anyway", {}, { log_level: "INFO", server: false }, [], []],
  [
    "several",
    { services: [{ name: "a" }], ports: { http: 1 } },
    {
      services: [{ name: "a", port: 1 }],
      ports: { http: 2 },
      dns_config: { node_ttl: "5s" },
      encrypt: "AAAAAAAAAAAAAAAAAAAAAA==",
    },
    ["dns_config.node_ttl", "services"],
    ["encrypt", "ports.http"],
  ],
  ["deep in a check", { checks: [{ name: "a", ttl: "1s" }] }, { checks: [{ name: "a", ttl: "2s" }] }, ["checks"], []],
  ["a list that grew", { recursors: ["1.1.1.1"] }, { recursors: ["1.1.1.1", "2.2.2.2"] }, ["recursors"], []],
  ["a map that lost a key", { node_meta: { a: "1", b: "2" } }, { node_meta: { a: "1" } }, ["node_meta"], []],
];

for (const [name, before, after, reloadable, restart] of diffs) {
  test(`diffReloadable: ${name}`, () => {
    assert.deepEqual(diffReloadable(config(before), config(after)), { reloadable, restart });
  });
}

test("restartWarning: names the keys, or says nothing", () => {
  assert.equal(restartWarning({ reloadable: ["log_level"], restart: [] }), null);
  assert.equal(
    restartWarning({ reloadable: [], restart: ["node_name", "ports.http"] }),
    "these configuration keys changed, which takes effect only after a restart: node_name, ports.http",
  );
});
