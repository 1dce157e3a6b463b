// Programs by `node:child_process`. Passes on Node, Bun and Deno.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runProgram } from "../../runtimes/node/run-program.ts";
import type { ExecOptions, ExecResult } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { text, utf8 } from "../../src/util/bytes.ts";

const folder = mkdtempSync(join(tmpdir(), "run-program-"));
after(() => rmSync(folder, { recursive: true }));

/** Far longer than any of these takes: a run that needs it has hung. */
const LONG_MS = 20_000;

const sh = (script: string, options: Partial<ExecOptions> = {}): Promise<ExecResult> =>
  runProgram(["/bin/sh", "-c", script], { timeoutMs: LONG_MS, outputBytes: 4096, ...options });

/** Waits until `holds`; the test's own time limit is what ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The process of a pid that a script wrote to a file: whether it is still there. */
function isRunning(pidFile: string): boolean {
  const pid = readFileSync(pidFile, "utf8").trim();
  try {
    process.kill(Number(pid), 0);
    // A zombie that nobody has waited for runs no more; only Linux tells which one is.
    const stat = `/proc/${pid}/stat`;
    return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "utf8"));
  } catch {
    return false;
  }
}

test("a program's exit code and its output, both streams, come back", async () => {
  const { exitCode, timedOut, output, outputTotal } = await sh("echo out; echo err >&2; exit 3");
  assert.deepEqual([exitCode, timedOut, outputTotal], [3, false, 8]);
  assert.deepEqual(text(output).trim().split("\n").sort(), ["err", "out"]);
});

test("the last bytes of a long output are kept, and all of them counted", async () => {
  const { output, outputTotal } = await sh("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done", {
    outputBytes: 20,
  });
  assert.equal(text(output), "line 4998\nline 4999\n".slice(-20));
  assert.equal(
    outputTotal,
    Array.from({ length: 5000 }, (_, i) => `line ${i}\n`.length).reduce((a, b) => a + b),
  );
});

test("standard input and environment reach the program", async () => {
  const { output } = await sh('cat; echo " $CONSUL_INDEX $HOME"', { stdin: utf8("[1]"), env: { CONSUL_INDEX: "42" } });
  assert.equal(text(output), `[1] 42 ${process.env["HOME"] ?? ""}\n`);
});

test("a program that does not read its standard input is no failure", async () => {
  const { exitCode } = await sh("exit 0", { stdin: new Uint8Array(1 << 20) });
  assert.equal(exitCode, 0);
});

test("a child that holds the output open does not hold the run, and lives on", async () => {
  const pidFile = join(folder, "background");
  const { exitCode, timedOut, output } = await sh(`sleep 30 & echo $! > ${pidFile}; echo done`);
  try {
    assert.deepEqual([exitCode, timedOut, text(output)], [0, false, "done\n"]);
    assert.ok(isRunning(pidFile));
  } finally {
    process.kill(Number(readFileSync(pidFile, "utf8")));
  }
});

test("at the timeout the program ends with what it started", async () => {
  const pidFile = join(folder, "child");
  const { exitCode, timedOut, output } = await sh(`echo begun; sleep 30 & echo $! > ${pidFile}; wait`, {
    timeoutMs: 300,
  });
  assert.deepEqual([exitCode, timedOut, text(output)], [null, true, "begun\n"]);
  await until(() => !isRunning(pidFile));
});

test("an abort ends the program with what it started, also one that came before", async () => {
  const pidFile = join(folder, "aborted");
  const controller = new AbortController();
  const run = sh(`sleep 30 & echo $! > ${pidFile}; wait`, { signal: controller.signal });
  await until(() => existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n"));
  controller.abort();
  const { exitCode, timedOut } = await run;
  assert.deepEqual([exitCode, timedOut], [null, false]);
  await until(() => !isRunning(pidFile));
  assert.equal((await sh("sleep 30", { signal: controller.signal })).exitCode, null);
});

test("a program that cannot be started is refused with the reason", async () => {
  const notExecutable = join(folder, "plain.txt");
  writeFileSync(notExecutable, "no program");
  const rows: [string[], RegExp][] = [
    [["/nowhere/at-all"], /exec: "\/nowhere\/at-all": executable file not found in \$PATH/],
    [[notExecutable], /permission denied/],
    [[""], /exec: "": ./],
    [["a\0b"], /exec: "a\\u0000b": ./],
  ];
  for (const [args, message] of rows)
    await assert.rejects(
      runProgram(args, { timeoutMs: LONG_MS, outputBytes: 10 }),
      (error: Error) => error instanceof OperationalError && error.code === "refused" && message.test(error.message),
      JSON.stringify(args),
    );
});
