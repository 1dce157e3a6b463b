// Short runs of three datacenters: a fixed seed, another on three runtimes, and what `Weather` says. New seeds and hours are done
// by `npm run sim -- --datacenters 3 --hours N`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { EventQueue } from "../event-queue.ts";
import { faultKinds } from "../faults/table.ts";
import { parties } from "../parties.ts";
import { makeScenario, type Scenario } from "../scenario.ts";
import { simulate } from "../simulate.ts";
import { Weather } from "../weather.ts";

const SHORT = { datacenters: 3, opsPerSecond: 20, chaosMs: 15_000 };
const PROGRAM = fileURLToPath(new URL("../main.ts", import.meta.url));
const SEED = 12;

test("sim: three datacenters stand all checks, under the faults that a seed picks", async (t) => {
  t.diagnostic(`seed ${SEED}: npm run sim -- --datacenters 3 --ops 20 --seconds 15 --seed ${SEED}`);
  const scenario = makeScenario(SEED, faultKinds, SHORT);
  // A scenario in a file is the same run.
  const { violation, operations } = await simulate(JSON.parse(JSON.stringify(scenario)) as Scenario, { parties });
  assert.equal(violation, null, `seed ${SEED}: ${violation?.checker}: ${violation?.message}`);
  assert.ok(operations > 50, `only ${operations} operations were answered`);
});

test("sim: three datacenters go the same way on Node, Bun and Deno", () => {
  const words = "--seed 5 --seconds 8 --datacenters 3 --servers 1 --ops 20 --report".split(" ");
  const hashOf = (program: string, first: readonly string[]): string => {
    const { stdout, stderr } = spawnSync(program, [...first, PROGRAM, ...words], { encoding: "utf8" });
    const hash = /: ok, .*hash ([0-9a-f]{16})/.exec(stdout)?.[1];
    assert.ok(hash !== undefined, `${program}: ${stdout}${stderr}`);
    return hash;
  };
  const bin = (name: string): string => fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url));
  const node = hashOf(process.execPath, []);
  assert.equal(hashOf(bin("bun"), []), node, "Bun went another way");
  assert.equal(hashOf(bin("deno"), ["run", "-A", "--no-check"]), node, "Deno went another way");
});

test("sim: faults of links come only with several datacenters, and those of one name where they happen", () => {
  const far = new Set(faultKinds.filter(({ isFar }) => isFar === true).map(({ name }) => name));
  for (let seed = 1; seed <= 20; seed += 1) {
    const one = makeScenario(seed, faultKinds);
    assert.ok(one.faults.every(({ kind, site }) => !far.has(kind) && site === undefined));
    const three = makeScenario(seed, faultKinds, { datacenters: 3 });
    assert.equal(three.settings.linkMs?.length, 3);
    for (const { kind, site } of three.faults) assert.equal(site === undefined, far.has(kind), kind);
  }
});

test("sim: all is well where nothing happens, and since it ended", () => {
  const events = new EventQueue();
  const weather = new Weather(events);
  events.now = 10;
  weather.begin("dc1 dc2");
  weather.begin("dc1 dc2");
  events.now = 20;
  weather.end("dc1 dc2");
  assert.equal(weather.wellSince(["dc2", "dc1"]), Number.POSITIVE_INFINITY);
  assert.equal(weather.wellSince(["dc1", "dc3"]), 0);
  events.now = 30;
  weather.end("dc1 dc2");
  weather.wrong("dc3");
  assert.equal(weather.wellSince(["dc1", "dc2"]), 30);
  assert.equal(weather.wellSince(["dc3"]), 30);
  assert.equal(weather.wellSince(["dc1"]), 0);
});
