// Changes of the group while it works: servers come and go, leadership is handed over, and followers are left so far
// behind that only a snapshot helps.
import { CLIENT_HOST } from "../network.ts";
import { ask } from "../operator.ts";
import { pick } from "../streams.ts";
import { type FaultKind, victim } from "./fault-kind.ts";

/** A group does not grow further. */
const SERVERS_MAX = 7;

export const groupFaults: readonly FaultKind[] = [
  {
    name: "member-add",
    what: "a server joins",
    everyMs: 40_000,
    lastsMs: [1, 1],
    begin(world) {
      if (world.servers.length >= Math.min(SERVERS_MAX, world.scenario.servers + 2)) return null;
      world.fire("member-add");
      const fresh = world.add("server");
      world.trace(`${fresh.name} joins`);
      world.start(fresh);
      return null;
    },
  },
  {
    name: "member-remove",
    what: "a server is removed from the group and stopped",
    everyMs: 40_000,
    lastsMs: [1, 1],
    begin(world, random) {
      const agent = victim(world, random);
      const { maySpare } = world.operator;
      const voters = world.group.servers.filter(({ voter }) => voter).length;
      if (agent === null || agent.retired || !maySpare || voters <= 3) return null;
      world.fire("member-remove");
      world.operator.retire(agent);
      return null;
    },
  },
  {
    name: "member-replace",
    what: "a server is stopped for good and another one takes its place",
    everyMs: 40_000,
    lastsMs: [1, 1],
    begin(world, random) {
      const agent = victim(world, random);
      if (agent === null || agent.retired || !world.operator.maySpare) return null;
      world.fire("member-replace");
      world.operator.replace(agent);
      return null;
    },
  },
  {
    name: "leadership-transfer",
    what: "an operator hands leadership to another server",
    everyMs: 20_000,
    lastsMs: [1, 1],
    begin(world, random) {
      const { running, leader } = world;
      if (running.length === 0) return null;
      const others = running.filter((agent) => agent !== leader);
      const to = others.length === 0 || random.below(3) === 0 ? "" : `?id=${pick(random, others).id}`;
      const target = `/v1/operator/raft/transfer-leader${to}`;
      void ask(world, pick(random, running), "POST", target).then((reply) => {
        world.trace(`transfer of leadership: ${reply?.status ?? "no answer"} ${reply?.body ?? ""}`);
        if (reply?.status === 200) world.fire("leadership-transfer");
      });
      return null;
    },
  },
  {
    name: "snapshot-lag",
    what: "a follower hears nothing until the log it needs is gone",
    everyMs: 30_000,
    lastsMs: [5000, 20_000],
    begin(world, random) {
      const followers = world.running.filter((agent) => agent !== world.leader);
      if (followers.length === 0) return null;
      const { host } = pick(random, followers);
      return world.network.add({
        kind: "snapshot-lag",
        loss: 1,
        applies: (from, to) => (from === host || to === host) && from !== CLIENT_HOST && to !== CLIENT_HOST,
      });
    },
  },
];
