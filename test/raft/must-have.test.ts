// What goes wrong in consensus groups when one thing is missing: each of these has happened somewhere. The scenes that need
// several servers are transcripts (testdata/); what they show in the large is pinned here in the small.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configurationOf, Group } from "./group.ts";
import { append, commands, committed, Machine, ok, only, sent } from "./machine.ts";

const voteFor = (term: number, transfer = false) =>
  ({ type: "request-vote", term, preVote: false, transfer, lastIndex: 99, lastTerm: term - 1 }) as const;

test("durability before words (etcd #14370): a sole voter commits nothing that its disk has not got", () => {
  const machine = new Machine({ configuration: configurationOf(["a"]) });
  machine.writes = false;
  assert.deepEqual(committed(machine.propose("x")), []);
  assert.equal(machine.raft.role, "leader");
  assert.deepEqual(committed(machine.write()), [3]);
});

test("durability before words: a sole voter with non-voters tells nobody of a term that could come again", () => {
  const group = new Group();
  const member = group.add("a");
  member.step({ type: "bootstrap", configuration: configurationOf(["a"], ["b"]) });
  assert.deepEqual([member.raft.role, member.raft.term, group.wires.length], ["candidate", 2, 0]);
  group.add("b");
  group.settle();
  assert.deepEqual([member.raft.role, group.member("b").applied], ["leader", 2]);
});

test("durability before words: the own vote counts when it is on disk, not when an earlier write is", () => {
  const machine = new Machine({ configuration: configurationOf(["a"], ["b"]), timings: { electionTimeoutMs: 60 } });
  const { raft } = machine;
  machine.writes = false;
  machine.from("x", ok(0, { term: 5 }));
  machine.after(100, { type: "campaign" });
  const [earlier, vote] = machine.pending;
  assert.deepEqual([raft.role, raft.term, vote?.type === "persist" && vote.hardState?.term], ["candidate", 6, 6]);
  machine.step({ type: "persisted", token: earlier!.token });
  assert.equal(raft.role, "candidate");
  machine.step({ type: "persisted", token: vote!.token });
  assert.equal(raft.role, "leader");
});

test("durability before words: a vote in a term that is known already is written too", () => {
  const machine = new Machine({ hardState: { term: 2, vote: null } });
  machine.now += 100;
  const effects = machine.from("b", voteFor(2));
  assert.deepEqual(only(effects, "persist")[0]?.hardState, { term: 2, vote: "b" });
});

test("a full disk: what a sole voter has sent to others it does not take back, but leads another term", () => {
  const machine = new Machine({ configuration: configurationOf(["a"], ["b"]) });
  const { raft } = machine;
  machine.from("b", ok(2, { term: raft.term }));
  machine.writes = false;
  const { term } = raft;
  assert.equal(sent(machine.propose("x"), "b").length, 1);
  const effects = machine.step({ type: "persist-refused", token: machine.pending[0]!.token });
  assert.deepEqual(only(effects, "truncated"), []);
  assert.deepEqual([raft.role, raft.lastIndex], ["follower", 3]);
  machine.writes = true;
  machine.after(100);
  machine.after(100);
  assert.deepEqual([raft.role, raft.term > term, raft.termAt(3)], ["leader", true, term]);
});

test("one thread of control (hashicorp/raft #695): an acknowledgement names the term in which the entries were taken", () => {
  const machine = new Machine({ configuration: configurationOf(["a", "b", "c", "d", "e"]) });
  machine.writes = false;
  machine.from("b", append({ term: 2, entries: commands(2, 2) }));
  machine.from("c", append({ term: 3, prevIndex: 1, prevTerm: 1, entries: commands(2, 3), round: 4 }));
  const first = sent(machine.write());
  const second = sent(machine.write());
  assert.deepEqual(
    [...first, ...second].map((message) => message.type === "append-response" && [message.term, message.index]),
    [
      [2, 2],
      [3, 2],
    ],
  );
  assert.equal(machine.raft.termAt(2), 3);
  // What the first write made durable is no longer in the log: it counts for nothing.
  assert.equal(machine.raft.stableIndex, 2);
});

test("stickiness (liveness under partial partitions): who hears a leader neither votes nor takes over a candidate's term", () => {
  const machine = new Machine();
  machine.from("b", append({}));
  machine.now += 49;
  assert.deepEqual(machine.from("c", voteFor(9)), []);
  assert.deepEqual([machine.raft.term, machine.raft.dropped["leader-alive"]], [2, 1]);
  machine.now += 1;
  assert.equal(sent(machine.from("c", voteFor(9))).length, 1);
});

test("stickiness: a leader that hears a majority does not either; one that does not, does", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2));
  machine.from("c", voteFor(9));
  assert.equal(machine.raft.role, "leader");
  machine.now += 50;
  machine.from("c", voteFor(9));
  assert.deepEqual([machine.raft.role, machine.raft.term], ["follower", 9]);
});

test("stickiness ends where the leader itself hands over", () => {
  const machine = new Machine();
  machine.from("b", append({}));
  assert.equal(sent(machine.from("c", voteFor(3, true))).length, 1);
  assert.equal(machine.raft.term, 3);
});

test("a lease that is longer than this server's own election timeout is kept all the same", () => {
  const machine = new Machine();
  machine.from("b", append({ leaseMs: 180 }));
  machine.now += 199;
  machine.from("c", voteFor(9));
  assert.equal(machine.raft.term, 2);
  machine.step({ type: "campaign" });
  assert.equal(machine.raft.role, "follower");
  machine.now += 1;
  machine.from("c", voteFor(9));
  assert.equal(machine.raft.term, 9);
});

test("the lease counts from the beginning of the round, and only as long as a majority answers", () => {
  const machine = new Machine();
  machine.lead("b");
  const electedMs = machine.now;
  machine.from("b", ok(2));
  assert.equal(machine.raft.canReadLocally(electedMs + 39), true);
  assert.equal(machine.raft.canReadLocally(electedMs + 40), false);
  machine.after(10);
  machine.now += 29;
  machine.from("b", ok(2, { round: 2 }));
  assert.equal(machine.raft.canReadLocally(electedMs + 49), true);
  assert.equal(machine.raft.canReadLocally(electedMs + 50), false);
  // An answer to no round at all lengthens nothing.
  machine.from("c", ok(2, { round: 0 }));
  assert.equal(machine.raft.canReadLocally(electedMs + 50), false);
});

test("a lease of 0 is no lease: reads ask a majority", () => {
  const machine = new Machine({ timings: { leaseMs: 0 } });
  machine.lead("b");
  machine.from("b", ok(2));
  assert.equal(machine.raft.canReadLocally(machine.now), false);
  machine.step({ type: "read-index", ref: 1 });
  assert.equal(only(machine.from("b", ok(2, { round: 2 })), "read-ready").length, 1);
});

test("a new leader waits for what it promised the last one, unless that has handed over", () => {
  // Elected as a candidate it has waited already; here its clock stands still at the end of the promise.
  const machine = new Machine();
  machine.from("b", append({ leaseMs: 90 }));
  machine.now += 100;
  machine.step({ type: "campaign" });
  machine.from("c", { type: "vote-response", term: 3, preVote: true, granted: true });
  machine.from("c", { type: "vote-response", term: 3, preVote: false, granted: true });
  machine.from("c", ok(2, { term: 3 }));
  assert.deepEqual(
    [machine.raft.canReadLocally(machine.now - 1), machine.raft.canReadLocally(machine.now)],
    [false, true],
  );

  const heir = new Machine();
  heir.from("b", append({}));
  heir.from("b", { type: "timeout-now", term: 2 });
  heir.from("c", { type: "vote-response", term: 3, preVote: false, granted: true });
  assert.equal(heir.raft.role, "leader");
  heir.from("c", ok(2, { term: 3 }));
  assert.equal(heir.raft.canReadLocally(heir.now), true);
});

test("read index (etcd #20418): an answer to an earlier round confirms no later read", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2));
  machine.step({ type: "read-index", ref: 1 });
  machine.step({ type: "read-index", ref: 2 });
  assert.deepEqual(only(machine.from("b", ok(2, { round: 1 })), "read-ready"), []);
  const first = machine.from("b", ok(2, { round: 2 }));
  assert.deepEqual(
    only(first, "read-ready").map((effect) => effect.refs),
    [[1]],
  );
  // The second came while the round of the first was under way, so it has one of its own.
  assert.deepEqual(only(machine.from("c", ok(2, { round: 2 })), "read-ready"), []);
  assert.deepEqual(
    only(machine.from("c", ok(2, { round: 3 })), "read-ready").map((effect) => effect.refs),
    [[2]],
  );
});

test("read index (etcd #20418): every attempt has a context of its own, in every life of the server", () => {
  const contexts = new Set<number>();
  for (let seed = 1; seed <= 50; seed += 1) {
    const machine = new Machine({ seed });
    machine.from("b", append({}));
    for (let ref = 0; ref < 5; ref += 1) {
      const [message] = sent(machine.step({ type: "read-index", ref }));
      assert.ok(message?.type === "read-index");
      contexts.add(message.context);
      machine.from("b", { type: "read-index-response", term: 2, context: message.context, index: 1 });
    }
  }
  assert.equal(contexts.size, 250);
});

test("read index: an answer with another context, from another server or of another term is none", () => {
  const machine = new Machine();
  machine.from("b", append({}));
  const [message] = sent(machine.step({ type: "read-index", ref: 1 }));
  assert.ok(message?.type === "read-index");
  const answer = { type: "read-index-response", term: 2, context: message.context, index: 1 } as const;
  for (const [from, wrong] of [
    ["b", { ...answer, context: answer.context + 1 }],
    ["c", answer],
    ["b", { ...answer, term: 1 }],
  ] as const) {
    assert.deepEqual(machine.from(from, wrong), []);
  }
  assert.deepEqual(machine.from("b", answer), [{ type: "read-ready", refs: [1], index: 1 }]);
});

test("read index: reads asked of a leader fail when it is no longer that", () => {
  const machine = new Machine();
  machine.from("b", append({}));
  machine.step({ type: "read-index", ref: 1 });
  machine.step({ type: "read-index", ref: 2 });
  const effects = machine.from("c", append({ term: 3 }));
  assert.deepEqual(only(effects, "read-failed"), [{ type: "read-failed", refs: [1, 2], leader: "c" }]);
});

test("changes of membership: not before the leader has committed in its term, and not two at once", () => {
  const machine = new Machine();
  machine.lead("b");
  const add = { type: "change", ref: 1, change: { kind: "add", id: "d", address: "d" } } as const;
  assert.deepEqual(only(machine.step(add), "rejected")[0]?.reason, "not-ready");
  machine.from("b", ok(2));
  assert.deepEqual(only(machine.step(add), "accepted").length, 1);
  const remove = { type: "change", ref: 2, change: { kind: "remove", id: "c" } } as const;
  assert.deepEqual(only(machine.step(remove), "rejected")[0]?.reason, "config-pending");
  machine.from("b", ok(3));
  assert.deepEqual(only(machine.step(remove), "accepted").length, 1);
});

test("transfer: a target that is behind is not told before it has caught up, and nothing is proposed meanwhile", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2));
  machine.propose("x");
  assert.deepEqual(
    sent(machine.step({ type: "transfer", ref: 7, to: "b" }), "b").filter((m) => m.type === "timeout-now"),
    [],
  );
  assert.equal(only(machine.propose("y"), "rejected")[0]?.reason, "transferring");
  const told = sent(machine.from("b", ok(3)), "b").filter((message) => message.type === "timeout-now");
  assert.equal(told.length, 1);
  assert.equal(machine.raft.canReadLocally(machine.now), false);
});

test("transfer: TimeoutNow counts from the leader of the term alone", () => {
  for (const [from, term] of [
    ["c", 2],
    ["b", 1],
    ["b", 5],
  ] as const) {
    const machine = new Machine();
    machine.from("b", append({}));
    machine.from(from, { type: "timeout-now", term });
    assert.notEqual(machine.raft.role, "candidate");
  }
});

test("snapshots: entries that are not durable here are not compacted, for they may have to be written again", () => {
  const machine = new Machine({ limits: { trailingEntries: 0 } });
  machine.from("b", append({}));
  machine.writes = false;
  machine.from("b", append({ commit: 3, entries: commands(2, 2, 2) }));
  const { configuration, index } = machine.raft.configurationAt(3);
  const point = { index: 3, term: 2, configuration, configurationIndex: index };
  machine.step({ type: "snapshot-taken", snapshot: point });
  assert.deepEqual([machine.raft.baseIndex, machine.raft.snapshotIndex], [1, 3]);
  machine.step({ type: "persist-refused", token: machine.pending[0]!.token });
  const [again] = only(machine.after(50), "persist");
  assert.deepEqual(
    again?.entries.map((entry) => entry.index),
    [2, 3],
  );
});

test("amnesia: a server that holds nothing votes for nobody and learns no term from candidates", () => {
  const machine = new Machine({ terms: [] });
  assert.deepEqual(machine.from("b", voteFor(3)), []);
  assert.deepEqual(machine.from("b", { ...voteFor(3), preVote: true }), []);
  assert.deepEqual([machine.raft.term, machine.raft.dropped["empty-log"]], [0, 2]);
});

test("amnesia: what a voter has lost counts no more for the commit", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2));
  machine.writes = false;
  machine.propose("x");
  machine.from("b", ok(3));
  const refusal = ok(3, { round: 2, success: false, lastIndex: 0 });
  machine.now += 10;
  machine.step({ type: "timeout" });
  assert.deepEqual(only(machine.from("b", refusal), "peer-lost-data"), [{ type: "peer-lost-data", peer: "b" }]);
  assert.deepEqual(committed(machine.write()), []);
  // It is not given the log again, however often it says so.
  assert.deepEqual(
    sent(machine.from("b", { ...refusal, round: 2 }), "b").filter(
      (m) => m.type === "append-entries" && m.entries.length > 0,
    ),
    [],
  );
});

test("amnesia: a late refusal from before the confirmation proves nothing", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2));
  assert.deepEqual(machine.from("b", ok(2, { success: false, lastIndex: 1, hintIndex: 1, hintTerm: 1 })), []);
  assert.equal(machine.raft.progress[0]!.state, "replicate");
});

test("amnesia: a non-voter that lost its data is given it again", () => {
  const machine = new Machine({ configuration: configurationOf(["a"], ["d"]) });
  machine.from("d", ok(2, { term: machine.raft.term }));
  machine.after(10);
  const refusal = ok(2, { term: machine.raft.term, round: 2, success: false });
  const [again] = sent(machine.from("d", refusal), "d");
  assert.ok(again?.type === "append-entries");
  assert.deepEqual([again.prevIndex, again.entries.length], [0, 2]);
});

test("overload: proposals are rejected when too much waits for commit, but one batch is always let in", () => {
  const machine = new Machine({ limits: { maxUncommittedBytes: 10 } });
  machine.lead("b");
  machine.from("b", ok(2));
  assert.equal(only(machine.propose("a text of more than ten bytes"), "accepted").length, 1);
  assert.equal(only(machine.propose("x"), "rejected")[0]?.reason, "overloaded");
  machine.from("b", ok(3));
  assert.equal(only(machine.propose("x"), "accepted").length, 1);
  assert.equal(only(machine.propose("123456789"), "accepted").length, 1);
  assert.equal(only(machine.propose("x"), "rejected")[0]?.reason, "overloaded");
});

test("a stalled process lets waiting messages in before it gives up on others", () => {
  const machine = new Machine();
  machine.from("b", append({}));
  machine.now = machine.raft.deadline! + 500;
  machine.step({ type: "timeout" });
  assert.equal(machine.raft.role, "follower");
  machine.from("b", append({ round: 2 }));
  assert.ok(machine.raft.deadline! >= machine.now + 50);
  // With nothing waiting it campaigns soon.
  machine.now = machine.raft.deadline! + 500;
  machine.step({ type: "timeout" });
  assert.equal(machine.raft.deadline, machine.now + 10);
  machine.after(10);
  assert.equal(machine.raft.role, "pre-candidate");
});

test("time that runs back is no time", () => {
  const machine = new Machine();
  machine.from("b", append({}));
  const { deadline } = machine.raft;
  machine.now -= 500;
  machine.from("b", append({ round: 2 }));
  assert.equal(machine.raft.deadline, deadline);
});

test("contact: how long ago a leader was heard", () => {
  const machine = new Machine();
  assert.equal(machine.raft.lastContact(machine.now), Infinity);
  machine.from("b", append({}));
  assert.equal(machine.raft.lastContact(machine.now + 7), 7);
  const leader = new Machine();
  leader.lead("b");
  assert.equal(leader.raft.lastContact(leader.now + 7), 0);
});
