// Every recorded answer of a real Consul, asked of an agent in a process of its own, on each runtime. Steps that are answered
// otherwise on purpose stand with their reason in docs/differences.md, at most 3 in 100.
//
// CONFORMANCE_RUNTIMES=node,bun and CONFORMANCE_AREAS=kv,dns narrow it down.
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, test } from "node:test";
import { acceptedDifferences } from "./accepted.ts";
import { type RuntimeName, RUNTIMES, toolCommand } from "./agent-process.ts";
import { LATER_AREAS, type Outcome, replayArea } from "./replay.ts";
import { type Area, areaNames, loadArea } from "./scenario.ts";

const ACCEPTED_SHARE_MAX = 0.03;

const runtimes = (process.env.CONFORMANCE_RUNTIMES?.split(",") as RuntimeName[] | undefined) ?? RUNTIMES;
const areas: Area[] = [];
for (const name of process.env.CONFORMANCE_AREAS?.split(",") ?? areaNames())
  if (!LATER_AREAS.includes(name)) areas.push(await loadArea(name));
const accepted = acceptedDifferences();
const outcomes: (Outcome & { runtime: RuntimeName })[] = [];

describe("conformance", { concurrency: Math.max(2, availableParallelism()) }, () => {
  for (const runtime of runtimes) {
    for (const area of areas) {
      test(`conformance: ${area.name} on ${runtime}: answers are a real Consul's`, async (t) => {
        const found = await replayArea(area, toolCommand(runtime));
        for (const outcome of found) outcomes.push({ ...outcome, runtime });
        for (const scenario of area.scenarios) {
          await t.test(scenario.name, () => {
            const wrong = found.filter(
              ({ scenario: name, id, differences }) =>
                name === scenario.name && differences.length > 0 && !accepted.has(`${area.name}: ${id}`),
            );
            assert.equal(
              wrong.length,
              0,
              wrong.map(({ id, differences }) => `${id}\n  ${differences.slice(0, 4).join("\n  ")}`).join("\n"),
            );
          });
        }
      });
    }
  }
});

for (const runtime of runtimes) {
  test(`conformance: on ${runtime}, at most 3 in 100 steps are accepted differences`, () => {
    const all = outcomes.filter((outcome) => outcome.runtime === runtime);
    const differing = all.filter(
      ({ area, id, differences }) => differences.length > 0 && accepted.has(`${area}: ${id}`),
    );
    assert.ok(all.length > 0, "steps were compared");
    assert.ok(differing.length <= all.length * ACCEPTED_SHARE_MAX, `${differing.length} of ${all.length}`);
  });
}

test("conformance: every accepted difference is one", () => {
  const names = new Set(areas.map(({ name }) => name));
  const listed = [...accepted.keys()].filter((step) => names.has(step.slice(0, step.indexOf(":"))));
  const needless = listed.filter(
    (step) => !outcomes.some(({ area, id, differences }) => `${area}: ${id}` === step && differences.length > 0),
  );
  assert.deepEqual(needless, [], "listed in docs/differences.md, but answered as recorded, or no step at all");
});
