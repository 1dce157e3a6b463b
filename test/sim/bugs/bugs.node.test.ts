import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { stripTypeScriptTypes } from "node:module";
import { heartbeatRace, twoWriteVote } from "./directed.ts";
import type { Hunt } from "./hunt.ts";
import { mutated } from "./plant.ts";
import { type Directed, runScript } from "./script.ts";
import { BUGS } from "./table.ts";

const run = promisify(execFile);
test("bugs: there are at least thirty, each with a name of its own", () => {
  assert.ok(BUGS.length >= 30, `${BUGS.length}`);
  assert.equal(new Set(BUGS.map(({ name }) => name)).size, BUGS.length);
});

test("bugs: what each replaces is there exactly once in today's source, and the result can be read", () => {
  for (const bug of BUGS) {
    // Throws, with the bug's name, when the source has moved on.
    const texts = mutated(bug);
    assert.ok(texts.size > 0, bug.name);
    for (const [file, text] of texts) assert.doesNotThrow(() => stripTypeScriptTypes(text), `${bug.name}: ${file}`);
  }
});

/** Found in seconds, by checkers that have nothing in common. */
const QUICK: readonly [string, string, RegExp][] = [
  ["follower-answers-default-reads", "1", /current reads|linearizability|acknowledged writes/],
  ["session-end-forgotten", "1", /store invariants/],
  ["vote-not-durable", "1", /before it is durable/],
];

for (const [name, seed, checker] of QUICK)
  test(`bugs: the simulator finds ${name}`, async () => {
    const { stdout } = await run(process.execPath, [
      fileURLToPath(new URL("hunt.ts", import.meta.url)),
      name,
      "--from",
      seed,
      "--hours",
      "0.2",
      "--scripts",
      "none",
    ]);
    const found = JSON.parse(stdout) as Hunt;
    assert.match(found.checker ?? "none", checker, found.message);
  });

/** What the script says with the bug planted, in a process of its own. */
async function planted(bug: string, fromSeed: number): Promise<string> {
  const child = fileURLToPath(new URL("directed-child.ts", import.meta.url));
  const { stdout } = await run(process.execPath, [child, bug, String(fromSeed)]);
  return (JSON.parse(stdout) as { found: { checker: string } | null }).found?.checker ?? "nothing";
}

/** Leads the cluster of the product as it is to where the bug would show, with some seeds. */
async function right(script: Directed, fromSeed: number): Promise<void> {
  let complete = 0;
  for (let seed = fromSeed; seed < fromSeed + SEEDS; seed += 1) {
    const { isComplete, violation } = await runScript(script, seed);
    assert.equal(violation, null, `seed ${seed}: ${violation?.message}`);
    if (isComplete) complete += 1;
  }
  assert.ok(complete > 0, "no seed came to where the bug would show");
}
const SEEDS = 4;
/** From here on it does not take long until both servers ask in one term, and the crash takes the vote. */
const RACE_SEED = 20;

test("consul's raft #695: a follower of a new leader takes nothing from the old one", async () => {
  await right(heartbeatRace, 1);
  assert.match(await planted("heartbeat-race", 1), /state machine safety|log matching|applied prefix/);
});

test("consul's raft #661: a server that crashes while it votes does not vote again in that term", async () => {
  await right(twoWriteVote, RACE_SEED);
  assert.equal(await planted("two-write-vote", RACE_SEED), "election safety");
});
