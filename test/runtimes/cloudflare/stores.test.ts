// The log and the blobs of an object pass the suites that every store passes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SqlBlobs } from "../../../runtimes/cloudflare/blobs.ts";
import { SqlLogStore } from "../../../runtimes/cloudflare/log-store.ts";
import { createTables, PART_BYTES } from "../../../runtimes/cloudflare/schema.ts";
import { blobsSuite } from "../storage/blobs-suite.ts";
import { logStoreSuite } from "../storage/log-store-suite.ts";
import { FakeStorage } from "./fake-storage.ts";

function storage(): FakeStorage {
  const made = new FakeStorage();
  createTables(made.sql);
  return made;
}

logStoreSuite("an object's SQLite", async () => {
  const made = storage();
  return { open: async () => new SqlLogStore(made), remove: async () => made.database.close() };
});

blobsSuite("an object's SQLite", async () => {
  const made = storage();
  return { open: async () => new SqlBlobs(made), remove: async () => made.database.close() };
});

test("an object's SQLite: an entry and a blob larger than a row may be come back whole", async () => {
  const made = storage();
  const data = new Uint8Array(3 * PART_BYTES + 7).map((_, at) => at % 251);
  new SqlLogStore(made).append({ entries: [{ index: 1, term: 1, kind: "command", data }], hardState: null });
  const { entries } = await new SqlLogStore(made).load();
  assert.deepEqual(entries[0]?.data, data);
  await new SqlBlobs(made).write("large", data);
  assert.deepEqual(await new SqlBlobs(made).read("large"), data);
});
