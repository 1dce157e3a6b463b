// Makes a failing run small: leaves out kinds of fault, then single faults, then time, operations and servers, as long as the
// same checker still finds something. What is left out changes no random number of what stays.
import type { FaultInstance, Scenario } from "./scenario.ts";
import { type Outcome, simulate, type SimulateOptions } from "./simulate.ts";

export interface ShrinkOptions extends SimulateOptions {
  /** No new attempt is begun after that. */
  readonly untilMs: number;
  progress(text: string): void;
}

/** How much later than the first violation a smaller run may find its own. */
const AFTER_MS = 20_000;
/** Runs are cut to whole seconds. */
const SECOND_MS = 1000;

/** The smallest scenario found, and what came of it. */
export async function shrink(
  scenario: Scenario,
  outcome: Outcome,
  options: ShrinkOptions,
): Promise<{ scenario: Scenario; outcome: Outcome }> {
  const { violation } = outcome;
  if (violation === null) return { scenario, outcome };
  let best = { scenario, outcome };
  const attempt = async (change: Partial<Scenario>, what: string): Promise<boolean> => {
    if (Date.now() > options.untilMs) return false;
    const smaller = { ...best.scenario, ...change };
    const result = await simulate(smaller, options);
    if (result.violation?.checker !== violation.checker) return false;
    best = { scenario: smaller, outcome: result };
    options.progress(`${what}: ${smaller.faults.length} faults, ${Math.round(result.violation.atMs)} ms`);
    return true;
  };
  // What was to come later had no part in it, unless healing itself went wrong.
  if (violation.atMs < scenario.chaosMs) {
    const chaosMs = Math.ceil(violation.atMs / SECOND_MS) * SECOND_MS;
    const faults = scenario.faults.filter(({ atMs }) => atMs <= violation.atMs);
    if (!(await attempt({ faults }, "later faults left out"))) return best;
    await attempt({ chaosMs }, "cut at the violation");
    if (best.scenario.chaosMs > chaosMs + AFTER_MS)
      await attempt({ chaosMs: chaosMs + AFTER_MS }, "cut after the violation");
  }
  for (const kind of new Set(best.scenario.faults.map((fault) => fault.kind)))
    await attempt({ faults: best.scenario.faults.filter((fault) => fault.kind !== kind) }, `without ${kind}`);
  await dropFaults(
    () => best.scenario.faults,
    (faults) => attempt({ faults }, "fewer faults"),
  );
  for (const opsPerSecond of [50, 20, 10, 5])
    if (opsPerSecond < best.scenario.opsPerSecond)
      await attempt({ opsPerSecond }, `${opsPerSecond} operations a second`);
  if (best.scenario.servers > 3) await attempt({ servers: 3 }, "three servers");
  for (const share of [2, 4]) {
    const chaosMs = Math.ceil(best.scenario.chaosMs / share / SECOND_MS) * SECOND_MS;
    await attempt({ chaosMs, faults: best.scenario.faults.filter(({ atMs }) => atMs < chaosMs) }, "less time");
  }
  return best;
}

/** Leaves out halves, then quarters, and so on to single faults (Zeller's delta debugging, in short). */
async function dropFaults(
  faults: () => readonly FaultInstance[],
  attempt: (faults: FaultInstance[]) => Promise<boolean>,
): Promise<void> {
  for (let size = Math.ceil(faults().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < faults().length;) {
      const fewer = faults().filter((_, i) => i < at || i >= at + size);
      if (!(await attempt(fewer))) at += size;
    }
  }
}
