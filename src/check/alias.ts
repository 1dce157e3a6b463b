// The state of an alias check: the worst of another service's checks and of its node's.
// https://developer.hashicorp.com/consul/docs/register/health-check/vm (alias)
import type { CheckStatus, HealthCheck } from "../types/records.ts";

/** What an alias check points at: `node` "" is the agent's own node, `serviceId` "" is the node itself. */
export interface AliasTarget {
  node: string;
  serviceId: string;
}

/** What an alias check looks at in another check. */
export type AliasedCheck = Pick<HealthCheck, "CheckID" | "Name" | "Status" | "Output" | "ServiceID">;

/** A state and the sentence that goes with it. */
export interface CheckOutcome {
  status: CheckStatus;
  output: string;
}

/** True when the state of `target` depends on this check: it is the service's own or the node's. */
export function concernsAlias(target: AliasTarget, check: { ServiceID: string }): boolean {
  return check.ServiceID === "" || check.ServiceID === target.serviceId;
}

/**
 * The state that `checks` (of the target's node, in any number) give to an alias check. The alias itself is passed over:
 * a node's alias would otherwise hold itself critical for ever.
 * @param serviceExists whether the service is there; asked only when it has no check of its own.
 */
export function aliasOutcome(
  aliasId: string,
  target: AliasTarget,
  checks: Iterable<AliasedCheck>,
  serviceExists: boolean,
): CheckOutcome {
  let worst: AliasedCheck | null = null;
  let seen = false;
  let ofService = target.serviceId === "";
  for (const check of checks) {
    if (check.CheckID === aliasId || !concernsAlias(target, check)) continue;
    seen = true;
    if (check.ServiceID !== "") ofService = true;
    if (worst === null ? check.Status !== "passing" : worst.Status === "warning" && check.Status === "critical") {
      worst = check;
    }
  }
  if (!ofService && !serviceExists) {
    const output = `Service ${target.serviceId} could not be found on node ${target.node}`;
    return { status: "critical", output };
  }
  if (worst !== null) {
    return { status: worst.Status, output: `Aliased check ${JSON.stringify(worst.Name)} failing: ${worst.Output}` };
  }
  return { status: "passing", output: seen ? "All checks passing." : "No checks found." };
}
