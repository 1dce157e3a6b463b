import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter, Sample } from "../../src/util/instrument.ts";

test("a counter knows the figures of its interval and the totals since the start", () => {
  const counter = new Counter();
  for (const value of [3, 1, 2]) counter.add(value);
  assert.deepEqual(counter.figures, { count: 3, sum: 6, sumOfSquares: 14, min: 1, max: 3 });
  assert.deepEqual(counter.end(), { count: 3, sum: 6, sumOfSquares: 14, min: 1, max: 3 });
  assert.deepEqual(counter.figures, { count: 0, sum: 0, sumOfSquares: 0, min: 0, max: 0 });
  counter.add(-4);
  assert.deepEqual(counter.end(), { count: 1, sum: -4, sumOfSquares: 16, min: -4, max: -4 });
  assert.deepEqual([counter.totalCount, counter.totalSum], [4, 2]);
});

test("a sample's quantiles are those of the interval under way and the one before", () => {
  const sample = new Sample();
  for (let i = 0; i < 10; i++) sample.add(100);
  sample.end();
  for (let i = 0; i < 10; i++) sample.add(1);
  assert.ok(sample.quantile(0.5) < 2);
  assert.ok(sample.quantile(0.99) > 90);
  sample.end();
  assert.ok(sample.quantile(0.99) < 2, "what is two intervals old does not count");
  sample.end();
  assert.ok(Number.isNaN(sample.quantile(0.5)));
  assert.deepEqual([sample.totalCount, sample.totalSum], [20, 1010]);
});
