// The state of alias checks: a table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AliasedCheck, aliasOutcome } from "../../src/check/alias.ts";
import type { CheckStatus } from "../../src/types/records.ts";

/** `id@service:status`, with "" for the node's checks. */
function checkOf(text: string): AliasedCheck {
  const [, CheckID, ServiceID, Status] = /^(.*)@(.*):(.*)$/.exec(text) as unknown as string[];
  return {
    CheckID: CheckID as string,
    Name: `${CheckID} check`,
    ServiceID: ServiceID as string,
    Status: Status as CheckStatus,
    Output: "said",
  };
}

const allPassing = "All checks passing.";
const rows: [
  situation: string,
  serviceId: string,
  checks: string[],
  exists: boolean,
  status: string,
  output: string,
][] = [
  ["no checks", "web", [], true, "passing", "No checks found."],
  ["no service", "web", [], false, "critical", "Service web could not be found on node n2"],
  ["no service, node fine", "web", ["m@:passing"], false, "critical", "Service web could not be found on node n2"],
  ["its check passes", "web", ["a@web:passing"], false, "passing", allPassing],
  ["node's check passes", "web", ["m@:passing"], true, "passing", allPassing],
  [
    "its check warns",
    "web",
    ["a@web:warning", "b@web:passing"],
    true,
    "warning",
    'Aliased check "a check" failing: said',
  ],
  [
    "critical beats warning",
    "web",
    ["a@web:warning", "b@web:critical"],
    true,
    "critical",
    'Aliased check "b check" failing: said',
  ],
  [
    "the first critical is told",
    "web",
    ["a@web:critical", "b@web:critical"],
    true,
    "critical",
    'Aliased check "a check" failing: said',
  ],
  [
    "the node is critical",
    "web",
    ["a@web:passing", "m@:critical"],
    true,
    "critical",
    'Aliased check "m check" failing: said',
  ],
  ["another service is critical", "web", ["a@web:passing", "o@db:critical"], true, "passing", allPassing],
  ["only another service", "web", ["o@db:critical"], true, "passing", "No checks found."],
  ["a node, its services do not count", "", ["a@web:critical", "m@:passing"], false, "passing", allPassing],
  ["a node without checks", "", [], false, "passing", "No checks found."],
  ["itself is passed over", "", ["me@:critical", "m@:passing"], false, "passing", allPassing],
];

for (const [situation, serviceId, checks, exists, status, output] of rows) {
  test(`alias: ${situation}: ${status}`, () => {
    const outcome = aliasOutcome("me", { node: "n2", serviceId }, checks.map(checkOf), exists);
    assert.deepEqual(outcome, { status, output });
  });
}
