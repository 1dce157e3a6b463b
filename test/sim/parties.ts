// Who takes part in a run besides the cluster: the clients and the checkers of suite.ts, at the scenario's rate.
import type { Scenario } from "./scenario.ts";
import type { Parties } from "./simulate.ts";
import { createSuite } from "./suite.ts";

/** Makes them anew for a run. */
export function parties({ opsPerSecond, workloads }: Scenario): Parties {
  return createSuite({ opsPerSecond, ...(workloads === undefined ? {} : { workloads }) });
}
