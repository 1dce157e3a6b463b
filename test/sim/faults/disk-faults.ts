// Faults of disks. Those that lose what was durable happen only while a majority stays whole: that is all the protocol
// promises to survive. A server that finds its log damaged must stop and say so; the operator then replaces it.
import type { Random } from "../../../src/util/random.ts";
import type { SimAgent } from "../sim-agent.ts";
import { between } from "../streams.ts";
import type { World } from "../world.ts";
import { type EndFault, type FaultKind, victim } from "./fault-kind.ts";

/** A running voter whose disk may be lost. */
function spare(world: World, random: Random): SimAgent | null {
  const agent = victim(world, random);
  if (agent === null || agent.retired || !world.operator.maySpare) return null;
  return world.group.servers.some(({ id, voter }) => voter && id === agent.id) ? agent : null;
}

/** Damages a snapshot of a running server, and restarts it. */
function spoilSnapshot(
  world: World,
  random: Random,
  name: string,
  spoil: (agent: SimAgent, blob: string) => Promise<void>,
): EndFault {
  const agent = spare(world, random);
  if (agent === null) return null;
  void agent.disk.snapshots().then(async (names) => {
    const newest = names.at(-1);
    if (newest === undefined) return;
    world.crash(agent, null);
    agent.disk.isSuspect = true;
    await spoil(agent, newest);
    world.fire(name);
    world.trace(`${agent.name}: ${name} ${newest}`);
    world.restartLater(agent, 500);
  });
  return null;
}

export const diskFaults: readonly FaultKind[] = [
  {
    name: "disk-lost-writes",
    what: "a crash loses what was not synced, whole batches or parts of one",
    countsAs: ["disk-lost-writes", "disk-torn-batch"],
    everyMs: 30_000,
    lastsMs: [10_000, 60_000],
    begin(world) {
      const agents = world.servers;
      for (const { disk } of agents) disk.faults.loses = true;
      return () => {
        for (const { disk } of agents) disk.faults.loses = false;
      };
    },
  },
  {
    name: "disk-slow",
    what: "a disk takes up to 200 ms for a sync",
    everyMs: 25_000,
    lastsMs: [2000, 20_000],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null) return null;
      world.fire("disk-slow");
      agent.disk.faults.slowMs = between(random, 10, 200);
      return () => (agent.disk.faults.slowMs = 0);
    },
  },
  {
    name: "disk-stall",
    what: "one sync takes seconds",
    everyMs: 30_000,
    lastsMs: [1000, 10_000],
    begin(world, random, { forMs }) {
      const agent = victim(world, random);
      if (agent === null) return null;
      world.fire("disk-stall");
      agent.disk.faults.stallUntilMs = world.now + forMs;
      return () => (agent.disk.faults.stallUntilMs = 0);
    },
  },
  {
    name: "disk-full",
    what: "a disk is full: writes are refused whole",
    everyMs: 25_000,
    lastsMs: [200, 8000],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null) return null;
      agent.disk.faults.full = true;
      return () => (agent.disk.faults.full = false);
    },
  },
  {
    name: "disk-sync-error",
    what: "a sync fails: nobody knows what was written",
    everyMs: 25_000,
    lastsMs: [1000, 5000],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null) return null;
      agent.disk.faults.failsNextSync = true;
      return () => (agent.disk.faults.failsNextSync = false);
    },
  },
  {
    name: "disk-snapshot-refused",
    what: "snapshots cannot be written",
    everyMs: 20_000,
    lastsMs: [3000, 20_000],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null) return null;
      agent.disk.faults.refusesBlobs = true;
      return () => (agent.disk.faults.refusesBlobs = false);
    },
  },
  {
    name: "disk-bit-flip",
    what: "an entry of a server's log is found damaged at its next start",
    countsAs: ["disk-bit-flip", "disk-damage-found"],
    everyMs: 50_000,
    lastsMs: [100, 3000],
    begin(world, random, { forMs }) {
      const agent = spare(world, random);
      if (agent === null) return null;
      world.fire("disk-bit-flip");
      agent.disk.damage = "the checksum of a record differs";
      world.crash(agent, forMs);
      return null;
    },
  },
  {
    name: "disk-misdirected-blob",
    what: "a server's newest snapshot holds something else, found at its next start",
    everyMs: 30_000,
    lastsMs: [1, 1],
    begin: (world, random) =>
      spoilSnapshot(world, random, "disk-misdirected-blob", (agent, blob) => agent.disk.misdirect(blob, random)),
  },
  {
    name: "disk-lost-blob",
    what: "a server's newest snapshot is gone, found at its next start",
    everyMs: 30_000,
    lastsMs: [1, 1],
    begin: (world, random) => spoilSnapshot(world, random, "disk-lost-blob", (agent, blob) => agent.disk.lose(blob)),
  },
  {
    name: "disk-wiped",
    what: "a server comes back with an empty disk and its old id, until the operator sees it",
    everyMs: 50_000,
    lastsMs: [1000, 10_000],
    begin(world, random, { forMs }) {
      const agent = spare(world, random);
      if (agent === null) return null;
      world.fire("disk-wiped");
      agent.crash();
      agent.disk.wipe();
      world.trace(`${agent.name} has lost its disk`);
      world.restartLater(agent, between(random, 50, 1000));
      const see = (): void => world.operator.replace(agent);
      world.events.after(forMs, see);
      return see;
    },
  },
  {
    name: "disk-replaced",
    what: "a machine is lost and another one takes its place under a new id",
    everyMs: 50_000,
    lastsMs: [1, 1],
    begin(world, random) {
      const agent = spare(world, random);
      if (agent === null) return null;
      world.fire("disk-replaced");
      agent.crash();
      agent.disk.wipe();
      world.operator.replace(agent);
      return null;
    },
  },
];
