// What a Raft machine is made of at boot: defaults, checks, and how a stored log and a snapshot fit together.
import { OperationalError } from "../types/error.ts";
import { assert } from "../util/assert.ts";
import type { Entry, RaftLimits, RaftOptions, RaftTimings, SnapshotPoint } from "./types.ts";

/** The largest share of the election timeout that a lease may last: the rest is the margin for clocks that run unlike. */
export const LEASE_SHARE = 0.9;

/** Timings for servers of one datacenter, limits for a store of Consul's size. */
export const RAFT_DEFAULTS: { readonly timings: RaftTimings; readonly limits: RaftLimits } = {
  timings: { heartbeatMs: 100, electionTimeoutMs: 500, leaseMs: 350, commitNotifyMs: 10 },
  limits: {
    maxEntriesPerMessage: 1024,
    maxBytesPerMessage: 1024 * 1024,
    maxInflight: 64,
    maxInflightBytes: 16 * 1024 * 1024,
    maxUncommittedBytes: 64 * 1024 * 1024,
    trailingEntries: 10_240,
    trailingBytes: 64 * 1024 * 1024,
  },
};

/** What `LogStore.load` found, as far as it matters here. */
interface StoredLog {
  base: { index: number; term: number };
  entries: readonly Entry[];
}

/**
 * Fits the stored log to the newest durable snapshot. A crash between the two writes of an installation leaves a snapshot
 * that the log does not lead to; `reset` then tells the host to call `LogStore.reset(base.index, base.term)` first.
 * @throws OperationalError `storage-failed` when entries between snapshot and log are missing.
 */
export function reconcileLog(
  stored: StoredLog,
  snapshot: SnapshotPoint | null,
): { base: { index: number; term: number }; entries: readonly Entry[]; reset: boolean } {
  const { base, entries } = stored;
  if ((snapshot?.index ?? 0) < base.index) {
    throw new OperationalError(
      "storage-failed",
      `the log begins after index ${base.index}, but the newest snapshot ends at ${snapshot?.index ?? 0}`,
    );
  }
  if (snapshot === null) return { base, entries, reset: false };
  const term = snapshot.index === base.index ? base.term : entries[snapshot.index - base.index - 1]?.term;
  if (term === snapshot.term) return { base, entries, reset: false };
  return { base: { index: snapshot.index, term: snapshot.term }, entries: [], reset: true };
}

/** @throws AssertionError when the options contradict each other: a bug of the host, or a damaged disk that it let through. */
export function checkOptions(options: RaftOptions): void {
  const { id, base, entries, snapshot, hardState, applied, timings, limits } = options;
  assert(id !== "", "a server needs an id");
  assert(timings.heartbeatMs > 0, "heartbeatMs must be positive");
  assert(timings.electionTimeoutMs >= 2 * timings.heartbeatMs, "electionTimeoutMs must be at least two heartbeats");
  assert(timings.leaseMs >= 0, "leaseMs must not be negative");
  assert(
    timings.leaseMs <= LEASE_SHARE * timings.electionTimeoutMs,
    "leaseMs must leave a margin to the election timeout",
  );
  assert(timings.commitNotifyMs >= 0, "commitNotifyMs must not be negative");
  assert(limits.maxEntriesPerMessage >= 1 && limits.maxInflight >= 1, "limits must let something through");
  assert(limits.trailingEntries >= 0 && limits.trailingBytes >= 0, "trailing limits must not be negative");
  assert((base.index === 0) === (base.term === 0), "base index and term are zero together");

  let { index, term } = base;
  for (const entry of entries) {
    assert(entry.index === index + 1, `entry ${entry.index} follows entry ${index}`);
    assert(entry.term >= term && entry.term > 0, `term ${entry.term} at ${entry.index} follows term ${term}`);
    index = entry.index;
    term = entry.term;
  }
  assert((hardState?.term ?? 0) >= term, `the log has term ${term}, the hard state ${hardState?.term ?? 0}`);

  const snapshotIndex = snapshot?.index ?? 0;
  assert(snapshotIndex >= base.index, "the log begins after the snapshot: see reconcileLog");
  assert(snapshotIndex <= index, "the snapshot is beyond the log: see reconcileLog");
  assert(applied >= snapshotIndex && applied <= index, `applied ${applied} is outside ${snapshotIndex}..${index}`);
}
