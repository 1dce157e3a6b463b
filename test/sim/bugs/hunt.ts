// Looks for one bug in this process: plants it, then runs seed after seed until a checker finds it or the time is up, and
// says what came of it as a line of JSON.
//
//   node test/sim/bugs/hunt.ts NAME [--hours H] [--seconds S] [--from SEED] [--kinds a,b]
//
// The faults of a run are pressed into half its time, because most bugs show under faults. NAME "none" plants nothing.
import { parseArgs } from "node:util";
import { plant } from "./plant.ts";
import { bugNamed } from "./table.ts";

/** What came of it. */
export interface Hunt {
  readonly bug: string;
  /** Which checker found it, and what it said; null: none did. */
  readonly checker: string | null;
  readonly message: string;
  readonly seed: number;
  readonly simulatedMs: number;
  readonly wallMs: number;
}

const HOUR_MS = 3_600_000;
const CHAOS_MS = 120_000;
const PRESSED = 2;
/** Few requests simulate fast, many find what needs many. */
const RATES = [20, 20, 60, 100];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    hours: { type: "string", default: "20" },
    seconds: { type: "string", default: "Infinity" },
    from: { type: "string", default: "1" },
    kinds: { type: "string" },
  },
});
const name = positionals[0] ?? "";
const bug = bugNamed(name);
if (bug === undefined && name !== "none") throw new Error(`there is no bug ${name}`);
if (bug !== undefined) plant(bug);

// Only now: what these import is read with the bug in it.
const { faultKinds } = await import("../faults/table.ts");
const { parties } = await import("../parties.ts");
const { makeScenario } = await import("../scenario.ts");
const { simulate } = await import("../simulate.ts");

const startedMs = performance.now();
let simulatedMs = 0;
let found: Hunt | null = null;
let seed = Number(flags.from);
for (; found === null; seed += 1) {
  const wallMs = performance.now() - startedMs;
  if (simulatedMs >= Number(flags.hours) * HOUR_MS || wallMs >= Number(flags.seconds) * 1000) break;
  const scenario = makeScenario(seed, faultKinds, {
    chaosMs: CHAOS_MS,
    opsPerSecond: RATES[seed % RATES.length] as number,
    ...(flags.kinds === undefined ? {} : { kinds: flags.kinds.split(",") }),
  });
  scenario.chaosMs /= PRESSED;
  for (const fault of scenario.faults) fault.atMs = Math.round(fault.atMs / PRESSED);
  const { violation, ...outcome } = await simulate(scenario, { parties });
  simulatedMs += outcome.simulatedMs;
  if (violation === null) continue;
  const { checker, message } = violation;
  found = { bug: name, checker, message, seed, simulatedMs, wallMs: performance.now() - startedMs };
}
console.log(
  JSON.stringify(
    found ?? { bug: name, checker: null, message: "", seed, simulatedMs, wallMs: performance.now() - startedMs },
  ),
);
