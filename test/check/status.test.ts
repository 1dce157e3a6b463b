// Thresholds and aggregation: tables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { noTiming } from "../../src/check/spec.ts";
import { aggregateStatus, isMaintenanceId, ResultCounter, serviceMaintenanceId } from "../../src/check/status.ts";
import type { CheckStatus } from "../../src/types/records.ts";

const letters: Record<string, CheckStatus> = { p: "passing", w: "warning", c: "critical" };

/** Success before passing, failures before warning, failures before critical; results; what is shown (`-`: no change). */
const counters: [number, number, number, string, string][] = [
  [0, 0, 0, "pwcp", "pwcp"],
  // The first result counts at once, whatever the thresholds; the later ones must add up.
  [3, 0, 0, "pcppp", "pc--p"],
  [0, 3, 3, "cpccc", "cp--c"],
  [2, 2, 3, "ccpcpp", "cc---p"],
  // Below the warning threshold nothing changes, between the two it is a warning.
  [0, 2, 4, "pcccccp", "p-wwccp"],
  [0, 1, 2, "pccpc", "pwcpw"],
  // A success in between starts the count of failures anew, and a failure that of successes.
  [0, 2, 2, "pcpcpcc", "p-p-p-c"],
  [2, 0, 0, "cpcpcpp", "c-c-c-p"],
  // Warning is a success.
  [2, 0, 0, "cww", "c-w"],
];

for (const [success, warning, critical, results, shown] of counters) {
  test(`counter: thresholds ${success}/${warning}/${critical} show ${shown} for ${results}`, () => {
    const counter = new ResultCounter({
      ...noTiming,
      successBeforePassing: success,
      failuresBeforeWarning: warning,
      failuresBeforeCritical: critical,
    });
    const said = [...results].map((result) => counter.count(letters[result] as CheckStatus)?.[0] ?? "-").join("");
    assert.equal(said, shown);
  });
}

const aggregates: [string[], string][] = [
  [[], "passing"],
  [["a:passing"], "passing"],
  [["a:passing", "b:warning"], "warning"],
  [["a:critical", "b:warning"], "critical"],
  [["a:warning", "b:critical", "c:passing"], "critical"],
  [["a:passing", "_node_maintenance:critical"], "maintenance"],
  [["a:critical", "_service_maintenance:web:critical"], "maintenance"],
  [["node_maintenance:critical"], "critical"],
];

for (const [checks, worst] of aggregates) {
  test(`aggregate: ${checks.join(", ") || "no checks"} come to ${worst}`, () => {
    const records = checks.map((each) => {
      const at = each.lastIndexOf(":");
      return { CheckID: each.slice(0, at), Status: each.slice(at + 1) };
    });
    assert.equal(aggregateStatus(records), worst);
  });
}

test("maintenance: the ids are Consul's", () => {
  assert.equal(serviceMaintenanceId("a/b"), "_service_maintenance:a/b");
  assert.equal(isMaintenanceId("_node_maintenance"), true);
  assert.equal(isMaintenanceId("_service_maintenance:x"), true);
  assert.equal(isMaintenanceId("_node_maintenance:x"), false);
});
