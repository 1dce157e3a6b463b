// Three durable servers of one command on this machine, from their start to their end.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, RUN, root } from "../agent/servers.ts";

const SIZE = 3;
const SETTLE_MS_MAX = 60_000;
const KEYS = 100;
/** `/proc` counts processor time in hundredths of a second. */
const TICK_MS = 10;

/** One server. */
export class Member {
  readonly base: string;
  readonly serverPort: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, httpPort: number, serverPort: number) {
    this.#child = child;
    this.base = `http://127.0.0.1:${httpPort}`;
    this.serverPort = serverPort;
  }

  /** Processor time so far, of all its threads. */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  async get(path: string): Promise<unknown> {
    return (await fetch(this.base + path, { signal: AbortSignal.timeout(2000) })).json();
  }

  /** True when the write was acknowledged. */
  async put(path: string, body: string): Promise<boolean> {
    const answer = await fetch(this.base + path, { method: "PUT", body, signal: AbortSignal.timeout(5000) });
    return (await answer.text()).trim() === "true";
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill(signal);
    await gone;
  }
}

export class Group {
  readonly servers: readonly Member[];
  readonly leader: Member;
  /** One that does not lead. */
  readonly follower: Member;
  readonly startMs: number;
  readonly #folder: string;
  readonly #isProfiled: boolean;

  private constructor(servers: readonly Member[], leader: Member, startMs: number, folder: string, profiled: boolean) {
    this.servers = servers;
    this.leader = leader;
    this.follower = servers.find((server) => server !== leader) as Member;
    this.startMs = startMs;
    this.#folder = folder;
    this.#isProfiled = profiled;
  }

  /** @param command null for this version on the runtime `side`. @param profiles the folder for V8 profiles. */
  static async start(side: string, command: string | null, profiles: string | undefined): Promise<Group> {
    const folder = mkdtempSync(join(tmpdir(), "bench-cluster-"));
    const start = command?.split(" ") ?? [...(RUN[side] as string[]), join(root, "agent.ts")];
    const isProfiled = profiles !== undefined && (start[0] as string).endsWith("node");
    const ports = await Promise.all(Array.from({ length: SIZE }, () => Promise.all([1, 2, 3, 4, 5].map(freePort))));
    const started = performance.now();
    const servers = ports.map(([http, dns, server, lan, wan], at) => {
      const home = join(folder, String(at));
      mkdirSync(home);
      const config = join(home, "agent.json");
      writeFileSync(
        config,
        JSON.stringify({
          log_level: "warn",
          performance: { raft_multiplier: 1 },
          limits: { http_max_conns_per_client: 4000 },
          disable_update_check: true,
        }),
      );
      const profile = isProfiled ? ["--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${side}-${at}`] : [];
      const child = spawn(
        start[0] as string,
        [
          ...profile,
          ...start.slice(1),
          "agent",
          "-server",
          `-bootstrap-expect=${SIZE}`,
          `-node=s${at}`,
          `-data-dir=${join(home, "data")}`,
          "-bind=127.0.0.1",
          "-advertise=127.0.0.1",
          "-client=127.0.0.1",
          `-http-port=${http}`,
          `-dns-port=${dns}`,
          `-server-port=${server}`,
          `-serf-lan-port=${lan}`,
          `-serf-wan-port=${wan}`,
          "-grpc-port=-1",
          `-config-file=${config}`,
          ...ports.filter((_, other) => other !== at).map((others) => `-retry-join=127.0.0.1:${others[JOIN]}`),
          "-retry-interval=1s",
        ],
        { stdio: ["ignore", "ignore", "inherit"] },
      );
      return new Member(child, http as number, server as number);
    });
    try {
      const leader = await settled(servers);
      const startMs = performance.now() - started;
      for (let key = 0; key < KEYS; key++) await leader.put(`/v1/kv/bench/${key}`, "v".repeat(200));
      return new Group(servers, leader, startMs, folder, isProfiled);
    } catch (error) {
      for (const server of servers) await server.stop("SIGKILL");
      throw error;
    }
  }

  async stop(): Promise<void> {
    // A profile is written by a process that ends by itself.
    for (const server of this.servers) await server.stop(this.#isProfiled ? "SIGINT" : "SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Which of a server's ports `retry_join` names: that of the LAN pool. */
const JOIN = 3;

/** The leader that all name, once it takes writes. */
async function settled(servers: readonly Member[]): Promise<Member> {
  const until = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    try {
      const named = new Set(await Promise.all(servers.map((server) => server.get("/v1/status/leader"))));
      const [address] = named as Set<string>;
      const leader = servers.find((server) => address?.endsWith(`:${server.serverPort}`));
      if (named.size === 1 && leader !== undefined && (await leader.put("/v1/kv/ready", "1"))) return leader;
    } catch {
      // Not yet.
    }
    if (performance.now() > until) throw new Error(`no steady group in ${SETTLE_MS_MAX} ms`);
    await sleep(100);
  }
}
