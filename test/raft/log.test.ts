import assert from "node:assert/strict";
import { test } from "node:test";
import { Log } from "../../src/raft/log.ts";
import type { Entry } from "../../src/raft/types.ts";

/** A log after a base, of these terms; each entry holds `bytes` bytes. */
function logOf(base: { index: number; term: number }, terms: readonly number[], bytes = 10): Log {
  const entries = terms.map((term, i): Entry => ({
    index: base.index + 1 + i,
    term,
    kind: "command",
    data: new Uint8Array(bytes),
  }));
  return new Log(base, entries);
}
const start = { index: 0, term: 0 };
const termsOf = (log: Log): (number | null)[] =>
  Array.from({ length: log.lastIndex - log.baseIndex + 1 }, (_, i) => log.termAt(log.baseIndex + i));

test("an empty log ends at its base", () => {
  const log = logOf({ index: 7, term: 3 }, []);
  assert.deepEqual([log.lastIndex, log.lastTerm, log.termAt(7), log.termAt(6), log.termAt(8)], [7, 3, 3, null, null]);
});

test("terms are known from the base to the end", () => {
  const log = logOf({ index: 5, term: 2 }, [2, 3, 3]);
  assert.deepEqual(
    [0, 4, 5, 6, 7, 8, 9].map((index) => log.termAt(index)),
    [null, null, 2, 2, 3, 3, null],
  );
  assert.equal(logOf(start, []).termAt(0), 0);
});

for (const [lastIndex, lastTerm, expected] of [
  [3, 2, true],
  [4, 2, true],
  [2, 2, false],
  [1, 3, true],
  [9, 1, false],
] as const) {
  test(`a log that ends with ${lastIndex}@${lastTerm} is ${expected ? "" : "not "}up to date with one that ends with 3@2`, () => {
    assert.equal(logOf(start, [1, 2, 2]).isUpToDate(lastIndex, lastTerm), expected);
  });
}

test("entries follow each other", () => {
  const log = logOf(start, [1, 2]);
  const entry = (index: number, term: number): Entry => ({ index, term, kind: "command", data: new Uint8Array() });
  assert.throws(() => log.append(entry(4, 2)), /does not follow/);
  assert.throws(() => log.append(entry(2, 2)), /does not follow/);
  assert.throws(() => log.append(entry(3, 1)), /does not follow/);
  log.append(entry(3, 5));
  assert.equal(log.lastTerm, 5);
});

test("truncation takes the tail, and never the base", () => {
  const log = logOf({ index: 2, term: 1 }, [1, 2, 3]);
  log.truncate(6);
  assert.equal(log.lastIndex, 5);
  log.truncate(4);
  assert.deepEqual(termsOf(log), [1, 1]);
  assert.throws(() => log.truncate(2), /not in the log/);
});

for (const [from, entriesMax, bytesMax, last] of [
  [1, 100, 1000, 5],
  [1, 2, 1000, 2],
  [1, 100, 35, 3],
  [1, 100, 30, 3],
  [1, 100, 0, 1],
  [5, 100, 5, 5],
  [4, 1, 1000, 4],
] as const) {
  test(`a message from ${from}, of at most ${entriesMax} entries and ${bytesMax} bytes, ends at ${last}`, () => {
    assert.equal(logOf(start, [1, 1, 1, 1, 1]).lastWithin(from, entriesMax, bytesMax), last);
  });
}

// Log: index 1..9 of terms 1 1 1 4 4 5 5 6 6
for (const [index, term, found] of [
  [9, 6, 9],
  [10, 6, 9],
  [9, 5, 7],
  [8, 5, 7],
  [7, 4, 5],
  [9, 3, 3],
  [9, 1, 3],
  [9, 0, 0],
  [2, 9, 2],
] as const) {
  test(`the last entry up to ${index} with a term not above ${term} is ${found}`, () => {
    assert.equal(logOf(start, [1, 1, 1, 4, 4, 5, 5, 6, 6]).lastNotAbove(index, term), found);
  });
}

test("below the base nothing is known, so the question is passed on", () => {
  const log = logOf({ index: 10, term: 4 }, [5]);
  assert.equal(log.lastNotAbove(6, 2), 6);
  assert.equal(log.lastNotAbove(11, 3), 9);
  assert.equal(log.lastNotAbove(11, 4), 10);
});

for (const [entriesMax, bytesMax, index] of [
  [0, 1000, 6],
  [2, 1000, 4],
  [100, 1000, 0],
  [100, 30, 3],
  [100, 35, 3],
  [2, 30, 4],
  [100, 0, 6],
] as const) {
  test(`compaction at 6 that keeps ${entriesMax} entries and ${bytesMax} bytes goes to ${index}`, () => {
    assert.equal(logOf(start, [1, 1, 1, 1, 1, 1, 1, 1]).trailing(6, entriesMax, bytesMax), index);
  });
}

test("compaction keeps what is after, and reset nothing", () => {
  const log = logOf(start, [1, 2, 2, 3]);
  log.compact(3);
  assert.deepEqual([log.baseIndex, log.lastIndex, ...termsOf(log)], [3, 4, 2, 3]);
  assert.throws(() => log.compact(2), /cannot compact/);
  assert.throws(() => log.slice(3, 4), /not in the log/);
  log.reset(20, 9);
  assert.deepEqual([log.baseIndex, log.lastIndex, log.lastTerm], [20, 20, 9]);
});
