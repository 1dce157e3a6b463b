// The client's suite where its files cannot run as they are: in workerd, and in a page of a headless Chromium. On Node, Bun
// and Deno the files themselves run; here only what needs a real agent does.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Miniflare } from "miniflare";
import { RUNTIMES, runtimeCommand } from "../../conformance/agent-process.ts";
import { findChromium, page, reporting, visit } from "./chromium.ts";
import { bundle, startHarness } from "./harness.ts";
import { live } from "./live.ts";
import type { Result } from "./tests.ts";

/** All tests of the suite but one or two: a bundle that gathered none must not pass. */
const TESTS_MIN = 110;

function check(results: Result[]): void {
  const failed = results.filter(({ error }) => error !== null);
  assert.deepEqual(failed, [], failed.map(({ name, error }) => `${name}: ${error}`).join("\n"));
  assert.ok(results.length >= TESTS_MIN, `only ${results.length} tests ran`);
  for (const [name] of live)
    assert.ok(
      results.some((result) => result.name === name),
      name,
    );
}

test("the client's suite passes in workerd", async () => {
  const script = await bundle(`
    import { runSuite } from "./suite.ts";
    export default {
      async fetch(request: Request) {
        return Response.json(await runSuite(new URL(request.url).searchParams.get("base") ?? ""));
      },
    };`);
  const harness = await startHarness();
  const worker = new Miniflare({ modules: true, script, compatibilityDate: "2026-05-01" });
  try {
    const answer = await worker.dispatchFetch(`http://worker/?base=${encodeURIComponent(harness.base)}`);
    check((await answer.json()) as Result[]);
  } finally {
    await harness.close();
    await worker.dispose();
  }
});

const browser = await findChromium();
test(
  "the client's suite passes in a page of Chromium",
  { skip: browser === null && "there is no Chromium here: apt-get install chromium" },
  async () => {
    const script = await bundle(`
      import { runSuite } from "./suite.ts";
      ${reporting}
      runSuite(location.origin).then(report, (error) => report(String(error)));`);
    const harness = await startHarness(page(script));
    try {
      check((await visit(browser as string, harness)) as Result[]);
    } finally {
      await harness.close();
    }
  },
);

for (const runtime of RUNTIMES)
  test(`the client works against a real agent on ${runtime}`, async () => {
    const harness = await startHarness();
    const program = await bundle(`
      import { live } from "./live.ts";
      for (const [name, run] of live) { await run(${JSON.stringify(harness.base)}); console.log(name); }`);
    const dir = mkdtempSync(join(tmpdir(), "proconsul-live-"));
    try {
      const file = join(dir, "live.mjs");
      writeFileSync(file, program);
      const [command, ...words] = runtimeCommand(runtime) as [string, ...string[]];
      const { stdout } = await promisify(execFile)(command, [...words, file], { timeout: 60_000 });
      assert.deepEqual(
        stdout.trim().split("\n"),
        live.map(([name]) => name),
      );
    } finally {
      rmSync(dir, { recursive: true, force: true });
      await harness.close();
    }
  });
