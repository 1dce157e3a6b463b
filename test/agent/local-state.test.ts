// The agent's local state: what registrations make of it, what it tells, and how the API shows it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalState } from "../../src/agent/local-state.ts";
import {
  agentChecks,
  agentServices,
  hashedAgentService,
  healthStatusCode,
  serviceHealth,
  serviceHealthByName,
  worstHealth,
} from "../../src/agent/local-view.ts";
import { OperationalError } from "../../src/types/error.ts";
import { changesOf, check, service } from "./local-fixture.ts";

const newState = (more: Partial<ConstructorParameters<typeof LocalState>[0]> = {}): LocalState =>
  new LocalState({ nodeName: "n1", ...more });

/** As JSON shows it. */
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const refusal =
  (code: string, message: string) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof OperationalError);
    assert.deepEqual([error.code, error.message], [code, message]);
    return true;
  };

test("services: shown as Consul shows them, sorted by id", () => {
  const local = newState();
  local.addService(
    service({
      ID: "web-2",
      Name: "web",
      Tags: ["b", "a"],
      Address: "10.0.0.2",
      Port: 8081,
      Meta: { version: "2" },
      Weights: { Passing: 5, Warning: 2 },
      EnableTagOverride: true,
    }),
  );
  local.addService(service({ Name: "web", Port: 8080 }));
  const shown = agentServices(local, "dc1");
  assert.deepEqual(Object.keys(shown), ["web", "web-2"]);
  assert.deepEqual(json(shown), {
    web: {
      Address: "",
      Datacenter: "dc1",
      EnableTagOverride: false,
      ID: "web",
      Meta: {},
      Port: 8080,
      Service: "web",
      Tags: [],
      Weights: { Passing: 1, Warning: 1 },
    },
    "web-2": {
      Address: "10.0.0.2",
      Datacenter: "dc1",
      EnableTagOverride: true,
      ID: "web-2",
      Meta: { version: "2" },
      Port: 8081,
      Service: "web",
      TaggedAddresses: {
        lan_ipv4: { Address: "10.0.0.2", Port: 8081 },
        wan_ipv4: { Address: "10.0.0.2", Port: 8081 },
      },
      Tags: ["b", "a"],
      Weights: { Passing: 5, Warning: 2 },
    },
  });
});

test("services: what is set beside the usual is shown, and given tagged addresses stay", () => {
  const local = newState();
  local.addService(
    service({
      Name: "many",
      Address: "fd00::1",
      TaggedAddresses: { lan_ipv6: { Address: "fd00::2", Port: 1 } },
      Ports: [
        { Name: "a", Port: 1 },
        { Name: "b", Port: 2, Default: true },
      ],
      Locality: { Region: "r", Zone: "z" },
    }),
  );
  local.addService(service({ Name: "native", SocketPath: "/run/n.sock", Connect: { Native: true } }));
  const shown = json(agentServices(local, "dc1")["many"]) as Record<string, unknown>;
  assert.deepEqual(shown["TaggedAddresses"], {
    lan_ipv6: { Address: "fd00::2", Port: 1 },
    wan_ipv6: { Address: "fd00::1", Port: 2 },
  });
  assert.equal(shown["Port"], 2);
  assert.deepEqual(shown["Ports"], [
    { Name: "a", Port: 1, Default: false },
    { Name: "b", Port: 2, Default: true },
  ]);
  const native = json(agentServices(local, "dc1")["native"]) as Record<string, unknown>;
  assert.deepEqual([native["Connect"], native["SocketPath"]], [{ Native: true }, "/run/n.sock"]);
  assert.deepEqual(shown["Locality"], { Region: "r", Zone: "z" });
  assert.equal("Proxy" in shown, false);
});

test("services: the content hash changes with the content, and only then", () => {
  const local = newState();
  const hash = (): string => hashedAgentService(local.requireService("web").service, "dc1").ContentHash;
  local.addService(service({ Name: "web", Port: 1 }));
  const first = hash();
  assert.match(first, /^[0-9a-f]{16}$/);
  local.addService(service({ Name: "web", Port: 1, Check: { TTL: "1s" } }));
  assert.equal(hash(), first);
  local.addService(service({ Name: "web", Port: 2 }));
  assert.notEqual(hash(), first);
});

test("services: who watches one hears of its changes, and of no other's", () => {
  const local = newState();
  let heard = 0;
  const stop = local.watchService("web", () => (heard += 1));
  local.addService(service({ Name: "db" }));
  assert.equal(heard, 0);
  local.addService(service({ Name: "web" }));
  local.addCheck(check({ Name: "c", ServiceID: "web", TTL: "1s" }), "", "remote");
  local.updateCheck("c", "passing", "", "now");
  local.addService(service({ Name: "web", Port: 1 }));
  local.removeService("web");
  assert.equal(heard, 3);
  stop();
  local.addService(service({ Name: "web" }));
  assert.equal(heard, 3);
});

test("checks: those of a service get Consul's ids and names, and are shown as Consul shows them", () => {
  const local = newState();
  local.addService(service({ Name: "checked", Port: 1, Check: { TTL: "15s" } }));
  local.addService(
    service({
      Name: "multi",
      Tags: ["t"],
      Checks: [
        { TTL: "10s", Status: "passing" },
        { TTL: "20s", Name: "second", Notes: "n", CheckID: "own-id" },
        { HTTP: "http://a/", Interval: "10s", Timeout: "1s" },
      ],
    }),
  );
  const shown = json(agentChecks(local)) as Record<string, Record<string, unknown>>;
  assert.deepEqual(Object.keys(shown), ["own-id", "service:checked", "service:multi:1", "service:multi:3"]);
  assert.deepEqual(shown["service:checked"], {
    CheckID: "service:checked",
    CreateIndex: 0,
    Definition: {},
    ExposedPort: 0,
    Interval: "",
    ModifyIndex: 0,
    Name: "Service 'checked' check",
    Node: "n1",
    Notes: "",
    Output: "",
    ServiceID: "checked",
    ServiceName: "checked",
    ServiceTags: [],
    Status: "critical",
    Timeout: "",
    Type: "ttl",
  });
  assert.deepEqual(
    [shown["own-id"]?.["Name"], shown["own-id"]?.["Notes"], shown["service:multi:1"]?.["Status"]],
    ["second", "n", "passing"],
  );
  const third = shown["service:multi:3"];
  assert.deepEqual([third?.["Interval"], third?.["Timeout"], third?.["ServiceTags"]], ["10s", "1s", ["t"]]);
});

test("checks: a node's check shows its durations, also those that are zero", () => {
  const local = newState();
  local.addCheck(check({ Name: "mem", TTL: "15s", Notes: "memory" }), "", "remote");
  local.addCheck(check({ ID: "g", Name: "grpc", GRPC: "127.0.0.1:1", Interval: "10s" }), "", "remote");
  const shown = agentChecks(local);
  assert.deepEqual([shown["mem"]?.Interval, shown["mem"]?.Timeout, shown["mem"]?.Type], ["0s", "0s", "ttl"]);
  assert.deepEqual([shown["g"]?.Interval, shown["g"]?.Timeout, shown["g"]?.Type], ["10s", "0s", "grpc"]);
});

test("checks: a registration again keeps the state, and a service's checks stay unless they are replaced", () => {
  const local = newState();
  local.addService(
    service({
      Name: "web",
      Checks: [
        { CheckID: "a", TTL: "1s" },
        { CheckID: "b", TTL: "1s" },
      ],
    }),
  );
  local.updateCheck("a", "passing", "fine", "now");
  local.enableServiceMaintenance("web", "", "");
  local.addService(service({ Name: "web", Check: { CheckID: "a", TTL: "2s", Status: "critical" } }));
  assert.deepEqual([...local.checks.keys()], ["a", "b", "_service_maintenance:web"]);
  const { Status, Output } = local.requireCheck("a").check;
  assert.deepEqual([Status, Output], ["passing", "fine"]);
  local.addService(service({ Name: "web", Check: { CheckID: "a", TTL: "2s" } }, "remote", true));
  // Maintenance is the operator's: it is no check that a registration could replace.
  assert.deepEqual([...local.checks.keys()], ["a", "_service_maintenance:web"]);
  assert.deepEqual([...local.removedChecks.keys()], ["b"]);
  local.addCheck(check({ ID: "a", Name: "a", ServiceID: "web", TTL: "3s" }), "", "remote");
  assert.equal(local.requireCheck("a").check.Status, "passing");
});

test("checks: one that moves to another service is the other's", () => {
  const local = newState();
  local.addService(service({ Name: "a", Check: { CheckID: "c", TTL: "1s" } }));
  local.addService(service({ Name: "b" }));
  local.addCheck(check({ ID: "c", Name: "c", ServiceID: "b", TTL: "1s" }), "", "remote");
  assert.deepEqual([local.checksOf("a").length, local.checksOf("b").length], [0, 1]);
  local.removeService("a");
  assert.equal(local.checks.has("c"), true);
});

test("removal: a service goes with its checks, which need no removal of their own", () => {
  const local = newState();
  local.addService(service({ Name: "web", Check: { TTL: "1s" } }));
  local.addCheck(check({ Name: "node", TTL: "1s" }), "", "remote");
  const changes = changesOf(local);
  local.removeService("web");
  local.removeCheck("node");
  assert.deepEqual(changes, [
    "service-removed web persist",
    "check-removed service:web persist",
    "check-removed node persist",
  ]);
  assert.deepEqual([[...local.removedServices.keys()], [...local.removedChecks.keys()]], [["web"], ["node"]]);
  // Registered again, nothing is to be removed any more.
  local.addService(service({ Name: "web" }));
  local.addCheck(check({ Name: "node", TTL: "1s" }), "", "remote");
  assert.deepEqual([local.removedServices.size, local.removedChecks.size], [0, 0]);
});

const unknown: [string, (local: LocalState) => void, string, string][] = [
  [
    "service",
    (local) => local.removeService("none"),
    "not-found",
    'Unknown service ID "none". Ensure that the service ID is passed, not the service name.',
  ],
  [
    "service maintenance",
    (local) => local.enableServiceMaintenance("none", "", ""),
    "not-found",
    'Unknown service ID "none". Ensure that the service ID is passed, not the service name.',
  ],
  [
    "service maintenance off",
    (local) => local.disableServiceMaintenance("none"),
    "not-found",
    'Unknown service ID "none". Ensure that the service ID is passed, not the service name.',
  ],
  [
    "check",
    (local) => local.removeCheck("none"),
    "not-found",
    'Unknown check ID "none". Ensure that the check ID is passed, not the check name.',
  ],
  [
    "a check's service",
    (local) => local.addCheck(check({ Name: "bound", ServiceID: "nope", TTL: "10s" }), "", "remote"),
    "not-found",
    'ServiceID "nope" does not exist',
  ],
  [
    "script",
    (local) => local.addCheck(check({ Name: "s", Args: ["true"], Interval: "1s" }), "", "remote"),
    "refused",
    "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
  ],
  [
    "local script",
    (local) => local.addCheck(check({ Name: "s", Args: ["true"], Interval: "1s" }), "", "local"),
    "refused",
    "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or 'enable_local_script_checks' to true",
  ],
  [
    "service with a script",
    (local) => local.addService(service({ Name: "x", Check: { Args: ["true"], Interval: "1s" } })),
    "refused",
    "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
  ],
];
for (const [what, act, code, message] of unknown) {
  test(`refused: ${what}, and nothing is changed`, () => {
    const local = newState();
    const changes = changesOf(local);
    assert.throws(() => act(local), refusal(code, message));
    assert.deepEqual([changes, local.services.size, local.checks.size], [[], 0, 0]);
  });
}

test("scripts: those of files, or all of them, can be allowed", () => {
  const script = check({ Name: "s", Args: ["true"], Interval: "1s" });
  newState({ scriptChecks: { local: true, remote: false } }).addCheck(script, "", "local");
  newState({ scriptChecks: { local: false, remote: true } }).addCheck(script, "", "local");
  newState({ scriptChecks: { local: false, remote: true } }).addCheck(script, "", "remote");
  assert.throws(() => newState({ scriptChecks: { local: true, remote: false } }).addCheck(script, "", "remote"));
});

test("limits: what has to be raised is told", () => {
  const told: string[] = [];
  const local = newState({ warn: (message, id) => told.push(`${id}: ${message}`) });
  local.addCheck(check({ Name: "fast", TCP: "a:1", Interval: "1ms" }), "", "remote");
  assert.equal(local.requireCheck("fast").spec?.intervalMs, 1000);
  assert.deepEqual(told, ["fast: check has interval below minimum: minimum_interval=1s"]);
});

test("updates: a new state is told, the same again is not", () => {
  const local = newState();
  local.addCheck(check({ Name: "c", TTL: "1s" }), "", "remote");
  const record = local.requireCheck("c");
  record.inSync = true;
  const changes = changesOf(local);
  local.updateCheck("c", "passing", "ok", "now");
  assert.equal(record.inSync, false);
  record.inSync = true;
  local.updateCheck("c", "passing", "ok", "now");
  local.updateCheck("none", "passing", "ok", "now");
  assert.deepEqual(changes, ['check-status c passing "ok" now changed']);
  assert.equal(record.inSync, true);
});

test("updates: a deferred output is shown at once and out of sync later", () => {
  const local = newState();
  local.addCheck(check({ Name: "c", TTL: "1s", Status: "passing" }), "", "remote");
  const record = local.requireCheck("c");
  record.inSync = true;
  local.updateCheck("c", "passing", "new", "deferred");
  assert.deepEqual([record.check.Output, record.inSync, record.deferred], ["new", true, true]);
  local.updateCheck("c", "passing", "new", "now");
  assert.deepEqual([record.check.Output, record.inSync, record.deferred], ["new", false, false]);
});

test("updates: discarded outputs are no changes", () => {
  const local = newState({ discardCheckOutput: true });
  local.addCheck(check({ Name: "c", TTL: "1s", Status: "passing" }), "", "remote");
  const changes = changesOf(local);
  local.updateCheck("c", "passing", "noise", "deferred");
  local.updateCheck("c", "passing", "noise", "now");
  assert.deepEqual(changes, []);
  local.setDiscardCheckOutput(false);
  local.updateCheck("c", "passing", "noise", "deferred");
  assert.equal(local.requireCheck("c").check.Output, "noise");
});

test("maintenance: a node's and a service's, shown as Consul shows them", () => {
  const local = newState();
  local.addService(service({ Name: "m", Port: 9 }));
  local.enableServiceMaintenance("m", "upgrade", "");
  local.enableServiceMaintenance("m", "again", "");
  local.enableNodeMaintenance("", "");
  const shown = json(agentChecks(local)) as Record<string, unknown>;
  assert.deepEqual(shown["_service_maintenance:m"], {
    CheckID: "_service_maintenance:m",
    CreateIndex: 0,
    Definition: {},
    ExposedPort: 0,
    Interval: "",
    ModifyIndex: 0,
    Name: "Service Maintenance Mode",
    Node: "n1",
    Notes: "upgrade",
    Output: "",
    ServiceID: "m",
    ServiceName: "m",
    ServiceTags: [],
    Status: "critical",
    Timeout: "",
    Type: "maintenance",
  });
  const node = shown["_node_maintenance"] as Record<string, unknown>;
  assert.deepEqual(
    [node["Name"], node["Notes"], node["ServiceID"]],
    [
      "Node Maintenance Mode",
      "Maintenance mode is enabled for this node, but no reason was provided. This is a default message.",
      "",
    ],
  );
  local.disableServiceMaintenance("m");
  local.disableNodeMaintenance();
  local.disableNodeMaintenance();
  assert.equal(local.checks.size, 0);
  assert.deepEqual([...local.removedChecks.keys()], ["_service_maintenance:m", "_node_maintenance"]);
});

test("maintenance: a service's default reason names the service", () => {
  const local = newState();
  local.addService(service({ Name: "m" }));
  local.enableServiceMaintenance("m", "", "");
  assert.match(
    local.requireCheck("_service_maintenance:m").check.Notes,
    /^Maintenance mode is enabled for this service, /,
  );
});

test("health: by id and by name, with the node's checks, in Consul's shape", () => {
  const local = newState();
  local.addService(service({ Name: "checked", Port: 1, Check: { TTL: "15s" } }));
  local.updateCheck("service:checked", "passing", "all good", "now");
  assert.deepEqual(json(serviceHealth(local, "checked", "dc1")), {
    AggregatedStatus: "passing",
    Checks: [
      {
        CheckID: "service:checked",
        CreateIndex: 0,
        Definition: {
          Body: "",
          DeregisterCriticalServiceAfter: "0s",
          GRPC: "",
          GRPCUseTLS: false,
          HTTP: "",
          Header: null,
          Interval: "0s",
          Method: "",
          OSService: "",
          TCP: "",
          TCPUseTLS: false,
          TLSServerName: "",
          TLSSkipVerify: false,
          Timeout: "0s",
          UDP: "",
        },
        ExposedPort: 0,
        ModifyIndex: 0,
        Name: "Service 'checked' check",
        Node: "n1",
        Notes: "",
        Output: "all good",
        ServiceID: "checked",
        ServiceName: "checked",
        ServiceTags: null,
        Status: "passing",
        Type: "",
      },
    ],
    Service: {
      Address: "",
      Datacenter: "dc1",
      EnableTagOverride: false,
      ID: "checked",
      Meta: {},
      Port: 1,
      Service: "checked",
      Tags: [],
      Weights: { Passing: 1, Warning: 1 },
    },
  });
  assert.equal(serviceHealth(local, "none", "dc1"), null);
  local.addService(service({ ID: "checked-2", Name: "checked" }));
  assert.equal(worstHealth(serviceHealthByName(local, "checked", "dc1")), "passing");
  local.addCheck(check({ Name: "node", TTL: "1s", Status: "warning" }), "", "remote");
  assert.equal(serviceHealth(local, "checked-2", "dc1")?.AggregatedStatus, "warning");
  local.updateCheck("service:checked", "critical", "", "now");
  assert.deepEqual(
    serviceHealthByName(local, "checked", "dc1").map((health) => [health.Service.ID, health.AggregatedStatus]),
    [
      ["checked", "critical"],
      ["checked-2", "warning"],
    ],
  );
  assert.equal(worstHealth(serviceHealthByName(local, "checked", "dc1")), "critical");
  local.enableNodeMaintenance("", "");
  assert.equal(serviceHealth(local, "checked", "dc1")?.AggregatedStatus, "maintenance");
  assert.deepEqual(serviceHealthByName(local, "none", "dc1"), []);
  assert.deepEqual(
    (["passing", "warning", "critical", "maintenance"] as const).map(healthStatusCode),
    [200, 429, 503, 503],
  );
});

test("configured: a reload removes what the file no longer has, and leaves what the API registered", () => {
  const local = newState();
  const web = service({ Name: "web", Checks: [{ CheckID: "a", TTL: "1s" }, { TTL: "1s" }] }, "local");
  const mem = { ...check({ Name: "mem", TTL: "1s" }), token: "secret" };
  local.setConfigured([web, service({ Name: "old" }, "local")], [mem]);
  local.addService(service({ Name: "api" }));
  local.addCheck(check({ Name: "extra", ServiceID: "web", TTL: "1s" }), "", "remote");
  local.enableServiceMaintenance("web", "", "");
  local.updateCheck("a", "passing", "fine", "now");
  assert.deepEqual([...local.checks.keys()].sort(), ["_service_maintenance:web", "a", "extra", "mem", "service:web:2"]);
  assert.equal(local.requireCheck("mem").token, "secret");
  const changes = changesOf(local);
  local.setConfigured([service({ Name: "web", Check: { CheckID: "a", TTL: "1s" } }, "local")], []);
  assert.deepEqual([...local.services.keys()].sort(), ["api", "web"]);
  assert.deepEqual([...local.checks.keys()].sort(), ["_service_maintenance:web", "a", "extra"]);
  assert.equal(local.requireCheck("a").check.Status, "passing");
  assert.ok(
    changes.every((line) => !line.endsWith("persist")),
    changes.join("\n"),
  );
});

test("restored: a check shows again what it showed, once, and only if it is of that kind", () => {
  const local = newState();
  const before = { kind: "ttl", status: "passing", output: "fine" } as const;
  local.setRestored(
    new Map([
      ["a", before],
      ["b", { ...before, kind: "http" }],
    ]),
  );
  for (const id of ["a", "b"]) local.addCheck(check({ Name: id, TTL: "1s" }), "", "local");
  assert.deepEqual([local.requireCheck("a").check.Status, local.requireCheck("a").check.Output], ["passing", "fine"]);
  assert.equal(local.requireCheck("b").check.Status, "critical");
  local.removeCheck("a");
  local.addCheck(check({ Name: "a", TTL: "1s" }), "", "local");
  assert.equal(local.requireCheck("a").check.Status, "critical");
});

test("user keys: maps of users inherit nothing", () => {
  const local = newState();
  local.addService(
    service(
      JSON.parse('{"ID":"__proto__","Name":"p","Meta":{"constructor":"x"},"Check":{"TTL":"1s"}}') as Record<
        string,
        unknown
      >,
    ),
  );
  assert.deepEqual(Object.keys(agentServices(local, "dc1")), ["__proto__"]);
  assert.equal(serviceHealth(local, "__proto__", "dc1")?.Service.Meta["constructor"], "x");
  assert.equal(serviceHealth(local, "toString", "dc1"), null);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});
