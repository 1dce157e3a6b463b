import assert from "node:assert/strict";
import { test } from "node:test";
import { check, deregister, kv, Log, node, register, service } from "./fixtures.ts";

const ID_A = "40e4a748-2192-161a-0510-9bf59fe950b5";
const ID_B = "51f5b859-32a3-272b-1621-acf60fe950b5";

test("the same registration again: changes nothing and moves no index", () => {
  const log = new Log();
  const command = register(node("n", { Meta: { rack: "r1" } }), {
    service: service("web", { Tags: ["v1"], Meta: { env: "prod" } }),
    checks: [check("c", { ServiceID: "web" })],
  });
  log.value(command);
  const { changes, topics } = log.apply(structuredClone(command));
  assert.deepEqual([changes, topics], [[], []]);
  assert.equal(log.store.healthService("web").index, 2);
});

test("an update: moves the record it says, and the services that show it", () => {
  const log = new Log();
  log.value(register("n", { service: service("web"), checks: [check("c", { ServiceID: "web" })] }));
  log.value(register("m", { service: service("db") }));
  const index = (name: string): number => log.store.healthService(name).index;
  assert.deepEqual([index("web"), index("db")], [2, 3]);
  log.value(register("n", { service: service("web", { Port: 1 }) }));
  assert.deepEqual([index("web"), index("db")], [4, 3], "the instance");
  log.value(register("n", { checks: [check("c", { ServiceID: "web", Output: "x" })] }));
  assert.deepEqual([index("web"), index("db")], [5, 3], "its check");
  log.value(register("n", { checks: [check("node-check")] }));
  assert.deepEqual([index("web"), index("db")], [6, 3], "its node's check");
  log.value(register(node("n", { Address: "10.9.9.9" })));
  assert.deepEqual([index("web"), index("db")], [7, 3], "its node");
  log.value(deregister("n", { checkId: "node-check" }));
  assert.deepEqual([index("web"), index("db")], [8, 3]);
  log.value(deregister("n"));
  assert.deepEqual([index("web"), index("db"), index("never")], [9, 3, 1]);
  assert.equal(log.store.serviceChecks("web").index, 9);
});

test("a node without what it had: loses it, unless the node update is skipped", () => {
  const log = new Log();
  log.value(register(node("n", { Meta: { a: "b" }, ID: ID_A })));
  log.value(register(node("n", { Address: "10.0.0.2" }), { skipNodeUpdate: true }));
  assert.deepEqual([log.store.node("n").value?.Address, log.store.node("n").index], ["10.0.0.1", 2]);
  log.value(register("n"));
  assert.deepEqual([log.store.node("n").value?.Meta, log.store.node("n").value?.ID], [null, ""]);
  log.value(register(node("new", { Address: "" }), { skipNodeUpdate: true }));
  assert.notEqual(log.store.node("new").value, null);
});

test("a service without an ID: has its name as ID", () => {
  const log = new Log();
  log.value(register("n", { service: service("web") }));
  log.value(register("n", { service: service("web", { Port: 80 }) }));
  assert.deepEqual(
    log.store.nodeServices("n").value?.Services.map(({ ID, Port }) => [ID, Port]),
    [["web", 80]],
  );
});

test("checks: take the name and the tags that their service has when they are registered", () => {
  const log = new Log();
  log.value(
    register("n", {
      service: service("web", { ID: "w", Tags: ["v1"] }),
      checks: [check("c", { ServiceID: "w", ServiceName: "wrong" })],
    }),
  );
  log.value(register("n", { service: service("web", { ID: "w", Tags: ["v2"] }) }));
  const shown = log.store.check("n", "c").value;
  assert.deepEqual([shown?.ServiceName, shown?.ServiceTags], ["web", ["v1"]]);
  log.value(register("n", { checks: [check("", { Name: "by name", Status: "" as "passing" })] }));
  assert.equal(log.store.check("n", "by name").value?.Status, "critical");
});

test("registrations that are refused: say Consul's text and change nothing", () => {
  const log = new Log();
  log.value(register("n", { service: service("web") }));
  const table: [ReturnType<typeof register>, string][] = [
    [register("x", { checks: [check("c", { ServiceID: "absent" })] }), "Unknown service ID 'absent' for check ID 'c'"],
    [
      register("x", { service: service("db"), checks: [check("c", { Node: "y" })] }),
      "Node 'y' for check 'c' doesn't match register request node 'x'",
    ],
    [register(node("")), "failed inserting node: Must provide node"],
    [register("a\u0000b"), "failed inserting node: Invalid node: a name must not contain a NUL character"],
    [
      register("n", { service: service("we\u0000b") }),
      "failed inserting service: Invalid service: a name must not contain a NUL character",
    ],
    [
      register("n", { checks: [check("\u0000")] }),
      'failed inserting check on node "n": Invalid check: a name must not contain a NUL character',
    ],
    [
      register("n", { service: service("", { ID: "x" }) }),
      "failed inserting service: Must provide service name (Service.Service) when service ID is provided",
    ],
    [register("n", { checks: [check("")] }), 'failed inserting check on node "n": Must provide check ID or name'],
  ];
  for (const [command, message] of table) assert.equal(log.refusal(command), message);
  assert.deepEqual(
    log.store.nodes().value.map(({ Node }) => Node),
    ["n"],
  );
  assert.deepEqual([...log.store.services().value.keys()], ["web"]);
});

test("a node ID under a new name: renames the node, and what was on it goes", () => {
  const log = new Log();
  log.value(register(node("old", { ID: ID_A }), { service: service("web"), checks: [check("c")] }));
  log.value(register(node("new", { ID: ID_A.toUpperCase() })));
  assert.equal(log.store.node("old").value, null);
  const renamed = log.store.node("new").value;
  assert.deepEqual([renamed?.CreateIndex, renamed?.ModifyIndex], [2, 3]);
  assert.deepEqual(log.store.nodeChecks("old").value, []);
  assert.deepEqual(log.store.serviceNodes("web").value, []);
});

test("a node name that a living node has: is refused to another ID", () => {
  const reserved = `Node name n is reserved by node ${ID_A} with name n (10.0.0.1)`;
  const log = new Log();
  log.value(register(node("n", { ID: ID_A }), { checks: [check("serfHealth")] }));
  log.value(register(node("m", { ID: ID_B })));
  assert.equal(
    log.refusal(register(node("n", { ID: "other" }))),
    `failed inserting node: Error while renaming Node ID: "other": ${reserved}`,
  );
  assert.equal(
    log.refusal(register(node("n", { ID: ID_B }))),
    `failed inserting node: Error while renaming Node ID: "${ID_B}" (10.0.0.1): ${reserved}`,
  );
  log.value(register(node("n", { ID: ID_A }), { checks: [check("serfHealth", { Status: "critical" })] }));
  log.value(register(node("n", { ID: ID_B })));
  assert.deepEqual(
    log.store.nodes().value.map(({ Node, ID }) => [Node, ID]),
    [["n", ID_B]],
    "a dead node's name may be taken",
  );
});

test("a living node without an ID: may get one, and its name is not taken by a renaming", () => {
  const log = new Log();
  log.value(register("n", { checks: [check("serfHealth")] }));
  log.value(register(node("m", { ID: ID_B })));
  assert.match(log.refusal(register(node("n", { ID: ID_B }))), /is reserved by node {2}with name n/);
  log.value(register(node("n", { ID: ID_A })));
  assert.equal(log.store.node("n").value?.ID, ID_A);
});

test("deregistering: the service with its checks, the check, or the node with all; true of what is not there", () => {
  const log = new Log();
  const fill = (): void => {
    log.value(
      register("n", {
        service: service("web", { ID: "w" }),
        checks: [check("c1", { ServiceID: "w" }), check("c2", { ServiceID: "w" }), check("c3")],
      }),
    );
    log.value({
      type: "coordinate.update",
      updates: [{ Node: "n", Segment: "", Coord: { Vec: [0], Error: 1, Adjustment: 0, Height: 1 } }],
    });
  };
  const checks = (): string[] => log.store.nodeChecks("n").value.map(({ CheckID }) => CheckID);
  fill();
  log.value(deregister("n", { checkId: "c1" }));
  assert.deepEqual(checks(), ["c2", "c3"]);
  log.value(deregister("N", { serviceId: "W", checkId: "c3" }));
  assert.deepEqual(checks(), ["c3"], "the service goes first, and alone");
  fill();
  log.value(deregister("n"));
  assert.deepEqual(
    [log.store.nodes().value, checks(), log.store.coordinates().value, [...log.store.services().value]],
    [[], [], [], []],
  );
  for (const what of [{}, { serviceId: "w" }, { checkId: "c1" }])
    assert.deepEqual(log.apply(deregister("n", what)).changes, []);
});

test("a node: is found by name, by ID, and by the beginning of its ID", () => {
  const log = new Log();
  log.value(register(node("n", { ID: ID_A })));
  log.value(register(node("m", { ID: "40e4ffff-0000-0000-0000-000000000000" })));
  log.value(register("40e4a"));
  const table: [string, string | null][] = [
    ["n", "n"],
    ["N", "n"],
    [ID_A, "n"],
    [ID_A.toUpperCase(), "n"],
    ["40e4a748", "n"],
    ["40e4a", "40e4a"],
    ["40e4", null],
    ["4", null],
    ["zz", null],
  ];
  for (const [name, found] of table) assert.equal(log.store.node(name).value?.Node ?? null, found, name);
  assert.deepEqual(log.store.nodeServices("none").value, null);
});

test("services: the union of their tags, sorted, and touched by nothing else", () => {
  const log = new Log();
  log.value(register("n", { service: service("redis", { Tags: ["v1", "primary"] }) }));
  log.value(register("m", { service: service("redis", { Tags: ["v1", "replica"] }) }));
  log.value(register("m", { service: service("db") }));
  const services = (): unknown => [...log.store.services().value];
  assert.deepEqual(services(), [
    ["db", []],
    ["redis", ["primary", "replica", "v1"]],
  ]);
  const { index } = log.store.services();
  log.value(register("m", { service: service("redis", { Tags: ["v1", "replica"], Port: 1 }) }));
  log.value(register("m", { service: service("redis", { ID: "second", Tags: ["replica"] }) }));
  log.value(register("m", { checks: [check("c")] }));
  assert.equal(log.store.services().index, index);
  log.value(deregister("n"));
  assert.deepEqual(services(), [
    ["db", []],
    ["redis", ["replica", "v1"]],
  ]);
  assert.equal(log.store.services().index, log.index);
});

test("service instances: by node, then ID, in the same order with and without health (W10)", () => {
  const log = new Log();
  for (const [name, id] of [
    ["b", "2"],
    ["a", "1"],
    ["b", "1"],
    ["C", "1"],
  ] as const) {
    log.value(register(name, { service: service("web", { ID: id, Tags: id === "1" ? ["One"] : [] }) }));
  }
  log.value(register("b", { checks: [check("s", { ServiceID: "2" }), check("n")] }));
  const order = ["a/1", "b/1", "b/2", "C/1"];
  assert.deepEqual(
    log.store.serviceNodes("web").value.map(({ Node, Service }) => `${Node.Node}/${Service.ID}`),
    order,
  );
  assert.deepEqual(
    log.store
      .healthService("WEB")
      .value.map(({ Node, Service, Checks }) => [`${Node.Node}/${Service.ID}`, Checks.map(({ CheckID }) => CheckID)]),
    [
      ["a/1", []],
      ["b/1", ["n"]],
      ["b/2", ["n", "s"]],
      ["C/1", []],
    ],
  );
  assert.equal(log.store.serviceNodes("web", { tags: ["one"] }).value.length, 3);
  assert.equal(log.store.serviceNodes("web", { tags: ["one", "two"] }).value.length, 0);
});

test("connect: proxies of a service and native instances", () => {
  const log = new Log();
  log.value(register("a", { service: service("web", { Connect: { Native: true } }) }));
  log.value(
    register("b", {
      service: service("web-proxy", { Kind: "connect-proxy", Proxy: { DestinationServiceName: "web" } }),
    }),
  );
  log.value(register("c", { service: service("web") }));
  const before = log.store.healthService("web", { connect: true });
  assert.deepEqual(
    before.value.map(({ Service }) => Service.Service),
    ["web", "web-proxy"],
  );
  log.value(register("b", { checks: [check("c", { ServiceID: "web-proxy" })] }));
  assert.equal(log.store.healthService("web", { connect: true }).index, log.index);
  assert.ok(log.store.healthService("web").index < log.index);
  assert.deepEqual(
    [...log.store.usage().value.connectServiceInstances],
    [
      ["connect-native", 1],
      ["connect-proxy", 1],
    ],
  );
});

test("names that differ in case: are one, and those with other letters are not folded", () => {
  const log = new Log();
  log.value(register("Node", { service: service("Web", { ID: "W" }), checks: [check("C")] }));
  log.value(register("nODE", { service: service("web", { ID: "w", Port: 5 }), checks: [check("c", { Output: "x" })] }));
  assert.equal(log.store.nodes().value.length, 1);
  assert.equal(log.store.serviceNodes("WEB").value.length, 1);
  assert.equal(log.store.nodeChecks("NODE").value.length, 1);
  log.value(register("ÄB"));
  assert.equal(log.store.node("äb").value, null);
});

test("names with a NUL: are found nowhere, whatever they begin with", () => {
  const log = new Log();
  log.value(
    register("n", {
      service: service("web", { ID: "w", Address: "10.1.1.1" }),
      checks: [check("c", { ServiceID: "w" })],
    }),
  );
  const { store } = log;
  const found = [
    store.serviceNodes("web\u0000n").value,
    store.serviceChecks("web\u0000n").value,
    store.checksInState("passing\u0000n").value,
    store.nodeChecks("n\u0000c").value,
    store.nodeSessions("n\u0000").value,
    [store.node("n\u0000").value, store.serviceByAddress("10.1.1.1\u0000n").value].filter((value) => value !== null),
  ];
  assert.deepEqual(found, [[], [], [], [], [], []]);
});

test("what a service does not show: does not wake those who wait for it", () => {
  const log = new Log();
  log.value(register("n", { service: service("web") }));
  const { index } = log.store.healthService("web");
  log.value(register("m", { service: service("db"), checks: [check("c")] }));
  log.value(kv.set("k"));
  assert.equal(log.store.healthService("web").index, index);
  assert.equal(log.store.healthService("never").index, 1);
});
