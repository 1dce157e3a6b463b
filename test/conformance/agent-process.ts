// An agent in a process of its own, on any of the runtimes, for tests that use the product as a person does.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export type RuntimeName = "node" | "bun" | "deno";
export const RUNTIMES: readonly RuntimeName[] = ["node", "bun", "deno"];

const root = fileURLToPath(new URL("../../", import.meta.url));
const READY_MS = 60_000;

/** The words that run a file of JavaScript or TypeScript on a runtime, as installed with the project. */
export function runtimeCommand(runtime: RuntimeName): string[] {
  const program = join(root, "node_modules/.bin", runtime);
  return runtime === "deno" ? [program, "run", "-A"] : [program];
}

/** The words that run the tool from its sources. */
export function toolCommand(runtime: RuntimeName): string[] {
  return [...runtimeCommand(runtime), join(root, "runtimes/cli.ts")];
}

/** What child processes get: the sources are stripped of their types once, not at every start. */
export function childEnvironment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "proconsul-test-compile-cache"), NO_COLOR: "1", ...more };
}

export interface AgentProcess {
  /** "http://127.0.0.1:<port>" */
  readonly base: string;
  /** By name: http, dns, server, serf-lan, serf-wan. */
  readonly ports: Record<string, number>;
  /** A folder of its own, gone when it stops. */
  readonly dir: string;
  /** What it has written so far. */
  log(): string;
  stop(): Promise<void>;
}

export interface AgentProcessOptions {
  config?: Record<string, unknown>;
  args?: readonly string[];
  node?: string;
  dc?: string;
  token?: string;
  /** A server of its own under `-dev`, or a client of servers that `args` name; the former when absent. */
  role?: "server" | "client";
  /** The command starts the agent as a child of its own, as `npm run` does: both are to be ended. */
  group?: boolean;
}

/** What to end when the test's process ends, however it does: no agent outlives it. */
const running = new Set<() => void>();
process.on("exit", () => {
  for (const kill of running) kill();
});

const PORTS = ["http", "dns", "server", "serf-lan", "serf-wan"];

/** Starts `<command> agent -dev …` and waits until it leads and is in its own catalog. @throws Error with its log. */
export async function startAgentProcess(
  command: readonly string[],
  options: AgentProcessOptions = {},
): Promise<AgentProcess> {
  const { config = {}, args = [], node = "n1", dc = "dc1", token, role = "server", group = false } = options;
  const dir = mkdtempSync(join(tmpdir(), "proconsul-agent-"));
  const found = await freePorts(PORTS.length);
  const ports = Object.fromEntries(PORTS.map((name, at) => [name, found[at] as number]));
  const file = join(dir, "agent.json");
  writeFileSync(file, JSON.stringify(config));
  const words = [
    ...command.slice(1),
    "agent",
    ...(role === "server" ? ["-dev"] : [`-data-dir=${join(dir, "data")}`]),
    `-node=${node}`,
    `-datacenter=${dc}`,
    "-bind=127.0.0.1",
    "-client=127.0.0.1",
    ...PORTS.map((name) => `-${name}-port=${ports[name]}`),
    "-grpc-port=-1",
    `-config-file=${file}`,
    ...args,
  ];
  const child = spawn(command[0] as string, words, {
    cwd: dir,
    env: childEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    detached: group,
  });
  const kill = (): void => void (group ? process.kill(-(child.pid as number), "SIGKILL") : child.kill("SIGKILL"));
  if (child.pid !== undefined) running.add(kill);
  child.once("exit", () => running.delete(kill));
  let log = "";
  const collect = (chunk: Buffer): void => void (log += chunk.toString());
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  child.on("error", (error) => (log += `${error}\n`));
  const agent: AgentProcess = {
    base: `http://127.0.0.1:${ports.http}`,
    ports,
    dir,
    log: () => log,
    stop: async () => {
      await end(child, kill);
      rmSync(dir, { recursive: true, force: true });
    },
  };
  const deadline = performance.now() + READY_MS;
  while (!(await isReady(agent.base, node, role === "client" || token !== undefined, token))) {
    if (child.exitCode !== null || child.pid === undefined || performance.now() > deadline) {
      await agent.stop();
      throw new Error(
        `the agent ${child.exitCode === null ? "did not become ready" : `ended with ${child.exitCode}`}:\n${log}`,
      );
    }
    await sleep(50);
  }
  return agent;
}

/** @param isEnough being in the catalog is enough, without the service of a server. */
async function isReady(base: string, node: string, isEnough: boolean, token: string | undefined): Promise<boolean> {
  const headers: Record<string, string> = token === undefined ? {} : { "X-Consul-Token": token };
  try {
    const leader = (await (await fetch(`${base}/v1/status/leader`)).json()) as string;
    const self = (await (await fetch(`${base}/v1/catalog/node/${node}`, { headers })).json()) as {
      Services?: Record<string, unknown>;
    } | null;
    return leader !== "" && (isEnough ? self !== null || token !== undefined : self?.Services?.consul !== undefined);
  } catch {
    return false;
  }
}

async function end(child: ChildProcess, kill: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  kill();
  await gone;
}

/** Below the ports that systems give to outgoing connections, which may take any of those at any time. */
const PORT_MIN = 10_000;
const PORT_MAX = 32_000;

/** TCP ports that nothing listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server
      .once("error", () => resolve(false))
      .listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
