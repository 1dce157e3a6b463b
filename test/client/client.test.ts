import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../src/client/client.ts";
import { createClient } from "../../src/client/client.ts";
import { ClientError } from "../../src/client/index.ts";
import { FakeAgent } from "./fake-agent.ts";
import type { Answer, Responder } from "./fake-agent.ts";

const clientOf = (answer: Answer | Responder, more = {}): { client: Client; agent: FakeAgent } => {
  const agent = new FakeAgent(typeof answer === "function" ? answer : () => answer);
  return { agent, client: createClient({ fetch: agent.fetch, ...more }) };
};

interface Row {
  call(client: Client): Promise<unknown>;
  line: string;
  body?: string;
  answer?: Answer;
  result?: unknown;
}
const entry = { LockIndex: 0, Key: "a/b", Flags: 0, Value: "aGk=", CreateIndex: 3, ModifyIndex: 4 };

const rows: Record<string, Row> = {
  "kv.get": {
    call: async (c) => (await c.kv.get("a/b c")).value,
    line: "GET /v1/kv/a/b%20c",
    answer: { body: [entry] },
    result: { ...entry, Value: new TextEncoder().encode("hi") },
  },
  "kv.get of a key that is not there": {
    call: async (c) => (await c.kv.get("a")).value,
    line: "GET /v1/kv/a",
    answer: { status: 404 },
    result: null,
  },
  "kv.get of an empty value": {
    call: async (c) => (await c.kv.get("a")).value?.Value,
    line: "GET /v1/kv/a",
    answer: { body: [{ ...entry, Value: null }] },
    result: new Uint8Array(0),
  },
  "kv.list": {
    call: async (c) => (await c.kv.list("a/")).value.map(({ Key }) => Key),
    line: "GET /v1/kv/a/?recurse=",
    answer: { body: [entry] },
    result: ["a/b"],
  },
  "kv.list of nothing": {
    call: async (c) => (await c.kv.list("none")).value,
    line: "GET /v1/kv/none?recurse=",
    answer: { status: 404 },
    result: [],
  },
  "kv.keys": {
    call: async (c) => (await c.kv.keys("", { separator: "/" })).value,
    line: "GET /v1/kv/?keys=&separator=%2F",
    answer: { body: ["a/"] },
    result: ["a/"],
  },
  "kv.put": {
    call: (c) => c.kv.put("a", "hi", { flags: 18446744073709551615n, cas: 0, datacenter: "dc2" }),
    line: "PUT /v1/kv/a?flags=18446744073709551615&cas=0&dc=dc2",
    body: "hi",
    answer: { body: "true\n" },
    result: true,
  },
  "kv.put that is refused": {
    call: (c) => c.kv.put("a", new Uint8Array([104]), { acquire: "s" }),
    line: "PUT /v1/kv/a?acquire=s",
    body: "h",
    answer: { body: "false" },
    result: false,
  },
  "kv.delete": {
    call: (c) => c.kv.delete("a", { cas: 7 }),
    line: "DELETE /v1/kv/a?cas=7",
    answer: { body: "false" },
    result: false,
  },
  "kv.deleteTree": {
    call: (c) => c.kv.deleteTree("a/"),
    line: "DELETE /v1/kv/a/?recurse=",
    answer: { body: "true" },
    result: true,
  },
  "catalog.service": {
    call: (c) =>
      c.catalog.service("web", {
        tag: ["a", "b"],
        nodeMeta: { k: "v" },
        near: "_agent",
        filter: 'ServicePort == "1"',
        consistency: "stale",
      }),
    line: "GET /v1/catalog/service/web?tag=a&tag=b&stale=&filter=ServicePort+%3D%3D+%221%22&near=_agent&node-meta=k%3Av",
    answer: { body: [] },
  },
  "catalog.node": {
    call: async (c) => (await c.catalog.node("n/1")).value,
    line: "GET /v1/catalog/node/n%2F1",
    answer: { body: "null" },
    result: null,
  },
  "catalog.register": {
    call: (c) => c.catalog.register({ Node: "n", Address: "10.0.0.1" }),
    line: "PUT /v1/catalog/register",
    body: '{"Node":"n","Address":"10.0.0.1"}',
    answer: { body: "true" },
    result: true,
  },
  "catalog.deregister": {
    call: (c) => c.catalog.deregister({ Node: "n" }),
    line: "PUT /v1/catalog/deregister",
    body: '{"Node":"n"}',
    answer: { body: "true" },
    result: true,
  },
  "health.service": {
    call: (c) => c.health.service("web", { passing: true, index: 9, wait: "10s" }),
    line: "GET /v1/health/service/web?passing=&index=9&wait=10s",
    answer: { body: [] },
  },
  "health.state": { call: (c) => c.health.state("any"), line: "GET /v1/health/state/any", answer: { body: [] } },
  "agent.members": {
    call: (c) => c.agent.members({ wan: true }),
    line: "GET /v1/agent/members?wan=",
    answer: { body: [] },
  },
  "agent.registerService": {
    call: (c) => c.agent.registerService({ Name: "web", Check: { TTL: "3s" } }, { replaceExistingChecks: true }),
    line: "PUT /v1/agent/service/register?replace-existing-checks=true",
    body: '{"Name":"web","Check":{"TTL":"3s"}}',
    answer: {},
    result: undefined,
  },
  "agent.deregisterService": {
    call: (c) => c.agent.deregisterService("scope/web"),
    line: "PUT /v1/agent/service/deregister/scope%2Fweb",
    answer: {},
  },
  "agent.updateCheck": {
    call: (c) => c.agent.updateCheck("c", "warning", "low"),
    line: "PUT /v1/agent/check/update/c",
    body: '{"Status":"warning","Output":"low"}',
    answer: {},
  },
  "agent.serviceMaintenance": {
    call: (c) => c.agent.serviceMaintenance("web", false, "done"),
    line: "PUT /v1/agent/service/maintenance/web?enable=false&reason=done",
    answer: {},
  },
  "agent.serviceHealth of a critical service": {
    call: async (c) => (await c.agent.serviceHealth("web"))?.AggregatedStatus,
    line: "GET /v1/agent/health/service/id/web",
    answer: { status: 503, body: { AggregatedStatus: "critical" } },
    result: "critical",
  },
  "agent.service that is not there": {
    call: async (c) => (await c.agent.service("x", { hash: "h" })).value,
    line: "GET /v1/agent/service/x?hash=h",
    answer: { status: 404, body: "unknown service ID: x" },
    result: null,
  },
  "agent.join": { call: (c) => c.agent.join("10.0.0.1:8301"), line: "PUT /v1/agent/join/10.0.0.1%3A8301", answer: {} },
  "agent.forceLeave": {
    call: (c) => c.agent.forceLeave("n", { prune: true }),
    line: "PUT /v1/agent/force-leave/n?prune=1",
    answer: {},
  },
  "session.create": {
    call: (c) => c.session.create({ TTL: "15s" }),
    line: "PUT /v1/session/create",
    body: '{"TTL":"15s"}',
    answer: { body: { ID: "s" } },
    result: "s",
  },
  "session.renew of a lost session": {
    call: (c) => c.session.renew("s"),
    line: "PUT /v1/session/renew/s",
    answer: { status: 404, body: "Session id 's' not found" },
    result: null,
  },
  "session.info": {
    call: async (c) => (await c.session.info("s")).value,
    line: "GET /v1/session/info/s",
    answer: { body: [] },
    result: null,
  },
  "txn that succeeds": {
    call: (c) => c.txn([{ KV: { Verb: "set", Key: "a", Value: "hi", Flags: 16212364410366082528n } }]),
    line: "PUT /v1/txn",
    body: '[{"KV":{"Verb":"set","Key":"a","Value":"aGk=","Flags":16212364410366082528}}]',
    answer: { body: { Results: [{ KV: { Key: "a", Value: null } }], Errors: null } },
    result: { ok: true, results: [{ KV: { Key: "a", Value: new Uint8Array(0) } }], errors: [] },
  },
  "txn that is refused": {
    call: (c) => c.txn([{ KV: { Verb: "delete", Key: "a" } }]),
    line: "PUT /v1/txn",
    body: '[{"KV":{"Verb":"delete","Key":"a"}}]',
    answer: { status: 409, body: { Results: null, Errors: [{ OpIndex: 0, What: "no" }] } },
    result: { ok: false, results: [], errors: [{ OpIndex: 0, What: "no" }] },
  },
  "event.fire": {
    call: async (c) => (await c.event.fire("deploy", "1", { node: "^n" })).Payload,
    line: "PUT /v1/event/fire/deploy?node=%5En",
    body: "1",
    answer: { body: { ID: "e", Payload: "MQ==" } },
    result: new TextEncoder().encode("1"),
  },
  "query.create": {
    call: (c) => c.query.create({ Name: "q", Service: { Service: "web" } }),
    line: "POST /v1/query",
    body: '{"Name":"q","Service":{"Service":"web"}}',
    answer: { body: { ID: "q1" } },
    result: "q1",
  },
  "query.execute": {
    call: async (c) => (await c.query.execute("q", { limit: 2 })).value,
    line: "GET /v1/query/q/execute?limit=2",
    answer: { status: 404, body: "Query not found" },
    result: null,
  },
  "config.set": {
    call: (c) => c.config.set({ Kind: "service-defaults", Name: "web" }, { cas: 3 }),
    line: "PUT /v1/config?cas=3",
    body: '{"Kind":"service-defaults","Name":"web"}',
    answer: { body: "false" },
    result: false,
  },
  "config.delete": {
    call: (c) => c.config.delete("service-defaults", "web"),
    line: "DELETE /v1/config/service-defaults/web",
    answer: { body: {} },
    result: true,
  },
  "operator.raftRemovePeer": {
    call: (c) => c.operator.raftRemovePeer({ address: "10.0.0.1:8300" }),
    line: "DELETE /v1/operator/raft/peer?address=10.0.0.1%3A8300",
    answer: {},
  },
  "operator.raftTransferLeader": {
    call: (c) => c.operator.raftTransferLeader("id"),
    line: "POST /v1/operator/raft/transfer-leader?id=id",
    answer: { body: { Success: true } },
    result: true,
  },
  "operator.autopilotHealth of an unhealthy cluster": {
    call: async (c) => (await c.operator.autopilotHealth()).Healthy,
    line: "GET /v1/operator/autopilot/health",
    answer: { status: 429, body: { Healthy: false } },
    result: false,
  },
  "operator.keyringRemove": {
    call: (c) => c.operator.keyringRemove("k=", { relayFactor: 2 }),
    line: "DELETE /v1/operator/keyring?relay-factor=2",
    body: '{"Key":"k="}',
    answer: {},
  },
  "snapshot.restore": {
    call: (c) => c.snapshot.restore(new TextEncoder().encode("archive")),
    line: "PUT /v1/snapshot",
    body: "archive",
    answer: {},
  },
  "status.leader": {
    call: (c) => c.status.leader(),
    line: "GET /v1/status/leader",
    answer: { body: '"127.0.0.1:8300"' },
    result: "127.0.0.1:8300",
  },
  "coordinate.node without coordinates": {
    call: async (c) => (await c.coordinate.node("n")).value,
    line: "GET /v1/coordinate/node/n",
    answer: { status: 404 },
    result: [],
  },
};

for (const [name, row] of Object.entries(rows))
  test(`${name} sends its request and reads the answer`, async () => {
    const { client, agent } = clientOf(row.answer ?? {});
    const result = await row.call(client);
    assert.deepEqual(agent.lines, [row.line]);
    assert.equal(agent.asked[0]?.body, row.body ?? "");
    if ("result" in row) assert.deepEqual(result, row.result);
  });

test("flags, lock indexes and indexes above 2^53 are exact both ways", async () => {
  const { client } = clientOf({
    headers: { "X-Consul-Index": "17293822569102704643" },
    body: '[{"Key":"k","Flags":3304740253564472344,"LockIndex":18446744073709551615,"ModifyIndex":12}]',
  });
  const { value, index } = await client.kv.get("k");
  assert.equal(value?.Flags, 3304740253564472344n);
  assert.equal(value?.LockIndex, 18446744073709551615n);
  assert.equal(value?.ModifyIndex, 12);
  assert.equal(index, 17293822569102704643n);
});

test("what the headers say stands beside the value", async () => {
  const headers = {
    "X-Consul-Index": "42",
    "X-Consul-KnownLeader": "true",
    "X-Consul-LastContact": "17",
    "X-Cache": "HIT",
    Age: "3",
    "X-Consul-ContentHash": "abc",
    "X-Consul-Results-Filtered-By-ACLs": "true",
  };
  const { client } = clientOf({ headers, body: [] });
  assert.deepEqual(await client.catalog.nodes(), {
    value: [],
    index: 42,
    knownLeader: true,
    lastContactMs: 17,
    contentHash: "abc",
    cacheHit: true,
    cacheAgeSeconds: 3,
    filteredByAcls: true,
  });
  const bare = await clientOf({ body: ["dc1"] }).client.catalog.datacenters();
  assert.deepEqual([bare.index, bare.knownLeader, bare.cacheHit], [0, false, null]);
});

test("token and datacenter of the client serve every request, those of the request win", async () => {
  const { client, agent } = clientOf({ body: [] }, { token: "t1", datacenter: "dc1", address: "consul.example:8500/" });
  await client.catalog.nodes();
  await client.catalog.nodes({ token: "t2", datacenter: "dc2" });
  assert.deepEqual(
    agent.asked.map(({ url, headers }) => [url.host, url.search, headers.get("X-Consul-Token")]),
    [
      ["consul.example:8500", "?dc=dc1", "t1"],
      ["consul.example:8500", "?dc=dc2", "t2"],
    ],
  );
});

test("an answer with an error status is a ClientError with status and text", async () => {
  const { client } = clientOf({ status: 403, body: "Permission denied\n" });
  await assert.rejects(client.kv.put("a", "b"), (error: unknown) => {
    assert.ok(error instanceof ClientError);
    assert.deepEqual([error.status, error.body], [403, "Permission denied"]);
    assert.equal(error.message, "Unexpected response code: 403 (Permission denied)");
    return true;
  });
});

test("an agent that cannot be reached is a ClientError that says why", async () => {
  const cause = new Error("connect ECONNREFUSED 127.0.0.1:1");
  const { client } = clientOf(() => {
    throw new TypeError("fetch failed", { cause });
  });
  await assert.rejects(client.kv.get("a"), (error: unknown) => {
    assert.ok(error instanceof ClientError);
    assert.equal(error.status, 0);
    assert.equal(error.message, 'Get "http://127.0.0.1:8500/v1/kv/a": connect ECONNREFUSED 127.0.0.1:1');
    return true;
  });
});

test("an aborted request rejects with the signal's reason", async () => {
  const { client } = clientOf(({ signal }) => {
    signal?.throwIfAborted();
    return {};
  });
  const reason = new Error("enough");
  await assert.rejects(client.kv.get("a", { signal: AbortSignal.abort(reason) }), reason);
});

test("a key that a URL would rewrite is refused", async () => {
  const { client, agent } = clientOf({});
  await assert.rejects(async () => client.kv.get("a/../b"), ClientError);
  await assert.rejects(async () => client.agent.deregisterService(".."), ClientError);
  assert.deepEqual(agent.lines, []);
});

test("a snapshot and the log are handed on as streams", async () => {
  const { client, agent } = clientOf({ headers: { "X-Consul-Index": "8" }, body: "bytes" });
  const saved = await client.snapshot.save({ consistency: "stale" });
  assert.equal(await new Response(saved.value).text(), "bytes");
  assert.equal(saved.index, 8);
  const log = await client.agent.monitor({ logLevel: "debug", logJson: true });
  assert.equal(await new Response(log).text(), "bytes");
  assert.deepEqual(agent.lines, ["GET /v1/snapshot?stale=", "GET /v1/agent/monitor?loglevel=debug&logjson="]);
});
