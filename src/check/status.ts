// States of checks: the worst of several, maintenance mode, and the counters that keep one odd result from turning a check
// (https://developer.hashicorp.com/consul/docs/register/health-check/vm: success_before_passing and its like).
import type { CheckStatus } from "../types/records.ts";
import type { CheckTiming } from "./spec.ts";

/** What the checks of a node or an instance come to; `maintenance` stands above critical. */
export type AggregateStatus = CheckStatus | "maintenance";

/** The check that puts a node into maintenance mode, and the ids of those that do it to a service. */
export const nodeMaintenanceId = "_node_maintenance";
const serviceMaintenancePrefix = "_service_maintenance:";

/** The id of the check that puts a service into maintenance mode. */
export function serviceMaintenanceId(serviceId: string): string {
  return serviceMaintenancePrefix + serviceId;
}

/** True for the id of a check that means maintenance mode, of the node or of a service. */
export function isMaintenanceId(checkId: string): boolean {
  return checkId === nodeMaintenanceId || checkId.startsWith(serviceMaintenancePrefix);
}

/** The reasons shown in a maintenance check's Notes when the operator gave none. */
export const nodeMaintenanceReason =
  "Maintenance mode is enabled for this node, but no reason was provided. This is a default message.";
export const serviceMaintenanceReason =
  "Maintenance mode is enabled for this service, but no reason was provided. This is a default message.";

/** True for the three states a check can be in. */
export function isCheckStatus(text: string): text is CheckStatus {
  return text === "passing" || text === "warning" || text === "critical";
}

/** The worst of the checks: maintenance, critical, warning, passing. No checks are passing. */
export function aggregateStatus(checks: Iterable<{ CheckID: string; Status: string }>): AggregateStatus {
  let worst: CheckStatus = "passing";
  for (const { CheckID, Status } of checks) {
    if (isMaintenanceId(CheckID)) return "maintenance";
    if (Status === "critical") worst = "critical";
    else if (Status === "warning" && worst === "passing") worst = "warning";
  }
  return worst;
}

/**
 * Counts results in a row. Passing and warning are successes, critical is a failure. Both counters start full, so that the
 * very first result counts at once.
 */
export class ResultCounter {
  readonly #timing: CheckTiming;
  #successes: number;
  #failures: number;

  /** @param timing bounded: `failuresBeforeWarning` is filled in. */
  constructor(timing: CheckTiming) {
    this.#timing = timing;
    this.#successes = timing.successBeforePassing;
    this.#failures = timing.failuresBeforeCritical;
  }

  /** The state to show after one more result, or null to leave what is shown. */
  count(result: CheckStatus): CheckStatus | null {
    const { successBeforePassing, failuresBeforeWarning, failuresBeforeCritical } = this.#timing;
    if (result !== "critical") {
      this.#successes += 1;
      this.#failures = 0;
      return this.#successes >= successBeforePassing ? result : null;
    }
    this.#failures += 1;
    this.#successes = 0;
    if (this.#failures >= failuresBeforeCritical) return "critical";
    return this.#failures >= failuresBeforeWarning ? "warning" : null;
  }
}
