// What comes from the network may be late, doubled, or made by somebody who means no good. It is thrown away and counted; it
// never throws, and never changes what is committed.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DropReason, Message, RaftInput } from "../../src/raft/types.ts";
import { Random } from "../../src/util/random.ts";
import { configurationOf } from "./group.ts";
import { append, commands, Machine, ok } from "./machine.ts";

const NaNs = [NaN, -1, 1.5, Infinity, 2 ** 53];
const vote = { type: "request-vote", term: 2, preVote: false, transfer: false, lastIndex: 1, lastTerm: 1 } as const;
const [entry] = commands(2, 2);

const malformed: [string, Message][] = [
  ...NaNs.flatMap((value): [string, Message][] => [
    [`term ${value}`, append({ term: value })],
    [`previous index ${value}`, append({ prevIndex: value })],
    [`previous term ${value}`, append({ prevTerm: value })],
    [`commit ${value}`, append({ commit: value })],
    [`round ${value}`, append({ round: value })],
    [`last index ${value}`, { ...vote, lastIndex: value }],
    [`last term ${value}`, { ...vote, lastTerm: value }],
    [`acknowledged index ${value}`, ok(value)],
    [`acknowledged round ${value}`, ok(1, { round: value })],
    [`hint ${value}`, ok(1, { success: false, hintIndex: value })],
    [`context ${value}`, { type: "read-index", term: 2, context: value }],
    [`read index ${value}`, { type: "read-index-response", term: 2, context: 1, index: value }],
  ]),
  ["a lease of a day", append({ leaseMs: 86_400_000 })],
  ["a lease that is no number", append({ leaseMs: NaN })],
  ["term 0", append({ term: 0 })],
  ["the last of all terms", append({ term: Number.MAX_SAFE_INTEGER })],
  ["a previous entry of a later term", append({ prevTerm: 3 })],
  ["index 0 with a term", append({ prevIndex: 0, prevTerm: 1 })],
  ["an index without a term", append({ prevIndex: 1, prevTerm: 0 })],
  ["a gap before the entries", append({ entries: commands(3, 2) })],
  ["a gap in the entries", append({ entries: [...commands(2, 2), ...commands(4, 2)] })],
  ["terms that fall", append({ entries: commands(2, 2, 1) })],
  ["an entry of a later term", append({ entries: commands(2, 3) })],
  ["an entry of term 0", append({ prevIndex: 0, prevTerm: 0, entries: commands(1, 0) })],
  ["an entry of an unknown kind", append({ entries: [{ ...entry!, kind: "evil" as "noop" }] })],
  ["an unreadable configuration", append({ entries: [{ ...entry!, kind: "config" }] })],
  ["a candidate with a log of a later term", { ...vote, lastTerm: 3 }],
  ["a hint beyond what was refused", ok(1, { success: false, hintIndex: 5 })],
  ["an unknown type", { type: "evil", term: 2 } as unknown as Message],
];
for (const [what, message] of malformed) {
  test(`a message with ${what} is thrown away`, () => {
    const machine = new Machine();
    const effects = machine.from("b", message);
    assert.deepEqual(
      effects.filter((effect) => effect.type === "send" || effect.type === "commit"),
      [],
    );
    assert.equal(machine.raft.dropped.malformed, 1);
    assert.deepEqual([machine.raft.lastIndex, machine.raft.commitIndex], [1, 0]);
  });
}

const dropped: [DropReason, string, (machine: Machine) => void][] = [
  ["malformed", "from itself", (machine) => machine.from("a", append({}))],
  ["malformed", "from nobody", (machine) => machine.from("", append({}))],
  [
    "conflict",
    "of a second leader in a term",
    (machine) => {
      machine.from("b", append({}));
      machine.from("c", append({}));
    },
  ],
  [
    "conflict",
    "of another leader in the term that this one leads",
    (machine) => {
      machine.lead("b");
      machine.from("c", append({}));
    },
  ],
  [
    "unknown-peer",
    "of a server outside the group",
    (machine) => {
      machine.lead("b");
      machine.from("x", ok(2));
    },
  ],
  [
    "malformed",
    "that acknowledges more than there is",
    (machine) => {
      machine.lead("b");
      machine.from("b", ok(3));
    },
  ],
  [
    "malformed",
    "that answers a round that never was",
    (machine) => {
      machine.lead("b");
      machine.from("b", ok(2, { round: 9 }));
    },
  ],
  ["stale", "that acknowledges entries to a follower", (machine) => machine.from("b", ok(1, { term: 1 }))],
  [
    "stale",
    "that grants a vote that nobody asked for",
    (machine) => {
      machine.from("b", { type: "vote-response", term: 1, preVote: false, granted: true });
    },
  ],
  ["unexpected", "that confirms a write that never was", (machine) => machine.step({ type: "persisted", token: 99 })],
  [
    "unexpected",
    "that refuses a write that never was",
    (machine) => machine.step({ type: "persist-refused", token: 99 }),
  ],
  [
    "unexpected",
    "that bootstraps a server that holds something",
    (machine) => {
      machine.step({ type: "bootstrap", configuration: configurationOf(["a"]) });
    },
  ],
  [
    "malformed",
    "with a snapshot of nobody",
    (machine) => {
      const snapshot = { index: 5, term: 1, configuration: { servers: [] }, configurationIndex: 1 };
      machine.step({ type: "snapshot-received", from: "b", term: 1, snapshot });
    },
  ],
];
for (const [reason, what, act] of dropped) {
  test(`an input ${what} is thrown away`, () => {
    const machine = new Machine();
    act(machine);
    assert.equal(machine.raft.dropped[reason], 1);
  });
}

test("any input of the right type, in any state, neither throws nor takes back what is committed", () => {
  const random = new Random(11);
  const small = (): number => random.below(6);
  const pick = <T>(...from: T[]): T => from[random.below(from.length)]!;
  const flag = (): boolean => random.below(2) === 0;
  const message = (): Message =>
    pick<() => Message>(
      () => ({
        type: "request-vote",
        term: small(),
        preVote: flag(),
        transfer: flag(),
        lastIndex: small(),
        lastTerm: small(),
      }),
      () => ({ type: "vote-response", term: small(), preVote: flag(), granted: flag() }),
      () => {
        const [prevIndex, prevTerm, term] = [small(), small(), small()];
        const entries = commands(prevIndex + 1, ...Array.from({ length: random.below(3) }, () => pick(prevTerm, term)));
        return append({ term, prevIndex, prevTerm, commit: small(), round: small(), leaseMs: pick(0, 40), entries });
      },
      () =>
        ok(small(), {
          term: small(),
          round: small(),
          success: flag(),
          hintIndex: small(),
          hintTerm: small(),
          lastIndex: small(),
        }),
      () => ({ type: "timeout-now", term: small() }),
      () => ({ type: "read-index", term: small(), context: small() }),
      () => ({ type: "read-index-response", term: small(), context: small(), index: pick(null, small()) }),
    )();
  const input = (machine: Machine): RaftInput =>
    pick<() => RaftInput>(
      () => ({ type: "timeout" }),
      () => ({ type: "campaign" }),
      () => ({ type: "propose", entries: [{ ref: small(), data: new Uint8Array(small()) }] }),
      () => ({ type: "persisted", token: machine.pending[0]?.token ?? small() }),
      () => ({ type: "persist-refused", token: machine.pending[0]?.token ?? small() }),
      () => ({
        type: "change",
        ref: 1,
        change: { kind: pick("promote", "demote", "remove"), id: pick("a", "b", "c", "d") },
      }),
      () => ({ type: "change", ref: 1, change: { kind: "add", id: "d", address: pick("d", "e") } }),
      () => ({ type: "transfer", ref: 1, to: pick(null, "a", "b", "x") }),
      () => ({ type: "read-index", ref: 1 }),
      () => ({ type: "unreachable", peer: pick("b", "x") }),
      () => ({ type: "snapshot-sent", peer: pick("b", "x"), index: small(), ok: flag() }),
      () => {
        const snapshot = {
          index: small(),
          term: small(),
          configuration: configurationOf(["a", "b", "c"]),
          configurationIndex: 1,
        };
        return { type: "snapshot-received", from: pick("b", "c"), term: small(), snapshot };
      },
    )();
  for (let run = 0; run < 300; run += 1) {
    const machine = new Machine({ seed: run, terms: run % 2 === 0 ? [1] : [1, 1, 2, 2] });
    machine.writes = flag();
    for (let step = 0; step < 100; step += 1) {
      machine.now += random.below(30);
      const { raft } = machine;
      const commit = raft.commitIndex;
      const term = commit > 0 ? raft.termAt(commit) : null;
      if (flag()) machine.from(pick("b", "c", "d"), message());
      else {
        const next = input(machine);
        if (next.type === "persisted" || next.type === "persist-refused") machine.pending.shift();
        if (next.type === "persist-refused") machine.pending.length = 0;
        machine.step(next);
      }
      assert.ok(raft.commitIndex >= commit);
      if (raft.commitIndex === commit && commit > 0) assert.equal(raft.termAt(commit), term);
    }
  }
});
