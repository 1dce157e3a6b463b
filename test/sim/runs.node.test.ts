// Whole runs of the simulator: a few fixed seeds, one that is new each time, the scenarios in files, and the same run on
// three runtimes. `.ci/run` does many more.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { faultKinds } from "./faults/table.ts";
import { parties } from "./parties.ts";
import { makeScenario, type Scenario } from "./scenario.ts";
import { type Outcome, simulate } from "./simulate.ts";

const SECONDS = 60_000;
const SCENARIOS = new URL("scenarios/", import.meta.url);
const PROGRAM = fileURLToPath(new URL("main.ts", import.meta.url));

async function run(scenario: Scenario): Promise<Outcome> {
  const outcome = await simulate(scenario, { parties });
  const { violation } = outcome;
  assert.equal(violation, null, `seed ${scenario.seed}: ${violation?.checker}: ${violation?.message}`);
  return outcome;
}

const seeds = [1, 2, 3, 4, 5, crypto.getRandomValues(new Uint32Array(1))[0] as number];

for (const seed of seeds) {
  const name = seed === seeds.at(-1) ? "a new seed" : `seed ${seed}`;
  test(`sim: ${name} stands all checks, under whatever faults it picks`, async (t) => {
    t.diagnostic(`seed ${seed}: npm run sim -- --seed ${seed} --seconds ${SECONDS / 1000}`);
    const { operations } = await run(makeScenario(seed, faultKinds, { chaosMs: SECONDS }));
    assert.ok(operations > 20, `only ${operations} operations were answered`);
  });
}

for (const name of readdirSync(SCENARIOS).filter((file) => file.endsWith(".json")))
  test(`sim: scenario ${name} stands all checks`, async () => {
    await run(JSON.parse(readFileSync(new URL(name, SCENARIOS), "utf8")) as Scenario);
  });

test("sim: with all servers well there is one leader from beginning to end, and no fault fires", async () => {
  const { fired, recoveryMs } = await run(makeScenario(1, faultKinds, { kinds: [], chaosMs: SECONDS / 3 }));
  assert.deepEqual([...fired], []);
  assert.ok(recoveryMs < 1000, String(recoveryMs));
});

test("sim: the same seed goes the same way on Node, Bun and Deno, byte by byte of the trace's hash", () => {
  const words = ["--seed", "7", "--seconds", "25", "--report"];
  const hashOf = (program: string, first: readonly string[]): string => {
    const { stdout, stderr } = spawnSync(program, [...first, PROGRAM, ...words], { encoding: "utf8" });
    const hash = /hash ([0-9a-f]{16})/.exec(stdout)?.[1];
    assert.ok(hash !== undefined, `${program}: ${stdout}${stderr}`);
    return hash;
  };
  const bin = (name: string): string => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
  const node = hashOf(process.execPath, []);
  assert.equal(hashOf(bin("bun"), []), node, "Bun went another way");
  assert.equal(hashOf(bin("deno"), ["run", "-A", "--no-check"]), node, "Deno went another way");
});
