// The short form of nemesis.ts: real servers are stopped, killed and cut off while clients use them, and what these saw is
// linearizable. The longer runs are by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeName } from "../conformance/agent-process.ts";
import { FAULTS, needsNetwork, nemesis } from "./nemesis.ts";
import { whyNoNetwork } from "./network.ts";

const why = whyNoNetwork();

const RUNS: readonly (readonly [runtimes: readonly RuntimeName[], faults: readonly string[]])[] = [
  [
    ["node", "bun", "deno"],
    ["pause-leader", "kill-leader", "transfer"],
  ],
  [
    ["node", "bun", "deno"],
    ["slow-disk-leader", "full-disk-leader", "full-disk-any", "clock-forward", "clock-back"],
  ],
  [
    ["node", "bun", "deno"],
    ["isolate-leader", "deaf-leader", "mute-leader"],
  ],
  [
    ["bun", "bun", "bun", "bun", "bun"],
    ["ring", "halves"],
  ],
];

for (const [runtimes, faults] of RUNS)
  test(
    `${faults.join(", ")} on ${runtimes.join(", ")}: what clients see is linearizable, and the cluster is whole again`,
    { timeout: 180_000, skip: faults.some(needsNetwork) ? (why ?? false) : false },
    async (t) => {
      assert.deepEqual(
        faults.filter((name) => !FAULTS.includes(name)),
        [],
      );
      const seed = Date.now() % 1_000_000;
      t.diagnostic(`seed ${seed}`);
      const result = await nemesis({ runtimes, faults, seed });
      assert.deepEqual(result.faults, []);
      assert.equal(result.happened.size, faults.length);
      assert.ok(result.answered > 20 * faults.length, `${result.answered} operations were answered`);
    },
  );
