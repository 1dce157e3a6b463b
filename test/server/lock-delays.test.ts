import assert from "node:assert/strict";
import { test } from "node:test";
import { LockDelays } from "../../src/server/lock-delays.ts";

test("a released lock is held back for its delay, by the monotonic clock", () => {
  const delays = new LockDelays();
  delays.note([{ key: "k", lockDelayNs: 15e9 }], 1000);
  assert.equal(delays.delayed("k", 1000), true);
  assert.equal(delays.delayed("k", 15_999), true);
  assert.equal(delays.delayed("other", 1000), false);
  assert.equal(delays.delayed("k", 16_000), false);
  delays.note([{ key: "k", lockDelayNs: 1e6 }], 20_000);
  delays.clear();
  assert.equal(delays.delayed("k", 20_000), false);
});

test("W12: a delay of a millisecond is one", () => {
  const delays = new LockDelays();
  delays.note([{ key: "k", lockDelayNs: 1e6 }], 0);
  assert.equal(delays.delayed("k", 0.5), true);
  assert.equal(delays.delayed("k", 1), false);
});

test("delays that are over do not pile up", () => {
  const delays = new LockDelays();
  for (let i = 0; i < 5000; i++) delays.note([{ key: `k${i}`, lockDelayNs: 1e6 }], i * 10);
  assert.ok(delays.size < 2048, `${delays.size} kept`);
});
