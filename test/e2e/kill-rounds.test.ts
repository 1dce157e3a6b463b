// The short form of kill-rounds.ts, on each runtime.
import assert from "node:assert/strict";
import { test } from "node:test";
import { killRounds } from "./kill-rounds.ts";

for (const [runtime, rounds] of [
  ["node", 10],
  ["bun", 3],
  ["deno", 3],
] as const) {
  test(
    `${rounds} rounds of kill -9 under write load on ${runtime}: nothing acknowledged is lost`,
    { timeout: 180_000 },
    async (t) => {
      const seed = Date.now() % 1_000_000;
      t.diagnostic(`seed ${seed}`);
      const result = await killRounds({ runtime, rounds, snapshotsMin: 1, writers: 4, seed });
      assert.deepEqual(result.faults, []);
      assert.ok(result.rounds >= rounds);
      assert.ok(result.acknowledged > rounds * 5, `${result.acknowledged} writes were acknowledged`);
      assert.ok(result.snapshots > 0, "snapshots were taken meanwhile");
    },
  );
}
