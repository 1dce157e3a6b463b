// Keys between datacenters on virtual time: copies and both directions, lost links, leaders that change, forgotten tombstones,
// many keys, rings.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KVRuleInput } from "../../src/types/records.ts";
import { text as decoded } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";
import type { TestBody, TestReply } from "../support/agent.ts";
import { Cluster, type Node } from "./cluster.ts";

type Rules = Partial<Record<string, KVRuleInput[]>>;

const oneWay = (From: string, Prefix: string, ToPrefix = Prefix): KVRuleInput => ({
  From,
  Prefix,
  ToPrefix,
  Mode: "one-way",
});
const twoWay = (From: string, Prefix: string): KVRuleInput => ({ From, Prefix, ToPrefix: Prefix, Mode: "two-way" });

async function withRules(
  seed: number,
  rules: Rules,
  size: number,
  body: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const datacenters = Object.keys(rules).sort();
  const cluster = await Cluster.federate(datacenters, size, {
    seed,
    configOf: ({ datacenter }) => ({ kvReplication: rules[datacenter] ?? [] }),
  });
  try {
    await body(cluster);
  } finally {
    await cluster.stop();
  }
}

const ask = (cluster: Cluster, node: Node, method: string, path: string, body?: TestBody): Promise<TestReply> =>
  cluster.run(node.fetch(method, path, body));

function leader(cluster: Cluster, datacenter: string): Node {
  const node = cluster.leaderOf(datacenter);
  assert.ok(node !== null, `${datacenter} has a leader`);
  return node;
}

async function put(cluster: Cluster, datacenter: string, key: string, value: string, flags = 0): Promise<void> {
  const reply = await ask(cluster, leader(cluster, datacenter), "PUT", `/v1/kv/${key}?flags=${flags}`, value);
  assert.equal(reply.text, "true", `${key} in ${datacenter}`);
}
const remove = (cluster: Cluster, datacenter: string, path: string): Promise<TestReply> =>
  ask(cluster, leader(cluster, datacenter), "DELETE", `/v1/kv/${path}`);

/** What is under a prefix: `key=value flags`, in order. */
function keys(cluster: Cluster, datacenter: string, prefix: string): string {
  const node = cluster.leaderOf(datacenter);
  if (node === null) return "no leader";
  return node.server.state
    .kvList(prefix)
    .value.map(({ Key, Value, Flags }) => `${Key}=${decoded(Value)}${Flags === 0 ? "" : ` ${Flags}`}`)
    .join(", ");
}

const untilKeys = (
  cluster: Cluster,
  datacenter: string,
  prefix: string,
  expected: string,
  maxMs = 60_000,
): Promise<void> =>
  cluster.until(
    () => keys(cluster, datacenter, prefix) === expected,
    `${datacenter} has ${expected.slice(0, 200)} under ${prefix}`,
    maxMs,
  );

const later = (cluster: Cluster, ms: number): Promise<void> =>
  new Promise((resolve) => cluster.at(cluster.nowMs + ms, resolve));

interface Link {
  Mode: string;
  State: string;
  LagMs: number | null;
  Written: number;
  Deleted: number;
  Conflicts: number;
  LastErrorMessage: string;
}

async function link(cluster: Cluster, datacenter: string): Promise<Link> {
  const reply = await ask(cluster, leader(cluster, datacenter), "GET", "/v1/operator/replication");
  const { Links } = reply.json() as { Links: (Link & { ReplicationType: string })[] };
  const found = Links.find(({ ReplicationType }) => ReplicationType === "kv");
  assert.ok(found !== undefined, reply.text);
  return found;
}

test("a copy: has what is there before and after, with flags, and what is deleted goes", async () => {
  await withRules(1, { dc1: [], dc2: [oneWay("dc1", "shared/", "from-dc1/")] }, 3, async (cluster) => {
    await put(cluster, "dc1", "shared/a", "1", 7);
    await put(cluster, "dc1", "other", "x");
    await untilKeys(cluster, "dc2", "", "from-dc1/a=1 7");
    await put(cluster, "dc1", "shared/b", "2");
    await put(cluster, "dc1", "shared/a", "3", 2);
    await untilKeys(cluster, "dc2", "", "from-dc1/a=3 2, from-dc1/b=2");
    await remove(cluster, "dc1", "shared/?recurse");
    await untilKeys(cluster, "dc2", "", "");
    const { Mode, State, LagMs, Written, Deleted, Conflicts } = await link(cluster, "dc2");
    assert.deepEqual(
      { Mode, State, LagMs, Written, Deleted, Conflicts },
      { Mode: "one-way", State: "following", LagMs: 0, Written: 3, Deleted: 2, Conflicts: 0 },
    );
  });
});

test("a copy: nobody else writes it, and what is not a copy may be written", async () => {
  await withRules(2, { dc1: [], dc2: [oneWay("dc1", "shared/")] }, 1, async (cluster) => {
    const node = leader(cluster, "dc2");
    const set = (Key: string): TestBody => [{ KV: { Verb: "set", Key, Value: "eA==" } }];
    await cluster.until(() => node.server.state.copyOf("shared/a") !== null, "the rule counts");
    for (const [method, path, body] of [
      ["PUT", "/v1/kv/shared/a", "x"],
      ["PUT", "/v1/kv/shared/a?cas=0", "x"],
      ["DELETE", "/v1/kv/shared/a", undefined],
      ["DELETE", "/v1/kv/sha?recurse", undefined],
    ] as const) {
      const reply = await ask(cluster, node, method, path, body);
      assert.equal(reply.status, 403, `${method} ${path}`);
      assert.match(reply.text, /"shared\/" is a copy of "shared\/" in datacenter dc1: write it there/);
    }
    const txn = await ask(cluster, node, "PUT", "/v1/txn", set("shared/a"));
    assert.equal(txn.status, 409);
    assert.match(txn.text, /is a copy/);
    assert.equal((await ask(cluster, node, "PUT", "/v1/txn", set("mine"))).status, 200);
    assert.equal((await ask(cluster, node, "PUT", "/v1/kv/sha", "x")).text, "true");
  });
});

test("a copy: goes on where it was when leaders change on both sides while the link is cut", async () => {
  await withRules(3, { dc1: [], dc2: [oneWay("dc1", "s/")] }, 3, async (cluster) => {
    await put(cluster, "dc1", "s/a", "1");
    await put(cluster, "dc1", "s/b", "1");
    await untilKeys(cluster, "dc2", "s/", "s/a=1, s/b=1");
    cluster.cutLink("dc1", "dc2");
    await put(cluster, "dc1", "s/a", "2");
    await remove(cluster, "dc1", "s/b");
    await put(cluster, "dc1", "s/c", "3");
    for (const datacenter of cluster.datacenters) await leader(cluster, datacenter).crash();
    await cluster.until(() => cluster.datacenters.every((name) => cluster.leaderOf(name) !== null), "leaders", 60_000);
    await cluster.advance(60_000);
    assert.equal((await link(cluster, "dc2")).State, "failing");
    assert.equal(keys(cluster, "dc2", "s/"), "s/a=1, s/b=1");
    cluster.heal();
    await untilKeys(cluster, "dc2", "s/", "s/a=2, s/c=3");
    const { Written, Deleted } = await link(cluster, "dc2");
    assert.deepEqual({ Written, Deleted }, { Written: 4, Deleted: 1 }, "nothing was written twice");
  });
});

test("a copy: deletions whose tombstones are forgotten are found by comparing all keys", async () => {
  await withRules(4, { dc1: [], dc2: [oneWay("dc1", "s/")] }, 1, async (cluster) => {
    await put(cluster, "dc1", "s/a", "1");
    await put(cluster, "dc1", "s/b", "1");
    await put(cluster, "dc1", "s/c", "1");
    await untilKeys(cluster, "dc2", "s/", "s/a=1, s/b=1, s/c=1");
    cluster.cutLink("dc1", "dc2");
    await remove(cluster, "dc1", "s/a");
    await remove(cluster, "dc1", "s/c");
    const source = leader(cluster, "dc1");
    await cluster.run(
      Promise.resolve(source.server.write({ type: "tombstone.reap", index: source.server.state.lastIndex })),
    );
    cluster.heal();
    await untilKeys(cluster, "dc2", "s/", "s/b=1", 120_000);
  });
});

test("a copy: what somebody wrote to it all the same, and a source put back from a backup, are found", async () => {
  await withRules(5, { dc1: [], dc2: [oneWay("dc1", "s/")] }, 1, async (cluster) => {
    await put(cluster, "dc1", "s/a", "1");
    await untilKeys(cluster, "dc2", "s/", "s/a=1");
    const target = leader(cluster, "dc2").server;
    await cluster.run(
      Promise.resolve(target.write({ type: "kv.set", key: "s/stray", value: new Uint8Array(1), flags: 0 })),
    );
    await untilKeys(cluster, "dc2", "s/", "s/a=1");
    const source = leader(cluster, "dc1").server;
    const saved: Uint8Array[] = [];
    await cluster.beside(
      (async () => {
        for await (const chunk of source.backup().chunks) saved.push(chunk);
      })(),
    );
    await put(cluster, "dc1", "s/a", "2");
    await put(cluster, "dc1", "s/b", "2");
    await untilKeys(cluster, "dc2", "s/", "s/a=2, s/b=2");
    await cluster.beside(source.restore(Buffer.concat(saved)));
    await untilKeys(cluster, "dc2", "s/", "s/a=1", 120_000);
  });
});

test("a copy: 20,000 keys arrive in bounded parts, also while others change and the leader goes", async () => {
  await withRules(6, { dc1: [], dc2: [oneWay("dc1", "s/")] }, 3, async (cluster) => {
    cluster.cutLink("dc1", "dc2");
    const source = leader(cluster, "dc1").server;
    const operations = Array.from({ length: 20_000 }, (_, i) => ({
      kind: "kv" as const,
      verb: "set" as const,
      key: `s/${String(i).padStart(5, "0")}`,
      value: new Uint8Array(8).fill(i % 251),
      flags: i,
      index: 0,
      session: "",
    }));
    await cluster.run(Promise.resolve(source.write({ type: "txn", operations })));
    cluster.heal();
    const count = (): number => cluster.leaderOf("dc2")?.server.state.kvKeys("s/", "").value.length ?? 0;
    await cluster.until(() => count() > 3000, "some are there", 120_000);
    await remove(cluster, "dc1", "s/00000");
    await remove(cluster, "dc1", "s/19999");
    await put(cluster, "dc1", "s/00001", "new");
    await leader(cluster, "dc2").crash();
    await cluster.until(() => count() === 19_998, "all are there", 120_000);
    await cluster.until(() => keys(cluster, "dc2", "s/") === keys(cluster, "dc1", "s/"), "they are the same");
    const { Written } = await link(cluster, "dc2");
    assert.ok(Written < 20_100, `hardly anything was written twice: ${Written}`);
  });
});

test("both directions: writes and deletions go both ways, and end", async () => {
  await withRules(7, { dc1: [twoWay("dc2", "s/")], dc2: [twoWay("dc1", "s/")] }, 1, async (cluster) => {
    await put(cluster, "dc1", "s/a", "1", 3);
    await put(cluster, "dc2", "s/b", "2");
    for (const datacenter of cluster.datacenters) await untilKeys(cluster, datacenter, "s/", "s/a=1 3, s/b=2");
    await put(cluster, "dc2", "s/a", "3");
    await remove(cluster, "dc1", "s/b");
    for (const datacenter of cluster.datacenters) await untilKeys(cluster, datacenter, "s/", "s/a=3");
    await cluster.advance(5000);
    const before = cluster.datacenters.map((name) => leader(cluster, name).server.state.kvTouched("s/"));
    await cluster.advance(120_000);
    assert.deepEqual(
      cluster.datacenters.map((name) => leader(cluster, name).server.state.kvTouched("s/")),
      before,
      "nothing goes round",
    );
    for (const datacenter of cluster.datacenters) assert.equal((await link(cluster, datacenter)).Conflicts, 0);
  });
});

test("both directions: of two writes that knew nothing of each other the later one stays, everywhere, and it is counted", async () => {
  await withRules(8, { dc1: [twoWay("dc2", "s/")], dc2: [twoWay("dc1", "s/")] }, 3, async (cluster) => {
    await put(cluster, "dc1", "s/a", "old");
    await put(cluster, "dc1", "s/deleted", "old");
    await untilKeys(cluster, "dc2", "s/", "s/a=old, s/deleted=old");
    cluster.cutLink("dc1", "dc2");
    await put(cluster, "dc2", "s/a", "first");
    await remove(cluster, "dc2", "s/deleted");
    await cluster.advance(1000);
    await put(cluster, "dc1", "s/a", "second");
    await put(cluster, "dc1", "s/same", "x");
    await put(cluster, "dc2", "s/same", "x");
    for (const datacenter of cluster.datacenters) await leader(cluster, datacenter).crash();
    await cluster.until(() => cluster.datacenters.every((name) => cluster.leaderOf(name) !== null), "leaders", 60_000);
    cluster.heal();
    for (const datacenter of cluster.datacenters)
      await untilKeys(cluster, datacenter, "s/", "s/a=second, s/same=x", 120_000);
    await cluster.advance(15_000);
    // Whoever meets both versions first counts it, and sends the one that stays: maybe both do at once.
    const counts: number[] = [];
    for (const datacenter of cluster.datacenters) counts.push((await link(cluster, datacenter)).Conflicts);
    assert.ok(Math.max(...counts) === 1, `one conflict, counted ${counts.join(" and ")} times`);
    const logs = cluster.nodes
      .flatMap((node) => node.logs)
      .filter(({ message }) => message.includes("two datacenters at once"));
    assert.match(JSON.stringify(logs), /s\/a/);
  });
});

test("both directions: a rule on one side alone is an error that says what is missing", async () => {
  await withRules(9, { dc1: [], dc2: [twoWay("dc1", "s/")] }, 1, async (cluster) => {
    await put(cluster, "dc1", "s/a", "1");
    await cluster.advance(5000);
    const { State, LastErrorMessage } = await link(cluster, "dc2");
    assert.equal(State, "failing");
    assert.match(LastErrorMessage, /dc1 has no two-way rule for "s\/"/);
  });
});

test("a ring of three in one direction each: all have the same, and it ends", async () => {
  const rules = { dc1: [twoWay("dc3", "s/")], dc2: [twoWay("dc1", "s/")], dc3: [twoWay("dc2", "s/")] };
  await withRules(10, rules, 1, async (cluster) => {
    await put(cluster, "dc1", "s/a", "1");
    await put(cluster, "dc2", "s/b", "2");
    await put(cluster, "dc3", "s/c", "3");
    for (const datacenter of cluster.datacenters) await untilKeys(cluster, datacenter, "s/", "s/a=1, s/b=2, s/c=3");
    await remove(cluster, "dc2", "s/a");
    await put(cluster, "dc3", "s/b", "4");
    for (const datacenter of cluster.datacenters) await untilKeys(cluster, datacenter, "s/", "s/b=4, s/c=3");
    await cluster.advance(30_000);
    const before = cluster.datacenters.map((name) => leader(cluster, name).server.state.kvTouched("s/"));
    await cluster.advance(60_000);
    assert.deepEqual(
      cluster.datacenters.map((name) => leader(cluster, name).server.state.kvTouched("s/")),
      before,
    );
  });
});

test("copies in a ring: each says that it would copy from itself, and nothing goes round", async () => {
  const rules = { dc1: [oneWay("dc2", "s/", "s/x/")], dc2: [oneWay("dc1", "s/")] };
  await withRules(11, rules, 1, async (cluster) => {
    await put(cluster, "dc1", "s/a", "1");
    await cluster.advance(60_000);
    assert.equal(keys(cluster, "dc1", ""), "s/a=1");
    for (const datacenter of cluster.datacenters) {
      const { State, LastErrorMessage } = await link(cluster, datacenter);
      assert.equal(State, "failing");
      assert.match(LastErrorMessage, /would copy from itself/);
    }
  });
});

test("locks: are not carried, and a key that is locked here stays locked while its value follows", async () => {
  await withRules(12, { dc1: [twoWay("dc2", "s/")], dc2: [twoWay("dc1", "s/")] }, 1, async (cluster) => {
    const node = leader(cluster, "dc2");
    const made = await ask(cluster, node, "PUT", "/v1/session/create", { Node: node.name });
    const { ID } = made.json() as { ID: string };
    assert.equal((await ask(cluster, node, "PUT", `/v1/kv/s/lock?acquire=${ID}`, "held")).text, "true");
    await untilKeys(cluster, "dc1", "s/", "s/lock=held");
    assert.equal(leader(cluster, "dc1").server.state.kvGet("s/lock").value?.Session, undefined);
    await put(cluster, "dc1", "s/lock", "changed");
    await untilKeys(cluster, "dc2", "s/", "s/lock=changed");
    assert.equal(node.server.state.kvGet("s/lock").value?.Session, ID);
  });
});

for (const seed of [101, 103])
  test(`both directions: after writes everywhere, lost calls, cut links and crashes, all hold the same, seed ${seed}`, async () => {
    const rules = {
      dc1: [twoWay("dc2", "s/"), twoWay("dc3", "s/")],
      dc2: [twoWay("dc1", "s/"), twoWay("dc3", "s/")],
      dc3: [twoWay("dc1", "s/"), twoWay("dc2", "s/")],
    };
    await withRules(seed, rules, 1, async (cluster) => {
      const random = new Random(seed);
      const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
      const pairs = [
        ["dc1", "dc2"],
        ["dc1", "dc3"],
        ["dc2", "dc3"],
      ] as const;
      for (let step = 0; step < 40; step += 1) {
        const node = pick(cluster.servers);
        switch (random.below(8)) {
          case 0: {
            const [one, other] = pick(pairs);
            cluster.cutLink(one, other);
            break;
          }
          case 1:
            cluster.heal();
            cluster.loss = random.below(3) / 10;
            break;
          case 2:
            await node.crash();
            await node.restart();
            break;
          default: {
            const key = `s/${random.below(12)}`;
            const isGone = random.below(4) === 0;
            const request = node.fetch(isGone ? "DELETE" : "PUT", `/v1/kv/${key}`, isGone ? undefined : `${step}`);
            await cluster.run(Promise.race([request.catch(() => {}), later(cluster, 10_000)]));
          }
        }
        await cluster.advance(random.below(3000));
      }
      cluster.heal();
      const contents = (): string[] => cluster.datacenters.map((name) => keys(cluster, name, "s/"));
      await cluster.until(
        () => new Set(contents()).size === 1 && contents()[0] !== "no leader",
        "all hold the same",
        300_000,
      );
      // And they stay so.
      const [held] = contents();
      await cluster.advance(60_000);
      assert.deepEqual(contents(), [held, held, held]);
      assert.notEqual(held, "");
    });
  });
