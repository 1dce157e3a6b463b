// How long writes stand still when something happens to the leader of a cluster of real servers: killed (`kill`), stopped by
// SIGSTOP (`stop`), cut off and joined again (`partition`, in network namespaces), all servers killed and started (`all`), or
// leadership handed over (`transfer`). A client writes steadily at every server that survives.
//
//   node test/e2e/failover-rounds.ts --kind kill [--rounds 100] [--servers 3] [--runtime node|bun|deno|mixed] [--multiplier 1]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { RUNTIMES, type RuntimeName } from "../conformance/agent-process.ts";
import { GroupProcesses, type ServerProcess } from "./group.ts";
import { Network, whyNoNetwork } from "./network.ts";
import { type Gap, lengthOf, longestGap, SteadyWriter } from "./steady-writer.ts";

export const KINDS = ["kill", "stop", "partition", "all", "transfer"] as const;
export type Kind = (typeof KINDS)[number];

export interface FailoverOptions {
  kind: Kind;
  rounds: number;
  runtimes: readonly RuntimeName[];
  raftMultiplier?: number;
  progress?(line: string): void;
}

/** Milliseconds, one for each round. */
export interface FailoverResult {
  /** From the event to the first write that was acknowledged after the longest gap; of a transfer, until it was answered. */
  firstWrite: number[];
  /** The longest time without an acknowledged write anywhere. */
  gap: number[];
  /** The same for the clients of the one server where it was longest. */
  worstServerGap: number[];
  /** `partition`: the longest gap anywhere after the leader was joined again. */
  healGap: number[];
  /** Writes that were not acknowledged. */
  errors: number;
  acknowledged: number;
}

const SETTLE_MS = 400;
const OUTAGE_MS_MAX = 30_000;
/** Time for every writer to go on after the event; a gap that ends later is waited for. */
const AFTER_MS = 600;
const PARTITION_MS = 2500;
const POLL_MS = 5;

/** @throws Error when writes do not go on within half a minute. */
export async function failoverRounds(options: FailoverOptions): Promise<FailoverResult> {
  const { kind, rounds, runtimes, raftMultiplier, progress = () => {} } = options;
  const network = kind === "partition" ? Network.make(runtimes.length) : null;
  const result: FailoverResult = {
    firstWrite: [],
    gap: [],
    worstServerGap: [],
    healGap: [],
    errors: 0,
    acknowledged: 0,
  };
  let group: GroupProcesses | null = null;
  try {
    group = await GroupProcesses.start(runtimes, {
      ...(network === null ? {} : { places: network.places }),
      ...(raftMultiplier === undefined ? {} : { raftMultiplier }),
    });
    for (let round = 1; round <= rounds; round += 1) {
      await oneRound(kind, group, network, result);
      if (round % Math.max(1, Math.floor(rounds / 10)) === 0) progress(summary(kind, result));
    }
    return result;
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${group?.logs() ?? ""}`, { cause: error });
  } finally {
    await group?.stop();
    network?.remove();
  }
}

async function oneRound(
  kind: Kind,
  group: GroupProcesses,
  network: Network | null,
  result: FailoverResult,
): Promise<void> {
  const leader = await group.settled();
  const survivors =
    kind === "all" || kind === "transfer" ? group.servers : group.servers.filter((server) => server !== leader);
  const writers = survivors.map((server) => new SteadyWriter(server.name, server).start());
  try {
    await sleep(SETTLE_MS + Math.random() * SETTLE_MS);
    const atMs = performance.now();
    await happen(kind, group, network, leader);
    const tookMs = performance.now() - atMs;
    await everyoneWrites(writers, kind === "all" ? performance.now() : atMs);
    await sleep(AFTER_MS);
    const gap = longestGap(writers, atMs);
    result.firstWrite.push(kind === "transfer" ? tookMs : gap.toMs - atMs);
    result.gap.push(lengthOf(gap));
    result.worstServerGap.push(Math.max(...writers.map((writer) => lengthOf(longestGap([writer], atMs)))));
    if (kind === "kill") leader.start();
    else if (kind === "stop") await leader.signal("SIGCONT");
    else if (kind === "partition") result.healGap.push(lengthOf(await heal(network as Network, writers)));
  } finally {
    for (const writer of writers) {
      await writer.stop();
      result.errors += writer.errors;
      result.acknowledged += writer.acknowledgedMs.length;
    }
  }
}

async function happen(
  kind: Kind,
  group: GroupProcesses,
  network: Network | null,
  leader: ServerProcess,
): Promise<void> {
  switch (kind) {
    case "kill":
      return leader.signal("SIGKILL");
    case "stop":
      return leader.signal("SIGSTOP");
    case "partition":
      return network?.isolate(group.servers.indexOf(leader));
    case "all":
      await Promise.all(group.servers.map((server) => server.signal("SIGKILL")));
      for (const server of group.servers) server.start();
      return;
    default: {
      const { status, text } = await leader.send("POST", "/v1/operator/raft/transfer-leader");
      if (status !== 200) throw new Error(`the transfer was answered with ${status}: ${text}`);
    }
  }
}

async function heal(network: Network, writers: readonly SteadyWriter[]): Promise<Gap> {
  await sleep(PARTITION_MS);
  const atMs = performance.now();
  network.heal();
  await sleep(PARTITION_MS);
  await everyoneWrites(writers, atMs + PARTITION_MS / 2);
  return longestGap(writers, atMs);
}

/** Waits until each writer had a write acknowledged after the outage that follows `sinceMs`. */
async function everyoneWrites(writers: readonly SteadyWriter[], sinceMs: number): Promise<void> {
  // What was acknowledged on the wire when it happened does not count.
  const fromMs = sinceMs + 100;
  for (const writer of writers) {
    while (!((writer.acknowledgedMs.at(-1) ?? 0) > fromMs)) {
      if (performance.now() - sinceMs > OUTAGE_MS_MAX) throw new Error(`${writer.server.name} takes no writes`);
      await sleep(POLL_MS);
    }
  }
}

/** The figures in one line. */
export function summary(kind: Kind, result: FailoverResult): string {
  const parts = [
    `${kind === "transfer" ? "to the answer" : "to the first write"} ${figures(result.firstWrite)}`,
    `longest gap ${figures(result.gap)}`,
    `of one server's clients ${figures(result.worstServerGap)}`,
  ];
  if (result.healGap.length > 0) parts.push(`after healing ${figures(result.healGap)}`);
  return `${kind}, ${result.gap.length} rounds: ${parts.join("; ")}; ${result.acknowledged} acknowledged, ${result.errors} not`;
}

function figures(values: readonly number[]): string {
  return `median ${quantile(values, 0.5)}, p99 ${quantile(values, 0.99)}, worst ${quantile(values, 1)} ms`;
}

/** The smallest value that a share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kind: { type: "string", default: "kill" },
      rounds: { type: "string", default: "100" },
      servers: { type: "string", default: "3" },
      runtime: { type: "string", default: "node" },
      multiplier: { type: "string" },
    },
  });
  const kind = KINDS.find((name) => name === values.kind);
  const servers = Array.from({ length: Number(values.servers) }, (_, i) =>
    values.runtime === "mixed"
      ? (RUNTIMES[i % RUNTIMES.length] as RuntimeName)
      : RUNTIMES.find((name) => name === values.runtime),
  );
  if (kind === undefined || servers.includes(undefined)) {
    console.error(`--kind is one of ${KINDS.join(", ")}, --runtime one of ${RUNTIMES.join(", ")}, mixed`);
    return 2;
  }
  const why = kind === "partition" ? whyNoNetwork() : null;
  if (why !== null) {
    console.error(`no partitions here: ${why}`);
    return 2;
  }
  const result = await failoverRounds({
    kind,
    rounds: Number(values.rounds),
    runtimes: servers as RuntimeName[],
    ...(values.multiplier === undefined ? {} : { raftMultiplier: Number(values.multiplier) }),
    progress: console.log,
  });
  console.log(`${values.runtime}, ${values.servers} servers, ${summary(kind, result)}`);
  return 0;
}

if (import.meta.main) process.exit(await main());
