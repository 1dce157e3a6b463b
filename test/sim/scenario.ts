// A run as data: what decides it is here and in the code, nothing else. A seed makes one; a shrunk failure is one in a file.
import { Random } from "../../src/util/random.ts";
import { between, chance, exponential, pick, Streams } from "./streams.ts";

/** One fault that is to happen. */
export interface FaultInstance {
  kind: string;
  atMs: number;
  /** How long it lasts, if it lasts. */
  forMs: number;
  /** Of its own stream of random numbers: leaving out another fault does not change this one. */
  seed: number;
  /** Where it happens, when there are several datacenters: the number of one, from 0. */
  site?: number;
}

/** What the seed chooses of the cluster's circumstances. */
export interface Settings {
  /** How long a message takes, and a sync. */
  latencyMs: readonly [number, number];
  syncMs: readonly [number, number];
  /** Of the log. */
  snapshotThreshold: number;
  snapshotIntervalMs: number;
  trailingLogs: number;
  electionTimeoutMs: number;
  /** Gossip goes so many times slower than Consul does it; absent: not at all. */
  gossipStretch?: number;
  /** Servers find each other by `retry_join` and `bootstrap_expect`; else they are given their group. */
  joining: boolean;
  /** Between datacenters: how much longer a message takes one way, of the first and second, first and third, second and third. */
  linkMs?: readonly number[];
  /** Configuration entries and some keys are replicated. */
  isReplicating?: boolean;
}

/** A whole run. */
export interface Scenario {
  seed: number;
  /** Absent: one. */
  datacenters?: number;
  /** Of each datacenter. */
  servers: number;
  /** Client agents besides. */
  clients: number;
  /** How long faults happen. */
  chaosMs: number;
  opsPerSecond: number;
  /** Names of the workloads; absent: what the seed picks. */
  workloads?: readonly string[];
  settings: Settings;
  faults: FaultInstance[];
}

/** What may be asked of the making of a scenario. */
export interface ScenarioWishes {
  datacenters?: number;
  servers?: number;
  clients?: number;
  chaosMs?: number;
  opsPerSecond?: number;
  workloads?: readonly string[];
  /** Names of kinds that may be on; absent: all. */
  kinds?: readonly string[];
  /** Names of kinds that stay off. */
  without?: readonly string[];
}

/** How a kind of fault is scheduled. */
export interface Rhythm {
  readonly name: string;
  /** Mean time between two of them, when it is on and rates are normal. */
  readonly everyMs: number;
  readonly lastsMs: readonly [number, number];
  /** It is about the links between datacenters. */
  readonly isFar?: boolean;
}

const CHAOS_MS = 300_000;
/** What all clients together ask in a second: a busy cluster costs more time, a quiet one stands still at other places. */
const RATES = [10, 10, 10, 10, 20, 20, 50, 100];
/** The same for several datacenters together. */
const FAR_RATES = [20, 20, 40, 80];
const SERVERS = [3, 3, 3, 5];
/** Client agents besides. */
const CLIENTS = [0, 0, 1, 2];
/** An agent's own is the first: the others leave a processor more time for what happens between two heartbeats. */
const ELECTION_TIMEOUTS = [500, 1000, 2000, 3000];
const GOSSIP_STRETCHES = [1, 2, 4, 4];
/** Between datacenters a message takes up to so much longer, one way. */
const LINKS_MS = [5, 40, 150];
/** Before this a new group has its peace. */
const QUIET_MS = 3000;
/** How many of the kinds are on, from and to. */
const ON_SHARE: readonly [number, number] = [0.1, 0.6];
/** Faults come this much more or less often than usual. */
const PACES = [0.5, 1, 1, 2];

/** What the seed says. */
export function makeScenario(seed: number, rhythms: readonly Rhythm[], wishes: ScenarioWishes = {}): Scenario {
  const streams = new Streams(seed);
  const random = streams.of("scenario");
  const servers = pick(random, SERVERS);
  const chaosMs = wishes.chaosMs ?? CHAOS_MS;
  const settings = makeSettings(streams.of("settings"));
  const near = { share: between(random, ...ON_SHARE), pace: pick(random, PACES) };
  const { datacenters = 1 } = wishes;
  const federation = datacenters === 1 ? null : makeFederation(streams.of("federation"), datacenters);
  const faults = rhythms.flatMap((rhythm): FaultInstance[] => {
    const own = streams.of(`schedule ${rhythm.name}`);
    const { share, pace } = federation === null ? near : rhythm.isFar === true ? federation.far : federation.near;
    if (rhythm.isFar === true && federation === null) return [];
    const isOn = chance(own, share);
    if (wishes.kinds === undefined ? !isOn : !wishes.kinds.includes(rhythm.name)) return [];
    if (wishes.without?.includes(rhythm.name) === true) return [];
    const scheduled = schedule(rhythm, own, pace, chaosMs);
    if (federation !== null && rhythm.isFar !== true)
      for (const fault of scheduled) fault.site = own.below(datacenters);
    return scheduled;
  });
  faults.sort((a, b) => a.atMs - b.atMs);
  return {
    seed,
    ...(federation === null ? {} : { datacenters }),
    servers: wishes.servers ?? (federation === null ? servers : SERVERS[0]!),
    clients: wishes.clients ?? pick(streams.of("clients"), CLIENTS),
    chaosMs,
    opsPerSecond: wishes.opsPerSecond ?? pick(streams.of("rate"), federation === null ? RATES : FAR_RATES),
    ...(wishes.workloads === undefined ? {} : { workloads: wishes.workloads }),
    settings: federation === null ? settings : { ...settings, ...federation.settings },
    faults,
  };
}

/** How often a kind of fault is on, and how much more or less often than usual it then comes. */
interface Climate {
  share: number;
  pace: number;
}

/**
 * Links between datacenters have faults of their own. Inside there are fewer than in a run of one datacenter, so that there are times
 * when nothing is wrong but a link.
 */
function makeFederation(
  random: Random,
  datacenters: number,
): { near: Climate; far: Climate; settings: Partial<Settings> } {
  const near = { share: pick(random, [0, 0.05, 0.1, 0.2, 0.3]), pace: pick(random, [0.25, 0.5, 1]) };
  const far = { share: between(random, 0.2, 0.8), pace: pick(random, [0.5, 1, 2]) };
  const links = (datacenters * (datacenters - 1)) / 2;
  const linkMs = Array.from({ length: links }, () => Math.round(between(random, 0, pick(random, LINKS_MS))));
  return { near, far, settings: { linkMs, isReplicating: chance(random, 0.6) } };
}

function schedule({ name, everyMs, lastsMs }: Rhythm, random: Random, pace: number, chaosMs: number): FaultInstance[] {
  const faults: FaultInstance[] = [];
  const mean = everyMs / pace;
  for (let atMs = QUIET_MS + exponential(random, mean); atMs < chaosMs; atMs += exponential(random, mean)) {
    const forMs = Math.round(between(random, ...lastsMs));
    faults.push({ kind: name, atMs: Math.round(atMs), forMs, seed: random.next() });
  }
  return faults;
}

function makeSettings(random: Random): Settings {
  const joining = chance(random, 0.25);
  const latencyMs = pick<readonly [number, number]>(random, [
    [0.2, 1],
    [1, 3],
    [3, 15],
  ]);
  const syncMs = pick<readonly [number, number]>(random, [
    [0.1, 0.5],
    [1, 4],
    [4, 12],
  ]);
  const snapshotThreshold = pick(random, [50, 200, 1000]);
  const trailingLogs = pick(random, [5, 50, 200]);
  return {
    latencyMs,
    syncMs,
    snapshotThreshold,
    snapshotIntervalMs: pick(random, [2000, 10_000]),
    trailingLogs,
    electionTimeoutMs: pick(random, ELECTION_TIMEOUTS),
    gossipStretch: pick(random, GOSSIP_STRETCHES),
    joining,
  };
}
