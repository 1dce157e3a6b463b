import assert from "node:assert/strict";
import { test } from "node:test";
import { majority, reachedByMajority, VoteTally } from "../../src/raft/quorum.ts";

test("a majority is more than half", () => {
  const sizes = [1, 2, 3, 4, 5, 6, 7];
  assert.deepEqual(sizes.map(majority), [1, 2, 2, 3, 3, 4, 4]);
});

for (const [values, reached] of [
  [[], 0],
  [[7], 7],
  [[7, 9], 7],
  [[9, 7], 7],
  [[1, 2, 3], 2],
  [[3, 1, 2], 2],
  [[5, 5, 0], 5],
  [[0, 0, 9], 0],
  [[4, 3, 2, 1], 2],
  [[9, 8, 7, 6, 5], 7],
  [[5, 6, 7, 8, 9, 1, 1], 6],
  [[-Infinity, 10, 20], 10],
  [[-Infinity, -Infinity, 20], -Infinity],
] as const) {
  test(`a majority of [${values.join(", ")}] has reached ${reached}`, () => {
    assert.equal(reachedByMajority([...values]), reached);
  });
}

test("what a majority has reached agrees with its definition, for every five values up to four", () => {
  for (let code = 0; code < 5 ** 5; code += 1) {
    const values = [0, 1, 2, 3, 4].map((place) => Math.floor(code / 5 ** place) % 5);
    const reached = reachedByMajority([...values]);
    assert.ok(values.filter((value) => value >= reached).length >= 3, values.join());
    assert.ok(values.filter((value) => value > reached).length < 3, values.join());
  }
});

const voters = ["a", "b", "c", "d", "e"];
for (const [granted, refused, result] of [
  ["", "", "pending"],
  ["ab", "", "pending"],
  ["abc", "", "won"],
  ["ab", "cd", "pending"],
  ["ab", "cde", "lost"],
  ["", "abc", "lost"],
  ["abcxyz", "de", "won"],
  ["abxyz", "", "pending"],
] as const) {
  test(`an election of five with ${granted || "nobody"} for and ${refused || "nobody"} against is ${result}`, () => {
    const tally = new VoteTally();
    for (const id of granted) tally.record(id, true);
    for (const id of refused) tally.record(id, false);
    assert.equal(tally.result(voters), result);
  });
}

test("a server's first vote counts", () => {
  const tally = new VoteTally();
  tally.record("a", true);
  tally.record("a", false);
  assert.equal(tally.result(["a"]), "won");
});
