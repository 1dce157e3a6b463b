// Datacenters on virtual time: who knows whom, and that any agent answers for any datacenter, that a write happens once or is
// reported, and that a lost link hurts who needs it, and says so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type ClusterOptions, type Node } from "../server/cluster.ts";
import type { TestBody, TestReply } from "../support/agent.ts";

async function withFederation(
  size: number,
  options: ClusterOptions,
  body: (cluster: Cluster, first: Node) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.federate(["dc1", "dc2", "dc3"], size, options);
  try {
    await body(cluster, cluster.serversOf("dc1")[0] as Node);
  } finally {
    await cluster.stop();
  }
}

const ask = (cluster: Cluster, node: Node, method: string, path: string, body?: TestBody): Promise<TestReply> =>
  cluster.run(node.fetch(method, path, body));

async function text(cluster: Cluster, node: Node, path: string): Promise<string> {
  const reply = await ask(cluster, node, "GET", path);
  assert.equal(reply.status, 200, `${path} at ${node.name}: ${reply.text}`);
  return reply.text;
}

const names = (reply: TestReply): string[] => (reply.json() as { Name: string }[]).map(({ Name }) => Name);

test("federation: one server of each datacenter joins, and every server knows all; a client knows none", async () => {
  await withFederation(3, { seed: 1 }, async (cluster) => {
    const all = ["s1.dc1", "s2.dc1", "s3.dc1", "s4.dc2", "s5.dc2", "s6.dc2", "s7.dc3", "s8.dc3", "s9.dc3"];
    for (const node of cluster.servers)
      assert.deepEqual(names(await ask(cluster, node, "GET", "/v1/agent/members?wan=1")), all);
    const client = await cluster.join("client", "dc2");
    assert.deepEqual(names(await ask(cluster, client, "GET", "/v1/agent/members?wan=1")), []);
    assert.deepEqual(names(await ask(cluster, cluster.serversOf("dc1")[0] as Node, "GET", "/v1/agent/members")), [
      "s1",
      "s2",
      "s3",
    ]);
    const { wanPool } = { wanPool: cluster.serversOf("dc3")[0]?.running?.agent.statistics()["serf_wan"] };
    assert.equal(wanPool?.["members"], "9");
  });
});

test("federation: any agent writes and reads in any datacenter, and the others have nothing of it", async () => {
  await withFederation(3, { seed: 2 }, async (cluster, first) => {
    const client = await cluster.join("client", "dc1");
    await cluster.until(() => client.running?.agent.route !== undefined, "it runs");
    for (const [node, to] of [
      [first, "dc2"],
      [cluster.serversOf("dc3")[1] as Node, "dc1"],
      [client, "dc3"],
    ] as const) {
      const put = await ask(cluster, node, "PUT", `/v1/kv/from-${node.name}?dc=${to}`, "x");
      assert.equal(put.text, "true");
      for (const mode of ["", "&stale", "&consistent"]) {
        const read = await ask(cluster, node, "GET", `/v1/kv/from-${node.name}?raw&dc=${to}${mode}`);
        if (mode !== "&stale") assert.equal(read.text, "x", `${node.name} ${mode}`);
        assert.equal(read.header("x-consul-knownleader"), "true");
        assert.ok(Number(read.header("x-consul-index")) > 1);
      }
      // `datacenter` counts before `dc`.
      assert.equal((await ask(cluster, node, "GET", `/v1/kv/from-${node.name}?datacenter=${to}&dc=dc9`)).status, 200);
      for (const other of cluster.datacenters.filter((name) => name !== to))
        assert.equal((await ask(cluster, node, "GET", `/v1/kv/from-${node.name}?dc=${other}`)).status, 404);
    }
  });
});

test("federation: the catalog, sessions, transactions, operator, status and events of another datacenter", async () => {
  await withFederation(3, { seed: 3 }, async (cluster, first) => {
    const client = await cluster.join("client", "dc1");
    for (const node of [first, client]) {
      const nodes = JSON.parse(await text(cluster, node, "/v1/catalog/nodes?dc=dc2")) as { Datacenter: string }[];
      assert.deepEqual([...new Set(nodes.map(({ Datacenter }) => Datacenter))], ["dc2"]);
      const leader = cluster.leaderOf("dc2") as Node;
      assert.equal(JSON.parse(await text(cluster, node, "/v1/status/leader?dc=dc2")), leader.address);
      assert.equal((JSON.parse(await text(cluster, node, "/v1/status/peers?dc=dc2")) as string[]).length, 3);
      for (const stale of ["", "&stale"]) {
        const raft = JSON.parse(await text(cluster, node, `/v1/operator/raft/configuration?dc=dc2${stale}`)) as {
          Servers: { Node: string }[];
        };
        assert.deepEqual(raft.Servers.map(({ Node: name }) => name).sort(), ["s4", "s5", "s6"]);
      }
      assert.match(await text(cluster, node, "/v1/operator/autopilot/configuration?dc=dc2"), /CleanupDeadServers/);
      assert.match(await text(cluster, node, "/v1/operator/usage?dc=dc2"), /"dc2"/);
      for (const body of [{ Node: "s4" }, {}]) {
        const session = await ask(cluster, node, "PUT", "/v1/session/create?dc=dc2", body);
        assert.equal(session.status, 200, session.text);
        const info = `/v1/session/info/${(session.json() as { ID: string }).ID}?dc=dc2`;
        // A session is bound to a node of its datacenter: to one of the servers there, if it names none.
        assert.match(await text(cluster, node, info), /"Node": "s[456]"/);
      }
      const set = [{ KV: { Verb: "set", Key: "t", Value: "eA==" } }];
      assert.equal((await ask(cluster, node, "PUT", "/v1/txn?dc=dc2", set)).status, 200);
      const fired = await ask(cluster, node, "PUT", `/v1/event/fire/from-${node.name}?dc=dc2`, "p");
      assert.equal(fired.status, 200, fired.text);
      const seen = (at: Node): boolean => at.running?.agent.events.list(`from-${node.name}`).length === 1;
      await cluster.until(() => cluster.serversOf("dc2").every(seen), "every agent of dc2 has the event");
      assert.ok(![first, client].some(seen), "and nobody else");
      const all = JSON.parse(await text(cluster, node, "/v1/catalog/datacenters")) as string[];
      assert.equal(all[0], "dc1", "its own first");
      assert.deepEqual(all.sort(), ["dc1", "dc2", "dc3"]);
    }
  });
});

test("federation: snapshots are saved from another datacenter and restored there, by servers and clients", async () => {
  await withFederation(1, { seed: 4 }, async (cluster, first) => {
    const client = await cluster.join("client", "dc1");
    for (const node of [first, client]) {
      await ask(cluster, node, "PUT", "/v1/kv/kept?dc=dc2", node.name);
      const saved = await cluster.beside(node.fetch("GET", "/v1/snapshot?dc=dc2"));
      assert.equal(saved.status, 200, saved.text);
      await ask(cluster, node, "DELETE", "/v1/kv/kept?dc=dc2");
      const restored = await cluster.beside(node.fetch("PUT", "/v1/snapshot?dc=dc2", saved.bytes));
      assert.equal(restored.status, 200, restored.text);
      assert.equal(await text(cluster, node, "/v1/kv/kept?dc=dc2&raw"), node.name);
      assert.equal((await ask(cluster, node, "GET", "/v1/kv/kept")).status, 404);
    }
  });
});

test("federation: an unknown datacenter is refused in Consul's words, by servers and clients", async () => {
  await withFederation(1, { seed: 5 }, async (cluster, first) => {
    const client = await cluster.join("client", "dc1");
    for (const node of [first, client])
      for (const [method, path] of [
        ["GET", "/v1/kv/a?dc=dc9"],
        ["PUT", "/v1/kv/a?dc=dc9"],
        ["GET", "/v1/status/leader?dc=dc9"],
        ["GET", "/v1/operator/raft/configuration?stale&dc=dc9"],
        ["GET", "/v1/snapshot?dc=dc9"],
        ["PUT", "/v1/event/fire/e?dc=dc9"],
      ] as const) {
        const reply = await ask(cluster, node, method, path, method === "PUT" ? "x" : undefined);
        assert.equal(reply.status, 500, path);
        assert.equal(reply.text, "No path to datacenter", path);
      }
  });
});

test("federation: a blocking query sees a change in another datacenter, and survives the server that held it", async () => {
  await withFederation(3, { seed: 6 }, async (cluster, first) => {
    await ask(cluster, first, "PUT", "/v1/kv/w?dc=dc2", "1");
    const before = await ask(cluster, first, "GET", "/v1/kv/w?dc=dc2");
    const index = before.header("x-consul-index") as string;
    const waiting = first.fetch("GET", `/v1/kv/w?raw&dc=dc2&index=${index}&wait=5m`);
    await cluster.advance(3000);
    const changed = cluster.nowMs;
    await ask(cluster, cluster.serversOf("dc2")[0] as Node, "PUT", "/v1/kv/w", "2");
    assert.equal((await cluster.run(waiting)).text, "2");
    assert.ok(cluster.nowMs - changed < 100, "it is told at once");
    // Each server of dc2 is stopped in turn while a query waits: whichever held it, the query goes on at another.
    for (const victim of cluster.serversOf("dc2")) {
      const now = await ask(cluster, first, "GET", "/v1/kv/w?dc=dc2");
      const held = first.fetch("GET", `/v1/kv/w?raw&dc=dc2&index=${now.header("x-consul-index")}&wait=5m`);
      await cluster.advance(1000);
      await victim.crash();
      await cluster.advance(10_000);
      await cluster.untilLeaders();
      const other = cluster.serversOf("dc2").find((node) => node.running !== null) as Node;
      await ask(cluster, other, "PUT", "/v1/kv/w", victim.name);
      assert.equal((await cluster.run(held)).text, victim.name);
      await victim.restart();
      await cluster.untilFederated();
    }
  });
});

test("federation: a lost link is told in seconds, then at once, by its name, and hurts no other; it heals by itself", async () => {
  await withFederation(3, { seed: 7 }, async (cluster, first) => {
    const client = await cluster.join("client", "dc1");
    await text(cluster, client, "/v1/catalog/nodes?dc=dc2");
    cluster.cutLink("dc1", "dc2");
    const took = async (node: Node, method: string): Promise<{ ms: number; reply: TestReply }> => {
      const from = cluster.nowMs;
      const reply = await ask(cluster, node, method, "/v1/kv/a?dc=dc2", method === "PUT" ? "x" : undefined);
      return { ms: cluster.nowMs - from, reply };
    };
    const read = await took(first, "GET");
    assert.equal(read.reply.status, 500);
    assert.match(
      read.reply.text,
      /^Remote DC has no server currently reachable: datacenter 'dc2' from datacenter 'dc1'/,
    );
    assert.match(read.reply.text, /s4\.dc2 at 10\.0\.1\.4:8300: no answer in time/);
    assert.match(read.reply.text, /members -wan/);
    assert.ok(read.ms <= 2500, `found out within ${read.ms} ms`);
    const again = await took(first, "GET");
    assert.equal(again.reply.status, 500);
    assert.ok(again.ms < 20, `known after ${again.ms} ms`);
    const write = await took(first, "PUT");
    assert.match(write.reply.text, /Nothing was done there/);
    const byClient = await took(client, "GET");
    assert.match(byClient.reply.text, /datacenter 'dc2' from datacenter 'dc1'/);
    // The client's own servers are none the worse for it.
    assert.equal((await ask(cluster, client, "PUT", "/v1/kv/own", "x")).text, "true");
    assert.equal(client.running?.agent.statistics()["consul"]?.["known_servers"], "3");
    for (const node of [first, client])
      assert.equal((await ask(cluster, node, "PUT", "/v1/kv/a?dc=dc3", "x")).text, "true");
    const dc3 = cluster.serversOf("dc3")[0] as Node;
    assert.equal((await ask(cluster, dc3, "PUT", "/v1/kv/a?dc=dc2", "x")).text, "true");
    const metrics = await text(cluster, first, "/v1/agent/metrics?format=prometheus");
    assert.match(metrics, /consul_rpc_cross_dc\{datacenter="dc3"\} [1-9]/);
    assert.match(metrics, /consul_rpc_cross_dc_failed\{datacenter="dc2"\} [1-9]/);
    cluster.heal();
    const from = cluster.nowMs;
    for (;;) {
      const reply = await ask(cluster, first, "GET", "/v1/kv/a?dc=dc2&raw");
      if (reply.status === 200) break;
      assert.ok(cluster.nowMs - from < 5000, reply.text);
      await cluster.advance(200);
    }
  });
});

test("federation: a link that stays lost for long heals too, though the pools have given each other up", async () => {
  await withFederation(1, { seed: 8 }, async (cluster, first) => {
    cluster.cutLink("dc1", "dc2");
    cluster.cutLink("dc3", "dc2");
    const failed = (): boolean =>
      first.running?.agent.members(true).some(({ Name, Status }) => Name === "s2.dc2" && Status === 4) === true;
    await cluster.until(failed, "the WAN pool holds dc2 for failed", 300_000);
    const lost = await ask(cluster, first, "GET", "/v1/kv/a?dc=dc2");
    assert.match(lost.text, /no server currently reachable/);
    cluster.heal();
    await cluster.advance(3000);
    assert.equal((await ask(cluster, first, "GET", "/v1/kv/a?dc=dc2")).status, 404);
    await cluster.untilFederated();
  });
});

test("federation: a write whose answer is lost on the link is reported and not repeated", async () => {
  await withFederation(2, { seed: 9 }, async (cluster, first) => {
    const wheel = cluster.random;
    let unknown = 0;
    let done = 0;
    for (let round = 0; round < 20; round += 1) {
      await ask(cluster, first, "PUT", `/v1/kv/c${round}?dc=dc2`, "0");
      const before = (await ask(cluster, first, "GET", `/v1/kv/c${round}?dc=dc2`)).json() as { ModifyIndex: number }[];
      const index = before[0]?.ModifyIndex as number;
      const writing = first.fetch("PUT", `/v1/kv/c${round}?dc=dc2&cas=${index}`, "1");
      await cluster.advance(wheel.float() * 12);
      cluster.cutLink("dc1", "dc2");
      const reply = await cluster.run(writing);
      cluster.heal();
      await cluster.advance(3000);
      const after = await text(cluster, first, `/v1/kv/c${round}?dc=dc2&raw`);
      if (reply.status === 200) {
        // A second application would have found another index and said false.
        assert.equal(reply.text, "true", `round ${round}`);
        assert.equal(after, "1");
        done += 1;
      } else if (/The write may have been done there/.test(reply.text)) {
        assert.match(reply.text, /^the link from datacenter 'dc1' to 'dc2' \(s\d\.dc2 at 10\.0\.1\.\d:8300\) broke/);
        unknown += 1;
      } else {
        assert.match(reply.text, /Nothing was done there/);
        assert.equal(after, "0", `round ${round}: ${reply.text}`);
      }
    }
    assert.ok(unknown > 1 && done > 1, `${unknown} unknown, ${done} done: the rounds must be of all kinds`);
  });
});

test("federation: calls that come twice are carried out once in the other datacenter", async () => {
  await withFederation(3, { seed: 10 }, async (cluster, first) => {
    const client = await cluster.join("client", "dc1");
    cluster.doubling = 1;
    for (const node of [first, client])
      for (let round = 0; round < 10; round += 1) {
        const reply = await ask(cluster, node, "PUT", `/v1/kv/${node.name}-${round}?dc=dc2&cas=0`, "x");
        assert.equal(reply.text, "true");
      }
  });
});

test("federation: datacenters are listed nearest first, and the nearest can be told by their coordinates", async () => {
  const cluster = await Cluster.federate(["dc1", "dc2", "dc3"], 1, { seed: 11 });
  try {
    cluster.linkMs.set("dc1 dc2", [60, 62]);
    cluster.linkMs.set("dc1 dc3", [10, 11]);
    cluster.linkMs.set("dc2 dc3", [50, 52]);
    const lists = (): string => cluster.servers.map((node) => node.running?.agent.datacenters().join()).join(" ");
    const expected = "dc1,dc3,dc2 dc2,dc3,dc1 dc3,dc1,dc2";
    await cluster.until(() => lists() === expected, expected, 600_000);
    const [first] = cluster.serversOf("dc1");
    const shown = JSON.parse(await text(cluster, first as Node, "/v1/coordinate/datacenters")) as {
      Datacenter: string;
      AreaID: string;
      Coordinates: { Node: string; Coord: { Vec: number[] } }[];
    }[];
    assert.deepEqual(
      shown.map(({ Datacenter, AreaID, Coordinates }) => [
        Datacenter,
        AreaID,
        Coordinates.map(({ Node: name }) => name),
      ]),
      [
        ["dc1", "wan", ["s1"]],
        ["dc2", "wan", ["s2"]],
        ["dc3", "wan", ["s3"]],
      ],
    );
  } finally {
    await cluster.stop();
  }
});

test("federation: a failed server is made to leave by its name with its datacenter; one that leaves is gone everywhere", async () => {
  await withFederation(1, { seed: 12 }, async (cluster, first) => {
    const [second] = cluster.serversOf("dc2");
    await (second as Node).crash();
    const status = (name: string): number | undefined =>
      first.running?.agent.members(true).find(({ Name }) => Name === name)?.Status;
    await cluster.until(() => status("s2.dc2") === 4, "s2 has failed", 300_000);
    const unknown = await ask(cluster, first, "PUT", "/v1/agent/force-leave/s9.dc2");
    assert.equal(unknown.text, "agent: No node found with name 's9.dc2'");
    assert.equal((await ask(cluster, first, "PUT", "/v1/agent/force-leave/s2.dc2?wan")).status, 200);
    await cluster.until(() => status("s2.dc2") === 3, "s2 has left");
    assert.equal((await ask(cluster, first, "GET", "/v1/kv/a?dc=dc2")).text, "No path to datacenter");
    const third = cluster.serversOf("dc3")[0] as Node;
    await cluster.run((third.running as NonNullable<Node["running"]>).leave());
    await cluster.until(() => status("s3.dc3") === 3, "s3 has left");
    assert.deepEqual(JSON.parse(await text(cluster, first, "/v1/catalog/datacenters")), ["dc1"]);
  });
});

test("federation: with translate_wan_addrs what is elsewhere is shown by its WAN addresses, and what is here is not", async () => {
  const cluster = await Cluster.federate(["dc1", "dc2"], 1, { seed: 13, config: { translateWanAddrs: true } });
  try {
    const [here, there] = cluster.servers as [Node, Node];
    const registered = await ask(cluster, there, "PUT", "/v1/catalog/register", {
      Node: "web-1",
      Address: "10.2.0.1",
      TaggedAddresses: { wan: "203.0.113.1" },
      Service: {
        Service: "web",
        Address: "10.2.0.2",
        Port: 80,
        TaggedAddresses: { wan: { Address: "203.0.113.2", Port: 8080 } },
      },
    });
    assert.equal(registered.status, 200, registered.text);
    await ask(cluster, there, "POST", "/v1/query", { Name: "q", Service: { Service: "web" } });
    for (const path of [
      "/v1/catalog/nodes",
      "/v1/catalog/node/web-1",
      "/v1/catalog/node-services/web-1",
      "/v1/catalog/service/web",
      "/v1/health/service/web",
      "/v1/query/q/execute",
    ]) {
      const [near, far] = [await ask(cluster, there, "GET", path), await ask(cluster, here, "GET", `${path}?dc=dc2`)];
      for (const reply of [near, far]) assert.equal(reply.header("x-consul-translate-addresses"), "true", path);
      assert.match(near.text, /"Address": "10\.2\.0\.1"/, path);
      assert.match(far.text, /"Address": "203\.0\.113\.1"/, path);
      if (path.endsWith("nodes")) continue;
      assert.match(near.text, /"(Service)?Address": "10\.2\.0\.2"[^]*"(Service)?Port": 80\b/, path);
      assert.match(far.text, /"(Service)?Address": "203\.0\.113\.2"[^]*"(Service)?Port": 8080/, path);
    }
  } finally {
    await cluster.stop();
  }
});
