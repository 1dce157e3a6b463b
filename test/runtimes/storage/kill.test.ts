import assert from "node:assert/strict";
import { test } from "node:test";
import { runKillRounds } from "./kill-rounds.ts";

test("log store: a process killed at random moments loses no acknowledged call and leaves no part of one", async () => {
  const counts = await runKillRounds(30, 20_260_101);
  assert.equal(counts.rounds, 30);
  assert.ok(counts.acknowledged > 300, JSON.stringify(counts));
});
