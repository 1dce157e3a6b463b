import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeWatchDefinition, type WatchDefinition } from "../../src/config/watch-definition.ts";
import { OperationalError } from "../../src/types/error.ts";
import { toUserMap } from "../../src/util/user-map.ts";

const none: Omit<WatchDefinition, "type"> = {
  datacenter: "",
  token: "",
  stale: false,
  filter: "",
  key: "",
  prefix: "",
  service: "",
  tags: [],
  passingOnly: false,
  state: "",
  name: "",
  serviceId: "",
  handler: null,
};

const readings: readonly [Record<string, unknown>, Partial<WatchDefinition>][] = [
  [
    { type: "key", key: "a", datacenter: "dc2", token: "t" },
    { key: "a", datacenter: "dc2", token: "t" },
  ],
  [
    { type: "keyprefix", prefix: "a/", stale: true },
    { prefix: "a/", stale: true },
  ],
  [
    { type: "services", filter: "f", stale: "true" },
    { filter: "f", stale: true },
  ],
  [{ type: "nodes", stale: "false" }, {}],
  [
    { type: "service", service: "web", tag: "a" },
    { service: "web", tags: ["a"] },
  ],
  [
    { type: "service", service: "web", tag: ["a", "b"], passingonly: true },
    { service: "web", tags: ["a", "b"], passingOnly: true },
  ],
  [{ type: "checks", state: "critical" }, { state: "critical" }],
  [{ type: "checks" }, {}],
  [{ type: "event", name: "deploy" }, { name: "deploy" }],
  [{ type: "connect_roots" }, {}],
  [{ type: "connect_leaf", service: "web" }, { service: "web" }],
  [{ type: "agent_service", service_id: "web-1" }, { serviceId: "web-1" }],
  [{ type: "nodes", args: ["a", "b"] }, { handler: { type: "script", args: ["a", "b"] } }],
  [{ type: "nodes", args: "a" }, { handler: { type: "script", args: ["a"] } }],
  [{ type: "nodes", handler: "a | b" }, { handler: { type: "shell", command: "a | b" } }],
  [
    {
      type: "nodes",
      handler_type: "http",
      http_handler_config: { path: "http://x", timeout: "1s", header: { A: ["b"] } },
    },
    {
      handler: {
        type: "http",
        path: "http://x",
        method: "POST",
        timeoutMs: 1000,
        header: toUserMap([["A", ["b"]]]),
        tlsSkipVerify: false,
      },
    },
  ],
];

for (const [raw, wanted] of readings) {
  test(`decodeWatchDefinition: ${JSON.stringify(raw)}`, () => {
    assert.deepEqual(decodeWatchDefinition(raw, false), { ...none, type: raw["type"], ...wanted });
  });
}

const refusals: readonly [Record<string, unknown>, string][] = [
  [{ args: ["x"] }, "Watch type must be specified"],
  [{ type: "nope", args: ["x"] }, "Unsupported watch type: nope"],
  [{ type: "key", args: ["x"] }, "Must specify a single key to watch"],
  [{ type: "keyprefix", args: ["x"] }, "Must specify a single prefix to watch"],
  [{ type: "service", args: ["x"] }, "Must specify a single service to watch"],
  [{ type: "agent_service", args: ["x"] }, "Must specify a single service id to watch"],
  [{ type: "checks", service: "a", state: "any", args: ["x"] }, "Cannot specify service and state"],
  [{ type: "nodes", key: "a", stail: true, args: ["x"] }, "Invalid parameters: [key stail]"],
  [{ type: "key", key: "a", filter: "x", args: ["x"] }, "Invalid parameters: [filter]"],
  [{ type: "nodes", handler_type: "odd" }, "Handler type 'odd' not recognized"],
  [{ type: "nodes", handler_type: "http" }, "Requires 'path' to be set"],
  [{ type: "nodes", handler: "a", args: ["b"] }, "Only one watch handler allowed"],
  [{ type: "nodes", handler_type: "http", args: ["b"] }, "Only one watch handler allowed"],
  [{ type: "nodes" }, "Must define a watch handler"],
  [{ type: "connect_leaf", service: "a", args: ["x"] }, "Watch type connect_leaf is not allowed in agent config"],
  [{ type: "key", key: 1, args: ["x"] }, "cannot unmarshal number 1 into field key of type string"],
];

for (const [raw, message] of refusals) {
  test(`decodeWatchDefinition: ${JSON.stringify(raw)} is refused in a configuration`, () => {
    assert.throws(
      () => decodeWatchDefinition(raw, true),
      (error) => error instanceof OperationalError && error.code === "invalid-request" && error.message === message,
    );
  });
}
