// Scripts about who is in the group, and about sessions and locks across leaders.
import type { SimAgent } from "../sim-agent.ts";
import type { Directed, Script } from "./script.ts";

/** A machine that is in the group. */
async function joined(script: Script, isVoter: boolean): Promise<SimAgent | null> {
  const { world } = script;
  const fresh = world.add("server");
  world.start(fresh);
  const isIn = await script.until(
    () => world.group.servers.some(({ id, voter }) => id === fresh.id && voter === isVoter),
    30_000,
  );
  return isIn ? fresh : null;
}

const serverWithoutVote: Directed = {
  name: "a leader is cut off with a server that has no vote",
  async run(script) {
    const [a, ...others] = await script.settled();
    if ((await joined(script, false)) === null) return false;
    await script.pass(300);
    const heal = script.part(a, others);
    for (let i = 0; i < 5; i += 1) script.ask(a, "PUT", `/v1/kv/lost/${i}`, "x");
    await script.pass(1500);
    heal();
    await script.pass(2000);
    return true;
  },
};

const twoChanges: Directed = {
  name: "two servers are removed at once",
  settings: { servers: 5 },
  async run(script) {
    const [a, b, c] = await script.settled();
    script.ask(a, "DELETE", `/v1/operator/raft/peer?id=${b.id}`);
    script.ask(a, "DELETE", `/v1/operator/raft/peer?id=${c.id}`);
    await script.pass(2000);
    return true;
  },
};

const changeTakenBack: Directed = {
  name: "a leader that is cut off changes the group, and comes back",
  async run(script) {
    const [a, ...others] = await script.settled();
    const heal = script.part(a, others);
    script.ask(a, "DELETE", `/v1/operator/raft/peer?id=${others[0]!.id}`);
    await script.pass(100);
    const isChanged = (a.server?.raft.configuration.servers.length ?? 0) === 2;
    const b = await script.leaderOf(others);
    if (b === null) return false;
    for (let i = 0; i < 3; i += 1) await script.done(b, "PUT", `/v1/kv/kept/${i}`, "x");
    heal();
    await script.pass(3000);
    return isChanged;
  },
};

const groupInSnapshot: Directed = {
  name: "the group changes, snapshots are taken, and a server is restarted",
  settings: { snapshotThreshold: 10, snapshotIntervalMs: 400, trailingLogs: 2 },
  async run(script) {
    const [a, b] = await script.settled();
    if ((await joined(script, true)) === null) return false;
    for (let i = 0; i < 40; i += 1) await script.done(a, "PUT", `/v1/kv/k/${i}`, "x");
    await script.pass(1500);
    const isRestarted = await script.restart(b);
    await script.pass(1000);
    return isRestarted;
  },
};

const joinsAtElection: Directed = {
  name: "a server joins when the next leader has committed nothing",
  settings: { servers: 5 },
  async run(script) {
    const { world } = script;
    const [a, ...others] = await script.settled();
    const fresh = world.add("server");
    // Everybody knows of it, and the leader, which alone could take it up, stands still.
    a.freeze();
    world.start(fresh);
    // For a while nothing that the next leader writes becomes durable anywhere.
    const leads = ({ server }: SimAgent): boolean => server?.raft.role === "leader";
    const isLed = await script.until(() => others.some(leads), 20_000);
    for (const { disk } of others) disk.faults.stallUntilMs = world.now + 3000;
    await script.pass(4000);
    a.thaw();
    await script.pass(2000);
    return isLed;
  },
};

const joinsEmpty: Directed = {
  name: "a server joins that cannot take the log yet",
  async run(script) {
    const { world } = script;
    const nodes = await script.settled();
    const fresh = world.add("server");
    const held: (() => void)[] = [];
    script.rule({ held }, (_from, to, _isReply, path) => to === fresh.host && path.startsWith("/raft/1/message"));
    world.start(fresh);
    await script.pass(8000);
    return nodes.length > 0 && held.length > 0;
  },
};

const handsOverUnderWrites: Directed = {
  name: "leadership is handed over while much is written",
  async run(script) {
    for (let i = 0; i < 5; i += 1) {
      const [a, b] = await script.settled();
      const slow = script.rule({ delayMs: () => 40 }, (from, to) => from === a.host && to === b.host);
      for (let at = 0; at < 10; at += 1) script.ask(a, "PUT", `/v1/kv/k${i}/${at}`, "x");
      await script.pass(5);
      script.ask(a, "POST", `/v1/operator/raft/transfer-leader?id=${b.id}`);
      await script.pass(1500);
      slow();
    }
    return true;
  },
};

const NODE = "lock-host";
const RENEW_MS = 3000;

async function session(script: Script, at: SimAgent, of: Record<string, unknown>): Promise<string | null> {
  if (!(await script.done(at, "PUT", "/v1/catalog/register", JSON.stringify({ Node: NODE, Address: "10.9.9.9" }))))
    return null;
  const asked = script.ask(at, "PUT", "/v1/session/create", JSON.stringify({ Node: NODE, Checks: [], ...of }));
  await script.until(() => asked.reply !== undefined, 5000);
  return asked.reply?.status === 200 ? (JSON.parse(asked.reply.body) as { ID: string }).ID : null;
}

async function isAlive(script: Script, at: SimAgent, id: string): Promise<boolean> {
  const asked = script.ask(at, "GET", `/v1/session/info/${id}?consistent`);
  await script.until(() => asked.reply !== undefined, 5000);
  return asked.reply?.status === 200 && asked.reply.body.includes(id);
}

/** Renews a session for a while. False: it ended. */
async function renewed(script: Script, at: SimAgent, id: string, forMs: number): Promise<boolean> {
  for (let passed = 0; passed < forMs; passed += RENEW_MS) {
    await script.pass(RENEW_MS);
    if (!(await script.done(at, "PUT", `/v1/session/renew/${id}`))) return isAlive(script, at, id);
  }
  return isAlive(script, at, id);
}

const sessionLives: Directed = {
  name: "a session is renewed for long, under one leader and the next, and then no more",
  async run(script) {
    const { world } = script;
    const [a, b] = await script.settled();
    const id = await session(script, b, { TTL: "10s", LockDelay: "0s" });
    if (id === null) return false;
    if (!(await renewed(script, b, id, 36_000)))
      world.found("session lives", "a session with a TTL of 10 s ended that was renewed every 3 s");
    a.crash();
    if (!(await renewed(script, b, id, 36_000)))
      world.found("session lives", "a session that was renewed all the time ended under the next leader");
    // The leader that comes now has seen no renewal at all.
    world.start(a);
    // Autopilot had taken it out meanwhile: without its vote the two that are left would be no majority.
    if (!(await script.until(() => world.group.servers.filter(({ voter }) => voter).length === 3, 30_000)))
      return false;
    const leader = world.leader ?? a;
    leader.crash();
    await script.pass(60_000);
    const asked = world.nodes.find(({ up }) => up) ?? b;
    if (await isAlive(script, asked, id))
      world.found("session lives", "a session with a TTL of 10 s is there a minute after its last renewal");
    return true;
  },
};

const sessionOutlivesLeader: Directed = {
  name: "a leader dies just before a session is twice its TTL old, which was renewed all the time",
  async run(script) {
    const [a, b] = await script.settled();
    const id = await session(script, b, { TTL: "10s", LockDelay: "0s" });
    if (id === null || !(await renewed(script, b, id, 18_000))) return false;
    a.crash();
    // Whoever counted from the session's beginning would end it now.
    await script.pass(6000);
    if (!(await isAlive(script, b, id)))
      script.world.found("session lives", "a session with a TTL of 10 s ended less than 9 s after it was renewed");
    return true;
  },
};

const lockDelayed: Directed = {
  name: "a lock is asked for while its delay lasts",
  async run(script) {
    const [, b] = await script.settled();
    const one = await session(script, b, { LockDelay: "10s" });
    const other = await session(script, b, { LockDelay: "10s" });
    if (one === null || other === null) return false;
    if (!(await script.done(b, "PUT", `/v1/kv/lock?acquire=${one}`, "one"))) return false;
    if (!(await script.done(b, "PUT", `/v1/session/destroy/${one}`))) return false;
    await script.pass(2000);
    const asked = script.ask(b, "PUT", `/v1/kv/lock?acquire=${other}`, "other");
    await script.until(() => asked.reply !== undefined, 5000);
    if (asked.reply?.body.trim() === "true")
      script.world.found("lock delay", "a lock was taken 2 s after its holder's session ended, its delay is 10 s");
    return asked.reply?.status === 200;
  },
};

export const scripts: readonly Directed[] = [
  serverWithoutVote,
  twoChanges,
  changeTakenBack,
  groupInSnapshot,
  joinsAtElection,
  joinsEmpty,
  handsOverUnderWrites,
  sessionLives,
  sessionOutlivesLeader,
  lockDelayed,
];
