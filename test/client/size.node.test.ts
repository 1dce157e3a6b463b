// The weight of the client in somebody's bundle.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));
const ALL_MAX = 10 * 1024;

/** Bytes after gzip of a program with these words, bundled and minified. */
function weigh(program: string): number {
  const { outputFiles } = buildSync({
    stdin: { contents: program, resolveDir: root },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

test("all of proconsul/client is less than 10 KiB after gzip", () => {
  const bytes = weigh('export * from "./src/client/index.ts"');
  assert.ok(bytes > 5_000 && bytes < ALL_MAX, `${bytes} bytes`);
});

test("what is not used is left out", () => {
  const all = weigh('export * from "./src/client/index.ts"');
  const codec = weigh('export { json } from "./src/client/index.ts"');
  const errors = weigh('export { ClientError } from "./src/client/index.ts"');
  assert.ok(codec < 300 && errors < 300, `${codec} and ${errors} of ${all} bytes`);
});
