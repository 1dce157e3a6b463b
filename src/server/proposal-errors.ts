// What is said to whoever proposed an entry of the log that is not committed, or may not be.
import type { RejectReason } from "../raft/types.ts";
import { type ErrorCode, OperationalError } from "../types/error.ts";

/** The agent is stopping, or has stopped. */
export const shuttingDown = (): OperationalError => new OperationalError("shutting-down", "The agent is shutting down");

/** The proposal may be committed yet, or not. */
export const outcomeUnknown = (): OperationalError =>
  new OperationalError("outcome-unknown", "leadership lost while committing log");

/** Nobody leads, as far as this server knows. */
export const noLeader = (): OperationalError => new OperationalError("no-leader", "No cluster leader");

/** The proposal was taken back, and nobody has it. */
export const diskFull = (): OperationalError =>
  new OperationalError(
    "disk-full",
    "The disk is full: the write was refused and nothing was changed. Free space on the data directory's disk",
  );

const REJECTIONS: Record<RejectReason, [ErrorCode, string]> = {
  "not-leader": ["not-leader", "node is not the leader"],
  transferring: ["not-leader", "leadership transfer in progress"],
  "config-pending": ["refused", "a configuration change is already under way"],
  "not-ready": ["no-leader", "No cluster leader"],
  invalid: ["refused", "the configuration change is not possible"],
  "not-caught-up": ["refused", "the server has not caught up yet"],
  overloaded: ["rate-limited", "Too many writes wait to be committed, try again later"],
  "disk-full": ["disk-full", diskFull().message],
};
/** The proposal was not taken: it is certainly not done. */
export const rejection = (reason: RejectReason): OperationalError => new OperationalError(...REJECTIONS[reason]);
