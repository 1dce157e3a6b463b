// What Ongaro's thesis says a server does, sentence by sentence; each test names its section. Where this machine differs, the
// test says so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configurationOf } from "./group.ts";
import { append, commands, committed, Machine, ok, only, sent } from "./machine.ts";

const five = configurationOf(["a", "b", "c", "d", "e"]);

// ------------------------------------------------------------------------------------------- §3.3 Raft basics

test("§3.3: a server takes over a later term that it hears of, and follows", () => {
  for (const role of ["follower", "candidate", "leader"] as const) {
    const machine = new Machine({ configuration: five });
    if (role === "candidate") {
      machine.after(50, { type: "campaign" });
      for (const id of ["b", "c"]) {
        machine.from(id, { type: "vote-response", term: 2, preVote: true, granted: true });
      }
    }
    if (role === "leader") machine.lead("b", "c");
    assert.equal(machine.raft.role, role);
    machine.from("c", ok(0, { term: 9 }));
    assert.deepEqual([machine.raft.role, machine.raft.term, machine.raft.leader], ["follower", 9, null]);
  }
});

test("§3.3: a server refuses requests of an earlier term, and names its own", () => {
  const machine = new Machine({ hardState: { term: 5, vote: null } });
  const vote = { type: "request-vote", term: 4, preVote: false, transfer: false, lastIndex: 9, lastTerm: 4 } as const;
  assert.deepEqual(sent(machine.from("b", vote)), [{ type: "vote-response", term: 5, preVote: false, granted: false }]);
  const [refusal] = sent(machine.from("b", append({ term: 4 })));
  assert.ok(refusal?.type === "append-response" && !refusal.success && refusal.term === 5);
  assert.deepEqual([machine.raft.term, machine.raft.leader], [5, null]);
});

test("§3.3: responses of an earlier term are thrown away", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2, { term: 1 }));
  machine.from("b", { type: "read-index-response", term: 1, context: 1, index: 1 });
  assert.equal(machine.raft.dropped.stale, 2);
  assert.equal(machine.raft.progress[0]!.match, 0);
});

// ------------------------------------------------------------------------------------------- §3.4 Leader election

test("§3.4: a follower that hears no leader for an election timeout campaigns; one that does, does not", () => {
  const machine = new Machine();
  for (let i = 0; i < 20; i += 1) machine.after(30, { type: "message", from: "b", message: append({ round: i + 1 }) });
  assert.equal(machine.raft.role, "follower");
  machine.now = machine.raft.deadline!;
  machine.step({ type: "timeout" });
  // What came while it could not listen is let in first.
  assert.deepEqual([machine.raft.role, machine.raft.deadline], ["follower", machine.now + 2]);
  machine.after(2);
  assert.equal(machine.raft.role, "pre-candidate");
});

test("§3.4: election timeouts are random in [T, 2T), and drawn anew whenever a leader is heard of", () => {
  const seen = new Set<number>();
  for (let seed = 1; seed <= 200; seed += 1) {
    const machine = new Machine({ seed });
    const first = machine.raft.deadline! - machine.now;
    machine.from("b", append({ term: 2 }));
    const second = machine.raft.deadline! - machine.now;
    for (const timeout of [first, second]) {
      assert.ok(timeout >= 50 && timeout < 100, `timeout ${timeout}`);
      seen.add(timeout);
    }
  }
  assert.equal(seen.size, 50);
});

test("§3.4: a campaign that comes to nothing is soon followed by the next, then ever later, up to [T, 2T)", () => {
  const bounds = [
    [12, 26],
    [25, 51],
    [50, 100],
    [50, 100],
  ] as const;
  for (let seed = 1; seed <= 200; seed += 1) {
    const machine = new Machine({ seed });
    machine.now = machine.raft.deadline!;
    machine.after(0);
    machine.after(2);
    for (const [from, to] of bounds) {
      const timeout = machine.raft.deadline! - machine.now;
      assert.ok(timeout >= from && timeout < to, `timeout ${timeout}`);
      machine.now = machine.raft.deadline!;
      machine.step({ type: "timeout" });
      assert.equal(machine.raft.role, "pre-candidate");
    }
    machine.from("b", append({ term: 2 }));
    machine.now = machine.raft.deadline!;
    machine.after(0);
    machine.after(2);
    assert.ok(machine.raft.deadline! - machine.now < 26, "a leader was heard meanwhile");
  }
});

test("§3.4: a candidate raises its term, votes for itself and asks all other voters, once that is durable", () => {
  const machine = new Machine({ configuration: five });
  machine.writes = false;
  machine.after(50, { type: "campaign" });
  const grant = { type: "vote-response", term: 2, preVote: true, granted: true } as const;
  machine.from("b", grant);
  const [persist] = only(machine.from("c", grant), "persist");
  assert.deepEqual(persist?.hardState, { term: 2, vote: "a" });
  assert.deepEqual(
    persist?.then.map(({ to }) => to),
    ["b", "c", "d", "e"],
  );
  assert.deepEqual([machine.raft.role, machine.raft.term], ["candidate", 2]);
});

test("§3.4: a candidate wins with the votes of a majority, its own among them", () => {
  const machine = new Machine({ configuration: five });
  machine.lead("b", "c");
  assert.equal(machine.raft.role, "leader");
  const other = new Machine({ configuration: five });
  other.lead("b");
  other.from("b", { type: "vote-response", term: 2, preVote: false, granted: true });
  other.from("x", { type: "vote-response", term: 2, preVote: false, granted: true });
  assert.notEqual(other.raft.role, "leader");
});

test("§3.4: a candidate that a majority refuses follows again", () => {
  const machine = new Machine();
  machine.after(50, { type: "campaign" });
  machine.from("b", { type: "vote-response", term: 2, preVote: true, granted: true });
  assert.equal(machine.raft.role, "candidate");
  for (const id of ["b", "c"]) machine.from(id, { type: "vote-response", term: 2, preVote: false, granted: false });
  assert.deepEqual([machine.raft.role, machine.raft.term], ["follower", 2]);
});

test("§3.4: an answer to an earlier election does not count", () => {
  const machine = new Machine();
  machine.after(50, { type: "campaign" });
  machine.from("b", { type: "vote-response", term: 2, preVote: true, granted: true });
  machine.from("b", { type: "vote-response", term: 1, preVote: false, granted: true });
  machine.from("c", { type: "vote-response", term: 2, preVote: true, granted: true });
  assert.equal(machine.raft.role, "candidate");
});

test("§3.4: a candidate that hears a leader of its term follows it", () => {
  const machine = new Machine();
  machine.after(50, { type: "campaign" });
  machine.from("b", { type: "vote-response", term: 2, preVote: true, granted: true });
  machine.from("c", append({ term: 2 }));
  assert.deepEqual([machine.raft.role, machine.raft.leader], ["follower", "c"]);
});

test("§3.4: a server votes once in a term, for the first who asks, and again for the same", () => {
  const machine = new Machine();
  const ask = { type: "request-vote", term: 2, preVote: false, transfer: false, lastIndex: 1, lastTerm: 1 } as const;
  const granted = (from: string): boolean => {
    const [answer] = sent(machine.from(from, ask));
    return answer?.type === "vote-response" && answer.granted;
  };
  assert.deepEqual([granted("b"), granted("c"), granted("b")], [true, false, true]);
});

test("§3.4: there is no vote for a candidate when the term's leader is known", () => {
  const machine = new Machine();
  machine.from("b", append({ term: 2 }));
  machine.now += 50;
  const ask = { type: "request-vote", term: 2, preVote: false, transfer: false, lastIndex: 9, lastTerm: 2 } as const;
  assert.deepEqual(sent(machine.from("c", ask)), [{ type: "vote-response", term: 2, preVote: false, granted: false }]);
});

test("§3.4: a vote that was given puts the next campaign off; a later term that was heard of does not", () => {
  const machine = new Machine();
  const before = machine.raft.deadline!;
  machine.now += 40;
  const ask = { type: "request-vote", term: 2, preVote: false, transfer: false, lastIndex: 0, lastTerm: 0 } as const;
  machine.from("b", ask);
  assert.deepEqual([machine.raft.term, machine.raft.deadline], [2, before]);
  machine.from("c", { ...ask, lastIndex: 1, lastTerm: 1 });
  assert.ok(machine.raft.deadline! >= machine.now + 50);
});

// ------------------------------------------------------------------------------------------- §3.5 Log replication

test("§3.5: the leader appends a command and sends it to all, its own disk working meanwhile", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2));
  machine.from("c", ok(2));
  machine.writes = false;
  const effects = machine.propose("x");
  assert.deepEqual(only(effects, "accepted"), [{ type: "accepted", refs: [0], index: 3, term: 2 }]);
  for (const id of ["b", "c"]) {
    const [message] = sent(effects, id);
    assert.ok(message?.type === "append-entries");
    assert.deepEqual([message.prevIndex, message.prevTerm, message.entries.length, message.commit], [2, 2, 1, 2]);
  }
});

test("§3.5: followers at the same place are sent the same object", () => {
  const machine = new Machine({ configuration: five });
  machine.lead("b", "c");
  for (const id of ["b", "c", "d", "e"]) machine.from(id, ok(2));
  const messages = sent(machine.propose("x")).filter((message) => message.type === "append-entries");
  assert.equal(messages.length, 4);
  assert.equal(new Set(messages).size, 1);
});

test("§3.5: an entry is committed when a majority holds it, and so is all before it", () => {
  const machine = new Machine({ configuration: five });
  machine.lead("b", "c");
  machine.propose("x", "y");
  assert.deepEqual(committed(machine.from("b", ok(4))), []);
  assert.deepEqual(committed(machine.from("c", ok(3))), [1, 2, 3]);
  assert.deepEqual(committed(machine.from("c", ok(4))), [4]);
  assert.deepEqual(committed(machine.from("d", ok(4))), []);
});

test("§3.5: a follower commits what the leader says is committed, as far as it knows to hold the same", () => {
  const machine = new Machine();
  const effects = machine.from("b", append({ commit: 9, entries: commands(2, 2, 2) }));
  assert.deepEqual(committed(effects), [1, 2, 3]);
  // A heartbeat vouches for what is up to its own place, not for what is after it.
  const other = new Machine({ terms: [1, 1, 1] });
  assert.deepEqual(committed(other.from("b", append({ commit: 3 }))), [1]);
});

for (const [what, terms, prev, entries, after] of [
  ["an entry after the end", [1, 1], [2, 1], commands(3, 2), [1, 1, 2]],
  ["entries that it has", [1, 1, 1], [1, 1], commands(2, 1, 1), [1, 1, 1]],
  ["fewer entries than it has", [1, 1, 1], [1, 1], commands(2, 1), [1, 1, 1]],
  ["an entry against one of its own", [1, 1, 1], [1, 1], commands(2, 2), [1, 2]],
  ["one that it has and one against", [1, 1, 1], [1, 1], commands(2, 1, 2), [1, 1, 2]],
  ["entries after a gap", [1], [2, 1], commands(3, 2), [1]],
  ["entries after another entry", [1, 1], [2, 2], commands(3, 2), [1, 1]],
] as const) {
  test(`§3.5: a follower of terms ${terms.join(" ")} that is sent ${what} holds ${after.join(" ")}`, () => {
    const machine = new Machine({ terms });
    const message = append({ prevIndex: prev[0], prevTerm: prev[1], entries });
    const [answer] = sent(machine.from("b", message));
    const { raft } = machine;
    assert.deepEqual(
      raft.entriesBetween(1, raft.lastIndex).map((entry) => entry.term),
      after,
    );
    const isMatch = terms[prev[0] - 1] === prev[1];
    assert.ok(answer?.type === "append-response");
    assert.deepEqual([answer.success, answer.index], isMatch ? [true, prev[0] + entries.length] : [false, prev[0]]);
  });
}

test("§3.5: a refused leader goes back to where the logs may meet, and no further than the hint says", () => {
  const machine = new Machine({ terms: [1, 1, 1, 3, 3] });
  machine.lead("b");
  const refusal = ok(5, { term: machine.raft.term, success: false, hintIndex: 5, hintTerm: 2, lastIndex: 5 });
  const [again] = sent(machine.from("b", refusal), "b");
  assert.ok(again?.type === "append-entries");
  assert.deepEqual([again.prevIndex, again.entries.length], [3, 3]);
});

// ------------------------------------------------------------------------------------------- §3.6 Safety

test("§3.6.1: nobody votes for a candidate whose log is less complete", () => {
  for (const [lastIndex, lastTerm, granted] of [
    [3, 2, true],
    [4, 2, true],
    [2, 2, false],
    [9, 1, false],
    [1, 3, true],
  ] as const) {
    const machine = new Machine({ terms: [1, 2, 2] });
    const machine2 = new Machine({ terms: [1, 2, 2] });
    machine.now += 50;
    machine2.now += 50;
    const ask = { type: "request-vote", term: 4, preVote: false, transfer: false, lastIndex, lastTerm } as const;
    const answer = { type: "vote-response", preVote: false, granted };
    assert.deepEqual(sent(machine.from("b", ask)), [{ ...answer, term: 4 }]);
    // Pre-votes are given by the same rule.
    const [pre] = sent(machine2.from("b", { ...ask, preVote: true }));
    assert.deepEqual(pre, { ...answer, preVote: true, term: granted ? 4 : 2 });
  }
});

test("§3.6.2: an entry of an earlier term is not committed by counting (Figure 3.7)", () => {
  const machine = new Machine({ terms: [1, 2], configuration: five, hardState: { term: 3, vote: null } });
  machine.lead("b", "c");
  for (const id of ["b", "c", "d"]) {
    assert.deepEqual(committed(machine.from(id, ok(2, { term: 4 }))), []);
  }
  machine.from("b", ok(3, { term: 4 }));
  assert.deepEqual(committed(machine.from("c", ok(3, { term: 4 }))), [1, 2, 3]);
});

test("§3.6.3: what is committed is never replaced, whoever asks for it", () => {
  const machine = new Machine();
  machine.from("b", append({ commit: 3, entries: commands(2, 2, 2) }));
  const evil = append({ term: 5, prevIndex: 1, prevTerm: 1, entries: commands(2, 5) });
  assert.deepEqual(sent(machine.from("c", evil)), []);
  assert.deepEqual(sent(machine.from("c", append({ term: 5, prevIndex: 3, prevTerm: 4 }))), []);
  assert.equal(machine.raft.dropped.conflict, 2);
  assert.deepEqual([machine.raft.termAt(2), machine.raft.lastIndex], [2, 3]);
});

// ------------------------------------------------------------------------------------------- §3.8 Persistence

test("§3.8: a vote leaves when term and vote are durable, in one record", () => {
  const machine = new Machine();
  machine.writes = false;
  const ask = { type: "request-vote", term: 2, preVote: false, transfer: false, lastIndex: 1, lastTerm: 1 } as const;
  const effects = machine.from("b", ask);
  assert.deepEqual(sent(effects), []);
  const [persist] = only(effects, "persist");
  assert.deepEqual(persist?.hardState, { term: 2, vote: "b" });
  assert.deepEqual(persist?.then.length, 1);
  // Asked again meanwhile, it still says nothing before.
  assert.deepEqual(sent(machine.from("b", ask)), []);
  assert.equal(sent(machine.write()).length, 2);
});

test("§3.8: entries are confirmed when they are durable", () => {
  const machine = new Machine();
  machine.from("b", append({}));
  machine.writes = false;
  const effects = machine.from("b", append({ entries: commands(2, 2) }));
  assert.deepEqual(sent(effects), []);
  assert.deepEqual(sent(machine.from("b", append({ entries: commands(2, 2) }))), []);
  const [heartbeat] = sent(machine.from("b", append({ prevIndex: 2, prevTerm: 2 })));
  assert.ok(heartbeat?.type === "append-response" && heartbeat.success && heartbeat.index === 1);
  assert.deepEqual(
    sent(machine.write()).map((message) => (message.type === "append-response" ? message.index : null)),
    [2, 2],
  );
});

test("§3.8: even a heartbeat is not answered in a term that a crash could take back", () => {
  const machine = new Machine();
  machine.writes = false;
  assert.deepEqual(sent(machine.from("b", append({ term: 7 }))), []);
  assert.equal(sent(machine.write()).length, 1);
});

test("§10.2.1: the leader counts itself when its own disk is done, and can do without", () => {
  const machine = new Machine();
  machine.lead("b");
  machine.from("b", ok(2));
  machine.writes = false;
  machine.propose("x");
  assert.deepEqual(committed(machine.from("b", ok(3))), []);
  assert.deepEqual(committed(machine.write()), [3]);
  machine.propose("y");
  machine.from("b", ok(4));
  assert.deepEqual(committed(machine.from("c", ok(4))), [4]);
});

// ------------------------------------------------------------------------------------------- chapters 4 and 5

test("§4.1: a server takes the newest configuration of its log, committed or not, and rolls it back", () => {
  const machine = new Machine({ configuration: configurationOf(["a", "b"]) });
  const entry = {
    ...commands(2, 2)[0]!,
    kind: "config",
    data: new TextEncoder().encode(JSON.stringify(five)),
  } as const;
  machine.from("b", append({ entries: [entry] }));
  assert.deepEqual([machine.raft.configuration, machine.raft.configurationIndex], [five, 2]);
  const effects = machine.from("b", append({ term: 3, entries: commands(2, 3) }));
  assert.deepEqual(only(effects, "configuration").length, 1);
  assert.deepEqual(machine.raft.configuration, configurationOf(["a", "b"]));
});

test("§4.1: requests of servers outside the configuration are answered all the same", () => {
  const machine = new Machine();
  machine.now += 50;
  const ask = { type: "request-vote", term: 2, preVote: false, transfer: false, lastIndex: 1, lastTerm: 1 } as const;
  assert.deepEqual(sent(machine.from("stranger", ask)).length, 1);
  assert.deepEqual(sent(machine.from("stranger", append({ term: 3 }))).length, 1);
  assert.equal(machine.raft.leader, "stranger");
});

const snapshot = { index: 3, term: 1, configuration: five, configurationIndex: 1 };

test("§5.3: a snapshot takes the place of a log that does not lead up to it, with the configuration it carries", () => {
  const machine = new Machine({ configuration: configurationOf(["a", "b"]), terms: [1, 1] });
  const effects = machine.step({ type: "snapshot-received", from: "b", term: 4, snapshot });
  assert.deepEqual(only(effects, "install-snapshot").length, 1);
  assert.deepEqual(only(effects, "truncated"), [{ type: "truncated", fromIndex: 1, lost: false }]);
  const { raft } = machine;
  assert.deepEqual([raft.term, raft.baseIndex, raft.commitIndex, raft.lastIndex, raft.snapshotIndex], [4, 3, 3, 3, 3]);
  assert.deepEqual(raft.configuration, five);
  assert.deepEqual(
    sent(effects, "b").map((message) => message.type === "append-response" && message.index),
    [3],
  );
  const next = machine.from("b", append({ term: 4, prevIndex: 3, prevTerm: 1, entries: commands(4, 4), commit: 4 }));
  assert.deepEqual(committed(next), [4]);
});

test("§5.3: a log that leads up to the snapshot stays; the snapshot only tells what is committed", () => {
  const machine = new Machine({ configuration: five, terms: [1, 1, 1, 1, 1] });
  const effects = machine.step({ type: "snapshot-received", from: "b", term: 1, snapshot });
  assert.deepEqual(only(effects, "install-snapshot"), []);
  assert.deepEqual(only(effects, "snapshot-refused").length, 1);
  assert.deepEqual(committed(effects), [1, 2, 3]);
  assert.equal(machine.raft.lastIndex, 5);
});

test("§5.3: a tail that contradicts the snapshot goes with it", () => {
  const machine = new Machine({ configuration: five, terms: [1, 1, 2, 2, 2] });
  machine.step({ type: "snapshot-received", from: "b", term: 3, snapshot: { ...snapshot, term: 3 } });
  assert.deepEqual([machine.raft.lastIndex, machine.raft.lastTerm], [3, 3]);
});

test("§5.3: a candidate whose log is replaced campaigns no more", () => {
  const machine = new Machine({ configuration: configurationOf(["a", "b", "c"]), terms: [1, 1, 2, 2, 2] });
  machine.after(100, { type: "campaign" });
  machine.from("b", { type: "vote-response", term: 3, preVote: true, granted: true });
  assert.equal(machine.raft.role, "candidate");
  machine.step({ type: "snapshot-received", from: "b", term: 2, snapshot: { ...snapshot, index: 7, term: 2 } });
  machine.from("c", { type: "vote-response", term: 3, preVote: false, granted: true });
  assert.deepEqual([machine.raft.role, machine.raft.lastIndex], ["follower", 7]);
});

test("§5.3, differently: a snapshot is of use whoever sent it, for what it holds is committed", () => {
  const machine = new Machine({ configuration: five, hardState: { term: 9, vote: null } });
  const effects = machine.step({ type: "snapshot-received", from: "b", term: 4, snapshot });
  assert.deepEqual(only(effects, "install-snapshot").length, 1);
  assert.deepEqual([machine.raft.term, machine.raft.leader], [9, null]);
});

// ------------------------------------------------------------------------------------------- chapter 6 and §9.6

test("§6.4: a leader leads no read before it has committed in its term", () => {
  const machine = new Machine();
  machine.lead("b");
  assert.deepEqual(only(machine.step({ type: "read-index", ref: 1 }), "read-ready"), []);
  assert.equal(machine.raft.canReadLocally(machine.now), false);
  machine.from("b", ok(2, { round: 1 }));
  assert.equal(machine.raft.canReadLocally(machine.now), true);
  assert.deepEqual(only(machine.from("b", ok(2, { round: 2 })), "read-ready"), [
    { type: "read-ready", refs: [1], index: 2 },
  ]);
});

test("§6.4: what a follower hears of its leader's commits is not enough for a read of its own", () => {
  const machine = new Machine();
  machine.from("b", append({ commit: 1 }));
  assert.equal(machine.raft.canReadLocally(machine.now), false);
  assert.deepEqual(sent(machine.step({ type: "read-index", ref: 1 })).length, 1);
});

test("§9.6: a pre-vote changes nothing at the server that gives it", () => {
  const machine = new Machine();
  const ask = { type: "request-vote", term: 2, preVote: true, transfer: false, lastIndex: 1, lastTerm: 1 } as const;
  const before = machine.raft.deadline;
  const effects = machine.from("b", ask);
  assert.deepEqual(effects, [
    { type: "send", to: "b", message: { type: "vote-response", term: 2, preVote: true, granted: true } },
  ]);
  assert.deepEqual([machine.raft.term, machine.raft.deadline], [1, before]);
  assert.equal(sent(machine.from("c", ask)).length, 1);
});

test("§9.6: a refused pre-candidate that is behind takes over the term and does not campaign in it", () => {
  const machine = new Machine();
  machine.after(50, { type: "campaign" });
  machine.from("b", { type: "vote-response", term: 7, preVote: true, granted: false });
  assert.deepEqual([machine.raft.role, machine.raft.term], ["follower", 7]);
});
