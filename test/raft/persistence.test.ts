import assert from "node:assert/strict";
import { test } from "node:test";
import { Log } from "../../src/raft/log.ts";
import { Persistence } from "../../src/raft/persistence.ts";
import type { HardState, Message, RaftEffect } from "../../src/raft/types.ts";
import { configurationOf } from "./group.ts";
import { commands } from "./machine.ts";
import { printEffect } from "./print.ts";

const message: Message = { type: "timeout-now", term: 1 };
const hardState: HardState = { term: 1, vote: "a" };

/** A log of `count` entries with its persistence, and what it emits in text. */
function setUp(count: number): { log: Log; persistence: Persistence; flush: (now?: number) => string[] } {
  const log = new Log({ index: 0, term: 0 }, commands(1, ...Array.from({ length: count }, () => 1)));
  const persistence = new Persistence(count);
  const flush = (now = 0): string[] => {
    const effects: RaftEffect[] = [];
    persistence.flush(now, log, hardState, effects);
    return effects.map(printEffect);
  };
  return { log, persistence, flush };
}
function append(log: Log, persistence: Persistence, term: number): void {
  const [entry] = commands(log.lastIndex + 1, term);
  log.append(entry!);
  persistence.markEntries(entry!.index);
}
const confirm = (persistence: Persistence, token: number): string[] => {
  const effects: RaftEffect[] = [];
  assert.equal(persistence.confirm(token, effects), true);
  return effects.map(printEffect);
};

test("a step that changed nothing writes nothing, and says at once what it has to say", () => {
  const { persistence, flush } = setUp(2);
  assert.deepEqual(flush(), []);
  persistence.sendAfter("b", message);
  assert.deepEqual(flush(), ["send to b: timeout-now t1"]);
});

test("one step makes one write of entries, term and vote, and its messages come after", () => {
  const { log, persistence, flush } = setUp(2);
  append(log, persistence, 1);
  append(log, persistence, 1);
  persistence.markHardState();
  persistence.sendAfter("b", message);
  assert.deepEqual(flush(), ["persist #1 term=1 vote=a [3@1 3@1, 4@1 4@1]\n    then to b: timeout-now t1"]);
  assert.deepEqual([persistence.stableIndex, persistence.isHardStateDurable], [2, false]);
  confirm(persistence, 1);
  assert.deepEqual([persistence.stableIndex, persistence.isHardStateDurable], [4, true]);
});

test("a message that relies on a write under way waits for it", () => {
  const { log, persistence, flush } = setUp(0);
  append(log, persistence, 1);
  flush();
  append(log, persistence, 1);
  flush();
  persistence.sendAfter("b", message);
  assert.deepEqual(flush(), []);
  assert.deepEqual(confirm(persistence, 1), []);
  assert.deepEqual(confirm(persistence, 2), ["send to b: timeout-now t1"]);
});

test("one confirmation stands for every write before it", () => {
  const { log, persistence, flush } = setUp(0);
  for (let step = 0; step < 3; step += 1) {
    append(log, persistence, 1);
    flush();
  }
  confirm(persistence, 2);
  assert.equal(persistence.stableIndex, 2);
});

test("a write does not vouch for what has taken the place of its entries (etcd: append_aba_race)", () => {
  const { log, persistence, flush } = setUp(1);
  append(log, persistence, 1);
  append(log, persistence, 1);
  flush();
  log.truncate(2);
  persistence.truncate(2);
  append(log, persistence, 2);
  append(log, persistence, 2);
  assert.deepEqual(flush(), ["persist #2 [2@2 2@2, 3@2 3@2]"]);
  confirm(persistence, 1);
  assert.equal(persistence.stableIndex, 1);
  confirm(persistence, 2);
  assert.equal(persistence.stableIndex, 3);
});

test("confirmations of no write are told apart", () => {
  const { log, persistence, flush } = setUp(0);
  append(log, persistence, 1);
  flush();
  assert.equal(persistence.confirm(2, []), false);
  confirm(persistence, 1);
  assert.equal(persistence.confirm(1, []), false);
});

test("refused writes come again as one, after a while, and without their messages", () => {
  const { log, persistence, flush } = setUp(1);
  append(log, persistence, 1);
  flush();
  for (let step = 0; step < 2; step += 1) {
    append(log, persistence, 1);
    persistence.markHardState();
    persistence.sendAfter("b", message);
    flush();
  }
  assert.equal(persistence.refuse(7, 100), false);
  assert.equal(persistence.refuse(2, 100), true);
  assert.equal(persistence.isHardStateDurable, false);
  append(log, persistence, 1);
  persistence.sendAfter("c", message);
  assert.deepEqual(flush(99), []);
  confirm(persistence, 1);
  assert.equal(persistence.stableIndex, 2);
  assert.deepEqual(flush(100), ["persist #4 term=1 vote=a [3@1 3@1, 4@1 4@1, 5@1 5@1]"]);
  confirm(persistence, 4);
  assert.equal(persistence.stableIndex, 5);
});

test("an installation is a write in its place: what came before no longer counts, what comes after waits for it", () => {
  const { log, persistence, flush } = setUp(3);
  append(log, persistence, 1);
  flush();
  const snapshot = { index: 9, term: 1, configuration: configurationOf(["a"]), configurationIndex: 1 };
  log.reset(9, 1);
  persistence.markInstall(snapshot);
  persistence.markHardState();
  persistence.sendAfter("b", message);
  assert.deepEqual(flush(), ["persist #2 term=1 vote=a", "install-snapshot #3 9@1\n    then to b: timeout-now t1"]);
  append(log, persistence, 1);
  assert.deepEqual(flush(), ["persist #4 [10@1 10@1]"]);
  confirm(persistence, 2);
  assert.equal(persistence.stableIndex, 0);
  confirm(persistence, 3);
  assert.equal(persistence.stableIndex, 9);
  assert.equal(persistence.refuse(4, 50), true);
  assert.deepEqual(flush(50), ["persist #5 [10@1 10@1]"]);
});

test("an installation that was refused comes again, with what came after it", () => {
  const { log, persistence, flush } = setUp(3);
  const snapshot = { index: 9, term: 1, configuration: configurationOf(["a"]), configurationIndex: 1 };
  log.reset(9, 1);
  persistence.markInstall(snapshot);
  flush();
  append(log, persistence, 1);
  flush();
  assert.equal(persistence.refuse(1, 50), true);
  assert.deepEqual(flush(50), ["install-snapshot #3 9@1", "persist #4 [10@1 10@1]"]);
});
