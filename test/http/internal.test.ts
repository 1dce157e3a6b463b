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

const ui = async (path: string): Promise<ReturnType<Awaited<ReturnType<TestAgent["fetch"]>>["json"]>> => {
  const reply = await agent.fetch("GET", `/v1/internal/ui/${path}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json();
};

/** Two nodes with two instances of web, one of them critical, and a proxy that reaches db. */
async function fill(): Promise<void> {
  const register = async (body: object): Promise<void> => {
    assert.equal((await agent.fetch("PUT", "/v1/catalog/register", body)).status, 200);
  };
  const check = (CheckID: string, Status: string, ServiceID: string): object => ({
    CheckID,
    Name: CheckID,
    Status,
    ServiceID,
  });
  await register({
    Node: "a",
    Address: "10.0.0.1",
    NodeMeta: { rack: "r1" },
    Service: { Service: "web", Port: 80, Tags: ["v1"], Meta: { "external-source": "nomad" } },
    Checks: [check("web-a", "passing", "web"), check("node-a", "warning", "")],
  });
  await register({
    Node: "b",
    Address: "10.0.0.2",
    Service: { Service: "web", Port: 80, Tags: ["v2", "v1"] },
    Check: check("web-b", "critical", "web"),
  });
  await register({
    Node: "a",
    Address: "10.0.0.1",
    NodeMeta: { rack: "r1" },
    Service: {
      Kind: "connect-proxy",
      Service: "web-proxy",
      Port: 1,
      Proxy: { DestinationServiceName: "web", Mode: "transparent", Upstreams: [{ DestinationName: "db" }] },
    },
    Check: check("proxy-a", "passing", "web-proxy"),
  });
  await register({ Node: "b", Address: "10.0.0.2", Service: { Service: "db", Port: 5432 } });
}

const put = (entry: object): ReturnType<TestAgent["fetch"]> => agent.fetch("PUT", "/v1/config", entry);

test("nodes: each with its services and its checks, filtered, and waited for", async () => {
  await fill();
  const nodes = (await ui("nodes")) as { Node: string; Services: { ID: string }[]; Checks: { CheckID: string }[] }[];
  assert.deepEqual(
    nodes.map(({ Node, Services, Checks }) => [
      Node,
      Services.map(({ ID }) => ID),
      Checks.map(({ CheckID }) => CheckID),
    ]),
    [
      ["a", ["web", "web-proxy"], ["node-a", "proxy-a", "web-a"]],
      ["b", ["db", "web"], ["web-b"]],
      ["n1", ["consul"], ["serfHealth"]],
    ],
  );
  const filtered = (await ui(`nodes?filter=${encodeURIComponent('Meta.rack == "r1"')}`)) as { Node: string }[];
  assert.deepEqual(
    filtered.map(({ Node }) => Node),
    ["a"],
  );
  const index = (await agent.fetch("GET", "/v1/internal/ui/nodes")).header("x-consul-index");
  const waiting = agent.fetch("GET", `/v1/internal/ui/nodes?index=${index}&wait=5m`);
  await agent.settle();
  await agent.fetch("PUT", "/v1/catalog/deregister", { Node: "b", CheckID: "web-b" });
  assert.deepEqual((await waiting).json()[1].Checks, []);
});

test("a node: alone, or 404 without a body", async () => {
  await fill();
  const node = (await ui("node/a")) as Record<string, unknown>;
  assert.deepEqual(Object.keys(node), ["ID", "Node", "Address", "TaggedAddresses", "Meta", "Services", "Checks"]);
  const none = await agent.fetch("GET", "/v1/internal/ui/node/none");
  assert.deepEqual([none.status, none.text], [404, ""]);
  assert.equal((await agent.fetch("GET", "/v1/internal/ui/node/")).text, "Missing node name");
});

test("services: counted up, a proxy's checks with those of its service", async () => {
  await fill();
  const services = (await ui("services")) as Record<string, unknown>[];
  assert.deepEqual(
    services.map(({ Name }) => Name),
    ["consul", "db", "web", "web-proxy"],
  );
  assert.deepEqual(
    { ...services[2] },
    {
      Name: "web",
      Datacenter: "dc1",
      Tags: ["v1", "v2"],
      Nodes: ["a", "b"],
      ExternalSources: ["nomad"],
      InstanceCount: 2,
      ChecksPassing: 2,
      ChecksWarning: 1,
      ChecksCritical: 1,
      GatewayConfig: {},
      TransparentProxy: true,
      ConnectNative: false,
      ConnectedWithProxy: true,
      ConnectedWithGateway: false,
    },
  );
  assert.deepEqual(
    [services[1]?.["Tags"], services[1]?.["ExternalSources"], services[3]?.["Kind"]],
    [null, null, "connect-proxy"],
  );
  const filtered = (await ui(`services?filter=${encodeURIComponent("Service.Port == 5432")}`)) as { Name: string }[];
  assert.deepEqual(
    filtered.map(({ Name }) => Name),
    ["db"],
  );
});

test("the overview: tallies nodes, instances and checks by the worst of them", async () => {
  await fill();
  const overview = await ui("catalog-overview");
  assert.deepEqual(overview.Nodes, [{ Total: 3, Passing: 2, Warning: 1, Critical: 0 }]);
  assert.deepEqual(
    overview.Services.find(({ Name }: { Name: string }) => Name === "web"),
    { Name: "web", Total: 2, Passing: 0, Warning: 1, Critical: 1 },
  );
  assert.equal(overview.Checks.length, 5);
});

test("gateways: the services that their entries name, with addresses, counts and intentions", async () => {
  await fill();
  await put({
    Kind: "ingress-gateway",
    Name: "edge",
    Listeners: [{ Port: 8080, Protocol: "http", Services: [{ Name: "web" }, { Name: "db", Hosts: ["db.example"] }] }],
  });
  await put({ Kind: "terminating-gateway", Name: "out", Services: [{ Name: "*" }] });
  await agent.fetch("PUT", "/v1/catalog/register", {
    Node: "a",
    Address: "10.0.0.1",
    NodeMeta: { rack: "r1" },
    Service: { Kind: "ingress-gateway", Service: "edge", Port: 1 },
  });
  const edge = (await ui("gateway-services-nodes/edge")) as {
    Name: string;
    InstanceCount: number;
    GatewayConfig: { Addresses: string[] };
  }[];
  assert.deepEqual(
    edge.map(({ Name, InstanceCount, GatewayConfig }) => [Name, InstanceCount, GatewayConfig.Addresses]),
    [
      ["db", 1, ["db.example:8080"]],
      ["web", 2, ["web.ingress.dc1.consul.:8080"]],
    ],
  );
  const services = (await ui("services")) as { Name: string; ConnectedWithGateway: boolean; GatewayConfig: object }[];
  const named = new Map(services.map((service) => [service.Name, service]));
  assert.equal(named.get("web")?.ConnectedWithGateway, true);
  assert.deepEqual(named.get("edge")?.GatewayConfig, { AssociatedServiceCount: 2 });
  await put({ Kind: "service-intentions", Name: "web", Sources: [{ Name: "edge", Action: "allow" }] });
  await put({ Kind: "service-intentions", Name: "other", Sources: [{ Name: "edge", Action: "deny" }] });
  const intentions = (await ui("gateway-intentions/edge")) as { DestinationName: string }[];
  assert.deepEqual(
    intentions.map(({ DestinationName }) => DestinationName),
    ["web"],
  );
  assert.deepEqual(await ui("gateway-services-nodes/none"), []);
});

test("topology: what a service's proxies reach and who reaches it, with what intentions say", async () => {
  await fill();
  await put({ Kind: "service-defaults", Name: "web", Protocol: "grpc" });
  const web = await ui("service-topology/web?kind=");
  assert.deepEqual(
    [web.Protocol, web.TransparentProxy, web.Downstreams, web.FilteredByACLs],
    ["grpc", true, [], false],
  );
  assert.deepEqual(
    web.Upstreams.map(
      ({ Name, Source, Intention }: { Name: string; Source: string; Intention: { Allowed: boolean } }) => [
        Name,
        Source,
        Intention.Allowed,
      ],
    ),
    [["db", "proxy-registration", true]],
  );
  await put({ Kind: "service-intentions", Name: "db", Sources: [{ Name: "*", Action: "deny" }] });
  const db = await ui("service-topology/db?kind=");
  assert.deepEqual(
    [db.Downstreams[0].Name, db.Downstreams[0].Intention.Allowed, db.Downstreams[0].Intention.HasExact],
    ["web", false, false],
  );
  assert.equal((await agent.fetch("GET", "/v1/internal/ui/service-topology/db")).text, "Missing service kind");
  assert.equal(
    (await agent.fetch("GET", "/v1/internal/ui/service-topology/db?kind=x")).text,
    'Unsupported service kind "x"',
  );
});

const absent: readonly [string, string, number, string | RegExp][] = [
  ["GET", "/v1/acl/tokens", 401, "ACL support disabled"],
  ["PUT", "/v1/acl/bootstrap", 401, "ACL support disabled"],
  ["GET", "/v1/acl/token/self", 401, "ACL support disabled"],
  ["DELETE", "/v1/acl/policy/x", 401, "ACL support disabled"],
  ["GET", "/v1/acl/policy/name/x", 401, "ACL support disabled"],
  ["POST", "/v1/internal/acl/authorize", 401, "ACL support disabled"],
  ["GET", "/v1/acl/policy", 405, "method GET not allowed"],
  ["PUT", "/v1/acl/create", 404, /not a recognized/],
  ["GET", "/v1/connect/ca/roots", 500, "Connect must be enabled in order to use this endpoint"],
  ["GET", "/v1/connect/intentions/match", 500, "Connect must be enabled in order to use this endpoint"],
  ["DELETE", "/v1/connect/intentions/x", 500, "Connect must be enabled in order to use this endpoint"],
  ["GET", "/v1/discovery-chain/web", 500, "Connect must be enabled in order to use this endpoint"],
  ["GET", "/v1/peerings", 501, /Peering .* not supported/],
  ["DELETE", "/v1/peering/x", 501, /Peering .* not supported/],
  ["POST", "/v1/peering/token", 501, /Peering .* not supported/],
  ["GET", "/v1/exported-services", 501, /Peering .* not supported/],
  ["GET", "/v1/internal/federation-state/dc2", 404, /not found/],
  ["GET", "/v1/internal/federation-states", 200, /^\[\]$/],
  ["GET", "/v1/internal/federation-states/mesh-gateways", 200, /^\{\}$/],
  ["GET", "/v1/internal/ui/exported-services?peer=x", 200, /^\[\]$/],
  ["GET", "/v1/internal/ui/metrics-proxy/api", 404, "UI is not enabled"],
];
for (const [method, path, status, text] of absent) {
  test(`${method} ${path}: is ${status}`, async () => {
    const reply = await agent.fetch(method, path, method === "GET" || method === "DELETE" ? undefined : {});
    assert.equal(reply.status, status, reply.text);
    if (typeof text === "string") assert.equal(reply.text, text);
    else assert.match(reply.text, text);
  });
}

test("rpc/methods: lists every endpoint once, in order", async () => {
  const methods = (await agent.fetch("GET", "/v1/internal/rpc/methods")).json() as string[];
  assert.deepEqual(methods, [...new Set(methods)].sort());
  for (const name of ["kv.get", "catalog.register", "session.create", "config-entry.set", "operator.usage", "ui.nodes"])
    assert.ok(methods.includes(name), name);
});
