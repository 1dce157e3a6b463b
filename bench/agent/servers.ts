// The servers under test, each pinned to core 0: an agent, or an empty handler on the same runtime.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

export interface ServerUnderTest {
  base: string;
  dnsPort: number;
  pid: number;
  stop(): Promise<void>;
}
export interface AgentUnderTest extends ServerUnderTest {
  /** From the start of the process to the first answer that names a leader. */
  startMs: number;
}

const SERVER_CORE = "0";
/** Where the repository is. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));
const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const START_MS_MAX = 30_000;

/** The command that runs a TypeScript file on a runtime. */
export const RUN: Readonly<Record<string, string[]>> = {
  node: [bin("node")],
  bun: [bin("bun")],
  deno: [bin("deno"), "run", "-A", "--unstable-net"],
};

/** A port that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function pinned(command: readonly string[]): ChildProcess {
  return spawn("taskset", ["-c", SERVER_CORE, ...command], { stdio: ["ignore", "ignore", "inherit"] });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

/** Asks until `ready` likes the answer. */
async function until(url: string, child: ChildProcess, ready: (text: string) => boolean): Promise<number> {
  const started = performance.now();
  while (performance.now() - started < START_MS_MAX) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    try {
      if (ready(await (await fetch(url)).text())) return performance.now() - started;
    } catch {
      // Not listening yet.
    }
    await sleep(5);
  }
  throw new Error(`${url} was not ready in ${START_MS_MAX} ms`);
}

/** A `-dev` agent. @param command another agent's command line; the runtime's own agent when left out. */
export async function startAgent(runtime: string, command?: string): Promise<AgentUnderTest> {
  const [http, dns, server, lan, wan] = await Promise.all([freePort(), freePort(), freePort(), freePort(), freePort()]);
  const folder = mkdtempSync(join(tmpdir(), "bench-agent-"));
  const config = join(folder, "agent.json");
  writeFileSync(config, JSON.stringify({ limits: { http_max_conns_per_client: 12_000 }, log_level: "warn" }));
  const start = command?.split(" ") ?? [...(RUN[runtime] as string[]), join(root, "agent.ts")];
  const child = pinned([
    ...start,
    "agent",
    "-dev",
    "-node=n1",
    "-bind=127.0.0.1",
    "-client=127.0.0.1",
    `-http-port=${http}`,
    `-dns-port=${dns}`,
    `-server-port=${server}`,
    `-serf-lan-port=${lan}`,
    `-serf-wan-port=${wan}`,
    "-grpc-port=-1",
    `-config-file=${config}`,
  ]);
  const base = `http://127.0.0.1:${http}`;
  const startMs = await until(`${base}/v1/status/leader`, child, (text) => text.length > 2);
  return {
    base,
    dnsPort: dns,
    pid: child.pid as number,
    startMs,
    stop: async () => {
      await stop(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A server that gives the same bytes to everybody, by HTTP and by DNS. */
export async function startEmpty(runtime: string): Promise<ServerUnderTest> {
  const [http, dns] = await Promise.all([freePort(), freePort()]);
  const child = pinned([
    ...(RUN[runtime] as string[]),
    fileURLToPath(new URL(`empty-${runtime}.ts`, import.meta.url)),
    String(http),
    String(dns),
  ]);
  const base = `http://127.0.0.1:${http}`;
  await until(base, child, (text) => text.length > 0);
  return { base, dnsPort: dns, pid: child.pid as number, stop: () => stop(child) };
}
