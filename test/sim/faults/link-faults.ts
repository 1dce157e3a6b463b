// Faults of the links between datacenters: they drop, flap, lag, lose calls, lose answers, and deliver calls twice; and whole
// datacenters that are cut off, or down.
import type { Random } from "../../../src/util/random.ts";
import { type NetworkRule, siteOf } from "../network.ts";
import { between, chance, pick } from "../streams.ts";
import { linkOf } from "../weather.ts";
import type { World } from "../world.ts";
import type { EndFault, FaultKind } from "./fault-kind.ts";

/** Two datacenters, by their numbers. */
type Pair = readonly [number, number];

/** A link, from one side to the other. */
function someLink({ datacenters }: World, random: Random): Pair {
  const one = random.below(datacenters.length);
  const other = (one + 1 + random.below(datacenters.length - 1)) % datacenters.length;
  return [one, other];
}

/** All links of one datacenter. */
function linksOf({ datacenters }: World, one: number): Pair[] {
  return datacenters.flatMap((_, other): Pair[] => (other === one ? [] : [[one, other]]));
}

/** Puts a rule in force on links, both ways unless it chooses itself. */
function onLinks(world: World, pairs: readonly Pair[], rule: Omit<NetworkRule, "applies">, applies = always): EndFault {
  const { network, weather, datacenters } = world;
  const places = pairs.map(([a, b]) => linkOf(datacenters[a]!.datacenter, datacenters[b]!.datacenter));
  world.trace(`${rule.kind} on ${places.join(", ")}`);
  for (const place of places) weather.begin(place);
  const end = network.add({
    ...rule,
    applies(from, to, isReply, path) {
      const [a, b] = [siteOf(from), siteOf(to)];
      if (a === b || !pairs.some(([one, other]) => (a === one && b === other) || (a === other && b === one)))
        return false;
      return applies(from, to, isReply, path);
    },
  });
  return () => {
    end();
    for (const place of places) weather.end(place);
  };
}

const always: NetworkRule["applies"] = () => true;

/** A kind of fault that befalls one link. */
function link(
  name: string,
  what: string,
  everyMs: number,
  lastsMs: readonly [number, number],
  rule: (random: Random, world: World) => Partial<Omit<NetworkRule, "kind" | "applies">>,
  applies?: (pair: Pair, random: Random, world: World) => NetworkRule["applies"],
): FaultKind {
  return {
    name,
    what,
    everyMs,
    lastsMs,
    isFar: true,
    begin(world, random) {
      const pair = someLink(world, random);
      return onLinks(world, [pair], { kind: name, ...rule(random, world) }, applies?.(pair, random, world));
    },
  };
}

export const linkFaults: readonly FaultKind[] = [
  link("link-cut", "the link between two datacenters is lost", 30_000, [2000, 60_000], () => ({ loss: 1 })),
  link(
    "link-one-way",
    "of two datacenters one hears the other no more, but is heard",
    40_000,
    [1000, 30_000],
    () => ({ loss: 1 }),
    ([one]) =>
      (from) =>
        siteOf(from) === one,
  ),
  link(
    "link-flap",
    "the link between two datacenters comes and goes",
    40_000,
    [5000, 40_000],
    () => ({ loss: 1 }),
    (_pair, random, world) => {
      const periodMs = pick(random, [200, 1000, 5000]) * between(random, 0.5, 1.5);
      const startedMs = world.now;
      return () => Math.floor((world.now - startedMs) / periodMs) % 2 === 0;
    },
  ),
  link("link-lag", "a link between datacenters is slow, all the same", 40_000, [5000, 60_000], (random) => {
    const ms = between(random, 50, 1500);
    return { delayMs: () => ms };
  }),
  link("link-jitter", "some messages between two datacenters take seconds", 40_000, [2000, 20_000], () => ({
    delayMs: (each) => (chance(each, 0.1) ? between(each, 200, 8000) : 0),
  })),
  link("link-loss", "messages between two datacenters get lost", 40_000, [2000, 30_000], (random) => ({
    loss: between(random, 0.02, 0.5),
  })),
  link(
    "link-reply-loss",
    "calls reach the other datacenter, answers get lost",
    30_000,
    [1000, 15_000],
    (random) => ({ loss: between(random, 0.2, 1) }),
    () => (_from, _to, isReply) => isReply,
  ),
  link(
    "link-double",
    "calls to another datacenter come twice, the second time later",
    40_000,
    [5000, 40_000],
    (random) => ({
      double: { share: between(random, 0.2, 1), laterMs: pick(random, [20, 500, 5000]) },
    }),
  ),
  link("link-clog", "what goes over a link is kept for a while and then comes at once", 40_000, [500, 12_000], () => ({
    held: [],
  })),
  link(
    "link-part",
    "one server of a datacenter is cut off from all of another one",
    40_000,
    [2000, 40_000],
    () => ({ loss: 1 }),
    ([one], random, world) => {
      const servers = world.datacenters[one]!.servers;
      const host = servers.length === 0 ? "" : pick(random, servers).host;
      return (from, to) => from === host || to === host;
    },
  ),
  {
    name: "datacenter-apart",
    what: "a datacenter is cut off from all others",
    everyMs: 60_000,
    lastsMs: [5000, 90_000],
    isFar: true,
    begin(world, random) {
      const links = linksOf(world, random.below(world.datacenters.length));
      return onLinks(world, links, { kind: "datacenter-apart", loss: 1 });
    },
  },
  {
    name: "datacenter-down",
    what: "all servers of a datacenter are killed, and started again after a while",
    everyMs: 90_000,
    lastsMs: [2000, 40_000],
    isFar: true,
    begin(world, random, { forMs }) {
      const down = pick(random, world.datacenters);
      world.fire("datacenter-down");
      world.trace(`${down.datacenter} is down`);
      for (const agent of down.servers) down.crash(agent, forMs * between(random, 0.8, 1));
      return null;
    },
  },
];
