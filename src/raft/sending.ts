// What a leader sends to its followers (thesis §3.5, §10.2.1): entries as fast as flow control lets them, and heartbeats,
// which are messages without entries. Nothing here waits for the leader's own disk: an entry counts as held by the
// leader only once it is durable there, but it may be on its way to the others before.
import type { Core } from "./core.ts";
import type { Leadership } from "./leadership.ts";
import type { Progress } from "./progress.ts";
import type { AppendEntries, Entry } from "./types.ts";

const NO_ENTRIES: readonly Entry[] = [];

/** Sends to every follower what it lacks. */
export function broadcast(core: Core, lead: Leadership): void {
  for (const progress of lead.progress.values()) sendEntries(core, lead, progress);
}

/** Sends what the follower lacks, as far as its state allows; in `probe` also a message without entries. */
export function sendEntries(core: Core, lead: Leadership, progress: Progress): void {
  if (progress.state === "probe") {
    if (!progress.isPaused) sendAppend(core, lead, progress);
    return;
  }
  while (progress.state === "replicate" && progress.next <= core.log.lastIndex && !progress.isBlocked) {
    sendAppend(core, lead, progress);
  }
}

function sendAppend(core: Core, lead: Leadership, progress: Progress): void {
  const { next } = progress;
  const prevTerm = core.log.termAt(next - 1);
  if (prevTerm === null) {
    requestSnapshot(core, progress);
    return;
  }
  const { message, bytes } = appendMessage(core, lead, next, prevTerm);
  const last = next - 1 + message.entries.length;
  progress.sent(last, bytes, lead.rounds.current);
  progress.sentCommit = Math.max(progress.sentCommit, Math.min(core.commitIndex, last));
  if (message.entries.length > 0) lead.sentIndex = Math.max(lead.sentIndex, last);
  core.send(progress.id, message);
}

/** The message that begins with entry `next`. Followers that stand at the same place get the same object. */
function appendMessage(
  core: Core,
  lead: Leadership,
  next: number,
  prevTerm: number,
): { message: AppendEntries; bytes: number } {
  const { log, limits } = core;
  const last = lead.lastAppend;
  if (
    last !== null &&
    last.logEnd === log.lastIndex &&
    last.message.prevIndex === next - 1 &&
    last.message.commit === core.commitIndex &&
    last.message.round === lead.rounds.current
  ) {
    return last;
  }
  let entries = NO_ENTRIES;
  let bytes = 0;
  if (next <= log.lastIndex) {
    const to = log.lastWithin(next, limits.maxEntriesPerMessage, limits.maxBytesPerMessage);
    entries = log.slice(next, to);
    for (const entry of entries) bytes += entry.data.length;
  }
  lead.lastAppend = {
    message: appendEntries(core, lead, next - 1, prevTerm, entries),
    bytes,
    logEnd: log.lastIndex,
  };
  return lead.lastAppend;
}

function appendEntries(
  core: Core,
  lead: Leadership,
  prevIndex: number,
  prevTerm: number,
  entries: readonly Entry[],
): AppendEntries {
  return {
    type: "append-entries",
    term: core.term,
    prevIndex,
    prevTerm,
    commit: core.commitIndex,
    round: lead.rounds.current,
    leaseMs: core.timings.leaseMs,
    entries,
  };
}

/** The follower needs what the log no longer has. Only one that was heard of late is sent a snapshot. */
function requestSnapshot(core: Core, progress: Progress): void {
  const isAlive = progress.hasAnswered && core.now - progress.lastContactMs < core.timings.electionTimeoutMs;
  if (isAlive && core.now >= progress.snapshotAfterMs) {
    progress.becomeSnapshot(core.snapshotIndex);
    core.emit({ type: "send-snapshot", to: progress.id, term: core.term });
    return;
  }
  if (progress.state === "replicate") progress.becomeProbe(progress.next);
  // The next heartbeat looks again. Asking at once would be answered at once, and so on.
  progress.isPaused = true;
}

/**
 * A message without entries. Its `prevIndex` is what the follower is known to hold, so that it cannot be refused whatever
 * is still under way; in `probe` it is the place being probed.
 */
export function sendHeartbeat(core: Core, lead: Leadership, progress: Progress): void {
  let prevIndex = progress.match;
  if (progress.state === "probe") {
    prevIndex = progress.next - 1;
    progress.isPaused = true;
  } else if (progress.state === "lost" && progress.match === 0) {
    // A server that holds nothing refuses this, and says how much it holds.
    prevIndex = core.log.lastIndex;
  }
  let prevTerm = core.log.termAt(prevIndex);
  if (prevTerm === null) {
    prevIndex = 0;
    prevTerm = 0;
  }
  progress.sentCommit = Math.max(progress.sentCommit, Math.min(core.commitIndex, prevIndex));
  core.send(progress.id, appendEntries(core, lead, prevIndex, prevTerm, NO_ENTRIES));
}

/** Asks where the follower stands when entries sent long enough ago were not acknowledged: a refusal shows that they were lost. */
export function probeForLoss(core: Core, lead: Leadership, progress: Progress): void {
  const prevTerm = core.log.termAt(progress.next - 1);
  if (prevTerm === null) {
    // What was sent is gone from the log meanwhile.
    progress.becomeProbe(progress.match + 1);
    sendEntries(core, lead, progress);
    return;
  }
  progress.sentRound = lead.rounds.current;
  core.send(progress.id, appendEntries(core, lead, progress.next - 1, prevTerm, NO_ENTRIES));
}

/** Begins a round: a heartbeat to every follower. Returns the round's number. */
export function beginRound(core: Core, lead: Leadership): number {
  const round = lead.rounds.begin(core.now);
  for (const progress of lead.progress.values()) sendHeartbeat(core, lead, progress);
  return round;
}

/** True when the follower could go on to a commit index that nothing sent has told it of. */
function needsNotice(core: Core, progress: Progress): boolean {
  return progress.state === "replicate" && Math.min(core.commitIndex, progress.match) > progress.sentCommit;
}

/** Tells followers of the commit index: now, or soon if nothing else does it before. */
export function noticeCommit(core: Core, lead: Leadership): void {
  for (const progress of lead.progress.values()) {
    if (!needsNotice(core, progress)) continue;
    if (core.timings.commitNotifyMs === 0) sendHeartbeat(core, lead, progress);
    else lead.notifyDeadlineMs = Math.min(lead.notifyDeadlineMs, core.now + core.timings.commitNotifyMs);
  }
}

/** The notice is due. */
export function sendNotices(core: Core, lead: Leadership): void {
  lead.notifyDeadlineMs = Infinity;
  for (const progress of lead.progress.values()) if (needsNotice(core, progress)) sendHeartbeat(core, lead, progress);
}
