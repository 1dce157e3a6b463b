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
    configOf: ({ datacenter }) => ({ primaryDatacenter: "dc1", ...configOf?.(datacenter) }),
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
    await cluster.advance(60_000);
    const { Links } = await status(cluster, "dc2");
    const link = Links.find(({ ReplicationType }) => ReplicationType === "config-entries");
    assert.equal(link?.Running, false);
    assert.equal(link.State, "failing");
    assert.ok(link.Failures > 3, `it goes on trying: ${link.Failures}`);
    assert.ok((link.LagMs ?? 0) > 50_000, `the lag grows: ${link.LagMs}`);
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

interface Plan {
  From: string;
  To: string;
  PrimaryEpoch: number;
  Behind: number | null;
  Refusals: string[];
  Impossible: string;
  TakenOver?: boolean;
}

async function plan(cluster: Cluster, node: Node, to: string): Promise<Plan> {
  const reply = await ask(cluster, node, "GET", `/v1/operator/primary?to=${to}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json() as Plan;
}

const move = (cluster: Cluster, node: Node, to: string, force = ""): Promise<TestReply> =>
  ask(cluster, node, "PUT", `/v1/operator/primary?to=${to}${force}`);

/** Whom each datacenter's leader takes for the primary. */
const primaries = (cluster: Cluster): string =>
  cluster.datacenters
    .map((name) => {
      const { primary } = leader(cluster, name).server.federation;
      return `${name}: ${primary.Datacenter} ${primary.Epoch}`;
    })
    .join(", ");

const untilPrimaries = (cluster: Cluster, expected: string, maxMs = 60_000): Promise<void> =>
  cluster.until(
    () => cluster.datacenters.every((name) => cluster.leaderOf(name) !== null) && primaries(cluster) === expected,
    expected,
    maxMs,
  );

test("a move: a plan changes nothing; the move takes everything along, and every datacenter hears of it", async () => {
  await withPrimary({ seed: 20, size: 3 }, async (cluster) => {
    await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("a"));
    await untilEntries(cluster, "dc2", "a http");
    const client = await cluster.join("client", "dc3");
    const made = await plan(cluster, client, "dc2");
    assert.deepEqual([made.From, made.To, made.Behind, made.Refusals, made.Impossible], ["dc1", "dc2", 0, [], ""]);
    assert.equal(primaries(cluster), "dc1: dc1 0, dc2: dc1 0, dc3: dc1 0");
    const done = await move(cluster, client, "dc2");
    assert.equal(done.status, 200, done.text);
    assert.equal((done.json() as Plan).TakenOver, true);
    await untilPrimaries(cluster, "dc1: dc2 1, dc2: dc2 1, dc3: dc2 1");
    for (const [datacenter, name] of [
      ["dc1", "b"],
      ["dc2", "c"],
      ["dc3", "d"],
    ] as const)
      assert.equal((await ask(cluster, leader(cluster, datacenter), "PUT", "/v1/config", defaults(name))).text, "true");
    for (const datacenter of cluster.datacenters)
      await untilEntries(cluster, datacenter, "a http, b http, c http, d http");
    // And back again.
    assert.equal((await move(cluster, leader(cluster, "dc3"), "dc1")).status, 200);
    await untilPrimaries(cluster, "dc1: dc1 2, dc2: dc1 2, dc3: dc1 2");
  });
});

test("a move: files that still say something else do not undo it, and the servers say so", async () => {
  await withPrimary({ seed: 21, datacenters: ["dc1", "dc2"] }, async (cluster) => {
    assert.equal((await move(cluster, leader(cluster, "dc1"), "dc2")).status, 200);
    for (const node of cluster.servers) {
      await node.crash();
      await node.restart();
    }
    await untilPrimaries(cluster, "dc1: dc2 1, dc2: dc2 1");
    assert.equal((await status(cluster, "dc1")).ConfiguredPrimary, "dc1");
    await cluster.until(
      () => leader(cluster, "dc1").logs.some(({ message }) => message.includes("out of date")),
      "it says so",
    );
  });
});

test("a move: is refused to who cannot be reached, is behind, is the primary, or follows another", async () => {
  const own = (datacenter: string): Partial<AgentConfig> => (datacenter === "dc3" ? { primaryDatacenter: "dc3" } : {});
  await withPrimary({ seed: 22, configOf: own }, async (cluster) => {
    const node = leader(cluster, "dc1");
    const refusal = async (to: string, force = ""): Promise<string> => {
      const reply = await move(cluster, node, to, force);
      assert.equal(reply.status, 409, `${to}: ${reply.text}`);
      return reply.text;
    };
    assert.match(await refusal("dc9"), /no datacenter 'dc9' is known/);
    assert.match(await refusal("dc1"), /dc1 is the primary/);
    assert.match(await refusal("dc3", "&force"), /its own primary/);
    cluster.cutLink("dc1", "dc2");
    assert.match(await refusal("dc2", "&force"), /cannot be reached, so it cannot take over/);
    assert.equal(primaries(cluster), "dc1: dc1 0, dc2: dc1 0, dc3: dc3 0");
    cluster.heal();
    await cluster.advance(60_000);
    // It holds something that the primary has not.
    const entry = { Kind: "service-defaults", Name: "stray", Protocol: "tcp" };
    const stray = leader(cluster, "dc2").server.write({ type: "config.set", entry, cas: null });
    await cluster.run(Promise.resolve(stray));
    assert.match(await refusal("dc2"), /dc2 is behind by 1 configuration entries/);
    assert.equal((await move(cluster, node, "dc2", "&force")).status, 200);
    await untilPrimaries(cluster, "dc1: dc2 1, dc2: dc2 1, dc3: dc3 0");
    assert.equal(entries(cluster, "dc2"), "", "what only it had gave way before it took over");
  });
});

test("a move by force to who is behind: what the old primary has is taken along all the same, and nobody follows the new one too soon", async () => {
  await withPrimary({ seed: 25 }, async (cluster) => {
    await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("a"));
    for (const datacenter of cluster.datacenters) await untilEntries(cluster, datacenter, "a http");
    for (let round = 0; round < 4; round += 1) {
      const [from, to] = round % 2 === 0 ? ["dc1", "dc2"] : ["dc2", "dc1"];
      cluster.cutLink(from as string, to as string);
      await cluster.advance(30_000);
      assert.equal(
        (await ask(cluster, leader(cluster, from as string), "PUT", "/v1/config", defaults(`late${round}`))).text,
        "true",
      );
      cluster.heal();
      await cluster.until(
        () => leader(cluster, from as string).running?.agent.datacenters().length === 3,
        "all are known",
      );
      const moved = await move(cluster, leader(cluster, from as string), to as string, "&force");
      if (moved.status !== 200) assert.match(moved.text, /cannot be reached/);
      await cluster.until(
        () => leader(cluster, to as string).server.federation.isPrimary || moved.status !== 200,
        "it is moved",
      );
      if (moved.status !== 200) {
        await cluster.advance(60_000);
        assert.equal((await move(cluster, leader(cluster, from as string), to as string, "&force")).status, 200);
      }
      for (const datacenter of cluster.datacenters)
        await cluster.until(
          () => entries(cluster, datacenter).includes(`late${round}`),
          `${datacenter} has late${round}`,
          60_000,
        );
    }
    for (const datacenter of cluster.datacenters)
      await untilEntries(cluster, datacenter, "a http, late0 http, late1 http, late2 http, late3 http");
  });
});

test("a move whose link drops in the middle: nobody is the primary, both say so, and it ends when the link is back", async () => {
  await withPrimary({ seed: 23, size: 3, datacenters: ["dc1", "dc2"] }, async (cluster) => {
    await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("a"));
    await untilEntries(cluster, "dc2", "a http");
    // The plan is made and the old primary steps down; the new one does not hear of it.
    const old = leader(cluster, "dc1");
    const moving = old.fetch("PUT", "/v1/operator/primary?to=dc2");
    await cluster.until(() => old.server.federation.primary.Epoch === 1, "it steps down");
    cluster.cutLink("dc1", "dc2");
    const reply = await cluster.run(moving, 120_000);
    if (reply.status === 200) assert.equal((reply.json() as Plan).TakenOver, false);
    const isTaken = leader(cluster, "dc2").server.federation.primary.Epoch === 1;
    assert.equal(isTaken, false, "it was cut off in time");
    for (const datacenter of cluster.datacenters) {
      const put = await ask(cluster, leader(cluster, datacenter), "PUT", "/v1/config", defaults("b"));
      assert.notEqual(put.status, 200, `${datacenter} takes no write: ${put.text}`);
    }
    await leader(cluster, "dc1").crash();
    await cluster.until(() => cluster.leaderOf("dc1") !== null, "a leader", 60_000);
    cluster.heal();
    await untilPrimaries(cluster, "dc1: dc2 1, dc2: dc2 1");
    assert.equal(entries(cluster, "dc2"), "a http");
    assert.equal((await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("b"))).text, "true");
  });
});

test("a move by force: the old primary that comes back gives way, and says what it drops; it takes no write for others", async () => {
  await withPrimary({ seed: 24 }, async (cluster) => {
    await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("a"));
    for (const datacenter of cluster.datacenters) await untilEntries(cluster, datacenter, "a http");
    cluster.cutLink("dc1", "dc2");
    cluster.cutLink("dc1", "dc3");
    const node = leader(cluster, "dc2");
    const refused = await move(cluster, node, "dc2");
    assert.equal(refused.status, 409, refused.text);
    assert.match(refused.text, /dc1 cannot be reached: if it still runs, it takes writes until it hears of the move/);
    await cluster.advance(30_000);
    const forced = await move(cluster, node, "dc2", "&force");
    assert.equal(forced.status, 200, forced.text);
    await untilPrimaries(cluster, "dc1: dc1 0, dc2: dc2 1, dc3: dc2 1");
    assert.equal((await ask(cluster, leader(cluster, "dc3"), "PUT", "/v1/config", defaults("new"))).text, "true");
    // Nobody told it: it still takes writes of its own clients, and they are lost, but not in silence.
    assert.equal((await ask(cluster, leader(cluster, "dc1"), "PUT", "/v1/config", defaults("late"))).text, "true");
    cluster.heal();
    await untilPrimaries(cluster, "dc1: dc2 1, dc2: dc2 1, dc3: dc2 1", 120_000);
    for (const datacenter of cluster.datacenters) await untilEntries(cluster, datacenter, "a http, new http");
    const logs = cluster.serversOf("dc1").flatMap(({ logs: lines }) => lines);
    assert.ok(logs.some(({ message }) => message.includes("no longer the primary")));
    assert.match(JSON.stringify(logs.filter(({ message }) => message.includes("gave way"))), /late/);
  });
});
