import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../../src/state/change.ts";
import { ChangesLog, weighChange } from "../../src/state/changes-log.ts";
import type { LoggedChanges } from "../../src/state/changes-log.ts";
import { bytes } from "./fixtures.ts";

function change(key: string, length = 0): Change {
  const Value = bytes("x".repeat(length));
  const after = { Key: key, Value, Flags: 0, LockIndex: 0, CreateIndex: 1, ModifyIndex: 1 };
  return { table: "kv", key, before: null, after };
}

function indexes(answer: readonly LoggedChanges[] | "compacted"): number[] | "compacted" {
  return answer === "compacted" ? answer : answer.map(({ index }) => index);
}

test("the log: tells what came after an index, or that it is too late", () => {
  const log = new ChangesLog({ entriesMax: 3, bytesMax: 1e6 }, 10);
  assert.deepEqual([indexes(log.since(9)), indexes(log.since(10)), indexes(log.since(50))], ["compacted", [], []]);
  for (const index of [12, 13, 17]) log.append(index, [change(`k${index}`)]);
  assert.deepEqual(indexes(log.since(10)), [12, 13, 17]);
  assert.deepEqual(indexes(log.since(13)), [17]);
  assert.deepEqual(indexes(log.since(15)), [17]);
  assert.deepEqual(indexes(log.since(17)), []);
  log.append(20, [change("k20")]);
  assert.deepEqual([indexes(log.since(11)), indexes(log.since(12))], ["compacted", [13, 17, 20]]);
  log.append(21, []);
  assert.deepEqual([log.size, log.lastIndex], [3, 20]);
  assert.throws(() => log.append(20, [change("again")]), /rise/);
});

test("the log: keeps to its bytes, and always the newest", () => {
  const log = new ChangesLog({ entriesMax: 1000, bytesMax: 5 * weighChange(change("k", 100)) });
  for (let index = 1; index <= 100; index++) log.append(index, [change("k", 100)]);
  assert.deepEqual(indexes(log.since(95)), [96, 97, 98, 99, 100]);
  assert.equal(log.since(94), "compacted");
  log.append(101, [change("k", 1_000_000)]);
  assert.deepEqual([log.size, indexes(log.since(100))], [1, [101]]);
});

test("the log after a reset: begins at the new index", () => {
  const log = new ChangesLog({ entriesMax: 10, bytesMax: 1e6 });
  log.append(5, [change("a")]);
  log.reset(3);
  assert.deepEqual([indexes(log.since(2)), indexes(log.since(3)), log.lastIndex], ["compacted", [], 3]);
  log.append(4, [change("b")]);
  assert.deepEqual(indexes(log.since(3)), [4]);
});
