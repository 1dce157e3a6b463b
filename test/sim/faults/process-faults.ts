// Faults of processes and of machines' clocks.
import type { Random } from "../../../src/util/random.ts";
import type { SimAgent } from "../sim-agent.ts";
import { between, chance, pick } from "../streams.ts";
import type { World } from "../world.ts";
import { type EndFault, type FaultKind, shuffled, victim } from "./fault-kind.ts";

const HOUR_MS = 3_600_000;

/** Stops servers one after the other, each when the one before is back. */
function rolling(name: string, world: World, random: Random, stop: (agent: SimAgent) => void, betweenMs: number): void {
  const waiting = shuffled(world, random);
  const next = (): void => {
    const agent = waiting.pop();
    if (agent === undefined || world.isHealing) return;
    if (agent.up && !agent.retired) {
      world.fire(name);
      stop(agent);
      world.restartLater(agent, between(random, 100, 1500));
    }
    world.events.after(betweenMs, next);
  };
  next();
}

function crash(world: World, agent: SimAgent | null, downMs: number, name: string): EndFault {
  if (agent === null) return null;
  world.fire(name);
  world.crash(agent, downMs);
  return null;
}

function freeze(world: World, agent: SimAgent | null, name: string): EndFault {
  if (agent === null || agent.frozen) return null;
  world.fire(name);
  world.trace(`${agent.name} is frozen`);
  agent.freeze();
  return () => {
    world.trace(`${agent.name} goes on`);
    agent.thaw();
  };
}

export const processFaults: readonly FaultKind[] = [
  {
    name: "crash",
    what: "a server's process is killed, and started again",
    everyMs: 20_000,
    lastsMs: [50, 15_000],
    begin: (world, random, { forMs }) =>
      crash(world, world.running.length === 0 ? null : pick(random, world.running), forMs, "crash"),
  },
  {
    name: "crash-leader",
    what: "the leader's process is killed",
    everyMs: 25_000,
    lastsMs: [50, 10_000],
    begin: (world, _random, { forMs }) => crash(world, world.leader, forMs, "crash-leader"),
  },
  {
    name: "crash-in-write",
    what: "a server is killed between a write and its sync",
    everyMs: 15_000,
    lastsMs: [5000, 10_000],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null) return null;
      agent.disk.onWrite = () =>
        world.events.after(0.01, () => {
          if (!agent.disk.isBusy) return;
          world.fire("crash-in-write");
          world.crash(agent, between(random, 100, 3000));
        });
      return () => (agent.disk.onWrite = null);
    },
  },
  {
    name: "freeze",
    what: "a server's process stands still (SIGSTOP, a long pause of the collector)",
    everyMs: 20_000,
    lastsMs: [100, 8000],
    begin: (world, random) => freeze(world, world.running.length === 0 ? null : pick(random, world.running), "freeze"),
  },
  {
    name: "freeze-leader",
    what: "the leader stands still",
    everyMs: 25_000,
    lastsMs: [100, 5000],
    begin: (world) => freeze(world, world.leader, "freeze-leader"),
  },
  {
    name: "restart-storm",
    what: "all processes are killed at once",
    everyMs: 60_000,
    lastsMs: [100, 4000],
    begin(world, random, { forMs }) {
      world.fire("restart-storm");
      for (const agent of world.servers) world.crash(agent, forMs * random.float());
      return null;
    },
  },
  {
    name: "rolling-restart",
    what: "the servers are restarted one after the other",
    everyMs: 60_000,
    lastsMs: [1000, 6000],
    begin(world, random, { forMs }) {
      rolling("rolling-restart", world, random, (agent) => world.crash(agent, null), forMs);
      return null;
    },
  },
  {
    name: "leave",
    what: "a server leaves gracefully, stops, and comes back",
    everyMs: 40_000,
    lastsMs: [500, 5000],
    begin(world, random, { forMs }) {
      const agent = victim(world, random);
      const running = agent?.running ?? null;
      if (agent === null || running === null || !world.operator.maySpare) return null;
      const { life } = agent;
      world.trace(`${agent.name} leaves`);
      agent.departing = true;
      void running.leave().then(() =>
        agent.run(life, () => {
          world.fire("leave");
          agent.departing = false;
          void running.stop();
          world.crash(agent, forMs);
        }),
      );
      return null;
    },
  },
  {
    name: "upgrade",
    what: "the servers are restarted one after the other with other settings: a stand-in for a rolling upgrade",
    everyMs: 90_000,
    lastsMs: [1500, 6000],
    begin(world, random, { forMs }) {
      world.raftChanges = {
        electionTimeoutMs: world.scenario.settings.electionTimeoutMs * pick(random, [1, 1.5, 2]),
        snapshotThreshold: pick(random, [30, 100, 500]),
        trailingLogs: pick(random, [3, 30, 300]),
      };
      rolling("upgrade", world, random, (agent) => world.crash(agent, null), forMs);
      return null;
    },
  },
  {
    name: "clock-skew",
    what: "the monotonic clocks run at different rates, up to 2 in 100 fast or slow",
    everyMs: 40_000,
    lastsMs: [10_000, 60_000],
    begin(world, random) {
      const agents = world.servers;
      for (const { clock } of agents) {
        world.fire("clock-skew");
        clock.setRate(pick(random, [0.98, 1.02, between(random, 0.98, 1.02)]));
      }
      return () => {
        for (const { clock } of agents) clock.setRate(1);
      };
    },
  },
  {
    name: "clock-wall-forward",
    what: "a wall clock jumps forward",
    everyMs: 30_000,
    lastsMs: [1, 1],
    begin: (world, random) => jump(world, random, 1, "clock-wall-forward"),
  },
  {
    name: "clock-wall-back",
    what: "a wall clock jumps back",
    everyMs: 30_000,
    lastsMs: [1, 1],
    begin: (world, random) => jump(world, random, -1, "clock-wall-back"),
  },
  {
    name: "clock-wall-drift",
    what: "a wall clock runs fast or slow by up to a tenth",
    everyMs: 40_000,
    lastsMs: [10_000, 60_000],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null) return null;
      world.fire("clock-wall-drift");
      agent.clock.setWallDrift(between(random, -0.1, 0.1));
      return () => agent.clock.setWallDrift(0);
    },
  },
  {
    name: "timer-late",
    what: "a server's timers go off late",
    everyMs: 25_000,
    lastsMs: [1000, 15_000],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null) return null;
      const most = between(random, 5, 400);
      agent.clock.lateMs = () => {
        if (!chance(random, 0.3)) return 0;
        world.fire("timer-late");
        return random.float() * most;
      };
      return () => (agent.clock.lateMs = null);
    },
  },
];

function jump(world: World, random: Random, direction: number, name: string): EndFault {
  const agent = victim(world, random);
  if (agent === null) return null;
  world.fire(name);
  agent.clock.jumpWall(direction * pick(random, [1000, 60_000, HOUR_MS, 48 * HOUR_MS]) * random.float());
  return null;
}
