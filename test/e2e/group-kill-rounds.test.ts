// The short form of group-kill-rounds.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { groupKillRounds } from "./group-kill-rounds.ts";

for (const [what, rounds, all] of [
  ["one server", 3, false],
  ["all servers at once", 1, true],
] as const)
  test(`kill -9 of ${what} under write load: nothing acknowledged is lost`, { timeout: 180_000 }, async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const result = await groupKillRounds({ runtimes: ["node", "bun", "deno"], rounds, all, seed });
    assert.deepEqual(result.faults, []);
    assert.deepEqual([result.rounds, result.kills], [rounds, all ? 3 * rounds : rounds]);
    assert.ok(result.acknowledged > rounds, `${result.acknowledged} writes were acknowledged`);
  });
