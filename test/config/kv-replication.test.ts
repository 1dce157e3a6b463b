// `kv_replication`: what it means, and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { kvReplicationOf } from "../../src/config/kv-replication.ts";
import type { KVRuleInput } from "../../src/types/records.ts";
import { built } from "./build.ts";

type Block = Record<string, unknown>;

const of = (...blocks: Block[]): { rules: KVRuleInput[]; errors: string[] } => {
  const errors: string[] = [];
  return { rules: kvReplicationOf(blocks as never, "dc1", errors), errors };
};

test("kv_replication: in a file, with what is not given", () => {
  const hcl = `
    data_dir = "d"
    kv_replication = [
      { from = "DC2", prefix = "shared/" },
      { from = "dc3", prefix = "x/", to_prefix = "from-dc3/x/" },
      { from = "dc2", prefix = "both/", mode = "two-way", conflict = "newest" },
    ]`;
  assert.deepEqual(built({ hcl }).kvReplication, [
    { From: "dc2", Prefix: "shared/", ToPrefix: "shared/", Mode: "one-way" },
    { From: "dc3", Prefix: "x/", ToPrefix: "from-dc3/x/", Mode: "one-way" },
    { From: "dc2", Prefix: "both/", ToPrefix: "both/", Mode: "two-way" },
  ]);
});

test("kv_replication: several datacenters may write one prefix", () => {
  const block = (from: string): Block => ({ from, prefix: "a/", mode: "two-way" });
  const { rules, errors } = of(block("dc2"), block("dc3"));
  assert.deepEqual([rules.length, errors], [2, []]);
});

const FAULTS: readonly (readonly [string, Block[], string])[] = [
  ["no datacenter", [{ prefix: "a/" }], "from must name a datacenter"],
  ["itself", [{ from: "DC1", prefix: "a/" }], 'from is this datacenter itself, "dc1"'],
  ["no prefix", [{ from: "dc2" }], "prefix must not be empty"],
  ["a slash first", [{ from: "dc2", prefix: "/a" }], "keys do not begin with a slash"],
  [
    "a mode that is none",
    [{ from: "dc2", prefix: "a/", mode: "both" }],
    'mode must be "one-way" or "two-way", not "both"',
  ],
  ["a key that is none", [{ from: "dc2", prefix: "a/", to: "b/" }], 'invalid config key "to"'],
  ["a text that is none", [{ from: "dc2", prefix: 1 }], "prefix must be a text"],
  [
    "two-way to elsewhere",
    [{ from: "dc2", prefix: "a/", to_prefix: "b/", mode: "two-way" }],
    "to_prefix must be the prefix itself",
  ],
  [
    "a rule of conflict in a copy",
    [{ from: "dc2", prefix: "a/", conflict: "newest" }],
    "conflict has no meaning in a copy",
  ],
  [
    "a rule of conflict that is none",
    [{ from: "dc2", prefix: "a/", mode: "two-way", conflict: "mine" }],
    'conflict must be "newest", not "mine"',
  ],
  [
    "copies one in another",
    [
      { from: "dc2", prefix: "a/" },
      { from: "dc3", prefix: "a/b/" },
    ],
    'kv_replication[1]: "a/b/" overlaps with "a/" from dc2',
  ],
  [
    "a copy where others write",
    [
      { from: "dc2", prefix: "a/", mode: "two-way" },
      { from: "dc3", prefix: "x/", to_prefix: "a/" },
    ],
    '"a/" overlaps with "a/" from dc2',
  ],
  [
    "the same twice",
    [
      { from: "dc2", prefix: "a/", mode: "two-way" },
      { from: "dc2", prefix: "a/", mode: "two-way" },
    ],
    "overlaps",
  ],
];

for (const [title, blocks, message] of FAULTS)
  test(`kv_replication is refused: ${title}`, () => {
    const { errors } = of(...blocks);
    assert.equal(errors.length, 1, errors.join("\n"));
    assert.ok(errors[0]?.includes(message), errors[0]);
  });
