import assert from "node:assert/strict";
import { test } from "node:test";
import { sameData, sameRecord } from "../../src/state/equal.ts";
import { fold, isKeyPart, keyOf, prefixEnd } from "../../src/state/key.ts";

test("fold: lowers A to Z and no other letter", () => {
  assert.equal(fold("AbZ-é-É-İ"), "abz-é-É-İ");
  assert.equal(fold("abc"), "abc");
  assert.equal(keyOf("A", "b"), "a\u0000b");
  assert.equal(fold("a\u0000B"), "\u0000a\u0000b", "a name with NUL begins as no key does");
  assert.deepEqual([isKeyPart("a b"), isKeyPart("a\u0000")], [true, false]);
});

test("prefixEnd: is above all that begins so, and nothing is between", () => {
  const table: [string, string | null][] = [
    ["", null],
    ["a", "b"],
    ["a/", "a0"],
    ["a\uffff", "b"],
    ["\uffff\uffff", null],
    ["\ud7ff", "\ud800"],
  ];
  for (const [prefix, end] of table) assert.equal(prefixEnd(prefix), end);
});

test("sameData: compares plain data deeply", () => {
  const same: [unknown, unknown][] = [
    [1, 1],
    [{ a: [1, { b: null }] }, { a: [1, { b: null }] }],
    [{ a: undefined }, {}],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    [5n, 5n],
    [Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  ];
  const other: [unknown, unknown][] = [
    [1, "1"],
    [1, 1n],
    [null, {}],
    [[], {}],
    [[1], [1, 2]],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: 1, b: 2 }, { a: 1 }],
    [{}, { a: 1 }],
    [new Uint8Array([1]), [1]],
    [new Uint8Array([1]), new Uint8Array([2])],
    [{ toString: 1 }, {}],
    [{}, { toString: 1 }],
  ];
  for (const [a, b] of same) assert.ok(sameData(a, b));
  for (const [a, b] of other) assert.ok(!sameData(a, b));
});

test("sameRecord: does not look at the indexes, but inside the record it does", () => {
  assert.ok(sameRecord({ a: 1, CreateIndex: 1, ModifyIndex: 2 }, { a: 1 }));
  assert.ok(!sameRecord({ a: 1, CreateIndex: 1 }, { a: 2, CreateIndex: 1 }));
  assert.ok(!sameRecord({ a: { CreateIndex: 1 } }, { a: { CreateIndex: 2 } }));
});
