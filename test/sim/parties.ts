// Who takes part in a run besides the cluster: the clients and the checkers.
import type { Scenario } from "./scenario.ts";
import { createSuite, type Suite } from "./suite.ts";

/** Makes them anew for a run. */
export function parties({ opsPerSecond, workloads }: Scenario): Suite {
  return createSuite({ opsPerSecond, ...(workloads === undefined ? {} : { workloads }) });
}
