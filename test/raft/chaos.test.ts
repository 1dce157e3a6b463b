import assert from "node:assert/strict";
import { test } from "node:test";
import { playSeed } from "./chaos.ts";

// RAFT_SEED=7 plays one seed, RAFT_SEEDS=1000 more of them.
const first = Number(process.env["RAFT_SEED"] ?? 1);
const count = process.env["RAFT_SEED"] === undefined ? Number(process.env["RAFT_SEEDS"] ?? 60) : 1;

test(`a group under faults keeps Raft's promises and recovers, seeds ${first} to ${first + count - 1}`, () => {
  const counts: Record<string, number> = {};
  for (let seed = first; seed < first + count; seed += 1) {
    for (const [what, times] of Object.entries(playSeed(seed, 1500).counts)) counts[what] = (counts[what] ?? 0) + times;
  }
  if (count < 60) return;
  // The run is worth something only if all of this happened.
  for (const what of [
    "crash",
    "freeze",
    "partition",
    "disk full",
    "wipe",
    "peer-lost-data",
    "truncated",
    "install-snapshot",
    "compact",
    "change",
    "configuration",
    "transfer-done",
    "transfer-failed",
    "read-ready",
    "read-failed",
    "local read",
  ]) {
    assert.ok((counts[what] ?? 0) > 0, `no ${what} in any seed`);
  }
});

test("the same seed gives the same run", () => {
  assert.deepEqual(playSeed(5, 500).trace, playSeed(5, 500).trace);
});
