import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startTestAgent, type TestAgent, type TestReply } from "../support/agent.ts";

let agent: TestAgent;
beforeEach(async () => {
  agent = await startTestAgent();
});
afterEach(async () => {
  await agent.stop();
});

const txn = (...operations: object[]): Promise<TestReply> => agent.fetch("PUT", "/v1/txn", operations);
const kv = (Verb: string, Key: string, more: object = {}): object => ({ KV: { Verb, Key, ...more } });
const node = { Node: { Verb: "set", Node: { Node: "n", Address: "10.0.0.1", Datacenter: "elsewhere" } } };
const appliedIndex = (): number => agent.agent.server.appliedIndex;

test("a transaction that only reads: says how it was read, and is no entry of the log", async () => {
  await txn(kv("set", "a", { Value: "MQ==" }));
  const before = appliedIndex();
  const reply = await txn(kv("get", "a"), kv("check-not-exists", "b"));
  assert.equal(reply.status, 200);
  assert.deepEqual([reply.header("x-consul-knownleader"), reply.header("x-consul-lastcontact")], ["true", "0"]);
  const { Results, Errors, ...meta } = reply.json();
  assert.equal(Results[0].KV.Value, "MQ==");
  assert.deepEqual(
    { ...meta },
    {
      Index: 1,
      KnownLeader: true,
      LastContact: 0,
      ConsistencyLevel: "",
      NotModified: false,
      Backend: 0,
      ResultsFilteredByACLs: false,
    },
  );
  assert.equal(Errors, null);
  assert.equal(appliedIndex(), before);
});

test("a transaction that writes: has none of a read's headers", async () => {
  const reply = await txn(kv("set", "a", { Value: "MQ==" }), kv("get", "a"));
  assert.equal(reply.header("x-consul-knownleader"), null);
  assert.deepEqual(Object.keys(reply.json()), ["Results", "Errors"]);
});

test("an unknown verb: is refused before anybody reads", async () => {
  const reply = await txn(kv("odd", "a"), kv("get", "none"));
  assert.equal(reply.status, 409);
  assert.equal(reply.header("x-consul-knownleader"), "false");
  const { Errors, Index, KnownLeader } = reply.json();
  assert.deepEqual([Errors, Index, KnownLeader], [[{ OpIndex: 0, What: "unknown KV operation: odd" }], 0, false]);
});

test("faults that need no store: are all told, and nothing reaches the log", async () => {
  const before = appliedIndex();
  const reply = await txn(
    kv("set", "a", { Value: "MQ==" }),
    { Node: { Verb: "set", Node: { Node: "", Address: "x" } } },
    { Node: { Verb: "set", Node: { Node: "n", ID: "not-a-uuid", Address: "x" } } },
    { Service: { Verb: "set", Node: "n", Service: {} } },
    { Service: { Verb: "delete", Node: "n", Service: { ID: "web" } } },
    { Service: { Verb: "set", Node: "n", Service: { Service: "web", Address: "0.0.0.0" } } },
  );
  assert.equal(reply.status, 409);
  const { Results, Errors } = reply.json();
  assert.equal(Results, null);
  assert.deepEqual(
    Errors.map(({ OpIndex, What }: { OpIndex: number; What: string }) => [OpIndex, What]),
    [
      [1, "Must provide node"],
      [2, "Bad node ID: 'not-a-uuid' is not a UUID"],
      [3, "service name (Service.Service) is required; both Service ID (Service.ID) and Service Name cannot be empty"],
      [4, "Must provide service name (Service.Service) when service ID is provided"],
      [5, "Invalid service address"],
    ],
  );
  assert.equal(appliedIndex(), before);
});

test("results: show nodes in this datacenter, services as under their node, what was not given as null", async () => {
  const reply = await txn(
    node,
    { Service: { Verb: "set", Node: "n", Service: { Service: "web", Port: 80 } } },
    { Check: { Verb: "set", Check: { Node: "n", CheckID: "c", Name: "c", Status: "passing" } } },
    kv("set", "empty"),
    kv("get", "empty"),
  );
  const [first, second, third, , fifth] = reply.json().Results;
  assert.equal(first.Node.Datacenter, "dc1");
  assert.deepEqual([second.Service.ID, second.Service.Tags, second.Service.Node], ["web", null, undefined]);
  assert.deepEqual(second.Service.Proxy, { Mode: "", MeshGateway: {}, Expose: {} });
  assert.equal(third.Check.ServiceTags, null);
  assert.equal(fifth.KV.Value, null);
  assert.equal((await agent.fetch("GET", "/v1/catalog/node/n")).json().Node.Datacenter, "dc1");
});
