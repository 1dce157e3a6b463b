import assert from "node:assert/strict";
import { test } from "node:test";
import { runKillRounds } from "./kill-rounds.ts";

for (const seed of [20_260_101, 20_260_102, 20_260_103]) {
  const title = `log store: a process killed at random moments loses no acknowledged call and leaves no part of one, seed ${seed}`;
  test(title, { timeout: 60_000 }, async () => {
    const counts = await runKillRounds(10, seed);
    assert.equal(counts.rounds, 10);
    assert.ok(counts.acknowledged > 100, JSON.stringify(counts));
  });
}
