import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../../src/raft/types.ts";
import type { Server } from "../../../src/server/server.ts";
import { Random } from "../../../src/util/random.ts";
import type { Said, SeamNode, Sim } from "../types.ts";
import { Reference } from "./reference.ts";
import { Claims, Promises } from "./seams.ts";

class Failure extends Error {}

/** A machine whose disk and Raft are what the test says. */
class FakeNode implements SeamNode {
  readonly name: string;
  readonly id: string;
  readonly up = true;
  readonly frozen = false;
  readonly clock = { now: (): number => 0 };
  hardState: { term: number; vote: string | null } | null = null;
  /** Terms of the entries on the disk, and of those in memory. */
  stored: number[] = [];
  log: number[] = [];
  isWiped = false;
  role = "follower";
  term = 1;
  commitIndex = 0;
  hasLease = false;
  group: string[] = ["a", "b", "c"];
  configurationIndex = 1;

  constructor(id: string) {
    this.id = id;
    this.name = id;
  }

  get disk(): SeamNode["disk"] {
    const { stored, hardState, isWiped } = this;
    const termAt = (index: number): number | null => (index === 0 ? 0 : (stored[index - 1] ?? null));
    return { durable: { hardState, baseIndex: 0, lastIndex: stored.length, termAt }, isLost: isWiped, isWiped };
  }

  get server(): Server {
    const { role, term, commitIndex, configurationIndex, log, group } = this;
    const configuration = { servers: group.map((id) => ({ id, address: id, voter: true })) };
    return {
      appliedIndex: commitIndex,
      raft: {
        id: this.id,
        role,
        term,
        commitIndex,
        configuration,
        configurationIndex,
        lastIndex: log.length,
        baseIndex: 0,
        termAt: (index: number) => log[index - 1] ?? null,
        configurationAt: (index: number) => ({ configuration, index: Math.min(index, configurationIndex) }),
        entriesBetween: (): Entry[] => [],
        canReadLocally: () => this.hasLease,
      },
    } as unknown as Server;
  }

  request(): Promise<never> {
    return Promise.reject(new Error("no requests here"));
  }
}

/** Three machines, and a way to have one say something. */
function world(): { a: FakeNode; b: FakeNode; c: FakeNode; sim: Sim; say(said: Said): void } {
  const [a, b, c] = [new FakeNode("a"), new FakeNode("b"), new FakeNode("c")];
  let listener: (said: Said) => void = () => {};
  const sim: Sim = {
    now: 0,
    nodes: [a, b, c],
    random: () => new Random(1),
    at() {},
    sleep: () => Promise.resolve(),
    trace() {},
    onSaid: (told) => (listener = told),
    fail(checker: string, message: string): never {
      throw new Failure(`${checker}: ${message}`);
    },
  };
  return { a, b, c, sim, say: (said) => listener(said) };
}

const vote = (term: number): Said["message"] => ({ type: "vote-response", term, preVote: false, granted: true });
const ask = (term: number, lastIndex: number, lastTerm: number): Said["message"] => ({
  type: "request-vote",
  term,
  preVote: false,
  transfer: false,
  lastIndex,
  lastTerm,
});
const acknowledge = (term: number, index: number): Said["message"] => ({
  type: "append-response",
  term,
  round: 1,
  success: true,
  index,
  hintIndex: 0,
  hintTerm: 0,
  lastIndex: 0,
});

test("promises: what is durable may be said", () => {
  const { a, b, sim, say } = world();
  new Promises().step(sim);
  b.hardState = { term: 2, vote: "a" };
  a.hardState = { term: 2, vote: "a" };
  b.stored = [1, 1];
  say({ from: a, to: b, message: ask(2, 2, 1) });
  say({ from: b, to: a, message: vote(2) });
  say({ from: b, to: a, message: acknowledge(2, 2) });
});

test("promises: a term, a vote or an entry that a power cut would take back is found when it is said", () => {
  const { a, b, sim, say } = world();
  new Promises().step(sim);
  b.hardState = { term: 2, vote: null };
  b.stored = [1];
  const found = (message: Said["message"], what: RegExp): void =>
    assert.throws(() => say({ from: b, to: a, message }), what);
  found(vote(3), /term before it is durable/);
  found(vote(2), /vote before it is durable/);
  found(ask(2, 1, 1), /vote before it is durable/);
  found(acknowledge(2, 2), /acknowledged before it is durable/);
  found({ type: "entries", term: 3 }, /term before it is durable/);
});

test("promises: a second vote in a term, one for who lacks entries, and one by who lost its disk are found", () => {
  const { a, b, c, sim, say } = world();
  new Promises().step(sim);
  for (const node of [a, b, c]) node.hardState = { term: 2, vote: node.id };
  a.stored = [1, 1];
  b.hardState = { term: 2, vote: "a" };
  b.stored = [1, 1, 1];
  say({ from: a, to: b, message: ask(2, 2, 1) });
  assert.throws(() => say({ from: b, to: a, message: vote(2) }), /vote for who is up to date/);
  b.hardState = { term: 2, vote: "c" };
  assert.throws(() => say({ from: b, to: c, message: vote(2) }), /one vote a term/);
  c.isWiped = true;
  assert.throws(() => say({ from: c, to: a, message: vote(2) }), /no vote after a lost disk/);
});

test("promises: leadership that is handed to a server that lacks entries is found", () => {
  const { a, b, sim, say } = world();
  new Promises().step(sim);
  Object.assign(a, { hardState: { term: 1, vote: "a" }, role: "leader", log: [1, 1] });
  b.stored = [1];
  assert.throws(
    () => say({ from: a, to: b, message: { type: "timeout-now", term: 1 } }),
    /handed over to who holds all/,
  );
  b.stored = [1, 1];
  say({ from: a, to: b, message: { type: "timeout-now", term: 1 } });
});

test("claims: an entry is committed when it is of the leader's term and on a majority's disks", () => {
  for (const [log, stored, what] of [
    [[1, 2], [1, 2], null],
    [[1, 2], [1], /durable on a majority/],
    [[1, 1], [1, 1], /commits of its own term/],
  ] as const) {
    const { a, b, sim } = world();
    const claims = new Claims(new Reference());
    Object.assign(a, { role: "leader", term: 2, log: [...log], stored: [...log], commitIndex: 1 });
    b.stored = [...stored];
    claims.step(sim);
    a.commitIndex = 2;
    if (what === null) claims.step(sim);
    else assert.throws(() => claims.step(sim), what);
  }
});

test("claims: a lease that is trusted while another server leads is found", () => {
  const { a, b, sim } = world();
  const claims = new Claims(new Reference());
  Object.assign(a, { role: "leader", term: 1, hasLease: true });
  claims.step(sim);
  Object.assign(b, { role: "leader", term: 2 });
  assert.throws(() => claims.step(sim), /lease/);
});

test("claims: a change of the group before anything of the term is committed is found", () => {
  const { a, sim } = world();
  const claims = new Claims(new Reference());
  Object.assign(a, { role: "leader", term: 2, log: [1, 2, 2], commitIndex: 1 });
  claims.step(sim);
  a.configurationIndex = 3;
  assert.throws(() => claims.step(sim), /no change before a commit/);
});
