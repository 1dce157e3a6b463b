import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/util/bytes.ts";
import { Cluster, type Node } from "./cluster.ts";

/** The next write to a store comes out wrong there, as by a fault of memory or a bug. */
function corrupt(node: Node): void {
  const { state } = node.server;
  const apply = state.apply.bind(state);
  let isDone = false;
  state.apply = (index, command) => {
    if (isDone || command.type !== "kv.set") return apply(index, command);
    isDone = true;
    return apply(index, { ...command, value: utf8("wrong") });
  };
}

async function put(cluster: Cluster, node: Node, key: string): Promise<void> {
  const reply = await cluster.run(node.fetch("PUT", `/v1/kv/${key}`, "v"));
  assert.equal(reply.text, "true");
}

for (const [name, pick] of [
  ["a follower", (cluster: Cluster, leader: Node): Node => cluster.nodes.find((node) => node !== leader) as Node],
  ["the leader", (_cluster: Cluster, leader: Node): Node => leader],
] as const) {
  test(`state check: ${name} whose store differs from the majority's stops and says so; the others go on`, async () => {
    const cluster = await Cluster.startByJoin(3, { seed: 41 });
    try {
      const leader = await cluster.untilLeader();
      await put(cluster, leader, "a");
      await cluster.untilEqual();
      await cluster.advance(20_000);
      assert.deepEqual(
        cluster.nodes.map((node) => node.stoppedWith),
        [null, null, null],
      );
      const wrong = pick(cluster, leader);
      wrong.mayStop = true;
      corrupt(wrong);
      await put(cluster, leader, "b");
      await cluster.until(() => wrong.stoppedWith === 1, "the wrong one stops", 20_000);
      assert.match(
        JSON.stringify(wrong.logs.map(({ fields }) => String(fields?.["error"]))),
        /differs from that of the others/,
      );
      const rest = cluster.nodes.filter((node) => node !== wrong);
      const next = await cluster.untilLeader(rest);
      await put(cluster, next, "c");
      // The log makes it right: only its memory was wrong.
      await wrong.restart();
      await cluster.untilEqual();
      assert.equal((await cluster.run(wrong.fetch("GET", "/v1/kv/b?stale&raw"))).text, "v");
      await cluster.advance(20_000);
      assert.notEqual(wrong.running, null);
    } finally {
      await cluster.stop();
    }
  });
}
