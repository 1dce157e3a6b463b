// Who takes part in a run besides the cluster: the clients and the checkers.
import { RegisterWorkload } from "./register-workload.ts";
import type { Scenario } from "./scenario.ts";
import type { SimulateOptions } from "./simulate.ts";

/** Makes them anew for a run. */
export function parties({ opsPerSecond }: Scenario): ReturnType<SimulateOptions["parties"]> {
  const register = new RegisterWorkload(opsPerSecond);
  return { workloads: [register], checkers: [], operations: () => register.answered };
}
