// All workloads and all checkers of a run: they share what they know of each other.
import { Leaders, LogMatching } from "./check/raft.ts";
import { Progress } from "./check/progress.ts";
import { Reads } from "./check/reads.ts";
import { Reference } from "./check/reference.ts";
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

/** What a run does and what it checks. The checkers are to be stepped in their order. */
export interface Suite {
  readonly workloads: readonly Workload[];
  readonly checkers: readonly Checker[];
  /** What was done, in numbers. */
  counts(): Record<string, number>;
}

export function createSuite(names: readonly string[] = WORKLOADS): Suite {
  const reference = new Reference();
  const leaders = new Leaders(reference);
  const reads = new Reads(reference);
  const lives = new SessionLives(reference);
  const watches = new Watches(reference);
  const registers = new Registers(reads);
  const lists = new Lists(250);
  const sets = new Sets(200);
  const transactions = new Transactions();
  const locks = new Locks(lives);
  const watching = new Watching(watches);
  const all: readonly Workload[] = [registers, lists, sets, transactions, locks, watching];
  return {
    workloads: all.filter(({ name }) => names.includes(name)),
    // The reference first: the others compare with it.
    checkers: [reference, leaders, new LogMatching(), reads, watches, lives, new Stores(), new Progress(reference)],
    counts: () => ({
      entries: reference.logIndex,
      elections: leaders.elections,
      operations: [registers, lists, sets, transactions, locks, watching].reduce(
        (sum, { answered }) => sum + answered,
        0,
      ),
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
