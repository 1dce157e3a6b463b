// Recorded answers of a real Consul, asked of a Worker. What is answered otherwise there, beyond what every runtime answers
// otherwise, is listed here and in docs/operating/cloudflare.md. `node test/runtimes/cloudflare/replay.ts` asks further areas.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { acceptedDifferences } from "../../conformance/accepted.ts";
import { bundle } from "./local-worker.ts";
import { replayWorker } from "./replay.ts";

/** The areas of one agent's HTTP API that need no files and no programs beside it. */
const AREAS = ["kv", "session", "catalog", "config-entries"];
/** Steps that are answered otherwise on a Worker, by why. */
const DIFFERENT = new Map<string, string>([
  ["session: coordinates and status / 1. GET /v1/coordinate/datacenters", "there is no WAN pool"],
  [
    "config-entries: operator / 1. GET /v1/operator/raft/configuration",
    "an object looks at itself whenever it is asked",
  ],
  ["config-entries: operator / 5. GET /v1/operator/autopilot/health", "an object looks at itself whenever it is asked"],
]);

let code: string;
before(async () => {
  ({ code } = await bundle());
});

for (const area of AREAS) {
  test(`conformance: ${area} on a Worker: answers are a real Consul's, save those that are listed`, async () => {
    const accepted = acceptedDifferences();
    const outcomes = await replayWorker(area, code);
    const wrong = outcomes
      .map(({ id, differences }) => ({ step: `${area}: ${id}`, differences }))
      .filter(({ step, differences }) => differences.length > 0 && !accepted.has(step) && !DIFFERENT.has(step));
    assert.ok(outcomes.length > 0);
    assert.deepEqual(wrong, []);
  });
}
