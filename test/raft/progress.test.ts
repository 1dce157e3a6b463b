import assert from "node:assert/strict";
import { test } from "node:test";
import { Inflights } from "../../src/raft/inflights.ts";
import { RAFT_DEFAULTS } from "../../src/raft/options.ts";
import { Progress } from "../../src/raft/progress.ts";
import { Rounds } from "../../src/raft/rounds.ts";

const limits = { ...RAFT_DEFAULTS.limits, maxInflight: 2, maxInflightBytes: 100 };

test("a probe sends one message and waits", () => {
  const progress = new Progress("b", 8, 0, limits);
  assert.equal(progress.isBlocked, false);
  progress.sent(9, 10, 1);
  assert.deepEqual([progress.next, progress.isBlocked], [8, true]);
});

test("replication sends ahead until the window is full", () => {
  const progress = new Progress("b", 8, 0, limits);
  progress.acknowledge(7, 1);
  progress.becomeReplicate();
  progress.sent(9, 10, 1);
  assert.deepEqual([progress.match, progress.next, progress.isBlocked], [7, 10, false]);
  progress.sent(12, 10, 1);
  assert.deepEqual([progress.next, progress.isBlocked], [13, true]);
  assert.equal(progress.acknowledge(9, 1), true);
  assert.deepEqual([progress.match, progress.next, progress.isBlocked], [9, 13, false]);
});

for (const [index, isNews, match, next] of [
  [6, false, 7, 10],
  [7, false, 7, 10],
  [8, true, 8, 10],
  [9, true, 9, 10],
  [12, true, 12, 13],
] as const) {
  test(`with 7 known and 9 sent, an acknowledgement of ${index} leaves match ${match} and next ${next}`, () => {
    const progress = new Progress("b", 8, 0, limits);
    progress.acknowledge(7, 1);
    progress.becomeReplicate();
    progress.sent(9, 10, 1);
    assert.equal(progress.acknowledge(index, 2), isNews);
    assert.deepEqual([progress.match, progress.next, progress.matchRound], [match, next, isNews ? 2 : 1]);
  });
}

test("a change of state empties the window", () => {
  const progress = new Progress("b", 8, 0, limits);
  progress.acknowledge(7, 1);
  progress.becomeReplicate();
  progress.sent(9, 10, 1);
  progress.becomeProbe(8);
  assert.deepEqual([progress.state, progress.next, progress.inflights.count], ["probe", 8, 0]);
  progress.becomeSnapshot(20);
  assert.deepEqual([progress.state, progress.snapshotIndex, progress.isBlocked], ["snapshot", 20, true]);
  progress.becomeLost();
  assert.deepEqual([progress.state, progress.isBlocked], ["lost", true]);
  assert.throws(() => progress.becomeProbe(7), /after what is known/);
});

test("the window is full of messages or of bytes", () => {
  const inflights = new Inflights(3, 100);
  inflights.add(5, 60);
  assert.equal(inflights.isFull, false);
  inflights.add(6, 60);
  assert.equal(inflights.isFull, true);
  inflights.freeTo(4);
  assert.equal(inflights.count, 2);
  inflights.freeTo(5);
  assert.deepEqual([inflights.count, inflights.isFull], [1, false]);
  inflights.add(7, 1);
  inflights.add(8, 1);
  assert.equal(inflights.isFull, true);
  inflights.freeTo(8);
  assert.deepEqual([inflights.count, inflights.isFull], [0, false]);
});

test("rounds remember when they began, for a while", () => {
  const rounds = new Rounds();
  for (let round = 1; round <= 300; round += 1) assert.equal(rounds.begin(round * 10), round);
  assert.deepEqual(
    [0, 44, 45, 300, 301].map((round) => rounds.beganMs(round)),
    [-Infinity, -Infinity, 450, 3000, -Infinity],
  );
});
