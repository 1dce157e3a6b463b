// Scripts about logs that part: what a leader wrote while it was cut off, snapshots, writes whose fate is not known.
import type { SimAgent } from "../sim-agent.ts";
import type { Asked, Directed, Script, ScriptSettings } from "./script.ts";

const HEAL_MS = 4000;

/** Writes that a leader takes and cannot commit. Null: there is no leader. */
async function parted(
  script: Script,
  writes: number,
): Promise<{ a: SimAgent; others: SimAgent[]; asked: Asked[]; heal: () => void } | null> {
  const [a, ...others] = await script.settled();
  if (!(await script.done(a, "PUT", "/v1/kv/before", "x"))) return null;
  const heal = script.part(a, others);
  const asked = Array.from({ length: writes }, (_, i) => script.ask(a, "PUT", `/v1/kv/lost/${i}`, "x"));
  await script.pass(100);
  return { a, others, asked, heal };
}

/** What was said to be done is there. */
async function acknowledged(script: Script, at: SimAgent, asked: readonly Asked[]): Promise<void> {
  for (const [i, { reply }] of asked.entries()) {
    if (reply?.status !== 200 || reply.body.trim() !== "true") continue;
    const read = script.ask(at, "GET", `/v1/kv/lost/${i}?consistent`);
    await script.until(() => read.reply !== undefined, 2000);
    if (read.reply?.status === 404)
      script.world.found("acknowledged writes survive", `the write of lost/${i} was acknowledged, and is not there`);
  }
}

const suffixReplaced: Directed = {
  name: "a leader comes back with entries that nobody else has",
  async run(script) {
    const start = await parted(script, 8);
    if (start === null) return false;
    const b = await script.leaderOf(start.others);
    if (b === null) return false;
    for (let i = 0; i < 3; i += 1) await script.done(b, "PUT", `/v1/kv/kept/${i}`, "x");
    start.heal();
    await script.pass(HEAL_MS);
    await acknowledged(script, b, start.asked);
    return true;
  },
};

const suffixIsLonger: Directed = {
  name: "a server whose log is longer but older asks for a vote",
  async run(script) {
    const start = await parted(script, 20);
    if (start === null) return false;
    const b = await script.leaderOf(start.others);
    const c = start.others.find((other) => other !== b);
    if (b === null || c === undefined) return false;
    for (let i = 0; i < 3; i += 1) await script.done(b, "PUT", `/v1/kv/kept/${i}`, "x");
    // The next leader is gone, and of the two that are left the one that must not lead is the one that can ask.
    const away = script.part(b, [start.a, c]);
    const mute = script.cut(c, start.a, true);
    start.heal();
    await script.pass(HEAL_MS);
    mute();
    away();
    await script.pass(HEAL_MS);
    await acknowledged(script, b, start.asked);
    return true;
  },
};

const suffixReplacedSoon: Directed = {
  name: "a leader comes back at once with entries that nobody else has",
  async run(script) {
    const start = await parted(script, 8);
    if (start === null) return false;
    const b = await script.leaderOf(start.others);
    if (b === null) return false;
    start.heal();
    for (let i = 0; i < 12; i += 1) script.ask(b, "PUT", `/v1/kv/kept/${i}`, "x");
    await script.pass(HEAL_MS);
    await acknowledged(script, b, start.asked);
    return true;
  },
};

const suffixOfTwoTerms: Directed = {
  name: "a leader comes back with entries that nobody else has, when the next one has handed over",
  async run(script) {
    const start = await parted(script, 20);
    if (start === null) return false;
    const b = await script.leaderOf(start.others);
    const c = start.others.find((other) => other !== b);
    if (b === null || c === undefined) return false;
    await script.pass(200);
    script.ask(b, "POST", `/v1/operator/raft/transfer-leader?id=${c.id}`);
    if ((await script.leaderOf([c], 3000)) === null) return false;
    start.heal();
    await script.pass(HEAL_MS);
    await script.done(c, "PUT", "/v1/kv/after", "x");
    await script.pass(HEAL_MS);
    await acknowledged(script, c, start.asked);
    return true;
  },
};

const COMPACTING: ScriptSettings = { snapshotThreshold: 10, snapshotIntervalMs: 400, trailingLogs: 2 };

const suffixUnderSnapshot: Directed = {
  name: "a leader comes back with entries that nobody else has, and needs a snapshot",
  settings: COMPACTING,
  async run(script) {
    const start = await parted(script, 120);
    if (start === null) return false;
    const b = await script.leaderOf(start.others);
    if (b === null) return false;
    const from = b.server?.raft.lastIndex ?? 0;
    for (let i = 0; i < 25; i += 1) await script.done(b, "PUT", `/v1/kv/kept/${i}`, "x");
    await script.until(() => (b.server?.raft.baseIndex ?? 0) > from, 10_000);
    const isBehind = (start.a.server?.raft.lastIndex ?? 0) > (b.server?.raft.lastIndex ?? 0);
    start.heal();
    await script.pass(HEAL_MS);
    for (let i = 0; i < 25; i += 1) await script.done(b, "PUT", `/v1/kv/more/${i}`, "x");
    await script.pass(HEAL_MS);
    return isBehind;
  },
};

const snapshotLate: Directed = {
  name: "a snapshot of an old leader arrives when the next one's is installed",
  settings: COMPACTING,
  async run(script) {
    const [a, b, f] = await script.settled();
    script.part(f, [b]);
    const away = script.part(f, [a]);
    for (let i = 0; i < 30; i += 1) await script.done(a, "PUT", `/v1/kv/first/${i}`, "x");
    await script.pass(1000);
    // The old leader's snapshot is on its way and stays there.
    const held: (() => void)[] = [];
    const late = script.rule(
      { held },
      (from, to, isReply, path) => from === a.host && to === f.host && !isReply && path.endsWith("/snapshot"),
    );
    away();
    await script.until(() => held.length > 0, 5000);
    const isHeld = held.length > 0;
    script.world.network.rules.splice(0, 1);
    const off = script.part(a, [b, f]);
    if ((await script.leaderOf([b, f])) === null) return false;
    for (let i = 0; i < 30; i += 1) await script.done(b, "PUT", `/v1/kv/second/${i}`, "x");
    await script.pass(2000);
    late();
    await script.pass(1000);
    off();
    await script.pass(HEAL_MS);
    return isHeld;
  },
};

const snapshotRefused: Directed = {
  name: "a server cannot write its snapshot, and is restarted",
  settings: COMPACTING,
  async run(script) {
    const [a, b] = await script.settled();
    b.disk.faults.refusesBlobs = true;
    for (let i = 0; i < 30; i += 1) await script.done(a, "PUT", `/v1/kv/first/${i}`, "x");
    await script.pass(2000);
    const isComplete = await script.restart(b);
    await script.pass(2000);
    return isComplete;
  },
};

const snapshotsUnderWrites: Directed = {
  name: "servers are restarted while they write and take snapshots",
  settings: COMPACTING,
  async run(script) {
    const nodes = await script.settled();
    for (let i = 0; i < 60; i += 1) {
      const agent = nodes[i % 3] as SimAgent;
      const asked = [0, 1, 2].map((at) => script.ask(agent, "PUT", `/v1/kv/k${i}/${at}`, "x"));
      await script.until(() => asked.every(({ reply }) => reply !== undefined), 5000);
      if (i % 20 === 19) await script.restart(agent);
    }
    await script.pass(2000);
    return true;
  },
};

const answersLost: Directed = {
  name: "a leader's entries arrive, and the answers get lost until another one leads",
  async run(script) {
    const [a, ...others] = await script.settled();
    await script.done(a, "PUT", "/v1/kv/before", "x");
    const heal = others.map((other) => script.cut(other, a));
    const asked = script.ask(a, "PUT", "/v1/kv/once?cas=0", "x");
    await script.pass(60);
    const away = script.part(a, others);
    const b = await script.leaderOf(others);
    if (b === null) return false;
    for (const end of heal) end();
    // Its term is over, but the log does not say so yet: only that the fate is not known may be told.
    const stepped = await script.until(() => a.server?.raft.role !== "leader", 3000);
    const deaf = others.map((other) => script.cut(other, a, true));
    away();
    await script.pass(1500);
    for (const end of deaf) end();
    await script.pass(HEAL_MS);
    const read = script.ask(b, "GET", "/v1/kv/once?consistent");
    await script.until(() => read.reply !== undefined, 3000);
    const isThere = read.reply?.status === 200;
    if (isThere && asked.reply?.status === 200 && asked.reply.body.trim() === "false")
      script.world.found("done once", "a write was done, and its client told that it was not: it was sent twice");
    return stepped && isThere;
  },
};

const diskLost: Directed = {
  name: "a server comes back with an empty disk and its old id, then the leader dies",
  async run(script) {
    const { world } = script;
    const [a, b] = await script.settled();
    for (let i = 0; i < 5; i += 1) await script.done(a, "PUT", `/v1/kv/first/${i}`, "x");
    b.crash();
    b.disk.wipe();
    world.start(b);
    await script.pass(3000);
    a.crash();
    await script.pass(4000);
    world.start(a);
    await script.pass(2000);
    return true;
  },
};

const syncFails: Directed = {
  name: "a follower's disk fails to sync",
  async run(script) {
    const [a, b] = await script.settled();
    b.disk.faults.failsNextSync = true;
    for (let i = 0; i < 5; i += 1) await script.done(a, "PUT", `/v1/kv/first/${i}`, "x");
    await script.pass(5000);
    return true;
  },
};

const diskFull: Directed = {
  name: "disks are full for a while",
  async run(script) {
    const nodes = await script.settled();
    for (const agent of nodes) {
      agent.disk.faults.full = true;
      for (let i = 0; i < 5; i += 1) script.ask(nodes[0], "PUT", `/v1/kv/first/${i}`, "x");
      await script.pass(1000);
      agent.disk.faults.full = false;
      await script.pass(3000);
      if (!(await script.done(nodes[1], "PUT", "/v1/kv/after", "x")))
        script.world.found("progress", "no write is acknowledged after a disk was full");
    }
    return true;
  },
};

const slowLeader: Directed = {
  name: "entries of an older term are on all disks, and the next leader's disk is slow",
  async run(script) {
    const [a, ...others] = await script.settled();
    await script.done(a, "PUT", "/v1/kv/before", "x");
    for (const other of others) script.cut(other, a);
    for (let i = 0; i < 5; i += 1) script.ask(a, "PUT", `/v1/kv/old/${i}`, "x");
    await script.pass(60);
    script.part(a, others);
    for (const { disk } of others) disk.faults.slowMs = 5;
    await script.until(() => others.some(({ server }) => server?.raft.role === "candidate"), 10_000);
    const next = others.find(({ server }) => server?.raft.role === "candidate");
    if (next === undefined) return false;
    await script.until(() => next.server?.raft.role !== "candidate", 1000);
    next.disk.faults.stallUntilMs = script.world.now + 200;
    for (const { disk } of others) disk.faults.slowMs = 0;
    await script.pass(HEAL_MS);
    return true;
  },
};

const messagesMixed: Directed = {
  name: "messages come twice and late",
  async run(script) {
    const nodes = await script.settled();
    const hosts = new Set(nodes.map(({ host }) => host));
    script.rule(
      { duplicate: 0.6, delayMs: (random) => (random.below(3) === 0 ? random.below(40) : 0) },
      (from, to) => hosts.has(from) && hosts.has(to),
    );
    for (let i = 0; i < 60; i += 1) {
      for (let at = 0; at < 4; at += 1) script.ask(nodes[at % 3] as SimAgent, "PUT", `/v1/kv/k${i}/${at}`, "x");
      await script.pass(10);
    }
    await script.pass(3000);
    return true;
  },
};

export const scripts: readonly Directed[] = [
  suffixReplaced,
  suffixIsLonger,
  suffixReplacedSoon,
  suffixOfTwoTerms,
  suffixUnderSnapshot,
  snapshotLate,
  snapshotRefused,
  snapshotsUnderWrites,
  answersLost,
  diskLost,
  syncFails,
  diskFull,
  slowLeader,
  messagesMixed,
];
