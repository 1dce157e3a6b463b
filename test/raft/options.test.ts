import assert from "node:assert/strict";
import { test } from "node:test";
import { RAFT_DEFAULTS, reconcileLog } from "../../src/raft/options.ts";
import { Raft } from "../../src/raft/raft.ts";
import type { RaftOptions, SnapshotPoint } from "../../src/raft/types.ts";
import { OperationalError } from "../../src/types/error.ts";
import { AssertionError } from "../../src/util/assert.ts";
import { configurationOf, diskOf } from "./group.ts";

const configuration = configurationOf(["a", "b", "c"]);
const { entries } = diskOf(configuration, [1, 1, 2, 2, 3]);
const snapshotAt = (index: number, term: number): SnapshotPoint => ({
  index,
  term,
  configuration,
  configurationIndex: 1,
});

test("a log that leads up to the snapshot stays as it is", () => {
  const stored = { base: { index: 0, term: 0 }, entries };
  for (const snapshot of [null, snapshotAt(2, 1), snapshotAt(5, 3)]) {
    assert.deepEqual(reconcileLog(stored, snapshot), { ...stored, reset: false });
  }
  const compacted = { base: { index: 2, term: 1 }, entries: entries.slice(2) };
  assert.deepEqual(reconcileLog(compacted, snapshotAt(2, 1)), { ...compacted, reset: false });
});

test("a crash between the two writes of an installation leaves a snapshot that the log does not lead to", () => {
  const stored = { base: { index: 0, term: 0 }, entries };
  for (const snapshot of [snapshotAt(9, 3), snapshotAt(4, 3)]) {
    const { index, term } = snapshot;
    assert.deepEqual(reconcileLog(stored, snapshot), { base: { index, term }, entries: [], reset: true });
  }
});

test("a log that begins after the snapshot lacks entries", () => {
  const stored = { base: { index: 3, term: 2 }, entries: entries.slice(3) };
  const isRefused = (error: unknown): boolean => error instanceof OperationalError && error.code === "storage-failed";
  assert.throws(() => reconcileLog(stored, snapshotAt(2, 1)), isRefused);
  assert.throws(() => reconcileLog(stored, null), isRefused);
});

const good: RaftOptions = {
  id: "a",
  seed: 1,
  hardState: { term: 3, vote: null },
  base: { index: 0, term: 0 },
  entries,
  snapshot: snapshotAt(2, 1),
  applied: 2,
  ...RAFT_DEFAULTS,
};

test("options that fit make a machine", () => {
  const raft = new Raft(good);
  assert.deepEqual([raft.term, raft.commitIndex, raft.lastIndex, raft.snapshotIndex], [3, 2, 5, 2]);
  assert.deepEqual(raft.configuration, configuration);
});

const { timings } = RAFT_DEFAULTS;
for (const [what, changed] of [
  ["an empty id", { id: "" }],
  ["a gap in the log", { entries: [entries[0]!, entries[2]!] }],
  ["a log that does not begin after its base", { entries: entries.slice(1) }],
  ["terms that fall", { entries: [entries[0]!, { ...entries[1]!, term: 3 }, entries[2]!] }],
  ["a hard state behind the log", { hardState: { term: 2, vote: null } }],
  ["no hard state but a log", { hardState: null }],
  ["a snapshot beyond the log", { snapshot: snapshotAt(6, 3), applied: 6 }],
  ["a state behind the snapshot", { applied: 1 }],
  ["a state beyond the log", { applied: 6 }],
  ["a base without a term", { base: { index: 1, term: 0 }, entries: entries.slice(1) }],
  ["a base beyond the snapshot", { base: { index: 3, term: 2 }, entries: entries.slice(3), applied: 3 }],
  ["a lease without a margin", { timings: { ...timings, leaseMs: 460 } }],
  ["an election timeout of one heartbeat", { timings: { ...timings, electionTimeoutMs: 150, leaseMs: 0 } }],
  ["no heartbeat", { timings: { ...timings, heartbeatMs: 0 } }],
  ["a window for no message", { limits: { ...RAFT_DEFAULTS.limits, maxInflight: 0 } }],
  [
    "an unreadable configuration",
    { entries: [{ ...entries[0]!, data: new Uint8Array([1]) }], snapshot: null, applied: 0 },
  ],
] as [string, Partial<RaftOptions>][]) {
  test(`${what} makes no machine`, () => {
    assert.throws(() => new Raft({ ...good, ...changed }), AssertionError);
  });
}

test("nothing happens before start, and start comes once", () => {
  const raft = new Raft(good);
  assert.deepEqual(raft.step(0, { type: "campaign" }), []);
  assert.equal(raft.dropped.unexpected, 1);
  assert.equal(raft.deadline, null);
  raft.step(0, { type: "start" });
  assert.throws(() => raft.step(0, { type: "start" }), AssertionError);
});
