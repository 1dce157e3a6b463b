import assert from "node:assert/strict";
import { test } from "node:test";
import { failoverOrder, hasFailover } from "../../src/endpoint/query-failover.ts";
import type { PreparedQuery } from "../../src/types/records.ts";

type Rule = PreparedQuery["Service"]["Failover"];

const KNOWN = ["dc1", "dc2", "dc3", "dc4"];
const rule = (parts: Partial<Rule>): Rule => ({ NearestN: 0, Datacenters: null, Targets: null, ...parts });

const orders: readonly [string, Partial<Rule>, readonly string[]][] = [
  ["nothing", {}, []],
  ["the nearest two, this one not among them", { NearestN: 2 }, ["dc2", "dc3"]],
  ["more than there are", { NearestN: 9 }, ["dc2", "dc3", "dc4"]],
  ["named ones, in the order of the list", { Datacenters: ["dc4", "dc2"] }, ["dc4", "dc2"]],
  [
    "the nearest, then the named ones that were not asked",
    { NearestN: 1, Datacenters: ["dc2", "dc4"] },
    ["dc2", "dc4"],
  ],
  ["unknown ones and this one are left out", { Datacenters: ["dc9", "dc1", "dc3"] }, ["dc3"]],
  [
    "targets; peers are none",
    {
      Targets: [
        { Peer: "", Datacenter: "dc3" },
        { Peer: "p", Datacenter: "" },
        { Peer: "", Datacenter: "dc2" },
      ],
    },
    ["dc3", "dc2"],
  ],
];

for (const [name, parts, expected] of orders) {
  test(`failover order: ${name}`, () => {
    assert.deepEqual(failoverOrder(rule(parts), "dc1", KNOWN), expected);
    assert.equal(hasFailover(rule(parts)), Object.keys(parts).length > 0);
  });
}
