import assert from "node:assert/strict";
import { test } from "node:test";
import { Lru } from "../../src/util/lru.ts";

test("Lru: what was used longest ago goes first", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  assert.equal(lru.get("a"), 1);
  lru.set("c", 3);
  assert.equal(lru.get("b"), undefined);
  assert.equal(lru.get("a"), 1);
  assert.equal(lru.get("c"), 3);
  assert.equal(lru.size, 2);
});

test("Lru: the bytes stay within their budget", () => {
  const lru = new Lru<string, string>(100, 10);
  lru.set("a", "x", 4);
  lru.set("b", "x", 4);
  lru.set("a", "y", 5);
  assert.equal(lru.bytes, 9);
  lru.set("c", "x", 6);
  assert.equal(lru.get("b"), undefined);
  assert.equal(lru.get("a"), undefined);
  assert.equal(lru.bytes, 6);
  lru.set("c", "too large", 11);
  assert.equal(lru.get("c"), undefined);
  assert.equal(lru.bytes, 0);
  lru.set("d", "x", 3);
  assert.equal(lru.delete("d"), true);
  assert.equal(lru.delete("d"), false);
  lru.set("e", "x", 3);
  lru.clear();
  assert.deepEqual([lru.size, lru.bytes], [0, 0]);
});
