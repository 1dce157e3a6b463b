// Names of other datacenters: what any agent's DNS says of a service, a node or a prepared query there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, queryPacket, type Reply } from "../dns/ask.ts";
import { Cluster, type Node } from "../server/cluster.ts";

async function ask(cluster: Cluster, node: Node, type: string, name: string): Promise<Reply> {
  const answered = node.running?.dns(queryPacket(type, name), "udp", "10.9.9.9");
  const reply = await cluster.run(Promise.resolve(answered));
  assert.ok(reply instanceof Uint8Array);
  return decode(reply);
}

const data = ({ answers }: Reply): string[] =>
  answers
    .flatMap((record) => (record.type === "OPT" ? [] : [record.data]))
    .map((each) => (typeof each === "string" ? each : (each as { target: string }).target))
    .sort();

test("federation: DNS names of another datacenter, at a server and at a client", async () => {
  const cluster = await Cluster.federate(["dc1", "dc2"], 1, { seed: 21 });
  try {
    const [first] = cluster.serversOf("dc1") as [Node];
    const client = await cluster.join("client", "dc1");
    const put = async (path: string, body: object): Promise<void> => {
      const method = path.startsWith("/v1/query") ? "POST" : "PUT";
      const reply = await cluster.run(first.fetch(method, path, body));
      assert.equal(reply.status, 200, reply.text);
    };
    await put("/v1/catalog/register?dc=dc2", {
      Node: "web-1",
      Address: "10.2.0.1",
      TaggedAddresses: { wan: "203.0.113.1" },
      Service: { Service: "web", Port: 80, Tags: ["blue"] },
    });
    await put("/v1/catalog/register", { Node: "web-2", Address: "10.1.0.1", Service: { Service: "web", Port: 80 } });
    await put("/v1/query?dc=dc2", { Name: "to-web", Service: { Service: "web" } });
    for (const node of [first, client]) {
      for (const [name, expected] of [
        ["web.service.dc2.consul", "10.2.0.1"],
        ["web.service.dc2.dc.consul", "10.2.0.1"],
        ["blue.web.service.dc2.consul", "10.2.0.1"],
        ["WEB.Service.DC2.Consul", "10.2.0.1"],
        ["web.service.consul", "10.1.0.1"],
        ["web.service.dc1.consul", "10.1.0.1"],
        ["web-1.node.dc2.consul", "10.2.0.1"],
        ["web-1.node.dc2.dc.consul", "10.2.0.1"],
        ["to-web.query.dc2.consul", "10.2.0.1"],
      ] as const)
        assert.deepEqual(data(await ask(cluster, node, "A", name)), [expected], `${name} at ${node.name}`);
      const srv = await ask(cluster, node, "SRV", "_web._tcp.dc2.consul");
      assert.deepEqual(data(srv), ["web-1.node.dc2.consul"]);
      assert.deepEqual(data(await ask(cluster, node, "SRV", "to-web.query.dc2.consul")), ["web-1.node.dc2.consul"]);
      assert.deepEqual(
        srv.additionals.map(({ name }) => name),
        ["web-1.node.dc2.consul"],
      );
      for (const name of [
        "web.service.dc9.consul",
        "web-1.node.dc9.consul",
        "to-web.query.consul",
        "web-1.node.consul",
      ])
        assert.equal((await ask(cluster, node, "A", name)).rcode, "NXDOMAIN", `${name} at ${node.name}`);
    }
    cluster.cutLink("dc1", "dc2");
    for (const node of [first, client]) {
      assert.equal((await ask(cluster, node, "A", "web.service.dc2.consul")).rcode, "SERVFAIL");
      assert.deepEqual(data(await ask(cluster, node, "A", "web.service.consul")), ["10.1.0.1"]);
    }
  } finally {
    await cluster.stop();
  }
});
