// Runs a script of directed.ts with a bug planted, seed after seed, and prints what was found as a line of JSON.
import { plant } from "./plant.ts";
import { bugNamed } from "./table.ts";

const [bugName = "", from = "1", seeds = "40"] = process.argv.slice(2);
const bug = bugNamed(bugName);
if (bug !== undefined) plant(bug);
const { heartbeatRace, twoWriteVote } = await import("./directed.ts");
const { runScript } = await import("./script.ts");
const script = bugName === "heartbeat-race" ? heartbeatRace : twoWriteVote;
let complete = 0;
let found: { checker: string; message: string; seed: number } | null = null;
for (let seed = Number(from); seed < Number(from) + Number(seeds) && found === null; seed += 1) {
  const { isComplete, violation } = await runScript(script, seed, false);
  if (isComplete) complete += 1;
  if (violation !== null) found = { checker: violation.checker, message: violation.message, seed };
}
console.log(JSON.stringify({ complete, found }));
