import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/util/bytes.ts";
import { Cluster, type Node } from "./cluster.ts";

const PLAN = "/v1/operator/raft/recovery";

interface Plan {
  Servers: { ID: string; Fate: string }[];
  Lead: string;
  LastIndex: number;
  MayLoseWrites: boolean;
  KnownLost: number;
  Refusal: string;
}

async function withCluster(size: number, seed: number, body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await Cluster.startByJoin(size, { seed });
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

async function get(cluster: Cluster, node: Node, key: string): Promise<string> {
  const reply = await cluster.run(node.fetch("GET", `/v1/kv/${key}?raw`));
  return reply.status === 200 ? reply.text : String(reply.status);
}

async function plan(cluster: Cluster, node: Node): Promise<Plan> {
  const reply = await cluster.run(node.fetch("GET", PLAN));
  assert.equal(reply.status, 200, reply.text);
  return reply.json() as Plan;
}

async function recover(cluster: Cluster, node: Node): Promise<Plan> {
  const found = await plan(cluster, node);
  assert.equal(found.Refusal, "");
  const reply = await cluster.run(node.fetch("PUT", `${PLAN}?lead=${found.Lead}&index=${found.LastIndex}`));
  assert.equal(reply.status, 200, reply.text);
  return found;
}

const votersOf = (node: Node): string[] =>
  node.server.raft.configuration.servers.filter(({ voter }) => voter).map(({ id }) => id);

/** The group has a leader no more. */
async function leaderless(cluster: Cluster, among: readonly Node[]): Promise<void> {
  await cluster.until(() => among.every((node) => node.server.raft.leader === null), "nobody leads");
}

for (const seed of [1, 2, 3, 4, 5]) {
  test(`recover, seed ${seed}: one of three goes on, keeps what was acknowledged, and the others cannot come back`, async () => {
    await withCluster(3, seed, async (cluster) => {
      const leader = await cluster.untilLeader();
      for (let i = 0; i < 10; i += 1) await put(cluster, leader, `k${i}`, String(i));
      await cluster.untilEqual();
      const survivor = cluster.nodes[seed % 3] as Node;
      const gone = cluster.nodes.filter((node) => node !== survivor);
      for (const node of gone) await node.crash();
      await leaderless(cluster, [survivor]);
      const found = await recover(cluster, survivor);
      assert.deepEqual(
        found.Servers.map(({ ID, Fate }) => [ID, Fate]),
        cluster.nodes.map((node) => [node.id, node === survivor ? "leads" : "left out"]),
      );
      assert.equal(found.MayLoseWrites, true);
      await cluster.untilLeader([survivor]);
      assert.deepEqual(votersOf(survivor), [survivor.id]);
      assert.equal(await get(cluster, survivor, "k9"), "9");
      await put(cluster, survivor, "after", "1");

      // Both come back: together they are a majority of the group of old.
      for (const node of gone) {
        node.mayStop = true;
        await node.restart();
      }
      await cluster.until(() => gone.every((node) => node.stoppedWith === 1), "both were told");
      assert.equal(cluster.leader, survivor);
      for (const node of gone) {
        assert.match(JSON.stringify(node.logs.filter(({ level }) => level === "error")), /server stopped/);
        await assert.rejects(node.restart(), /was left out of its group.*move its data directory away/s);
      }
      // A restart remembers.
      await survivor.crash();
      await survivor.restart();
      await cluster.untilLeader([survivor]);
      assert.equal(await get(cluster, survivor, "after"), "1");
    });
  });
}

for (const seed of [11, 12, 13]) {
  test(`recover, seed ${seed}: two of five go on, the newest log leads, and both have votes in the end`, async () => {
    await withCluster(5, seed, async (cluster) => {
      const leader = await cluster.untilLeader();
      const [behind, ahead, ...others] = cluster.nodes.filter((node) => node !== leader) as [Node, Node, ...Node[]];
      await put(cluster, leader, "a", "all");
      await cluster.untilEqual();
      cluster.cut([behind]);
      await put(cluster, leader, "a", "four of five");
      await cluster.advance(200);
      for (const node of [leader, ...others]) await node.crash();
      cluster.heal();
      await leaderless(cluster, [behind, ahead]);
      // Asked at the one that does not lead.
      const found = await recover(cluster, behind);
      assert.equal(found.Lead, ahead.id);
      await cluster.untilLeader([ahead]);
      await put(cluster, behind, "b", "through the follower");
      assert.equal(await get(cluster, behind, "a"), "four of five");
      await cluster.until(() => votersOf(ahead).length === 2, "the other has its vote again", 60_000);
      await cluster.untilEqual();
      for (const node of [leader, ...others]) {
        node.mayStop = true;
        await node.restart();
      }
      await cluster.until(() => [leader, ...others].every((node) => node.stoppedWith === 1), "the three were told");
      assert.equal(cluster.leader, ahead);
      await put(cluster, behind, "c", "1");
      // One whose data directory was moved away comes in as new.
      leader.wipe();
      leader.renew();
      await leader.start(null);
      await cluster.run(ahead.server.group.change({ kind: "add", id: leader.id, address: leader.address }));
      await cluster.until(() => votersOf(ahead).includes(leader.id), "the new one has a vote", 60_000);
      assert.equal(await get(cluster, leader, "b"), "through the follower");
    });
  });
}

test("recover: is refused while there is a leader or a quorum, and when the plan is out of date", async () => {
  await withCluster(3, 21, async (cluster) => {
    const leader = await cluster.untilLeader();
    const others = cluster.nodes.filter((node) => node !== leader) as [Node, Node];
    await cluster.untilEqual();
    assert.match((await plan(cluster, others[0])).Refusal, /has a leader/);
    const ordered = await cluster.run(others[0].fetch("PUT", `${PLAN}?lead=${leader.id}&index=1`));
    assert.deepEqual([ordered.status, /has a leader/.test(ordered.text)], [500, true]);
    assert.equal((await cluster.run(leader.fetch("PUT", PLAN))).status, 400);
    await leader.crash();
    await cluster.until(() => others.every((node) => node.server.raft.leader !== leader.id), "the leader is missed");
    assert.match((await plan(cluster, others[0])).Refusal, /a quorum is there|has a leader/);
    await others[1].crash();
    await leaderless(cluster, [others[0]]);
    const found = await plan(cluster, others[0]);
    const late = await cluster.run(others[0].fetch("PUT", `${PLAN}?lead=${found.Lead}&index=${found.LastIndex + 1}`));
    assert.match(late.text, /look again/);
    assert.equal(votersOf(others[0]).length, 3);
  });
});

test("recover: nothing is counted as lost when the survivor holds all it knows to be committed", async () => {
  await withCluster(3, 22, async (cluster) => {
    const leader = await cluster.untilLeader();
    await put(cluster, leader, "a", "1");
    await cluster.untilEqual();
    const [survivor] = cluster.nodes.filter((node) => node !== leader) as [Node];
    await cluster.until(
      () => survivor.server.raft.knownCommit === survivor.server.raft.lastIndex,
      "it knows of the commit",
    );
    for (const node of cluster.nodes) if (node !== survivor) await node.crash();
    await leaderless(cluster, [survivor]);
    assert.equal((await plan(cluster, survivor)).KnownLost, 0);
  });
});

const writePeers = (
  node: Node,
  peers: readonly { id: string; address: string; non_voter?: boolean }[],
): Promise<void> => node.raftFiles.write("peers.json", utf8(JSON.stringify(peers)));

test("peers.json: a server alone is the group from its start, and the file is gone once it leads", async () => {
  await withCluster(3, 31, async (cluster) => {
    const leader = await cluster.untilLeader();
    await put(cluster, leader, "a", "1");
    await cluster.untilEqual();
    for (const node of cluster.nodes) await node.crash();
    const node = cluster.nodes[0] as Node;
    await writePeers(node, [{ id: node.id, address: node.address }]);
    await node.restart();
    await cluster.untilLeader([node]);
    assert.equal(await get(cluster, node, "a"), "1");
    assert.deepEqual(votersOf(node), [node.id]);
    await cluster.advance(3000);
    assert.deepEqual(await node.raftFiles.list(""), ["peers.info"]);
  });
});

test("peers.json: several servers wait for each other, the newest log leads, whoever starts first", async () => {
  for (const first of [0, 1]) {
    await withCluster(5, 32 + first, async (cluster) => {
      const leader = await cluster.untilLeader();
      const [behind, ahead] = cluster.nodes.filter((node) => node !== leader) as [Node, Node];
      cluster.cut([behind]);
      await put(cluster, leader, "a", "1");
      await cluster.advance(200);
      for (const node of cluster.nodes) await node.crash();
      cluster.heal();
      const two = [behind, ahead];
      for (const node of two)
        await writePeers(
          node,
          two.map(({ id, address }) => ({ id, address })),
        );
      await two[first]!.restart();
      await cluster.advance(5000);
      assert.equal(cluster.leader, null);
      assert.match(JSON.stringify(two[first]!.logs), /waiting for the servers of raft\/peers.json/);
      await two[1 - first]!.restart();
      await cluster.untilLeader([ahead]);
      assert.equal(await get(cluster, behind, "a"), "1");
      await cluster.until(() => votersOf(ahead).length === 2, "both have a vote", 60_000);
      for (const node of two) assert.deepEqual(await node.raftFiles.list(""), ["peers.info"]);
    });
  }
});

test("peers.json: a faulty file stops the start and changes nothing", async () => {
  await withCluster(3, 33, async (cluster) => {
    await cluster.untilLeader();
    await cluster.untilEqual();
    const node = cluster.nodes[0] as Node;
    await node.crash();
    const before = await node.log.load();
    await node.raftFiles.write("peers.json", utf8('["10.0.0.1:8300"]'));
    await assert.rejects(node.restart(), /legacy format/);
    assert.deepEqual(await node.log.load(), before);
    await node.raftFiles.delete("peers.json");
    await node.restart();
    await cluster.untilEqual();
  });
});
