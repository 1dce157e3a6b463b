import assert from "node:assert/strict";
import { test } from "node:test";
import { allocate } from "../../src/util/slab.ts";

test("allocate: arrays are zeroed, of their length, and share no byte", () => {
  const lengths = [0, 1, 200, 1024, 1025, 5000, 7, 1000, 1000, 1000, 1000, 3];
  const arrays = lengths.map((length) => allocate(length));
  for (const [i, array] of arrays.entries()) {
    assert.equal(array.length, lengths[i]);
    assert.ok(array.every((byte) => byte === 0));
    array.fill(i + 1);
  }
  for (const [i, array] of arrays.entries()) assert.ok(array.every((byte) => byte === i + 1));
});
