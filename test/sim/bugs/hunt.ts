// Looks for one bug in this process: plants it, then runs the scripts and seed after seed until a checker finds it or the
// time is up, and says what came of it as a line of JSON.
//
//   node test/sim/bugs/hunt.ts NAME [--hours H] [--seconds S] [--from SEED] [--kinds a,b] [--scripts none|told]
//
// The faults of a run are pressed into half its time, because most bugs show under faults. NAME "none" plants nothing.
import { parseArgs } from "node:util";
import type { Violation } from "../world.ts";
import { plant } from "./plant.ts";
import { bugNamed } from "./table.ts";

/** What came of it. */
export interface Hunt {
  readonly bug: string;
  /** Which checker found it, and what it said; null: none did. */
  readonly checker: string | null;
  readonly message: string;
  /** The script that led there; null: random faults did. */
  readonly script: string | null;
  readonly seed: number;
  readonly simulatedMs: number;
  readonly wallMs: number;
}

const HOUR_MS = 3_600_000;
const CHAOS_MS = 120_000;
const PRESSED = 2;
/** Each script with so many seeds: chance decides in some what a crash leaves. */
const SCRIPT_SEEDS = 3;
/** So many runs with random faults between them. */
const RUNS_A_ROUND = 8;
/** Few requests simulate fast, many find what needs many. */
const RATES = [20, 20, 60, 100];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    hours: { type: "string", default: "20" },
    seconds: { type: "string", default: "Infinity" },
    from: { type: "string", default: "1" },
    kinds: { type: "string" },
    datacenters: { type: "string" },
    /** none: random faults only; told: says how far each came. */
    scripts: { type: "string" },
  },
});
const name = positionals[0] ?? "";
const bug = bugNamed(name);
if (bug === undefined && name !== "none") throw new Error(`there is no bug ${name}`);
if (bug !== undefined) plant(bug);
/** For "none" it can be told. */
const datacenters = bug?.datacenters ?? (flags.datacenters === undefined ? undefined : Number(flags.datacenters));

// Only now: what these import is read with the bug in it.
const { faultKinds } = await import("../faults/table.ts");
const { parties } = await import("../parties.ts");
const { makeScenario } = await import("../scenario.ts");
const { simulate } = await import("../simulate.ts");
const { SCRIPTS } = await import("./directed.ts");
const { runScript } = await import("./script.ts");

const startedMs = performance.now();
let simulatedMs = 0;
let found: Hunt | null = null;
let seed = Number(flags.from);
for (let round = 1; found === null && hasTime(); round += 1) {
  if (round <= SCRIPT_SEEDS && flags.scripts !== "none" && datacenters === undefined) await runScripts(round);
  for (let i = 0; i < RUNS_A_ROUND && found === null && hasTime(); i += 1, seed += 1) {
    const scenario = makeScenario(seed, faultKinds, {
      chaosMs: CHAOS_MS,
      opsPerSecond: RATES[seed % RATES.length] as number,
      ...(datacenters === undefined ? {} : { datacenters }),
      ...(flags.kinds === undefined ? {} : { kinds: flags.kinds.split(",") }),
    });
    scenario.chaosMs /= PRESSED;
    for (const fault of scenario.faults) fault.atMs = Math.round(fault.atMs / PRESSED);
    const { violation, ...outcome } = await simulate(scenario, { parties });
    simulatedMs += outcome.simulatedMs;
    if (violation !== null) found = foundBy(violation, seed, null);
  }
}
console.log(
  JSON.stringify(
    found ?? {
      bug: name,
      checker: null,
      message: "",
      script: null,
      seed,
      simulatedMs,
      wallMs: performance.now() - startedMs,
    },
  ),
);

function hasTime(): boolean {
  return simulatedMs < Number(flags.hours) * HOUR_MS && performance.now() - startedMs < Number(flags.seconds) * 1000;
}

/** All scripts with one seed. */
async function runScripts(of: number): Promise<void> {
  for (const script of SCRIPTS) {
    if (found !== null) return;
    const { violation, isComplete, simulatedMs: ms } = await runScript(script, of);
    simulatedMs += ms;
    if (flags.scripts === "told") console.log(`${script.name} (${of}): ${isComplete ? "complete" : "incomplete"}`);
    if (violation !== null) found = foundBy(violation, of, script.name);
  }
}

function foundBy({ checker, message }: Violation, ofSeed: number, script: string | null): Hunt {
  return { bug: name, checker, message, script, seed: ofSeed, simulatedMs, wallMs: performance.now() - startedMs };
}
