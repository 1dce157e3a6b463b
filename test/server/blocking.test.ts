import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

let agent: TestAgent;
beforeEach(async () => {
  agent = await startTestAgent();
});
afterEach(async () => {
  await agent.stop();
});

/** A request and whether it has been answered. */
function ask(path: string): {
  answered: () => boolean;
  reply: ReturnType<TestAgent["send"]>["reply"];
  gone: () => void;
} {
  const { reply, gone } = agent.send("GET", path);
  let done = false;
  void reply.then(() => {
    done = true;
  });
  return { answered: () => done, reply, gone };
}

const indexOf = async (path: string): Promise<string> =>
  (await agent.fetch("GET", path)).header("x-consul-index") as string;

test("a blocking query on a key is woken by that key and by nothing else", async () => {
  await agent.fetch("PUT", "/v1/kv/a", "1");
  const index = await indexOf("/v1/kv/a");
  const query = ask(`/v1/kv/a?index=${index}&wait=60s&raw`);
  await agent.settle();
  await agent.fetch("PUT", "/v1/kv/b", "1");
  await agent.fetch("PUT", "/v1/kv/a", "1");
  await agent.settle();
  assert.equal(query.answered(), false, "another key, or the same value again, is no change");
  await agent.fetch("PUT", "/v1/kv/a", "2");
  const reply = await query.reply;
  assert.equal(reply.text, "2");
  assert.ok(Number(reply.header("x-consul-index")) > Number(index));
  assert.equal(agent.agent.server.blocked, 0);
});

test("W3 and W4: nothing changes: the same index after the wait, and never later than a sixteenth more", async () => {
  await agent.fetch("PUT", "/v1/kv/a", "1");
  const index = await indexOf("/v1/kv/a");
  const query = ask(`/v1/kv/a?index=${index}&wait=16s`);
  await agent.advance(15_999);
  assert.equal(query.answered(), false);
  await agent.advance(1001);
  assert.equal(query.answered(), true);
  assert.equal((await query.reply).header("x-consul-index"), index);
});

test("the wait is ten minutes at most, and five without a word", async () => {
  const index = await indexOf("/v1/kv/none");
  const long = ask(`/v1/kv/none?index=${index}&wait=24h`);
  const silent = ask(`/v1/kv/none?index=${index}`);
  await agent.advance(299_000);
  assert.equal(silent.answered(), false);
  await agent.advance(1000 + 300_000 / 16);
  assert.equal(silent.answered(), true);
  assert.equal(long.answered(), false);
  await agent.advance(300_000 + 600_000 / 16);
  assert.equal(long.answered(), true);
});

test("a prefix, a missing key, a deleted key: each is woken by what it shows", async () => {
  await agent.fetch("PUT", "/v1/kv/app/a", "1");
  const prefixIndex = await indexOf("/v1/kv/app/?recurse");
  const prefix = ask(`/v1/kv/app/?recurse&index=${prefixIndex}&wait=60s`);
  const missing = ask(`/v1/kv/other?index=${await indexOf("/v1/kv/other")}&wait=60s`);
  const present = ask(`/v1/kv/app/a?index=${await indexOf("/v1/kv/app/a")}&wait=60s`);
  await agent.fetch("PUT", "/v1/kv/apples", "1");
  await agent.settle();
  assert.deepEqual([prefix.answered(), missing.answered(), present.answered()], [false, false, false]);
  await agent.fetch("DELETE", "/v1/kv/app/a");
  assert.equal((await prefix.reply).status, 404);
  assert.equal((await present.reply).status, 404);
  assert.ok(Number((await prefix.reply).header("x-consul-index")) > Number(prefixIndex));
  assert.equal(missing.answered(), false);
  await agent.fetch("PUT", "/v1/kv/other", "x");
  assert.equal((await missing.reply).status, 200);
});

test("a service's query is woken by its instances, their nodes and their checks, not by another service", async () => {
  const register = (service: string, node: string, status: string): Promise<unknown> =>
    agent.fetch("PUT", "/v1/catalog/register", {
      Node: node,
      Address: "10.0.0.1",
      Service: { Service: service, Port: 1 },
      Check: { CheckID: `${service}-up`, Name: "up", Status: status, ServiceID: service },
    });
  await register("web", "x", "passing");
  const path = "/v1/health/service/web?passing";
  let index = await indexOf(path);
  const first = ask(`${path}&index=${index}&wait=60s`);
  await register("db", "y", "passing");
  await agent.settle();
  assert.equal(first.answered(), false);
  await register("web", "x", "critical");
  assert.deepEqual((await first.reply).json(), []);
  index = (await first.reply).header("x-consul-index") as string;
  const second = ask(`/v1/health/service/web?index=${index}&wait=60s`);
  await agent.fetch("PUT", "/v1/catalog/register", { Node: "x", Address: "10.0.0.2" });
  assert.equal((await second.reply).json()[0].Node.Address, "10.0.0.2");
});

test("a client that goes away leaves no timer, no watch and no waiter", async () => {
  const index = await indexOf("/v1/kv/none");
  const before = agent.agent.timers.pending;
  const queries = Array.from({ length: 100 }, () => ask(`/v1/kv/none?index=${index}&wait=60s`));
  await agent.settle();
  assert.equal(agent.agent.server.blocked, 100);
  assert.equal(agent.agent.server.watches.size >= 100, true);
  const watchers = agent.agent.server.watches.size;
  for (const { gone } of queries) gone();
  await agent.settle();
  assert.equal(agent.agent.server.blocked, 0);
  assert.equal(agent.agent.timers.pending, before);
  assert.equal(agent.agent.server.watches.size, watchers - 100);
});

test("a thousand who wait for one service are answered by one run and one encoding of it", async () => {
  await agent.fetch("PUT", "/v1/catalog/register", { Node: "x", Address: "10.0.0.1", Service: { Service: "web" } });
  const path = "/v1/health/service/web";
  const index = await indexOf(path);
  const replies = Array.from({ length: 1000 }, () =>
    agent.running.handle(agent.request("GET", `${path}?index=${index}&wait=60s`)),
  );
  await agent.fetch("PUT", "/v1/catalog/register", {
    Node: "x",
    Address: "10.0.0.1",
    Service: { Service: "web", Port: 9 },
  });
  const [first, ...rest] = await Promise.all(replies);
  for (const reply of rest) assert.equal(reply, first, "the very same reply");
});

test("an answer is shared until what it shows changes, and never afterwards", async () => {
  await agent.fetch("PUT", "/v1/kv/a", "1");
  const get = (path: string): unknown => agent.running.handle(agent.request("GET", path));
  const once = get("/v1/kv/a");
  assert.equal(get("/v1/kv/a"), once);
  await agent.fetch("PUT", "/v1/kv/b", "1");
  assert.equal(get("/v1/kv/a"), once);
  await agent.fetch("PUT", "/v1/kv/a", "2");
  assert.notEqual(get("/v1/kv/a"), once);
  assert.equal((await agent.fetch("GET", "/v1/kv/a?raw")).text, "2");
});
