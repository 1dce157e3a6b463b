// The suite must be able to fail: what it takes out of answers, and what it still sees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptedDifferences } from "./accepted.ts";
import { differences, MESSAGE, remove } from "./compare.ts";
import { Normaliser, shapeOf } from "./normalise.ts";
import { wordsOf } from "./scenario.ts";

test("normalise: ids, times, ports and indexes", () => {
  const normaliser = new Normaliser({ http: 8500, server: 8300 });
  const [a, b] = ["11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"];
  const table: [unknown, unknown][] = [
    [a, "<uuid#1>"],
    [`${b} and ${a}`, "<uuid#2> and <uuid#1>"],
    ["00000000-0000-0000-0000-000000000002", "00000000-0000-0000-0000-000000000002"],
    ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"],
    ["at 2030-01-02T03:04:05.678Z", "at <time>"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
    ["127.0.0.1:8500 18500 85001", "127.0.0.1:<http> 18500 85001"],
    [
      { Port: 8300, Other: 8301 },
      { Port: "<server>", Other: 8301 },
    ],
    [{ [a]: true }, { "<uuid#1>": true }],
    [
      { CreateIndex: 5, ModifyIndex: 5 },
      { CreateIndex: "<index>", ModifyIndex: "<CreateIndex>" },
    ],
    [
      { CreateIndex: 5, ModifyIndex: 9 },
      { CreateIndex: "<index>", ModifyIndex: "<later>" },
    ],
    [
      { CreateIndex: 5, ModifyIndex: 4 },
      { CreateIndex: "<index>", ModifyIndex: "<EARLIER>" },
    ],
    [
      { CreateIndex: 0, ModifyIndex: 0 },
      { CreateIndex: 0, ModifyIndex: 0 },
    ],
    [
      [null, true, 1.5],
      [null, true, 1.5],
    ],
  ];
  for (const [given, expected] of table) assert.deepEqual(normaliser.json(given), expected);
});

test("differences: whatever differs is seen", () => {
  const table: [want: unknown, got: unknown, seen: string[]][] = [
    [{ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, []],
    [{ a: 1 }, { a: 2 }, ["a: wanted 1, got 2"]],
    [{ a: 1 }, {}, ["a: wanted 1, got nothing"]],
    [{}, { a: 1 }, ["a: wanted nothing, got 1"]],
    [{ a: [1, 2] }, { a: [2, 1] }, ["a.0: wanted 1, got 2", "a.1: wanted 2, got 1"]],
    [{ a: [1] }, { a: [1, 2] }, ["a.1: wanted nothing, got 2"]],
    [[], {}, [".: wanted [], got {}"]],
    [null, undefined, []],
    ["1", 1, ['.: wanted "1", got 1']],
    [MESSAGE, "any words", []],
    [MESSAGE, "", ['.: wanted "<message>", got ""']],
    [MESSAGE, null, ['.: wanted "<message>", got null']],
  ];
  for (const [want, got, seen] of table) assert.deepEqual(differences(want, got), seen);
});

test("remove: a path, every key of a path, and nothing of a list", () => {
  const value = { a: { x: 1, y: 2 }, b: { x: 3 }, list: [{ x: 1 }, { x: 2 }] };
  remove(value, ["*", "x"]);
  remove(value, ["list", "*", "x"]);
  remove(value, ["list", "0"]);
  remove(value, ["none", "x"]);
  assert.deepEqual(value, { a: { y: 2 }, b: {}, list: [{}, {}] });
});

test("shapeOf: types stand for values", () => {
  assert.deepEqual(shapeOf({ a: "x", b: [1, 2], c: null, d: [], e: { f: true } }), {
    a: "string",
    b: ["number"],
    c: "null",
    d: [],
    e: { f: "boolean" },
  });
});

test("wordsOf: plain and quoted words", () => {
  assert.deepEqual(wordsOf(`kv put "a b" 'c d' "e \\"f\\"" g=h ""`), ["kv", "put", "a b", "c d", 'e "f"', "g=h", ""]);
});

test("acceptedDifferences: list items that name a step, each once", () => {
  const text =
    '- `kv: put / 1. GET /v1/kv/a`: because\n- **bold**: prose\n- `kv`: no step\n- `cli: x / 2. $ kv get ""`: quotes\n';
  assert.deepEqual(
    [...acceptedDifferences(text)],
    [
      ["kv: put / 1. GET /v1/kv/a", "because"],
      ['cli: x / 2. $ kv get ""', "quotes"],
    ],
  );
  assert.throws(() => acceptedDifferences("- `kv: a / 1. b`: x\n- `kv: a / 1. b`: y\n"), /twice/);
});
