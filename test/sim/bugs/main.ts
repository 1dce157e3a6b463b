// The table of planted bugs: hunts each in a process of its own and prints which checker found it, and after how much
// simulated time. `npm run sim -- --bugs` runs it.
//
//   node test/sim/bugs/main.ts [--hours H] [--seconds S] [--from SEED] [--jobs N] [NAME …]
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Hunt } from "./hunt.ts";
import { BUGS } from "./table.ts";

const HUNT = fileURLToPath(new URL("hunt.ts", import.meta.url));
/** The aim: so many of a hundred. */
const SHARE = 0.95;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bugs: { type: "boolean" },
    /** How long each is looked for: simulated hours, and seconds of this machine. */
    hours: { type: "string" },
    seconds: { type: "string" },
    from: { type: "string" },
    jobs: { type: "string", default: "1" },
  },
});

const asked = positionals.length > 0 ? positionals : BUGS.map(({ name }) => name);
const waiting = [...asked];
const hunts: Hunt[] = [];
await Promise.all(Array.from({ length: Number(flags.jobs) }, work));
hunts.sort((a, b) => asked.indexOf(a.bug) - asked.indexOf(b.bug));
const caught = hunts.filter(({ checker }) => checker !== null).length;
console.log(`\n| bug | what it breaks | found by | after simulated seconds |\n| --- | --- | --- | --- |`);
for (const { bug, checker, script, simulatedMs } of hunts) {
  const what = BUGS.find(({ name }) => name === bug)?.what ?? "";
  const seconds = Math.round(simulatedMs / 1000);
  const by = script === null ? (checker ?? "—") : `${checker}: ${script}`;
  console.log(`| ${bug} | ${what} | ${by} | ${checker === null ? `not in ${seconds}` : seconds} |`);
}
console.log(`\n${caught} of ${asked.length} found`);
process.exitCode = caught >= SHARE * asked.length ? 0 : 1;

/** Hunts one after the other. */
async function work(): Promise<void> {
  for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
    const found = await hunt(bug);
    hunts.push(found);
    const seconds = Math.round(found.simulatedMs / 1000);
    const what =
      found.checker === null
        ? `not found in ${seconds} s`
        : `${found.checker}, ${seconds} s, ${found.script ?? "faults"}, seed ${found.seed}: ${found.message}`;
    console.log(`${bug}: ${what}`);
  }
}

function hunt(bug: string): Promise<Hunt> {
  const options = (["hours", "seconds", "from"] as const).flatMap((name) =>
    flags[name] === undefined ? [] : [`--${name}`, flags[name]],
  );
  const child = spawn(process.execPath, [HUNT, bug, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => {
      const line = output.trim().split("\n").at(-1) ?? "";
      if (line.startsWith("{")) resolve(JSON.parse(line) as Hunt);
      else {
        console.error(`the hunt for ${bug} ended without a word`);
        resolve({ bug, checker: null, message: output, script: null, seed: 0, simulatedMs: 0, wallMs: 0 });
      }
    });
  });
}
