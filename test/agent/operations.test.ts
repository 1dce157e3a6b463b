// What an operator does to a datacenter that runs: servers taken out, sent away and back again, and snapshots restored under
// sessions and blocking queries, on virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type Node } from "../server/cluster.ts";
import type { TestBody, TestReply } from "../support/agent.ts";

async function withDatacenter(
  seed: number,
  body: (cluster: Cluster, leader: Node, client: Node) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.startByJoin(3, { seed });
  try {
    const client = await cluster.join("client");
    await cluster.untilLeader();
    const isReady = (): boolean =>
      cluster.leader?.server.state.nodes().value.length === 4 && votersOf(cluster.leader).length === 3;
    await cluster.until(isReady, "all are there");
    await cluster.untilEqual();
    await body(cluster, cluster.leader as Node, client);
  } finally {
    await cluster.stop();
  }
}

const votersOf = (node: Node): string[] =>
  node.server.raft.configuration.servers.filter(({ voter }) => voter).map(({ id }) => id);

async function send(cluster: Cluster, node: Node, method: string, path: string, body?: TestBody): Promise<TestReply> {
  return cluster.beside(node.fetch(method, path, body));
}

/** The answer's status and text. */
async function said(cluster: Cluster, node: Node, method: string, path: string): Promise<string> {
  const { status, text } = await send(cluster, node, method, path);
  return `${status} ${text}`;
}

async function put(cluster: Cluster, node: Node, key: string, value: string): Promise<void> {
  assert.equal((await send(cluster, node, "PUT", `/v1/kv/${key}`, value)).text, "true");
}

async function statuses(cluster: Cluster, node: Node): Promise<string> {
  const members = (await send(cluster, node, "GET", "/v1/agent/members")).json() as { Name: string; Status: number }[];
  return members.map(({ Name, Status }) => `${Name}:${Status}`).join();
}

// -------------------------------------------------------------------------------------------------------------- the group

test("remove-peer: of what is not there is refused; of a server that is alive it is taken in again, without a vote at first", async () => {
  await withDatacenter(51, async (cluster, leader, client) => {
    const peer = "/v1/operator/raft/peer";
    assert.equal(
      await said(cluster, client, "DELETE", `${peer}?id=nobody`),
      '500 id "nobody" was not found in the Raft configuration',
    );
    assert.equal(
      await said(cluster, client, "DELETE", `${peer}?address=10.9.9.9:8300`),
      '500 address "10.9.9.9:8300" was not found in the Raft configuration',
    );
    assert.match(await said(cluster, client, "DELETE", peer), /^400 /);
    const [other] = cluster.servers.filter((node) => node !== leader) as [Node];
    assert.equal(await said(cluster, client, "DELETE", `${peer}?address=${other.address}`), "200 ");
    assert.equal(votersOf(leader).length, 2);
    await cluster.until(() => votersOf(leader).length === 3, "it has its vote again", 60_000);
  });
});

test("remove-peer: of the leader itself makes another one lead, which takes it in again", async () => {
  await withDatacenter(52, async (cluster, leader, client) => {
    assert.equal(await said(cluster, client, "DELETE", `/v1/operator/raft/peer?id=${leader.id}`), "200 ");
    const next = await cluster.untilLeader(cluster.servers.filter((node) => node !== leader));
    await put(cluster, client, "a", "1");
    await cluster.until(() => votersOf(next).includes(leader.id), "it has its vote again", 60_000);
    await cluster.untilEqual();
  });
});

test("remove-peer: down to one server, which cannot be removed and works on alone", async () => {
  await withDatacenter(53, async (cluster, leader, client) => {
    // Servers introduce themselves again when they have heard which cluster they are of; one that is removed meanwhile is taken in.
    await cluster.advance(1000);
    for (const node of cluster.servers.filter((other) => other !== leader)) {
      assert.equal(await said(cluster, client, "DELETE", `/v1/operator/raft/peer?id=${node.id}`), "200 ");
      await node.crash();
    }
    assert.deepEqual(votersOf(leader), [leader.id]);
    const last = await send(cluster, client, "DELETE", `/v1/operator/raft/peer?id=${leader.id}`);
    assert.equal(last.status, 500, last.text);
    assert.deepEqual(votersOf(leader), [leader.id]);
    await put(cluster, client, "a", "1");
  });
});

test("transfer-leader: to the one named, or to any; not to who is not there, has no vote, or leads", async () => {
  await withDatacenter(54, async (cluster, leader, client) => {
    const path = "/v1/operator/raft/transfer-leader";
    const [other] = cluster.servers.filter((node) => node !== leader) as [Node];
    assert.match(
      await said(cluster, client, "POST", `${path}?id=nobody`),
      /^500 .*was not found in the Raft configuration/,
    );
    assert.match(await said(cluster, client, "POST", `${path}?id=${leader.id}`), /^500 .*another voting server/);
    const fresh = await cluster.join();
    const isKnown = (): boolean => leader.server.raft.configuration.servers.some(({ id }) => id === fresh.id);
    await cluster.until(isKnown, "the new one is known");
    assert.match(await said(cluster, client, "POST", `${path}?id=${fresh.id}`), /^500 .*another voting server/);
    const done = await send(cluster, client, "POST", `${path}?id=${other.id}`);
    assert.equal((done.json() as { Success: boolean }).Success, true);
    await cluster.untilLeader([other]);
    assert.equal((await send(cluster, client, "POST", path)).status, 200);
    await cluster.untilLeader(cluster.servers.filter((node) => node !== other));
  });
});

test("leave: a server is out of the group and of the catalog, the quorum counts without it, and it can come back", async () => {
  for (const who of ["leader", "follower"]) {
    await withDatacenter(55, async (cluster, leader, client) => {
      const gone = who === "leader" ? leader : (cluster.servers.find((node) => node !== leader) as Node);
      const stay = cluster.servers.filter((node) => node !== gone) as [Node, Node];
      await cluster.beside(gone.running!.leave());
      await gone.crash();
      const isOut = (): boolean =>
        cluster.leader !== null &&
        votersOf(cluster.leader).length === 2 &&
        cluster.leader.server.state.node(gone.name).value === null;
      await cluster.until(isOut, `the ${who} is out`, 20_000);
      const expected = cluster.nodes.map((node) => `${node.name}:${node === gone ? 3 : 1}`).sort();
      assert.equal((await statuses(cluster, client)).split(",").sort().join(), expected.join());
      const peers = (await send(cluster, client, "GET", "/v1/status/peers")).json() as string[];
      assert.deepEqual(peers.sort(), stay.map(({ address }) => address).sort());
      await put(cluster, client, "a", who);
      await gone.restart();
      const isBack = (): boolean => cluster.leader !== null && votersOf(cluster.leader).includes(gone.id);
      await cluster.until(isBack, "it is back with a vote", 60_000);
      // It counts: without another one the group goes on.
      await cluster.untilEqual();
      await (stay.find((node) => node !== cluster.leader) as Node).crash();
      await put(cluster, gone, "a", "back");
    });
  }
});

test("force-leave: a dead server is out of the group at once; -prune takes it off the list of members", async () => {
  await withDatacenter(56, async (cluster, leader, client) => {
    const [first] = cluster.servers.filter((node) => node !== leader) as [Node];
    // A minimum keeps autopilot from doing it by itself.
    const config = { CleanupDeadServers: true, MinQuorum: 3, LastContactThreshold: "200ms", MaxTrailingLogs: 250 };
    assert.equal((await send(cluster, client, "PUT", "/v1/operator/autopilot/configuration", config)).status, 200);
    await first.crash();
    const isMissed = (): boolean => leader.server.state.check(first.name, "serfHealth").value?.Status === "critical";
    await cluster.until(isMissed, "it has failed");
    await cluster.advance(30_000);
    assert.equal(votersOf(leader).length, 3);
    assert.equal(await said(cluster, client, "PUT", `/v1/agent/force-leave/${first.name}`), "200 ");
    await cluster.until(() => votersOf(leader).length === 2, "it is out of the group", 10_000);
    await cluster.until(() => leader.server.state.node(first.name).value === null, "and of the catalog");
    assert.match(await statuses(cluster, client), new RegExp(`${first.name}:3`));
    assert.equal(await said(cluster, client, "PUT", `/v1/agent/force-leave/${first.name}?prune`), "200 ");
    await cluster.advance(5000);
    assert.doesNotMatch(await statuses(cluster, client), new RegExp(`${first.name}:`));
  });
});

// ------------------------------------------------------------------------------------------------------------------ reads

test("stale: at a follower that is cut off the last contact grows and no leader is known, also through its client", async () => {
  await withDatacenter(57, async (cluster, leader, client) => {
    await put(cluster, client, "a", "1");
    await cluster.untilEqual();
    const [follower] = cluster.servers.filter((node) => node !== leader) as [Node];
    const contact = async (node: Node, more = ""): Promise<[string, string | null, number]> => {
      const reply = await send(cluster, node, "GET", `/v1/kv/a?raw&stale${more}`);
      return [reply.text, reply.header("x-consul-knownleader"), Number(reply.header("x-consul-lastcontact"))];
    };
    assert.deepEqual((await contact(follower)).slice(0, 2), ["1", "true"]);
    cluster.cut(cluster.servers.filter((node) => node !== follower));
    // The client stays with the follower: it moves to it as the others answer no more.
    await cluster.advance(20_000);
    for (const node of [follower, client]) {
      const [value, known, first] = await contact(node);
      assert.deepEqual([value, known], ["1", "false"], node.name);
      assert.ok(first > 15_000, `${node.name}: ${first} ms`);
      await cluster.advance(3000);
      const [, , second] = await contact(node);
      assert.ok(second >= first + 2900, `${node.name}: ${first}, then ${second} ms`);
    }
    // Too old: the leader would have to say it, and nobody leads here.
    const beyond = await send(cluster, follower, "GET", "/v1/kv/a?raw&max_stale=5s");
    assert.equal(beyond.status, 500, beyond.text);
    assert.equal((await send(cluster, follower, "GET", "/v1/kv/a?raw&max_stale=10m")).text, "1");
    cluster.heal();
    await cluster.untilLeader();
    await cluster.until(() => follower.server.raft.leader !== null, "it follows again");
    assert.deepEqual((await contact(follower)).slice(0, 2), ["1", "true"]);
    assert.ok((await contact(client))[2] < 1000);
  });
});

// --------------------------------------------------------------------------------------------------------------- snapshots

for (const through of ["follower", "client", "leader"]) {
  test(`restore through a ${through}: blocked queries wake with the restored state, and sessions are those of then`, async () => {
    await withDatacenter(58, async (cluster, leader, client) => {
      const follower = cluster.servers.find((node) => node !== leader) as Node;
      const node = { follower, client, leader }[through] as Node;
      const session = async (name: string): Promise<string> =>
        (
          (
            await send(cluster, node, "PUT", "/v1/session/create", { Name: name, LockDelay: "0s", TTL: "20s" })
          ).json() as { ID: string }
        ).ID;
      const kept = await session("kept");
      assert.equal((await send(cluster, node, "PUT", `/v1/kv/lock?acquire=${kept}`, "kept")).text, "true");
      await put(cluster, node, "a", "saved");
      const saved = await send(cluster, node, "GET", "/v1/snapshot");
      assert.equal(saved.status, 200);
      assert.equal((await send(cluster, node, "PUT", `/v1/session/destroy/${kept}`)).text, "true");
      const later = await session("later");
      assert.equal((await send(cluster, node, "PUT", `/v1/kv/lock?acquire=${later}`, "later")).text, "true");
      await put(cluster, node, "a", "later");
      await cluster.untilEqual();

      const blocked = await Promise.all(
        cluster.nodes.map(async (each) => {
          const index = (await send(cluster, each, "GET", "/v1/kv/a?raw")).header("x-consul-index");
          return { index: Number(index), waiting: each.fetch("GET", `/v1/kv/a?raw&wait=5m&index=${index}`) };
        }),
      );
      await cluster.advance(1000);
      const restored = await send(cluster, node, "PUT", "/v1/snapshot", saved.bytes);
      assert.equal(`${restored.status} ${restored.text}`, "200 ");
      for (const { index, waiting } of blocked) {
        const reply = await cluster.run(waiting, 5000);
        assert.equal(reply.text, "saved");
        assert.ok(Number(reply.header("x-consul-index")) < index);
      }
      await cluster.untilEqual();
      const listed = (await send(cluster, node, "GET", "/v1/session/list")).json() as { ID: string }[];
      assert.deepEqual(
        listed.map(({ ID }) => ID),
        [kept],
      );
      const lock = (await send(cluster, node, "GET", "/v1/kv/lock")).json() as { Session: string }[];
      assert.equal(lock[0]?.Session, kept);
      // The leader keeps its time: it ends when nobody renews it.
      await cluster.advance(15_000);
      assert.equal((await send(cluster, node, "PUT", `/v1/session/renew/${kept}`)).status, 200);
      await cluster.advance(30_000);
      await cluster.until(() => cluster.leader?.server.state.sessions().value.length === 0, "it has expired", 30_000);
      assert.equal((await send(cluster, node, "GET", "/v1/kv/lock?raw")).text, "kept");
      assert.equal((await send(cluster, node, "PUT", `/v1/session/renew/${later}`)).status, 404);
    });
  });
}
