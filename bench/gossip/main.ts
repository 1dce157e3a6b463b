// A datacenter of many real agents on this machine: how long until all know all, what an idle pool costs in processor time,
// memory, calls and bytes, and how soon a killed agent has failed at every other.
//   node bench/gossip/main.ts [--agents 40] [--servers 3] [--runtime node|bun|deno] [--seconds 60]
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { childEnvironment, freePorts, type RuntimeName, runtimeCommand } from "../../test/conformance/agent-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    agents: { type: "string", default: "40" },
    servers: { type: "string", default: "3" },
    runtime: { type: "string", default: "node" },
    seconds: { type: "string", default: "60" },
  },
});
const [agents, servers, seconds] = [flags.agents, flags.servers, flags.seconds].map(Number) as [number, number, number];
const PATIENCE_MS = 300_000;
const POLL_MS = 100;
const TICKS_PER_SECOND = 100;
const KIB = 1024;

interface Running {
  readonly child: ChildProcess;
  readonly base: string;
  readonly name: string;
}

interface Usage {
  cpuSeconds: number;
  calls: number;
  bytes: number;
}

const dir = mkdtempSync(join(tmpdir(), "bench-gossip-"));
const running: Running[] = [];
process.on("exit", () => {
  for (const { child } of running) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

async function start(at: number, ports: readonly number[], seeds: readonly number[]): Promise<void> {
  const name = `a${at}`;
  const [http, server, serf] = ports.slice(at * 3, at * 3 + 3) as [number, number, number];
  const words = [
    ...runtimeCommand(flags.runtime as RuntimeName),
    join(root, "agent.ts"),
    "agent",
    ...(at < servers ? ["-server", `-bootstrap-expect=${servers}`] : []),
    `-node=${name}`,
    `-data-dir=${join(dir, name)}`,
    "-bind=127.0.0.1",
    "-log-level=warn",
    "-grpc-port=-1",
    "-dns-port=-1",
    "-serf-wan-port=-1",
    `-http-port=${http}`,
    `-server-port=${server}`,
    `-serf-lan-port=${serf}`,
    ...seeds.map((port) => `-retry-join=127.0.0.1:${port}`),
    "-retry-interval=1s",
  ];
  const child = spawn(words[0] as string, words.slice(1), { env: childEnvironment(), stdio: "ignore" });
  running.push({ child, base: `http://127.0.0.1:${http}`, name });
}

async function json(agent: Running, path: string): Promise<unknown> {
  const response = await fetch(agent.base + path, { signal: AbortSignal.timeout(10_000) });
  return response.json();
}

/** How many members an agent lists with this status (1 alive, 4 failed); -1 when it does not answer. */
async function members(agent: Running, status: number): Promise<number> {
  try {
    const list = (await json(agent, "/v1/agent/members")) as { Status: number }[];
    return list.filter(({ Status }) => Status === status).length;
  } catch {
    return -1;
  }
}

/** Milliseconds until every one of `among` lists `count` members with this status. */
async function until(among: readonly Running[], status: number, count: number): Promise<number> {
  const started = performance.now();
  const waiting = new Set(among);
  while (waiting.size > 0) {
    if (performance.now() - started > PATIENCE_MS)
      throw new Error(`${waiting.size} agents do not list ${count} members`);
    for (const agent of waiting) if ((await members(agent, status)) === count) waiting.delete(agent);
    if (waiting.size > 0) await sleep(POLL_MS);
  }
  return performance.now() - started;
}

async function usage(agent: Running): Promise<Usage> {
  const stat = readFileSync(`/proc/${agent.child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const text = await (await fetch(`${agent.base}/v1/agent/metrics?format=prometheus`)).text();
  const value = (name: string): number =>
    Number(new RegExp(`^consul_memberlist_tcp_${name}\\{network="lan"\\} (\\S+)`, "m").exec(text)?.[1] ?? Number.NaN);
  return {
    // utime and stime, fields 14 and 15 of proc(5).
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND,
    calls: value("connect"),
    bytes: value("sent"),
  };
}

const residentMiB = ({ child }: Running): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / KIB;
const mean = (list: readonly number[]): number => list.reduce((sum, each) => sum + each, 0) / list.length;
const show = (name: string, value: string): void => console.log(`${name.padEnd(58)} ${value}`);

const ports = await freePorts(agents * 3);
const seeds = Array.from({ length: servers }, (_, at) => ports[at * 3 + 2] as number);
const started = performance.now();
for (let at = 0; at < agents; at += 1) await start(at, ports, seeds);
await until(running, 1, agents);
show(
  `${agents} ${flags.runtime} agents, ${servers} of them servers: from nothing to all know all, s`,
  ((performance.now() - started) / 1000).toFixed(1),
);
// What starting costs (compiling, the first synchronisation) is not to count.
await sleep(20_000);
const before = await Promise.all(running.map(usage));
await sleep(seconds * 1000);
const after = await Promise.all(running.map(usage));
const per = (pick: (use: Usage) => number): number =>
  mean(after.map((use, at) => (pick(use) - pick(before[at] as Usage)) / seconds));
show("idle: processor time of an agent, % of a core", (per(({ cpuSeconds }) => cpuSeconds) * 100).toFixed(2));
show("idle: calls an agent makes, a second", per(({ calls }) => calls).toFixed(2));
show("idle: bytes an agent sends, a second", per(({ bytes }) => bytes).toFixed(0));
show("resident memory of an agent, MiB", mean(running.map(residentMiB)).toFixed(0));
const failed = mean(await Promise.all(running.map((agent) => members(agent, 4))));
show("members held for failed though all are there, mean", failed.toFixed(2));
const victim = running.at(-1) as Running;
victim.child.kill("SIGKILL");
const others = running.filter((agent) => agent !== victim);
show("from kill -9 of a client to failed at all others, s", ((await until(others, 4, 1)) / 1000).toFixed(1));
process.exit(0);
