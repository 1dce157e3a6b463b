// The table of the Lifeguard paper (Dadgar, Phillips, Currey 2018, Table IV) on this machine: 128 members, of which some are
// blocked again and again for so long that others must take them for dead; how many healthy members are declared dead then?
//
//   node test/gossip/lifeguard.ts [seeds=1] [members=128] [seconds=120]
import type { GossipTimings } from "../../src/gossip/types.ts";
import { shuffled } from "../../src/util/shuffle.ts";
import { startPool } from "./network.ts";

/** Lifeguard's parts, each off. */
const SWIM: Partial<GossipTimings> = { awarenessMaxMultiplier: 1, suspicionMaxTimeoutMult: 1, buddySystem: false };

export const CONFIGURATIONS: Readonly<Record<string, Partial<GossipTimings>>> = {
  SWIM,
  "LHA-Probe": { ...SWIM, awarenessMaxMultiplier: 8 },
  "LHA-Suspicion": { ...SWIM, suspicionMaxTimeoutMult: 6 },
  "Buddy System": { ...SWIM, buddySystem: true },
  Lifeguard: {},
};

export interface Scene {
  seed: number;
  members: number;
  /** Members that are blocked, all at once … */
  blocked: number;
  /** … for so long, … */
  blockedMs: number;
  /** … and then run for so long. */
  runningMs: number;
  durationMs: number;
}

export interface Outcome {
  /** Failures told of members that were never blocked: at all, and at members that were not blocked either. */
  falsePositives: number;
  atHealthy: number;
  messages: number;
  bytes: number;
}

/** Plays a scene to its end. */
export function play(scene: Scene, timings: Partial<GossipTimings>): Outcome {
  const { seed, members, blocked, blockedMs, runningMs, durationMs } = scene;
  const network = startPool(members, { seed, timings, coordinates: false });
  network.run(15_000);
  const sick = new Set(shuffled(network.hosts, network.random).slice(0, blocked));
  const names = new Set(Array.from(sick, ({ name }) => name));
  const outcome: Outcome = { falsePositives: 0, atHealthy: 0, messages: 0, bytes: 0 };
  network.onEffect = (host, effect) => {
    if (effect.type !== "member" || effect.event !== "failed" || names.has(effect.member.name)) return;
    outcome.falsePositives += 1;
    if (!sick.has(host)) outcome.atHealthy += 1;
  };
  const { messages, bytes, now } = network;
  for (let at = now; at < now + durationMs; at += blockedMs + runningMs) {
    network.at(at, () => sick.forEach((host) => network.block(host)));
    network.at(at + blockedMs, () => sick.forEach((host) => network.resume(host)));
  }
  network.run(durationMs);
  outcome.messages = network.messages - messages;
  outcome.bytes = network.bytes - bytes;
  return outcome;
}

/** The grid of the table: how many are blocked, and for how long. */
export function grid(seeds: number, members: number, durationMs: number): Scene[] {
  const scenes: Scene[] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    for (const share of [1 / 32, 1 / 8, 1 / 4]) {
      for (const [blockedMs, runningMs] of [
        [8192, 1024],
        [16_384, 1024],
        [32_768, 4096],
      ] as const) {
        scenes.push({ seed, members, blocked: Math.round(members * share), blockedMs, runningMs, durationMs });
      }
    }
  }
  return scenes;
}

/** All scenes together. */
export function playAll(scenes: readonly Scene[], timings: Partial<GossipTimings>): Outcome {
  const total: Outcome = { falsePositives: 0, atHealthy: 0, messages: 0, bytes: 0 };
  for (const scene of scenes) {
    const outcome = play(scene, timings);
    for (const key of Object.keys(total) as (keyof Outcome)[]) total[key] += outcome[key];
  }
  return total;
}

function main(args: readonly string[]): void {
  const named = new Map(args.map((arg) => arg.split("=") as [string, string]));
  const number = (name: string, otherwise: number): number => Number(named.get(name) ?? otherwise);
  const scenes = grid(number("seeds", 1), number("members", 128), 1000 * number("seconds", 120));
  const columns = [
    "false positives",
    "at healthy",
    "% of SWIM",
    "at healthy %",
    "messages",
    "bytes",
    "messages %",
    "bytes %",
  ];
  console.log(`${"".padEnd(14)}${columns.map((title) => title.padStart(16)).join("")}`);
  let swim: Outcome | null = null;
  for (const [name, timings] of Object.entries(CONFIGURATIONS)) {
    const outcome = playAll(scenes, timings);
    swim ??= outcome;
    const base = swim;
    const share = (key: keyof Outcome): string => ((100 * outcome[key]) / base[key]).toFixed(2);
    const { falsePositives, atHealthy, messages, bytes } = outcome;
    const cells = [
      falsePositives,
      atHealthy,
      share("falsePositives"),
      share("atHealthy"),
      messages,
      bytes,
      share("messages"),
      share("bytes"),
    ];
    console.log(`${name.padEnd(14)}${cells.map((cell) => String(cell).padStart(16)).join("")}`);
  }
}

if (import.meta.main === true) main(process.argv.slice(2));
