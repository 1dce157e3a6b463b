// `npm run sim`: runs the simulated cluster from the command line. docs/simulator.md tells how; `--help` in short.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { faultKinds } from "./faults/table.ts";
import { parties } from "./parties.ts";
import { makeScenario, type Scenario, type ScenarioWishes } from "./scenario.ts";
import { shrink } from "./shrink.ts";
import { type Outcome, simulate } from "./simulate.ts";
import { Tally } from "./tally.ts";

const USAGE = `npm run sim -- [options]
  --seed N            one run
  --seeds A..B        a run for each seed
  --hours H           new seeds until so many hours are simulated
  --minutes M         begins no new run after M minutes of real time, however many hours are left
  --fresh N           N new seeds (the default: 10)
  --scenario FILE     replays a scenario file
  --faults a,b,-c     only these kinds, or all that the seed picks but -c; --faults list lists them
  --datacenters 3     so many datacenters, with faults of the links between them too
  --servers 3|5       instead of what the seed picks
  --seconds S         how long faults happen in each run
  --ops N             operations a second
  --jobs N            so many processes at once
  --runtime R         node (the default), bun or deno
  --trace             prints the whole trace
  --no-shrink         leaves a failing run as it is
  --shrink-seconds S  how long it may be tried to make a failing run smaller (120)
  --bug NAME          plants a bug in the product first (Node only); --bug list lists them
  --bugs              hunts all bugs, each until it is found: bugs/main.ts tells its options
  --out DIR           where traces and scenarios of failing runs go`;

const HOUR_MS = 3_600_000;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const MICROSECONDS = 1000;
const TAIL_LINES = 60;
const SEED_MAX = 2 ** 32;
/** Nearly all that a run makes is soon garbage: a nursery of the usual size costs two fifths of the speed, one that grows a tenth. */
const NODE_FLAGS = ["--min-semi-space-size=64", "--max-semi-space-size=64"];
const FRESH = 10;
const SHRINK_SECONDS = 120;

const { values: flags } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    hours: { type: "string" },
    minutes: { type: "string" },
    fresh: { type: "string" },
    scenario: { type: "string" },
    faults: { type: "string" },
    datacenters: { type: "string" },
    servers: { type: "string" },
    seconds: { type: "string" },
    ops: { type: "string" },
    jobs: { type: "string" },
    runtime: { type: "string" },
    trace: { type: "boolean" },
    "no-shrink": { type: "boolean" },
    "shrink-seconds": { type: "string" },
    out: { type: "string" },
    /** One line of JSON for each run: what a process of `--jobs` says to the one that started it. */
    report: { type: "boolean" },
    help: { type: "boolean" },
  },
});

/** What a run says to whoever sums up. */
export interface RunReport {
  seed: number;
  text: string;
  failed: boolean;
  simulatedMs: number;
  wallMs: number;
  /** Of the processor, for all threads of the process. */
  cpuMs: number;
  operations: number;
  recoveryMs: number;
  fired: [string, number][];
}

if (flags.help === true) console.log(USAGE);
else if (flags.faults === "list") for (const { name, what } of faultKinds) console.log(`${name.padEnd(24)}${what}`);
else if (flags.runtime !== undefined || Number(flags.jobs ?? 1) > 1) await delegate();
else await here();

/** All runs in this process. */
async function here(): Promise<void> {
  const tally = new Tally();
  for (const scenario of scenarios(() => tally.simulatedMs)) {
    const report = await runOne(scenario);
    tally.add(report);
    console.log(flags.report === true ? JSON.stringify(report) : report.text);
  }
  if (flags.report === true) return;
  console.log(tally.summary());
  if (tally.failed > 0) process.exitCode = 1;
}

/** The same in other processes, one for each job, each with its share. */
async function delegate(): Promise<void> {
  const jobs = Number(flags.jobs ?? 1);
  const tally = new Tally();
  const startedAt = performance.now();
  const words = process.argv.slice(2);
  const given = words.filter((word, at) => !["--jobs", "--runtime"].some((name) => own(word, words[at - 1], name)));
  const ends = Array.from({ length: jobs }, (_, job) => work(given, job, jobs, tally));
  const codes = await Promise.all(ends);
  console.log(tally.summary(performance.now() - startedAt));
  process.exitCode = tally.failed === 0 && codes.every((code) => code === 0) ? 0 : 1;
}

function own(word: string, before: string | undefined, name: string): boolean {
  return word === name || word.startsWith(`${name}=`) || before === name;
}

function work(given: readonly string[], job: number, jobs: number, tally: Tally): Promise<number | null> {
  const runtime = flags.runtime ?? "node";
  const program =
    runtime === "node"
      ? process.execPath
      : fileURLToPath(new URL(`../../node_modules/.bin/${runtime}`, import.meta.url));
  const first = runtime === "deno" ? ["run", "-A", "--no-check"] : runtime === "node" ? NODE_FLAGS : [];
  const child = spawn(program, [...first, fileURLToPath(import.meta.url), ...given, "--report"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, SIM_JOB: `${job}/${jobs}` },
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith("{")) {
      console.log(line);
      return;
    }
    const report = JSON.parse(line) as RunReport;
    tally.add(report);
    console.log(report.text);
  });
  return new Promise((resolve) => child.once("close", resolve));
}

/** The scenarios that were asked for, this job's share of them. */
function* scenarios(simulatedMs: () => number): Generator<Scenario> {
  if (flags.scenario !== undefined) {
    yield JSON.parse(readFileSync(flags.scenario, "utf8")) as Scenario;
    return;
  }
  const [job, jobs] = (process.env["SIM_JOB"] ?? "0/1").split("/").map(Number) as [number, number];
  const wishes = wishesOf();
  if (flags.seed !== undefined) {
    if (job === 0) yield makeScenario(Number(flags.seed), faultKinds, wishes);
    return;
  }
  if (flags.seeds !== undefined) {
    const [from, to] = flags.seeds.split("..").map(Number) as [number, number];
    for (let seed = from + job; seed <= to; seed += jobs) yield makeScenario(seed, faultKinds, wishes);
    return;
  }
  const targetMs = flags.hours === undefined ? Number.POSITIVE_INFINITY : (Number(flags.hours) * HOUR_MS) / jobs;
  const runs = flags.hours === undefined ? Math.ceil(Number(flags.fresh ?? FRESH) / jobs) : Number.POSITIVE_INFINITY;
  const untilMs = performance.now() + Number(flags.minutes ?? Number.POSITIVE_INFINITY) * MINUTE_MS;
  for (let run = 0; run < runs && simulatedMs() < targetMs; run += 1) {
    if (performance.now() > untilMs) {
      const left =
        flags.hours === undefined ? "" : `, ${((targetMs - simulatedMs()) / HOUR_MS).toFixed(1)} hours short`;
      console.log(`STOPPED after ${flags.minutes} minutes${left}`);
      // What was asked for is not done.
      if (flags.hours !== undefined) process.exitCode = 1;
      return;
    }
    yield makeScenario(freshSeed(), faultKinds, wishes);
  }
}

function freshSeed(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] as number) % SEED_MAX;
}

function wishesOf(): ScenarioWishes {
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  const wishes: ScenarioWishes = {};
  const servers = number(flags.servers);
  const seconds = number(flags.seconds);
  const ops = number(flags.ops);
  const datacenters = number(flags.datacenters);
  if (servers !== undefined) wishes.servers = servers;
  if (datacenters !== undefined) wishes.datacenters = datacenters;
  if (seconds !== undefined) wishes.chaosMs = seconds * SECOND_MS;
  if (ops !== undefined) wishes.opsPerSecond = ops;
  const names = flags.faults?.split(",").filter((name) => name !== "") ?? [];
  const known = new Set(faultKinds.map(({ name }) => name));
  for (const name of names)
    if (!known.has(name.replace(/^-/, ""))) throw new Error(`there is no kind of fault ${name}: see --faults list`);
  const wanted = names.filter((name) => !name.startsWith("-"));
  const unwanted = names.filter((name) => name.startsWith("-")).map((name) => name.slice(1));
  if (flags.faults !== undefined && (wanted.length > 0 || unwanted.length === 0)) wishes.kinds = wanted;
  if (unwanted.length > 0) wishes.without = unwanted;
  return wishes;
}

async function runOne(scenario: Scenario): Promise<RunReport> {
  const cpu = process.cpuUsage();
  const outcome = await simulate(scenario, { parties, traced: flags.trace === true });
  const { user, system } = process.cpuUsage(cpu);
  const cpuMs = (user + system) / MICROSECONDS;
  if (flags.trace === true) console.log(outcome.lines?.join("\n"));
  const { violation, simulatedMs, wallMs, operations, recoveryMs, hash } = outcome;
  const figures = `${Math.round(simulatedMs / SECOND_MS)} s, ${operations} operations, ${scenario.opsPerSecond} asked for a second, ${Math.round(simulatedMs / cpuMs)} x, hash ${hash}`;
  let text = `seed ${scenario.seed}: ${violation === null ? "ok" : "FAILED"}, ${scenario.datacenters === undefined ? "" : `${scenario.datacenters} datacenters of `}${scenario.servers} servers, ${figures}`;
  if (violation !== null) text += `\n${await explain(scenario, outcome)}`;
  const fired = [...outcome.fired];
  const failed = violation !== null;
  return { seed: scenario.seed, text, failed, simulatedMs, wallMs, cpuMs, operations, recoveryMs, fired };
}

/** Says what was found, writes the trace and the shrunk scenario. */
async function explain(scenario: Scenario, outcome: Outcome): Promise<string> {
  const { violation } = outcome;
  const dir = flags.out ?? join(tmpdir(), "proconsul-sim");
  mkdirSync(dir, { recursive: true });
  const traced = await simulate(scenario, { parties, traced: true });
  const traceFile = join(dir, `seed-${scenario.seed}.trace`);
  writeFileSync(traceFile, (traced.lines ?? []).join("\n"));
  const lines = [
    `  ${violation?.checker}: ${violation?.message}`,
    `  at ${Math.round(violation?.atMs ?? 0)} ms; the whole trace: ${traceFile}; its end:`,
    ...(traced.lines ?? []).slice(-TAIL_LINES).map((line) => `    ${line}`),
  ];
  if (traced.hash !== outcome.hash)
    lines.push("  THE SECOND RUN WENT ANOTHER WAY: something outside the seed has a part in it");
  if (flags["no-shrink"] !== true) {
    const untilMs = Date.now() + Number(flags["shrink-seconds"] ?? SHRINK_SECONDS) * SECOND_MS;
    const small = await shrink(scenario, outcome, {
      parties,
      untilMs,
      progress: (text) => console.error(`  shrinking: ${text}`),
    });
    const file = join(dir, `seed-${scenario.seed}.json`);
    writeFileSync(file, `${JSON.stringify(small.scenario, null, 2)}\n`);
    lines.push(
      `  shrunk to ${small.scenario.faults.length} faults in ${Math.round(small.outcome.simulatedMs / SECOND_MS)} s: npm run sim -- --scenario ${file} --trace`,
      ...small.scenario.faults.map((fault) => `    ${JSON.stringify(fault)}`),
    );
  }
  return lines.join("\n");
}
