import assert from "node:assert/strict";
import { test } from "node:test";
import { ReplayWindow } from "../../src/rpc/replay-window.ts";
import { Random } from "../../src/util/random.ts";

const WIDTH = 16_384;

test("replay window: a number comes once, in whatever order", () => {
  const window = new ReplayWindow();
  for (const counter of [5, 0, 31, 32, 4, 33, 1]) assert.equal(window.take(counter), true, String(counter));
  for (const counter of [5, 0, 31, 32, 4, 33, 1]) assert.equal(window.take(counter), false, String(counter));
});

test("replay window: what is older than the window counts as having come", () => {
  const window = new ReplayWindow();
  assert.equal(window.take(WIDTH + 100), true);
  assert.equal(window.take(100), false);
  assert.equal(window.take(101), true);
  assert.equal(window.take(-1), false);
});

test("replay window: a jump leaves nothing of before", () => {
  const window = new ReplayWindow();
  for (let counter = 0; counter < 1000; counter += 1) window.take(counter);
  const far = 2 ** 47;
  assert.equal(window.take(far), true);
  for (let back = 1; back < WIDTH; back += 1) assert.equal(window.take(far - back), true, String(back));
  assert.equal(window.take(far - WIDTH), false);
});

test("replay window: says what a set of all numbers says, over random walks", () => {
  const random = new Random(7);
  for (let round = 0; round < 20; round += 1) {
    const window = new ReplayWindow();
    const seen = new Set<number>();
    let highest = -1;
    let base = 0;
    for (let i = 0; i < 5000; i += 1) {
      const kind = random.below(100);
      if (kind === 0) base += random.below(2 * WIDTH);
      else if (kind < 50) base += random.below(3);
      const counter = Math.max(0, base - random.below(kind < 90 ? 50 : WIDTH + 200));
      const expected = !seen.has(counter) && counter > highest - WIDTH;
      assert.equal(window.take(counter), expected, `${counter} of ${highest}`);
      if (expected) seen.add(counter);
      highest = Math.max(highest, counter);
    }
  }
});
