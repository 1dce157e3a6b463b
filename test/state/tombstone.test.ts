import assert from "node:assert/strict";
import { test } from "node:test";
import { ReapQueue } from "../../src/state/tombstone.ts";
import { deregister, kv, Log, register, service, session } from "./fixtures.ts";

test("reaping: forgets deleted keys up to the index, and no index goes back", () => {
  const log = new Log();
  for (const key of ["a/1", "a/2", "b/1"]) log.value(kv.set(key));
  log.value(kv.delete("a/1"));
  log.value(kv.delete("a/2"));
  log.value(kv.delete("b/1"));
  assert.deepEqual(log.store.tombstones(), { count: 3, maxIndex: 7 });
  const indexes = (): number[] => [
    log.store.kvGet("a/1").index,
    log.store.kvGet("a/2").index,
    log.store.kvGet("b/1").index,
    log.store.kvList("a/").index,
    log.store.kvList("b/").index,
    log.store.kvGet("never").index,
  ];
  assert.deepEqual(indexes(), [5, 6, 7, 6, 7, 1]);
  assert.equal(log.value({ type: "tombstone.reap", index: 6 }), 2);
  assert.deepEqual(indexes(), [6, 6, 7, 6, 7, 6], "the floor is the last one reaped");
  assert.deepEqual(log.store.tombstones(), { count: 1, maxIndex: 7 });
  assert.equal(log.value({ type: "tombstone.reap", index: 6 }), 0);
  assert.equal(log.value({ type: "tombstone.reap", index: 100 }), 1);
  assert.deepEqual(indexes(), [7, 7, 7, 7, 7, 7]);
});

test("a reap of nothing: moves no index", () => {
  const log = new Log();
  log.value(kv.set("a"));
  assert.deepEqual(log.apply({ type: "tombstone.reap", index: 2 }).topics, []);
  assert.equal(log.store.kvGet("never").index, 1);
});

test("a key that came back: has no tombstone, and a later one of its own", () => {
  const log = new Log();
  log.value(kv.set("a"));
  log.value(kv.delete("a"));
  log.value(kv.set("a"));
  const stones = [...log.store.snapshot().records()].filter(({ table }) => table === "tombstones");
  assert.deepEqual(stones, []);
  assert.equal(log.value({ type: "tombstone.reap", index: 3 }), 0);
  log.value(kv.delete("a"));
  assert.equal(log.value({ type: "tombstone.reap", index: 5 }), 0);
  assert.equal(log.store.kvGet("a").index, 6);
  assert.equal(log.value({ type: "tombstone.reap", index: 6 }), 1);
});

test("topics of what is gone: stay until they are reaped; those of what lives stay for good", () => {
  const log = new Log();
  log.value(register("n", { service: service("web") }));
  log.value(register("m", { service: service("db") }));
  log.value({ type: "session.create", session: session("s", "m") });
  log.value({ type: "session.destroy", id: "s" });
  log.value(deregister("n"));
  const indexes = (): Record<string, number> => ({
    web: log.store.healthService("web").index,
    db: log.store.healthService("db").index,
    n: log.store.node("n").index,
    m: log.store.node("m").index,
    s: log.store.session("s").index,
    never: log.store.healthService("never").index,
  });
  const before = indexes();
  assert.deepEqual(before, { web: 6, db: 3, n: 6, m: 3, s: 5, never: 1 });
  assert.equal(log.value({ type: "tombstone.reap", index: 5 }), 2, "the session, and its node's list of sessions");
  assert.deepEqual(indexes(), { ...before, never: 5 });
  assert.ok((log.value({ type: "tombstone.reap", index: 6 }) as number) >= 2);
  assert.deepEqual(indexes(), { web: 6, db: 3, n: 6, m: 3, s: 6, never: 6 });
  const topics = [...log.store.snapshot().records()].flatMap((record) =>
    record.table === "topics" ? [record.topic] : [],
  );
  assert.deepEqual(
    topics.filter((topic) => /:(n|web|s)$/.test(topic)),
    [],
  );
  log.value(register("n", { service: service("web") }));
  assert.equal(log.store.healthService("web").index, log.index);
});

test("the queue: gives what was pushed, once, however it is taken", () => {
  const queue = new ReapQueue();
  const taken: string[] = [];
  for (let i = 1; i <= 100; i++) queue.push(`k${i}`, i);
  for (const index of [0, 3, 3, 50, 49]) queue.take(index, (name, at) => taken.push(`${name}@${at}`));
  assert.deepEqual([taken.length, taken[0], taken[49], queue.size, queue.lastIndex], [50, "k1@1", "k50@50", 50, 100]);
  queue.take(1000, (name) => taken.push(name));
  assert.deepEqual([taken.length, queue.size, queue.lastIndex], [100, 0, 0]);
});
