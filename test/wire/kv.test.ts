// W13: conditional writes, and every verb of a transaction.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent, type TestReply } from "../support/agent.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

const put = async (path: string, value = "x"): Promise<string> =>
  (await agent.fetch("PUT", `/v1/kv/${path}`, value)).text.trim();
const remove = async (path: string): Promise<string> => (await agent.fetch("DELETE", `/v1/kv/${path}`)).text.trim();
const modified = async (key: string): Promise<number> =>
  (await agent.fetch("GET", `/v1/kv/${key}`)).json()[0].ModifyIndex;
const has = async (key: string): Promise<boolean> => (await agent.fetch("GET", `/v1/kv/${key}`)).status === 200;
const txn = (...operations: object[]): Promise<TestReply> => agent.fetch("PUT", "/v1/txn", operations);
const kv = (Verb: string, Key: string, more: object = {}): object => ({ KV: { Verb, Key, ...more } });
const value = (text: string): { Value: string } => ({ Value: Buffer.from(text).toString("base64") });

test("W13: cas=0 creates and never replaces; another cas only what it names", async () => {
  assert.equal(await put("w13/cas?cas=0"), "true");
  assert.equal(await put("w13/cas?cas=0"), "false");
  const index = await modified("w13/cas");
  assert.equal(await put(`w13/cas?cas=${index + 1}`, "y"), "false");
  assert.equal(await put(`w13/cas?cas=${index}`, "y"), "true");
  assert.equal(await put(`w13/cas?cas=${index}`, "z"), "false");
});

test("W13: a delete with cas deletes only what it names", async () => {
  await put("w13/delete");
  const index = await modified("w13/delete");
  assert.equal(await remove("w13/delete?cas=0"), "false");
  assert.equal(await remove(`w13/delete?cas=${index + 1}`), "false");
  assert.equal(await has("w13/delete"), true);
  assert.equal(await remove(`w13/delete?cas=${index}`), "true");
  assert.equal(await has("w13/delete"), false);
});

test("W13: delete-tree, by path and as a verb, takes everything below a prefix and nothing else", async () => {
  for (const way of ["path", "verb"]) {
    for (const key of ["w13/tree/a", "w13/tree/b/c", "w13/treehouse", "w13/other"]) await put(key);
    if (way === "path") assert.equal(await remove("w13/tree/?recurse"), "true");
    else assert.equal((await txn(kv("delete-tree", "w13/tree/"))).status, 200);
    assert.deepEqual(
      [await has("w13/tree/a"), await has("w13/tree/b/c"), await has("w13/treehouse"), await has("w13/other")],
      [false, false, true, true],
    );
  }
});

test("W13: every KV verb of a transaction does what it says", async () => {
  const { ID: Session } = (await agent.fetch("PUT", "/v1/session/create", {})).json();
  const set = await txn(
    kv("set", "w13/v/a", value("1")),
    kv("cas", "w13/v/b", { ...value("2"), Index: 0 }),
    kv("check-not-exists", "w13/v/c"),
  );
  assert.equal(set.status, 200, set.text);
  const index = await modified("w13/v/a");
  const locked = await txn(
    kv("lock", "w13/v/l", { ...value("l"), Session }),
    kv("check-session", "w13/v/l", { Session }),
    kv("check-index", "w13/v/a", { Index: index }),
  );
  assert.equal(locked.status, 200, locked.text);
  const read = await txn(
    kv("get", "w13/v/a"),
    kv("get-or-empty", "w13/v/none"),
    kv("get-tree", "w13/v/"),
    kv("check-session", "w13/v/l", { Session }),
  );
  const results = read.json().Results as { KV: { Key: string; Value: string | null } }[];
  assert.deepEqual(
    results.map(({ KV }) => KV.Key),
    ["w13/v/a", "w13/v/none", "w13/v/a", "w13/v/b", "w13/v/l", "w13/v/l"],
  );
  assert.deepEqual(
    results.slice(0, 2).map(({ KV }) => KV.Value),
    ["MQ==", null],
  );
  const unlocked = await txn(
    kv("unlock", "w13/v/l", { ...value("u"), Session }),
    kv("delete-cas", "w13/v/a", { Index: index }),
    kv("delete", "w13/v/b"),
  );
  assert.equal(unlocked.status, 200, unlocked.text);
  assert.deepEqual([await has("w13/v/a"), await has("w13/v/b"), await has("w13/v/l")], [false, false, true]);
  // And each fails, with all that is beside it, when it does not hold.
  for (const failing of [
    kv("get", "w13/v/none"),
    kv("cas", "w13/v/l", { ...value("x"), Index: 1 }),
    kv("unlock", "w13/v/l", { ...value("x"), Session }),
    kv("lock", "w13/v/l", { ...value("x"), Session: "00000000-0000-0000-0000-000000000000" }),
    kv("delete-cas", "w13/v/l", { Index: 1 }),
    kv("check-index", "w13/v/l", { Index: 1 }),
    kv("check-session", "w13/v/l", { Session }),
    kv("check-not-exists", "w13/v/l"),
    kv("no-such-verb", "w13/v/l"),
  ]) {
    const reply = await txn(kv("set", "w13/v/beside", value("x")), failing);
    assert.equal(reply.status, 409, JSON.stringify(failing));
    assert.equal(reply.json().Errors.at(-1).OpIndex, 1, JSON.stringify(failing));
    assert.equal(await has("w13/v/beside"), false, JSON.stringify(failing));
  }
});

test("W13: a fenced write of Vault's kind: nothing is written once the lock has another holder", async () => {
  const [mine, other] = [
    (await agent.fetch("PUT", "/v1/session/create", { LockDelay: "1ms" })).json().ID,
    (await agent.fetch("PUT", "/v1/session/create", {})).json().ID,
  ];
  assert.equal(await put(`w13/core/lock?acquire=${mine}`), "true");
  const fenced = (): Promise<TestReply> =>
    txn(kv("check-session", "w13/core/lock", { Session: mine }), kv("set", "w13/core/data", value("x")));
  assert.equal((await fenced()).status, 200);
  await agent.fetch("PUT", `/v1/session/destroy/${mine}`);
  await agent.advance(1);
  assert.equal(await put(`w13/core/lock?acquire=${other}`), "true");
  assert.equal((await fenced()).status, 409);
});

test("W13: transactions write nodes, services and checks beside keys", async () => {
  const reply = await txn(
    { Node: { Verb: "set", Node: { Node: "w13", Address: "10.0.0.13" } } },
    { Service: { Verb: "set", Node: "w13", Service: { Service: "w13", ID: "w13-1", Port: 13 } } },
    {
      Check: {
        Verb: "set",
        Check: { Node: "w13", CheckID: "w13-c", Name: "c", ServiceID: "w13-1", Status: "passing" },
      },
    },
    kv("set", "w13/catalog", value("x")),
  );
  assert.equal(reply.status, 200, reply.text);
  assert.equal((await agent.fetch("GET", "/v1/health/service/w13?passing")).json()[0].Service.ID, "w13-1");
  const { ModifyIndex } = (await agent.fetch("GET", "/v1/catalog/node/w13")).json().Node;
  const cas = (Index: number): Promise<TestReply> =>
    txn({ Node: { Verb: "cas", Node: { Node: "w13", Address: "10.0.0.14", ModifyIndex: Index } } });
  assert.equal((await cas(ModifyIndex + 100)).status, 409);
  assert.equal((await cas(ModifyIndex)).status, 200);
  for (const [kind, what] of [
    ["Check", { Check: { Node: "w13", CheckID: "w13-c" } }],
    ["Service", { Node: "w13", Service: { ID: "w13-1", Service: "w13" } }],
    ["Node", { Node: { Node: "w13" } }],
  ] as const) {
    assert.equal((await txn({ [kind]: { Verb: "get", ...what } })).status, 200, kind);
    assert.equal((await txn({ [kind]: { Verb: "delete", ...what } })).status, 200, kind);
  }
  assert.equal((await agent.fetch("GET", "/v1/catalog/node/w13")).text.trim(), "null");
});
