// What a server remembers: restarts from log and snapshot, a full disk, a disk that fails, restored states.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import type { LogBatch } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

const SERVER = ["-server", "-bootstrap-expect=1", "-data-dir=/data", "-bind=127.0.0.1"];

async function put(agent: TestAgent, key: string, value: string): Promise<void> {
  const reply = await agent.fetch("PUT", `/v1/kv/${key}`, value);
  assert.equal(reply.text, "true");
}

const value = async (agent: TestAgent, key: string): Promise<string> =>
  (await agent.fetch("GET", `/v1/kv/${key}?raw`)).text;

test("a restart finds everything that was acknowledged, with its indexes", async () => {
  const log = new MemoryLogStore();
  const blobs = new MemoryBlobs();
  let agent = await startTestAgent({ flags: SERVER, log, blobs });
  for (let i = 0; i < 50; i++) await put(agent, `k${i}`, `v${i}`);
  await agent.fetch("DELETE", "/v1/kv/k7");
  const before = (await agent.fetch("GET", "/v1/kv/?recurse")).text;
  await agent.stop();
  agent = await startTestAgent({ flags: SERVER, log, blobs });
  assert.equal((await agent.fetch("GET", "/v1/kv/?recurse")).text, before);
  assert.equal((await agent.fetch("GET", "/v1/kv/k7")).status, 404);
  await agent.stop();
});

test("a snapshot is taken once enough was written, the log is cut, and a restart starts from both", async () => {
  const log = new MemoryLogStore();
  const blobs = new MemoryBlobs();
  const settings = { raft_snapshot_threshold: 20, raft_snapshot_interval: "5s", raft_trailing_logs: 5 };
  let agent = await startTestAgent({ flags: SERVER, settings, log, blobs });
  for (let i = 0; i < 60; i++) await put(agent, `k${i % 30}`, `v${i}`);
  await agent.advance(20_000);
  assert.ok((await blobs.list("snapshots/")).length > 0, "no snapshot was taken");
  const { base, entries } = await log.load();
  assert.ok(base.index > 30, `the log still starts after ${base.index}`);
  assert.ok(entries.length <= 40);
  await put(agent, "after", "the snapshot");
  const before = (await agent.fetch("GET", "/v1/kv/?recurse")).text;
  const hash = agent.agent.server.state.hash();
  await agent.stop();
  agent = await startTestAgent({ flags: SERVER, settings, log, blobs });
  assert.equal((await agent.fetch("GET", "/v1/kv/?recurse")).text, before);
  assert.equal(agent.agent.server.state.hash(), hash);
  await agent.stop();
});

test("two snapshots are kept; a damaged newest one is passed over when the log still reaches", async () => {
  const log = new MemoryLogStore();
  const blobs = new MemoryBlobs();
  const settings = { raft_snapshot_threshold: 10, raft_snapshot_interval: "5s", raft_trailing_logs: 1000 };
  let agent = await startTestAgent({ flags: SERVER, settings, log, blobs });
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 20; i++) await put(agent, `k${round}-${i}`, "v");
    await agent.advance(10_000);
  }
  const names = await blobs.list("snapshots/");
  assert.equal(names.length, 2);
  const newest = names.at(-1) as string;
  const bytes = (await blobs.read(newest)) as Uint8Array;
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  await blobs.write(newest, bytes);
  await agent.stop();
  agent = await startTestAgent({ flags: SERVER, settings, log, blobs });
  assert.equal(await value(agent, "k3-19"), "v");
  await agent.stop();
});

/** A log whose disk can be full, or fail. */
class BadLog extends MemoryLogStore {
  fault: "none" | "full" | "broken" = "none";
  override append(batch: LogBatch): void {
    if (this.fault === "full") throw new OperationalError("disk-full", "no space left on device");
    if (this.fault === "broken") throw new OperationalError("storage-failed", "input/output error");
    super.append(batch);
  }
}

test("a full disk refuses writes, says so, loses nothing, and takes writes again when there is room", async () => {
  const log = new BadLog();
  const agent = await startTestAgent({ flags: SERVER, log });
  await put(agent, "a", "1");
  log.fault = "full";
  const refused = await agent.fetch("PUT", "/v1/kv/a", "2");
  assert.equal(refused.status, 500);
  assert.match(refused.text, /disk is full/i);
  assert.equal(await value(agent, "a"), "1");
  log.fault = "none";
  // The disk is not tried again before an election timeout has passed.
  await agent.advance(10_000);
  await put(agent, "b", "3");
  assert.equal(await value(agent, "a"), "1");
  assert.equal(await value(agent, "b"), "3");
  await agent.stop();
});

test("a compaction that a full disk refuses, be it for the entries before it, stops nobody and is done later", async () => {
  let refusals = 3;
  class FullLog extends MemoryLogStore {
    override compact(index: number, term: number): void {
      if (refusals > 0) {
        refusals -= 1;
        throw new OperationalError("disk-full", "no space left on device");
      }
      super.compact(index, term);
    }
  }
  const log = new FullLog();
  const settings = { raft_snapshot_threshold: 20, raft_snapshot_interval: "5s", raft_trailing_logs: 5 };
  const agent = await startTestAgent({ flags: SERVER, settings, log });
  for (let i = 0; i < 60; i++) await put(agent, "a", `${i}`);
  await agent.advance(20_000);
  assert.equal(refusals, 0);
  const { base } = await log.load();
  assert.ok(base.index > 30, `the log still starts after ${base.index}`);
  await put(agent, "a", "after");
  assert.equal(await value(agent, "a"), "after");
  await agent.stop();
});

test("a failed sync stops the server: nothing is acknowledged any more, and the process is told to end", async () => {
  const log = new BadLog();
  const agent = await startTestAgent({ flags: SERVER, log, mayStop: true });
  await put(agent, "a", "1");
  log.fault = "broken";
  const failed = await agent.fetch("PUT", "/v1/kv/a", "2");
  assert.equal(failed.status, 500);
  log.fault = "none";
  const { reply } = agent.send("PUT", "/v1/kv/a", "3");
  // Held like any request without a leader, then refused.
  await agent.advance(8000);
  assert.equal((await reply).status, 500);
  assert.equal(agent.stopped, 1);
  await agent.stop();
});

test("a restored state takes the store's place, and no index goes back", async () => {
  const log = new MemoryLogStore();
  const blobs = new MemoryBlobs();
  let agent = await startTestAgent({ flags: SERVER, log, blobs });
  await put(agent, "a", "old");
  const { chunks } = agent.agent.server.backup();
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const backup = new Uint8Array(Buffer.concat(parts));
  await put(agent, "a", "new");
  await put(agent, "b", "later");
  const index = Number((await agent.fetch("GET", "/v1/kv/b")).header("x-consul-index"));
  await agent.agent.server.restore(backup);
  assert.equal(await value(agent, "a"), "old");
  assert.equal((await agent.fetch("GET", "/v1/kv/b")).status, 404);
  await put(agent, "c", "after");
  assert.ok(Number((await agent.fetch("GET", "/v1/kv/c")).header("x-consul-index")) > index);
  const hash = agent.agent.server.state.hash();
  await agent.settle();
  await agent.stop();
  agent = await startTestAgent({ flags: SERVER, log, blobs });
  assert.equal(agent.agent.server.state.hash(), hash, "the restore is in the log or in a snapshot");
  assert.equal(await value(agent, "c"), "after");
  await assert.rejects(agent.agent.server.restore(backup.subarray(0, backup.length - 3)), /snapshot|frame|end/i);
  await agent.stop();
});

test("a state restored into a younger group goes on above its own index", async () => {
  const old = await startTestAgent({ flags: SERVER });
  for (let i = 0; i < 200; i++) await put(old, "a", `v${i}`);
  const parts: Uint8Array[] = [];
  for await (const chunk of old.agent.server.backup().chunks) parts.push(chunk);
  const oldIndex = Number((await old.fetch("GET", "/v1/kv/a")).header("x-consul-index"));
  await old.stop();
  const young = await startTestAgent({ flags: SERVER });
  await young.agent.server.restore(new Uint8Array(Buffer.concat(parts)));
  await put(young, "b", "1");
  assert.ok(Number((await young.fetch("GET", "/v1/kv/b")).header("x-consul-index")) > oldIndex);
  await young.stop();
});
