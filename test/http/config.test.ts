import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

let agent: TestAgent;
beforeEach(async () => {
  agent = await startTestAgent();
});
afterEach(async () => {
  await agent.stop();
});

const web = { Kind: "service-defaults", Name: "web", Protocol: "http" };
const put = (body: unknown, query = ""): ReturnType<TestAgent["fetch"]> =>
  agent.fetch("PUT", `/v1/config${query}`, body as object);

test("an entry: is written, read, listed and deleted as Consul does", async () => {
  assert.equal((await put(web)).text, "true");
  const one = await agent.fetch("GET", "/v1/config/service-defaults/web");
  const { Hash, CreateIndex, ModifyIndex, ...rest } = one.json() as Record<string, unknown>;
  assert.deepEqual({ ...rest }, { ...web, TransparentProxy: {}, MeshGateway: {}, Expose: {} });
  assert.ok(Hash !== undefined && CreateIndex === ModifyIndex);
  assert.equal(one.header("x-consul-index"), String(ModifyIndex));
  assert.equal((await agent.fetch("GET", "/v1/config/service-defaults")).json().length, 1);
  assert.equal((await agent.fetch("DELETE", "/v1/config/service-defaults/web")).text, "{}");
  const gone = await agent.fetch("GET", "/v1/config/service-defaults/web");
  assert.deepEqual([gone.status, gone.text], [404, 'Config entry not found for "service-defaults" / "web"']);
  assert.ok(Number(gone.header("x-consul-index")) > Number(ModifyIndex));
  assert.equal((await agent.fetch("DELETE", "/v1/config/service-defaults/web")).text, "{}");
});

test("cas: lets a write or a delete through only at the entry's index", async () => {
  assert.equal((await put(web, "?cas=0")).text, "true");
  assert.equal((await put({ ...web, Protocol: "grpc" }, "?cas=0")).text, "false");
  const modifyIndex = async (): Promise<number> =>
    (await agent.fetch("GET", "/v1/config/service-defaults/web")).json().ModifyIndex as number;
  const ModifyIndex = await modifyIndex();
  assert.equal((await put({ ...web, Protocol: "grpc" }, `?cas=${ModifyIndex}`)).text, "true");
  const remove = async (index: number): Promise<string> =>
    (await agent.fetch("DELETE", `/v1/config/service-defaults/web?cas=${index}`)).text;
  assert.equal(await remove(ModifyIndex), "false");
  assert.equal(await remove(await modifyIndex()), "true");
  assert.equal((await put(web, "?cas=x")).status, 500);
});

const refusals: readonly [string, string, unknown, number, RegExp][] = [
  ["PUT", "/v1/config", "{", 400, /^Request decoding failed: unexpected EOF$/],
  ["PUT", "/v1/config", {}, 400, /^Request decoding failed: Payload does not contain a kind/],
  ["PUT", "/v1/config", { Kind: "odd" }, 400, /^Request decoding failed: invalid config entry kind: odd$/],
  ["PUT", "/v1/config", { Kind: "mesh", Nope: 1 }, 400, /invalid config key "Nope"/],
  [
    "PUT",
    "/v1/config",
    { Kind: "proxy-defaults", Name: "x" },
    500,
    /^invalid name \("x"\), only "global" is supported$/,
  ],
  ["PUT", "/v1/config", { Kind: "bound-api-gateway", Name: "x" }, 403, /only writable by controller/],
  ["PUT", "/v1/config", { Kind: "service-router", Name: "web" }, 500, /does not permit advanced routing/],
  ["GET", "/v1/config", undefined, 405, /method GET not allowed/],
  ["GET", "/v1/config/odd", undefined, 500, /^invalid config entry kind: odd$/],
  ["GET", "/v1/config/odd/x", undefined, 500, /^invalid config entry kind: odd$/],
  ["GET", "/v1/config/mesh?filter=Kind==mesh", undefined, 500, /^filtering not supported for config entry kind=mesh$/],
  ["DELETE", "/v1/config/odd/x", undefined, 400, /^invalid config entry kind: odd$/],
  ["DELETE", "/v1/config/mesh", undefined, 404, /^Must provide both a kind and name to delete$/],
];

for (const [method, path, body, status, text] of refusals) {
  test(`${method} ${path} ${JSON.stringify(body)}: is ${status}`, async () => {
    const reply = await agent.fetch(method, path, body as object);
    assert.equal(reply.status, status, reply.text);
    assert.match(reply.text, text);
    assert.equal(reply.header("x-consul-index") !== null, path.includes("filter"));
  });
}

test("a blocking read: of one entry, of one that is not there, and of a kind", async () => {
  await put(web);
  const index = (await agent.fetch("GET", "/v1/config/service-defaults/web")).header("x-consul-index");
  const waiting = [
    agent.fetch("GET", `/v1/config/service-defaults/web?index=${index}&wait=5m`),
    agent.fetch("GET", `/v1/config/service-defaults?index=${index}&wait=5m`),
  ];
  await agent.settle();
  await put({ ...web, Protocol: "tcp" });
  const [one, all] = await Promise.all(waiting);
  assert.equal(one?.json().Protocol, "tcp");
  assert.equal(all?.json()[0].Protocol, "tcp");
  const none = await agent.fetch("GET", "/v1/config/mesh/mesh");
  const later = agent.fetch("GET", `/v1/config/mesh/mesh?index=${none.header("x-consul-index")}&wait=5m`);
  await agent.settle();
  await put({ Kind: "mesh" });
  assert.equal((await later).status, 200);
});

test("a filter on service defaults: narrows the list", async () => {
  await put(web);
  await put({ ...web, Name: "db", Protocol: "tcp" });
  const filter = encodeURIComponent('Protocol == "tcp"');
  const list = (await agent.fetch("GET", `/v1/config/service-defaults?filter=${filter}`)).json() as { Name: string }[];
  assert.deepEqual(
    list.map(({ Name }) => Name),
    ["db"],
  );
});

test("config_entries.bootstrap: a leader writes what is not there yet, and leaves alone what is", async () => {
  const settings = {
    config_entries: { bootstrap: [{ kind: "service-defaults", name: "web", protocol: "grpc" }, { kind: "mesh" }] },
  };
  const { log, blobs } = agent.platform;
  await put(web);
  await agent.stop();
  agent = await startTestAgent({ settings, log, blobs });
  assert.equal((await agent.fetch("GET", "/v1/config/service-defaults/web")).json().Protocol, "http");
  assert.equal((await agent.fetch("GET", "/v1/config/mesh/mesh")).status, 200);
});

test("config_entries.bootstrap: one that is wrong stops the agent from starting, by its number", async () => {
  await assert.rejects(
    startTestAgent({ settings: { config_entries: { bootstrap: [{ kind: "mesh" }, { kind: "odd" }] } } }),
    /config_entries\.bootstrap\[1\]: invalid config entry kind: odd/,
  );
});
