// Runs a script of directed.ts with its bug planted, seed after seed, and prints what was found as a line of JSON.
import { plant } from "./plant.ts";
import { bugNamed } from "./table.ts";

const [bugName = "", seeds = "10"] = process.argv.slice(2);
const bug = bugNamed(bugName);
if (bug !== undefined) plant(bug);
const { heartbeatRace, twoWriteVote } = await import("./directed.ts");
const script = bugName.includes("heartbeat-race") ? heartbeatRace : twoWriteVote;
let complete = 0;
let found: { checker: string; message: string; seed: number } | null = null;
for (let seed = 1; seed <= Number(seeds) && found === null; seed += 1) {
  const { isComplete, violation } = await script(seed);
  if (isComplete) complete += 1;
  if (violation !== null) found = { checker: violation.checker, message: violation.message, seed };
}
console.log(JSON.stringify({ complete, found }));
