import assert from "node:assert/strict";
import { test } from "node:test";
import { faultKinds } from "./faults/table.ts";
import { parties } from "./parties.ts";
import { makeScenario } from "./scenario.ts";
import { shrink } from "./shrink.ts";
import { simulate, type SimulateOptions } from "./simulate.ts";

const SHORT = { chaosMs: 12_000, servers: 3, opsPerSecond: 40 };

test("sim: a run can be replayed: its hash is the same, with and without readable lines", async () => {
  const scenario = makeScenario(11, faultKinds, {
    ...SHORT,
    kinds: ["crash", "net-loss", "net-duplicate", "disk-lost-writes"],
  });
  const first = await simulate(scenario, { parties });
  const second = await simulate(scenario, { parties, traced: true });
  assert.equal(first.violation, null, first.violation?.message);
  assert.equal(second.hash, first.hash);
  assert.ok((second.lines ?? []).length > 1000, "there are few lines");
  const other = await simulate({ ...scenario, seed: 12 }, { parties });
  assert.notEqual(other.hash, first.hash);
});

/** A cluster that is "wrong" as soon as a server has been frozen after one has crashed. */
const wrong: SimulateOptions["parties"] = () => ({
  workloads: [],
  operations: () => 0,
  checkers: [
    {
      name: "test",
      step(sim): void {
        const { fired } = sim as unknown as { fired: Map<string, number> };
        if (fired.has("freeze") && fired.has("crash")) sim.fail("a crash and a freeze", "both came");
      },
    },
  ],
});

test("sim: a violation ends the run and is shrunk to the faults that it needs", async () => {
  const kinds = ["crash", "freeze", "net-loss", "net-delay", "clock-skew", "leadership-transfer"];
  const scenario = makeScenario(5, faultKinds, { ...SHORT, chaosMs: 60_000, kinds });
  const outcome = await simulate(scenario, { parties: wrong });
  assert.equal(outcome.violation?.checker, "a crash and a freeze");
  assert.ok(outcome.simulatedMs < 70_000);
  const untilMs = Date.now() + 60_000;
  const small = await shrink(scenario, outcome, { parties: wrong, untilMs, progress: () => {} });
  assert.deepEqual(small.scenario.faults.map(({ kind }) => kind).sort(), ["crash", "freeze"]);
  assert.equal(small.outcome.violation?.checker, "a crash and a freeze");
});

test("sim: what touches a real clock ends the run with a violation", async () => {
  const real: SimulateOptions["parties"] = () => ({
    workloads: [],
    operations: () => 0,
    checkers: [{ name: "test", step: () => void Date.now() }],
  });
  const { violation } = await simulate(makeScenario(1, faultKinds, { ...SHORT, kinds: [] }), { parties: real });
  assert.match(violation?.message ?? "", /Date\.now was called inside a simulation/);
});
