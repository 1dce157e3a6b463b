import assert from "node:assert/strict";
import { test } from "node:test";
import {
  configEntryDelete,
  configEntryList,
  configEntrySet,
  configEntryShape,
  readConfigEntry,
} from "../../src/endpoint/config-entry.ts";
import { CONFIG_ENTRY_KINDS } from "../../src/endpoint/config-entry-kinds.ts";
import type { PrepareContext } from "../../src/endpoint/endpoint.ts";
import type { ConfigEntryInput } from "../../src/state/command.ts";
import { StateStore } from "../../src/state/store.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { ConfigEntry, Uint64 } from "../../src/types/records.ts";

/** A store and the endpoints on it, without a log between them. */
class Entries {
  readonly state = new StateStore();
  #index = 10;

  #context(): PrepareContext {
    return { state: this.state } as unknown as PrepareContext;
  }

  set(value: unknown, cas: Uint64 | null = null): boolean {
    const prepared = configEntrySet.prepare(this.#context(), { entry: readConfigEntry(value), cas });
    assert.ok("command" in prepared);
    return prepared.reply(this.state.apply(++this.#index, prepared.command).result);
  }

  remove(kind: string, name: string, cas: Uint64 | null = null): boolean {
    const prepared = configEntryDelete.prepare(this.#context(), { kind, name, cas });
    assert.ok("command" in prepared);
    return prepared.reply(this.state.apply(++this.#index, prepared.command).result);
  }

  get(kind: string, name: string): ConfigEntry {
    const { value } = this.state.configEntry(kind, name);
    assert.ok(value !== null, `${kind}/${name} is there`);
    return value;
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Error);
    return error.message;
  }
  return "accepted";
};

// ------------------------------------------------------------------------------------------------- form

const forms: readonly { name: string; given: unknown; kept: ConfigEntryInput }[] = [
  {
    name: "a service default that says little",
    given: { Kind: "service-defaults", Name: "web", Protocol: "HTTP" },
    kept: {
      Kind: "service-defaults",
      Name: "web",
      Protocol: "http",
      TransparentProxy: {},
      MeshGateway: {},
      Expose: {},
    },
  },
  {
    name: "snake case, numbers as texts, one object where a list is meant, lists of one from HCL",
    given: {
      kind: "service-defaults",
      name: "web",
      local_connect_timeout_ms: "500",
      transparent_proxy: [{ outbound_listener_port: 22, dialed_directly: "true" }],
      expose: { checks: 1, paths: { path: "/m", listener_port: "1" } },
      upstream_config: {
        overrides: [{ name: "db", protocol: "TCP", connect_timeout_ms: 5, limits: { max_connections: 0 } }],
      },
    },
    kept: {
      Kind: "service-defaults",
      Name: "web",
      Protocol: "",
      TransparentProxy: { OutboundListenerPort: 22, DialedDirectly: true },
      MeshGateway: {},
      Expose: { Checks: true, Paths: [{ ListenerPort: 1, Path: "/m" }] },
      UpstreamConfig: {
        Overrides: [
          { Name: "db", Protocol: "tcp", ConnectTimeoutMs: 5, Limits: { MaxConnections: 0 }, MeshGateway: {} },
        ],
      },
      LocalConnectTimeoutMs: 500,
    },
  },
  {
    name: "proxy defaults: what is under Config is the user's own",
    given: { Kind: "proxy-defaults", Name: "global", Config: { local_connect_timeout_ms: 1000, Nested: { a: [1] } } },
    kept: {
      Kind: "proxy-defaults",
      Name: "global",
      Config: { local_connect_timeout_ms: 1000, Nested: { a: [1] } },
      TransparentProxy: {},
      MeshGateway: {},
      Expose: {},
      AccessLogs: {},
    },
  },
  {
    name: "durations of routes are texts, of health checks nanoseconds",
    given: {
      Kind: "service-router",
      Name: "web",
      Routes: [{ Destination: { RequestTimeout: "90s", IdleTimeout: 5e9, NumRetries: 3 } }],
    },
    kept: {
      Kind: "service-router",
      Name: "web",
      Routes: [{ Destination: { RequestTimeout: "1m30s", IdleTimeout: "5s", NumRetries: 3 } }],
    },
  },
  {
    name: "empty lists and maps are left out, and indexes and the hash that were read are no fields",
    given: { Kind: "service-resolver", Name: "web", Subsets: {}, Meta: {}, CreateIndex: 5, ModifyIndex: 6, Hash: 7 },
    kept: { Kind: "service-resolver", Name: "web" },
  },
];

for (const { name, given, kept } of forms) {
  test(`reading an entry: ${name}`, () => {
    assert.deepEqual(plain(readConfigEntry(given)), kept);
  });
}

test("reading an entry: keys of the user are only keys", () => {
  const given = JSON.parse(
    '{"Kind":"proxy-defaults","Name":"global","Config":{"__proto__":{"x":1}},"Meta":{"constructor":"a"}}',
  ) as unknown;
  const entry = readConfigEntry(given);
  assert.deepEqual(Object.keys(entry["Config"] as object), ["__proto__"]);
  assert.deepEqual(Object.keys(entry["Meta"] as object), ["constructor"]);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

const badForms: readonly [string, unknown, string][] = [
  ["no kind", {}, "Payload does not contain a kind/Kind key at the top level"],
  ["a kind that is no text", { Kind: 5 }, "Kind value in payload is not a string"],
  ["no such kind", { Kind: "odd", Name: "x" }, "invalid config entry kind: odd"],
  ["a kind of Consul Enterprise", { Kind: "sameness-group", Name: "x" }, "invalid config entry kind: sameness-group"],
  [
    "an unknown field",
    { Kind: "service-defaults", Name: "web", Nope: 1 },
    '1 error occurred:\n\t* invalid config key "Nope"\n\n',
  ],
  [
    "unknown fields within, and a namespace",
    { Kind: "service-defaults", Name: "web", MeshGateway: { Nope: 1 }, Namespace: "x" },
    '2 errors occurred:\n\t* invalid config key "Namespace", namespaces are a consul enterprise feature\n\t* invalid config key "MeshGateway.Nope"\n\n',
  ],
  [
    "a wrong type",
    { Kind: "service-defaults", Name: "web", MaxInboundConnections: { a: 1 } },
    "1 error(s) decoding:\n\n* 'MaxInboundConnections' expected type 'int', got unconvertible type 'map'",
  ],
  [
    "a number that is none",
    { Kind: "service-defaults", Name: "web", MaxInboundConnections: "many" },
    "1 error(s) decoding:\n\n* 'MaxInboundConnections' expected type 'int', got unconvertible type 'string'",
  ],
  ["a list", [], "json: cannot unmarshal array into Go value of type map[string]interface {}"],
];

for (const [name, given, wanted] of badForms) {
  test(`reading an entry: ${name} is refused`, () => {
    assert.equal(
      message(() => readConfigEntry(given)),
      wanted,
    );
  });
}

test("every kind: has a form, and shows its kind and name", () => {
  for (const kind of CONFIG_ENTRY_KINDS) {
    const entry = readConfigEntry({ Kind: kind, Name: "n" });
    assert.deepEqual([entry.Kind, entry.Name], [kind, "n"]);
  }
  assert.equal(CONFIG_ENTRY_KINDS.length, 17);
});

// ------------------------------------------------------------------------------------------------- rules

const rules: readonly [string, unknown, RegExp | true][] = [
  ["a name is needed", { Kind: "service-defaults" }, /^Name is required$/],
  [
    "proxy defaults have one name",
    { Kind: "proxy-defaults", Name: "other" },
    /^invalid name \("other"\), only "global" is supported$/,
  ],
  ["proxy defaults may leave it out", { Kind: "proxy-defaults" }, true],
  ["mesh has one name", { Kind: "mesh", Name: "other" }, /^invalid name \("other"\), only "mesh" is supported$/],
  ["mesh may leave it out", { Kind: "mesh", TransparentProxy: { MeshDestinationsOnly: true } }, true],
  [
    "only the gateway controller writes bindings",
    { Kind: "bound-api-gateway", Name: "g" },
    /only writable by controller/,
  ],
  ["no wildcard for defaults", { Kind: "service-defaults", Name: "*" }, /not a wildcard/],
  [
    "meta is short",
    { Kind: "service-defaults", Name: "w", Meta: { a: "x".repeat(513) } },
    /Meta value for key "a" exceeds/,
  ],
  [
    "meta is small",
    {
      Kind: "service-defaults",
      Name: "w",
      Meta: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ""])),
    },
    /Meta exceeds maximum element count 64/,
  ],
  [
    "balance",
    { Kind: "service-defaults", Name: "w", BalanceInboundConnections: "even" },
    /balance_inbound_connections: even/,
  ],
  [
    "an override has a name",
    { Kind: "service-defaults", Name: "w", UpstreamConfig: { Overrides: [{}] } },
    /Name is required/,
  ],
  [
    "a default has none",
    { Kind: "service-defaults", Name: "w", UpstreamConfig: { Defaults: { Name: "x" } } },
    /Name must be empty/,
  ],
  [
    "a destination has addresses and a port",
    { Kind: "service-defaults", Name: "w", Destination: {} },
    /at least one valid address[^]*Invalid Port number 0/,
  ],
  ["a destination", { Kind: "service-defaults", Name: "w", Destination: { Addresses: ["a.b"], Port: 443 } }, true],
  ["access logs", { Kind: "proxy-defaults", AccessLogs: { Type: "file" } }, /path must be specified/],
  [
    "splits make 100",
    { Kind: "service-splitter", Name: "w", Splits: [{ Weight: 99 }] },
    /sum of all split weights must be 100, not 99/,
  ],
  [
    "splits differ",
    { Kind: "service-splitter", Name: "w", Splits: [{ Weight: 50 }, { Weight: 50, Service: "w" }] },
    /more than once/,
  ],
  [
    "a redirect stands alone",
    { Kind: "service-resolver", Name: "w", Redirect: { Service: "x" }, DefaultSubset: "v1", Subsets: { v1: {} } },
    /mutually exclusive/,
  ],
  ["the default subset exists", { Kind: "service-resolver", Name: "w", DefaultSubset: "v1" }, /not a valid subset/],
  ["a failover says where", { Kind: "service-resolver", Name: "w", Failover: { "*": {} } }, /one of Service/],
  [
    "a path begins with a slash",
    { Kind: "service-router", Name: "w", Routes: [{ Match: { HTTP: { PathExact: "x" } } }] },
    /doesn't start with '\/'/,
  ],
  [
    "one path",
    { Kind: "service-router", Name: "w", Routes: [{ Match: { HTTP: { PathExact: "/x", PathPrefix: "/x" } } }] },
    /at most one/,
  ],
  ["intentions have a source", { Kind: "service-intentions", Name: "w" }, /At least one source is required/],
  [
    "with an action",
    { Kind: "service-intentions", Name: "w", Sources: [{ Name: "a" }] },
    /Action must be set to 'allow' or 'deny'/,
  ],
  [
    "named once",
    {
      Kind: "service-intentions",
      Name: "w",
      Sources: [
        { Name: "a", Action: "allow" },
        { Name: "a", Action: "deny" },
      ],
    },
    /more than once/,
  ],
  [
    "no partial wildcard",
    { Kind: "service-intentions", Name: "w*", Sources: [{ Name: "a", Action: "allow" }] },
    /partial values/,
  ],
  [
    "tcp listeners have one service",
    { Kind: "ingress-gateway", Name: "g", Listeners: [{ Port: 1, Services: [{ Name: "a" }, { Name: "b" }] }] },
    /L7 protocols/,
  ],
  [
    "ports differ",
    {
      Kind: "ingress-gateway",
      Name: "g",
      Listeners: [
        { Port: 1, Services: [{ Name: "a" }] },
        { Port: 1, Services: [{ Name: "b" }] },
      ],
    },
    /declared on two listeners/,
  ],
  ["linked services have names", { Kind: "terminating-gateway", Name: "g", Services: [{}] }, /cannot be blank/],
  [
    "a certificate comes with its key",
    { Kind: "terminating-gateway", Name: "g", Services: [{ Name: "a", CertFile: "c" }] },
    /TLS origination/,
  ],
  ["exports have the default name", { Kind: "exported-services", Name: "x" }, /Name must be "default"/],
  [
    "exports",
    { Kind: "exported-services", Name: "default", Services: [{ Name: "a", Consumers: [{ PeerName: "p" }] }] },
    true,
  ],
  [
    "listeners",
    { Kind: "api-gateway", Name: "g", Listeners: [{ Name: "a", Port: 70000, Protocol: "udp" }] },
    /not in the range[^]*unsupported listener protocol/,
  ],
  ["route parents", { Kind: "tcp-route", Name: "r", Parents: [{ Kind: "x", Name: "g" }] }, /unsupported parent kind/],
  [
    "PEM",
    { Kind: "inline-certificate", Name: "c", Certificate: "x", PrivateKey: "y" },
    /private key PEM[^]*certificate PEM/,
  ],
  ["files", { Kind: "file-system-certificate", Name: "c", Certificate: "/c", PrivateKey: "/k" }, true],
  ["keys of a provider", { Kind: "jwt-provider", Name: "j" }, /JSONWebKeySet is required/],
  [
    "one source of keys",
    { Kind: "jwt-provider", Name: "j", JSONWebKeySet: { Local: { JWKS: "x" }, Remote: { URI: "https://k" } } },
    /exactly one/,
  ],
  ["a provider", { Kind: "jwt-provider", Name: "j", JSONWebKeySet: { Remote: { URI: "https://k/" } } }, true],
];

for (const [name, given, wanted] of rules) {
  test(`rules of entries: ${name}`, () => {
    const said = message(() => new Entries().set(given));
    if (wanted === true) assert.equal(said, "accepted");
    else assert.match(said, wanted);
  });
}

test("what is filled in: precedence and order of intentions, kinds of references, weights, methods", () => {
  const entries = new Entries();
  entries.set({
    Kind: "service-intentions",
    Name: "web",
    Sources: [
      { Name: "*", Action: "deny" },
      { Name: "b", Action: "allow" },
      { Name: "a", Permissions: [{ Action: "allow", HTTP: { PathExact: "/" } }] },
    ],
  });
  const sources = entries.get("service-intentions", "web")["Sources"] as {
    Name: string;
    Precedence: number;
    Type: string;
  }[];
  assert.deepEqual(
    sources.map(({ Name, Precedence, Type }) => [Name, Precedence, Type]),
    [
      ["a", 9, "consul"],
      ["b", 9, "consul"],
      ["*", 8, "consul"],
    ],
  );
  entries.set({
    Kind: "http-route",
    Name: "r",
    Parents: [{ Name: "g" }],
    Rules: [{ Matches: [{}], Services: [{ Name: "w" }] }],
  });
  const route = plain(entries.get("http-route", "r")) as {
    Parents: { Kind: string }[];
    Rules: { Matches: { Path: unknown }[]; Services: { Weight: number }[] }[];
  };
  assert.equal(route.Parents[0]?.Kind, "api-gateway");
  assert.deepEqual(route.Rules[0]?.Matches[0]?.Path, { Match: "prefix", Value: "/" });
  assert.equal(route.Rules[0]?.Services[0]?.Weight, 1);
});

test("a decoded entry: is not changed by being written", () => {
  const entry = readConfigEntry({
    Kind: "service-intentions",
    Name: "web",
    Sources: [
      { Name: "b", Action: "allow" },
      { Name: "a", Action: "allow" },
    ],
  });
  const before = JSON.stringify(entry);
  configEntrySet.prepare({ state: new StateStore() } as unknown as PrepareContext, { entry, cas: null });
  assert.equal(JSON.stringify(entry), before);
});

// ------------------------------------------------------------------------------------------------ chains

test("chains: routing needs a protocol with requests, whoever changes it", () => {
  const entries = new Entries();
  const router = { Kind: "service-router", Name: "web", Routes: [{ Destination: { Service: "api" } }] };
  assert.match(
    message(() => entries.set(router)),
    /chain "web" uses a protocol "tcp" that does not permit advanced routing/,
  );
  entries.set({ Kind: "proxy-defaults", Name: "global", Config: { protocol: "http" } });
  entries.set(router);
  assert.match(
    message(() => entries.set({ Kind: "service-defaults", Name: "api", Protocol: "tcp" })),
    /inconsistent protocols; service "api" has "tcp" which is not "http"/,
  );
  assert.match(
    message(() => entries.remove("proxy-defaults", "global")),
    /does not permit advanced routing/,
  );
  entries.set({ Kind: "service-defaults", Name: "other", Protocol: "tcp" });
  entries.remove("service-router", "web");
  entries.set({ Kind: "service-defaults", Name: "api", Protocol: "tcp" });
});

test("chains: subsets exist, and stay while they are named", () => {
  const entries = new Entries();
  entries.set({ Kind: "proxy-defaults", Name: "global", Config: { protocol: "grpc" } });
  const splitter = {
    Kind: "service-splitter",
    Name: "web",
    Splits: [
      { Weight: 50, ServiceSubset: "v1" },
      { Weight: 50, ServiceSubset: "v2" },
    ],
  };
  assert.match(
    message(() => entries.set(splitter)),
    /service "web" does not have a subset named "v1"/,
  );
  entries.set({ Kind: "service-resolver", Name: "web", Subsets: { v1: {}, v2: {} } });
  entries.set(splitter);
  assert.match(
    message(() => entries.set({ Kind: "service-resolver", Name: "web", Subsets: { v1: {} } })),
    /named "v2"/,
  );
  assert.match(
    message(() => entries.remove("service-resolver", "web")),
    /named "v1"/,
  );
});

test("chains: do not lead in a circle", () => {
  const entries = new Entries();
  entries.set({ Kind: "service-resolver", Name: "a", Redirect: { Service: "b" } });
  entries.set({ Kind: "service-resolver", Name: "b", Redirect: { Service: "c" } });
  assert.match(
    message(() => entries.set({ Kind: "service-resolver", Name: "c", Redirect: { Service: "a" } })),
    /circular reference/,
  );
  entries.set({ Kind: "service-resolver", Name: "c", Redirect: { Service: "a", Datacenter: "dc2" } });
});

// ------------------------------------------------------------------------------------------ write and read

test("writing: with an index only if it is the entry's, and the same again is no change", () => {
  const entries = new Entries();
  const web = { Kind: "service-defaults", Name: "web", Protocol: "http" };
  assert.equal(entries.set(web, 0), true);
  assert.equal(entries.set(web, 0), false);
  const { CreateIndex, ModifyIndex } = entries.get("service-defaults", "web");
  assert.equal(entries.set(web), true);
  assert.equal(entries.get("service-defaults", "web").ModifyIndex, ModifyIndex);
  assert.equal(entries.set({ ...web, Protocol: "tcp" }, ModifyIndex), true);
  const after = entries.get("service-defaults", "web");
  assert.ok(after.ModifyIndex > ModifyIndex);
  assert.equal(after.CreateIndex, CreateIndex);
  assert.equal(entries.remove("service-defaults", "web", ModifyIndex), false);
  assert.equal(entries.remove("service-defaults", "web", after.ModifyIndex), true);
  assert.equal(entries.remove("service-defaults", "web"), true);
});

test("the hash that is shown: is an exact number, and moves with what the entry says only", () => {
  const hashOf = (entry: object): unknown => {
    const entries = new Entries();
    for (let i = 0; i < 3; i++) entries.set({ Kind: "service-defaults", Name: "filler", Protocol: String(i) });
    entries.set(entry);
    return configEntryShape(entries.get("service-defaults", "web"))["Hash"];
  };
  const web = { Kind: "service-defaults", Name: "web", Protocol: "http" };
  const [hash, again, other] = [hashOf(web), hashOf({ ...web }), hashOf({ ...web, Protocol: "tcp" })];
  assert.ok(typeof hash === "bigint" || Number.isSafeInteger(hash));
  assert.equal(hash, again);
  assert.notEqual(hash, other);
});

test("listing: one kind by name, all kinds, filtered for service defaults only", () => {
  const entries = new Entries();
  for (const name of ["b", "a"])
    entries.set({ Kind: "service-defaults", Name: name, Protocol: name === "a" ? "http" : "tcp" });
  entries.set({ Kind: "mesh" });
  const list = (kind: string, filter = ""): string[] =>
    configEntryList.run(entries.state, { kind, filter }).value.map(({ Kind, Name }) => `${Kind}/${Name}`);
  assert.deepEqual(list("service-defaults"), ["service-defaults/a", "service-defaults/b"]);
  assert.deepEqual(list(""), ["mesh/mesh", "service-defaults/a", "service-defaults/b"]);
  assert.deepEqual(list("service-defaults", "Protocol == http"), ["service-defaults/a"]);
  assert.deepEqual(list("service-defaults", "MeshGateway.Mode == local or Name == b"), ["service-defaults/b"]);
  assert.equal(
    message(() => list("mesh", "Kind == mesh")),
    "filtering not supported for config entry kind=mesh",
  );
  assert.throws(() => list("odd"), OperationalError);
});
