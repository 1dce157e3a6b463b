// Agents that join by mistake: each is refused, and both sides say what is wrong and what to do.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { text } from "../../src/util/bytes.ts";
import { Cluster, type Node } from "../server/cluster.ts";

/** Two datacenters of one server each, `a` and `b`, that do not know each other; `configOf` says what they call themselves. */
async function withStrangers(
  configOf: (name: string) => Partial<AgentConfig>,
  body: (cluster: Cluster, one: Node, other: Node) => Promise<void>,
): Promise<void> {
  const cluster = new Cluster({
    seed: 41,
    configOf: (node) => ({
      retryJoinWan: { addresses: [], intervalMs: 1000, attemptsMax: 0 },
      ...configOf(node.datacenter),
    }),
  });
  await cluster.start("a", 1);
  await cluster.start("b", 1);
  await cluster.advance(3000);
  try {
    await body(cluster, ...(cluster.servers as [Node, Node]));
  } finally {
    await cluster.stop();
  }
}

/** What `join` answers, and the reasons that the other side has logged. */
async function join(cluster: Cluster, one: Node, other: Node, wan: boolean): Promise<{ said: string; logged: string }> {
  const address = wan ? other.wanAddress : other.serfAddress;
  const reply = await cluster.run(one.fetch("PUT", `/v1/agent/join/${address}${wan ? "?wan=1" : ""}`));
  assert.equal(reply.status, 500, reply.text);
  const refusals = other.logs.filter(({ level, message }) => level === "warn" && message.startsWith("refused a call"));
  return { said: reply.text, logged: refusals.map(({ fields }) => String(fields?.["reason"])).join("\n") };
}

const members = (node: Node, wan: boolean): string[] =>
  (node.running?.agent.members(wan) ?? []).map(({ Name }) => Name);

test("refused: an agent of another datacenter in the LAN pool", async () => {
  await withStrangers(
    () => ({}),
    async (cluster, one, other) => {
      const { said, logged } = await join(cluster, one, other, false);
      const expected =
        "this is datacenter 'b', and the call is for agents of datacenter 'a'. Correct the `datacenter` of one of them, or " +
        "join the datacenters by their servers' WAN pools (-retry-join-wan, join -wan)";
      assert.ok(said.includes(expected), said);
      assert.equal(logged, expected);
      assert.deepEqual(members(other, false), ["s2"]);
    },
  );
});

test("refused: another cluster of the same datacenter name, in the LAN pool and in the WAN pool", async () => {
  for (const wan of [false, true])
    await withStrangers(
      () => ({ datacenter: "dc1" }),
      async (cluster, one, other) => {
        const { said, logged } = await join(cluster, one, other, wan);
        assert.match(
          said,
          /Member 's1[^']*' is of another cluster than 's2[^']*', though both call their datacenter 'dc1'/,
        );
        assert.match(said, /give the datacenter of one of them another name/);
        assert.match(logged, /is of another cluster than/);
        for (const pool of [false, true]) assert.equal(members(other, pool).length, 1);
      },
    );
});

test("refused: a third datacenter that brings a cluster of a name that is taken", async () => {
  await withStrangers(
    (name) => (name === "c" ? { datacenter: "a" } : {}),
    async (cluster, one, other) => {
      await cluster.start("c", 1);
      await cluster.advance(2000);
      const [third] = cluster.serversOf("c") as [Node];
      assert.equal((await cluster.run(other.fetch("PUT", `/v1/agent/join/${third.wanAddress}?wan=1`))).status, 200);
      const { said } = await join(cluster, other, one, true);
      assert.match(said, /'s3\.a' is of another cluster than 's1\.a', though both call their datacenter 'a'/);
      assert.deepEqual(members(one, true), ["s1.a"]);
    },
  );
});

test("not refused: a server that is new in the place of one of the same name; a restart; a member that joins its own cluster", async () => {
  const cluster = await Cluster.federate(["dc1", "dc2"], 3, { seed: 42 });
  try {
    for (const node of [...cluster.serversOf("dc2"), cluster.serversOf("dc1")[1] as Node]) {
      await node.crash();
      await node.restart();
      await cluster.untilFederated();
    }
    const ids = (name: string): string[] =>
      cluster
        .serversOf(name)
        .map(
          (node) =>
            node.running?.agent.members(true).find(({ Name }) => Name === `${node.name}.${name}`)?.Tags["cluster"] ??
            "",
        );
    for (const name of cluster.datacenters) assert.equal(new Set(ids(name)).size, 1, `${name}: ${ids(name).join()}`);
    assert.notEqual(ids("dc1")[0], ids("dc2")[0]);
    assert.notEqual(ids("dc1")[0], "");
  } finally {
    await cluster.stop();
  }
  // A datacenter of one server that loses everything is another cluster afterwards, and takes its own place.
  const single = await Cluster.federate(["dc1", "dc2"], 1, { seed: 43 });
  try {
    const [, second] = single.servers as [Node, Node];
    await second.crash();
    second.wipe();
    second.renew();
    await second.start({ servers: [{ id: second.id, address: second.address, voter: true }] });
    const isKnown = (): boolean =>
      single.servers[0]?.running?.agent
        .members(true)
        .some(({ Tags, Status }) => Tags["id"] === second.id && Status === 1) === true;
    await single.until(isKnown, "the new one is known", 120_000);
    const read = await single.run((single.servers[0] as Node).fetch("PUT", "/v1/kv/a?dc=dc2", "x"));
    assert.equal(read.text, "true");
  } finally {
    await single.stop();
  }
});

test("refused: calls of another version of the protocol, with both versions named", async () => {
  const cluster = await Cluster.start(1, { seed: 44 });
  try {
    const [server] = cluster.servers as [Node];
    const { running } = server;
    assert.ok(running !== null);
    for (const [path, bytes, says] of [
      [
        "/gossip/1/lan",
        [9, 0, 0, 1, 2, 3],
        /speaks version 1 of gossip, not 9: run the same version of the program on both/,
      ],
      [
        "/rpc/1/forward",
        [0x50, 9, 0, 0, 0, 0, 0],
        /speaks version 9 of the protocol, this agent 1: run the same version/,
      ],
      ["/rpc/1/forward", [0x47, 0x45, 0x54, 0x20], /another program is at that address/],
    ] as const) {
      const answer = await cluster.run(running.peer(path, Uint8Array.from(bytes), "10.0.0.9"));
      assert.match(text(answer), says);
      await cluster.advance(6000);
      const refusals = server.logs.filter(({ message }) => message === "refused a call between agents");
      assert.match(String(refusals.at(-1)?.fields?.["reason"]), says);
    }
  } finally {
    await cluster.stop();
  }
});
