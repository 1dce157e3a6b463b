// The store's part in federation: the record of the primary, the guard of what comes from it, rules and their ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../src/state/command.ts";
import { StateStore } from "../../src/state/store.ts";
import type { Primary } from "../../src/types/records.ts";
import { kv, Log } from "./fixtures.ts";

const primary = (Datacenter: string, Epoch: number): Primary => ({ Datacenter, Epoch, From: "", Family: "dc1" });
const set = (more: object): Command => ({ type: "federation.set", datacenter: "dc2", ...more });
const entry = (Name: string): Command => ({
  type: "config.set",
  entry: { Kind: "service-defaults", Name, Protocol: "http" },
  cas: null,
});
const replicate = (epoch: number, commands: Command[], more: Primary | null = null): Command => ({
  type: "replicate",
  epoch,
  commands: commands as never,
  primary: more,
});

test("federation: a newer primary takes the place of an older one, and never the other way round", () => {
  const log = new Log();
  const now = (): string => {
    const known = log.store.federation().value?.Primary;
    return `${known?.Datacenter} ${known?.Epoch}`;
  };
  assert.equal(log.store.federation().value, null);
  log.value(set({ primary: primary("dc2", 1) }));
  assert.equal(now(), "dc2 1");
  assert.equal(log.value(set({ primary: primary("dc2", 1) })), false);
  log.value(set({ primary: primary("dc1", 1) }));
  assert.equal(now(), "dc2 1");
  log.value(set({ primary: primary("dc3", 1) }));
  assert.equal(now(), "dc3 1");
  log.value(set({ primary: primary("dc1", 2) }));
  assert.equal(now(), "dc1 2");
});

test("federation: a store has one name for its history, and another after a restore", () => {
  const log = new Log();
  log.value(set({ storeId: "one" }));
  log.value(set({ storeId: "two" }));
  assert.equal(log.store.federation().value?.StoreID, "one");
  const restored = StateStore.restore(log.store.snapshot().records());
  const before = restored.federation();
  restored.restored(50, log.store.federation().value);
  const after = restored.federation();
  assert.equal(before.value?.RestoredIndex, 0);
  assert.equal(after.value?.RestoredIndex, 50);
  assert.equal(restored.lastIndex, 50);
  assert.ok(after.index > before.index, "whoever waits for the record is told");
  assert.notEqual(restored.hash(), log.store.hash());
});

test("federation: a backup of before a move does not undo it", () => {
  const log = new Log();
  log.value(set({ storeId: "one" }));
  const backup = [...log.store.snapshot().records()];
  log.value(set({ primary: primary("dc3", 1) }));
  const restored = StateStore.restore(backup);
  restored.restored(50, log.store.federation().value);
  assert.deepEqual(restored.federation().value?.Primary, primary("dc3", 1));
  const empty = StateStore.restore(new StateStore().snapshot().records());
  empty.restored(50, log.store.federation().value);
  assert.deepEqual(empty.federation().value?.Primary, primary("dc3", 1));
  const older = StateStore.restore(backup);
  older.restored(50, null);
  assert.equal(older.federation().value?.Primary, null);
});

test("federation: what comes from a primary is taken only while it is the primary", () => {
  const log = new Log();
  assert.equal(log.value(replicate(0, [entry("a")])), true);
  log.value(set({ primary: primary("dc3", 1) }));
  assert.equal(log.value(replicate(0, [entry("b")])), false);
  assert.equal(log.value(replicate(1, [entry("c")])), true);
  log.value(set({ primary: primary("dc2", 2) }));
  assert.equal(log.value(replicate(2, [entry("d")])), false, "this datacenter is the primary now");
  assert.deepEqual(
    log.store.configEntries(null).value.map(({ Name }) => Name),
    ["a", "c"],
  );
});

test("federation: taking over comes with the last of what the old primary had, in one entry", () => {
  const log = new Log();
  assert.equal(log.value(replicate(0, [entry("a")], primary("dc2", 1))), true);
  assert.deepEqual(log.store.federation().value?.Primary, primary("dc2", 1));
  assert.notEqual(log.store.configEntry("service-defaults", "a").value, null);
});

test("federation: an unchanged rule keeps its beginning; the links and stamps of one that goes are forgotten", () => {
  const log = new Log();
  const rule = { From: "dc1", Prefix: "a/", ToPrefix: "a/", Mode: "two-way" };
  const other = { From: "dc1", Prefix: "b/", ToPrefix: "b/", Mode: "two-way" };
  log.value(set({ rules: [rule] }));
  const began = log.index;
  log.value(set({ rules: [rule, other] }));
  const stamps = (): string[] =>
    [...log.store.snapshot().records()].flatMap((r) => (r.table === "stamps" ? [r.record.Key] : []));
  assert.deepEqual(
    log.store.federation().value?.Rules.map(({ Since }) => Since),
    [began, log.index],
  );
  log.value({ ...kv.set("a/1"), atMs: 10 });
  log.value({ ...kv.set("b/1"), atMs: 10 });
  log.value({ ...kv.set("c/1"), atMs: 10 });
  assert.deepEqual(stamps(), ["a/1", "b/1"]);
  log.value(set({ rules: [other] }));
  assert.deepEqual(stamps(), ["b/1"]);
});
