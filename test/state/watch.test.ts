import assert from "node:assert/strict";
import { test } from "node:test";
import { kvPrefixTopic, kvTopic } from "../../src/state/topic.ts";
import { Watches } from "../../src/state/watch.ts";

test("a waiter: is woken once, by any of its topics, and then forgotten", () => {
  const watches = new Watches();
  let woken = 0;
  watches.add(["nodes", "service:web"], 0, () => woken++);
  watches.notify(["service:db", kvTopic("nodes")], 2);
  assert.equal(woken, 0);
  watches.notify(["service:web", "nodes"], 3);
  assert.equal(woken, 1);
  assert.equal(watches.size, 0);
  watches.notify(["service:web"], 4);
  assert.equal(woken, 1);
});

test("a waiter for an index: sleeps through changes up to it", () => {
  const watches = new Watches();
  let woken = 0;
  watches.add(["nodes"], 10, () => woken++);
  watches.notify(["nodes"], 9);
  watches.notify(["nodes"], 10);
  assert.equal(woken, 0);
  watches.notify(["nodes"], 11);
  assert.equal(woken, 1);
});

test("a waiter for a prefix: is woken by keys under it, however long the prefix", () => {
  const table: [prefix: string, key: string, wakes: boolean][] = [
    ["", "a", true],
    ["", "", true],
    ["a/", "a/b", true],
    ["a/", "a/", true],
    ["a/", "a", false],
    ["a/", "b/a/", false],
    ["é", "éa", true],
    ["a/b/c", "a/b/cde", true],
  ];
  for (const [prefix, key, wakes] of table) {
    const watches = new Watches();
    let woken = 0;
    watches.add([kvPrefixTopic(prefix)], 0, () => woken++);
    watches.add([kvPrefixTopic("zz")], 0, () => assert.fail("another prefix"));
    watches.notify([kvTopic(key)], 1);
    assert.equal(woken, wakes ? 1 : 0, `${prefix} and ${key}`);
    assert.equal(watches.size, wakes ? 1 : 2);
  }
});

test("a cancelled waiter: is not woken, not even by the one before it in the same notify", () => {
  const watches = new Watches();
  const woken: string[] = [];
  const first = watches.add(["nodes"], 0, () => woken.push("first"));
  watches.add(["nodes"], 0, () => {
    woken.push("second");
    third.cancel();
  });
  const third = watches.add(["nodes", "checks"], 0, () => woken.push("third"));
  first.cancel();
  first.cancel();
  watches.notify(["nodes"], 1);
  assert.deepEqual([woken, watches.size], [["second"], 0]);
});

test("waiters: are woken in the order they came, and one added by a wake waits for the next notify", () => {
  const watches = new Watches();
  const woken: number[] = [];
  for (let i = 0; i < 5; i++) {
    watches.add(["nodes"], 0, () => {
      woken.push(i);
      if (i === 0) watches.add(["nodes"], 0, () => woken.push(100));
    });
  }
  watches.notify(["nodes"], 1);
  assert.deepEqual(woken, [0, 1, 2, 3, 4]);
  watches.notify(["nodes"], 2);
  assert.deepEqual(woken, [0, 1, 2, 3, 4, 100]);
});

test("onTouch: is called at each notify once, before anyone wakes, until it is cancelled", () => {
  const watches = new Watches();
  const calls: string[] = [];
  watches.add(["nodes"], 0, () => calls.push("wake"));
  const handle = watches.onTouch(["nodes", "service:web", kvPrefixTopic("a")], () => calls.push("touch"));
  watches.notify(["nodes", "service:web", kvTopic("a1")], 1);
  assert.deepEqual(calls, ["touch", "wake"]);
  watches.notify(["checks"], 2);
  watches.notify([kvTopic("a2")], 3);
  assert.deepEqual(calls, ["touch", "wake", "touch"]);
  handle.cancel();
  watches.notify(["nodes"], 4);
  assert.deepEqual([calls.length, watches.size], [3, 0]);
});

test("notifyAll: wakes everyone, whatever index they wait for", () => {
  const watches = new Watches();
  let woken = 0;
  watches.add(["nodes"], 1e12, () => woken++);
  watches.add([kvPrefixTopic("a"), kvTopic("b")], 0, () => woken++);
  watches.onTouch(["checks"], () => woken++);
  watches.notifyAll();
  assert.deepEqual([woken, watches.size], [3, 1]);
});

test("many waiters: on one topic all wake once; on topics of their own only the touched one does", () => {
  const watches = new Watches();
  let one = 0;
  let own = 0;
  for (let i = 0; i < 10_000; i++) watches.add(["service:web", "nodes"], 0, () => one++);
  for (let i = 0; i < 100_000; i++)
    watches.add([i % 2 === 0 ? kvTopic(`k${i}`) : kvPrefixTopic(`k${i}/`)], 0, () => own++);
  watches.notify(["nodes", "service:web"], 1);
  assert.deepEqual([one, own], [10_000, 0]);
  watches.notify([kvTopic("k4"), kvTopic("k5/x"), kvTopic("k6/x")], 2);
  assert.deepEqual([own, watches.size], [2, 99_998]);
});
