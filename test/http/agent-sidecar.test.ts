// Services that ask for a sidecar: what is registered beside them, and how it comes and goes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import { startTestAgent, type TestAgent, testConfig } from "../support/agent.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

/** Runs `body` with an agent of its own. */
async function withAgent(
  options: Parameters<typeof startTestAgent>[0],
  body: (agent: TestAgent) => Promise<void>,
): Promise<void> {
  const own = await startTestAgent(options);
  try {
    await body(own);
  } finally {
    await own.stop();
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they like
const get = async (path: string, from = agent): Promise<any> => (await from.fetch("GET", path)).json();
const register = (body: object, at = agent) => at.fetch("PUT", "/v1/agent/service/register", body);

test("a sidecar has its service's name, tags, metadata and address, a port of the range, and two checks", async () => {
  const web = { Name: "web", ID: "web-1", Port: 80, Tags: ["v1"], Meta: { a: "b" }, Address: "10.0.0.1" };
  assert.equal((await register({ ...web, Connect: { SidecarService: {} } })).status, 200);
  const sidecar = (await get("/v1/agent/services"))["web-1-sidecar-proxy"];
  assert.deepEqual(
    [sidecar.Kind, sidecar.Service, sidecar.Address],
    ["connect-proxy", "web-sidecar-proxy", "10.0.0.1"],
  );
  assert.deepEqual([sidecar.Tags, sidecar.Meta], [["v1"], { a: "b" }]);
  assert.ok(sidecar.Port >= 21_000 && sidecar.Port <= 21_255, String(sidecar.Port));
  const { DestinationServiceName, DestinationServiceID, LocalServiceAddress, LocalServicePort } = sidecar.Proxy;
  assert.deepEqual(
    [DestinationServiceName, DestinationServiceID, LocalServiceAddress, LocalServicePort],
    ["web", "web-1", "127.0.0.1", 80],
  );
  const checks = Object.values(await get("/v1/agent/checks")) as {
    CheckID: string;
    Name: string;
    Type: string;
    ServiceID: string;
  }[];
  assert.deepEqual(
    checks
      .filter(({ ServiceID }) => ServiceID === "web-1-sidecar-proxy")
      .map(({ CheckID, Name, Type }) => [CheckID, Name, Type]),
    [
      ["service:web-1-sidecar-proxy:1", "Connect Sidecar Listening", "tcp"],
      ["service:web-1-sidecar-proxy:2", "Connect Sidecar Aliasing web-1", "alias"],
    ],
  );
  const spec = agent.agent.local.state.checks.get("service:web-1-sidecar-proxy:1")?.spec;
  assert.deepEqual([spec?.kind === "tcp" && spec.address, spec?.intervalMs], [`10.0.0.1:${sidecar.Port}`, 10_000]);
  await agent.settle();
  const rows = await get("/v1/catalog/connect/web");
  assert.deepEqual(
    rows.map((row: { ServiceID: string }) => row.ServiceID),
    ["web-1-sidecar-proxy"],
  );
});

test("what the sidecar's definition says counts", async () => {
  const SidecarService = {
    Name: "proxy",
    Port: 9999,
    Address: "10.0.0.9",
    Tags: ["own"],
    Meta: { c: "d" },
    Check: { TTL: "1m" },
    Proxy: {
      DestinationServiceName: "other",
      LocalServiceAddress: "127.0.0.2",
      LocalServicePort: 5,
      Mode: "transparent",
    },
  };
  assert.equal((await register({ Name: "own", Port: 80, Tags: ["v1"], Connect: { SidecarService } })).status, 200);
  const sidecar = (await get("/v1/agent/services"))["own-sidecar-proxy"];
  assert.deepEqual(
    [sidecar.Service, sidecar.Port, sidecar.Address, sidecar.Tags, sidecar.Meta],
    ["proxy", 9999, "10.0.0.9", ["own"], { c: "d" }],
  );
  assert.deepEqual(
    [
      sidecar.Proxy.DestinationServiceName,
      sidecar.Proxy.DestinationServiceID,
      sidecar.Proxy.LocalServiceAddress,
      sidecar.Proxy.LocalServicePort,
      sidecar.Proxy.Mode,
    ],
    ["other", "own", "127.0.0.2", 5, "transparent"],
  );
  const checks = Object.values(await get("/v1/agent/checks")) as { Type: string; ServiceID: string }[];
  assert.deepEqual(
    checks.filter(({ ServiceID }) => ServiceID === "own-sidecar-proxy").map(({ Type }) => Type),
    ["ttl"],
  );
});

test("a sidecar keeps its port when its service is registered again", async () => {
  const port = async (): Promise<number> => (await get("/v1/agent/services"))["again-sidecar-proxy"].Port;
  const body = { Name: "again", Connect: { SidecarService: {} } };
  await register(body);
  const first = await port();
  await register({ ...body, Port: 7 });
  assert.equal(await port(), first);
});

test("a sidecar goes with its service, from the agent and from the catalog; one that was registered by itself stays", async () => {
  await register({ Name: "gone", Connect: { SidecarService: {} } });
  await register({ Name: "left" });
  const Proxy = { DestinationServiceName: "left", DestinationServiceID: "left" };
  await register({ Kind: "connect-proxy", Name: "left-sidecar-proxy", Port: 1, Proxy });
  await agent.settle();
  assert.equal((await get("/v1/catalog/service/gone-sidecar-proxy")).length, 1);
  for (const id of ["gone", "left"])
    assert.equal((await agent.fetch("PUT", `/v1/agent/service/deregister/${id}`)).status, 200);
  await agent.settle();
  const ids = Object.keys(await get("/v1/agent/services"));
  assert.ok(!ids.some((id) => id.startsWith("gone")), String(ids));
  assert.ok(ids.includes("left-sidecar-proxy"));
  assert.deepEqual(await get("/v1/catalog/service/gone-sidecar-proxy"), []);
  assert.ok(!Object.keys(await get("/v1/agent/checks")).some((id) => id.includes("gone")));
});

test("no two sidecars have the same port, and where none is left nothing is registered", () =>
  withAgent({ settings: { ports: { sidecar_min_port: 21_000, sidecar_max_port: 21_002 } } }, async (own) => {
    await register({ Name: "taken", Port: 21_001 }, own);
    for (const Name of ["a", "b"])
      assert.equal((await register({ Name, Connect: { SidecarService: {} } }, own)).status, 200);
    const services = await get("/v1/agent/services", own);
    assert.deepEqual([services["a-sidecar-proxy"].Port, services["b-sidecar-proxy"].Port].sort(), [21_000, 21_002]);
    const reply = await register({ Name: "c", Connect: { SidecarService: {} } }, own);
    assert.deepEqual(
      [reply.status, reply.text],
      [
        400,
        "Invalid SidecarService: no port provided for sidecar_service and none left in the configured range [21000, 21002]",
      ],
    );
    assert.ok(!("c" in (await get("/v1/agent/services", own))));
  }));

test("without a range a sidecar must bring its port", () =>
  withAgent({ settings: { ports: { sidecar_min_port: -1, sidecar_max_port: -1 } } }, async (own) => {
    const reply = await register({ Name: "a", Connect: { SidecarService: {} } }, own);
    assert.deepEqual(
      [reply.status, reply.text],
      [400, "Invalid SidecarService: no port provided for sidecar_service and auto-assignment disabled in config"],
    );
    assert.equal((await register({ Name: "a", Connect: { SidecarService: { Port: 5 } } }, own)).status, 200);
  }));

test("sidecars of configured services come and go with the file, and keep their ports over a reload", () => {
  const service = (name: string): object => ({ name, connect: { sidecar_service: {} } });
  return withAgent({ settings: { services: [service("a"), service("b")] } }, async (own) => {
    const ports = async (): Promise<Record<string, number>> => {
      const services = (await get("/v1/agent/services", own)) as Record<string, { Port: number }>;
      return Object.fromEntries(
        Object.entries(services)
          .filter(([id]) => id.endsWith("-sidecar-proxy"))
          .map(([id, { Port }]) => [id, Port]),
      );
    };
    const before = await ports();
    assert.deepEqual(Object.keys(before), ["a-sidecar-proxy", "b-sidecar-proxy"]);
    assert.notEqual(before["a-sidecar-proxy"], before["b-sidecar-proxy"]);
    own.agent.reload(testConfig({ settings: { services: [service("b"), { name: "c" }] } }));
    assert.deepEqual(await ports(), { "b-sidecar-proxy": before["b-sidecar-proxy"] });
  });
});

test("after a restart a sidecar is still one", async () => {
  const stores = { log: new MemoryLogStore(), blobs: new MemoryBlobs() };
  const flags = ["-server", "-bootstrap-expect=1", "-data-dir=/unused"];
  let port = 0;
  await withAgent({ ...stores, flags }, async (own) => {
    await own.advance(10_000);
    await register({ Name: "web", Connect: { SidecarService: {} } }, own);
    port = (await get("/v1/agent/services", own))["web-sidecar-proxy"].Port;
  });
  await withAgent({ ...stores, flags }, async (own) => {
    await own.advance(10_000);
    assert.equal((await get("/v1/agent/services", own))["web-sidecar-proxy"].Port, port);
    await own.fetch("PUT", "/v1/agent/service/deregister/web");
    assert.deepEqual(await get("/v1/agent/services", own), {});
  });
});
