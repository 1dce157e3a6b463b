import assert from "node:assert/strict";
import { test } from "node:test";
import type { SnapshotRecord } from "../../src/state/snapshot.ts";
import { StateRestorer, StateStore } from "../../src/state/store.ts";
import { bytes, check, deregister, kv, Log, query, register, service, session } from "./fixtures.ts";

/** A store with something in every table, and things that are gone. */
function filled(): Log {
  const log = new Log();
  log.value(register("n", { service: service("web", { Tags: ["v1"] }), checks: [check("c", { ServiceID: "web" })] }));
  log.value({ type: "session.create", session: session("s", "n") });
  log.value(kv.lock("k", "s", "v"));
  log.value({ type: "kv.set", key: "flags", value: new Uint8Array([0, 255]), flags: 2n ** 63n });
  log.value({ type: "query.set", query: query("q", "find", { Session: "s" }) });
  log.value({ type: "config.set", entry: { Kind: "mesh", Name: "mesh", Deep: { a: [1, null, true] } }, cas: null });
  log.value({
    type: "coordinate.update",
    updates: [{ Node: "n", Segment: "", Coord: { Vec: [0.1, -0], Error: 1.5, Adjustment: 0, Height: 1e-5 } }],
  });
  log.value({
    type: "autopilot.set",
    config: {
      CleanupDeadServers: true,
      LastContactThreshold: 1,
      MaxTrailingLogs: 2,
      MinQuorum: 0,
      ServerStabilizationTime: 3,
    },
    cas: null,
  });
  log.value({
    type: "federation.set",
    datacenter: "dc1",
    storeId: "history",
    primary: { Datacenter: "dc2", Epoch: 1, From: "dc1", Family: "dc1" },
    rules: [{ From: "dc2", Prefix: "shared/", ToPrefix: "shared/", Mode: "two-way" }],
  });
  log.value({ ...kv.set("shared/a"), atMs: 1000 });
  log.value({ ...kv.delete("shared/a"), atMs: 2000 });
  log.value({
    type: "kv.replicate",
    link: ["dc2", "shared/", "shared/"].join("\u0000"),
    on: 0,
    position: { Identity: "x", Phase: "follow", Index: 9, After: "", Via: ["dc3"] },
    versions: [{ Key: "shared/b", Value: bytes("b"), Flags: 7, Ms: 3000, Origin: "dc2", Seen: { dc2: 3000 } }],
  });
  log.value(kv.set("gone"));
  log.value(kv.delete("gone"));
  log.value({ type: "tombstone.reap", index: log.index });
  log.value(kv.set("gone too"));
  log.value(kv.delete("gone too"));
  log.value(register("gone"));
  log.value(deregister("gone"));
  log.store.skip(++log.index);
  return log;
}

test("a snapshot: has a record of every table, and restores to an equal store that goes on alike", () => {
  const { store, index } = filled();
  const snapshot = store.snapshot();
  const records = structuredClone([...snapshot.records()]);
  const tables = new Set(records.map(({ table }) => table));
  assert.equal(tables.size, 16);
  assert.deepEqual(
    [...tables],
    [
      "header",
      "topics",
      "tombstones",
      "nodes",
      "services",
      "checks",
      "sessions",
      "queries",
      "config",
      "coordinates",
      "autopilot",
      "federation",
      "links",
      "stamps",
      "kv",
      "end",
    ],
  );
  const restored = StateStore.restore(records);
  assert.equal(restored.lastIndex, index);
  assert.equal(restored.hash(), store.hash());
  assert.deepEqual([...restored.snapshot().records()], records);
  assert.deepEqual(restored.services(), store.services());
  assert.deepEqual(restored.tombstones(), store.tombstones());
  assert.deepEqual(restored.kvGet("never").index, store.kvGet("never").index);
  for (const [i, command] of [
    { type: "session.destroy", id: "s" } as const,
    { type: "tombstone.reap", index } as const,
    deregister("n"),
  ].entries()) {
    assert.deepEqual(restored.apply(index + 1 + i, command), store.apply(index + 1 + i, command));
  }
  assert.equal(restored.hash(), store.hash());
});

test("a snapshot being read: does not see what is written meanwhile", () => {
  const log = new Log();
  for (let i = 0; i < 5000; i++) log.value(kv.set(`k${i}`, "old"));
  const snapshot = log.store.snapshot();
  const { hash, index } = snapshot;
  const records: SnapshotRecord[] = [];
  let i = 0;
  for (const record of snapshot.records()) {
    records.push(record);
    if (i < 5000) log.value(i % 2 === 0 ? kv.set(`k${4999 - i}`, "new") : kv.delete(`k${i}`));
    i++;
  }
  const restored = StateStore.restore(records);
  assert.deepEqual([restored.lastIndex, restored.hash()], [index, hash]);
  assert.ok(restored.kvList("").value.every(({ Value }) => Value.length === 3 && Value[0] === 111));
  assert.equal(restored.kvList("").value.length, 5000);
});

test("an empty store: restores from its snapshot", () => {
  const restored = StateStore.restore(new StateStore().snapshot().records());
  assert.deepEqual([restored.lastIndex, restored.hash(), restored.kvGet("a").index], [0, "0000000000000000", 1]);
});

const damages: [name: string, damage: (records: SnapshotRecord[]) => SnapshotRecord[], message: RegExp][] = [
  ["nothing", () => [], /ends too early/],
  ["no header", (records) => records.slice(1), /header/],
  ["two headers", (records) => [records[0]!, ...records], /header/],
  ["no end", (records) => records.slice(0, -1), /ends too early/],
  ["more after the end", (records) => [...records, records[1]!], /follows the end/],
  ["a record left out", (records) => records.toSpliced(3, 1), /says \d+ records and has \d+/],
  ["a record twice in another's place", (records) => records.with(records.length - 2, records.at(-3)!), /hash/],
  [
    "another value",
    (records) =>
      records.map((record) =>
        record.table === "kv" ? { table: "kv", record: { ...record.record, Value: new Uint8Array([1]) } } : record,
      ),
    /hash/,
  ],
  [
    "another version",
    (records) => records.with(0, { ...records[0], version: 2 } as unknown as SnapshotRecord),
    /version 2/,
  ],
  ["an unknown table", (records) => records.with(3, { table: "acl" } as unknown as SnapshotRecord), /table "acl"/],
];

for (const [name, damage, message] of damages) {
  test(`a damaged snapshot (${name}): is not restored`, () => {
    const records = damage([...filled().store.snapshot().records()]);
    assert.throws(() => StateStore.restore(records), { code: "storage-failed", message });
  });
}

test("a restorer: takes the records one at a time", () => {
  const { store } = filled();
  const restorer = new StateRestorer();
  for (const record of store.snapshot().records()) restorer.add(record);
  assert.equal(restorer.finish().hash(), store.hash());
});
