import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type Node } from "./cluster.ts";

const others = (cluster: Cluster, node: Node): Node[] => cluster.nodes.filter((other) => other !== node);

/** Runs a test on a cluster and ends it. */
async function withCluster(
  size: number,
  options: Parameters<typeof Cluster.start>[1],
  body: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.start(size, options);
  try {
    await body(cluster);
  } finally {
    await cluster.stop();
  }
}

async function put(cluster: Cluster, node: Node, key: string, value: string): Promise<void> {
  const reply = await cluster.run(node.fetch("PUT", `/v1/kv/${key}`, value));
  assert.equal(`${reply.status} ${reply.text}`, "200 true");
}

async function get(cluster: Cluster, node: Node, key: string, query = ""): Promise<string> {
  const reply = await cluster.run(node.fetch("GET", `/v1/kv/${key}?raw${query}`));
  return reply.status === 200 ? reply.text : String(reply.status);
}

test("cluster: one leader is elected within two election timeouts and a bit, and all name it", async () => {
  await withCluster(3, {}, async (cluster) => {
    await cluster.untilLeader();
    assert.ok(cluster.nowMs < 3000, `${cluster.nowMs} ms`);
    await cluster.advance(1000);
    const named = await Promise.all(cluster.nodes.map((node) => cluster.run(node.fetch("GET", "/v1/status/leader"))));
    assert.deepEqual(new Set(named.map((reply) => reply.json())), new Set([cluster.leader?.address]));
    const peers = await cluster.run(cluster.nodes[2]!.fetch("GET", "/v1/status/peers"));
    assert.deepEqual(
      peers.json(),
      cluster.nodes.map(({ address }) => address),
    );
  });
});

test("cluster: any server takes writes and answers reads, at each consistency", async () => {
  await withCluster(3, {}, async (cluster) => {
    const leader = await cluster.untilLeader();
    for (const [at, node] of cluster.nodes.entries()) await put(cluster, node, `k${at}`, `v${at}`);
    for (const node of cluster.nodes) {
      for (const query of ["", "&consistent"])
        assert.equal(await get(cluster, node, "k1", query), "v1", `${node.name} ${query}`);
    }
    await cluster.untilEqual();
    for (const node of others(cluster, leader)) {
      const stale = await cluster.run(node.fetch("GET", "/v1/kv/k1?stale"));
      assert.equal(stale.header("x-consul-knownleader"), "true");
      const contactMs = Number(stale.header("x-consul-lastcontact"));
      assert.ok(contactMs >= 0 && contactMs < 500, `last contact ${contactMs} ms`);
      const fresh = await cluster.run(node.fetch("GET", "/v1/kv/k1"));
      assert.equal(fresh.header("x-consul-lastcontact"), "0");
      assert.equal(fresh.header("x-consul-index"), stale.header("x-consul-index"));
    }
  });
});
