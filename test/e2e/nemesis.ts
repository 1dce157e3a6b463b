// A cluster of real servers under use, to which one thing after the other happens: servers are killed, stopped, started anew,
// cut off. Whatever clients saw must be linearizable, and after each the cluster must be whole again in time.
//
//   node test/e2e/nemesis.ts [--minutes 10] [--servers 3] [--runtime node|bun|deno|mixed] [--faults kill-leader,halves,…] [--seed 1]
//
// Faults of the network need network namespaces (network.ts); without them they are left out, and it says so.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Random } from "../../src/util/random.ts";
import { RUNTIMES, type RuntimeName } from "../conformance/agent-process.ts";
import { GroupProcesses, type ServerProcess } from "./group.ts";
import { History } from "./history.ts";
import { Network, whyNoNetwork } from "./network.ts";
import type { Sickness } from "./sick-machine.ts";

interface Scene {
  readonly group: GroupProcesses;
  readonly network: Network | null;
  readonly random: Random;
}

/** Does something to a cluster; what it gives back undoes it. */
type Fault = (scene: Scene) => Promise<() => Promise<void>>;

const any = ({ group, random }: Scene): ServerProcess =>
  group.servers[random.below(group.servers.length)] as ServerProcess;
const leaderOf = ({ group }: Scene): Promise<ServerProcess> => group.leader();

async function kill(victims: readonly ServerProcess[]): Promise<() => Promise<void>> {
  await Promise.all(victims.map((server) => server.signal("SIGKILL")));
  return async () => victims.forEach((server) => server.start());
}

async function pause(server: ServerProcess): Promise<() => Promise<void>> {
  await server.signal("SIGSTOP");
  return () => server.signal("SIGCONT");
}

/** With a sick machine; it gets well by itself when the server was killed meanwhile, too. */
async function sicken(server: ServerProcess, sickness: Sickness): Promise<() => Promise<void>> {
  await server.sicken(sickness);
  return () => server.sicken({});
}

/** With a full disk, which is found out when the space that the log has ahead of its end is used up. */
async function fillDisk({ group }: Scene, victim: ServerProcess): Promise<() => Promise<void>> {
  const undo = await sicken(victim, { isFull: true });
  const other = group.servers.find((server) => server !== victim) as ServerProcess;
  const value = "x".repeat(LARGE_VALUE);
  for (let n = 0; n < LARGE_VALUES; n += 1) {
    const { status, text } = await other.send("PUT", `/v1/kv/nemesis-fill`, value);
    if (status !== 200) throw new Error(`a server whose disk is full held up a write: ${status} ${text}`);
  }
  if (!victim.log.includes(NO_SPACE)) throw new Error(`${victim.name} has not met its full disk`);
  return undo;
}

/** With the network cut in some way. */
function cut(how: (network: Network, scene: Scene) => void | Promise<void>): Fault {
  return async (scene) => {
    const network = scene.network as Network;
    await how(network, scene);
    return async () => network.heal();
  };
}

/** A random order of the servers' numbers. */
function shuffled({ group, random }: Scene): number[] {
  const order = group.servers.map((_, n) => n);
  for (let n = order.length - 1; n > 0; n -= 1) {
    const other = random.below(n + 1);
    [order[n], order[other]] = [order[other] as number, order[n] as number];
  }
  return order;
}

/** More than the log has in store. */
const LARGE_VALUE = 400_000;
const LARGE_VALUES = 6;
/** What a server says of it. */
const NO_SPACE = "No space is left for the Raft log";

/** What a disk on its last legs takes for a sync. */
const SLOW_SYNC_MS = 700;
/** An hour: as when somebody sets a clock, or a machine wakes up. */
const CLOCK_JUMP_MS = 3_600_000;

const PROCESS_FAULTS: Readonly<Record<string, Fault>> = {
  "kill-leader": async (scene) => kill([await leaderOf(scene)]),
  "kill-any": (scene) => kill([any(scene)]),
  "kill-all": ({ group }) => kill(group.servers),
  "pause-leader": async (scene) => pause(await leaderOf(scene)),
  "pause-any": (scene) => pause(any(scene)),
  "slow-disk-leader": async (scene) => sicken(await leaderOf(scene), { syncDelayMs: SLOW_SYNC_MS }),
  "slow-disk-any": (scene) => sicken(any(scene), { syncDelayMs: SLOW_SYNC_MS }),
  "full-disk-leader": async (scene) => fillDisk(scene, await leaderOf(scene)),
  "full-disk-any": (scene) => fillDisk(scene, any(scene)),
  "clock-forward": async (scene) => sicken(await leaderOf(scene), { wallOffsetMs: CLOCK_JUMP_MS }),
  "clock-back": async (scene) => sicken(await leaderOf(scene), { wallOffsetMs: -CLOCK_JUMP_MS }),
  transfer: async (scene) => {
    await (await leaderOf(scene)).send("POST", "/v1/operator/raft/transfer-leader");
    return async () => {};
  },
};

const NETWORK_FAULTS: Readonly<Record<string, Fault>> = {
  "isolate-leader": cut(async (network, scene) => network.isolate(scene.group.servers.indexOf(await leaderOf(scene)))),
  "isolate-any": cut((network, scene) => network.isolate(scene.group.servers.indexOf(any(scene)))),
  halves: cut((network, scene) => {
    const order = shuffled(scene);
    network.part(order.slice(0, order.length >> 1), order.slice(order.length >> 1));
  }),
  /** The leader hears nobody, but is heard. */
  "deaf-leader": cut(async (network, scene) => {
    const leader = scene.group.servers.indexOf(await leaderOf(scene));
    scene.group.servers.forEach((_, n) => n !== leader && network.cut(n, leader));
  }),
  /** The leader is not heard, but hears. */
  "mute-leader": cut(async (network, scene) => {
    const leader = scene.group.servers.indexOf(await leaderOf(scene));
    scene.group.servers.forEach((_, n) => n !== leader && network.cut(leader, n));
  }),
  "one-way": cut((network, scene) => {
    const [from, to] = shuffled(scene) as [number, number];
    network.cut(from, to);
  }),
  /** One server is all that two sides have in common. */
  bridge: cut((network, scene) => {
    const order = shuffled(scene);
    const half = order.length >> 1;
    network.part(order.slice(0, half), order.slice(half + 1));
  }),
  ring: cut((network) => network.ring()),
};

export const FAULTS: readonly string[] = [...Object.keys(PROCESS_FAULTS), ...Object.keys(NETWORK_FAULTS)];

export interface NemesisOptions {
  runtimes: readonly RuntimeName[];
  /** By name; on and on in a random order until `minutes` have passed, or each once in this order. */
  faults: readonly string[];
  minutes?: number;
  seed?: number;
  progress?(line: string): void;
}

export interface NemesisResult {
  /** How often each thing happened. */
  happened: Map<string, number>;
  /** Operations that were answered, and changes that were not. */
  answered: number;
  unknown: number;
  /** From the end of a fault until all servers agreed and took a write, the longest. */
  healedMs: number;
  faults: string[];
}

const HOLD_MS_MIN = 800;
const HOLD_MS_MAX = 3500;
const CALM_MS = 500;

/** True for a fault that needs a network of its own. */
export const needsNetwork = (name: string): boolean => name in NETWORK_FAULTS;

/** @throws Error when the cluster does not become whole again. */
export async function nemesis(options: NemesisOptions): Promise<NemesisResult> {
  const { runtimes, faults, minutes = 0, seed = 1, progress = () => {} } = options;
  const random = new Random(seed);
  const network = faults.some(needsNetwork) ? Network.make(runtimes.length) : null;
  const result: NemesisResult = { happened: new Map(), answered: 0, unknown: 0, healedMs: 0, faults: [] };
  const until = performance.now() + minutes * 60_000;
  let group: GroupProcesses | null = null;
  try {
    group = await GroupProcesses.start(runtimes, {
      canSicken: true,
      ...(network === null ? {} : { places: network.places }),
    });
    const scene: Scene = { group, network, random };
    let queue = [...faults];
    while (queue.length > 0 && result.faults.length === 0) {
      // A history for each, so that a long run is checked as it goes.
      const history = new History(random.next()).start(group.servers);
      const name = queue.shift() as string;
      await sleep(CALM_MS);
      const undo = await (PROCESS_FAULTS[name] ?? (NETWORK_FAULTS[name] as Fault))(scene);
      await sleep(HOLD_MS_MIN + random.below(HOLD_MS_MAX - HOLD_MS_MIN));
      await undo();
      const healedMs = await whole(group);
      await sleep(CALM_MS);
      await history.stop();
      result.happened.set(name, (result.happened.get(name) ?? 0) + 1);
      result.answered += history.answered;
      result.unknown += history.unknown;
      result.healedMs = Math.max(result.healedMs, healedMs);
      result.faults.push(...history.faults().map((fault) => `${name}: ${fault}`));
      progress(`${name}: whole again after ${Math.round(healedMs)} ms; ${history.answered} operations`);
      if (queue.length === 0 && performance.now() < until) queue = [faults[random.below(faults.length)] as string];
    }
    return result;
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${group?.logs() ?? ""}`, { cause: error });
  } finally {
    await group?.stop();
    network?.remove();
  }
}

/** Waits until all servers agree and one takes a write; gives the time it took. */
async function whole(group: GroupProcesses): Promise<number> {
  const fromMs = performance.now();
  const leader = await group.settled();
  const { status, text } = await leader.send("PUT", "/v1/kv/nemesis", "whole");
  if (status !== 200) throw new Error(`a whole cluster refused a write: ${status} ${text}`);
  return performance.now() - fromMs;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      servers: { type: "string", default: "3" },
      runtime: { type: "string", default: "node" },
      faults: { type: "string", default: FAULTS.join(",") },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  });
  const why = whyNoNetwork();
  if (why !== null) console.log(`no faults of the network: ${why}`);
  const servers = Number(values.servers);
  const faults = values.faults
    .split(",")
    .filter((name) => FAULTS.includes(name) && (why === null || !needsNetwork(name)))
    .filter((name) => servers >= 5 || name !== "ring");
  const runtimes = Array.from(
    { length: servers },
    (_, n) => RUNTIMES.find((name) => name === values.runtime) ?? (RUNTIMES[n % RUNTIMES.length] as RuntimeName),
  );
  console.log(`seed ${values.seed}`);
  const result = await nemesis({
    runtimes,
    faults,
    minutes: Number(values.minutes),
    seed: Number(values.seed),
    progress: console.log,
  });
  for (const fault of result.faults) console.log(`FAULT ${fault}`);
  console.log(
    `${result.faults.length === 0 ? "PASSED" : "FAILED"} ${values.runtime}, ${servers} servers: ${result.answered} operations, ${result.unknown} changes without an answer, ` +
      `whole again after ${Math.round(result.healedMs)} ms at most; ${[...result.happened].map(([name, times]) => `${times} ${name}`).join(", ")}`,
  );
  return result.faults.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main());
