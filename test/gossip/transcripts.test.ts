import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runTranscript } from "./transcript.ts";

const folder = fileURLToPath(new URL("./testdata/", import.meta.url));

for (const name of readdirSync(folder).sort()) {
  test(`transcript ${name.replace(".txt", "")}`, () => {
    const text = readFileSync(folder + name, "utf8");
    const output = runTranscript(text);
    if (process.env["GOSSIP_REWRITE"] === "1") writeFileSync(folder + name, output);
    else assert.equal(output, text);
  });
}
