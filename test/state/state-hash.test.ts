import assert from "node:assert/strict";
import { test } from "node:test";
import { StateHash } from "../../src/state/state-hash.ts";
import { kv, Log } from "./fixtures.ts";

function hashOf(value: unknown): string {
  const hash = new StateHash();
  hash.add("config", "k", { Kind: "k", Name: "n", CreateIndex: 1, ModifyIndex: 1, value });
  return hash.toString();
}

test("values that differ: hash to different hashes", () => {
  const values: unknown[] = [
    0,
    1,
    -1,
    0.5,
    2 ** 32,
    2 ** 33,
    NaN,
    "",
    "0",
    "1",
    "ab",
    "ba",
    true,
    false,
    null,
    1n,
    2n ** 64n,
    [],
    [1],
    [[1]],
    [1, 2],
    [2, 1],
    {},
    { a: 1 },
    { a: "1" },
    { b: 1 },
    { a: { b: 1 } },
    { a: 1, b: 1 },
    new Uint8Array(),
    new Uint8Array([1]),
    new Uint8Array([1, 0]),
    new Uint8Array([0, 0, 0, 0, 1]),
  ];
  assert.equal(new Set(values.map(hashOf)).size, values.length);
});

test("the order of fields, and fields that are undefined: do not matter", () => {
  assert.equal(hashOf({ a: 1, b: { c: 2, d: 3 } }), hashOf({ b: { d: 3, c: 2 }, a: 1 }));
  assert.equal(hashOf({ a: 1, b: undefined }), hashOf({ a: 1 }));
  assert.equal(hashOf(Object.assign(Object.create(null) as object, { a: 1 })), hashOf({ a: 1 }));
});

test("what is added and taken away: leaves the hash as it was, in any order", () => {
  const hash = new StateHash();
  const entry = (key: string) => ({ Kind: "k", Name: key, CreateIndex: 1, ModifyIndex: 1 });
  const empty = hash.toString();
  hash.add("config", "a", entry("a"));
  const one = hash.toString();
  hash.add("config", "b", entry("b"));
  hash.subtract("config", "a", entry("a"));
  hash.add("config", "a", entry("a"));
  hash.subtract("config", "b", entry("b"));
  assert.equal(hash.toString(), one);
  hash.subtract("config", "a", entry("a"));
  assert.equal(hash.toString(), empty);
});

test("stores: hash alike when they hold the same, and not when an index, a flag or a value differs", () => {
  const a = new Log();
  const b = new Log();
  for (const log of [a, b]) log.value(kv.set("k", "v"));
  assert.equal(a.store.hash(), b.store.hash());
  assert.match(a.store.hash(), /^[0-9a-f]{16}$/);
  const before = a.store.hash();
  a.value(kv.set("k", "w"));
  a.value(kv.set("k", "v"));
  assert.notEqual(a.store.hash(), before, "the index moved");
  b.value(kv.set("k", "v", 1));
  b.value(kv.set("k", "v"));
  assert.equal(a.store.hash(), b.store.hash());
});
