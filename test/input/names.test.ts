// Names that are long, or mean something to JavaScript: they are names like any other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";
import { assertPrototypesClean, assertSound } from "./oracle.ts";

const LONG = "n".repeat(300);
const NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "__defineGetter__",
  "length",
  "then",
  "toJSON",
  "null",
  "undefined",
  "NaN",
  "0",
  "-1",
  LONG,
];
const title = (name: string): string => (name === LONG ? "300 characters" : name);

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(async () => {
  await assertSound(agent);
  await agent.stop();
});

/** As JSON text: an object literal with `__proto__` in it would say something else. */
const pair = (name: string, value: unknown): string => `{${JSON.stringify(name)}: ${JSON.stringify(value)}}`;
const own = (record: object, name: string): unknown => Object.getOwnPropertyDescriptor(record, name)?.value;
const escaped = (name: string): string => encodeURIComponent(name);

for (const name of NAMES) {
  test(`a key of ${title(name)}: written, read, listed, locked, in a transaction, deleted`, async () => {
    const key = `input/${name}`;
    for (const path of [`/v1/kv/${name}`, `/v1/kv/${key}`]) {
      assert.equal((await agent.fetch("PUT", path, name)).text.trim(), "true");
      assert.equal((await agent.fetch("GET", `${path}?raw`)).text, name);
      assert.equal((await agent.fetch("GET", path)).json()[0].Key, path.slice("/v1/kv/".length));
    }
    assert.ok((await agent.fetch("GET", "/v1/kv/?keys")).json().includes(name));
    const txn = await agent.fetch("PUT", "/v1/txn", [
      { KV: { Verb: "get", Key: key } },
      { KV: { Verb: "delete", Key: key } },
    ]);
    assert.equal(txn.json().Results[0].KV.Key, key);
    assert.equal((await agent.fetch("GET", `/v1/kv/${key}`)).status, 404);
    assert.equal((await agent.fetch("DELETE", `/v1/kv/${name}`)).text.trim(), "true");
  });

  test(`a node, a service, a tag, meta and a check of ${title(name)}: all come back as they were sent`, async () => {
    const text = JSON.stringify(name);
    const sent = `{
      "Node": ${text}, "Address": "10.9.0.1", "NodeMeta": ${pair(name, name)}, "TaggedAddresses": ${pair(name, "10.9.0.2")},
      "Service": { "Service": ${text}, "ID": ${text}, "Tags": [${text}], "Meta": ${pair(name, name)}, "Port": 1 },
      "Check": { "CheckID": ${text}, "Name": ${text}, "ServiceID": ${text}, "Status": "passing", "Output": ${text} }
    }`;
    const registered = await agent.fetch("PUT", "/v1/catalog/register", sent);
    assert.equal(registered.status, 200, registered.text);
    const [health] = (
      await agent.fetch(
        "GET",
        `/v1/health/service/${escaped(name)}?tag=${escaped(name)}&node-meta=${escaped(name)}:${escaped(name)}`,
      )
    ).json();
    assert.equal(health.Node.Node, name);
    assert.equal(own(health.Node.Meta, name), name);
    assert.equal(own(health.Node.TaggedAddresses, name), "10.9.0.2");
    assert.deepEqual([health.Service.Service, health.Service.ID, health.Service.Tags], [name, name, [name]]);
    assert.equal(own(health.Service.Meta, name), name);
    assert.deepEqual([health.Checks[0].CheckID, health.Checks[0].Name, health.Checks[0].Output], [name, name, name]);
    assert.deepEqual(own((await agent.fetch("GET", "/v1/catalog/services")).json(), name), [name]);
    assert.equal((await agent.fetch("GET", `/v1/catalog/node/${escaped(name)}`)).json().Node.Node, name);
    const byMeta = await agent.fetch(
      "GET",
      `/v1/catalog/service/${escaped(name)}?filter=${escaped(`ServiceMeta[${text}] == ${text}`)}`,
    );
    // Not every name can be written in a filter; what can be answers, and nothing breaks.
    assert.ok(byMeta.status === 200 || byMeta.status === 400 || byMeta.status === 500, byMeta.text);
    assert.doesNotMatch(byMeta.text, /internal error/i);
    assert.equal((await agent.fetch("PUT", "/v1/catalog/deregister", `{"Node": ${text}}`)).status, 200);
    assert.equal((await agent.fetch("GET", `/v1/catalog/node/${escaped(name)}`)).text.trim(), "null");
    assertPrototypesClean();
  });

  test(`a service and a check of the agent of ${title(name)}: registered, listed, removed`, async () => {
    const text = JSON.stringify(name);
    const registered = await agent.fetch(
      "PUT",
      "/v1/agent/service/register",
      `{"Name": ${text}, "ID": ${text}, "Meta": ${pair("k", name)}, "Check": {"CheckID": ${text}, "TTL": "60s", "Status": "passing"}}`,
    );
    assert.equal(registered.status, 200, registered.text);
    await agent.settle();
    assert.equal((own((await agent.fetch("GET", "/v1/agent/services")).json(), name) as { ID: string }).ID, name);
    assert.equal(
      (own((await agent.fetch("GET", "/v1/agent/checks")).json(), name) as { CheckID: string }).CheckID,
      name,
    );
    assert.equal((await agent.fetch("PUT", `/v1/agent/check/warn/${escaped(name)}?note=${escaped(name)}`)).status, 200);
    assert.equal(
      (await agent.fetch("GET", `/v1/agent/health/service/id/${escaped(name)}`)).json().AggregatedStatus,
      "warning",
    );
    assert.equal((await agent.fetch("PUT", `/v1/agent/service/deregister/${escaped(name)}`)).status, 200);
    assert.equal(own((await agent.fetch("GET", "/v1/agent/services")).json(), name), undefined);
  });

  test(`a session and a prepared query of ${title(name)}, and an event`, async () => {
    const text = JSON.stringify(name);
    const { ID } = (await agent.fetch("PUT", "/v1/session/create", `{"Name": ${text}}`)).json();
    assert.equal((await agent.fetch("GET", `/v1/session/info/${ID}`)).json()[0].Name, name);
    assert.equal((await agent.fetch("PUT", `/v1/session/destroy/${ID}`)).status, 200);
    assert.deepEqual((await agent.fetch("GET", `/v1/session/node/${escaped(name)}`)).json(), []);
    const created = await agent.fetch(
      "POST",
      "/v1/query",
      `{"Name": ${text}, "Service": {"Service": "consul", "NodeMeta": ${pair(name, name)}}}`,
    );
    assert.equal(created.status, 200, created.text);
    const [query] = (await agent.fetch("GET", `/v1/query/${created.json().ID}`)).json();
    assert.equal(query.Name, name);
    assert.equal(own(query.Service.NodeMeta, name), name);
    assert.equal((await agent.fetch("GET", `/v1/query/${escaped(name)}/execute`)).json().Nodes.length, 0);
    assert.equal((await agent.fetch("DELETE", `/v1/query/${created.json().ID}`)).status, 200);
    assert.equal((await agent.fetch("PUT", `/v1/event/fire/${escaped(name)}`, "x")).json().Name, name);
    assert.equal((await agent.fetch("GET", `/v1/event/list?name=${escaped(name)}`)).json()[0].Name, name);
    assertPrototypesClean();
  });
}

test("a body whose every object has __proto__ and constructor changes nothing but what it names", async () => {
  const poison = '"__proto__": {"polluted": "yes", "Port": 666}, "constructor": {"prototype": {"polluted": "yes"}}';
  const rows: readonly (readonly [method: string, path: string, body: string])[] = [
    [
      "PUT",
      "/v1/agent/service/register",
      `{${poison}, "Name": "poisoned", "Check": {${poison}, "TTL": "10s"}, "Weights": {${poison}}, "Proxy": {${poison}}}`,
    ],
    [
      "PUT",
      "/v1/catalog/register",
      `{${poison}, "Node": "poisoned", "Address": "10.0.0.1", "Service": {${poison}, "Service": "poisoned"}}`,
    ],
    ["PUT", "/v1/session/create", `{${poison}, "Name": "poisoned"}`],
    ["PUT", "/v1/txn", `[{${poison}, "KV": {${poison}, "Verb": "set", "Key": "poisoned", "Value": "eA=="}}]`],
    ["POST", "/v1/query", `{${poison}, "Name": "poisoned", "Service": {${poison}, "Service": "consul"}}`],
    ["PUT", "/v1/config", `{${poison}, "Kind": "service-defaults", "Name": "poisoned", "Protocol": "http"}`],
  ];
  for (const [method, path, body] of rows) {
    const reply = await agent.fetch(method, path, body);
    assert.doesNotMatch(reply.text, /internal error/i, path);
    assertPrototypesClean();
  }
  const [row] = (await agent.fetch("GET", "/v1/health/service/poisoned")).json();
  assert.equal(row.Service.Port, 0);
  await assertSound(agent);
});

test("parameters and headers with such names are ignored like any other", async () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    assert.equal((await agent.fetch("GET", `/v1/kv/none?${name}=1&${name}`)).status, 404);
    assert.equal((await agent.fetch("GET", "/v1/catalog/nodes", undefined, { [name]: "x" })).status, 200);
    assert.equal((await agent.fetch("GET", `/v1/agent/${name}`)).status, 404);
  }
  assertPrototypesClean();
});
