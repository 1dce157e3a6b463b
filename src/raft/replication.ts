// The leader's side of log replication (thesis §3.5): proposals in, answers of followers in.
import { advanceCommit } from "./commit.ts";
import type { Core } from "./core.ts";
import type { Leadership } from "./leadership.ts";
import type { Progress } from "./progress.ts";
import { confirmReads } from "./read-index.ts";
import { broadcast, noticeCommit, probeForLoss, sendEntries } from "./sending.ts";
import { nudgeTarget } from "./transfer.ts";
import type { AppendResponse, Proposal, RejectReason } from "./types.ts";

/** Why the leader takes no entries now; null when it does. */
export function refusal(core: Core): RejectReason | null {
  if (core.leadership === null) return "not-leader";
  if (core.transfer !== null) return "transferring";
  if (core.persistence.isBlocked(core.now)) return "disk-full";
  return null;
}

/** Appends a batch, or rejects it whole. */
export function onPropose(core: Core, proposals: readonly Proposal[]): void {
  if (proposals.length === 0) return;
  const refs = proposals.map((proposal) => proposal.ref);
  const lead = core.leadership;
  const reason = refusal(core) ?? overload(core, lead!, proposals);
  if (lead === null || reason !== null) {
    core.emit({ type: "rejected", refs, reason: reason ?? "not-leader", leader: core.leader });
    return;
  }
  const { log, term } = core;
  const first = log.lastIndex + 1;
  for (const { data } of proposals) {
    core.append({ index: log.lastIndex + 1, term, kind: "command", data });
    lead.uncommittedBytes += data.length;
  }
  core.emit({ type: "accepted", refs, index: first, term });
  broadcast(core, lead);
}

/** Unlimited proposals without a quorum would fill the memory. One batch is always let in. */
function overload(core: Core, lead: Leadership, proposals: readonly Proposal[]): RejectReason | null {
  if (lead.uncommittedBytes === 0) return null;
  let bytes = lead.uncommittedBytes;
  for (const { data } of proposals) bytes += data.length;
  return bytes > core.limits.maxUncommittedBytes ? "overloaded" : null;
}

/** A follower has answered. Terms are equal here. */
export function onAppendResponse(core: Core, from: string, message: AppendResponse): void {
  const lead = core.leadership;
  const progress = lead?.progress.get(from);
  if (lead === null || progress === undefined) {
    core.drop(lead === null ? "stale" : "unknown-peer");
    return;
  }
  if (message.round > lead.rounds.current || (message.success && message.index > core.log.lastIndex)) {
    core.drop("malformed");
    return;
  }
  progress.lastContactMs = core.now;
  progress.hasAnswered = true;
  if (message.round > progress.ackedRound) {
    progress.ackedRound = message.round;
    progress.ackedRoundBeganMs = lead.rounds.beganMs(message.round);
  }
  if (message.success) onSuccess(core, lead, progress, message);
  else onRefusal(core, lead, progress, message);
  if (core.leadership === lead) confirmReads(core, lead);
}

function onSuccess(core: Core, lead: Leadership, progress: Progress, message: AppendResponse): void {
  const isMeeting = message.index >= progress.next - 1;
  const isNews = progress.acknowledge(message.index, lead.rounds.current);
  switch (progress.state) {
    case "probe":
      progress.isPaused = false;
      if (isNews || isMeeting) progress.becomeReplicate();
      break;
    case "snapshot":
      // It holds something that the log reaches back to: by the snapshot, or by another way.
      if (isNews && core.log.termAt(progress.match) !== null) progress.becomeReplicate();
      break;
    case "lost":
      if (progress.match > 0 && message.index >= progress.match) progress.becomeReplicate();
      break;
    default:
      if (progress.inflights.count > 0 && message.round > progress.sentRound) probeForLoss(core, lead, progress);
  }
  if (isNews) advanceCommit(core, lead);
  if (core.leadership !== lead) return;
  sendEntries(core, lead, progress);
  if (isNews) noticeCommit(core, lead);
  if (isNews && core.transfer?.target === progress.id) nudgeTarget(core, lead);
}

function onRefusal(core: Core, lead: Leadership, progress: Progress, message: AppendResponse): void {
  if (hasLostData(core, progress, message)) {
    onLostData(core, lead, progress, message);
    return;
  }
  const isCurrent =
    (progress.state === "probe" && message.index === progress.next - 1) ||
    (progress.state === "replicate" && message.index > progress.match && message.index < progress.next);
  if (progress.state === "lost" && progress.match === 0) {
    // It was called lost because it held nothing; now it holds something, so it has joined in the right way.
    progress.becomeProbe(core.log.lastIndex + 1);
  } else if (!isCurrent) {
    core.drop("stale");
    return;
  }
  const hint = core.log.lastNotAbove(message.hintIndex, message.hintTerm);
  progress.becomeProbe(Math.max(progress.match + 1, Math.min(message.index, hint + 1)));
  sendEntries(core, lead, progress);
}

/**
 * True when the refusal proves that the follower no longer holds what it had: it refuses what it had confirmed, in a message
 * sent after that confirmation came; or it is a voter and holds nothing, though nobody becomes a voter with an empty log.
 */
function hasLostData(core: Core, progress: Progress, message: AppendResponse): boolean {
  if (message.index <= progress.match) return message.round > progress.matchRound && message.lastIndex < progress.match;
  return message.lastIndex === 0 && (core.members.voters.includes(progress.id) || progress.state === "lost");
}

function onLostData(core: Core, lead: Leadership, progress: Progress, message: AppendResponse): void {
  // Were it given the log again it would vote again, having forgotten what it promised and confirmed: a committed entry
  // could be lost. It stays as it is until it is removed and comes back under another id.
  if (progress.state === "lost") return;
  if (core.members.voters.includes(progress.id) || progress.leavingIndex !== 0) {
    progress.becomeLost();
    core.emit({ type: "peer-lost-data", peer: progress.id });
    return;
  }
  // Nothing was ever counted on a non-voter.
  progress.match = 0;
  progress.becomeProbe(core.log.lastNotAbove(message.hintIndex, message.hintTerm) + 1);
  sendEntries(core, lead, progress);
}

/** The transport lost a message, probably: what was sent after it would only be refused. */
export function onUnreachable(core: Core, peer: string): void {
  const progress = core.leadership?.progress.get(peer);
  if (progress?.state !== "replicate") return;
  progress.becomeProbe(progress.match + 1);
  progress.isPaused = true;
}
