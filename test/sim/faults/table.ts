// All kinds of fault.
import { diskFaults } from "./disk-faults.ts";
import type { FaultKind } from "./fault-kind.ts";
import { groupFaults } from "./group-faults.ts";
import { linkFaults } from "./link-faults.ts";
import { networkFaults } from "./network-faults.ts";
import { processFaults } from "./process-faults.ts";

export const faultKinds: readonly FaultKind[] = [
  ...networkFaults,
  ...processFaults,
  ...diskFaults,
  ...groupFaults,
  ...linkFaults,
];

/** The names under which they are counted. */
export const countedNames: readonly string[] = [
  ...new Set(faultKinds.flatMap(({ name, countsAs }) => countsAs ?? [name])),
];
