// The load: wrk and dnsperf on core 1, and blocking queries that wait for one write.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const CONNECTIONS = 32;
const LOAD_CORE = "1";

/** Runs a load program to its end; gives what it printed. */
function run(command: string, args: readonly string[], core: string | null = LOAD_CORE): Promise<string> {
  const [program, ...rest] = core === null ? [command, ...args] : ["taskset", "-c", core, command, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(program as string, rest, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += String(chunk);
    });
    child.once("error", reject);
    child.once("close", () => resolve(output));
  });
}

async function withFile<T>(content: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const path = join(folder, "work");
  writeFileSync(path, content);
  try {
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const figure = (pattern: RegExp, output: string): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);

/** Requests a second; on the load's core unless told another, or none. @throws Error when any was answered with an error: such a rate says nothing. */
export function wrk(
  base: string,
  script: string,
  seconds: number,
  { connections = CONNECTIONS, core = LOAD_CORE }: { connections?: number; core?: string | null } = {},
): Promise<number> {
  return withFile(script, async (path) => {
    const output = await run("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", path, base], core);
    const bad = figure(/Non-2xx or 3xx responses: (\d+)/, output);
    if (bad > 0) throw new Error(`${bad} requests failed:\n${output}`);
    return figure(/Requests\/sec:\s+([\d.]+)/, output);
  });
}

/** Answers a second. */
export function dnsperf(port: number, question: string, seconds: number): Promise<number> {
  return withFile(`${question}\n`, async (path) =>
    figure(
      /Queries per second:\s+([\d.]+)/,
      await run("dnsperf", [
        "-s",
        "127.0.0.1",
        "-p",
        String(port),
        "-d",
        path,
        "-l",
        String(seconds),
        "-c",
        "8",
        "-q",
        "64",
      ]),
    ),
  );
}

/** Memory that is resident. */
export function residentMiB(pid: number): number {
  return figure(/VmRSS:\s+(\d+)/, readFileSync(`/proc/${pid}/status`, "utf8")) / 1024;
}

/** Parks `count` blocking queries on one key, writes it once, and waits for the last answer. */
export async function parkQueries(
  base: string,
  count: number,
  pid: number,
): Promise<{ lastMs: number; parkedMiB: number }> {
  const { hostname: host, port } = new URL(base);
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  const ask = (path: string): Promise<{ status: number; index: string }> =>
    new Promise((resolve, reject) => {
      request({ host, port, path, agent }, (response) => {
        response.resume();
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, index: String(response.headers["x-consul-index"]) }),
        );
      })
        .once("error", reject)
        .end();
    });
  const before = residentMiB(pid);
  const { index } = await ask("/v1/kv/bench/0");
  const parked = Array.from({ length: count }, () => ask(`/v1/kv/bench/0?index=${index}&wait=60s`));
  await sleep(1500 + count / 4);
  const parkedMiB = residentMiB(pid) - before;
  const started = performance.now();
  await fetch(`${base}/v1/kv/bench/0`, { method: "PUT", body: `woken ${started}` });
  const answers = await Promise.all(parked);
  const lastMs = performance.now() - started;
  const failed = answers.filter(({ status }) => status !== 200).length;
  if (failed > 0) throw new Error(`${failed} of ${count} blocking queries failed`);
  return { lastMs, parkedMiB };
}
