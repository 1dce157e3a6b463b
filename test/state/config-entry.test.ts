import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../src/state/command.ts";
import type { Uint64 } from "../../src/types/records.ts";
import { Log } from "./fixtures.ts";

const set = (name: string, protocol: string, cas: Uint64 | null = null, kind = "service-defaults"): Command => ({
  type: "config.set",
  entry: { Kind: kind, Name: name, Protocol: protocol },
  cas,
});
const remove = (name: string, cas: Uint64 | null = null): Command => ({
  type: "config.delete",
  kind: "service-defaults",
  name,
  cas,
});

test("config entries: are set, replaced and deleted, with and without an index", () => {
  const log = new Log();
  const steps: [Command, boolean, string | null][] = [
    [set("web", "http", 5), false, null],
    [set("web", "http", 0), true, "http"],
    [set("web", "grpc", 0), false, "http"],
    [set("web", "grpc", 99), false, "http"],
    [set("web", "grpc"), true, "grpc"],
    [set("web", "http", 6), true, "http"],
    [remove("web", 0), false, "http"],
    [remove("web", 6), false, "http"],
    [remove("web", 7), true, null],
    [remove("web", 7), false, null],
    [remove("web"), true, null],
    [set("web", "tcp"), true, "tcp"],
    [remove("WEB"), true, null],
  ];
  for (const [i, [command, value, protocol]] of steps.entries()) {
    assert.equal(log.value(command), value, `step ${i}`);
    assert.equal(log.store.configEntry("service-defaults", "Web").value?.["Protocol"] ?? null, protocol, `step ${i}`);
  }
});

test("the same entry again: moves no index, and each kind has its own", () => {
  const log = new Log();
  log.value(set("web", "http"));
  log.value(set("global", "http", null, "proxy-defaults"));
  assert.deepEqual(log.apply(set("web", "http")).changes, []);
  const index = (kind: string | null): number => log.store.configEntries(kind).index;
  assert.deepEqual([index("service-defaults"), index("proxy-defaults"), index(null), index("mesh")], [2, 3, 3, 1]);
  assert.deepEqual(
    log.store.configEntries(null).value.map(({ Kind }) => Kind),
    ["proxy-defaults", "service-defaults"],
  );
  assert.deepEqual(
    [...log.store.usage().value.configEntries],
    [
      ["service-defaults", 1],
      ["proxy-defaults", 1],
    ],
  );
});

test("an entry with a field named __proto__: keeps it as a field", () => {
  const log = new Log();
  const entry = JSON.parse('{"Kind":"mesh","Name":"mesh","__proto__":{"x":1}}') as { Kind: string; Name: string };
  log.value({ type: "config.set", entry, cas: null });
  const stored = log.store.configEntry("mesh", "mesh").value!;
  assert.ok(Object.hasOwn(stored, "__proto__"));
  assert.equal((stored as { x?: unknown }).x, undefined);
});

test("autopilot's configuration: null until it is set, and cas only replaces", () => {
  const log = new Log();
  const config = {
    CleanupDeadServers: true,
    LastContactThreshold: 2e8,
    MaxTrailingLogs: 250,
    MinQuorum: 0,
    ServerStabilizationTime: 1e10,
  };
  const setConfig = (max: number, cas: Uint64 | null): Command => ({
    type: "autopilot.set",
    config: { ...config, MaxTrailingLogs: max },
    cas,
  });
  assert.equal(log.store.autopilotConfig().value, null);
  assert.equal(log.value(setConfig(1, 0)), false);
  assert.equal(log.value(setConfig(1, null)), true);
  assert.equal(log.value(setConfig(2, 1)), false);
  assert.equal(log.value(setConfig(2, 3)), true);
  assert.deepEqual(log.store.autopilotConfig().value, {
    ...config,
    MaxTrailingLogs: 2,
    CreateIndex: 3,
    ModifyIndex: 5,
  });
  assert.deepEqual(log.apply(setConfig(2, null)).changes, []);
  assert.equal(log.store.autopilotConfig().index, 5);
});
