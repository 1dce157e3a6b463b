// W12: sessions and locks as Patroni and the Go client use them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

const create = async (body: object): Promise<string> =>
  (await agent.fetch("PUT", "/v1/session/create", body)).json().ID;
const alive = async (id: string): Promise<boolean> =>
  (await agent.fetch("GET", `/v1/session/info/${id}`)).json().length === 1;
const acquire = async (key: string, id: string): Promise<string> =>
  (await agent.fetch("PUT", `/v1/kv/${key}?acquire=${id}`, "x")).text.trim();

test("W12: a session lives for its TTL, and twice it at most", async () => {
  const id = await create({ TTL: "10s" });
  await agent.advance(9999);
  assert.equal(await alive(id), true);
  await agent.advance(10_001);
  assert.equal(await alive(id), false);
});

test("W12: a renewal answers with the session and its TTL, and starts it anew", async () => {
  const id = await create({ TTL: "10s", Name: "w12" });
  for (let i = 0; i < 5; i++) {
    await agent.advance(9000);
    const renewed = await agent.fetch("PUT", `/v1/session/renew/${id}`);
    assert.equal(renewed.status, 200);
    assert.deepEqual([renewed.json()[0].ID, renewed.json()[0].TTL], [id, "10s"]);
  }
  assert.equal(await alive(id), true);
  await agent.advance(20_001);
  const gone = await agent.fetch("PUT", `/v1/session/renew/${id}`);
  assert.equal(gone.status, 404);
  assert.equal(gone.text, `Session id '${id}' not found`);
});

test("W12: acquire and release answer with a bare true or false", async () => {
  const [one, two] = [await create({}), await create({})];
  assert.equal(await acquire("w12/lock", one), "true");
  assert.equal(await acquire("w12/lock", two), "false");
  assert.equal(await acquire("w12/lock", one), "true", "its holder may acquire it again");
  const { LockIndex, Session } = (await agent.fetch("GET", "/v1/kv/w12/lock")).json()[0];
  assert.deepEqual([LockIndex, Session], [1, one]);
  assert.equal((await agent.fetch("PUT", `/v1/kv/w12/lock?release=${two}`, "x")).text.trim(), "false");
  assert.equal((await agent.fetch("PUT", `/v1/kv/w12/lock?release=${one}`, "x")).text.trim(), "true");
  assert.equal(await acquire("w12/lock", two), "true", "no delay after a release");
});

test("W12: the behaviour delete removes what the session held, release only frees it", async () => {
  const [deleting, releasing] = [await create({ Behavior: "delete" }), await create({ Behavior: "release" })];
  await acquire("w12/delete", deleting);
  await acquire("w12/release", releasing);
  for (const id of [deleting, releasing])
    assert.equal((await agent.fetch("PUT", `/v1/session/destroy/${id}`)).text.trim(), "true");
  assert.equal((await agent.fetch("GET", "/v1/kv/w12/delete")).status, 404);
  assert.equal((await agent.fetch("GET", "/v1/kv/w12/release")).json()[0].Session, undefined);
});

for (const [LockDelay, ms] of [
  ["0.001s", 1],
  ["1ms", 1],
  ["15s", 15_000],
  [undefined, 15_000],
] as const) {
  test(`W12: after its session ends, a key cannot be locked for the lock delay: ${LockDelay ?? "the default of 15s"}`, async () => {
    const key = `w12/delay-${LockDelay ?? "default"}`;
    const [old, next] = [await create(LockDelay === undefined ? {} : { LockDelay }), await create({})];
    await acquire(key, old);
    await agent.fetch("PUT", `/v1/session/destroy/${old}`);
    assert.equal(await acquire(key, next), "false");
    await agent.advance(ms - 1);
    assert.equal(await acquire(key, next), "false");
    await agent.advance(1);
    assert.equal(await acquire(key, next), "true");
  });
}
