// A server under write load is killed with `kill -9` at random moments, started again on the same data directory, and
// asked for everything: what was acknowledged must be there, what was never sent must not, and no index may go back.
// Snapshots are taken and the log is compacted all the while, and some kills hit a server that is still starting.
//
//   node test/e2e/kill-rounds.ts --rounds 1000 [--runtime node|bun|deno] [--writers 6] [--seed 1]
//
// With --servers 3 it is a cluster: group-kill-rounds.ts.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Random } from "../../src/util/random.ts";
import {
  type AgentProcess,
  launchAgent,
  type Ports,
  RUNTIMES,
  type RuntimeName,
  startAgent,
  temporaryDir,
} from "../support/process.ts";
import { HttpConnection } from "./http-connection.ts";
import { groupKillRounds, groupSummary } from "./group-kill-rounds.ts";
import { type LoadCounts, sumCounts, Writer } from "./write-load.ts";

export interface KillRoundsOptions {
  runtime: RuntimeName;
  rounds: number;
  /** Rounds go on until so many snapshots were taken, on however slow a machine, and at most twenty times as long. */
  snapshotsMin?: number;
  writers?: number;
  seed?: number;
  /** Told how far it is, about every twentieth part. */
  progress?(line: string): void;
}

export interface KillRoundsResult extends LoadCounts {
  rounds: number;
  /** Kills of a server that did not serve yet. */
  killedStarting: number;
  /** Snapshots that were completed, as far as the rounds could see. */
  snapshots: number;
  /** Everything that went against the rules; empty when nothing did. */
  faults: string[];
  durationMs: number;
}

/** Small, so that there is a snapshot in nearly every round. */
const CONFIG = {
  raft_snapshot_threshold: 60,
  raft_snapshot_interval: "60ms",
  raft_trailing_logs: 20,
  log_level: "INFO",
};
const LOAD_MS_MIN = 30;
const LOAD_MS_MAX = 400;
/** One start in so many is cut short. */
const KILL_STARTING_ONE_IN = 8;
const FAULTS_MAX = 20;

/** Runs the rounds; stops early when rules are broken. @throws Error when a server does not start again. */
export async function killRounds({
  runtime,
  rounds,
  snapshotsMin = 0,
  writers: count = 6,
  seed = 1,
  progress = () => {},
}: KillRoundsOptions): Promise<KillRoundsResult> {
  const random = new Random(seed);
  const dir = temporaryDir();
  const writers = Array.from({ length: count }, (_, n) => new Writer(`w${n}`, random.next()));
  const watched = new Watched();
  const from = performance.now();
  const result = (round: number): KillRoundsResult => ({
    rounds: round,
    killedStarting: watched.killedStarting,
    snapshots: watched.snapshots,
    faults: [...watched.faults, ...writers.flatMap(({ faults }) => faults)],
    durationMs: performance.now() - from,
    ...sumCounts(writers.map(({ counts }) => counts)),
  });
  let agent: AgentProcess | null = null;
  let ports: Ports | undefined;
  let keep = false;
  try {
    let round = 1;
    for (; round <= rounds || (watched.snapshots < snapshotsMin && round <= rounds * 20); round++) {
      if (ports !== undefined && random.below(KILL_STARTING_ONE_IN) === 0) {
        await killWhileStarting(runtime, dir.path, ports, random);
        watched.killedStarting += 1;
      }
      agent = await startAgent({
        runtime,
        dataDir: dir.path,
        config: CONFIG,
        ...(ports === undefined ? {} : { ports }),
      });
      ports = agent.ports;
      await inspect(agent, writers, watched);
      if (result(round).faults.length > 0) {
        keep = true;
        watched.faults.push(`the data directory is kept: ${dir.path}`);
        return result(round);
      }
      const connections = writers.map(() => new HttpConnection(agent?.ports.http as number));
      const writing = writers.map((writer, n) => writer.write(connections[n] as HttpConnection));
      await sleep(LOAD_MS_MIN + random.below(LOAD_MS_MAX - LOAD_MS_MIN));
      await agent.kill9();
      watched.log(agent.log());
      await Promise.all(writing);
      for (const connection of connections) connection.close();
      if (round % Math.max(1, Math.floor(rounds / 20)) === 0) progress(summary(runtime, result(round)));
    }
    agent = await startAgent({ runtime, dataDir: dir.path, config: CONFIG, ...(ports === undefined ? {} : { ports }) });
    await inspect(agent, writers, watched);
    return result(round - 1);
  } catch (error) {
    keep = true;
    throw new Error(`${(error as Error).message}\nThe data directory is kept: ${dir.path}`, { cause: error });
  } finally {
    await agent?.kill9();
    if (!keep) dir.remove();
  }
}

/** The result in one line. */
export function summary(runtime: RuntimeName, r: KillRoundsResult): string {
  const lost = r.faults.length === 0 ? "0 lost, 0 never sent, 0 indexes back" : `${r.faults.length} FAULTS`;
  return (
    `${runtime}: ${r.rounds} rounds, ${r.killedStarting} kills more while starting, ${r.acknowledged} writes acknowledged, ${r.unanswered} things unanswered ` +
    `(${r.happened} had happened), ${r.declined} compares declined, ${r.snapshots} snapshots: ${lost}; ${Math.round(r.durationMs / 1000)} s`
  );
}

async function killWhileStarting(runtime: RuntimeName, dataDir: string, ports: Ports, random: Random): Promise<void> {
  const starting = await launchAgent({ runtime, dataDir, config: CONFIG, ports });
  await sleep(random.below(700));
  await starting.kill9();
}

/** What no writer owns: the log's own numbers, the agent's log. */
class Watched {
  readonly faults: string[] = [];
  killedStarting = 0;
  snapshots = 0;
  #applied = 0;
  #snapshotIndex = 0;
  #term = 0;

  stats({ applied_index, last_snapshot_index, term }: Record<string, string>): void {
    this.#applied = this.#notBack("the applied index", this.#applied, Number(applied_index));
    this.#snapshotIndex = this.#notBack(
      "the index of the last snapshot",
      this.#snapshotIndex,
      Number(last_snapshot_index),
    );
    this.#term = this.#notBack("the term", this.#term, Number(term));
  }

  log(text: string): void {
    this.snapshots += text.split("snapshot complete up to index").length - 1;
    for (const line of text.split("\n"))
      if (/\[ERROR\]|this is a bug|unhandled|damaged/i.test(line) && this.faults.length < FAULTS_MAX)
        this.faults.push(`the agent's log says: ${line}`);
  }

  #notBack(what: string, last: number, now: number): number {
    if (!(now >= last)) this.faults.push(`${what} went back from ${last} to ${now}`);
    return now;
  }
}

async function inspect(agent: AgentProcess, writers: readonly Writer[], watched: Watched): Promise<void> {
  const connection = new HttpConnection(agent.ports.http);
  try {
    watched.stats((await connection.send("GET", "/v1/agent/self")).json().Stats.raft);
    for (const writer of writers) await writer.check(connection);
    const keys = (await connection.send("GET", "/v1/kv/?keys")).json() as string[];
    const strange = keys.filter((key) => !key.startsWith("rounds/w"));
    if (strange.length > 0) watched.faults.push(`keys that nobody wrote: ${strange.slice(0, 5).join()}`);
  } finally {
    connection.close();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "1000" },
      runtime: { type: "string", default: "node" },
      writers: { type: "string", default: "6" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      servers: { type: "string", default: "1" },
      all: { type: "boolean", default: false },
    },
  });
  const servers = Number(values.servers);
  const rounds = Number(values.rounds);
  const seed = Number(values.seed);
  const writers = Number(values.writers);
  const runtime = RUNTIMES.find((name) => name === values.runtime);
  const isMixed = values.runtime === "mixed" && servers > 1;
  if (runtime === undefined && !isMixed) {
    console.error(`--runtime must be one of ${RUNTIMES.join(", ")}, or mixed in a cluster`);
    return 2;
  }
  console.log(`seed ${seed}`);
  if (servers > 1) {
    const runtimes = Array.from(
      { length: servers },
      (_, n) => runtime ?? (RUNTIMES[n % RUNTIMES.length] as RuntimeName),
    );
    const { all } = values;
    const result = await groupKillRounds({ runtimes, rounds, all, writers, seed, progress: console.log });
    for (const fault of result.faults.slice(0, FAULTS_MAX)) console.log(`FAULT ${fault}`);
    console.log(
      `${result.faults.length === 0 ? "PASSED" : "FAILED"} ${values.runtime}, ${servers} servers: ${groupSummary(result)}`,
    );
    return result.faults.length === 0 ? 0 : 1;
  }
  const result = await killRounds({ runtime: runtime as RuntimeName, rounds, writers, seed, progress: console.log });
  for (const fault of result.faults.slice(0, FAULTS_MAX)) console.log(`FAULT ${fault}`);
  console.log(`${result.faults.length === 0 ? "PASSED" : "FAILED"} ${summary(runtime as RuntimeName, result)}`);
  return result.faults.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main());
