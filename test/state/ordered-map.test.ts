import assert from "node:assert/strict";
import { test } from "node:test";
import { collect, createOrderedMap, hasPrefix } from "../../src/state/ordered-map.ts";
import type { OrderedMapView } from "../../src/state/ordered-map.ts";
import { random } from "./fixtures.ts";

interface Item {
  name: string;
  weight: number;
}

/** What the map should hold, as a sorted array. */
function sorted(model: Map<string, Item>): [string, Item][] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1));
}

function inRange(entries: [string, Item][], from: string | null, to: string | null): [string, Item][] {
  return entries.filter(([key]) => (from === null || key >= from) && (to === null || key < to));
}

function agree(map: OrderedMapView<Item>, model: Map<string, Item>, next: (n: number) => number): void {
  const entries = sorted(model);
  assert.equal(map.size, model.size);
  assert.deepEqual([...map.scan()], entries);
  assert.deepEqual(map.first(), entries[0]);
  assert.deepEqual(map.last(), entries.at(-1));
  for (let i = 0; i < 20; i++) {
    const from = next(5) === 0 ? null : randomKey(next);
    const to = next(5) === 0 ? null : randomKey(next);
    const expected = inRange(entries, from, to);
    assert.deepEqual([...map.scan(from, to)], expected);
    const visited: [string, Item][] = [];
    map.visit(from, to, (value, key) => {
      visited.push([key, value]);
    });
    assert.deepEqual(visited, expected);
    assert.equal(map.maxWeight(from, to), Math.max(0, ...expected.map(([, item]) => item.weight)), `${from} to ${to}`);
    const above = next(1000);
    const heavy: [string, Item][] = [];
    map.visitAbove(from, to, above, (value, key) => {
      heavy.push([key, value]);
    });
    assert.deepEqual(
      heavy,
      expected.filter(([, { weight }]) => weight > above),
    );
    if (from !== null) {
      assert.deepEqual(
        map.first(from),
        entries.find(([key]) => key >= from),
      );
      assert.equal(map.get(from), model.get(from));
      assert.equal(map.has(from), model.has(from));
    }
  }
}

function randomKey(next: (n: number) => number): string {
  return `${"abc"[next(3)]}/${next(40)}/${next(40)}`;
}

for (const seed of [1, 2, 3]) {
  test(`a map under random writes, seed ${seed}: agrees with a sorted array, and so do its snapshots`, () => {
    const next = random(seed);
    const map = createOrderedMap<Item>((item) => item.weight);
    const model = new Map<string, Item>();
    const kept: { view: OrderedMapView<Item>; model: Map<string, Item> }[] = [];
    for (let step = 0; step < 12_000; step++) {
      const key = randomKey(next);
      // Growth first, then decay to nothing, then growth again.
      const shrink = step > 6000 && step < 10_000;
      if (next(10) < (shrink ? 8 : 3)) {
        const victim = shrink && model.size > 0 && next(2) === 0 ? (map.first(key) ?? map.first())![0] : key;
        assert.equal(map.delete(victim), model.get(victim));
        model.delete(victim);
      } else {
        const item = { name: key, weight: next(1000) };
        assert.equal(map.set(key, item), model.get(key));
        model.set(key, item);
      }
      if (step % 1500 === 0) kept.push({ view: map.snapshot(), model: new Map(model) });
      if (step % 1000 === 0) agree(map, model, next);
    }
    for (const { view, model: then } of kept) agree(view, then, next);
    for (const key of model.keys()) {
      map.delete(key);
      model.delete(key);
    }
    agree(map, model, next);
    assert.equal(map.first(), undefined);
  });
}

test("a map loaded in order: holds everything, whichever end it grew at", () => {
  for (const descending of [false, true]) {
    const map = createOrderedMap<number>((value) => value);
    const keys = Array.from({ length: 20_000 }, (_, i) => String(i).padStart(6, "0"));
    for (const key of descending ? keys.toReversed() : keys) map.set(key, Number(key));
    assert.deepEqual(
      [...map.scan()].map(([key]) => key),
      keys,
    );
    assert.equal(map.maxWeight("001000", "001010"), 1009);
    for (const key of keys) if (Number(key) % 3 !== 0) map.delete(key);
    assert.equal(map.size, Math.ceil(20_000 / 3));
    assert.equal(map.maxWeight(null, "000101"), 99);
  }
});

test("a scan of a snapshot: is not moved by writes beside it", () => {
  const map = createOrderedMap<number>();
  for (let i = 0; i < 1000; i++) map.set(`k${i}`, i);
  const expected = [...map.scan()];
  const seen: [string, number][] = [];
  for (const entry of map.snapshot().scan()) {
    seen.push(entry);
    map.delete(entry[0]);
    map.set(`new${entry[1]}`, entry[1]);
  }
  assert.deepEqual(seen, expected);
  assert.equal(map.size, 1000);
});

test("keys: are in the order of code units", () => {
  const keys = ["", "A", "a", "a\u0000", "a\u0000b", "aa", "é", "\ud800\udc00", "\uffff"];
  const map = createOrderedMap<number>();
  for (const key of keys.toReversed()) map.set(key, 0);
  assert.deepEqual(
    [...map.scan()].map(([key]) => key),
    keys,
  );
});

test("collect and hasPrefix: take the prefix as text", () => {
  const map = createOrderedMap<number>();
  for (const [i, key] of ["a", "ab", "ab\uffff", "ab\uffffc", "ac", "b"].entries()) map.set(key, i);
  assert.deepEqual(collect(map, "ab"), [1, 2, 3]);
  assert.deepEqual(collect(map, ""), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(collect(map, "ab\uffff"), [2, 3]);
  assert.equal(hasPrefix(map, "ac"), true);
  assert.equal(hasPrefix(map, "ad"), false);
  assert.equal(hasPrefix(createOrderedMap<number>(), ""), false);
});

test("visit: ends when it is told to", () => {
  const map = createOrderedMap<number>();
  for (let i = 0; i < 500; i++) map.set(String(i).padStart(3, "0"), i);
  const seen: number[] = [];
  map.visit("100", null, (value) => {
    seen.push(value);
    return seen.length < 3;
  });
  assert.deepEqual(seen, [100, 101, 102]);
});
