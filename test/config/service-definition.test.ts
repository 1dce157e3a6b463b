import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeCheckDefinition,
  decodeServiceDefinition,
  dnsWarnings,
  serviceChecks,
} from "../../src/config/service-definition.ts";
import { proxyRecord } from "../../src/config/proxy-definition.ts";
import { OperationalError } from "../../src/types/error.ts";
import { userMap } from "../../src/util/user-map.ts";

const http = { source: "http" } as const;
const file = { source: "file" } as const;
const refused = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof OperationalError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
};
const service = (body: unknown): string => refused(() => decodeServiceDefinition(body, http));
const check = (body: unknown): string => refused(() => decodeCheckDefinition(body, http));
const interval = "Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks";
const validation = (...faults: string[]): string =>
  `Validation failed: ${faults.length === 1 ? "1 error" : `${faults.length} errors`} occurred:\n` +
  `${faults.map((fault) => `\t* ${fault}\n`).join("")}\n`;

// The first rows are the steps "bad registrations" of the recordings.
const services: readonly [string, unknown, string][] = [
  ["nothing", {}, "Missing service name"],
  [
    "a port that is a text",
    { Name: "x", Port: "abc" },
    "Request decode failed: json: cannot unmarshal string into field Port of type int",
  ],
  ["a check without interval", { Name: "x", Check: { HTTP: "http://127.0.0.1:1" } }, `Invalid check: ${interval}`],
  [
    "a check with both times",
    { Name: "x", Check: { TTL: "10s", Interval: "1s" } },
    "Invalid check: Interval and TTL cannot both be specified",
  ],
  [
    "a check's status",
    { Name: "x", Check: { TTL: "10s", Status: "odd" } },
    "Status for checks must 'passing', 'warning', 'critical'",
  ],
  ["a check's duration", { Name: "x", Check: { TTL: "abc" } }, 'Request decode failed: time: invalid duration "abc"'],
  ["a weight", { Name: "x", Weights: { Passing: -1, Warning: 1 } }, "Invalid Weights: Passing must be greater than 0"],
  ["0.0.0.0", { Name: "x", Address: "0.0.0.0" }, "Invalid service address"],
  [
    "an empty key",
    { Name: "x", Meta: { "": "v" } },
    "Invalid Service Meta: Couldn't load metadata pair ('', 'v'): Key cannot be blank",
  ],
  [
    "a bad key",
    { Name: "x", Meta: { "bad key": "v" } },
    "Invalid Service Meta: Couldn't load metadata pair ('bad key', 'v'): Key contains invalid characters",
  ],
  [
    "a long value",
    { Name: "x", Meta: { k: "v".repeat(600) } },
    `Invalid Service Meta: Couldn't load metadata pair ('k', '${"v".repeat(600)}'): Value is too long (limit: 512 characters)`,
  ],
  // Beyond the recordings.
  ["no object", [], "Request decode failed: json: cannot unmarshal array into value of type object"],
  ["::", { Name: "x", Address: "::" }, "Invalid service address"],
  ["[::]", { Name: "x", Address: "[::]" }, "Invalid service address"],
  ["an unknown field", { Name: "x", Prot: 1 }, 'Request decode failed: json: unknown field "Prot"'],
  [
    "an unknown field of a check",
    { Name: "x", Check: { Nope: 1 } },
    'Request decode failed: json: unknown field "Nope"',
  ],
  [
    "a namespace",
    { Name: "x", Namespace: "n" },
    'Request decode failed: json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature',
  ],
  [
    "a partition",
    { Name: "x", Partition: "p" },
    'Request decode failed: json: unknown field "Partition" - Partitions are a Consul Enterprise feature',
  ],
  [
    "weights that are too large",
    { Name: "x", Weights: { Passing: 65_536, Warning: 1 } },
    "Invalid Weights: DNS Weight must be between 0 and 65535",
  ],
  [
    "a negative warning weight",
    { Name: "x", Weights: { Passing: 1, Warning: -1 } },
    "Invalid Weights: Warning must be greater or equal than 0",
  ],
  [
    "half weights: the rest is 0",
    { Name: "x", Weights: { Warning: 1 } },
    "Invalid Weights: Passing must be greater than 0",
  ],
  [
    "65 pairs",
    { Name: "x", Meta: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ""])) },
    "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs",
  ],
  [
    "a reserved key",
    { Name: "x", Meta: { "consul-x": "" } },
    "Invalid Service Meta: Couldn't load metadata pair ('consul-x', ''): Key prefix 'consul-' is reserved for internal use",
  ],
  [
    "two kinds of ports",
    { Name: "x", Port: 1, Ports: [{ Name: "a", Port: 1, Default: true }] },
    validation("Cannot set both Port and Ports"),
  ],
  ["a port without name", { Name: "x", Ports: [{ Port: 1, Default: true }] }, validation("Ports.Name cannot be empty")],
  ["a port of 0", { Name: "x", Ports: [{ Name: "a" }] }, validation("Ports.Port must be greater than zero")],
  [
    "a port's name twice",
    {
      Name: "x",
      Ports: [
        { Name: "a", Port: 1 },
        { Name: "a", Port: 2 },
      ],
    },
    validation('Ports.Name "a" has to be unique'),
  ],
  [
    "two default ports",
    {
      Name: "x",
      Ports: [
        { Name: "a", Port: 1, Default: true },
        { Name: "b", Port: 2, Default: true },
      ],
    },
    validation("Only one port can be marked as default"),
  ],
  [
    "no default port",
    { Name: "x", Ports: [{ Name: "a", Port: 1 }] },
    validation("One of the Ports must be marked as Default"),
  ],
  ["a zone without region", { Name: "x", Locality: { Zone: "z" } }, validation("zone cannot be set without region")],
  [
    "a proxy of nothing",
    { Name: "x", Kind: "connect-proxy" },
    validation(
      "Port or SocketPath must be set for a connect-proxy",
      "Proxy.DestinationServiceName must be non-empty for Connect proxy services",
    ),
  ],
  [
    "a proxy of everything",
    { Name: "x", Kind: "connect-proxy", Port: 1, Proxy: { DestinationServiceName: "*" } },
    validation("Proxy.DestinationServiceName must not be a wildcard for Connect proxy services"),
  ],
  [
    "a native proxy",
    { Name: "x", Kind: "connect-proxy", Port: 1, Connect: { Native: true }, Proxy: { DestinationServiceName: "a" } },
    validation("A Proxy cannot also be Connect Native, only typical services"),
  ],
  [
    "upstreams",
    {
      Name: "x",
      Kind: "connect-proxy",
      Port: 1,
      Proxy: {
        DestinationServiceName: "a",
        Upstreams: [
          { DestinationType: "x", DestinationName: "a", LocalBindPort: 1 },
          { LocalBindPort: 1 },
          { DestinationName: "*", LocalBindPort: 1 },
          { DestinationName: "a", DestinationPeer: "p", Datacenter: "d", LocalBindPort: 1 },
          { DestinationName: "a" },
          { DestinationName: "a", LocalBindPort: 1, LocalBindSocketPath: "/x" },
          { DestinationName: "b", LocalBindPort: 5 },
          { DestinationName: "b", LocalBindPort: 6 },
          { DestinationName: "c", LocalBindPort: 5 },
        ],
      },
    },
    validation(
      'unknown upstream destination type: "x"',
      "upstream destination name cannot be empty",
      "upstream destination name cannot be a wildcard",
      "upstream cannot specify both destination peer and datacenter",
      "upstream local bind port or local socket path must be defined and nonzero",
      "only one of upstream local bind port or local socket path can be defined and nonzero",
      'upstreams cannot contain duplicates of [type="service", name="b", partition="", namespace="", peer="", datacenter=""]',
      'upstreams cannot contain duplicates by local bind address and port or unix path; "127.0.0.1:5" is specified twice',
    ),
  ],
  [
    "exposed paths",
    {
      Name: "x",
      Kind: "connect-proxy",
      Port: 1,
      Proxy: {
        DestinationServiceName: "a",
        Expose: {
          Paths: [
            { ListenerPort: 1 },
            { Path: "/", ListenerPort: 1, Protocol: "FTP" },
            { Path: "/", ListenerPort: 65_536 },
          ],
        },
      },
    },
    validation(
      "expose.paths: empty path exposed",
      "expose.paths: duplicate listener ports exposed",
      "protocol 'ftp' not supported for path: /, must be in: [http http2]",
      "expose.paths: invalid listener port: 65536",
    ),
  ],
  [
    "a gateway with what only proxies have",
    {
      Name: "x",
      Kind: "mesh-gateway",
      Connect: { SidecarService: {} },
      Proxy: { DestinationServiceName: "a", LocalServicePort: 1, Upstreams: [{}] },
    },
    validation(
      "Port must be non-zero for a mesh-gateway",
      "A mesh-gateway cannot have a sidecar service defined",
      "The Proxy.DestinationServiceName configuration is invalid for a mesh-gateway",
      "The Proxy.LocalServicePort configuration is invalid for a mesh-gateway",
      "The Proxy.Upstreams configuration is invalid for a mesh-gateway",
    ),
  ],
  [
    "a native service without port",
    { Name: "x", Connect: { Native: true } },
    validation("Port or SocketPath must be set for a Connect native service."),
  ],
  [
    "a sidecar with an id",
    { Name: "x", Connect: { SidecarService: { ID: "y" } } },
    validation("A SidecarService cannot specify an ID as this is managed by the agent"),
  ],
  [
    "a sidecar in a sidecar",
    { Name: "x", Connect: { SidecarService: { Connect: { SidecarService: {} } } } },
    validation("A SidecarService cannot have a nested SidecarService"),
  ],
  [
    "a sidecar's check",
    { Name: "x", Connect: { SidecarService: { Checks: [{ TCP: "x" }] } } },
    `Invalid check in sidecar_service: ${interval}`,
  ],
  [
    "a sidecar beside several ports",
    { Name: "x", Ports: [{ Name: "a", Port: 1, Default: true }], Connect: { SidecarService: {} } },
    "MultiPort cannot be used with Consul Connect.",
  ],
  ["an empty check in a list", { Name: "x", Checks: [{}] }, "Invalid check: TTL must be > 0 for TTL checks"],
];

for (const [name, body, message] of services) {
  test(`decodeServiceDefinition: ${name} is refused`, () => assert.equal(service(body), `invalid-request: ${message}`));
}

test("decodeServiceDefinition: a tagged address of the wrong family is refused as Consul does, with 500", () => {
  for (const [tag, family] of [
    ["lan_ipv4", 4],
    ["wan_ipv6", 6],
  ] as const) {
    const body = { Name: "x", TaggedAddresses: { [tag]: { Address: family === 4 ? "::1" : "1.2.3.4" } } };
    assert.equal(service(body), `refused: Service tagged address "${tag}" must be a valid ipv${family} address`);
  }
});

const accepted: readonly [string, unknown][] = [
  ["an empty check", { Name: "x", Check: {} }],
  ["a check whose fields are all empty", { Name: "x", Check: { HTTP: "", Interval: 0, Header: {}, Args: [] } }],
  ["an unknown kind", { Name: "x", Kind: "odd" }],
  [
    "null for everything",
    {
      Name: "x",
      Tags: null,
      Meta: null,
      Check: null,
      Checks: null,
      Weights: null,
      Proxy: null,
      Connect: null,
      Port: null,
    },
  ],
  ["an address that is a name", { Name: "x", Address: "host.example" }],
  ["a name that DNS cannot have", { Name: "x y" }],
  [
    "a mesh gateway's reserved key",
    { Name: "x", Kind: "mesh-gateway", Port: 1, Meta: { "consul-wan-federation": "1" } },
  ],
  ["an ingress gateway without port", { Name: "x", Kind: "ingress-gateway" }],
  ["a sidecar", { Name: "x", Connect: { SidecarService: {} } }],
];

for (const [name, body] of accepted) {
  test(`decodeServiceDefinition: ${name} is accepted`, () => assert.equal(service(body), "accepted"));
}

test("decodeServiceDefinition: a name alone gives the defaults", () => {
  assert.deepEqual(decodeServiceDefinition({ Name: "web" }, http), {
    kind: "",
    id: "web",
    name: "web",
    tags: [],
    address: "",
    taggedAddresses: null,
    meta: userMap(),
    port: 0,
    ports: [],
    socketPath: "",
    weights: { Passing: 1, Warning: 1 },
    token: "",
    enableTagOverride: false,
    locality: null,
    proxy: null,
    connect: null,
    checks: [],
  });
});

test("decodeServiceDefinition: both spellings, in any case, say the same", () => {
  const camel = {
    ID: "web-1",
    Name: "web",
    Tags: ["a"],
    TaggedAddresses: { lan: { Address: "1.2.3.4", Port: 1 } },
    EnableTagOverride: true,
    SocketPath: "",
    Weights: { Passing: 5, Warning: 2 },
    Check: { CheckID: "c", Args: ["x"], Interval: "10s", DeregisterCriticalServiceAfter: "1m", TLSSkipVerify: true },
    Connect: { SidecarService: { Proxy: { LocalServicePort: 1 } } },
  };
  const snake = {
    id: "web-1",
    NAME: "web",
    tags: ["a"],
    tagged_addresses: { lan: { address: "1.2.3.4", port: 1 } },
    enable_tag_override: true,
    socket_path: "",
    weights: { passing: 5, warning: 2 },
    check: {
      id: "c",
      script_args: ["x"],
      interval: 10e9,
      deregister_critical_service_after: 60e9,
      tls_skip_verify: true,
    },
    connect: { sidecar_service: { proxy: { local_service_port: 1 } } },
  };
  const decoded = decodeServiceDefinition(camel, http);
  assert.deepEqual(decodeServiceDefinition(snake, http), decoded);
  assert.deepEqual(decodeServiceDefinition(snake, file), decoded);
  assert.deepEqual(
    [decoded.enableTagOverride, decoded.weights, decoded.checks[0]?.intervalMs, decoded.checks[0]?.tlsSkipVerify],
    [true, { Passing: 5, Warning: 2 }, 10_000, true],
  );
});

test("decodeServiceDefinition: requests number `Check` first, files last", () => {
  const body = { name: "x", check: { name: "one", ttl: "1s" }, checks: [{ name: "two", ttl: "1s" }] };
  const names = (source: typeof http | typeof file): string[] =>
    decodeServiceDefinition(body, source).checks.map(({ name }) => name);
  assert.deepEqual(names(http), ["one", "two"]);
  assert.deepEqual(names(file), ["two", "one"]);
});

test("decodeServiceDefinition: in a file an unknown kind is an ordinary service, half weights are 1", () => {
  const decoded = decodeServiceDefinition({ name: "x", kind: "odd", weights: { warning: 3 } }, file);
  assert.deepEqual([decoded.kind, decoded.weights], ["", { Passing: 1, Warning: 3 }]);
  assert.equal(decodeServiceDefinition({ Name: "x", Kind: "odd" }, http).kind, "odd");
});

test("decodeServiceDefinition: in a file one block is a list of one", () => {
  const decoded = decodeServiceDefinition(
    { name: "x", checks: { ttl: "1s" }, ports: { name: "a", port: 1, default: true } },
    file,
  );
  assert.deepEqual([decoded.checks.length, decoded.ports], [1, [{ Name: "a", Port: 1, Default: true }]]);
});

test("decodeServiceDefinition: in a file modes of the proxy are checked", () => {
  const fault = (proxy: unknown): string => refused(() => decodeServiceDefinition({ name: "x", proxy }, file));
  assert.equal(fault({ mode: "odd" }), 'invalid-request: Invalid Proxy Mode: "odd"');
  assert.equal(fault({ mesh_gateway: { mode: "odd" } }), 'invalid-request: Invalid Mesh Gateway Mode: "odd"');
  assert.equal(
    fault({ upstreams: { destination_name: "a", local_bind_socket_mode: "9" } }),
    "invalid-request: local_bind_socket_mode: invalid mode: 9",
  );
});

test("serviceChecks: ids and names as Consul gives them", () => {
  const named = (...checks: unknown[]): unknown =>
    serviceChecks(decodeServiceDefinition({ ID: "w-1", Name: "web", Checks: checks }, http)).map(({ id, name }) => [
      id,
      name,
    ]);
  assert.deepEqual(named({ TTL: "1s" }), [["service:w-1", "Service 'web' check"]]);
  assert.deepEqual(named({ TTL: "1s" }, { TTL: "1s", Name: "n", CheckID: "own" }, { TTL: "1s" }), [
    ["service:w-1:1", "Service 'web' check"],
    ["own", "n"],
    ["service:w-1:3", "Service 'web' check"],
  ]);
});

test("dnsWarnings: what DNS will not find", () => {
  const warn = (body: object): number => dnsWarnings(decodeServiceDefinition({ Name: "web", ...body }, http)).length;
  assert.equal(warn({}), 0);
  assert.equal(warn({ Name: "a.b", Tags: ["v1.2", "ok", "x".repeat(64)] }), 3);
  assert.equal(warn({ Ports: [{ Name: "a_b", Port: 1, Default: true }] }), 1);
});

test("proxyRecord: what is empty is left out, as the catalog shows it", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(proxyRecord(null))), { Expose: {}, MeshGateway: {}, Mode: "" });
  const { proxy } = decodeServiceDefinition(
    {
      Name: "p",
      Kind: "connect-proxy",
      Port: 1,
      Proxy: {
        DestinationServiceName: "web",
        Config: { a: 1 },
        Mode: "transparent",
        MeshGateway: { Mode: "local" },
        Upstreams: [{ destination_name: "db", local_bind_port: 5 }],
      },
    },
    http,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(proxyRecord(proxy))), {
    DestinationServiceName: "web",
    Config: { a: 1 },
    Upstreams: [
      { DestinationName: "db", LocalBindPort: 5, DestinationType: "service", Datacenter: "", MeshGateway: {} },
    ],
    Mode: "transparent",
    MeshGateway: { Mode: "local" },
    Expose: {},
  });
});

const checks: readonly [string, unknown, string][] = [
  ["nothing", {}, "Missing check name"],
  ["a name alone", { Name: "c" }, "Invalid check: TTL must be > 0 for TTL checks"],
  ["a TTL of 0", { Name: "c", TTL: "0s" }, "Invalid check: TTL must be > 0 for TTL checks"],
  ["a negative TTL", { Name: "c", TTL: "-1s" }, "Invalid check: TTL must be > 0 for TTL checks"],
  ["a status", { Name: "c", TTL: "1s", Status: "odd" }, "Bad check status"],
  ["a text", "nonsense", "Request decode failed: json: cannot unmarshal string into value of type object"],
  ["both times", { Name: "c", TTL: "1s", Interval: "1s" }, "Invalid check: Interval and TTL cannot both be specified"],
  ...["HTTP", "TCP", "UDP", "GRPC", "H2PING", "OSService"].map((field): [string, unknown, string] => [
    `${field} without interval`,
    { Name: "c", [field]: "x" },
    `Invalid check: ${interval}`,
  ]),
  ["a script without interval", { Name: "c", Args: ["x"] }, `Invalid check: ${interval}`],
  [
    "an alias with a target",
    { Name: "c", AliasNode: "n", HTTP: "x", Interval: "1s" },
    "Invalid check: Interval cannot be set for Alias checks",
  ],
  [
    "an alias with a TTL",
    { Name: "c", AliasService: "s", TTL: "1s" },
    "Invalid check: TTL must be not be set for Alias checks",
  ],
  [
    "a negative output size",
    { Name: "c", TTL: "1s", OutputMaxSize: -1 },
    "Invalid check: MaxOutputMaxSize must be positive",
  ],
  [
    "thresholds the wrong way round",
    { Name: "c", TTL: "1s", FailuresBeforeWarning: 3, FailuresBeforeCritical: 2 },
    "Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical",
  ],
  ["an unknown field", { Name: "c", TTL: "1s", Nope: 1 }, 'Request decode failed: json: unknown field "Nope"'],
  [
    "a duration of another type",
    { Name: "c", TTL: true },
    "Request decode failed: json: cannot unmarshal bool into field TTL of type duration",
  ],
  [
    "a header that is no list",
    { Name: "c", Header: { A: "b" } },
    "Request decode failed: json: cannot unmarshal string into field Header.A of type list",
  ],
];

for (const [name, body, message] of checks) {
  test(`decodeCheckDefinition: ${name} is refused`, () => assert.equal(check(body), `invalid-request: ${message}`));
}

const types: readonly [unknown, string][] = [
  [{ TTL: "1s" }, "ttl"],
  [{ HTTP: "x", Interval: "1s" }, "http"],
  [{ TCP: "x", Interval: "1s" }, "tcp"],
  [{ UDP: "x", Interval: "1s" }, "udp"],
  [{ GRPC: "x", Interval: "1s" }, "grpc"],
  [{ H2PING: "x", Interval: "1s" }, "h2ping"],
  [{ OSService: "x", Interval: "1s" }, "os_service"],
  [{ Args: ["x"], Interval: "1s" }, "script"],
  [{ Args: ["x"], DockerContainerID: "d", Interval: "1s" }, "docker"],
  [{ AliasNode: "n" }, "alias"],
  [{ AliasService: "s" }, "alias"],
  [{ HTTP: "x", GRPC: "y", TCP: "z", Interval: "1s" }, "grpc"],
  [{ HTTP: "x", TCP: "z", Interval: "1s" }, "http"],
];

for (const [body, type] of types) {
  test(`decodeCheckDefinition: ${JSON.stringify(body)} is of type ${type}`, () => {
    assert.equal(decodeCheckDefinition({ Name: "c", ...(body as object) }, http).type, type);
  });
}

test("decodeCheckDefinition: durations in Go's form beside the milliseconds", () => {
  const decoded = decodeCheckDefinition({ Name: "c", HTTP: "x", Interval: "60s", Timeout: 1_500_000 }, http);
  assert.deepEqual(
    [decoded.interval, decoded.intervalMs, decoded.timeout, decoded.timeoutMs, decoded.ttl, decoded.ttlMs],
    ["1m0s", 60_000, "1.5ms", 1.5, "", 0],
  );
});

test("decodeCheckDefinition: defaults", () => {
  const of = (body: object): ReturnType<typeof decodeCheckDefinition> =>
    decodeCheckDefinition({ Name: "c", ...body }, http);
  assert.equal(of({ TTL: "1s" }).id, "c");
  assert.equal(of({ ID: "i", TTL: "1s" }).id, "i");
  assert.equal(of({ H2PING: "x", Interval: "1s" }).h2pingUseTls, true);
  assert.equal(of({ H2PING: "x", Interval: "1s", H2PingUseTLS: false }).h2pingUseTls, false);
  assert.equal(of({ TTL: "1s" }).h2pingUseTls, false);
  assert.equal(of({ TTL: "1s", FailuresBeforeCritical: 3 }).failuresBeforeWarning, 3);
  assert.equal(of({ TTL: "1s", FailuresBeforeCritical: 3, FailuresBeforeWarning: 1 }).failuresBeforeWarning, 1);
});

test("decodeCheckDefinition: in a file an id serves for a name, faults stand alone", () => {
  assert.equal(decodeCheckDefinition({ id: "i", ttl: "1s" }, file).id, "i");
  assert.equal(
    refused(() => decodeCheckDefinition({ name: "c" }, file)),
    "invalid-request: TTL must be > 0 for TTL checks",
  );
  assert.equal(
    refused(() => decodeCheckDefinition({ nope: 1 }, file)),
    'invalid-request: unknown field "nope"',
  );
});
