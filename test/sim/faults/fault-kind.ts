// What a kind of fault is: how often it happens, and what it does to the world.
import type { Random } from "../../../src/util/random.ts";
import type { FaultInstance, Rhythm } from "../scenario.ts";
import type { SimAgent } from "../sim-agent.ts";
import { pick } from "../streams.ts";
import type { World } from "../world.ts";

/** Ends a fault; null when it is over as soon as it has begun. */
export type EndFault = (() => void) | null;

export interface FaultKind extends Rhythm {
  /** One line for people. */
  readonly what: string;
  /** What it counts under when that is not its own name: effects that show only later, and several of them. */
  readonly countsAs?: readonly string[];
  /** Begins it. It tells `world.fire` when it really does something. */
  begin(world: World, random: Random, fault: FaultInstance): EndFault;
}

/** A running server, the leader in half of the cases; null when none runs. */
export function victim(world: World, random: Random): SimAgent | null {
  const { leader, running } = world;
  const isLeader = random.below(2) === 0;
  if (leader !== null && isLeader) return leader;
  return running.length === 0 ? null : pick(random, running);
}

/** Servers in random order. */
export function shuffled(world: World, random: Random): SimAgent[] {
  const agents = [...world.servers];
  for (let at = agents.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [agents[at], agents[other]] = [agents[other] as SimAgent, agents[at] as SimAgent];
  }
  return agents;
}
