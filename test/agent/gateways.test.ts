// Datacenters that are reached by one address alone, on virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, type Node } from "../server/cluster.ts";
import type { TestReply } from "../support/agent.ts";

const TOKEN = "a-token-of-the-gateway";
const EDGE = "https://edge.example";

interface Setting {
  name?: string;
  token?: string;
}

/** dc1 of two servers that know "edge" by an address, and edge of one server, without gossip between them. */
async function withEdge(
  setting: Setting,
  body: (cluster: Cluster, first: Node, edge: Node) => Promise<void>,
): Promise<void> {
  const { name = "edge", token = TOKEN } = setting;
  const cluster = new Cluster({
    seed: 31,
    configOf: (node) =>
      node.datacenter === "edge"
        ? { gossipWan: null, gatewayToken: TOKEN }
        : { gossipWan: null, remoteDatacenters: [{ name, address: EDGE, token }] },
  });
  await cluster.start("dc1", 2);
  await cluster.start("edge", 1);
  const [edge] = cluster.serversOf("edge") as [Node];
  cluster.gateways.set(EDGE, edge);
  await cluster.untilLeaders();
  try {
    await body(cluster, cluster.serversOf("dc1")[0] as Node, edge);
  } finally {
    await cluster.stop();
  }
}

const ask = (cluster: Cluster, node: Node, method: string, path: string, body?: string): Promise<TestReply> =>
  cluster.run(node.fetch(method, path, body));

const warnings = (node: Node): string =>
  node.logs
    .map(({ message, fields }) => `${message} ${String(fields?.["reason"])} ${String(fields?.["error"])}`)
    .join("\n");

test("gateway: a datacenter behind one address is read, written and waited for, by servers and by clients", async () => {
  await withEdge({}, async (cluster, first, edge) => {
    const client = await cluster.join("client", "dc1");
    for (const node of [first, client]) {
      assert.equal((await ask(cluster, node, "PUT", `/v1/kv/${node.name}?dc=edge`, "x")).text, "true");
      assert.equal((await ask(cluster, node, "GET", `/v1/kv/${node.name}?dc=edge&raw`)).text, "x");
      assert.deepEqual((await ask(cluster, node, "GET", "/v1/catalog/datacenters")).json(), ["dc1", "edge"]);
      assert.match((await ask(cluster, node, "GET", "/v1/status/leader?dc=edge")).text, /10\.0\.1\.3:8300/);
    }
    const index = (await ask(cluster, first, "GET", "/v1/kv/s1?dc=edge")).header("x-consul-index") as string;
    const waiting = first.fetch("GET", `/v1/kv/s1?dc=edge&raw&index=${index}`);
    await cluster.advance(2000);
    await ask(cluster, edge, "PUT", "/v1/kv/s1", "changed");
    assert.equal((await cluster.run(waiting)).text, "changed");
    const saved = await cluster.beside(client.fetch("GET", "/v1/snapshot?dc=edge"));
    assert.equal(saved.status, 200, saved.text);
    assert.equal((await cluster.beside(client.fetch("PUT", "/v1/snapshot?dc=edge", saved.bytes))).status, 200);
    assert.equal((await ask(cluster, client, "PUT", "/v1/event/fire/e?dc=edge", "p")).status, 200);
    await cluster.until(() => edge.running?.agent.events.list("e").length === 1, "edge has the event");
    // It knows of dc1 only if its own files say so.
    assert.equal((await ask(cluster, edge, "GET", "/v1/kv/a?dc=dc1")).text, "No path to datacenter");
  });
});

test("gateway: calls without its token, or with another, are refused on both sides, and nothing is done", async () => {
  for (const token of ["", "another-token-altogether"])
    await withEdge({ token }, async (cluster, first, edge) => {
      await cluster.advance(3000);
      const put = await ask(cluster, first, "PUT", "/v1/kv/a?dc=edge", "x");
      assert.equal(put.status, 500);
      assert.match(put.text, /^Remote DC has no server currently reachable: datacenter 'edge' from datacenter 'dc1'/);
      assert.match(
        put.text,
        /answered 401: its gateway_token and the token of remote_datacenters here must be the same/,
      );
      assert.equal((await ask(cluster, edge, "GET", "/v1/kv/a")).status, 404);
      assert.match(warnings(edge), token === "" ? /without a token/ : /another token than gateway_token/);
      assert.match(warnings(first), /remote datacenter cannot be reached.*401/);
    });
});

test("gateway: a datacenter of another name than the files say is not asked, and both names are told", async () => {
  await withEdge({ name: "egde" }, async (cluster, first, edge) => {
    await cluster.advance(3000);
    const read = await ask(cluster, first, "PUT", "/v1/kv/a?dc=egde", "x");
    assert.equal(read.status, 500);
    assert.match(read.text, /datacenter 'edge', not 'egde'/);
    assert.match(warnings(first), /remote datacenter cannot be reached.*'edge', not 'egde'/);
    assert.equal((await ask(cluster, edge, "GET", "/v1/kv/a")).status, 404);
  });
});

test("gateway: one that is away is told of at once, is tried again at longer and longer intervals, and comes back", async () => {
  await withEdge({}, async (cluster, first, edge) => {
    await cluster.advance(5000);
    cluster.cutLink("dc1", "edge");
    const lost = await ask(cluster, first, "GET", "/v1/kv/a?dc=edge");
    assert.match(lost.text, /gateway\.edge at https:\/\/edge\.example: no answer in time/);
    const from = cluster.nowMs;
    await ask(cluster, first, "GET", "/v1/kv/a?dc=edge");
    assert.ok(cluster.nowMs - from < 20);
    const write = await ask(cluster, first, "PUT", "/v1/kv/a?dc=edge", "x");
    assert.match(write.text, /Nothing was done there/);
    await cluster.advance(2 * 60_000);
    const calls = cluster.calls;
    cluster.heal();
    await cluster.until(
      () => /remote datacenter is reached[^]*cannot be reached[^]*is reached/.test(warnings(first)),
      "it is back",
      90_000,
    );
    assert.ok(cluster.calls > calls);
    assert.equal((await ask(cluster, first, "PUT", "/v1/kv/a?dc=edge", "x")).text, "true");
    await edge.crash();
    assert.match((await ask(cluster, first, "GET", "/v1/kv/a?dc=edge")).text, /ECONNREFUSED/);
  });
});

test("gateway: it answers no calls but those between datacenters", async () => {
  await withEdge({}, async (_cluster, _first, edge) => {
    const { gateway } = edge.running as NonNullable<Node["running"]>;
    for (const path of ["/raft/1/message", "/rpc/1/call", "/rpc/1/hello", "/gossip/1/lan"])
      assert.equal(gateway.refusal(path, `Bearer ${TOKEN}`, "10.0.0.1"), 404);
    assert.equal(gateway.refusal("/rpc/1/forward", `Bearer ${TOKEN}`, "10.0.0.1"), null);
    assert.equal(gateway.refusal("/rpc/1/forward", `Bearer ${TOKEN}x`, "10.0.0.1"), 401);
    assert.equal(gateway.refusal("/rpc/1/forward", `Bearer ${TOKEN.slice(1)}`, "10.0.0.1"), 401);
  });
});
