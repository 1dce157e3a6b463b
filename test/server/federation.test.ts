// The primary datacenter and its secondaries on virtual time: writes that go there, entries that come from there, links that are
// lost, leaders that change, and a primary that moves.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import type { TestBody, TestReply } from "../support/agent.ts";
import { Cluster, type Node } from "./cluster.ts";

interface Options {
  seed: number;
  size?: number;
  datacenters?: readonly string[];
  configOf?: (datacenter: string) => Partial<AgentConfig>;
}

/** Datacenters whose primary is dc1. */
async function withPrimary(
  { seed, size = 1, datacenters = ["dc1", "dc2", "dc3"], configOf }: Options,
  body: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.federate(datacenters, size, {
    seed,
    configOf: (datacenter) => ({ primaryDatacenter: "dc1", ...configOf?.(datacenter) }),
  });
  try {
    await body(cluster);
  } finally {
    await cluster.stop();
  }
}

const ask = (cluster: Cluster, node: Node, method: string, path: string, body?: TestBody): Promise<TestReply> =>
  cluster.run(node.fetch(method, path, body));

const leader = (cluster: Cluster, datacenter: string): Node => {
  const node = cluster.leaderOf(datacenter);
  assert.ok(node !== null, `${datacenter} has a leader`);
  return node;
};

const defaults = (Name: string, Protocol = "http"): TestBody => ({ Kind: "service-defaults", Name, Protocol });

/** The entries of a datacenter's leader, as `name protocol`. */
function entries(cluster: Cluster, datacenter: string): string {
  const node = cluster.leaderOf(datacenter);
  if (node === null) return "no leader";
  return node.server.state
    .configEntries(null)
    .value.map(({ Name, ...entry }) => `${Name} ${String(entry["Protocol"])}`)
    .join(", ");
}

const untilEntries = (cluster: Cluster, datacenter: string, expected: string): Promise<void> =>
  cluster.until(() => entries(cluster, datacenter) === expected, `${datacenter} has ${expected}`, 60_000);

interface Status {
  PrimaryDatacenter: string;
  PrimaryEpoch: number;
  ConfiguredPrimary: string;
  Links: {
    ReplicationType: string;
    SourceDatacenter: string;
    Running: boolean;
    State: string;
    LagMs: number | null;
    LastErrorMessage: string;
    Failures: number;
  }[];
}

async function status(cluster: Cluster, datacenter: string): Promise<Status> {
  const reply = await ask(cluster, leader(cluster, datacenter), "GET", "/v1/operator/replication");
  assert.equal(reply.status, 200, reply.text);
  return reply.json() as Status;
}

test("a secondary: its writes of configuration entries happen in the primary, and come back to all", async () => {
  await withPrimary({ seed: 1, size: 3 }, async (cluster) => {
    const follower = cluster.serversOf("dc2").find((node) => node !== cluster.leaderOf("dc2")) as Node;
    const client = await cluster.join("client", "dc3");
    for (const [node, name] of [
      [follower, "a"],
      [client, "b"],
    ] as const) {
      const put = await ask(cluster, node, "PUT", "/v1/config", defaults(name));
      assert.equal(put.text, "true", put.text);
      assert.match(entries(cluster, "dc1"), new RegExp(`${name} http`), "it is in the primary when it is acknowledged");
    }
    for (const datacenter of cluster.datacenters) await untilEntries(cluster, datacenter, "a http, b http");
    const gone = await ask(cluster, follower, "DELETE", "/v1/config/service-defaults/a");
    assert.equal(gone.status, 200, gone.text);
    // In another secondary by name: there it goes on to the primary as well.
    assert.equal((await ask(cluster, follower, "PUT", "/v1/config?dc=dc3", defaults("c", "grpc"))).text, "true");
    for (const datacenter of cluster.datacenters) await untilEntries(cluster, datacenter, "b http, c grpc");
    const { PrimaryDatacenter, Links } = await status(cluster, "dc2");
    assert.equal(PrimaryDatacenter, "dc1");
    assert.deepEqual(
      Links.map((link) => `${link.ReplicationType} ${link.SourceDatacenter} ${link.State}`),
      ["primary dc1 following", "primary dc3 following", "config-entries dc1 following"],
    );
    assert.deepEqual(
      (await status(cluster, "dc1")).Links.map(({ ReplicationType }) => ReplicationType),
      ["primary", "primary"],
    );
  });
});

test("a secondary: a compare-and-set is the primary's, by the primary's index", async () => {
  await withPrimary({ seed: 2, datacenters: ["dc1", "dc2"] }, async (cluster) => {
    const [node] = cluster.serversOf("dc2") as [Node];
    assert.equal((await ask(cluster, node, "PUT", "/v1/config?cas=0", defaults("a"))).text, "true");
    assert.equal((await ask(cluster, node, "PUT", "/v1/config?cas=0", defaults("a", "grpc"))).text, "false");
  });
});

test("a secondary whose primary is away: reads go on, writes say so, and all is caught up with when it is back", async () => {
  await withPrimary({ seed: 3, size: 3, datacenters: ["dc1", "dc2"] }, async (cluster) => {
    await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("a"));
    await untilEntries(cluster, "dc2", "a http");
    cluster.cutLink("dc1", "dc2");
    const here = cluster.serversOf("dc2")[0] as Node;
    const put = await ask(cluster, here, "PUT", "/v1/config", defaults("lost"));
    assert.equal(put.status, 500);
    const again = await ask(cluster, here, "PUT", "/v1/config", defaults("lost"));
    assert.match(
      again.text,
      /primary datacenter, 'dc1', and there is no way to it; what is stored here can still be read/,
    );
    assert.equal((await ask(cluster, here, "GET", "/v1/config/service-defaults/a")).status, 200);
    await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("b"));
    await ask(cluster, leader(cluster, "dc1"), "DELETE", "/v1/config/service-defaults/a");
    // Longer than any backoff, and with another leader on both sides.
    await cluster.advance(120_000);
    const { Links } = await status(cluster, "dc2");
    const link = Links.find(({ ReplicationType }) => ReplicationType === "config-entries");
    assert.equal(link?.Running, false);
    assert.equal(link.State, "failing");
    assert.ok(link.Failures > 3, `it goes on trying: ${link.Failures}`);
    assert.ok((link.LagMs ?? 0) > 60_000, `the lag grows: ${link.LagMs}`);
    assert.notEqual(link.LastErrorMessage, "");
    for (const datacenter of cluster.datacenters) await leader(cluster, datacenter).crash();
    await cluster.until(() => cluster.datacenters.every((name) => cluster.leaderOf(name) !== null), "leaders", 60_000);
    cluster.heal();
    await untilEntries(cluster, "dc2", "b http");
    const healed = await status(cluster, "dc2");
    assert.deepEqual(
      healed.Links.filter(({ State }) => State !== "following"),
      [],
    );
  });
});

test("a secondary: what only it has gives way to the primary, and is in the log; what changed there alone comes back", async () => {
  await withPrimary({ seed: 4, datacenters: ["dc1", "dc2"] }, async (cluster) => {
    const secondary = leader(cluster, "dc2");
    await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("a"));
    await untilEntries(cluster, "dc2", "a http");
    const own = { Kind: "service-defaults", Name: "own", Protocol: "tcp" };
    await cluster.run(Promise.resolve(secondary.server.write({ type: "config.set", entry: own, cas: null })));
    await cluster.until(() => entries(cluster, "dc2") === "a http", "it is gone", 60_000);
    const told = secondary.logs.find(({ message }) => message.includes("gave way"));
    assert.match(JSON.stringify(told), /"own".*tcp/);
  });
});

test("config_entries.bootstrap: only the primary writes them", async () => {
  const configEntries = (datacenter: string): AgentConfig["configEntries"] => [
    { kind: "service-defaults", name: `of-${datacenter}`, protocol: "http" },
  ];
  const options = { seed: 5, datacenters: ["dc1", "dc2"] };
  await withPrimary({ ...options, configOf: (name) => ({ configEntries: configEntries(name) }) }, async (cluster) => {
    await untilEntries(cluster, "dc2", "of-dc1 http");
    await cluster.advance(5000);
    assert.equal(entries(cluster, "dc1"), "of-dc1 http");
    assert.ok(leader(cluster, "dc2").logs.some(({ message }) => message.includes("left to the primary")));
  });
});
