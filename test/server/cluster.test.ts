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

/** Writes until it is acknowledged, as a client would. */
async function insist(cluster: Cluster, node: Node, key: string, value: string): Promise<void> {
  for (;;) {
    const reply = await cluster.run(node.fetch("PUT", `/v1/kv/${key}`, value));
    if (reply.text === "true") return;
    assert.equal(reply.status, 500, reply.text);
  }
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

test("cluster: the leader is killed, and writes go on within two seconds; it comes back and catches up", async () => {
  await withCluster(3, { seed: 2 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    await put(cluster, leader, "a", "1");
    await leader.crash();
    const killedAt = cluster.nowMs;
    await put(cluster, others(cluster, leader)[0]!, "b", "2");
    assert.ok(cluster.nowMs - killedAt < 2000, `${cluster.nowMs - killedAt} ms`);
    for (let i = 0; i < 20; i += 1) await put(cluster, others(cluster, leader)[1]!, `c${i}`, "3");
    await leader.restart();
    await cluster.untilEqual();
    assert.equal(await get(cluster, leader, "c19", "&stale"), "3");
    assert.equal(await get(cluster, leader, "a"), "1");
  });
});

test("cluster: who is cut off refuses and says stale things only when asked to; the others go on", async () => {
  await withCluster(3, { seed: 3 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    await put(cluster, leader, "a", "old");
    await cluster.untilEqual();
    cluster.cut([leader]);
    const cutAt = cluster.nowMs;
    const write = leader.fetch("PUT", "/v1/kv/lost", "x");
    await insist(cluster, others(cluster, leader)[0]!, "a", "new");
    assert.ok(cluster.nowMs - cutAt < 2000, `${cluster.nowMs - cutAt} ms`);
    await cluster.advance(10_000);
    const refused = await cluster.run(leader.fetch("GET", "/v1/kv/a?raw"));
    assert.deepEqual([refused.status, refused.text], [500, "No cluster leader"]);
    assert.equal(await get(cluster, leader, "a", "&stale"), "old");
    const unknown = await cluster.run(write);
    assert.deepEqual([unknown.status, unknown.text], [500, "leadership lost while committing log"]);
    const stale = await cluster.run(leader.fetch("GET", "/v1/kv/a?stale"));
    assert.equal(stale.header("x-consul-knownleader"), "false");
    assert.ok(Number(stale.header("x-consul-lastcontact")) > 5000, "it has heard nobody for long");
    cluster.heal();
    await cluster.untilEqual();
    assert.equal(await get(cluster, leader, "a"), "new");
    assert.equal(await get(cluster, leader, "lost"), "404");
  });
});

test("cluster: a blocking query at a follower is told of the change, through a change of leader", async () => {
  await withCluster(3, { seed: 4 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    await put(cluster, leader, "a", "1");
    const [asked, other] = others(cluster, leader) as [Node, Node];
    const first = await cluster.run(asked.fetch("GET", "/v1/kv/a?raw"));
    const waiting = asked.fetch("GET", `/v1/kv/a?raw&wait=5m&index=${first.header("x-consul-index")}`);
    await cluster.advance(40_000);
    await leader.crash();
    await cluster.advance(5000);
    await put(cluster, other, "unrelated", "x");
    await put(cluster, other, "a", "2");
    const second = await cluster.run(waiting, 1000);
    assert.equal(second.text, "2");
    assert.ok(Number(second.header("x-consul-index")) > Number(first.header("x-consul-index")));
  });
});

test("cluster: who was away while the log was compacted gets the snapshot, with all of its state", async () => {
  await withCluster(
    3,
    { seed: 5, raft: { snapshotThreshold: 50, snapshotIntervalMs: 1000, trailingLogs: 10 } },
    async (cluster) => {
      const leader = await cluster.untilLeader();
      const away = others(cluster, leader)[0] as Node;
      await away.crash();
      for (let i = 0; i < 150; i += 1) await put(cluster, leader, `k${i}`, "x".repeat(100));
      await cluster.advance(3000);
      assert.ok(leader.server.raft.baseIndex > 100, `compacted up to ${leader.server.raft.baseIndex}`);
      await away.restart();
      await cluster.untilEqual();
      assert.ok(away.logs.some(({ message }) => message === "installed snapshot"));
      assert.equal(await get(cluster, away, "k77", "&stale"), "x".repeat(100));
      await put(cluster, away, "after", "1");
      await cluster.untilEqual();
      await away.crash();
      await away.restart();
      await cluster.untilEqual();
      assert.equal(await get(cluster, away, "k0", "&stale"), "x".repeat(100));
    },
  );
});

test("cluster: all are killed and come back with everything", async () => {
  await withCluster(3, { seed: 6 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    for (let i = 0; i < 10; i += 1) await put(cluster, leader, `k${i}`, String(i));
    for (const node of cluster.nodes) await node.crash();
    for (const node of cluster.nodes) await node.restart();
    await cluster.untilLeader();
    assert.equal(await get(cluster, cluster.nodes[1]!, "k9"), "9");
    await cluster.untilEqual();
  });
});

test("cluster: leadership is handed over on request, asked at any server, without a failed write", async () => {
  await withCluster(3, { seed: 7 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    const [to, via] = others(cluster, leader) as [Node, Node];
    await cluster.advance(1000);
    const transfer = via.fetch("POST", `/v1/operator/raft/transfer-leader?id=${to.id}`);
    const writes = Promise.all(Array.from({ length: 10 }, (_, i) => via.fetch("PUT", `/v1/kv/w${i}`, "x")));
    const reply = await cluster.run(transfer);
    assert.equal(reply.status, 200, reply.text);
    for (const write of await cluster.run(writes)) assert.equal(write.text, "true");
    assert.equal(await cluster.untilLeader(), to);
  });
});

test("cluster: a server joins as a non-voter, is promoted, takes part, and is removed again", async () => {
  await withCluster(3, { seed: 8 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    for (let i = 0; i < 10; i += 1) await put(cluster, leader, `k${i}`, String(i));
    const joined = await cluster.join();
    await cluster.run(leader.server.group.change({ kind: "add", id: joined.id, address: joined.address }));
    await cluster.untilEqual();
    await cluster.run(leader.server.group.change({ kind: "promote", id: joined.id }));
    assert.equal(await get(cluster, joined, "k3"), "3");
    const list = await cluster.run(joined.fetch("GET", "/v1/operator/raft/configuration"));
    assert.deepEqual(
      list.json().Servers.map((row: { Address: string; Voter: boolean }) => `${row.Address} ${row.Voter}`),
      cluster.nodes.map(({ address }) => `${address} true`),
    );
    const gone = others(cluster, leader)[0] as Node;
    const removed = await cluster.run(joined.fetch("DELETE", `/v1/operator/raft/peer?address=${gone.address}`));
    assert.equal(removed.status, 200, removed.text);
    await gone.crash();
    await put(cluster, joined, "after", "1");
    assert.equal(leader.server.raft.configuration.servers.length, 3);
  });
});

test("cluster: writes at all servers go on under loss, and all come to the same state", async () => {
  await withCluster(3, { seed: 9 }, async (cluster) => {
    await cluster.untilLeader();
    cluster.loss = 0.1;
    let done = 0;
    const write = async (node: Node, at: number): Promise<void> => {
      for (let i = 0; i < 20; i += 1)
        if ((await node.fetch("PUT", `/v1/kv/n${at}/${i}`, String(i))).text === "true") done += 1;
    };
    await cluster.run(Promise.all(cluster.nodes.map(write)), 600_000);
    assert.ok(done > 40, `${done} of 60`);
    cluster.heal();
    await cluster.untilEqual();
  });
});

test("cluster: servers that expect each other form one group, whenever they come, and take up a later one", async () => {
  for (const apartMs of [0, 900]) {
    const cluster = await Cluster.startByJoin(3, { seed: 10 + apartMs }, apartMs);
    try {
      await cluster.untilLeader();
      await put(cluster, cluster.nodes[0]!, "a", "1");
      await cluster.untilEqual();
      const leader = await cluster.untilLeader();
      assert.deepEqual(
        leader.server.raft.configuration.servers.map(({ id }) => id),
        cluster.nodes.map(({ id }) => id),
      );
      await cluster.advance(15_000);
      const nodes = await cluster.run(cluster.nodes[1]!.fetch("GET", "/v1/health/service/consul?passing"));
      assert.deepEqual(
        nodes
          .json()
          .map((row: { Node: { Node: string } }) => row.Node.Node)
          .sort(),
        ["s1", "s2", "s3"],
      );
      cluster.expect = 0;
      const late = await cluster.join();
      await cluster.until(
        () => leader.server.raft.configuration.servers.some(({ id, voter }) => id === late.id && voter),
        "the late one has a vote",
        60_000,
      );
      assert.equal(await get(cluster, late, "a"), "1");
    } finally {
      await cluster.stop();
    }
  }
});

test("cluster: a server that lost its disk takes no part under its old id", async () => {
  const cluster = await Cluster.startByJoin(3, { seed: 11 });
  try {
    const leader = await cluster.untilLeader();
    await put(cluster, leader, "a", "1");
    await cluster.untilEqual();
    const wiped = others(cluster, leader)[0] as Node;
    await wiped.crash();
    wiped.wipe();
    await wiped.restart();
    await cluster.until(
      () => leader.logs.some(({ message }) => message.startsWith("a server has lost its data")),
      "the leader says so",
    );
    await put(cluster, leader, "b", "2");
    assert.equal(wiped.server.raft.lastIndex, 0);
  } finally {
    await cluster.stop();
  }
});

test("cluster: a snapshot saved at one follower is restored at another, for all", async () => {
  await withCluster(3, { seed: 12 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    const [saver, restorer] = others(cluster, leader) as [Node, Node];
    await put(cluster, leader, "a", "saved");
    const saved = await cluster.beside(saver.fetch("GET", "/v1/snapshot"));
    assert.equal(saved.status, 200);
    await put(cluster, leader, "a", "later");
    const restored = await cluster.beside(restorer.fetch("PUT", "/v1/snapshot", saved.bytes));
    assert.equal(restored.status, 200);
    await cluster.untilEqual();
    for (const node of cluster.nodes) assert.equal(await get(cluster, node, "a"), "saved");
  });
});

test("cluster: a leader that leaves hands over first", async () => {
  await withCluster(3, { seed: 13 }, async (cluster) => {
    const leader = await cluster.untilLeader();
    await cluster.advance(500);
    const startedMs = cluster.nowMs;
    const left = leader.running!.leave();
    await cluster.untilLeader(others(cluster, leader));
    assert.ok(cluster.nowMs - startedMs < 250, `${cluster.nowMs - startedMs} ms`);
    await cluster.run(left);
  });
});
