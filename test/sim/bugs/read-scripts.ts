// Scripts about who may answer: leases, promises, reads and blocking queries of a leader that was left behind.
import type { SimAgent } from "../sim-agent.ts";
import type { Asked, Directed, Script } from "./script.ts";

const KEY = "/v1/kv/x";

/** What a read of the key has shown; null: nothing. */
function shown({ reply }: Asked): string | null {
  if (reply === null || reply === undefined || reply.status !== 200) return null;
  const [row] = JSON.parse(reply.body) as [{ Value: string }];
  return atob(row.Value);
}

const indexOf = ({ reply }: Asked): number => Number(reply?.headers.get("x-consul-index") ?? 0);

/** A read that began after `new` was acknowledged shows it, or nothing. */
function judge(script: Script, reads: readonly Asked[], what: string): void {
  for (const read of reads)
    if (shown(read) === "old")
      script.world.found("current reads", `${what} shows what was overwritten before it began`);
}

const leaderThaws: Directed = {
  name: "a leader stands still until another one has written, and is asked when it goes on",
  async run(script) {
    const [a, ...others] = await script.settled();
    await script.done(a, "PUT", KEY, "old");
    const first = script.ask(a, "GET", KEY);
    await script.until(() => first.reply !== undefined, 1000);
    const waiting = script.ask(a, "GET", `${KEY}?index=${indexOf(first)}&wait=800ms`);
    // Answers to its heartbeats are the first thing that it finds afterwards.
    const held: (() => void)[] = [];
    const release = script.rule({ held }, (_from, to, isReply) => to === a.host && isReply);
    await script.pass(150);
    a.freeze();
    release();
    await script.pass(10);
    for (const other of others) script.cut(other, a);
    const b = await script.leaderOf(others);
    if (b === null || !(await script.done(b, "PUT", KEY, "new"))) return false;
    const reads = [script.ask(a, "GET", KEY), script.ask(a, "GET", `${KEY}?consistent`)];
    await script.pass(20);
    a.thaw();
    await script.pass(30);
    reads.push(script.ask(a, "GET", KEY), script.ask(a, "GET", `${KEY}?consistent`));
    await script.pass(2000);
    judge(script, reads, "a read at a leader that was left behind");
    if (shown(waiting) === "old")
      script.world.found("lost wake-up", "a blocking query ends with what was overwritten while it waited");
    return true;
  },
};

const leaderIsolated: Directed = {
  name: "a leader is cut off for long, and asked all the time",
  async run(script) {
    const [a, ...others] = await script.settled();
    await script.done(a, "PUT", KEY, "old");
    const first = script.ask(a, "GET", KEY);
    await script.until(() => first.reply !== undefined, 1000);
    const waiting = script.ask(a, "GET", `${KEY}?index=${indexOf(first)}&wait=5s`);
    const heal = script.part(a, others);
    const b = await script.leaderOf(others);
    if (b === null || !(await script.done(b, "PUT", KEY, "new"))) return false;
    const reads: Asked[] = [];
    for (let i = 0; i < 20; i += 1) {
      reads.push(script.ask(a, "GET", KEY), script.ask(a, "GET", `${KEY}?consistent`));
      await script.pass(500);
    }
    judge(script, reads, "a read at a leader that is cut off");
    if (shown(waiting) === "old")
      script.world.found("lost wake-up", "a blocking query ends with what was overwritten while it waited");
    heal();
    await script.pass(2000);
    return true;
  },
};

/** Until one that hears no leader asks the others for their votes. */
function campaigns(script: Script, c: SimAgent): Promise<boolean> {
  return script.until(() => c.server?.raft.role === "pre-candidate", 20_000);
}

const promiseKept: Directed = {
  name: "one server hears no leader, and asks another one that does",
  async run(script) {
    const [a, , c] = await script.settled();
    const heal = script.part(a, [c]);
    const isComplete = await campaigns(script, c);
    await script.pass(3000);
    heal();
    await script.pass(1000);
    return isComplete;
  },
};

const promiseRemembered: Directed = {
  name: "one server hears no leader, and asks another one that was just restarted",
  async run(script) {
    let isComplete = false;
    for (let i = 0; i < 6 && script.world.violation === null; i += 1) {
      const [a, b, c] = await script.settled();
      const heal = [script.part(a, [c])];
      isComplete = await campaigns(script, c);
      // Its answers are what the leader's lease rests on.
      heal.push(script.cut(a, b, true));
      await script.restart(b);
      await script.pass(900);
      for (const end of heal) end();
      await script.pass(2000);
    }
    return isComplete;
  },
};

const transferUnheard: Directed = {
  name: "a leader hands over, and does not hear that it was done",
  async run(script) {
    const [a, b, c] = await script.settled();
    await script.pass(1000);
    script.ask(a, "POST", `/v1/operator/raft/transfer-leader?id=${b.id}`);
    await script.until(() => a.server?.raft.configuration !== undefined, 1);
    const toldBy = script.world.now + 5;
    await script.until(() => script.world.now >= toldBy, 10);
    script.cut(b, a);
    script.cut(c, a);
    const isLed = await script.until(() => b.server?.raft.role === "leader", 300);
    await script.pass(600);
    return isLed;
  },
};

export const scripts: readonly Directed[] = [
  leaderThaws,
  leaderIsolated,
  promiseKept,
  promiseRemembered,
  transferUnheard,
];
