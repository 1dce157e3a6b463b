// Servers of one datacenter as processes of their own, each with a data directory, on loopback or wherever else the places
// say, for tests of what only real processes show.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { childEnvironment, freePorts, type RuntimeName, runtimeCommand } from "../conformance/agent-process.ts";

import { LOOK_MS, SICKNESS_FILE, type Sickness } from "./sick-machine.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const SICK_MACHINE = join(root, "test/e2e/sick-machine.ts");
const ANSWER_MS = 20_000;
const LEADER_MS = 60_000;
const POLL_MS = 20;
const LOG_CHARS_MAX = 1_000_000;

/** Where a server runs: its address, and the words before a command that is run there. */
export interface Place {
  readonly address: string;
  readonly enter: readonly string[];
}

export interface GroupOptions {
  /** One for each server; loopback when absent. */
  places?: readonly Place[];
  /** `performance.raft_multiplier`; the default when absent. */
  raftMultiplier?: number;
  /** More words for the command line of each. */
  words?: readonly string[];
  /** Their machines can be made sick (`ServerProcess.sicken`). */
  canSicken?: boolean;
}

interface Ports {
  readonly http: number;
  readonly server: number;
  readonly serf: number;
}

const LOOPBACK: Place = { address: "127.0.0.1", enter: [] };

/** Whatever happens to the test's process, no server outlives it. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** The command line of one server of a group. */
function serverWords(
  name: string,
  at: Place,
  ports: Ports,
  expect: number,
  dataDir: string,
  join_: readonly string[],
  options: GroupOptions,
): string[] {
  const { raftMultiplier, words = [] } = options;
  return [
    ..."agent -server -grpc-port=-1 -dns-port=-1 -serf-wan-port=-1".split(" "),
    `-bootstrap-expect=${expect}`,
    `-node=${name}`,
    `-bind=${at.address}`,
    `-client=${at.address}`,
    `-http-port=${ports.http}`,
    `-server-port=${ports.server}`,
    `-serf-lan-port=${ports.serf}`,
    `-data-dir=${dataDir}`,
    ...join_.map((address) => `-retry-join=${address}`),
    ...(raftMultiplier === undefined ? [] : ["-hcl", `performance { raft_multiplier = ${raftMultiplier} }`]),
    ...words,
  ];
}

export class ServerProcess {
  readonly name: string;
  readonly host: string;
  readonly httpPort: number;
  readonly base: string;
  readonly serverAddress: string;
  readonly serfAddress: string;
  readonly runtime: RuntimeName;
  readonly #enter: readonly string[];
  readonly #words: readonly string[];
  /** The file that says what ails its machine; null when nothing can. */
  readonly #sicknessFile: string | null;
  #child: ChildProcess | null = null;
  log = "";

  constructor(
    name: string,
    runtime: RuntimeName,
    at: Place,
    ports: Ports,
    words: readonly string[],
    sicknessFile: string | null,
  ) {
    this.name = name;
    this.host = at.address;
    this.httpPort = ports.http;
    this.base = `http://${at.address}:${ports.http}`;
    this.serverAddress = `${at.address}:${ports.server}`;
    this.serfAddress = `${at.address}:${ports.serf}`;
    this.runtime = runtime;
    this.#enter = at.enter;
    this.#words = words;
    this.#sicknessFile = sicknessFile;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  start(): void {
    const file = this.#sicknessFile;
    const command = [
      ...this.#enter,
      ...runtimeCommand(this.runtime),
      ...(file === null ? [] : [this.runtime === "node" ? "--import" : "--preload", SICK_MACHINE]),
      join(root, "agent.ts"),
      ...this.#words,
    ];
    const child = spawn(command[0] as string, command.slice(1), {
      env: childEnvironment(file === null ? {} : { [SICKNESS_FILE]: file }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    const note = (chunk: Uint8Array): void => {
      this.log += Buffer.from(chunk).toString();
      if (this.log.length > LOG_CHARS_MAX) this.log = this.log.slice(-LOG_CHARS_MAX / 2);
    };
    child.stdout.on("data", note);
    child.stderr.on("data", note);
    this.#child = child;
  }

  /** Sends it a signal; after one that ends it, it is gone when this resolves. */
  async signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.kill(signal);
    if (signal !== "SIGKILL" && signal !== "SIGTERM") return;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    this.#child = null;
  }

  /** Makes its machine sick, or with nothing healthy; so it is when this resolves. */
  async sicken(sickness: Sickness): Promise<void> {
    assert(this.#sicknessFile !== null, "the group was started with `canSicken`");
    writeFileSync(this.#sicknessFile, JSON.stringify(sickness));
    await sleep(2 * LOOK_MS);
  }

  async send(
    method: string,
    path: string,
    body?: string,
    timeoutMs: number = ANSWER_MS,
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, text: await response.text() };
  }

  /** The numbers of `Stats.raft`; null when it does not answer. */
  async raft(): Promise<Record<string, string> | null> {
    try {
      const { text } = await this.send("GET", "/v1/agent/self", undefined, 2000);
      return (JSON.parse(text) as { Stats: { raft: Record<string, string> } }).Stats.raft;
    } catch {
      return null;
    }
  }
}

export class GroupProcesses {
  readonly servers: readonly ServerProcess[];
  readonly dir: string;
  readonly #add: (name: string, runtime: RuntimeName, at: Place) => Promise<ServerProcess>;

  constructor(
    servers: readonly ServerProcess[],
    dir: string,
    add: (name: string, runtime: RuntimeName, at: Place) => Promise<ServerProcess>,
  ) {
    this.servers = servers;
    this.dir = dir;
    this.#add = add;
  }

  /** Starts a server on each runtime named, and waits until they have a leader. */
  static async start(runtimes: readonly RuntimeName[], options: GroupOptions = {}): Promise<GroupProcesses> {
    const dir = mkdtempSync(join(tmpdir(), "proconsul-group-"));
    const places = options.places ?? runtimes.map(() => LOOPBACK);
    const free = await freePorts(runtimes.length * 3);
    const ports = runtimes.map((_, i) => portsOf(places[i] as Place, free.slice(i * 3)));
    // Whom a server asks for others: their addresses in the gossip pool.
    const seeds = ports.map(({ serf }, i) => `${(places[i] as Place).address}:${serf}`);
    const make = (name: string, runtime: RuntimeName, at: Place, own: Ports): ServerProcess =>
      new ServerProcess(
        name,
        runtime,
        at,
        own,
        serverWords(name, at, own, runtimes.length, join(dir, name), seeds, options),
        options.canSicken === true ? join(dir, `${name}.sickness`) : null,
      );
    const servers = runtimes.map((runtime, i) => make(`s${i + 1}`, runtime, places[i] as Place, ports[i] as Ports));
    const group = new GroupProcesses(servers, dir, async (name, runtime, at) =>
      make(name, runtime, at, portsOf(at, await freePorts(3))),
    );
    try {
      for (const server of servers) server.start();
      await group.leader();
    } catch (error) {
      await group.stop();
      throw error;
    }
    return group;
  }

  /** Starts one more server, which joins the group. */
  async add(name: string, runtime: RuntimeName, at: Place = LOOPBACK): Promise<ServerProcess> {
    const server = await this.#add(name, runtime, at);
    server.start();
    (this.servers as ServerProcess[]).push(server);
    return server;
  }

  /** The leader, as soon as a majority of `among` names it. @throws Error with the logs after a minute. */
  async leader(among: readonly ServerProcess[] = this.servers): Promise<ServerProcess> {
    const until = Date.now() + LEADER_MS;
    while (Date.now() < until) {
      const named = await Promise.all(
        among.map((server) =>
          server.send("GET", "/v1/status/leader", undefined, 2000).then(
            ({ text }) => text,
            () => "",
          ),
        ),
      );
      for (const server of among) {
        if (named.filter((text) => text === `"${server.serverAddress}"`).length * 2 > among.length) return server;
      }
      await sleep(POLL_MS);
    }
    throw new Error(`no leader:\n${this.logs()}`);
  }

  /** Waits until every server is up, follows the same leader and has applied what that one had applied; gives the leader. */
  async settled(): Promise<ServerProcess> {
    const until = Date.now() + LEADER_MS;
    while (Date.now() < until) {
      const leader = await this.leader();
      const wanted = Number((await leader.raft())?.applied_index);
      const behind = await Promise.all(
        this.servers.map(async (server) => {
          const at = await server.raft();
          const isKnown = at !== null && (at.state === "Leader") === (server === leader);
          return !isKnown || !(Number(at.applied_index) >= wanted);
        }),
      );
      if (!behind.includes(true)) return leader;
      await sleep(POLL_MS);
    }
    throw new Error(`the servers do not agree:\n${this.logs()}`);
  }

  logs(): string {
    return this.servers.map(({ name, log }) => `--- ${name}\n${log.slice(-4000)}`).join("\n");
  }

  /** @param keep leaves the data directories for who must find out. */
  async stop(keep = false): Promise<void> {
    await Promise.all(this.servers.map((server) => server.signal("SIGKILL")));
    if (!keep) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Places of their own have ports of their own. */
function portsOf(at: Place, free: readonly number[]): Ports {
  if (at.enter.length > 0) return { http: 8500, server: 8300, serf: 8301 };
  const [http, server, serf] = free as [number, number, number];
  return { http, server, serf };
}
