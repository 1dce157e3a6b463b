// Is a message one that a right server could send? Checked before anything else looks at it, so that the rest of the
// machine can rely on it: what comes from the network may be anything of the right type.
import type { AppendEntries, Message, SnapshotPoint } from "./types.ts";
import { isConfiguration } from "./configuration.ts";

/** A lease no right leader asks for: it would keep the group from electing anybody. */
const LEASE_MAX_MS = 600_000;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** True when every number is a count, the term is not 0, and entries follow each other. */
export function isWellFormed(message: Message): boolean {
  // Room is left for the next terms.
  if (!isCount(message.term) || message.term === 0 || message.term > Number.MAX_SAFE_INTEGER - 1024) return false;
  switch (message.type) {
    case "request-vote":
      return isCount(message.lastIndex) && isCount(message.lastTerm) && message.lastTerm <= message.term;
    case "vote-response":
    case "timeout-now":
      return true;
    case "append-entries":
      return isWellFormedAppend(message);
    case "append-response":
      return (
        isCount(message.round) &&
        isCount(message.index) &&
        isCount(message.hintIndex) &&
        isCount(message.hintTerm) &&
        isCount(message.lastIndex) &&
        (message.success || message.hintIndex <= message.index)
      );
    case "read-index":
      return isCount(message.context);
    case "read-index-response":
      return isCount(message.context) && (message.index === null || isCount(message.index));
    default:
      return false;
  }
}

function isWellFormedAppend(message: AppendEntries): boolean {
  const { prevIndex, prevTerm, commit, round, leaseMs, entries } = message;
  if (!isCount(prevIndex) || !isCount(prevTerm) || !isCount(commit) || !isCount(round)) return false;
  if ((prevIndex === 0) !== (prevTerm === 0) || prevTerm > message.term) return false;
  if (!(leaseMs >= 0 && leaseMs <= LEASE_MAX_MS)) return false;
  let index = prevIndex;
  let term = prevTerm;
  for (const entry of entries) {
    if (entry.index !== index + 1 || !isCount(entry.term) || entry.term < term || entry.term === 0) return false;
    if (entry.kind !== "command" && entry.kind !== "noop" && entry.kind !== "config") return false;
    index = entry.index;
    term = entry.term;
  }
  return isCount(index) && term <= message.term;
}

/** True when a snapshot from a peer says where it stands. */
export function isWellFormedSnapshot(snapshot: SnapshotPoint): boolean {
  const { index, term, configuration, configurationIndex } = snapshot;
  if (!isCount(index) || index === 0 || !isCount(term) || term === 0) return false;
  return isCount(configurationIndex) && configurationIndex <= index && isConfiguration(configuration);
}
