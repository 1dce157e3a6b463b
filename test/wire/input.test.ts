// W7, W8, W11: what clients send, in the forms in which they send it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";
import { indexOf } from "./blocking-routes.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

test("W7: keys of a body count in any case, as python-consul sends them", async () => {
  const created = await agent.fetch("PUT", "/v1/session/create", {
    name: "lower",
    lockdelay: "5s",
    behavior: "delete",
    ttl: "10s",
    nodechecks: [],
  });
  const session = (await agent.fetch("GET", `/v1/session/info/${created.json().ID}`)).json()[0];
  assert.deepEqual([session.Name, session.LockDelay, session.Behavior, session.TTL], ["lower", 5e9, "delete", "10s"]);
  const registered = await agent.fetch("PUT", "/v1/agent/service/register", {
    name: "w7",
    id: "w7-1",
    PORT: 80,
    tAgS: ["a"],
    check: { ttl: "10s", status: "passing" },
  });
  assert.equal(registered.status, 200, registered.text);
  assert.equal(
    (
      await agent.fetch("PUT", "/v1/agent/check/register", {
        name: "more",
        id: "w7-more",
        serviceid: "w7-1",
        ttl: "10s",
      })
    ).status,
    200,
  );
  const checks = (await agent.fetch("GET", "/v1/agent/checks")).json();
  assert.equal(checks["w7-more"].ServiceID, "w7-1");
  const service = (await agent.fetch("GET", "/v1/agent/service/w7-1")).json();
  assert.deepEqual([service.Service, service.Port, service.Tags], ["w7", 80, ["a"]]);
  assert.equal(
    (await agent.fetch("PUT", "/v1/catalog/register", { node: "w7", address: "10.0.0.7", service: { service: "w7c" } }))
      .status,
    200,
  );
  assert.equal((await agent.fetch("GET", "/v1/catalog/service/w7c")).json()[0].Node, "w7");
  assert.equal((await agent.fetch("PUT", "/v1/txn", [{ kv: { verb: "set", key: "w7", value: "eA==" } }])).status, 200);
});

test("W7: durations take fractions and small units, as Patroni sends them", async () => {
  for (const TTL of ["10.5s", "15000ms", "0.25m", "15000000us"])
    assert.equal((await agent.fetch("PUT", "/v1/session/create", { TTL })).status, 200, TTL);
  const { ID } = (await agent.fetch("PUT", "/v1/session/create", { LockDelay: "0.001s" })).json();
  assert.equal((await agent.fetch("GET", `/v1/session/info/${ID}`)).json()[0].LockDelay, 1e6);
  // Numbers are nanoseconds, or seconds where they can only be that.
  for (const [sent, kept] of [
    [15e9, 15e9],
    [10, 10e9],
  ]) {
    const session = (await agent.fetch("PUT", "/v1/session/create", { LockDelay: sent })).json();
    assert.equal((await agent.fetch("GET", `/v1/session/info/${session.ID}`)).json()[0].LockDelay, kept);
  }
});

test("W7: wait is taken in milliseconds, as the Go client sends it, and with fractions", async () => {
  for (const [wait, ms] of [
    ["9980ms", 9980],
    ["9.98s", 9980],
    ["0.5s", 500],
  ] as const) {
    const index = await indexOf(agent, "/v1/kv/w7-wait");
    let answered = false;
    const { reply } = agent.send("GET", `/v1/kv/w7-wait?index=${index}&wait=${wait}`);
    void reply.then(() => (answered = true));
    await agent.advance(ms - 10);
    assert.equal(answered, false, wait);
    await agent.advance(ms / 16 + 20);
    assert.equal(answered, true, wait);
  }
});

test("W8: ids with slashes are taken from the rest of the path, raw or escaped", async () => {
  const id = "batman/postgresql0";
  for (const escaped of [id, encodeURIComponent(id)]) {
    const registered = await agent.fetch("PUT", "/v1/agent/service/register", {
      Name: "w8",
      ID: id,
      Check: { CheckID: "batman/check", TTL: "10s" },
    });
    assert.equal(registered.status, 200);
    assert.equal((await agent.fetch("GET", `/v1/agent/service/${escaped}`)).json().ID, id);
    const check = escaped === id ? "batman/check" : "batman%2Fcheck";
    assert.equal((await agent.fetch("PUT", `/v1/agent/check/pass/${check}`)).status, 200);
    assert.equal((await agent.fetch("GET", `/v1/agent/health/service/id/${escaped}`)).status, 200);
    assert.equal((await agent.fetch("PUT", `/v1/agent/service/maintenance/${escaped}?enable=false`)).status, 200);
    assert.equal((await agent.fetch("PUT", `/v1/agent/check/deregister/${check}`)).status, 200);
    assert.equal((await agent.fetch("PUT", `/v1/agent/service/deregister/${escaped}`)).status, 200);
    assert.equal((await agent.fetch("GET", `/v1/agent/service/${escaped}`)).status, 404);
  }
});

test("W11: repeated tag, node-meta and filter all count, also on the list of services", async () => {
  const register = (Node: string, rack: string, Service: string, Tags: string[]): Promise<unknown> =>
    agent.fetch("PUT", "/v1/catalog/register", {
      Node,
      Address: "10.0.0.1",
      NodeMeta: { rack, room: "r" },
      Service: { Service, ID: Service, Tags, Port: 1 },
    });
  await register("w11-a", "1", "w11-web", ["v1", "blue"]);
  await register("w11-b", "2", "w11-web", ["v1", "green"]);
  await register("w11-c", "2", "w11-db", ["v1"]);
  const nodes = async (path: string): Promise<string[]> =>
    (await agent.fetch("GET", path))
      .json()
      .map((row: { Node: string | { Node: string } }) => (typeof row.Node === "string" ? row.Node : row.Node.Node));
  for (const path of ["/v1/catalog/service/w11-web", "/v1/health/service/w11-web"]) {
    assert.deepEqual(await nodes(`${path}?tag=v1&tag=blue`), ["w11-a"]);
    assert.deepEqual(await nodes(`${path}?tag=v1`), ["w11-a", "w11-b"]);
    assert.deepEqual(await nodes(`${path}?tag=blue&tag=green`), []);
    assert.deepEqual(await nodes(`${path}?node-meta=room:r&node-meta=rack:2`), ["w11-b"]);
  }
  const names = async (query: string): Promise<string[]> =>
    Object.keys((await agent.fetch("GET", `/v1/catalog/services?${query}`)).json());
  assert.deepEqual(await names("node-meta=room:r&node-meta=rack:2"), ["w11-db", "w11-web"]);
  assert.deepEqual(await names("node-meta=room:r&node-meta=rack:1"), ["w11-web"]);
  assert.deepEqual(await names(`filter=${encodeURIComponent('ServiceName matches "^w11-w"')}`), ["w11-web"]);
});
