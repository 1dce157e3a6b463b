// W2, W3, W4: the index of an answer, and how long a blocking query is held.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Random } from "../../src/util/random.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";
import { blockingPaths, indexOf, withParam } from "./blocking-routes.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

test("W2: every blocking route says an index of 1 or more, also with 404", async () => {
  const notFound: string[] = [];
  for (const path of blockingPaths) {
    const reply = await agent.fetch("GET", path);
    assert.match(reply.header("x-consul-index") ?? "none", /^[1-9]\d*$/, path);
    assert.ok(reply.status === 200 || reply.status === 404, `${path}: ${reply.status} ${reply.text}`);
    if (reply.status === 404) notFound.push(path);
  }
  assert.ok(notFound.includes("/v1/kv/absent") && notFound.includes("/v1/kv/absent?keys"), notFound.join());
});

test("W2: /v1/event/list says an index of 1 or more before the first event", async () => {
  assert.match((await agent.fetch("GET", "/v1/event/list")).header("x-consul-index") ?? "none", /^[1-9]\d*$/);
});

test("W3: a query that times out says the index that it was asked with", async () => {
  for (const path of blockingPaths) {
    // A prepared query is read at once, whatever index is asked with.
    if (path.startsWith("/v1/query")) continue;
    const index = await indexOf(agent, path);
    const waiting = agent.send("GET", withParam(path, `index=${index}&wait=10s`));
    let answered = false;
    void waiting.reply.then(() => (answered = true));
    await agent.advance(9900);
    assert.equal(answered, false, `${path} is held`);
    await agent.advance(1000);
    const reply = await waiting.reply;
    assert.equal(Number(reply.header("x-consul-index")), index, path);
  }
});

test("W3: the index of no answer goes back, whatever is written and deleted", async () => {
  const random = new Random(7);
  const last = new Map<string, number>();
  const paths = [
    "/v1/kv/w3/1",
    "/v1/kv/w3/2",
    "/v1/kv/w3?recurse",
    "/v1/kv/w3?keys",
    "/v1/health/service/s1",
    "/v1/catalog/service/s1",
    "/v1/catalog/services",
    "/v1/catalog/nodes",
    "/v1/catalog/node/w3",
    "/v1/health/node/w3",
    "/v1/session/list",
  ];
  const ids: string[] = [];
  for (let round = 0; round < 150; round++) {
    const n = 1 + random.below(3);
    const writes = [
      () => agent.fetch("PUT", `/v1/kv/w3/${n}`, String(round)),
      () => agent.fetch("DELETE", `/v1/kv/w3/${n}`),
      () => agent.fetch("DELETE", "/v1/kv/w3?recurse"),
      () =>
        agent.fetch("PUT", "/v1/catalog/register", {
          Node: "w3",
          Address: "10.0.0.1",
          Service: { Service: `s${n}` },
          Check: {
            CheckID: `service:s${n}`,
            Name: "c",
            ServiceID: `s${n}`,
            Status: random.below(2) === 0 ? "passing" : "critical",
          },
        }),
      () => agent.fetch("PUT", "/v1/catalog/deregister", { Node: "w3", ServiceID: `s${n}` }),
      () => agent.fetch("PUT", "/v1/catalog/deregister", { Node: "w3" }),
      async () => void ids.push((await agent.fetch("PUT", "/v1/session/create", {})).json().ID),
      () => agent.fetch("PUT", `/v1/session/destroy/${ids.pop() ?? "00000000-0000-0000-0000-000000000000"}`),
    ];
    await (writes[random.below(writes.length)] as () => Promise<unknown>)();
    for (const path of paths) {
      const index = await indexOf(agent, path);
      assert.ok(index >= (last.get(path) ?? 1), `${path}: ${index} after ${last.get(path)}`);
      last.set(path, index);
    }
  }
});

test("W3: the index of a deleted key is past the one it had, so that its watcher wakes", async () => {
  await agent.fetch("PUT", "/v1/kv/w3-deleted", "x");
  const index = await indexOf(agent, "/v1/kv/w3-deleted");
  const waiting = agent.send("GET", `/v1/kv/w3-deleted?index=${index}&wait=60s`);
  await agent.fetch("DELETE", "/v1/kv/w3-deleted");
  const reply = await waiting.reply;
  assert.equal(reply.status, 404);
  assert.ok(Number(reply.header("x-consul-index")) > index);
});

for (const [wait, ms] of [
  ["10s", 10_000],
  ["160s", 160_000],
  ["2m", 120_000],
  ["1500ms", 1500],
  ["", 300_000],
  ["20m", 600_000],
] as const) {
  test(`W4: a query is held for at least its wait, and at most a sixteenth more: ${wait === "" ? "the default" : wait}`, async () => {
    const index = await indexOf(agent, "/v1/kv/w4");
    const held: number[] = [];
    for (let i = 0; i < 12; i++) {
      const from = agent.platform.now();
      const answer = { atMs: null as number | null };
      const { reply } = agent.send("GET", `/v1/kv/w4?index=${index}${wait === "" ? "" : `&wait=${wait}`}`);
      void reply.then(() => (answer.atMs = agent.platform.now()));
      for (let passed = 0; answer.atMs === null && passed < ms * 2; passed += ms / 100) await agent.advance(ms / 100);
      assert.ok(answer.atMs !== null, "answered at all");
      held.push(answer.atMs - from);
    }
    for (const time of held) {
      assert.ok(time >= ms - 1, `${time} ms of ${ms}`);
      // The clock turns in hundredths.
      assert.ok(time <= ms + ms / 16 + 1, `${time} ms of ${ms}`);
    }
    assert.ok(new Set(held.map(Math.round)).size > 3, "clients that came together do not return together");
  });
}
