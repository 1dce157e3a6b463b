// The second level in IndexedDB; the browser's own is used in the page of test/client/runtimes.
import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { set, createStore } from "idb-keyval";
import { fromIdb } from "../../../runtimes/storage/idb.ts";

test("values are bytes under their names, per database", async () => {
  const storage = fromIdb("one");
  await storage.set("a", new Uint8Array([0, 1, 255]));
  await storage.set("a/b", new TextEncoder().encode("true"));
  assert.deepEqual(await storage.get("a"), new Uint8Array([0, 1, 255]));
  assert.deepEqual(await storage.get("a/b"), new TextEncoder().encode("true"));
  assert.equal(await storage.get("none"), null);
  assert.equal(await fromIdb("two").get("a"), null);
  assert.deepEqual(await fromIdb("one").get("a"), new Uint8Array([0, 1, 255]));
});

test("what others have put there is none of ours", async () => {
  await set("a", { not: "bytes" }, createStore("three", "answers"));
  assert.equal(await fromIdb("three").get("a"), null);
});
