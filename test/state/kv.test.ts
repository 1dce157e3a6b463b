import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command, CommandValue, LockSeen } from "../../src/state/command.ts";
import { bytes, kv, Log, register, session, text } from "./fixtures.ts";

/** A log with sessions s1 and s2 on node n. */
function withSessions(): Log {
  const log = new Log();
  log.value(register("n"));
  log.value({ type: "session.create", session: session("s1", "n") });
  log.value({ type: "session.create", session: session("s2", "n") });
  return log;
}

/** What a key shows, without its indexes. */
function shown(log: Log, key: string): string | null {
  const entry = log.store.kvGet(key).value;
  return entry === null
    ? null
    : `${text(entry.Value)} flags ${entry.Flags} lock ${entry.LockIndex} ${entry.Session ?? "-"}`;
}

interface Step {
  do: Command | ((log: Log) => Command);
  gives: CommandValue | { refused: string };
  shows: string | null;
  /** True when the command changes the key. */
  moves: boolean;
}

const set: Step = { do: kv.set("k", "v", 7), gives: true, shows: "v flags 7 lock 0 -", moves: true };
const lock: Step = { do: kv.lock("k", "s1", "mine"), gives: true, shows: "mine flags 0 lock 1 s1", moves: true };
const current = (log: Log): number => log.store.kvGet("k").index;

const scripts: { name: string; steps: Step[] }[] = [
  { name: "a set, then the same set: moves the index once", steps: [set, { ...set, moves: false }] },
  {
    name: "a set with other flags or another value: moves the index",
    steps: [
      set,
      { do: kv.set("k", "v", 8), gives: true, shows: "v flags 8 lock 0 -", moves: true },
      { do: kv.set("k", "w", 8), gives: true, shows: "w flags 8 lock 0 -", moves: true },
    ],
  },
  {
    name: "flags of 64 bits: are kept whole",
    steps: [
      {
        do: kv.set("k", "v", 18446744073709551615n),
        gives: true,
        shows: "v flags 18446744073709551615 lock 0 -",
        moves: true,
      },
      {
        do: kv.set("k", "v", 18446744073709551615n),
        gives: true,
        shows: "v flags 18446744073709551615 lock 0 -",
        moves: false,
      },
    ],
  },
  {
    name: "a cas of 0 (W13): creates, and does not replace",
    steps: [
      { do: kv.cas("k", "first", 0), gives: true, shows: "first flags 0 lock 0 -", moves: true },
      { do: kv.cas("k", "second", 0), gives: false, shows: "first flags 0 lock 0 -", moves: false },
      { do: kv.cas("k", "second", 0n), gives: false, shows: "first flags 0 lock 0 -", moves: false },
    ],
  },
  {
    name: "a cas of an index: replaces that one and no other",
    steps: [
      { do: kv.cas("k", "x", 99), gives: false, shows: null, moves: false },
      set,
      { do: kv.cas("k", "x", 1), gives: false, shows: "v flags 7 lock 0 -", moves: false },
      { do: (log) => kv.cas("k", "x", current(log)), gives: true, shows: "x flags 0 lock 0 -", moves: true },
      { do: kv.cas("k", "x", 2n ** 60n), gives: false, shows: "x flags 0 lock 0 -", moves: false },
    ],
  },
  {
    name: "a delete: removes, and is true of what is not there",
    steps: [
      { do: kv.delete("k"), gives: true, shows: null, moves: false },
      set,
      { do: kv.delete("k"), gives: true, shows: null, moves: true },
    ],
  },
  {
    name: "a delete with cas (W13): true of what is not there, 0 deletes nothing",
    steps: [
      { do: kv.deleteCas("k", 5), gives: true, shows: null, moves: false },
      { do: kv.deleteCas("k", 0), gives: true, shows: null, moves: false },
      set,
      { do: kv.deleteCas("k", 0), gives: false, shows: "v flags 7 lock 0 -", moves: false },
      { do: kv.deleteCas("k", 1), gives: false, shows: "v flags 7 lock 0 -", moves: false },
      { do: (log) => kv.deleteCas("k", current(log)), gives: true, shows: null, moves: true },
    ],
  },
  {
    name: "a lock: is taken once, counted, and kept from others",
    steps: [
      lock,
      { do: kv.lock("k", "s2", "theirs"), gives: false, shows: "mine flags 0 lock 1 s1", moves: false },
      { do: kv.lock("k", "s1", "still"), gives: true, shows: "still flags 0 lock 1 s1", moves: true },
      { do: kv.lock("k", "s1", "still"), gives: true, shows: "still flags 0 lock 1 s1", moves: false },
      { do: kv.unlock("k", "s2", "no"), gives: false, shows: "still flags 0 lock 1 s1", moves: false },
      { do: kv.unlock("k", "s1", ""), gives: true, shows: " flags 0 lock 1 -", moves: true },
      { do: kv.unlock("k", "s1", ""), gives: false, shows: " flags 0 lock 1 -", moves: false },
      { do: kv.lock("k", "s2", "now"), gives: true, shows: "now flags 0 lock 2 s2", moves: true },
    ],
  },
  {
    name: "a lock on a key that was only set: starts at 1",
    steps: [set, { do: kv.lock("k", "s1", "x"), gives: true, shows: "x flags 0 lock 1 s1", moves: true }],
  },
  {
    name: "a set of a locked key: succeeds, and leaves the lock",
    steps: [lock, { do: kv.set("k", "over"), gives: true, shows: "over flags 0 lock 1 s1", moves: true }],
  },
  {
    name: "a lock without a living session: is refused with the text that clients look for (W6)",
    steps: [
      { do: kv.lock("k", "gone"), gives: { refused: 'invalid session "gone"' }, shows: null, moves: false },
      { do: kv.lock("k", ""), gives: { refused: "missing session" }, shows: null, moves: false },
      { do: kv.unlock("k", ""), gives: { refused: "missing session" }, shows: null, moves: false },
      { do: kv.unlock("k", "s1"), gives: false, shows: null, moves: false },
    ],
  },
  {
    name: "a session's ID in another case: is the same session",
    steps: [
      { do: kv.lock("k", "S1", "a"), gives: true, shows: "a flags 0 lock 1 s1", moves: true },
      { do: { type: "session.destroy", id: "S1" }, gives: true, shows: "a flags 0 lock 1 -", moves: true },
    ],
  },
];

for (const { name, steps } of scripts) {
  test(`${name}`, () => {
    const log = withSessions();
    for (const [i, step] of steps.entries()) {
      const before = log.store.kvGet("k");
      const command = typeof step.do === "function" ? step.do(log) : step.do;
      if (typeof step.gives === "object" && "refused" in step.gives) {
        assert.equal(log.refusal(command), step.gives.refused);
      } else {
        assert.equal(log.value(command), step.gives, `step ${i}`);
      }
      assert.equal(shown(log, "k"), step.shows, `step ${i}`);
      const after = log.store.kvGet("k");
      assert.equal(after.index, step.moves ? log.index : before.index, `step ${i}`);
      if (after.value !== null && before.value !== null)
        assert.equal(after.value.CreateIndex, before.value.CreateIndex);
    }
  });
}

test("delete-tree: takes a prefix of text, not of folders", () => {
  const log = new Log();
  for (const key of ["d/a", "d/b/x", "d/b/y", "d/bc", "e"]) log.value(kv.set(key));
  const { changes, topics } = log.apply(kv.deleteTree("d/b"));
  assert.deepEqual(
    changes.map(({ key, after }) => [key, after]),
    [
      ["d/b/x", null],
      ["d/b/y", null],
      ["d/bc", null],
    ],
  );
  assert.deepEqual(topics, ["kv:d/b/x", "kv:d/b/y", "kv:d/bc"]);
  assert.deepEqual(log.store.kvKeys("", "").value, ["d/a", "e"]);
  assert.deepEqual(log.apply(kv.deleteTree("zz")).changes, []);
  log.value(kv.deleteTree(""));
  assert.deepEqual(log.store.kvKeys("", "").value, []);
});

test("keys: are cut at the separator, as the recorded Consul cuts them", () => {
  const log = new Log();
  for (const key of ["l/a", "l/b/c", "l/b/d", "l/e", "l2"]) log.value(kv.set(key));
  const table: [prefix: string, separator: string, keys: string[]][] = [
    ["l", "", ["l/a", "l/b/c", "l/b/d", "l/e", "l2"]],
    ["l/", "/", ["l/a", "l/b/", "l/e"]],
    ["l", "/", ["l/", "l2"]],
    ["l/b/", "/", ["l/b/c", "l/b/d"]],
    ["l/a", "", ["l/a"]],
    ["", "/", ["l/", "l2"]],
    ["nothing", "", []],
    ["l/", "b/", ["l/a", "l/b/", "l/e"]],
  ];
  for (const [prefix, separator, keys] of table) {
    assert.deepEqual(log.store.kvKeys(prefix, separator).value, keys, `${prefix} by ${separator}`);
  }
  assert.deepEqual(
    log.store.kvList("l/b").value.map(({ Key }) => Key),
    ["l/b/c", "l/b/d"],
  );
});

test("a key's index: is its own, of a missing key at least 1, and of a deleted one that of its deletion (W2, W3)", () => {
  const log = new Log();
  assert.equal(log.store.kvGet("none").index, 1);
  log.value(kv.set("a"));
  log.value(kv.set("b"));
  assert.deepEqual([log.store.kvGet("a").index, log.store.kvGet("b").index, log.store.kvGet("none").index], [2, 3, 1]);
  log.value(kv.delete("a"));
  assert.equal(log.store.kvGet("a").index, 4);
  log.value(kv.set("c"));
  assert.equal(log.store.kvGet("a").index, 4, "what others do does not move it");
});

test("a prefix's index: is the last change's under it, deletions too, and nothing else's", () => {
  const log = new Log();
  log.value(kv.set("a/1"));
  log.value(kv.set("a/2"));
  log.value(kv.set("b/1"));
  const indexes = (): number[] => ["", "a/", "a/1", "b/", "c/"].map((prefix) => log.store.kvList(prefix).index);
  assert.deepEqual(indexes(), [4, 3, 2, 4, 1]);
  log.value(kv.delete("a/2"));
  assert.deepEqual(indexes(), [5, 5, 2, 4, 1]);
  log.value(kv.set("a/2"));
  assert.deepEqual(indexes(), [6, 6, 2, 4, 1]);
});

test("a value: is shared, not copied", () => {
  const log = new Log();
  const value = bytes("x");
  log.value({ type: "kv.set", key: "k", value, flags: 0 });
  assert.equal(log.store.kvGet("k").value?.Value, value);
});

test("a lock that another session held, or that was free, when the leader looked: refused when it was lost since", () => {
  const take = (seen: LockSeen): Command => ({
    type: "kv.lock",
    key: "k",
    value: bytes("taken"),
    flags: 0,
    session: "s2",
    seen,
  });
  const cases: [name: string, before: Command[], seen: LockSeen, gives: boolean][] = [
    ["its holder has ended", [{ type: "session.destroy", id: "s1" }], { lockIndex: 1, holder: "s1" }, false],
    ["its holder has given it back", [kv.unlock("k", "s1")], { lockIndex: 1, holder: "s1" }, true],
    ["it was taken and lost since it was free", [{ type: "session.destroy", id: "s1" }], { lockIndex: 0 }, false],
    ["it was deleted and is free", [kv.unlock("k", "s1"), kv.delete("k")], { lockIndex: 1 }, true],
    ["its holder's end was seen", [{ type: "session.destroy", id: "s1" }], { lockIndex: 1 }, true],
  ];
  for (const [name, before, seen, gives] of cases) {
    const log = withSessions();
    log.value(kv.lock("k", "s1", "mine"));
    for (const command of before) log.value(command);
    assert.equal(log.value(take(seen)), gives, name);
    assert.equal(log.store.kvGet("k").value?.Session, gives ? "s2" : undefined, name);
  }
});
