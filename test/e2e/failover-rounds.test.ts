// The short form of failover-rounds.ts. The limits are those of the project's aims (docs/performance.md) times three: a busy
// machine is no failure, a group that waits for something it need not wait for is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { failoverRounds, type Kind, quantile } from "./failover-rounds.ts";
import { type Gap, lengthOf, longestGap, type SteadyWriter } from "./steady-writer.ts";

const LIMITS: readonly (readonly [kind: Kind, rounds: number, gapMs: number])[] = [
  ["stop", 2, 4500],
  ["transfer", 3, 750],
];

for (const [kind, rounds, limitMs] of LIMITS)
  test(`${kind}: writes go on within ${limitMs} ms`, { timeout: 120_000 }, async () => {
    const { gap, acknowledged } = await failoverRounds({ kind, rounds, runtimes: ["node", "node", "node"] });
    assert.equal(gap.length, rounds);
    assert.ok(Math.max(...gap) <= limitMs, `gaps of ${gap.map(Math.round).join(", ")} ms`);
    assert.ok(acknowledged > 10 * rounds, `${acknowledged} writes were acknowledged`);
  });

test("the longest gap is the one between acknowledgements of whichever writer, and ends after the event", () => {
  const writer = (...acknowledgedMs: number[]): SteadyWriter => ({ acknowledgedMs }) as unknown as SteadyWriter;
  const gap = (since: number, ...writers: SteadyWriter[]): Gap => longestGap(writers, since);
  assert.deepEqual(gap(25, writer(0, 10, 20, 30, 90, 100)), { fromMs: 30, toMs: 90 });
  assert.deepEqual(gap(25, writer(0, 10, 20, 30, 90, 100), writer(5, 60)), { fromMs: 30, toMs: 60 });
  // One that began before the event counts from its beginning.
  assert.deepEqual(gap(50, writer(0, 40, 90), writer(45, 95)), { fromMs: 45, toMs: 90 });
  assert.equal(lengthOf(gap(95, writer(0, 80, 90))), 0);
});

test("quantiles are values that occur", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)], [50, 99, 100]);
  assert.equal(quantile([7], 0.5), 7);
});
