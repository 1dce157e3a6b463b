// Who takes part in a run besides the cluster: the clients and the checkers of suite.ts, at the scenario's rate; with several
// datacenters those of each, and those who look at all of them.
import { createFederationSuite } from "./federation/suite.ts";
import type { Scenario } from "./scenario.ts";
import type { Parties } from "./simulate.ts";
import { createSuite } from "./suite.ts";
import type { World } from "./world.ts";

/** Makes them anew for a run. */
export function parties({ opsPerSecond, workloads }: Scenario, worlds: readonly World[]): Parties {
  const options = { opsPerSecond, ...(workloads === undefined ? {} : { workloads }) };
  return worlds.length > 1 ? createFederationSuite(worlds, options) : createSuite(options);
}
