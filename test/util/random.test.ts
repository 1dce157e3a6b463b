import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/util/random.ts";

test("Random: the stream of a seed is the same on every engine", () => {
  const random = new Random(1);
  assert.deepEqual([random.next(), random.next(), random.next()], [2_420_951_833, 2_513_034_076, 3_847_892_949]);
  assert.equal(new Random(2).next(), 1_115_575_315);
  assert.equal(new Random(2 ** 32 + 1).next(), 2_420_951_833);
});

test("Random: below(n) stays in [0, n) and reaches all of it evenly", () => {
  const random = new Random(7);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 100_000; i += 1) counts[random.below(10)]! += 1;
  for (const count of counts) assert.ok(count > 9500 && count < 10_500, String(count));
  for (let i = 0; i < 100; i += 1) assert.equal(random.below(1), 0);
});

test("Random: float() is in [0, 1) with mean a half", () => {
  const random = new Random(7);
  let sum = 0;
  for (let i = 0; i < 100_000; i += 1) {
    const value = random.float();
    assert.ok(value >= 0 && value < 1);
    sum += value;
  }
  assert.ok(Math.abs(sum / 100_000 - 0.5) < 0.01);
});
