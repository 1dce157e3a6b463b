import assert from "node:assert/strict";
import { test } from "node:test";
import { Generations } from "../../src/util/generations.ts";

test("what is used stays, what is not goes, and is told", () => {
  const dropped: string[] = [];
  const map = new Generations<number, string>(8, (value) => dropped.push(value));
  map.set(0, "used");
  for (let key = 1; key <= 100; key++) {
    assert.equal(map.get(0), "used");
    map.set(key, `v${key}`);
    assert.ok(map.size <= 8);
  }
  assert.equal(map.get(0), "used");
  assert.equal(map.get(100), "v100");
  assert.equal(map.get(1), undefined);
  assert.ok(dropped.includes("v1"));
  assert.ok(!dropped.includes("used"));
});

test("replacing, deleting and clearing tell what goes, each once", () => {
  const dropped: string[] = [];
  const map = new Generations<string, string>(4, (value) => dropped.push(value));
  map.set("a", "1");
  map.set("a", "2");
  map.set("b", "3");
  map.delete("b");
  map.delete("b");
  map.clear();
  assert.deepEqual(dropped, ["1", "3", "2"]);
  assert.equal(map.size, 0);
  assert.equal(map.get("a"), undefined);
});
