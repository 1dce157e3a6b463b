// Workloads and checkers of several datacenters: for each the suite of one, whose clients ask at agents of all of them, and
// beside these what is only there between datacenters.
import type { Parties } from "../simulate.ts";
import { createSuite, type Suite, type SuiteOptions, WORKLOADS } from "../suite.ts";
import type { Checker, Workload } from "../types.ts";
import type { World } from "../world.ts";
import { Failovers } from "./failovers.ts";
import { Forwards } from "./forwards.ts";
import type { Place } from "./place.ts";
import { Replicas } from "./replicas.ts";
import { Wellness } from "./wellness.ts";

/** The names of the workloads that are there only with several datacenters. */
const FAR_WORKLOADS: readonly string[] = ["forward", "failover", "replica"];
/** Of what all clients together ask, this is for these. */
const FAR_SHARE = 0.3;
const OPS_PER_SECOND = 130;

export function createFederationSuite(
  worlds: readonly World[],
  { workloads = [...WORKLOADS, ...FAR_WORKLOADS], opsPerSecond = OPS_PER_SECOND }: SuiteOptions,
): Parties {
  const near = ((1 - FAR_SHARE) * opsPerSecond) / worlds.length;
  const places: (Place & { suite: Suite })[] = worlds.map((world) => {
    const suite = createSuite({ workloads, opsPerSecond: near });
    return { world, reference: suite.reference, suite };
  });
  const [first] = worlds as [World];
  const rate = FAR_SHARE * opsPerSecond;
  const replicas = new Replicas(places, rate / 4);
  const { isReplicating = false } = first.scenario.settings;
  const all = [new Forwards(places, rate / 2), new Failovers(places, rate / 2), ...(isReplicating ? [replicas] : [])];
  const far = all.filter(({ name }) => workloads.includes(name));
  return {
    workloads: [
      ...places.flatMap(({ world, suite }) => suite.workloads.map((each) => boundWorkload(world, each))),
      ...far,
    ],
    checkers: [
      new Wellness(first.weather, worlds),
      ...places.flatMap(({ world, suite }) => suite.checkers.map((each) => boundChecker(world, each))),
    ],
    difference: () => (isReplicating ? replicas.difference() : null),
    operations: () =>
      places.reduce((sum, { suite }) => sum + suite.operations(), 0) +
      far.reduce((sum, { answered }) => sum + answered, 0),
  };
}

/** The same, of one datacenter whoever calls. */
function boundWorkload(world: World, workload: Workload): Workload {
  return {
    name: workload.name,
    start: () => workload.start(world),
    stop: () => workload.stop(),
    settled: () => workload.settled(),
    finish: () => workload.finish(world),
  };
}

/** The same, stepped only when something has happened in the datacenter. */
function boundChecker(world: World, checker: Checker): Checker {
  const { name, everyMs = 0 } = checker;
  return {
    name,
    everyMs,
    step() {
      if (everyMs > 0 || world.touched.size > 0) checker.step?.(world);
    },
    healed: () => checker.healed?.(world),
  };
}
