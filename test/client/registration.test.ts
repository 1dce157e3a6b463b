import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckStatus, Client } from "../../src/client/index.ts";
import { ClientError, createClient } from "../../src/client/index.ts";
import { FakeAgent, never } from "./fake-agent.ts";
import type { Answer, Asked } from "./fake-agent.ts";
import { FakeClock, settle } from "./fake-clock.ts";

interface World {
  clock: FakeClock;
  agent: FakeAgent;
  client: Client;
  /** Answers instead of the agent where it gives something. */
  override: { answer?: (asked: Asked) => Answer | Promise<Response> | undefined };
}
/** An agent that knows which services are registered. */
function world(): World {
  const clock = new FakeClock();
  const known = new Set<string>();
  const override: World["override"] = {};
  const agent = new FakeAgent((asked) => {
    const given = override.answer?.(asked);
    if (given !== undefined) return given;
    if (asked.line === "PUT /v1/agent/service/register") known.add((JSON.parse(asked.body) as { ID: string }).ID);
    const update = /^PUT \/v1\/agent\/check\/update\/service%3A(.*)/.exec(asked.line)?.[1];
    if (update !== undefined && !known.has(update))
      return { status: 404, body: `Unknown check ID "service:${update}"` };
    return asked.line.startsWith("PUT /v1/catalog/") ? { body: "true" } : {};
  });
  return { clock, agent, client: createClient({ fetch: agent.fetch, clock }), override };
}
const statuses = ({ agent }: World): unknown[] =>
  agent.asked
    .filter(({ line }) => line.includes("/check/update/"))
    .map(({ body }) => (JSON.parse(body) as { Status: string }).Status);

test("a service registers with a TTL check, says thrice a TTL that it lives, and is gone after close", async () => {
  const it = world();
  const registration = await it.client.register({ Name: "web", ID: "web-1", Port: 80, Tags: ["a"] }, { ttlMs: 9_000 });
  assert.equal(registration.id, "web-1");
  assert.deepEqual(JSON.parse(it.agent.asked[0]?.body ?? ""), {
    Name: "web",
    ID: "web-1",
    Port: 80,
    Tags: ["a"],
    Check: { CheckID: "service:web-1", TTL: "9000ms", DeregisterCriticalServiceAfter: "90000ms" },
  });
  assert.deepEqual(statuses(it), ["passing"]);
  for (let second = 0; second < 9; second += 1) {
    await it.clock.advance(1_000);
    await settle();
  }
  assert.deepEqual(statuses(it), ["passing", "passing", "passing", "passing"]);
  await registration.close();
  assert.equal(it.agent.lines.at(-1), "PUT /v1/agent/service/deregister/web-1");
  const { length } = it.agent.lines;
  await it.clock.advance(60_000);
  assert.deepEqual([it.agent.lines.length, it.clock.sleeps.size], [length, 0]);
});

test("an agent that has forgotten it learns of it again", async () => {
  const it = world();
  const registration = await it.client.register({ Name: "web" }, { ttlMs: 3_000 });
  let forgotten = true;
  it.override.answer = ({ line }) => {
    if (line.includes("/check/update/") && forgotten) {
      forgotten = false;
      return { status: 404, body: "Unknown check ID" };
    }
    return undefined;
  };
  await it.clock.advance(1_000);
  await settle();
  assert.deepEqual(it.agent.lines.slice(-2), [
    "PUT /v1/agent/service/register",
    "PUT /v1/agent/check/update/service%3Aweb",
  ]);
  assert.equal(registration.error, null);
  await registration.close();
});

test("beats that fail are repeated each second, told, and the error is there until one succeeds", async () => {
  const it = world();
  const errors: unknown[] = [];
  const registration = await it.client.register(
    { Name: "web" },
    { ttlMs: 15_000, onError: (error) => errors.push(error) },
  );
  it.override.answer = () => ({ status: 403, body: "Permission denied" });
  for (let second = 0; second < 7; second += 1) {
    await it.clock.advance(1_000);
    await settle();
  }
  assert.equal(errors.length, 3);
  assert.ok(registration.error instanceof ClientError);
  delete it.override.answer;
  await it.clock.advance(1_000);
  await settle();
  assert.equal(registration.error, null);
  await registration.close();
});

test("a beat without an answer is given up after the TTL", async () => {
  const it = world();
  const registration = await it.client.register({ Name: "web" }, { ttlMs: 3_000 });
  it.override.answer = never;
  await it.clock.advance(1_000);
  await settle();
  assert.equal(registration.error, null);
  await it.clock.advance(3_000);
  await settle();
  assert.notEqual(registration.error, null);
  delete it.override.answer;
  await registration.close();
});

test("the check's word is passed on, and what it throws is critical", async () => {
  const it = world();
  const says: (CheckStatus | Error)[] = ["passing", "warning", new Error("disk"), "passing"];
  const check = (): CheckStatus => {
    const next = says.shift() ?? "passing";
    if (next instanceof Error) throw next;
    return next;
  };
  const registration = await it.client.register({ Name: "web" }, { background: false, check });
  for (let beat = 0; beat < 3; beat += 1) await registration.beat();
  assert.deepEqual(statuses(it), ["passing", "warning", "critical", "passing"]);
  assert.match(it.agent.asked.map(({ body }) => body).join(), /Error: disk/);
  assert.equal(it.clock.sleeps.size, 0);
  await registration.close();
});

test("a service of a node of its own is written to the catalog, again with each beat, and taken out on close", async () => {
  const it = world();
  const node = { Node: "edge-1", Address: "edge.example" };
  const service = { Name: "web", Address: "edge.example", Port: 443 };
  const registration = await it.client.register(service, { node, ttlMs: 3_000 });
  const expected = {
    Node: "edge-1",
    Address: "edge.example",
    NodeMeta: { "external-node": "true" },
    Service: {
      Address: "edge.example",
      Port: 443,
      ID: "web",
      Service: "web",
    },
    Check: {
      Node: "edge-1",
      CheckID: "service:web",
      Name: "Service 'web' check",
      ServiceID: "web",
      Status: "passing",
      Output: "",
    },
  };
  assert.deepEqual(JSON.parse(it.agent.asked[0]?.body ?? ""), expected);
  await it.clock.advance(1_000);
  await settle();
  assert.deepEqual(it.agent.lines, ["PUT /v1/catalog/register", "PUT /v1/catalog/register"]);
  await registration.close();
  assert.deepEqual(JSON.parse(it.agent.asked[2]?.body ?? ""), { Node: "edge-1", ServiceID: "web" });
});

test("close of the client, its signal, and `using` end a registration too", async () => {
  const gone = (it: World): number => it.agent.lines.filter((line) => line.includes("/deregister/")).length;
  const byClient = world();
  await byClient.client.register({ Name: "web" });
  await byClient.client.close();
  assert.equal(gone(byClient), 1);
  const bySignal = world();
  const controller = new AbortController();
  await bySignal.client.register({ Name: "web" }, { signal: controller.signal });
  controller.abort();
  await settle();
  assert.deepEqual([gone(bySignal), bySignal.clock.sleeps.size], [1, 0]);
  const byScope = world();
  {
    await using registration = await byScope.client.register({ Name: "web" });
    assert.equal(registration.error, null);
  }
  assert.equal(gone(byScope), 1);
  // An agent that is gone does not keep anyone from ending.
  const dead = world();
  const registration = await dead.client.register({ Name: "web" });
  dead.override.answer = () => ({ status: 500 });
  await registration.close();
  assert.equal(gone(dead), 1);
});

test("a registration that is refused is an error at once, and nothing runs", async () => {
  const it = world();
  it.override.answer = () => ({ status: 403, body: "Permission denied" });
  await assert.rejects(it.client.register({ Name: "web" }), ClientError);
  assert.equal(it.clock.sleeps.size, 0);
});
