import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

let agent: TestAgent;
beforeEach(async () => {
  agent = await startTestAgent();
  await agent.fetch("PUT", "/v1/catalog/register", {
    Node: "n1",
    SkipNodeUpdate: true,
    Check: { CheckID: "hb", Name: "hb", Status: "passing" },
  });
});
afterEach(async () => {
  await agent.stop();
});

interface Made {
  name: string;
  body: object;
  checks: string[] | undefined;
  nodeChecks: string[];
}
const made: readonly Made[] = [
  { name: "nothing", body: {}, checks: undefined, nodeChecks: ["serfHealth"] },
  {
    name: "the old list",
    body: { Checks: ["serfHealth", "hb"] },
    checks: ["serfHealth", "hb"],
    nodeChecks: ["serfHealth"],
  },
  { name: "the old list without the node's own", body: { Checks: ["hb"] }, checks: ["hb"], nodeChecks: ["serfHealth"] },
  {
    name: "the old list that says the default",
    body: { Checks: ["serfHealth"] },
    checks: undefined,
    nodeChecks: ["serfHealth"],
  },
  { name: "an empty old list", body: { Checks: [] }, checks: undefined, nodeChecks: [] },
  { name: "the new list", body: { NodeChecks: ["hb"] }, checks: undefined, nodeChecks: ["hb"] },
];

for (const { name, body, checks, nodeChecks } of made) {
  test(`a session made with ${name}: shows its checks, and ends with any of them`, async () => {
    const created = await agent.fetch("PUT", "/v1/session/create", { ...body, LockDelay: "0s" });
    assert.equal(created.status, 200, created.text);
    const id = created.json().ID as string;
    const [session] = (await agent.fetch("GET", `/v1/session/info/${id}`)).json();
    assert.deepEqual([session.Checks, session.NodeChecks], [checks, nodeChecks]);
    await agent.fetch("PUT", `/v1/kv/lock?acquire=${id}`, "x");
    await agent.fetch("PUT", "/v1/catalog/register", {
      Node: "n1",
      SkipNodeUpdate: true,
      Check: { CheckID: "hb", Name: "hb", Status: "critical" },
    });
    const bound = [...(checks ?? []), ...nodeChecks].includes("hb");
    assert.equal((await agent.fetch("GET", `/v1/session/info/${id}`)).json().length, bound ? 0 : 1);
    assert.equal((await agent.fetch("GET", "/v1/kv/lock")).json()[0].Session, bound ? undefined : id);
  });
}

test("a session whose old list names no check: is refused", async () => {
  const reply = await agent.fetch("PUT", "/v1/session/create", { Checks: ["nope"] });
  assert.deepEqual([reply.status, reply.text], [500, "apply failed: Missing check 'nope' registration"]);
});
