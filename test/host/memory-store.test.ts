// The stores in memory pass the suites of all stores, and do what is theirs: they are durable at once, and outlive `close`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import { blobsSuite } from "../runtimes/storage/blobs-suite.ts";
import { entry } from "../runtimes/storage/log-model.ts";
import { logStoreSuite } from "../runtimes/storage/log-store-suite.ts";

logStoreSuite("memory", async () => {
  const store = new MemoryLogStore();
  return { open: async () => store, remove: async () => {} };
});

blobsSuite("memory blobs", async () => {
  const blobs = new MemoryBlobs();
  return { open: async () => blobs, remove: async () => {} };
});

test("memory log: every change is durable when the call returns", () => {
  const store = new MemoryLogStore();
  assert.equal(store.append({ entries: [entry(1)], hardState: { term: 1, vote: null } }), undefined);
  assert.equal(store.compact(1, 1), undefined);
  assert.equal(store.reset(5, 2), undefined);
});

test("memory log: what load gave does not change with the store, nor the store with it", async () => {
  const store = new MemoryLogStore();
  store.append({ entries: [entry(1), entry(2)], hardState: { term: 1, vote: "a" } });
  const loaded = await store.load();
  store.append({ entries: [entry(2, 2), entry(3, 2)], hardState: { term: 2, vote: "b" } });
  store.compact(1, 1);
  assert.deepEqual(loaded, {
    hardState: { term: 1, vote: "a" },
    base: { index: 0, term: 0 },
    entries: [entry(1), entry(2)],
  });
  loaded.entries.length = 0;
  loaded.base.index = 77;
  assert.deepEqual((await store.load()).entries, [entry(2, 2), entry(3, 2)]);
  assert.deepEqual((await store.load()).base, { index: 1, term: 1 });
});
