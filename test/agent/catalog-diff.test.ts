// What anti-entropy finds and sends: tables over the local state and the catalog.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CatalogNode,
  compare,
  type NodeIdentity,
  pendingRequests,
  type SyncRequest,
  type SyncTokens,
} from "../../src/agent/catalog-diff.ts";
import { LocalState } from "../../src/agent/local-state.ts";
import type { HealthCheck, Node, NodeService } from "../../src/types/records.ts";
import { check, service } from "./local-fixture.ts";

const identity: NodeIdentity = {
  ID: "40e4a748-2192-161a-0510-9bf59fe950b5",
  Node: "n1",
  Address: "127.0.0.1",
  Datacenter: "dc1",
  TaggedAddresses: { lan: "127.0.0.1", wan: "127.0.0.1" },
  Meta: { rack: "r1" },
};
const tokens: SyncTokens = { agent: "agent", user: "user", configFile: "" };

/** A state with a service, a check of it and one of the node. */
function newState(): LocalState {
  const local = new LocalState({ nodeName: "n1" });
  const body = { Name: "web", Tags: ["a"], Port: 80, Meta: { k: "v" }, Check: { CheckID: "w", TTL: "1s" } };
  local.addService(service(body));
  local.addCheck(check({ Name: "mem", TTL: "1s" }), "", "remote");
  return local;
}

interface Catalog {
  node: CatalogNode;
  checks: HealthCheck[];
}

/** The catalog that has all of it, as it would be after a synchronisation. */
function catalogOf(local: LocalState): Catalog {
  const indexes = { CreateIndex: 7, ModifyIndex: 9 };
  return {
    node: {
      node: { ...identity, ...indexes },
      services: [...local.services.values()].map((each) => ({ ...structuredClone(each.service), ...indexes })),
    },
    checks: [...local.checks.values()].map((each) => ({ ...structuredClone(each.check), ...indexes })),
  };
}

/** What is not in sync, a word each: `node`, `web`, `-extra`; checks after a `/`. */
function found(local: LocalState, catalog: Catalog | null): string[] {
  const result = compare(local, identity, catalog?.node ?? null, catalog?.checks ?? []);
  return [
    ...(result.nodeInSync ? [] : ["node"]),
    ...[...local.services.keys()].filter((id) => !result.services.has(id)),
    ...result.extraServices.map((id) => `-${id}`),
    ...[...local.checks.keys()].filter((id) => !result.checks.has(id)).map((id) => `/${id}`),
    ...result.extraChecks.map((id) => `-/${id}`),
    ...[...result.adopted].map(([id, changes]) => `${id} takes ${JSON.stringify(changes)}`),
  ];
}

const webOf = (catalog: Catalog): NodeService => catalog.node.services[0] as NodeService;
const checkOf = (catalog: Catalog, id: string): HealthCheck =>
  catalog.checks.find(({ CheckID }) => CheckID === id) as HealthCheck;
const nodeOf = (catalog: Catalog): Node => catalog.node.node;

const rows: [situation: string, change: (catalog: Catalog, local: LocalState) => void, wanted: string[]][] = [
  ["all is the same", () => {}, []],
  ["the node has another ID", (c) => (nodeOf(c).ID = "x"), ["node"]],
  ["the node has another address", (c) => (nodeOf(c).Address = "10.0.0.1"), ["node"]],
  ["a tagged address of the node differs", (c) => (nodeOf(c).TaggedAddresses = { lan: "127.0.0.1" }), ["node"]],
  ["the node's metadata differ", (c) => (nodeOf(c).Meta = { rack: "r2" }), ["node"]],
  ["the order of metadata differs", (c) => (nodeOf(c).TaggedAddresses = { wan: "127.0.0.1", lan: "127.0.0.1" }), []],
  ["a service is missing", (c) => c.node.services.pop(), ["web"]],
  ["a service is there too much", (c) => c.node.services.push({ ...webOf(c), ID: "x" }), ["-x"]],
  ["the servers' own service", (c) => c.node.services.push({ ...webOf(c), ID: "consul", Service: "consul" }), []],
  ["a service has another port", (c) => (webOf(c).Port = 81), ["web"]],
  ["a service has other tags", (c) => (webOf(c).Tags = ["b"]), ["web"]],
  ["a service has other metadata", (c) => (webOf(c).Meta = { k: "w" }), ["web"]],
  ["a service has other weights", (c) => (webOf(c).Weights = { Passing: 2, Warning: 1 }), ["web"]],
  ["a service has an address", (c) => (webOf(c).Address = "10.0.0.1"), ["web"]],
  ["a service is a gateway", (c) => (webOf(c).Kind = "mesh-gateway"), ["web"]],
  ["a service may be retagged", (c) => (webOf(c).EnableTagOverride = true), ["web"]],
  ["a service has a locality", (c) => (webOf(c).Locality = { Region: "r" }), ["web"]],
  ["a service is native", (c) => (webOf(c).Connect = { Native: true }), ["web"]],
  [
    "empty is as good as absent",
    (c) => Object.assign(webOf(c), { Ports: [], TaggedAddresses: {}, Connect: { Native: false }, Proxy: {} }),
    [],
  ],
  ["an empty value is a value", (c) => (webOf(c).Meta = { k: "v", e: "" }), ["web"]],
  [
    "a proxy's own configuration counts as written",
    (c, l) => {
      (l.requireService("web").service as NodeService).Proxy = { Config: { a: 0 } };
      webOf(c).Proxy = { Config: {} };
    },
    ["web"],
  ],
  [
    "a proxy's configuration is the same",
    (c, l) => {
      (l.requireService("web").service as NodeService).Proxy = { Config: { a: [0, { b: "" }] } };
      webOf(c).Proxy = { Config: { a: [0, { b: "" }] }, Mode: "" };
    },
    [],
  ],
  [
    "tags are the catalog's",
    (c, l) => {
      (l.requireService("web").service as NodeService).EnableTagOverride = true;
      Object.assign(webOf(c), { EnableTagOverride: true, Tags: ["z"] });
      checkOf(c, "w").ServiceTags = ["z"];
    },
    ['web takes {"Tags":["z"]}'],
  ],
  [
    "tags are the catalog's, the rest is not",
    (c, l) => {
      (l.requireService("web").service as NodeService).EnableTagOverride = true;
      Object.assign(webOf(c), { EnableTagOverride: true, Tags: ["z"], Port: 1 });
    },
    ["web", 'web takes {"Tags":["z"]}'],
  ],
  [
    "a server made a tagged address",
    (c) => (webOf(c).TaggedAddresses = { "consul-virtual": { Address: "240.0.0.1", Port: 80 } }),
    ['web takes {"TaggedAddresses":{"consul-virtual":{"Address":"240.0.0.1","Port":80}}}'],
  ],
  [
    "another tagged address is nobody's",
    (c) => (webOf(c).TaggedAddresses = { virtual: { Address: "240.0.0.1", Port: 80 } }),
    ["web"],
  ],
  ["a check is missing", (c) => c.checks.pop(), ["/mem"]],
  ["a check is there too much", (c) => c.checks.push({ ...checkOf(c, "mem"), CheckID: "x" }), ["-/x"]],
  [
    "a check goes with its service",
    (c) => {
      c.node.services.push({ ...webOf(c), ID: "x" });
      c.checks.push({ ...checkOf(c, "w"), CheckID: "x", ServiceID: "x" });
    },
    ["-x"],
  ],
  ["the servers' own check", (c) => c.checks.push({ ...checkOf(c, "mem"), CheckID: "serfHealth" }), []],
  ["a check has another state", (c) => (checkOf(c, "w").Status = "passing"), ["/w"]],
  ["a check has another output", (c) => (checkOf(c, "w").Output = "x"), ["/w"]],
  ["a check has other notes", (c) => (checkOf(c, "w").Notes = "x"), ["/w"]],
  ["a check has another name", (c) => (checkOf(c, "w").Name = "x"), ["/w"]],
  ["a check belongs elsewhere", (c) => (checkOf(c, "w").ServiceID = ""), ["/w"]],
  ["a check has other tags", (c) => (checkOf(c, "w").ServiceTags = []), ["/w"]],
  [
    "an output waits for its time",
    (c, l) => {
      l.requireCheck("w").deferred = true;
      checkOf(c, "w").Output = "x";
    },
    [],
  ],
  [
    "a state does not wait",
    (c, l) => {
      l.requireCheck("w").deferred = true;
      Object.assign(checkOf(c, "w"), { Output: "x", Status: "passing" });
    },
    ["/w"],
  ],
  [
    "the interval is another",
    (c) => Object.assign(checkOf(c, "w"), { Interval: "1s", Timeout: "2s", Type: "http" }),
    [],
  ],
];

for (const [situation, change, wanted] of rows) {
  test(`compare: ${situation}`, () => {
    const local = newState();
    const catalog = catalogOf(local);
    change(catalog, local);
    assert.deepEqual(found(local, catalog), wanted);
  });
}

test("compare: the catalog does not know the node", () => {
  assert.deepEqual(found(newState(), null), ["node", "web", "/w", "/mem"]);
});

test("compare: neither side is touched", () => {
  const local = newState();
  const catalog = catalogOf(local);
  webOf(catalog).Port = 81;
  const before = JSON.stringify([[...local.services], [...local.checks], catalog]);
  found(local, catalog);
  assert.equal(JSON.stringify([[...local.services], [...local.checks], catalog]), before);
});

/** A request in a line: what it registers or removes, whether it leaves the node alone, by which token. */
function shown({ request, token }: SyncRequest): string {
  if (request.type === "catalog.deregister") return `- ${request.serviceId || `/${request.checkId}`} by ${token}`;
  const names = [request.service?.ID ?? "node", ...request.checks.map(({ CheckID }) => `/${CheckID}`)];
  return `+ ${names.join(" ")}${request.skipNodeUpdate ? "" : " with node"} by ${token}`;
}

const pending: [
  situation: string,
  change: (local: LocalState) => void,
  nodeInSync: boolean,
  tokens: Partial<SyncTokens>,
  wanted: string[],
][] = [
  ["all is new", () => {}, false, {}, ["+ node with node by agent", "+ web /w by user", "+ node /mem by user"]],
  ["the node is known", () => {}, true, {}, ["+ web /w by user", "+ node /mem by user"]],
  [
    "only a check changed",
    (l) => {
      for (const record of [...l.services.values(), ...l.checks.values()]) record.inSync = true;
      l.updateCheck("w", "passing", "", "now");
    },
    true,
    {},
    ["+ web /w by user"],
  ],
  [
    "nothing changed",
    (l) => {
      for (const record of [...l.services.values(), ...l.checks.values()]) record.inSync = true;
    },
    true,
    {},
    [],
  ],
  [
    "a service and a check went",
    (l) => {
      l.removeService("web");
      l.removeCheck("mem");
    },
    true,
    {},
    ["- web by agent", "- /mem by agent"],
  ],
  [
    "a check has a token of its own",
    (l) => l.addCheck(check({ ID: "w", Name: "w", ServiceID: "web", TTL: "1s" }), "own", "remote"),
    true,
    {},
    ["+ web by user", "+ web /w by own", "+ node /mem by user"],
  ],
  [
    "definitions of files have their token",
    (l) => {
      l.addCheck(check({ Name: "mem", TTL: "1s" }), "", "local");
      l.addCheck(check({ Name: "own", TTL: "1s" }), "own", "local");
    },
    true,
    { configFile: "file" },
    ["+ web /w by user", "+ node /mem by file", "+ node /own by own"],
  ],
  [
    "files without a token",
    (l) => l.addCheck(check({ Name: "mem", TTL: "1s" }), "", "local"),
    true,
    {},
    ["+ web /w by user", "+ node /mem by user"],
  ],
];
for (const [situation, change, nodeInSync, own, wanted] of pending) {
  test(`requests: ${situation}`, () => {
    const local = newState();
    change(local);
    assert.deepEqual(pendingRequests(local, identity, nodeInSync, { ...tokens, ...own }).map(shown), wanted);
  });
}

test("requests: what is sent is not what is shown here later", () => {
  const local = newState();
  const [sent] = pendingRequests(local, identity, true, tokens);
  local.updateCheck("w", "passing", "later", "now");
  assert.ok(sent?.request.type === "catalog.register");
  assert.deepEqual([sent.request.checks[0]?.Status, sent.request.checks[0]?.Output], ["critical", ""]);
  assert.equal("ModifyIndex" in (sent.request.service ?? {}), false);
});
