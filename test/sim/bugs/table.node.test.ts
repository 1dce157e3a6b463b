import assert from "node:assert/strict";
import { test } from "node:test";
import { stripTypeScriptTypes } from "node:module";
import { mutated } from "./plant.ts";
import { BUGS } from "./table.ts";

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
