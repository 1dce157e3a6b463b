// Faults of the network between agents, and of the way to clients. Partitions are Jepsen's: halves, one alone, a bridge, a
// ring of majorities, one way only.
import type { Random } from "../../../src/util/random.ts";
import { CLIENT_HOST, type NetworkRule } from "../network.ts";
import type { SimAgent } from "../sim-agent.ts";
import { between, chance, pick } from "../streams.ts";
import type { World } from "../world.ts";
import { type EndFault, type FaultKind, shuffled, victim } from "./fault-kind.ts";

/** A message between agents, not one of a client. */
const isInside = (from: string, to: string): boolean => from !== CLIENT_HOST && to !== CLIENT_HOST;

/** The same for all messages between agents. */
const everywhere =
  (name: string, of: (random: Random) => Partial<NetworkRule>) =>
  (world: World, random: Random): EndFault =>
    world.network.add({ kind: name, applies: isInside, ...of(random) });

/** No message passes between these; both ways are asked for. */
const cut =
  (name: string, isCut: (from: string, to: string) => boolean) =>
  (world: World): EndFault =>
    world.network.add({ kind: name, loss: 1, applies: (from, to) => isInside(from, to) && isCut(from, to) });

/** Cuts all links but those that hold. */
function partition(world: World, name: string, holds: (from: string, to: string) => boolean): EndFault {
  return cut(name, (from, to) => !holds(from, to))(world);
}

const hosts = (agents: readonly SimAgent[]): string[] => agents.map(({ host }) => host);

/** One direction of one link, both servers at random. */
function oneLink(world: World, random: Random): [string, string] | null {
  const [from, to] = hosts(shuffled(world, random));
  return from === undefined || to === undefined ? null : [from, to];
}

export const networkFaults: readonly FaultKind[] = [
  {
    name: "net-loss",
    what: "messages get lost",
    everyMs: 25_000,
    lastsMs: [1000, 15_000],
    begin: everywhere("net-loss", (random) => ({ loss: between(random, 0.01, 0.3) })),
  },
  {
    name: "net-delay",
    what: "messages take longer, each another time",
    everyMs: 25_000,
    lastsMs: [1000, 15_000],
    begin: everywhere("net-delay", (random) => {
      const most = between(random, 5, 120);
      return { delayMs: (each) => each.float() * most };
    }),
  },
  {
    name: "net-long-delay",
    what: "some messages take seconds",
    everyMs: 25_000,
    lastsMs: [1000, 10_000],
    begin: everywhere("net-long-delay", () => ({
      delayMs: (each) => (chance(each, 0.05) ? between(each, 500, 5000) : 0),
    })),
  },
  {
    name: "net-duplicate",
    what: "messages of Raft and gossip come twice",
    everyMs: 25_000,
    lastsMs: [2000, 20_000],
    begin: everywhere("net-duplicate", (random) => ({ duplicate: between(random, 0.05, 0.5) })),
  },
  {
    name: "net-reorder",
    what: "messages overtake each other",
    everyMs: 25_000,
    lastsMs: [2000, 20_000],
    begin: everywhere("net-reorder", (random) => {
      const share = between(random, 0.05, 0.4);
      return { delayMs: (each) => (chance(each, share) ? between(each, 5, 80) : 0) };
    }),
  },
  {
    name: "net-garble",
    what: "calls arrive as garbage",
    everyMs: 30_000,
    lastsMs: [1000, 10_000],
    begin: everywhere("net-garble", (random) => ({ garble: between(random, 0.005, 0.1) })),
  },
  {
    name: "net-corrupt-snapshot",
    what: "bits flip in snapshots on their way",
    everyMs: 15_000,
    lastsMs: [5000, 20_000],
    begin: everywhere("net-corrupt-snapshot", () => ({ flip: 0.5 })),
  },
  {
    name: "net-reply-loss",
    what: "calls arrive, answers get lost",
    everyMs: 30_000,
    lastsMs: [500, 6000],
    begin: (world, random) => {
      const share = between(random, 0.1, 1);
      return world.network.add({
        kind: "net-reply-loss",
        loss: share,
        applies: (from, to, isReply) => isReply && isInside(from, to),
      });
    },
  },
  {
    name: "net-one-way",
    what: "one server hears another no more, but is heard",
    everyMs: 20_000,
    lastsMs: [500, 10_000],
    begin(world, random) {
      const link = oneLink(world, random);
      return link === null ? null : cut("net-one-way", (from, to) => from === link[0] && to === link[1])(world);
    },
  },
  {
    name: "net-deaf",
    what: "one server hears nobody, but is heard by all; or the other way round",
    everyMs: 25_000,
    lastsMs: [500, 8000],
    begin(world, random) {
      const who = victim(world, random)?.host;
      const isDeaf = chance(random, 0.5);
      return cut("net-deaf", (from, to) => (isDeaf ? to === who : from === who))(world);
    },
  },
  {
    name: "net-isolate",
    what: "one server is cut off",
    everyMs: 20_000,
    lastsMs: [500, 12_000],
    begin(world, random) {
      const who = victim(world, random)?.host;
      return partition(world, "net-isolate", (from, to) => from !== who && to !== who);
    },
  },
  {
    name: "net-halves",
    what: "the servers fall into two halves",
    everyMs: 25_000,
    lastsMs: [500, 10_000],
    begin(world, random) {
      const all = hosts(shuffled(world, random));
      const half = new Set(all.slice(0, Math.ceil(all.length / 2)));
      return partition(world, "net-halves", (from, to) => half.has(from) === half.has(to));
    },
  },
  {
    name: "net-bridge",
    what: "two halves that share one server",
    everyMs: 30_000,
    lastsMs: [500, 10_000],
    begin(world, random) {
      const [bridge, ...others] = hosts(shuffled(world, random));
      const half = new Set(others.slice(0, Math.ceil(others.length / 2)));
      return partition(
        world,
        "net-bridge",
        (from, to) => from === bridge || to === bridge || half.has(from) === half.has(to),
      );
    },
  },
  {
    name: "net-ring",
    what: "every server sees a majority, and no two see the same",
    everyMs: 30_000,
    lastsMs: [500, 10_000],
    begin(world, random) {
      const ring = hosts(shuffled(world, random));
      const reach = Math.floor(ring.length / 4) + 1;
      const holds = (from: string, to: string): boolean => {
        const [a, b] = [ring.indexOf(from), ring.indexOf(to)];
        if (a < 0 || b < 0) return true;
        const apart = Math.abs(a - b);
        return Math.min(apart, ring.length - apart) <= reach && (ring.length > 3 || apart === 1);
      };
      return partition(world, "net-ring", holds);
    },
  },
  {
    name: "net-flap",
    what: "a link, or all links of a server, comes and goes",
    everyMs: 25_000,
    lastsMs: [2000, 15_000],
    begin(world, random) {
      const who = victim(world, random)?.host;
      const periodMs = between(random, 50, 1500);
      const startedMs = world.now;
      return cut("net-flap", (from, to) => {
        const isDown = Math.floor((world.now - startedMs) / periodMs) % 2 === 0;
        return isDown && (from === who || to === who);
      })(world);
    },
  },
  {
    name: "net-slow-link",
    what: "one link is slow, both ways",
    everyMs: 25_000,
    lastsMs: [2000, 20_000],
    begin(world, random) {
      const link = oneLink(world, random);
      const ms = between(random, 20, 600);
      return world.network.add({
        kind: "net-slow-link",
        delayMs: () => ms,
        applies: (from, to) => link !== null && link.includes(from) && link.includes(to),
      });
    },
  },
  {
    name: "net-clog",
    what: "what is sent to one server is kept for a while and then comes at once",
    everyMs: 25_000,
    lastsMs: [200, 5000],
    begin(world, random) {
      const who = victim(world, random)?.host;
      return world.network.add({ kind: "net-clog", held: [], applies: (from, to) => to === who && isInside(from, to) });
    },
  },
  {
    name: "net-client-loss",
    what: "clients' requests, or the answers to them, get lost",
    everyMs: 30_000,
    lastsMs: [1000, 8000],
    begin(world, random) {
      const share = between(random, 0.02, 0.4);
      const ofReplies = pick(random, [true, false, null]);
      return world.network.add({
        kind: "net-client-loss",
        loss: share,
        applies: (from, to, isReply) => !isInside(from, to) && (ofReplies === null || ofReplies === isReply),
      });
    },
  },
];
