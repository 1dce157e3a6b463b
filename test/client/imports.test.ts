import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const src = new URL("../../src/", import.meta.url);

/** Every file that `file` imports by value, and those that they do; type imports leave no trace in a bundle. */
function importsOf(file: URL, seen = new Set<string>()): Set<string> {
  if (seen.has(file.href)) return seen;
  seen.add(file.href);
  for (const [, path = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|export) (?!type )[^;]*?from "([^"]+)";/gms,
  )) {
    assert.match(path, /^\.\.?\//, `${file.href} imports the package ${path}`);
    importsOf(new URL(path, file), seen);
  }
  return seen;
}

test("the client needs no package, and nothing but util and types", () => {
  const files = [...importsOf(new URL("client/index.ts", src))].map((href) => href.slice(src.href.length));
  assert.ok(files.includes("client/kv.ts") && files.includes("client/replica.ts"), files.join(" "));
  for (const file of files) assert.match(file, /^(client|util|types)\//);
});
