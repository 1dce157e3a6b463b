// `npm test`: every test under Node, then those that are not Node's alone under Bun and Deno. The last line is
// "N passed, N failed", and the exit code says the same.
//
//   node test/run.ts [--runtime node,bun,deno] [part of a path …]
//
// A file named *.node.test.ts, or in test/e2e, runs once, under Node: it starts other programs (on whichever runtimes it tests),
// or is too heavy to run three times. Every other *.test.ts runs on all three runtimes, and what ran on Node must also have run on the
// others: a file that ends early, or that a runtime gives up on, does not pass by saying nothing.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { count, type FileReport, parseJunit } from "./support/junit.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const ONLY_NODE = /\.node\.test\.ts$|^test\/e2e\//;
const FILE_LIMIT_MS = 8 * 60_000;
/** A test's longest time where a runtime has a limit of its own. */
const TEST_LIMIT_MS = 120_000;
const LOG_LINES = 60;

interface Sums {
  passed: number;
  failed: number;
  skipped: number;
}
/** Names of the tests of shared files, and how often each was seen. */
type Seen = Map<string, number>;

const { values: flags, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: "string", default: "node,bun,deno" } },
});
const runtimes = flags.runtime.split(",");
const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name.replaceAll("\\", "/")}`)
  .filter((name) => name.endsWith(".test.ts") && (parts.length === 0 || parts.some((part) => name.includes(part))))
  .sort();
const shared = files.filter((name) => !ONLY_NODE.test(name));
const scratch = mkdtempSync(join(tmpdir(), "proconsul-test-"));
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "proconsul-test-compile-cache");
process.chdir(root);

const seen: Seen = new Map();
const sums: [string, Sums][] = [];
if (runtimes.includes("node")) sums.push(["Node", await underNode(seen)]);
if (shared.length > 0) {
  const others = [
    runtimes.includes("bun")
      ? underOther("Bun", [
          "bun",
          "test",
          `--timeout=${TEST_LIMIT_MS}`,
          "--reporter=junit",
          "--reporter-outfile={report}",
        ])
      : null,
    runtimes.includes("deno")
      ? underOther("Deno", ["deno", "test", "-A", "--no-check", "--junit-path={report}"])
      : null,
  ];
  for (const other of others) if (other !== null) sums.push(await other);
}
rmSync(scratch, { recursive: true, force: true });

console.log("");
const total: Sums = { passed: 0, failed: 0, skipped: 0 };
for (const [runtime, { passed, failed, skipped }] of sums) {
  console.log(`${runtime}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (passed + failed === 0) {
    console.log(`${runtime}: no test ran`);
    total.failed += 1;
  }
  total.passed += passed;
  total.failed += failed;
}
if (sums.length === 0) total.failed += 1;
process.exitCode = total.failed === 0 ? 0 : 1;
console.log(`${total.passed} passed, ${total.failed} failed`);

/** Runs all files, a process each, and notes the names of what ran. */
async function underNode(names: Seen): Promise<Sums> {
  console.log(`Node ${process.versions.node}: ${files.length} files`);
  const result: Sums = { passed: 0, failed: 0, skipped: 0 };
  const waiting = new Set(files);
  const failedFiles = new Set<string>();
  const output = new Map<string, string>();
  const concurrency = Math.min(4, Math.max(2, availableParallelism()));
  for await (const { type, data } of run({
    files: files.map((name) => join(root, name)),
    concurrency,
    timeout: FILE_LIMIT_MS,
  })) {
    if (type === "test:stdout" || type === "test:stderr") {
      const file = entryOf(data);
      output.set(file, (output.get(file) ?? "") + data.message);
    } else if (type === "test:pass" || type === "test:fail") {
      const file = entryOf(data);
      // A file that crashed is reported as a test named by its path.
      if (data.nesting === 0 && data.name !== data.file && !ONLY_NODE.test(file)) count(names, data.name);
      if (type === "test:pass") continue;
      failedFiles.add(file);
      const { error } = data.details;
      console.log(
        `FAIL ${file}: ${data.name}\n${indent(String((error.cause as Error | undefined)?.stack ?? error.cause ?? error.message))}`,
      );
    } else if (type === "test:summary" && data.file !== undefined) {
      const file = within(data.file);
      if (data.counts.tests > 0) waiting.delete(file);
      console.log(
        `${data.success ? "ok" : "FAIL"} ${file}: ${data.counts.tests} tests, ${(data.duration_ms / 1000).toFixed(1)} s`,
      );
    } else if (type === "test:summary") {
      const { counts } = data;
      // A test meant to be done later is neither.
      Object.assign(result, {
        passed: counts.passed,
        failed: counts.failed + counts.cancelled,
        skipped: counts.skipped + counts.todo,
      });
    }
  }
  for (const file of waiting) {
    // Node reports a file that ran no test, or that ended its own process with 0, as one test that passed.
    if (failedFiles.has(file)) continue;
    failedFiles.add(file);
    result.passed -= 1;
    result.failed += 1;
    console.log(`FAIL ${file}: it has no test, or ended before they had run`);
  }
  for (const file of failedFiles)
    if (output.has(file)) console.log(`output of ${file}:\n${indent(lastLines(output.get(file) as string))}`);
  return result;
}

/** Runs the shared files in one process of another runtime and reads its report. */
async function underOther(runtime: string, command: readonly string[]): Promise<[string, Sums]> {
  const report = join(scratch, `${runtime}.xml`);
  const words = command.map((word) => word.replace("{report}", report));
  const program = join(root, "node_modules/.bin", words[0] as string);
  const { code, output } = await capture(program, [...words.slice(1), ...shared.map((name) => `./${name}`)]);
  const lines = [`${runtime}: ${shared.length} files`];
  const result: Sums = { passed: 0, failed: 0, skipped: 0 };
  const reports = readReport(report);
  for (const { file, passed, skipped, failures } of reports) {
    result.passed += passed;
    result.skipped += skipped;
    result.failed += failures.length;
    for (const { name, message } of failures) lines.push(`FAIL ${runtime}: ${file}: ${name}\n${indent(message)}`);
  }
  // By name and not by file: Deno names the file in which a test is written, which may be one that several share.
  for (const name of missingNames(seen, reports)) {
    lines.push(`FAIL ${runtime}: ${name}: it did not run`);
    result.failed += 1;
  }
  if (code !== 0 && result.failed === 0) {
    result.failed += 1;
    lines.push(`FAIL ${runtime}: ended with ${code}`);
  }
  if (result.failed > 0) lines.push(`the end of its output:\n${indent(lastLines(output))}`);
  console.log(lines.join("\n"));
  return [runtime, result];
}

function readReport(path: string): FileReport[] {
  try {
    return parseJunit(readFileSync(path, "utf8"));
  } catch {
    return [];
  }
}

/** What ran on Node and not here, as often as it is missing. */
function missingNames(expected: Seen, reports: readonly FileReport[]): string[] {
  const found = (name: string): number => reports.reduce((sum, { names }) => sum + (names.get(name) ?? 0), 0);
  return [...expected].flatMap(([name, times]) =>
    Array.from<string>({ length: Math.max(0, times - found(name)) }).fill(name),
  );
}

function capture(program: string, words: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(program, words, {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const collect = (chunk: Buffer): void => void (output += chunk.toString());
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const timer = setTimeout(() => child.kill("SIGKILL"), FILE_LIMIT_MS);
  return new Promise((resolve) => {
    const ended = (code: number | null): void => {
      clearTimeout(timer);
      resolve({ code, output });
    };
    child.once("error", (error) => {
      output += String(error);
      ended(null);
    });
    child.once("close", ended);
  });
}

/** The file that was run, whichever file the test is written in. */
function entryOf(data: { file?: string | undefined; entryFile?: string }): string {
  return within(data.entryFile ?? data.file ?? "");
}

function within(path: string): string {
  return (path.startsWith(root) ? relative(root, path) : path).replaceAll("\\", "/");
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-LOG_LINES).join("\n");
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}
