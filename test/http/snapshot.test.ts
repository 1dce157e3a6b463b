import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, test } from "node:test";
import { readSnapshot } from "../../src/cli/snapshot-file.ts";
import { packSnapshotArchive } from "../../src/util/snapshot-archive.ts";
import { concat, utf8 } from "../../src/util/bytes.ts";
import { unpackTar } from "../../src/util/tar.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

let agent: TestAgent;
beforeEach(async () => {
  agent = await startTestAgent();
});
afterEach(async () => {
  await agent.stop();
});

const save = async (query = ""): Promise<Uint8Array> => {
  const reply = await agent.fetch("GET", `/v1/snapshot${query}`);
  assert.equal(reply.status, 200);
  return reply.bytes;
};
const value = async (key: string): Promise<string> => (await agent.fetch("GET", `/v1/kv/${key}?raw`)).text;

test("a snapshot: is an archive as Consul's, which the tool reads", async () => {
  await agent.fetch("PUT", "/v1/kv/a", "1");
  const reply = await agent.fetch("GET", "/v1/snapshot");
  assert.equal(reply.header("content-type"), "application/x-gzip");
  assert.equal(reply.header("x-consul-knownleader"), "true");
  const files = unpackTar(gunzipSync(reply.bytes));
  assert.deepEqual([...files.keys()], ["meta.json", "state.bin", "SHA256SUMS"]);
  const keys: string[] = [];
  const { meta, readable, stateBytes } = await readSnapshot(reply.bytes, (record) => {
    if (record.table === "kv") keys.push(record.record.Key);
  });
  assert.deepEqual([readable, keys, meta.Size], [true, ["a"], stateBytes]);
  assert.equal(String(meta.Index), reply.header("x-consul-index"));
});

test("a restore: puts everything back, wakes who waits, and indexes go on", async () => {
  await agent.fetch("PUT", "/v1/kv/a", "1");
  const snapshot = await save();
  await agent.fetch("PUT", "/v1/kv/a", "2");
  await agent.fetch("PUT", "/v1/kv/b", "2");
  const index = Number((await agent.fetch("GET", "/v1/kv/b")).header("x-consul-index"));
  const waiting = agent.fetch("GET", `/v1/kv/a?index=${index}&wait=5m`);
  await agent.settle();
  const restored = await agent.fetch("PUT", "/v1/snapshot", snapshot);
  assert.deepEqual([restored.status, restored.text], [200, ""]);
  assert.deepEqual([await value("a"), (await agent.fetch("GET", "/v1/kv/b")).status], ["1", 404]);
  await waiting;
  await agent.fetch("PUT", "/v1/kv/c", "3");
  const { ModifyIndex } = (await agent.fetch("GET", "/v1/kv/c")).json()[0] as { ModifyIndex: number };
  assert.ok(ModifyIndex > index);
});

test("a restore of another cluster's state: this server is in the catalog again", async () => {
  await agent.fetch("PUT", "/v1/kv/a", "old");
  const snapshot = await save();
  await agent.stop();
  agent = await startTestAgent({ flags: ["-dev", "-node=other"], seed: 2 });
  assert.equal((await agent.fetch("PUT", "/v1/snapshot", snapshot)).status, 200);
  assert.equal(await value("a"), "old");
  await agent.settle();
  const nodes = (await agent.fetch("GET", "/v1/catalog/nodes")).json() as { Node: string }[];
  assert.ok(nodes.some(({ Node }) => Node === "other"));
  assert.equal((await agent.fetch("GET", "/v1/health/node/other")).json()[0].Status, "passing");
});

test("a restore: outlives a restart", async () => {
  await agent.fetch("PUT", "/v1/kv/a", "1");
  const snapshot = await save();
  await agent.fetch("PUT", "/v1/kv/a", "2");
  await agent.fetch("PUT", "/v1/snapshot", snapshot);
  await agent.fetch("PUT", "/v1/kv/b", "3");
  const { log, blobs } = agent.platform;
  await agent.settle();
  await agent.stop();
  agent = await startTestAgent({ log, blobs });
  assert.deepEqual([await value("a"), await value("b")], ["1", "3"]);
});

const archive = (state: Uint8Array): Uint8Array =>
  gzipSync(concat(packSnapshotArchive({ Version: 1, ID: "x", Index: 5, Term: 1 }, [state], 0)));

const damaged: readonly [string, (good: Uint8Array) => Uint8Array, RegExp][] = [
  ["no gzip", () => utf8("not a snapshot"), /not compressed by gzip/],
  ["nothing", () => new Uint8Array(0), /^failed to read snapshot file/],
  ["a piece", (good) => good.subarray(0, good.length >> 1), /cut or damaged/],
  ["gzip of something else", () => gzipSync(utf8("x".repeat(2000))), /^failed to read snapshot file/],
  [
    "a flipped bit",
    (good) => {
      const tar = gunzipSync(good);
      tar[1600] = (tar[1600] as number) ^ 1;
      return gzipSync(tar);
    },
    /checksum of (state\.bin|meta\.json)|tar/,
  ],
  ["another program's state", () => archive(utf8("hashicorp")), /^failed to restore from snapshot: /],
  ["an empty state", () => archive(new Uint8Array(0)), /^failed to restore from snapshot: /],
];
for (const [name, damage, text] of damaged) {
  test(`a restore of ${name}: is refused, and nothing is changed`, async () => {
    await agent.fetch("PUT", "/v1/kv/a", "1");
    const good = await save();
    await agent.fetch("PUT", "/v1/kv/a", "2");
    const reply = await agent.fetch("PUT", "/v1/snapshot", damage(good));
    assert.equal(reply.status, 500);
    assert.match(reply.text, text);
    assert.equal(await value("a"), "2");
  });
}

test("stale: is for saving only", async () => {
  await save("?stale");
  const reply = await agent.fetch("PUT", "/v1/snapshot?stale", "x");
  assert.deepEqual([reply.status, reply.text], [500, "stale not allowed for restore"]);
  assert.equal((await agent.fetch("POST", "/v1/snapshot", "")).status, 405);
});

test("a staged backup: is gone once it was read, given up, or left by a crash", async () => {
  const staged = (): Promise<string[]> => agent.platform.blobs.list("backups/");
  await save();
  await agent.settle();
  assert.deepEqual(await staged(), []);
  const { body } = await agent.running.handle(agent.request("GET", "/v1/snapshot"));
  assert.ok(body instanceof ReadableStream);
  assert.equal((await staged()).length, 1);
  await body.cancel();
  await agent.settle();
  assert.deepEqual(await staged(), []);
  await agent.platform.blobs.write("backups/left", utf8("x"));
  const { log, blobs } = agent.platform;
  await agent.stop();
  agent = await startTestAgent({ log, blobs });
  assert.deepEqual(await staged(), []);
});

test("writes during a save: are not in it", async () => {
  for (let i = 0; i < 50; i++) await agent.fetch("PUT", `/v1/kv/k/${i}`, "1");
  const saving = agent.fetch("GET", "/v1/snapshot");
  await agent.fetch("PUT", "/v1/kv/late", "1");
  const keys: string[] = [];
  await readSnapshot((await saving).bytes, (record) => {
    if (record.table === "kv") keys.push(record.record.Key);
  });
  assert.equal(keys.length, 50);
});
