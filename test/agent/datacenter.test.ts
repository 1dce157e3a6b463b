// A datacenter of servers and clients on virtual time: who is a member, what the catalog says of it, and that any agent
// answers any request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type Node } from "../server/cluster.ts";
import type { TestReply } from "../support/agent.ts";

/** Three servers and as many clients, all of them members that the catalog knows. */
async function withDatacenter(
  clients: number,
  seed: number,
  body: (cluster: Cluster, clients: Node[]) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.startByJoin(3, { seed });
  try {
    const joined: Node[] = [];
    for (let at = 0; at < clients; at += 1) joined.push(await cluster.join("client"));
    await cluster.untilLeader();
    await untilHealth(
      cluster,
      cluster.nodes.map(({ name }) => `${name} passing`),
    );
    await body(cluster, joined);
  } finally {
    await cluster.stop();
  }
}

async function json(cluster: Cluster, node: Node, path: string): Promise<unknown> {
  const reply = await cluster.run(node.fetch("GET", path));
  assert.equal(reply.status, 200, `${path} at ${node.name}: ${reply.text}`);
  return reply.json();
}

/** Time passes until the leader's catalog has exactly these nodes with serfHealth. */
async function untilHealth(cluster: Cluster, expected: readonly string[], maxMs = 60_000): Promise<void> {
  const health = (): string[] | undefined =>
    cluster.leader?.server.state
      .nodes()
      .value.map(({ Node: name }) => `${name} ${cluster.leader?.server.state.check(name, "serfHealth").value?.Status}`)
      .sort();
  const wanted = [...expected].sort().join();
  await cluster.until(() => health()?.join() === wanted, `serfHealth: ${wanted}`, maxMs);
}

/** Members as every running agent lists them. */
async function memberLists(cluster: Cluster): Promise<Map<string, string>> {
  const lists = new Map<string, string>();
  for (const node of cluster.nodes) {
    if (node.running === null) continue;
    const members = (await json(cluster, node, "/v1/agent/members")) as { Name: string; Status: number }[];
    lists.set(node.name, members.map(({ Name, Status }) => `${Name}:${Status}`).join());
  }
  return lists;
}

test("datacenter: every agent lists the same members, and the catalog has them all", async () => {
  await withDatacenter(2, 31, async (cluster) => {
    for (const list of (await memberLists(cluster)).values()) assert.equal(list, "c4:1,c5:1,s1:1,s2:1,s3:1");
    const consul = (await json(cluster, cluster.nodes[4] as Node, "/v1/catalog/service/consul")) as { Node: string }[];
    assert.deepEqual(consul.map(({ Node: name }) => name).sort(), ["s1", "s2", "s3"]);
  });
});

test("datacenter: a client answers what a server answers", async () => {
  await withDatacenter(1, 32, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    const put = await cluster.run(client.fetch("PUT", "/v1/kv/a", "1"));
    assert.equal(put.text, "true");
    for (const mode of ["", "&stale", "&consistent"]) {
      const reply: TestReply = await cluster.run(client.fetch("GET", `/v1/kv/a?raw${mode}`));
      if (mode !== "&stale") assert.equal(reply.text, "1");
      assert.equal(reply.header("x-consul-knownleader"), "true");
      assert.ok(Number(reply.header("x-consul-index")) > 1);
    }
    const registered = await cluster.run(client.fetch("PUT", "/v1/agent/service/register", { Name: "web", Port: 80 }));
    assert.equal(registered.status, 200, registered.text);
    const known = (): boolean => cluster.leader?.server.state.nodeServices(client.name).value?.Services.length === 1;
    await cluster.until(known, "the catalog has the service");
    const web = (await json(cluster, client, "/v1/health/service/web")) as { Node: { Node: string } }[];
    assert.deepEqual(
      web.map((row) => row.Node.Node),
      [client.name],
    );
    const leader = cluster.leader as Node;
    assert.equal(await json(cluster, client, "/v1/status/leader"), leader.address);
    assert.deepEqual(
      ((await json(cluster, client, "/v1/status/peers")) as string[]).sort(),
      cluster.servers.map(({ address }) => address),
    );
    const raft = (await json(cluster, client, "/v1/operator/raft/configuration?stale")) as { Servers: unknown[] };
    assert.equal(raft.Servers.length, 3);
    const self = (await json(cluster, client, "/v1/agent/self")) as {
      Config: { Server: boolean };
      Stats: { consul: { known_servers: string } };
    };
    assert.equal(self.Config.Server, false);
    assert.equal(self.Stats.consul.known_servers, "3");
  });
});

test("datacenter: a client's blocking query wakes, and goes on when its server dies", async () => {
  await withDatacenter(1, 33, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    await cluster.run(client.fetch("PUT", "/v1/kv/a", "1"));
    const first = await cluster.run(client.fetch("GET", "/v1/kv/a?raw"));
    const index = first.header("x-consul-index");
    const waiting = client.fetch("GET", `/v1/kv/a?raw&wait=5m&index=${index}`);
    await cluster.advance(1000);
    // Whichever it uses: no server is spared.
    for (const server of cluster.servers) {
      await server.crash();
      await cluster.advance(15_000);
      await server.restart();
      // It was taken out of the group meanwhile, and has its vote again before the next one dies.
      const voters = (): number | undefined =>
        cluster.leader?.server.raft.configuration.servers.filter(({ voter }) => voter).length;
      await cluster.until(() => voters() === 3, "three voters", 60_000);
    }
    const leader = await cluster.untilLeader();
    await cluster.run(leader.fetch("PUT", "/v1/kv/a", "2"));
    assert.equal((await cluster.run(waiting, 40_000)).text, "2");
  });
});

test("datacenter: a dead agent is failed everywhere and critical in the catalog; when it is back it passes again", async () => {
  await withDatacenter(2, 34, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    await client.crash();
    const killedAt = cluster.nowMs;
    const others = cluster.nodes.filter((node) => node !== client);
    await untilHealth(cluster, [...others.map(({ name }) => `${name} passing`), `${client.name} critical`]);
    assert.ok(cluster.nowMs - killedAt < 15_000, `detected after ${cluster.nowMs - killedAt} ms`);
    await cluster.advance(2000);
    for (const list of (await memberLists(cluster)).values()) assert.equal(list, "c4:4,c5:1,s1:1,s2:1,s3:1");
    await client.restart();
    await untilHealth(
      cluster,
      cluster.nodes.map(({ name }) => `${name} passing`),
    );
  });
});

test("datacenter: who leaves is out of the catalog, with the services it had; force-leave does the same for a dead one", async () => {
  await withDatacenter(2, 35, async (cluster, [first, second]) => {
    assert.ok(first !== undefined && second !== undefined);
    await cluster.run(first.fetch("PUT", "/v1/agent/service/register", { Name: "web" }));
    await cluster.run(first.running!.leave());
    await first.crash();
    const others = cluster.nodes.filter((node) => node !== first);
    await untilHealth(
      cluster,
      others.map(({ name }) => `${name} passing`),
    );
    assert.deepEqual(await json(cluster, second, "/v1/catalog/service/web"), []);
    await second.crash();
    await untilHealth(cluster, [...cluster.servers.map(({ name }) => `${name} passing`), `${second.name} critical`]);
    const server = cluster.nodes[0] as Node;
    const unknown = await cluster.run(server.fetch("PUT", "/v1/agent/force-leave/nobody"));
    assert.equal(unknown.status, 500);
    assert.match(unknown.text, /No node found with name 'nobody'/);
    const forced = await cluster.run(server.fetch("PUT", `/v1/agent/force-leave/${second.name}`));
    assert.equal(forced.status, 200, forced.text);
    await untilHealth(
      cluster,
      cluster.servers.map(({ name }) => `${name} passing`),
    );
  });
});

test("datacenter: who has failed for so long that the pool forgets it is out of the catalog then", async () => {
  const cluster = await Cluster.startByJoin(3, { seed: 42, reconnectTimeoutMs: 20_000 });
  try {
    const client = await cluster.join("client");
    await cluster.untilLeader();
    const servers = ["s1 passing", "s2 passing", "s3 passing"];
    await untilHealth(cluster, [...servers, "c4 passing"]);
    await client.crash();
    await untilHealth(cluster, [...servers, "c4 critical"]);
    // Reaped after 20 s at a look every 15 s; the leader's own look at absent nodes would take a minute more.
    await untilHealth(cluster, servers, 45_000);
  } finally {
    await cluster.stop();
  }
});

test("datacenter: clients that were cut off for long find the servers within seconds when the cut is over", async () => {
  await withDatacenter(2, 41, async (cluster, clients) => {
    cluster.cut(clients);
    await untilHealth(cluster, [
      ...cluster.servers.map(({ name }) => `${name} passing`),
      ...clients.map(({ name }) => `${name} critical`),
    ]);
    await cluster.advance(120_000);
    cluster.heal();
    const healedAt = cluster.nowMs;
    await untilHealth(
      cluster,
      cluster.nodes.map(({ name }) => `${name} passing`),
    );
    assert.ok(cluster.nowMs - healedAt < 15_000, `${cluster.nowMs - healedAt} ms`);
    for (const client of clients) assert.equal((await cluster.run(client.fetch("PUT", "/v1/kv/a", "1"))).text, "true");
  });
});

test("datacenter: a leaf, which nobody can call, is a member like others; its anchor's death does it no harm, its own is seen", async () => {
  await withDatacenter(1, 40, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    const leaf = await cluster.join("leaf");
    const all = (): string[] => cluster.nodes.map(({ name }) => `${name} passing`);
    await untilHealth(cluster, all());
    for (const list of (await memberLists(cluster)).values()) assert.equal(list, "c4:1,c5:1,s1:1,s2:1,s3:1");
    assert.equal((await cluster.run(leaf.fetch("PUT", "/v1/kv/a", "1"))).text, "true");
    assert.equal((await cluster.run(leaf.fetch("GET", "/v1/kv/a?raw"))).text, "1");
    const node = (await json(cluster, client, `/v1/catalog/node/${leaf.name}`)) as { Node: { Address: string } };
    assert.equal(node.Node.Address, leaf.host);
    const fired = await cluster.run(client.fetch("PUT", "/v1/event/fire/deploy", "v1"));
    await cluster.advance(5000);
    const events = (await json(cluster, leaf, "/v1/event/list")) as { ID: string }[];
    assert.deepEqual(
      events.map(({ ID }) => ID),
      [fired.json().ID],
    );
    // Whichever is its anchor: each server dies once.
    for (const server of cluster.servers) {
      await server.crash();
      await cluster.advance(20_000);
      const lists = await memberLists(cluster);
      assert.match(lists.get(client.name) as string, new RegExp(`${leaf.name}:1`), `while ${server.name} is down`);
      await server.restart();
      await untilHealth(cluster, all());
    }
    await leaf.crash();
    await untilHealth(cluster, [...all().filter((row) => !row.startsWith(leaf.name)), `${leaf.name} critical`]);
  });
});

test("datacenter: an event fired at one agent is listed at all of them, once", async () => {
  await withDatacenter(1, 36, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    const fired = await cluster.run(client.fetch("PUT", "/v1/event/fire/deploy", "v1"));
    const { ID } = fired.json();
    await cluster.advance(5000);
    for (const node of cluster.nodes) {
      const events = (await json(cluster, node, "/v1/event/list?name=deploy")) as { ID: string; Payload: string }[];
      assert.deepEqual(
        events.map((event) => [event.ID, event.Payload]),
        [[ID, "djE="]],
        node.name,
      );
    }
  });
});

test("datacenter: a client saves and restores snapshots", async () => {
  await withDatacenter(1, 37, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    await cluster.run(client.fetch("PUT", "/v1/kv/a", "saved"));
    const saved = await cluster.beside(client.fetch("GET", "/v1/snapshot"));
    assert.equal(saved.status, 200, saved.text.slice(0, 200));
    await cluster.run(client.fetch("PUT", "/v1/kv/a", "later"));
    const restored = await cluster.beside(client.fetch("PUT", "/v1/snapshot", saved.bytes));
    assert.equal(restored.status, 200, restored.text);
    assert.equal((await cluster.run(client.fetch("GET", "/v1/kv/a?raw"))).text, "saved");
  });
});

test("datacenter: without any server a client says so, and goes on when there is one again", async () => {
  await withDatacenter(1, 38, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    for (const server of cluster.servers) await server.crash();
    await cluster.advance(30_000);
    const refused = await cluster.run(client.fetch("GET", "/v1/kv/a"));
    assert.equal(refused.status, 500);
    assert.match(refused.text, /No known Consul servers|connection refused/);
    for (const server of cluster.servers) await server.restart();
    await cluster.untilLeader();
    await cluster.advance(40_000);
    assert.equal((await cluster.run(client.fetch("PUT", "/v1/kv/a", "1"))).text, "true");
  });
});

test("datacenter: agents that measure each other give the catalog coordinates that differ", async () => {
  await withDatacenter(1, 39, async (cluster, [client]) => {
    assert.ok(client !== undefined);
    await cluster.advance(60_000);
    const rows = (await json(cluster, client, "/v1/coordinate/nodes")) as { Node: string; Coord: { Vec: number[] } }[];
    assert.deepEqual(rows.map(({ Node: name }) => name).sort(), ["c4", "s1", "s2", "s3"]);
    for (const { Node: name, Coord } of rows)
      assert.ok(
        Coord.Vec.some((part) => part !== 0),
        `${name} is at the origin`,
      );
  });
});
