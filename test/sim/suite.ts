// All workloads and all checkers of a run: they share what they know of each other.
import { Leaders, LogMatching, Quorums, Terms } from "./check/raft.ts";
import { Progress } from "./check/progress.ts";
import { Reads } from "./check/reads.ts";
import { Reference } from "./check/reference.ts";
import { Claims, Groups, Promises } from "./check/seams.ts";
import { SessionLives } from "./check/sessions.ts";
import { Stores } from "./check/store.ts";
import { Watches } from "./check/watches.ts";
import type { Checker, Workload } from "./types.ts";
import { Lists, Sets } from "./workload/growing.ts";
import { Locks } from "./workload/locks.ts";
import { Registers } from "./workload/register.ts";
import { Transactions } from "./workload/txn.ts";
import { Watching } from "./workload/watch.ts";

/** The names of the workloads, for those who want only some. */
export const WORKLOADS: readonly string[] = ["register", "list", "set", "txn", "lock", "watch"];

/** Which workloads, and how many requests a second all clients together make when all goes well. */
export interface SuiteOptions {
  readonly workloads?: readonly string[];
  readonly opsPerSecond?: number;
}

/** What a run does and what it checks. The checkers are to be stepped in their order. */
export interface Suite {
  readonly workloads: Workload[];
  readonly checkers: Checker[];
  /** What was committed. */
  readonly reference: Reference;
  /** Requests answered so far. */
  operations(): number;
  /** What was done, in numbers. */
  counts(): Record<string, number>;
}

/** What the pauses below come to, when everything is answered at once. */
const OPS_PER_SECOND = 130;

export function createSuite({ workloads = WORKLOADS, opsPerSecond = OPS_PER_SECOND }: SuiteOptions = {}): Suite {
  const slower = OPS_PER_SECOND / opsPerSecond;
  const reference = new Reference();
  const leaders = new Leaders(reference);
  const reads = new Reads(reference);
  const lives = new SessionLives(reference);
  const watches = new Watches(reference);
  const registers = new Registers(reads, 150 * slower);
  const terms = new Terms();
  const lists = new Lists(250 * slower);
  const sets = new Sets(200 * slower);
  const transactions = new Transactions(200 * slower);
  const locks = new Locks(lives, 300 * slower);
  const watching = new Watching(watches, 600 * slower);
  const all = [registers, lists, sets, transactions, locks, watching];
  return {
    reference,
    workloads: all.filter(({ name }) => workloads.includes(name)),
    operations: () => all.reduce((sum, { answered }) => sum + answered, 0),
    // The reference first: the others compare with it.
    checkers: [
      reference,
      leaders,
      terms,
      new LogMatching(),
      new Quorums(),
      new Promises(),
      new Claims(reference),
      new Groups(reference),
      reads,
      watches,
      lives,
      new Stores(),
      new Progress(reference),
    ],
    counts: () => ({
      entries: reference.logIndex,
      elections: leaders.elections,
      wasted: terms.wasted,
      checked:
        registers.checked.operations +
        transactions.checked.operations +
        locks.checked.operations +
        lists.checked +
        sets.checked,
      undecided: registers.checked.undecided + transactions.checked.undecided + locks.checked.undecided,
      reads: reads.judged,
      deliveries: watches.delivered,
      woken: watches.woken,
      expired: lives.expired,
      admitted: locks.admitted,
      refused: locks.refused,
      overlaps: locks.overlaps,
    }),
  };
}
