// A store whose records stand in an object's SQLite is the store in memory: the same records, indexes, hash and answers, whatever
// is asked between, and also after it is opened anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTables } from "../../../runtimes/cloudflare/schema.ts";
import { SqlTables } from "../../../runtimes/cloudflare/tables.ts";
import { decode, encode } from "../../../src/codec/value.ts";
import { createOrderedMap, type OrderedMapView } from "../../../src/state/ordered-map.ts";
import { StateRestorer, StateStore } from "../../../src/state/store.ts";
import { StoredMap } from "../../../src/state/stored-map.ts";
import type { StateStorage } from "../../../src/state/stored-tables.ts";
import { canonical, kv, random } from "../../state/fixtures.ts";
import { Generator, PREFIXES, SESSIONS } from "../../state/generator.ts";
import { FakeStorage } from "./fake-storage.ts";

function fake(): FakeStorage {
  const storage = new FakeStorage();
  createTables(storage.sql);
  return storage;
}
const over = (storage: FakeStorage): StateStorage => ({ tables: new SqlTables(storage), encode, decode });

/** Kinds have no order of their own. */
function counts(store: StateStore): string {
  const { connectServiceInstances: kinds, ...others } = store.usage().value;
  return canonical([[...kinds].sort(), [...others.configEntries].sort(), { ...others, configEntries: null }]);
}

function sameStores(stored: StateStore, memory: StateStore): void {
  assert.equal(canonical([...stored.snapshot().records()]), canonical([...memory.snapshot().records()]));
  assert.deepEqual(stored.mark(), memory.mark());
  assert.equal(counts(stored), counts(memory));
  for (const prefix of PREFIXES) {
    assert.deepEqual(stored.kvKeys(prefix, "/"), memory.kvKeys(prefix, "/"));
    assert.deepEqual(stored.kvKeys(prefix, ""), memory.kvKeys(prefix, ""));
    assert.equal(canonical(stored.kvList(prefix)), canonical(memory.kvList(prefix)));
  }
  for (const id of SESSIONS) assert.equal(canonical(stored.session(id)), canonical(memory.session(id)));
}

for (const seed of [1, 2, 3]) {
  test(`a store on SQLite under random commands, seed ${seed}: is the one in memory, and is so again when it is opened anew`, () => {
    const storage = fake();
    const next = random(seed);
    const memory = new StateStore();
    let stored = new StateStore(over(storage));
    const generator = new Generator(next, memory);
    for (let index = 2; index < 400; index++) {
      const command =
        next(40) === 0
          ? ({ type: "tombstone.reap", index: memory.tombstones().maxIndex - next(3) } as const)
          : generator.command();
      const inMemory = memory.apply(index, command);
      const onStorage = stored.apply(index, command);
      assert.equal(canonical(onStorage.result), canonical(inMemory.result), `${index}: ${JSON.stringify(command)}`);
      assert.deepEqual(onStorage.topics, inMemory.topics);
      if (next(10) === 0) stored = new StateStore(over(storage), stored.mark());
      if (index % 20 === 0) sameStores(stored, memory);
    }
    sameStores(stored, memory);
    assert.deepEqual(stored.tombstones(), memory.tombstones());
    const copy = fake();
    const restorer = new StateRestorer(over(copy));
    for (const record of memory.snapshot().records()) restorer.add(record);
    const restored = restorer.finish();
    sameStores(restored, memory);
    sameStores(new StateStore(over(copy), restored.mark()), memory);
  });
}

test("a stored map and its views agree with the map in memory, by keys of all planes and lone surrogates", () => {
  const next = random(7);
  const letters = [
    "a",
    "b",
    "\0",
    "\u00e9",
    "\u07ff",
    "\u20ac",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\ud83d\ude00",
    "\ud800",
    "\udfff",
  ];
  const key = (): string => Array.from({ length: 1 + next(3) }, () => letters[next(letters.length)]).join("");
  const weigh = ({ weight }: { weight: number }): number => weight;
  const stored = new StoredMap(over(fake()), "map", weigh);
  const memory = createOrderedMap(weigh);
  const views: [OrderedMapView<unknown>, OrderedMapView<unknown>][] = [];
  for (let step = 0; step < 3000; step++) {
    const at = key();
    if (next(3) === 0) assert.equal(canonical(stored.delete(at)), canonical(memory.delete(at)));
    else {
      const value = { weight: next(1000), text: "x".repeat(next(9) === 0 ? 5000 : 3) };
      assert.equal(canonical(stored.set(at, value)), canonical(memory.set(at, value)));
    }
    if (next(300) === 0) views.push([stored.snapshot(), memory.snapshot()]);
    if (step % 100 !== 0) continue;
    const [from, to] = [next(4) === 0 ? null : key(), next(4) === 0 ? null : key()];
    assert.equal(stored.size, memory.size);
    assert.equal(stored.maxWeight(from, to), memory.maxWeight(from, to));
    assert.ok(canonical([...stored.scan(from, to)]) === canonical([...memory.scan(from, to)]));
    assert.equal(canonical(stored.first(from ?? undefined)), canonical(memory.first(from ?? undefined)));
    assert.equal(canonical(stored.last()), canonical(memory.last()));
    for (const [a, b] of views) assert.ok(canonical([...a.scan(from, to)]) === canonical([...b.scan(from, to)]));
  }
  assert.ok(views.length > 3 && memory.size > 100, "there was something to compare");
});

test("a view is read in pieces while the map goes on", () => {
  const stored = new StoredMap<number>(over(fake()), "map");
  for (let at = 0; at < 200; at++) stored.set(`k${String(at).padStart(3, "0")}`, at);
  const view = stored.snapshot();
  const found: number[] = [];
  for (const [key, value] of view.scan()) {
    found.push(value);
    // Behind and before what is being read.
    stored.set(`${key}-new`, -1);
    stored.delete(`k${String(value + 50).padStart(3, "0")}`);
    stored.set(`k${String(value + 7).padStart(3, "0")}`, -2);
  }
  assert.deepEqual(
    found,
    Array.from({ length: 200 }, (_, at) => at),
  );
});

test("a write of a key is one row of the state", () => {
  const storage = fake();
  const tables = over(storage);
  const store = new StateStore(tables);
  store.apply(2, kv.set("a", "1", 0));
  const before = storage.written;
  store.apply(3, kv.set("a", "2", 0));
  assert.equal(storage.written - before, 1);
});
