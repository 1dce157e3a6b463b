import assert from "node:assert/strict";
import { test } from "node:test";
import { toUserMap, userMap, userMapPrototype } from "../../src/util/user-map.ts";

test("userMap: nothing is inherited, and __proto__ is a key", () => {
  const map = userMap<unknown>();
  for (const key of ["constructor", "toString", "hasOwnProperty", "__proto__"]) {
    assert.equal(map[key], undefined);
    assert.equal(key in map, false);
  }
  map["__proto__"] = { admin: true };
  assert.equal(map["admin"], undefined);
  assert.deepEqual(Object.keys(map), ["__proto__"]);
  assert.equal(JSON.stringify(map), '{"__proto__":{"admin":true}}');
  assert.throws(() => Object.assign(userMapPrototype, { leak: 1 }));
});

test("toUserMap: the entries in their order", () => {
  assert.deepEqual(
    Object.entries(
      toUserMap([
        ["b", 1],
        ["a", 2],
      ]),
    ),
    [
      ["b", 1],
      ["a", 2],
    ],
  );
});
