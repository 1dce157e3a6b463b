// A real agent in a process of its own, run as a person runs it (`node agent.ts …`), on free ports, for tests of what only
// a process shows: bytes on the wire, another runtime, a sudden death, a restart on the same data directory.
//
//   const agent = await startAgent({ runtime: "bun", dataDir });
//   await agent.send("PUT", "/v1/kv/a", "x");
//   await agent.kill9();
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseJson } from "../../src/util/json.ts";
import { childEnvironment, freePorts, type RuntimeName, runtimeCommand } from "../conformance/agent-process.ts";

export { type RuntimeName, RUNTIMES } from "../conformance/agent-process.ts";

export interface AgentOptions {
  /** Default `node`. */
  runtime?: RuntimeName;
  /** A server that keeps its state here; without one, a development agent that keeps nothing. */
  dataDir?: string;
  /** The keys of a configuration file. */
  config?: Record<string, unknown>;
  /** More words for the command line. */
  args?: readonly string[];
  /** Ports of an earlier agent whose place this one takes. */
  ports?: Ports;
}

export interface Ports {
  readonly http: number;
  readonly dns: number;
  readonly server: number;
  readonly serfLan: number;
  readonly serfWan: number;
}

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body; integers past 2^53 are bigints. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they like
  json(): any;
}

export interface AgentProcess {
  readonly runtime: RuntimeName;
  readonly pid: number;
  /** `http://127.0.0.1:<port>` */
  readonly base: string;
  readonly ports: Ports;
  /** What it has written so far, both streams. */
  log(): string;
  /** Sends a request; an object is sent as JSON. @throws when no answer comes within 30 s. */
  send(method: string, path: string, body?: BodyInit | object, headers?: Record<string, string>): Promise<Answer>;
  /** Ends it as `kill` does (SIGTERM), and by force after 10 s; gives the exit code, null when it was by force. */
  stop(): Promise<number | null>;
  /** Ends it as `kill -9` does: nothing of its own runs any more. */
  kill9(): Promise<void>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const READY_MS = 60_000;
const STOP_MS = 10_000;
const ANSWER_MS = 30_000;
const NODE_NAME = "n1";

/** Whatever happens to the test's process, no agent outlives it. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** Starts an agent and waits until it leads and its own node is in the catalog. @throws Error with its log. */
export async function startAgent(options: AgentOptions = {}): Promise<AgentProcess> {
  const agent = await launchAgent(options);
  try {
    await agent.ready();
  } catch (error) {
    await agent.kill9();
    throw error;
  }
  return agent;
}

/** Starts an agent and waits for nothing. */
export async function launchAgent(options: AgentOptions = {}): Promise<AgentProcess & { ready(): Promise<void> }> {
  const { runtime = "node", dataDir, config, args = [] } = options;
  const ports = options.ports ?? (await choosePorts());
  const dir = dataDir ?? mkdtempSync(join(tmpdir(), "proconsul-agent-"));
  mkdirSync(dir, { recursive: true });
  const words = [
    ...(dataDir === undefined ? ["-dev"] : ["-server", "-bootstrap-expect=1", `-data-dir=${dataDir}`]),
    `-node=${NODE_NAME}`,
    "-bind=127.0.0.1",
    "-client=127.0.0.1",
    "-grpc-port=-1",
    `-http-port=${ports.http}`,
    `-dns-port=${ports.dns}`,
    `-server-port=${ports.server}`,
    `-serf-lan-port=${ports.serfLan}`,
    `-serf-wan-port=${ports.serfWan}`,
    ...args,
  ];
  if (config !== undefined) {
    const file = join(dir, "test-config.json");
    writeFileSync(file, JSON.stringify(config));
    words.push(`-config-file=${file}`);
  }
  const [program, ...first] = runtimeCommand(runtime) as [string, ...string[]];
  const child = spawn(program, [...first, join(root, "agent.ts"), "agent", ...words], {
    cwd: dir,
    env: childEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  return new RunningAgent(child, runtime, ports, dataDir === undefined ? dir : null);
}

async function choosePorts(): Promise<Ports> {
  const [http, dns, server, serfLan, serfWan] = (await freePorts(5)) as [number, number, number, number, number];
  return { http, dns, server, serfLan, serfWan };
}

class RunningAgent implements AgentProcess {
  readonly runtime: RuntimeName;
  readonly ports: Ports;
  readonly base: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #log = "";

  /** @param ownDir a folder that goes with the agent */
  constructor(child: ChildProcess, runtime: RuntimeName, ports: Ports, ownDir: string | null) {
    this.#child = child;
    this.runtime = runtime;
    this.ports = ports;
    this.base = `http://127.0.0.1:${ports.http}`;
    const collect = (chunk: Buffer): void => void (this.#log += chunk.toString());
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.once("error", (error) => (this.#log += `${error.message}\n`));
    this.#ended = new Promise((resolve) => {
      child.once("error", () => resolve(null));
      child.once("exit", (code) => resolve(code));
    });
    void this.#ended.then(() => {
      running.delete(child);
      if (ownDir !== null) rmSync(ownDir, { recursive: true, force: true });
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  log(): string {
    return this.#log;
  }

  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    while (!(await this.#isReady())) {
      const { exitCode, signalCode, pid } = this.#child;
      if (exitCode !== null || signalCode !== null || pid === undefined)
        throw new Error(`the agent ended with ${exitCode ?? signalCode}:\n${this.#log}`);
      if (performance.now() > deadline)
        throw new Error(`the agent did not become ready (${processState(pid)}):\n${this.#log}`);
      await sleep(20);
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(2000);
      if ((await (await fetch(`${this.base}/v1/status/leader`, { signal })).json()) === "") return false;
      const node = (await (await fetch(`${this.base}/v1/catalog/node/${NODE_NAME}`, { signal })).json()) as {
        Services?: object;
      } | null;
      return node?.Services !== undefined && "consul" in node.Services;
    } catch {
      return false;
    }
  }

  async send(
    method: string,
    path: string,
    body?: BodyInit | object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const plain =
      body !== undefined && (body as object).constructor === Object
        ? JSON.stringify(body)
        : Array.isArray(body)
          ? JSON.stringify(body)
          : body;
    const response = await fetch(this.base + path, {
      method,
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
      ...(plain === undefined ? {} : { body: plain as BodyInit }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => parseJson(text) };
  }

  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    const code = await this.#ended;
    clearTimeout(force);
    return code;
  }

  async kill9(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** What the kernel says of a process, for who must find out why it hangs; "" where it says nothing. */
function processState(pid: number): string {
  try {
    const [state, , , , , , , , , , , user, system] =
      readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return `state ${state}, ${user} ticks in user mode, ${system} in the kernel`;
  } catch {
    return "";
  }
}

/** Waits until `holds` gives something other than false, null and undefined, and gives it. @throws Error after `withinMs`. */
export async function eventually<T>(
  what: string,
  holds: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await holds();
    if (value !== false && value !== null && value !== undefined) return value as NonNullable<Exclude<T, false>>;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}

/** A folder for a test, which removes it. */
export function temporaryDir(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "proconsul-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
