import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../../src/state/change.ts";
import { topicsOf } from "../../src/state/topic.ts";
import { check, node, query, service, session } from "./fixtures.ts";

const at = { CreateIndex: 1, ModifyIndex: 1 };
const entry = { Key: "k", Value: new Uint8Array(), Flags: 0, LockIndex: 0, ...at };
const web = { ...service("Web", { Node: "N", ID: "w" }), ...at };
const proxy = {
  ...service("p", { Node: "N", ID: "w", Kind: "connect-proxy", Proxy: { DestinationServiceName: "db" } }),
  ...at,
};
const up = { ...check("c", { Node: "N", ServiceID: "w", ServiceName: "Web" }), ...at };

const table: [name: string, change: Change, topics: string[]][] = [
  ["a key", { table: "kv", key: "K/1", before: null, after: { ...entry, Key: "K/1" } }, ["kv:K/1"]],
  [
    "a node",
    { table: "nodes", key: "n", before: null, after: { ...node("N"), ...at }, concerns: ["service:web"] },
    ["nodes", "service:web", "node:n"],
  ],
  [
    "an instance that becomes a proxy",
    { table: "services", key: "n\u0000w", before: web, after: proxy },
    ["instances", "node:n", "service:web", "service:p", "connect:db"],
  ],
  [
    "a check that goes critical",
    { table: "checks", key: "n\u0000c", before: up, after: { ...up, Status: "critical" }, concerns: ["connect:web"] },
    ["checks", "connect:web", "check-state:passing", "node-checks:n", "service:web", "check-state:critical"],
  ],
  [
    "a session's end",
    { table: "sessions", key: "s", before: { ...session("s", "N"), ...at }, after: null },
    ["sessions", "session:s", "node-sessions:n"],
  ],
  [
    "a query",
    { table: "queries", key: "q", before: null, after: { ...query("Q", "x"), ...at } },
    ["queries", "query:q"],
  ],
  [
    "a config entry",
    { table: "config", key: "mesh\u0000m", before: null, after: { Kind: "mesh", Name: "M", ...at } },
    ["config", "config-kind:mesh", "config-entry:mesh/m"],
  ],
  [
    "a coordinate",
    {
      table: "coordinates",
      key: "n\u0000",
      before: null,
      after: { Node: "N", Segment: "", Coord: { Vec: [], Error: 0, Adjustment: 0, Height: 0 } },
    },
    ["coordinates", "coordinate:n"],
  ],
  [
    "the names of services",
    { table: "service-names", key: "web", before: null, after: { Name: "Web", Tags: [] } },
    ["services"],
  ],
];

for (const [name, change, topics] of table) {
  test(`the topics of ${name}`, () => {
    assert.deepEqual(topicsOf(change), topics);
  });
}
