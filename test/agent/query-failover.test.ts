// Prepared queries that fail over between datacenters on virtual time, at servers and clients, by HTTP and DNS.
import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import { Cluster, type Node } from "../server/cluster.ts";
import type { TestBody, TestReply } from "../support/agent.ts";

interface Executed {
  Datacenter: string;
  Failovers: number;
  Nodes: { Node: { Node: string; Datacenter: string }; Service: { Port: number } }[];
}

const ask = (cluster: Cluster, node: Node, method: string, path: string, body?: TestBody): Promise<TestReply> =>
  cluster.run(node.fetch(method, path, body));

async function run(cluster: Cluster, node: Node, path: string): Promise<Executed & { tookMs: number }> {
  const fromMs = cluster.nowMs;
  const reply = await ask(cluster, node, "GET", path);
  assert.equal(reply.status, 200, reply.text);
  return { ...(reply.json() as Executed), tookMs: cluster.nowMs - fromMs };
}

/** An instance of `web` in each datacenter, whose port tells which, and in dc1 a check of it and queries with failover. */
async function withWeb(body: (cluster: Cluster, server: Node, client: Node) => Promise<void>): Promise<void> {
  const cluster = await Cluster.federate(["dc1", "dc2", "dc3"], 1, { seed: 21 });
  try {
    // dc3 is nearer to dc1 than dc2 is.
    cluster.linkMs.set("dc1 dc2", [40, 42]);
    cluster.linkMs.set("dc1 dc3", [10, 11]);
    cluster.linkMs.set("dc2 dc3", [30, 32]);
    const [server] = cluster.serversOf("dc1") as [Node];
    const nearest = (): boolean => server.running?.agent.datacenters().join() === "dc1,dc3,dc2";
    await cluster.until(nearest, "dc3 is known to be nearer", 600_000);
    for (const [at, name] of cluster.datacenters.entries())
      await setStatus(cluster, server, name, 8001 + at, "passing");
    for (const [Name, Failover] of Object.entries(QUERIES))
      assert.equal(
        (await ask(cluster, server, "POST", "/v1/query", { Name, Service: { Service: "web", Failover } })).status,
        200,
      );
    const client = await cluster.join("client", "dc1");
    await body(cluster, server, client);
  } finally {
    await cluster.stop();
  }
}

const QUERIES = {
  nearest: { NearestN: 2 },
  listed: { Datacenters: ["dc9", "dc2", "dc3"] },
  targets: { Targets: [{ Datacenter: "dc2" }] },
  none: {},
};

async function setStatus(cluster: Cluster, at: Node, datacenter: string, port: number, status: string): Promise<void> {
  const reply = await ask(cluster, at, "PUT", `/v1/catalog/register?dc=${datacenter}`, {
    Datacenter: datacenter,
    Node: `web-${datacenter}`,
    Address: `192.0.2.${port - 8000}`,
    Service: { Service: "web", Port: port },
    Check: { Name: "alive", CheckID: "alive", ServiceID: "web", Status: status },
  });
  assert.equal(reply.status, 200, reply.text);
}

test("failover: while the own datacenter has an instance that one is the answer; when it is critical, the next datacenter's", async () => {
  await withWeb(async (cluster, server, client) => {
    for (const node of [server, client]) {
      const local = await run(cluster, node, "/v1/query/nearest/execute");
      assert.deepEqual([local.Datacenter, local.Failovers, local.Nodes[0]?.Service.Port], ["dc1", 0, 8001]);
    }
    await setStatus(cluster, server, "dc1", 8001, "critical");
    for (const node of [server, client]) {
      const found = async (name: string): Promise<unknown[]> => {
        const { Datacenter, Failovers, Nodes } = await run(cluster, node, `/v1/query/${name}/execute`);
        return [Datacenter, Failovers, Nodes.map(({ Node: { Datacenter: of }, Service }) => `${of} ${Service.Port}`)];
      };
      assert.deepEqual(await found("nearest"), ["dc3", 1, ["dc3 8003"]]);
      assert.deepEqual(await found("listed"), ["dc2", 1, ["dc2 8002"]]);
      assert.deepEqual(await found("targets"), ["dc2", 1, ["dc2 8002"]]);
      assert.deepEqual(await found("none"), ["dc1", 0, []]);
    }
    // Asked from elsewhere, it is dc1 that runs it, with the distances from there.
    const [other] = cluster.serversOf("dc2") as [Node];
    assert.equal((await run(cluster, other, "/v1/query/nearest/execute?dc=dc1")).Datacenter, "dc3");
    await setStatus(cluster, server, "dc3", 8003, "critical");
    assert.deepEqual((await run(cluster, server, "/v1/query/nearest/execute")).Failovers, 2);
    await setStatus(cluster, server, "dc1", 8001, "passing");
    assert.equal((await run(cluster, client, "/v1/query/nearest/execute")).Datacenter, "dc1");
  });
});

test("failover: a datacenter whose link is cut costs half a second at first, then nothing, and the answer is the next one's", async () => {
  await withWeb(async (cluster, server, client) => {
    await setStatus(cluster, server, "dc1", 8001, "critical");
    cluster.cutLink("dc1", "dc3");
    const first = await run(cluster, client, "/v1/query/nearest/execute");
    assert.equal(first.Datacenter, "dc2");
    assert.ok(first.tookMs < 1000, `${first.tookMs} ms`);
    await cluster.advance(5000);
    const later = await run(cluster, client, "/v1/query/nearest/execute");
    assert.equal(later.Datacenter, "dc2");
    assert.ok(later.tookMs < 150, `${later.tookMs} ms`);
    cluster.cutLink("dc1", "dc2");
    const nobody = await run(cluster, server, "/v1/query/nearest/execute");
    assert.deepEqual([nobody.Datacenter, nobody.Nodes], ["dc1", []]);
    assert.ok(nobody.tookMs < 4100, `${nobody.tookMs} ms`);
    cluster.heal();
    await cluster.advance(5000);
    assert.equal((await run(cluster, client, "/v1/query/nearest/execute")).Datacenter, "dc3");
  });
});

test("failover: DNS gives the addresses of elsewhere, and names of nodes that say where", async () => {
  await withWeb(async (cluster, server, client) => {
    const dig = async (node: Node, name: string, type: "A" | "SRV"): Promise<dnsPacket.Record[]> => {
      const packet = dnsPacket.encode({ type: "query", id: 7, questions: [{ name, type, class: "IN" }] });
      const reply = await cluster.run(Promise.resolve(node.running?.dns(packet, "udp", "127.0.0.1") ?? null));
      assert.ok(reply !== null);
      return dnsPacket.decode(Buffer.from(reply)).answers ?? [];
    };
    const addresses = async (node: Node): Promise<unknown[]> =>
      (await dig(node, "nearest.query.consul", "A")).map((answer) => answer.data);
    assert.deepEqual(await addresses(client), ["192.0.2.1"]);
    await setStatus(cluster, server, "dc1", 8001, "critical");
    for (const node of [server, client]) {
      assert.deepEqual(await addresses(node), ["192.0.2.3"]);
      const [srv] = await dig(node, "nearest.query.consul", "SRV");
      const { priority: _priority, weight: _weight, ...where } = Object(srv?.data) as Record<string, unknown>;
      assert.deepEqual(where, { port: 8003, target: "web-dc3.node.dc3.consul" });
    }
    await setStatus(cluster, server, "dc1", 8001, "passing");
    assert.deepEqual(await addresses(server), ["192.0.2.1"], "what was found elsewhere is not kept");
  });
});
