// Servers of one datacenter as processes of their own, on loopback, each with a data directory, for tests of what only
// real processes show.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { childEnvironment, freePorts, type RuntimeName, runtimeCommand } from "../conformance/agent-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const ANSWER_MS = 20_000;
const POLL_MS = 20;

/** Whatever happens to the test's process, no server outlives it. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class ServerProcess {
  readonly name: string;
  readonly base: string;
  readonly serverAddress: string;
  readonly #words: readonly string[];
  readonly #runtime: RuntimeName;
  #child: ChildProcess | null = null;
  log = "";

  constructor(name: string, runtime: RuntimeName, http: number, server: number, words: readonly string[]) {
    this.name = name;
    this.base = `http://127.0.0.1:${http}`;
    this.serverAddress = `127.0.0.1:${server}`;
    this.#runtime = runtime;
    this.#words = words;
  }

  start(): void {
    const [program, ...first] = runtimeCommand(this.#runtime) as [string, ...string[]];
    const child = spawn(program, [...first, join(root, "agent.ts"), "agent", ...this.#words], {
      env: childEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    const note = (chunk: Uint8Array): void => {
      this.log += Buffer.from(chunk).toString();
    };
    child.stdout.on("data", note);
    child.stderr.on("data", note);
    this.#child = child;
  }

  /** Sends it a signal; after SIGKILL it is gone when this resolves. */
  async signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.kill(signal);
    if (signal !== "SIGKILL") return;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    this.#child = null;
  }

  async send(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_MS),
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, text: await response.text() };
  }
}

export interface GroupOptions {
  /** More words for the command line of each. */
  words?: readonly string[];
}

export class GroupProcesses {
  readonly servers: readonly ServerProcess[];
  readonly #dir: string;

  constructor(servers: readonly ServerProcess[], dir: string) {
    this.servers = servers;
    this.#dir = dir;
  }

  /** Starts a server on each runtime named, and waits until they have a leader. */
  static async start(runtimes: readonly RuntimeName[], options: GroupOptions = {}): Promise<GroupProcesses> {
    const dir = mkdtempSync(join(tmpdir(), "proconsul-group-"));
    const ports = await freePorts(runtimes.length * 3);
    const addresses = runtimes.map((_, i) => `127.0.0.1:${ports[i * 3 + 1]}`);
    const servers = runtimes.map((runtime, i) => {
      const [http, server, serf] = ports.slice(i * 3, i * 3 + 3) as [number, number, number];
      const words = [
        `-server -bootstrap-expect=${runtimes.length} -node=s${i + 1} -bind=127.0.0.1 -client=127.0.0.1`,
        "-grpc-port=-1 -dns-port=-1 -serf-wan-port=-1",
        `-http-port=${http} -server-port=${server} -serf-lan-port=${serf}`,
        addresses.map((address) => `-retry-join=${address}`).join(" "),
      ].flatMap((some) => some.split(" "));
      words.push(
        `-data-dir=${join(dir, `s${i + 1}`)}`,
        "-hcl",
        "performance { raft_multiplier = 1 }",
        ...(options.words ?? []),
      );
      return new ServerProcess(`s${i + 1}`, runtime, http, server, words);
    });
    const group = new GroupProcesses(servers, dir);
    for (const server of servers) server.start();
    await group.leader();
    return group;
  }

  /** The leader, as soon as a majority names it. @throws Error with the logs after a minute. */
  async leader(): Promise<ServerProcess> {
    const until = Date.now() + 60_000;
    while (Date.now() < until) {
      const named = await Promise.all(
        this.servers.map((server) =>
          server.send("GET", "/v1/status/leader").then(
            ({ text }) => text,
            () => "",
          ),
        ),
      );
      for (const server of this.servers) {
        if (named.filter((text) => text === `"${server.serverAddress}"`).length * 2 > this.servers.length)
          return server;
      }
      await sleep(POLL_MS);
    }
    throw new Error(`no leader:\n${this.servers.map(({ log }) => log).join("\n---\n")}`);
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.signal("SIGKILL");
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
