import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they like
const nodes = async (agent: TestAgent): Promise<any> => (await agent.fetch("GET", "/v1/coordinate/nodes")).json();

async function withAgent(settings: Record<string, unknown>, body: (agent: TestAgent) => Promise<void>): Promise<void> {
  const agent = await startTestAgent({ settings });
  try {
    await body(agent);
  } finally {
    await agent.stop();
  }
}

test("the catalog has the node's coordinate soon after the start", () =>
  withAgent({}, async (agent) => {
    await agent.advance(2000);
    const [own] = await nodes(agent);
    assert.deepEqual([own.Node, own.Segment, own.Coord.Vec.length], ["n1", "", 8]);
    assert.equal((await agent.fetch("GET", "/v1/coordinate/node/n1")).status, 200);
  }));

test("a coordinate that the catalog has is not written again", () =>
  withAgent({}, async (agent) => {
    await agent.advance(2000);
    const { lastIndex } = agent.agent.server.raft;
    await agent.advance(600_000);
    assert.equal(agent.agent.server.raft.lastIndex, lastIndex);
  }));

test("a coordinate that the catalog has lost is written anew within half a minute", () =>
  withAgent({}, async (agent) => {
    await agent.advance(2000);
    await agent.fetch("PUT", "/v1/catalog/deregister", { Node: "n1" });
    assert.deepEqual(await nodes(agent), []);
    // Anti-entropy brings the node back first.
    await agent.advance(180_000);
    assert.equal((await nodes(agent)).length, 1);
  }));

test("with disable_coordinates none is sent", () =>
  withAgent({ disable_coordinates: true }, async (agent) => {
    await agent.advance(600_000);
    assert.deepEqual(await nodes(agent), []);
  }));
