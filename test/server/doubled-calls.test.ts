import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type Node } from "./cluster.ts";

test("calls that arrive twice: a forwarded write is applied once, and a later write is not undone by its echo", async () => {
  const cluster = await Cluster.start(3, { seed: 31 });
  try {
    const leader = await cluster.untilLeader();
    const follower = cluster.nodes.find((node) => node !== leader) as Node;
    cluster.doubling = 1;
    const put = async (node: Node, value: string): Promise<void> => {
      const reply = await cluster.run(node.fetch("PUT", "/v1/kv/a", value));
      assert.equal(`${reply.status} ${reply.text}`, "200 true");
    };
    for (let i = 0; i < 20; i += 1) {
      await put(follower, `forwarded ${i}`);
      // This one is written before the echo of the first arrives.
      await put(leader, `own ${i}`);
      await cluster.advance(100);
      const reply = await cluster.run(leader.fetch("GET", "/v1/kv/a?raw"));
      assert.equal(reply.text, `own ${i}`);
    }
    const sessions = await cluster.run(
      follower.fetch("PUT", "/v1/session/create", JSON.stringify({ Node: leader.name, NodeChecks: [] })),
    );
    await cluster.advance(100);
    const list = await cluster.run(leader.fetch("GET", "/v1/session/list"));
    assert.deepEqual(
      list.json().map(({ ID }: { ID: string }) => ID),
      [sessions.json().ID],
    );
    await cluster.untilEqual();
  } finally {
    await cluster.stop();
  }
});
