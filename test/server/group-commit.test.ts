import assert from "node:assert/strict";
import { test } from "node:test";
import { Timers } from "../../src/host/timers.ts";
import { MemoryLogStore } from "../../src/host/memory-store.ts";
import type { LogBatch } from "../../src/platform.ts";
import { makeConfiguration } from "../../src/raft/configuration.ts";
import type { Entry, Message } from "../../src/raft/types.ts";
import { Consensus, type Proposal } from "../../src/server/consensus.ts";
import type { OperationalError } from "../../src/types/error.ts";
import { VirtualClock } from "../host/virtual-clock.ts";

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const SERVERS = ["a", "b", "c"];

/** A log whose writes are durable when the test says so. */
class SlowLog extends MemoryLogStore {
  readonly writes: { entries: number; durable(): void }[] = [];

  override append(batch: LogBatch): void | Promise<void> {
    super.append(batch);
    return new Promise((resolve) => {
      this.writes.push({ entries: batch.entries.length, durable: resolve });
    });
  }

  /** Everything so far is durable, and what follows from it. */
  async flush(): Promise<void> {
    while (this.writes.length > 0) {
      for (const { durable } of this.writes.splice(0)) durable();
      await settle();
    }
  }
}

class Host {
  readonly clock = new VirtualClock();
  readonly timers = new Timers(this.clock);
  readonly log = new SlowLog();
  readonly sent: { to: string; message: Message }[] = [];
  readonly applied: Entry[] = [];
  readonly consensus: Consensus;
  readonly failures: OperationalError[] = [];

  constructor(id: string) {
    this.clock.wake = () => this.timers.wake();
    this.consensus = new Consensus(
      {
        platform: { now: () => this.clock.now(), log: this.log },
        timers: this.timers,
        dispatchLog: { add: () => {} },
        apply: (entry) => this.applied.push(entry),
        roleChanged: () => {},
        configurationChanged: () => {},
        send: (to, message) => this.sent.push({ to, message }),
        sendSnapshot: () => assert.fail("no snapshot is needed"),
        install: () => assert.fail("no snapshot is sent"),
        snapshotRefused: () => {},
        spaceChanged: () => {},
        peerLostData: () => {},
        failed: (error) => assert.fail(String(error)),
      },
      {
        id,
        seed: 1,
        loaded: { hardState: null, base: { index: 0, term: 0 }, entries: [] },
        snapshot: null,
        timings: { heartbeatMs: 50, electionTimeoutMs: 500, leaseMs: 350, commitNotifyMs: 5 },
        trailingEntries: 100,
      },
    );
  }

  propose(text: string): void {
    const proposal: Proposal = {
      data: new TextEncoder().encode(text),
      failed: (error) => this.failures.push(error),
    };
    this.consensus.propose(proposal);
  }

  get commands(): string[] {
    return this.applied.filter(({ kind }) => kind === "command").map(({ data }) => new TextDecoder().decode(data));
  }
}

async function startAlone(): Promise<Host> {
  const host = new Host("a");
  host.consensus.start(makeConfiguration([{ id: "a", address: "a:1", voter: true }]));
  await host.log.flush();
  assert.equal(host.consensus.raft.role, "leader");
  return host;
}

/** The leader of three, whose others are the test. */
async function startLeader(): Promise<Host> {
  const host = new Host("a");
  host.consensus.start(makeConfiguration(SERVERS.map((id) => ({ id, address: `${id}:1`, voter: true }))));
  await host.log.flush();
  while (host.consensus.raft.role === "follower") host.clock.advance(50);
  for (const preVote of [true, false]) {
    await host.log.flush();
    const term = host.consensus.raft.term + (preVote ? 1 : 0);
    host.consensus.received("b", [{ type: "vote-response", term, preVote, granted: true }]);
  }
  await host.log.flush();
  assert.equal(host.consensus.raft.role, "leader");
  await acknowledge(host);
  return host;
}

/** The follower `b` holds all that was sent to it. */
async function acknowledge(host: Host): Promise<void> {
  const { raft } = host.consensus;
  const rounds = host.sent.flatMap(({ message }) => (message.type === "append-entries" ? [message.round] : []));
  host.consensus.received("b", [
    {
      type: "append-response",
      term: raft.term,
      round: Math.max(...rounds),
      success: true,
      index: raft.lastIndex,
      hintIndex: 0,
      hintTerm: 0,
      lastIndex: 0,
    },
  ]);
  await settle();
}

const sizesSentTo = (host: Host, to: string): number[] =>
  host.sent.flatMap(({ to: id, message }) =>
    id === to && message.type === "append-entries" && message.entries.length > 0 ? [message.entries.length] : [],
  );

test("group commit: who is alone goes at once, and who comes during a write goes with the others after it", async () => {
  const host = await startAlone();
  host.propose("1");
  assert.deepEqual(
    host.log.writes.map(({ entries }) => entries),
    [1],
  );
  for (const text of ["2", "3", "4"]) host.propose(text);
  assert.equal(host.log.writes.length, 1, "they wait");
  host.log.writes.shift()?.durable();
  await settle();
  assert.deepEqual(host.commands, ["1"]);
  assert.deepEqual(
    host.log.writes.map(({ entries }) => entries),
    [3],
  );
  await host.log.flush();
  assert.deepEqual(host.commands, ["1", "2", "3", "4"]);
});

test("group commit: a group goes to each follower in one message, also when the leader's own disk is slow", async () => {
  const host = await startLeader();
  host.sent.length = 0;
  for (const text of ["1", "2", "3"]) host.propose(text);
  assert.deepEqual(sizesSentTo(host, "b"), [1]);
  // The followers need the leader's disk for nothing: with two of them it is committed.
  await acknowledge(host);
  host.consensus.received("c", [
    {
      type: "append-response",
      term: host.consensus.raft.term,
      round: 1,
      success: true,
      index: host.consensus.raft.lastIndex,
      hintIndex: 0,
      hintTerm: 0,
      lastIndex: 0,
    },
  ]);
  await settle();
  assert.deepEqual(host.commands, ["1"]);
  assert.deepEqual(sizesSentTo(host, "b"), [1, 2]);
});

test("group commit: whoever waits when leadership is lost was certainly not done", async () => {
  const host = await startLeader();
  host.propose("1");
  host.propose("2");
  host.propose("3");
  const { term, lastIndex } = host.consensus.raft;
  const heartbeat: Message = {
    type: "append-entries",
    term: term + 1,
    prevIndex: lastIndex + 5,
    prevTerm: term + 1,
    commit: 0,
    round: 1,
    leaseMs: 350,
    entries: [],
  };
  host.consensus.received("b", [heartbeat]);
  await host.log.flush();
  assert.deepEqual(
    host.failures.map(({ code }) => code),
    ["not-leader", "not-leader"],
  );
});

test("group commit: whoever waits when the server stops is told so", async () => {
  const host = await startAlone();
  host.propose("1");
  host.propose("2");
  host.consensus.stop();
  assert.deepEqual(
    host.failures.map(({ code }) => code),
    ["shutting-down", "shutting-down"],
  );
  host.propose("3");
  assert.equal(host.failures.length, 3);
});

test("group commit: a reader who waits for a commit hears of it at once", async () => {
  const host = await startLeader();
  host.propose("1");
  await host.log.flush();
  await acknowledge(host);
  assert.deepEqual(host.commands, ["1"]);
  host.sent.length = 0;
  host.consensus.notice();
  const { commitIndex } = host.consensus.raft;
  assert.deepEqual(
    host.sent.map(({ to, message }) => [to, message.type === "append-entries" && message.commit]),
    [["b", commitIndex]],
  );
  host.consensus.notice();
  assert.equal(host.sent.length, 1, "once is enough");
});

/** Entries of a leader `b` for a server whose log holds nothing but the first configuration. */
const entries = (from: number, count: number): Message => ({
  type: "append-entries",
  term: 2,
  prevIndex: from - 1,
  prevTerm: from === 2 ? 1 : 2,
  commit: 1,
  round: 1,
  leaseMs: 350,
  entries: Array.from({ length: count }, (_, i) => ({
    index: from + i,
    term: 2,
    kind: "command",
    data: new Uint8Array(1),
  })),
});

async function startFollower(): Promise<Host> {
  const host = new Host("a");
  host.consensus.start(makeConfiguration(SERVERS.map((id) => ({ id, address: `${id}:1`, voter: true }))));
  await host.log.flush();
  return host;
}

test("reply: the answer to entries comes in the reply, once they are durable", async () => {
  const host = await startFollower();
  const reply = host.consensus.received("b", [entries(2, 3)]);
  assert.ok(reply instanceof Promise);
  let isSaid = false;
  void reply.then(() => {
    isSaid = true;
  });
  await settle();
  assert.equal(isSaid, false, "nothing is promised before it is durable");
  await host.log.flush();
  const [answer, ...more] = await reply;
  assert.ok(answer?.type === "append-response" && answer.success && answer.index === 4);
  assert.deepEqual(more, []);
  assert.deepEqual(host.sent, []);
});

test("reply: it waits for a slow disk only so long, and the answer then goes by itself", async () => {
  const host = await startFollower();
  const reply = host.consensus.received("b", [entries(2, 1)]);
  host.clock.advance(25);
  assert.deepEqual(await reply, []);
  await host.log.flush();
  assert.deepEqual(
    host.sent.map(({ to, message }) => [to, message.type]),
    [["b", "append-response"]],
  );
});

test("reply: a heartbeat is answered at once, whatever is being written", async () => {
  const host = await startFollower();
  // The leader's term is new: that is written first.
  host.consensus.received("b", [entries(2, 0)]);
  await host.log.flush();
  host.sent.length = 0;
  const reply = host.consensus.received("b", [entries(2, 1)]);
  const heartbeat = host.consensus.received("b", [{ ...entries(2, 0), round: 2 } as Message]);
  assert.ok(!(heartbeat instanceof Promise) && heartbeat[0]?.type === "append-response");
  await host.log.flush();
  assert.equal((await reply).length, 1);
});

test("reply: entries that come while a reply is held end it, and are answered together", async () => {
  const host = await startFollower();
  const first = host.consensus.received("b", [entries(2, 1)]);
  const second = host.consensus.received("b", [entries(3, 1)]);
  assert.deepEqual(await first, []);
  await host.log.flush();
  assert.deepEqual(
    (await second).map((message) => message.type === "append-response" && message.index),
    [2, 3],
  );
});
