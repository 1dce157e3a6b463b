// W9, W10, W14: the shapes of records that clients read without asking whether they are there.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
  for (let node = 3; node > 0; node--)
    for (const id of ["b", "a", "c"])
      await agent.fetch("PUT", "/v1/catalog/register", {
        Node: `w10-${node}`,
        Address: `10.0.0.${node}`,
        Service: { Service: "w10", ID: id, Tags: node === 2 ? ["even"] : [], Port: node, Meta: { id } },
        Check: { CheckID: id, Name: "c", ServiceID: id, Status: node === 3 ? "warning" : "passing" },
      });
});
after(() => agent.stop());

test("W9: /v1/agent/self has what Prometheus, Vault and Nomad read without looking", async () => {
  const { Config, Member, Stats, DebugConfig } = (await agent.fetch("GET", "/v1/agent/self")).json();
  assert.equal(Config.Datacenter, "dc1");
  assert.equal(Config.NodeName, "n1");
  assert.equal(Config.Server, true);
  assert.match(Config.Version, /^\d+\.\d+\.\d+/);
  assert.equal(typeof Config.Revision, "string");
  assert.equal(Member.Addr, "127.0.0.1");
  for (const field of ["Name", "Addr"]) assert.equal(typeof Member[field], "string", field);
  for (const field of [
    "Port",
    "Status",
    "ProtocolMin",
    "ProtocolMax",
    "ProtocolCur",
    "DelegateMin",
    "DelegateMax",
    "DelegateCur",
  ])
    assert.equal(typeof Member[field], "number", field);
  for (const tag of ["role", "dc", "id", "build", "port", "vsn"]) assert.equal(typeof Member.Tags[tag], "string", tag);
  for (const section of Object.values(Stats))
    for (const value of Object.values(section as object)) assert.equal(typeof value, "string");
  assert.equal(typeof DebugConfig, "object");
});

test("W10: the catalog and health list a service's instances in the same order, under every filter", async () => {
  const key = (node: string, service: string): string => `${node}/${service}`;
  for (const query of [
    "",
    "tag=even",
    "tag=none",
    "node-meta=a:b",
    "near=w10-2",
    `filter=${encodeURIComponent('Service.Meta.id != "b"')}`,
  ]) {
    const health: string[] = (await agent.fetch("GET", `/v1/health/service/w10?${query}`))
      .json()
      .map((row: { Node: { Node: string }; Service: { ID: string } }) => key(row.Node.Node, row.Service.ID));
    const catalogQuery = query.replace("Service.Meta", "ServiceMeta");
    const catalog: string[] = (await agent.fetch("GET", `/v1/catalog/service/w10?${catalogQuery}`))
      .json()
      .map((row: { Node: string; ServiceID: string }) => key(row.Node, row.ServiceID));
    assert.deepEqual(catalog, health, query);
    if (query === "") assert.equal(catalog.length, 9);
  }
});

test("W14: an address that nobody gave is an empty string, and a check is in a state that clients know", async () => {
  await agent.fetch("PUT", "/v1/agent/service/register", {
    Name: "w14",
    Checks: [{ TTL: "10s" }, { TTL: "10s", Status: "warning" }],
  });
  await agent.settle();
  for (const row of (await agent.fetch("GET", "/v1/catalog/service/w14")).json()) {
    assert.equal(row.ServiceAddress, "");
    assert.equal(row.Address, "127.0.0.1");
    assert.deepEqual(row.ServiceTags, []);
  }
  assert.match((await agent.fetch("GET", "/v1/health/service/w14")).text, /"Address": ""/);
  const checks = (await agent.fetch("GET", "/v1/health/state/any")).json() as { Status: string; CheckID: string }[];
  assert.ok(checks.length > 9);
  for (const { Status, CheckID } of checks)
    assert.ok(["passing", "warning", "critical", "maintenance"].includes(Status), `${CheckID}: ${Status}`);
  // A status that nobody knows is refused.
  const refused = await agent.fetch("PUT", "/v1/agent/check/update/service:w14:1", { Status: "sleepy" });
  assert.equal(refused.status, 400);
});
