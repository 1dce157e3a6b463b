// A server whose disk was replaced by an empty one (raft/DESIGN.md, "Amnesia"): it has no weight under its old id, both servers
// say what to do, and both ways back lead to three voters.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type Node } from "./cluster.ts";

/** Three servers, of which the last one named is a follower that crashed and lost its disk. */
async function withWiped(
  seed: number,
  body: (cluster: Cluster, leader: Node, other: Node, wiped: Node) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.startByJoin(3, { seed });
  try {
    const leader = await cluster.untilLeader();
    await cluster.until(() => votersOf(leader).length === 3 && nodesOf(leader).length === 3, "all are there");
    assert.equal((await cluster.run(leader.fetch("PUT", "/v1/kv/a", "kept"))).text, "true");
    await cluster.untilEqual();
    const [other, wiped] = cluster.nodes.filter((node) => node !== leader) as [Node, Node];
    await wiped.crash();
    wiped.wipe();
    await body(cluster, leader, other, wiped);
  } finally {
    await cluster.stop();
  }
}

const votersOf = (node: Node): string[] =>
  node.server.raft.configuration.servers.filter(({ voter }) => voter).map(({ id }) => id);
const nodesOf = (node: Node): [string, string, string | undefined][] =>
  node.server.state
    .nodes()
    .value.map(({ Node: name, ID }) => [name, ID, node.server.state.check(name, "serfHealth").value?.Status]);
const errors = (node: Node): string =>
  node.logs
    .filter(({ level }) => level === "error")
    .map(({ message }) => message)
    .join("\n");

/** Name, status and id of each, as an agent lists them. */
async function membersOf(cluster: Cluster, node: Node): Promise<string> {
  const reply = await cluster.run(node.fetch("GET", "/v1/agent/members"));
  const members = reply.json() as { Name: string; Status: number; Tags: { id: string } }[];
  return members.map(({ Name, Status, Tags }) => `${Name} ${Status} ${Tags.id}`).join();
}

/** It takes part again, with everything, and its vote counts: the group goes on without another. */
async function isWhole(cluster: Cluster, other: Node, wiped: Node): Promise<void> {
  const settled = (): boolean => {
    const { leader } = cluster;
    return leader !== null && votersOf(leader).sort().join() === idsOf(cluster);
  };
  await cluster.until(settled, "three voters, and nobody else", 60_000);
  await cluster.untilEqual();
  assert.equal((await cluster.run(wiped.fetch("GET", "/v1/kv/a?raw"))).text, "kept");
  await other.crash();
  assert.equal((await cluster.run(wiped.fetch("PUT", "/v1/kv/b", "1"))).text, "true");
}

const idsOf = (cluster: Cluster): string =>
  cluster.nodes
    .map(({ id }) => id)
    .sort()
    .join();

test("a server that starts empty under its old id: gets nothing, has no weight in commits, and both say what to do", async () => {
  await withWiped(41, async (cluster, leader, other, wiped) => {
    await wiped.restart();
    await cluster.until(() => errors(leader).includes("lost its data"), "the leader says so");
    await cluster.until(() => errors(wiped).includes("counts on its vote"), "the server says so");
    for (const node of [leader, wiped]) {
      assert.match(errors(node), new RegExp(`operator raft remove-peer -id=${wiped.id}`));
      assert.match(errors(node), /delete the file node-id/);
    }
    await cluster.advance(20_000);
    assert.equal(wiped.server.raft.lastIndex, 0);
    assert.equal(votersOf(leader).length, 3);
    // With the leader it is no quorum.
    const { commitIndex } = leader.server.raft;
    await other.crash();
    void leader.fetch("PUT", "/v1/kv/a", "never acknowledged").catch(() => {});
    await cluster.advance(10_000);
    assert.equal(leader.server.raft.commitIndex, commitIndex);
  });
});

test("a server that starts empty under its old id: its vote makes nobody leader", async () => {
  await withWiped(42, async (cluster, leader, other, wiped) => {
    await leader.crash();
    await wiped.restart();
    await cluster.advance(20_000);
    assert.equal(cluster.leader, null);
    assert.deepEqual(
      [other, wiped].map((node) => node.server.raft.leader),
      [null, null],
    );
    await leader.restart();
    await cluster.untilLeader([leader, other]);
    assert.equal((await cluster.run(wiped.fetch("GET", "/v1/kv/a?raw"))).text, "kept");
  });
});

test("a server that starts empty under its old id: once it is removed it is taken in as a new one", async () => {
  await withWiped(43, async (cluster, leader, other, wiped) => {
    await wiped.restart();
    await cluster.until(() => errors(leader).includes("lost its data"), "the leader says so");
    const removed = await cluster.run(other.fetch("DELETE", `/v1/operator/raft/peer?id=${wiped.id}`));
    assert.equal(removed.status, 200, removed.text);
    await isWhole(cluster, other, wiped);
  });
});

for (const [how, downMs] of [
  ["before it is missed", 100],
  ["after it has failed", 20_000],
] as const) {
  test(`a server that starts empty under another id, ${how}: takes the place of the one before`, async () => {
    await withWiped(44, async (cluster, leader, other, wiped) => {
      const before = wiped.id;
      wiped.renew();
      await cluster.advance(downMs);
      await wiped.restart();
      const startedAt = cluster.nowMs;
      const isRemoved = (): boolean => !leader.server.raft.configuration.servers.some(({ id }) => id === before);
      await cluster.until(isRemoved, "the old id is removed", 30_000);
      if (downMs < 1000) assert.ok(cluster.nowMs - startedAt < 10_000, "at once");
      const inOrder = (): boolean =>
        nodesOf(leader).every(([, , status]) => status === "passing") &&
        nodesOf(leader)
          .map(([, id]) => id)
          .sort()
          .join() === idsOf(cluster);
      await cluster.until(inOrder, "the catalog has the new id", 30_000);
      const wanted = cluster.nodes.map(({ name, id }) => `${name} 1 ${id}`).join();
      for (let tries = 0; (await membersOf(cluster, other)) !== wanted; tries += 1) {
        assert.ok(tries < 50, await membersOf(cluster, other));
        await cluster.advance(200);
      }
      await isWhole(cluster, other, wiped);
    });
  });
}
