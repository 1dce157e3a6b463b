// The npm package `consul` (https://github.com/silas/node-consul), every area of it that this build answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Consul from "consul";
import { type AgentProcess, eventually } from "../support/process.ts";

/** Its own types leave out much of what it takes and gives: it is used here as the JavaScript that it is. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
type Client = any;

/** What its promises give for an answer of `false` or `null`. */
const NO = undefined;

/** Declares the tests; `agent` is asked for when they run. */
export function npmConsulTests(agent: () => AgentProcess): void {
  let client: Client;
  before(() => {
    client = new Consul({ host: "127.0.0.1", port: agent().ports.http });
  });
  after(() => client?.destroy());

  test("npm consul: kv: set, get, keys, cas, flags and delete", async () => {
    assert.equal(await client.kv.set("npm/a", "one"), true);
    assert.equal(await client.kv.set({ key: "npm/b/c", value: Buffer.from([0, 255, 1]), flags: 42 }), true);
    const one = await client.kv.get("npm/a");
    assert.deepEqual([one.Key, one.Value, one.Flags, one.LockIndex], ["npm/a", "one", 0, 0]);
    const bytes = await client.kv.get({ key: "npm/b/c", buffer: true });
    assert.deepEqual([[...bytes.Value], bytes.Flags], [[0, 255, 1], 42]);
    assert.equal((await client.kv.get({ key: "npm/a", raw: true })).toString(), "one");
    assert.equal(await client.kv.get("npm/none"), undefined);
    assert.deepEqual(await client.kv.keys("npm/"), ["npm/a", "npm/b/c"]);
    assert.deepEqual(await client.kv.keys({ key: "npm/", separator: "/" }), ["npm/a", "npm/b/"]);
    assert.deepEqual(
      (await client.kv.get({ key: "npm/", recurse: true })).map(({ Key }: { Key: string }) => Key),
      ["npm/a", "npm/b/c"],
    );
    assert.equal(await client.kv.set({ key: "npm/a", value: "two", cas: 1 }), NO);
    assert.equal(await client.kv.set({ key: "npm/a", value: "two", cas: one.ModifyIndex }), true);
    assert.equal(await client.kv.set({ key: "npm/a", value: "" }), true);
    assert.equal((await client.kv.get("npm/a")).Value, null);
    assert.equal(await client.kv.del("npm/a"), true);
    assert.equal(await client.kv.del({ key: "npm/", recurse: true }), true);
    assert.equal(await client.kv.get({ key: "npm/", recurse: true }), undefined);
  });

  test("npm consul: agent: services, checks, maintenance, members and self", async () => {
    await client.agent.service.register({
      name: "npm",
      id: "npm-1",
      tags: ["a", "b"],
      address: "10.3.0.1",
      port: 8080,
      meta: { k: "v" },
      check: { ttl: "60s", status: "passing" },
    });
    const service = (await client.agent.service.list())["npm-1"];
    assert.deepEqual(
      [service.Service, service.Port, service.Tags, service.Meta],
      ["npm", 8080, ["a", "b"], { k: "v" }],
    );
    for (const [verb, status] of [
      ["warn", "warning"],
      ["fail", "critical"],
      ["pass", "passing"],
    ]) {
      await client.agent.check[verb as string]({ id: "service:npm-1", note: `is ${status}` });
      const check = (await client.agent.check.list())["service:npm-1"];
      assert.deepEqual([check.Status, check.Output], [status, `is ${status}`]);
    }
    await client.agent.check.register({
      name: "npm extra",
      id: "npm-extra",
      serviceid: "npm-1",
      ttl: "60s",
      status: "passing",
    });
    await eventually("the catalog has both checks", async () => (await client.health.checks("npm")).length === 2);
    await client.agent.check.deregister("npm-extra");
    await client.agent.service.maintenance({ id: "npm-1", enable: true, reason: "a test" });
    assert.equal((await client.agent.check.list())["_service_maintenance:npm-1"].Status, "critical");
    await client.agent.service.maintenance({ id: "npm-1", enable: false });
    await client.agent.maintenance({ enable: true, reason: "a test" });
    assert.equal((await client.agent.check.list())._node_maintenance.Notes, "a test");
    await client.agent.maintenance(false);
    const { Config } = await client.agent.self();
    assert.deepEqual(
      (await client.agent.members()).map(({ Name }: { Name: string }) => Name),
      [Config.NodeName],
    );
    await client.agent.service.deregister("npm-1");
    await eventually(
      "the catalog has forgotten it",
      async () => (await client.catalog.service.nodes("npm")).length === 0,
    );
    await assert.rejects(client.agent.check.pass("service:npm-1"), /not found/);
  });

  test("npm consul: catalog and health: registered from outside, found by every way, gone again", async () => {
    const node = { node: "npm-node", address: "10.3.0.2", nodemeta: { rack: "7" } };
    await client.catalog.register({
      ...node,
      service: { service: "npm-db", id: "db-1", port: 5432, tags: ["main"], meta: { v: "1" } },
      check: { checkid: "db", name: "db", serviceid: "db-1", status: "passing" },
    });
    await client.catalog.register({ ...node, check: { checkid: "host", name: "host", status: "warning" } });
    assert.deepEqual(await client.catalog.datacenters(), ["dc1"]);
    assert.ok((await client.catalog.node.list()).some(({ Node }: { Node: string }) => Node === "npm-node"));
    assert.deepEqual((await client.catalog.service.list())["npm-db"], ["main"]);
    const [instance] = await client.catalog.service.nodes({ service: "npm-db", tag: "main" });
    assert.deepEqual(
      [instance.Node, instance.ServiceID, instance.ServicePort, instance.ServiceMeta, instance.NodeMeta],
      ["npm-node", "db-1", 5432, { v: "1" }, { rack: "7" }],
    );
    assert.equal((await client.catalog.node.services("npm-node")).Services["db-1"].Port, 5432);
    assert.equal(
      (await client.health.service({ service: "npm-db", passing: true })).length,
      0,
      "the node's own check only warns",
    );
    assert.equal((await client.health.service("npm-db"))[0].Checks.length, 2);
    assert.equal((await client.health.node("npm-node")).length, 2);
    assert.deepEqual(
      (await client.health.checks("npm-db")).map(({ Status }: { Status: string }) => Status),
      ["passing"],
    );
    assert.ok((await client.health.state("warning")).some(({ CheckID }: { CheckID: string }) => CheckID === "host"));
    assert.equal((await client.health.service({ service: "npm-db", filter: 'Node.Meta.rack == "8"' })).length, 0);
    await client.catalog.deregister({ node: "npm-node" });
    assert.equal(await client.catalog.node.services("npm-node"), NO);
  });

  test("npm consul: session: created, renewed, listed; it locks a key and gives it up", async () => {
    const { ID } = await client.session.create({ name: "npm", ttl: "30s", behavior: "release", lockdelay: "1ms" });
    const info = await client.session.get(ID);
    assert.deepEqual([info.ID, info.Name, info.TTL, info.LockDelay], [ID, "npm", "30s", 1e6]);
    assert.ok((await client.session.list()).some((session: { ID: string }) => session.ID === ID));
    assert.ok((await client.session.node(info.Node)).some((session: { ID: string }) => session.ID === ID));
    assert.equal((await client.session.renew(ID))[0].ID, ID);
    assert.equal(await client.kv.set({ key: "npm/lock", value: "mine", acquire: ID }), true);
    const other = await client.session.create({ lockdelay: "1ms" });
    assert.equal(await client.kv.set({ key: "npm/lock", value: "theirs", acquire: other.ID }), NO);
    assert.equal((await client.kv.get("npm/lock")).Session, ID);
    assert.equal(await client.kv.set({ key: "npm/lock", value: "mine", release: ID }), true);
    assert.equal(await client.kv.set({ key: "npm/lock", value: "theirs", acquire: other.ID }), true);
    for (const session of [ID, other.ID]) await client.session.destroy(session);
    assert.equal(await client.session.get(ID), undefined);
  });

  test("npm consul: transaction, event, query and status", async () => {
    const { Results } = await client.transaction.create([
      { KV: { Verb: "set", Key: "npm/txn", Value: Buffer.from("x").toString("base64") } },
      { KV: { Verb: "get", Key: "npm/txn" } },
    ]);
    assert.equal(Results[1].KV.Key, "npm/txn");
    await assert.rejects(
      client.transaction.create([{ KV: { Verb: "get", Key: "npm/none" } }]),
      /conflict|key .* doesn't exist/i,
    );
    const event = await client.event.fire({ name: "npm-event", payload: "hello" });
    const events = await client.event.list("npm-event");
    assert.deepEqual([events[0].ID, events[0].Payload], [event.ID, "hello"]);
    const { ID } = await client.query.create({ name: "npm-query", service: { service: "consul" } });
    assert.equal((await client.query.get(ID)).Name, "npm-query");
    assert.equal((await client.query.execute("npm-query")).Nodes.length, 1);
    await client.query.update({ query: ID, name: "npm-query", service: { service: "consul", tags: ["none"] } });
    assert.equal((await client.query.execute("npm-query")).Nodes.length, 0);
    await client.query.destroy(ID);
    assert.match(await client.status.leader(), /^127\.0\.0\.1:\d+$/);
    assert.equal((await client.status.peers()).length, 1);
  });

  test("npm consul: watch: tells of the key, of each change, and of its end; no error in between", async () => {
    await client.kv.set("npm/watched", "0");
    const seen: (string | undefined)[] = [];
    const errors: unknown[] = [];
    // Its waits end in between: a watch must live through that, too.
    const watch = client.watch({
      method: client.kv.get,
      options: { key: "npm/watched", wait: "300ms" },
      backoffFactor: 10,
    });
    watch.on("change", (data: { Value: string } | undefined) => seen.push(data?.Value));
    watch.on("error", (error: unknown) => errors.push(error));
    try {
      const sees = (value: string | undefined): Promise<unknown> =>
        eventually(`the watch sees ${value}: ${seen.join()}`, () => seen.length > 0 && seen.at(-1) === value);
      await sees("0");
      for (const value of ["1", "2"]) {
        await client.kv.set("npm/watched", value);
        await sees(value);
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
      assert.deepEqual(seen, ["0", "1", "2"], "a wait that ends is no change");
      await client.kv.del("npm/watched");
      await sees(undefined);
      await client.kv.set("npm/watched", "again");
      await sees("again");
      assert.deepEqual(errors, []);
      assert.equal(watch.isRunning(), true);
    } finally {
      watch.end();
    }
  });

  test("npm consul: watch: tells when a service's health changes", async () => {
    await client.agent.service.register({ name: "npm-watched", check: { ttl: "60s", status: "passing" } });
    const seen: number[] = [];
    const watch = client.watch({
      method: client.health.service,
      options: { service: "npm-watched", passing: true, wait: "5s" },
    });
    watch.on("change", (data: unknown[]) => seen.push(data.length));
    watch.on("error", () => {});
    try {
      await eventually("the watch sees it pass", () => seen.at(-1) === 1);
      await client.agent.check.fail("service:npm-watched");
      await eventually("the watch sees it fail", () => seen.at(-1) === 0);
      await client.agent.check.pass("service:npm-watched");
      await eventually("the watch sees it pass again", () => seen.at(-1) === 1);
    } finally {
      watch.end();
      await client.agent.service.deregister("npm-watched");
    }
  });
}
