import assert from "node:assert/strict";
import { test } from "node:test";
import type { RaftInput } from "../../src/raft/types.ts";
import { configurationOf } from "./group.ts";
import { committed, Machine, only, sent } from "./machine.ts";

const recover = (term: number, ids: readonly string[] = ["a"]): RaftInput => ({
  type: "recover",
  configuration: configurationOf(ids),
  term,
});

test("recovery: the survivor leads alone, in a term that nobody used, and all of its log is committed", () => {
  const a = new Machine({ terms: [1, 2, 2, 3] });
  a.now += 1000;
  const effects = a.step(recover(7));
  assert.equal(a.raft.role, "leader");
  assert.deepEqual(
    a.raft.configuration.servers.map(({ id }) => id),
    ["a"],
  );
  assert.deepEqual(committed(effects), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(
    a.raft.entriesBetween(5, 6).map(({ kind, term }) => `${kind}@${term}`),
    ["config@8", "noop@9"],
  );
  assert.deepEqual(sent(effects), [], "nobody is told anything");
  const [done] = only(a.propose("x"), "commit");
  assert.equal(done?.entries[0]?.index, 7);
});

test("recovery: one write holds the new configuration, the term and the first entry of it, or none of them", () => {
  const a = new Machine({ terms: [1, 2] });
  a.now += 1000;
  a.writes = false;
  a.step(recover(2));
  assert.equal(a.pending.length, 1);
  const persist = a.pending[0]!;
  assert.equal(persist.type === "persist" && persist.hardState?.term, a.raft.term);
  assert.equal(persist.type === "persist" && persist.entries.length, 2);
});

test("recovery: entries that the lost servers committed beyond this log do not hold it up", () => {
  const a = new Machine({ terms: [1] });
  a.from("b", {
    type: "append-entries",
    term: 2,
    prevIndex: 9,
    prevTerm: 2,
    commit: 9,
    round: 1,
    leaseMs: 40,
    entries: [],
  });
  assert.deepEqual([a.raft.knownCommit, a.raft.lastIndex], [9, 1]);
  a.now += 1000;
  a.step(recover(2));
  assert.equal(a.raft.role, "leader");
});

test("recovery: is refused by a leader of others, by an empty server, and for anything but this server alone", () => {
  const leader = new Machine();
  leader.lead("b", "c");
  const empty = new Machine({ terms: [] });
  const follower = new Machine();
  for (const [machine, input] of [
    [leader, recover(2)],
    [empty, recover(2)],
    [follower, recover(2, ["b"])],
    [follower, recover(2, ["a", "b"])],
    [follower, recover(2, [])],
    [follower, recover(-1)],
    [follower, recover(1.5)],
  ] as const) {
    const before = machine.raft.dropped.unexpected;
    const last = machine.raft.lastIndex;
    machine.step(input);
    assert.deepEqual([machine.raft.dropped.unexpected, machine.raft.lastIndex], [before + 1, last]);
  }
});

test("recovery: a server alone takes another address by it", () => {
  const a = new Machine({ configuration: configurationOf(["a"]) });
  assert.equal(a.raft.role, "leader");
  a.step({
    type: "recover",
    configuration: { servers: [{ id: "a", address: "elsewhere:8300", voter: true }] },
    term: 0,
  });
  assert.equal(a.raft.role, "leader");
  assert.equal(a.raft.configuration.servers[0]?.address, "elsewhere:8300");
});
