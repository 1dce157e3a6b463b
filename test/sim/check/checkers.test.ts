import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../../../src/codec/value.ts";
import type { Entry } from "../../../src/raft/types.ts";
import type { Server } from "../../../src/server/server.ts";
import type { Command } from "../../../src/state/command.ts";
import { StateStore } from "../../../src/state/store.ts";
import { utf8 } from "../../../src/util/bytes.ts";
import { Random } from "../../../src/util/random.ts";
import type { Checker, Sim, SimNode } from "../types.ts";
import { register } from "../../state/fixtures.ts";
import { Leaders, LogMatching, Quorums, Terms } from "./raft.ts";
import { Reads } from "./reads.ts";
import { Reference } from "./reference.ts";
import { SessionLives } from "./sessions.ts";
import { storeProblem } from "./store.ts";
import { Watches } from "./watches.ts";

const NODE = "host";
const set = (key: string, value: string): Command => ({ type: "kv.set", key, value: utf8(value), flags: 0 });
const lock = (key: string, session: string): Command => ({
  type: "kv.lock",
  key,
  value: utf8(session),
  flags: 0,
  session,
});
const host: Command = register(NODE);
const session = (ID: string, lockDelayMs = 0): Command =>
  ({
    type: "session.create",
    session: {
      ID,
      Name: "",
      Node: NODE,
      LockDelay: lockDelayMs * 1e6,
      Behavior: "release",
      TTL: "10s",
      NodeChecks: [],
      ServiceChecks: null,
    },
  }) as Command;
const destroy = (id: string): Command => ({ type: "session.destroy", id });

/** A server as the checkers see one: its log, how much of it is committed and applied, and its role. */
class FakeServer {
  readonly log: Entry[] = [];
  readonly store = new StateStore();
  commit = 0;
  appliedIndex = 0;
  leading = false;
  leader: string | null = null;
  role = "follower";
  term = 1;
  base = 0;
  contactMs = 0;

  /** Appends a command, or nothing but an entry. */
  append(command: Command | null, term = this.term): this {
    const index = this.base + this.log.length + 1;
    const data = command === null ? new Uint8Array(0) : encode(command);
    this.log.push({ index, term, kind: command === null ? "noop" : "command", data });
    return this;
  }

  /** Commits and applies all of it. */
  settle(): this {
    this.commit = this.log.length;
    for (; this.appliedIndex < this.commit; this.appliedIndex += 1) {
      const entry = this.log[this.appliedIndex] as Entry;
      if (entry.kind === "noop") this.store.skip(entry.index);
      else this.store.apply(entry.index, this.commands[entry.index] as Command);
    }
    return this;
  }

  /** The commands by index, as they were given. */
  readonly commands: Record<number, Command> = {};

  with(...commands: (Command | null)[]): this {
    for (const command of commands) {
      this.append(command);
      if (command !== null) this.commands[this.log.length] = command;
    }
    return this.settle();
  }

  get state(): StateStore {
    return this.store;
  }

  get raft(): object {
    const { log, base, commit, role, term } = this;
    return {
      id: "a",
      baseIndex: base,
      commitIndex: commit,
      lastIndex: base + log.length,
      role,
      term,
      configuration: { servers: ["a", "b", "c"].map((id) => ({ id, address: id, voter: true })) },
      progress: ["b", "c"].map((id) => ({ id, lastContactMs: this.contactMs })),
      termAt: (index: number) => log[index - base - 1]?.term ?? null,
      entriesBetween: (from: number, to: number) => log.slice(from - base - 1, to - base),
    };
  }
}

class Failure extends Error {}

/** A world of some servers; `fails` runs the checkers and tells which one has found something. */
function world(...servers: FakeServer[]): Sim & { now: number; nodes: SimNode[] } {
  return {
    now: 0,
    nodes: servers.map((server, at) => ({
      name: `s${at + 1}`,
      up: true,
      frozen: false,
      server: server as unknown as Server,
      request: () => Promise.reject(new Error("no requests here")),
    })),
    random: () => new Random(1),
    at() {},
    sleep: () => Promise.resolve(),
    trace() {},
    fail(checker: string, message: string): never {
      throw new Failure(`${checker}: ${message}`);
    },
  };
}

const passes = (sim: Sim, ...checkers: Checker[]): void => {
  for (const checker of checkers) checker.step?.(sim);
};
const fails = (sim: Sim, name: RegExp, ...checkers: Checker[]): void =>
  assert.throws(() => passes(sim, ...checkers), name);

test("reference: servers that commit and apply the same pass, whatever their order", () => {
  const [a, b] = [new FakeServer().with(null, set("x", "1")), new FakeServer().with(null)];
  const reference = new Reference();
  const sim = world(a, b);
  passes(sim, reference);
  b.with(set("x", "1"), set("x", "2"));
  passes(sim, reference);
  a.with(set("x", "2"));
  passes(sim, reference);
  assert.equal(reference.logIndex, 3);
});

test("reference: two entries committed at one index are found, by their term and by their data", () => {
  for (const other of [new FakeServer().with(null, set("x", "2")), new FakeServer().append(null, 7).settle()])
    fails(world(new FakeServer().with(null, set("x", "1")), other), /^Error: state machine safety/, new Reference());
});

test("reference: a commit index that falls, and a snapshot of what was never committed, are found", () => {
  const a = new FakeServer().with(null, set("x", "1"));
  const reference = new Reference();
  passes(world(a), reference);
  const sim = world(a);
  const other = new Reference();
  passes(sim, other);
  a.commit = 1;
  fails(sim, /commit monotone/, other);
  const b = new FakeServer();
  b.base = 9;
  b.commit = 9;
  fails(world(b), /snapshot/, new Reference());
});

test("reference: a state that is not what the log gives is found", () => {
  const a = new FakeServer().with(null, set("x", "1"));
  const wrong = new FakeServer().with(null);
  wrong.append(set("x", "1"));
  wrong.commands[2] = set("x", "other");
  wrong.settle();
  fails(world(a, wrong), /applied prefix/, new Reference());
});

test("leaders: two in one term, and one that lacks a committed entry, are found", () => {
  const [a, b] = [new FakeServer(), new FakeServer()];
  a.role = b.role = "leader";
  fails(world(a, b), /election safety/, new Leaders(new Reference()));

  const old = new FakeServer().with(null, set("x", "1"));
  const young = new FakeServer().with(null);
  young.role = "leader";
  young.term = 2;
  const reference = new Reference();
  fails(world(old, young), /leader completeness/, reference, new Leaders(reference));
  const whole = new FakeServer().with(null, set("x", "1"));
  whole.role = "leader";
  whole.term = 2;
  const fresh = new Reference();
  passes(world(old, whole), fresh, new Leaders(fresh));
});

test("logs: one that differs below an entry on which two agree is found", () => {
  const a = new FakeServer().append(null, 1).append(null, 1).append(null, 3);
  const b = new FakeServer().append(null, 1).append(null, 2).append(null, 3);
  fails(world(a, b), /log matching/, new LogMatching());
  passes(world(a, new FakeServer().append(null, 1).append(null, 1).append(null, 4)), new LogMatching());
});

test("quorums: a leader that has long heard nobody is found, one that hears is not", () => {
  const a = new FakeServer();
  a.role = "leader";
  const sim = world(a);
  const checker = new Quorums();
  for (let at = 0; at < 30; at += 1) {
    sim.now += 1000;
    a.contactMs = sim.now;
    passes(sim, checker);
  }
  sim.now += 5000;
  passes(sim, checker);
  sim.now += 5000;
  fails(sim, /check-quorum/, checker);
});

test("terms: many that nobody leads are found", () => {
  const a = new FakeServer();
  const checker = new Terms();
  a.role = "leader";
  passes(world(a), checker);
  a.role = "candidate";
  a.term = 9;
  passes(world(a), checker);
  a.term = 40;
  fails(world(a), /pre-vote/, checker);
});

test("stores: a lock whose session is gone is found", () => {
  const whole = new FakeServer().with(null, host, session("s"), lock("x", "s"));
  assert.equal(storeProblem(whole.state), null);
  assert.equal(whole.state.kvGet("x").value?.Session, "s");
  const { state } = whole;
  const without = {
    lastIndex: state.lastIndex,
    sessions: () => ({ value: [] }),
    nodes: () => state.nodes(),
    kvList: () => state.kvList(""),
  };
  assert.match(storeProblem(without as unknown as StateStore) ?? "", /which is gone/);
});

test("reads: what is older than what was committed at the call is found, and what never was", () => {
  const a = new FakeServer().with(null, set("register/1", "old"));
  const reference = new Reference();
  const reads = new Reads(reference);
  const sim = world(a);
  passes(sim, reference, reads);
  const before = reads.begin(sim, "register/1", sim.nodes[0] as SimNode);
  a.with(set("register/1", "new"));
  passes(sim, reference, reads);
  reads.current(sim, before, 2, "old", 2);
  passes(sim, reads);
  reads.current(sim, before, 3, "new", 3);
  passes(sim, reads);
  const after = reads.begin(sim, "register/1", sim.nodes[0] as SimNode);
  reads.current(sim, after, 2, "old", 2);
  fails(sim, /current reads/, reads);
  reads.current(sim, after, 3, "other", 3);
  fails(sim, /never committed/, reads);
  reads.current(sim, after, 0, null, 3);
  fails(sim, /reads/, reads);
  assert.equal(reads.judged, 5);
});

test("reads: a stale one may be old, but not older than what the same server has shown", () => {
  const a = new FakeServer().with(null, set("register/1", "a"), set("register/2", "b"), set("register/1", "c"));
  const reference = new Reference();
  const reads = new Reads(reference);
  const sim = world(a);
  passes(sim, reference, reads);
  const node = sim.nodes[0] as SimNode;
  reads.stale(sim, reads.begin(sim, "register/1", node), 2, "a", 2);
  passes(sim, reads);
  reads.stale(sim, reads.begin(sim, "register/1", node), 4, "c", 4);
  passes(sim, reads);
  reads.stale(sim, reads.begin(sim, "register/2", node), 0, null, 1);
  fails(sim, /prefix of stale reads/, reads);
});

/** A server with one key, watched. */
function watched(): { a: FakeServer; sim: ReturnType<typeof world>; reference: Reference; watches: Watches } {
  const a = new FakeServer().with(null, set("watch/a", "1"));
  const reference = new Reference();
  const watches = new Watches(reference);
  const sim = world(a);
  passes(sim, reference, watches);
  return { a, sim, reference, watches };
}
const KEY = "kv watch/a";
const first = "watch/a@2=MQ==";
const second = "watch/a@3=Mg==";

test("watches: an answer that comes when the key changes passes, and so does one at the end of the wait", () => {
  const { a, sim, reference, watches } = watched();
  const node = sim.nodes[0] as SimNode;
  let asked = watches.begin(sim, KEY, node, "&stale", 2, 1000);
  sim.now = 500;
  a.with(set("watch/a", "2"));
  passes(sim, reference, watches);
  watches.answered(sim, asked, 3, second);
  passes(sim, reference, watches);
  asked = watches.begin(sim, KEY, node, "&stale", 3, 1000);
  sim.now += 1050;
  watches.answered(sim, asked, 3, second);
  passes(sim, reference, watches);
  assert.ok(watches.hasSeenAll(KEY, 3) && !watches.hasSeenAll(KEY, 2));
});

test("watches: each of the invariants is found when it is broken", () => {
  const judge = (
    index: number,
    digest: string,
    tookMs: number,
    prepare: (all: ReturnType<typeof watched>) => void = () => {},
    mode = "&stale",
  ): (() => void) => {
    const all = watched();
    const { sim, reference, watches } = all;
    const asked = watches.begin(sim, KEY, sim.nodes[0] as SimNode, mode, 2, 1000);
    prepare(all);
    passes(sim, reference, watches);
    sim.now += tookMs;
    return () => {
      watches.answered(sim, asked, index, digest);
      passes(sim, reference, watches);
    };
  };
  const change = ({ a }: ReturnType<typeof watched>): void => void a.with(set("watch/a", "2"));
  judge(2, first, 1020)();
  assert.throws(judge(0, "", 1020), /index at least 1/);
  assert.throws(judge(9, first, 1020), /index of an answer/);
  assert.throws(judge(2, "watch/a@2=other", 1020), /state at the index/);
  assert.throws(judge(3, second, 3000, change), /lost wake-up/);
  assert.throws(judge(2, first, 9000), /wait/);
  judge(2, first, 1020, change, "")();
});

test("watches: an index that goes back, a read of the past, and a busy loop are found", () => {
  const { a, sim, reference, watches } = watched();
  const node = sim.nodes[0] as SimNode;
  a.with(set("watch/a", "2"));
  passes(sim, reference, watches);
  watches.answered(sim, watches.begin(sim, KEY, node, "&stale", 0, 0), 3, second);
  passes(sim, watches);
  watches.answered(sim, watches.begin(sim, KEY, node, "&stale", 0, 0), 2, first);
  fails(sim, /index goes back/, watches);
  watches.answered(sim, watches.begin(sim, KEY, node, "", 0, 0), 2, first);
  fails(sim, /current reads/, watches);
  const early = (): void => {
    watches.answered(sim, watches.begin(sim, KEY, node, "&stale", 3, 1000), 3, second);
    passes(sim, watches);
  };
  early();
  early();
  assert.throws(early, /busy loop/);
});

test("watches: readers who wait at one time and are all let go are no busy loop", () => {
  const { a, sim, reference, watches } = watched();
  const node = sim.nodes[0] as SimNode;
  a.with(set("watch/a", "2"));
  passes(sim, reference, watches);
  const waiting = [1, 2, 3, 4].map(() => watches.begin(sim, KEY, node, "&stale", 3, 8000));
  sim.now += 100;
  for (const asked of waiting) {
    sim.now += 0.5;
    watches.answered(sim, asked, 3, second);
    passes(sim, watches);
  }
});

test("sessions: one that ends early, one that never ends, and a lock taken within its delay are found", () => {
  const start = (...commands: Command[]) => {
    const reference = new Reference();
    const lives = new SessionLives(reference);
    const a = new FakeServer().with(null, host, ...commands);
    a.leading = true;
    const sim = world(a);
    passes(sim, reference);
    return { a, lives, reference, sim };
  };
  const early = start(session("s"));
  early.lives.renewed("s", 10_000, 0);
  early.sim.now = 9000;
  early.a.with(destroy("s"));
  fails(early.sim, /session lives/, early.reference);

  const right = start(session("s"));
  right.lives.renewed("s", 10_000, 0);
  right.sim.now = 12_000;
  right.a.with(destroy("s"));
  passes(right.sim, right.reference, right.lives);
  assert.equal(right.lives.expired, 1);

  const late = start(session("s"));
  late.lives.renewed("s", 10_000, 0);
  late.lives.abandoned("s", 1);
  for (late.sim.now = 0; late.sim.now < 40_000; late.sim.now += 1000) passes(late.sim, late.lives);
  late.sim.now = 500_000;
  fails(late.sim, /session lives/, late.lives);

  for (const [afterMs, isWrong] of [
    [1000, true],
    [6000, false],
  ] as const) {
    const { a, reference, sim } = start(session("s", 5000), session("t"), lock("x", "s"), destroy("s"));
    sim.now = afterMs;
    a.with(lock("x", "t"));
    if (isWrong) fails(sim, /lock delay/, reference);
    else passes(sim, reference);
  }
});
