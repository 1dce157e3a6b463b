// Does a leader stay one while nothing happens to it? A cluster of real servers, idle or under as many writes as it takes, whose
// term is watched: each change of it is a change of leader that nobody asked for.
//
//   node test/e2e/steady-leader.ts --minutes 60 [--writers 0] [--servers 3] [--runtime node|bun|deno]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { RUNTIMES, type RuntimeName } from "../conformance/agent-process.ts";
import { GroupProcesses, type ServerProcess } from "./group.ts";
import { HttpConnection } from "./http-connection.ts";

export interface SteadyOptions {
  runtimes: readonly RuntimeName[];
  minutes: number;
  /** Clients that write without a pause, spread over the servers. */
  writers: number;
}

export interface SteadyResult {
  /** How often the term changed. */
  changes: number;
  /** How often a follower asked the others whether it could win. */
  preCampaigns: number;
  acknowledged: number;
  errors: number;
  /** The longest time a write took. */
  slowestMs: number;
}

const LOOK_MS = 1000;

/** @throws Error when no leader is found. */
export async function steadyLeader({ runtimes, minutes, writers }: SteadyOptions): Promise<SteadyResult> {
  const group = await GroupProcesses.start(runtimes);
  const result: SteadyResult = { changes: 0, preCampaigns: 0, acknowledged: 0, errors: 0, slowestMs: 0 };
  try {
    const leader = await group.settled();
    const firstTerm = Number((await leader.raft())?.term);
    for (const server of group.servers) server.log = "";
    let isOver = false;
    const writing = Array.from({ length: writers }, (_, n) =>
      write(group.servers[n % group.servers.length] as ServerProcess, n, () => isOver, result),
    );
    const until = performance.now() + minutes * 60_000;
    while (performance.now() < until) await sleep(Math.min(LOOK_MS, until - performance.now()));
    isOver = true;
    await Promise.all(writing);
    await group.settled();
    const terms = await Promise.all(group.servers.map(async (server) => Number((await server.raft())?.term)));
    result.changes = Math.max(...terms) - firstTerm;
    for (const { log } of group.servers) result.preCampaigns += log.split("entering pre-candidate state").length - 1;
    return result;
  } finally {
    await group.stop();
  }
}

async function write(server: ServerProcess, n: number, isOver: () => boolean, result: SteadyResult): Promise<void> {
  const connection = new HttpConnection(server.httpPort, server.host);
  for (let i = 0; !isOver(); i += 1) {
    const fromMs = performance.now();
    try {
      const { status } = await connection.send("PUT", `/v1/kv/load/${n}/${i % 500}`, "x".repeat(200));
      if (status === 200) result.acknowledged += 1;
      else result.errors += 1;
    } catch {
      result.errors += 1;
    }
    result.slowestMs = Math.max(result.slowestMs, performance.now() - fromMs);
  }
  connection.close();
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "60" },
      writers: { type: "string", default: "0" },
      servers: { type: "string", default: "3" },
      runtime: { type: "string", default: "node" },
    },
  });
  const runtime = RUNTIMES.find((name) => name === values.runtime);
  if (runtime === undefined) {
    console.error(`--runtime must be one of ${RUNTIMES.join(", ")}`);
    return 2;
  }
  const r = await steadyLeader({
    runtimes: Array.from({ length: Number(values.servers) }, () => runtime),
    minutes: Number(values.minutes),
    writers: Number(values.writers),
  });
  console.log(
    `${runtime}, ${values.servers} servers, ${values.minutes} minutes, ${values.writers} writers: ${r.changes} changes of leader, ` +
      `${r.preCampaigns} pre-campaigns; ${r.acknowledged} writes acknowledged, ${r.errors} not, slowest ${Math.round(r.slowestMs)} ms`,
  );
  return r.changes === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main());
