// Snapshots (thesis chapter 5). Their bytes never pass through this machine: the host takes, sends, receives and restores
// them, and tells it where they stand in the log.
import { assert } from "../util/assert.ts";
import type { Core } from "./core.ts";
import { becomeFollower, heardLeader } from "./role.ts";
import type { SnapshotPoint } from "./types.ts";

/** How many times `trailingEntries` the log may keep for a follower that is being sent an older snapshot. */
const PATIENCE = 4;

/** A snapshot of this server's own state is durable: the log below it may go, but for what trails. */
export function onSnapshotTaken(core: Core, snapshot: SnapshotPoint): void {
  assert(snapshot.index <= core.deliveredIndex, `snapshot ${snapshot.index} is beyond what was delivered`);
  if (snapshot.index <= core.snapshotIndex) return;
  core.snapshotIndex = snapshot.index;
  const { log, limits } = core;
  // What is not yet durable may have to be written again.
  let index = Math.min(snapshot.index, core.persistence.stableIndex);
  if (index <= log.baseIndex) return;
  index = log.trailing(index, limits.trailingEntries, limits.trailingBytes);
  index = Math.min(index, neededByFollowers(core));
  if (index <= log.baseIndex) return;
  const term = log.termAt(index)!;
  log.compact(index);
  core.members.compact(snapshot.index);
  core.emit({ type: "compact", index, term });
}

/** A follower that is being sent a snapshot will ask for what comes after it; without that it would need another one, and so on. */
function neededByFollowers(core: Core): number {
  let index = Infinity;
  for (const progress of core.leadership?.progress.values() ?? []) {
    if (progress.state !== "snapshot") continue;
    if (core.now - progress.lastContactMs >= core.timings.electionTimeoutMs) continue;
    if (core.snapshotIndex - progress.snapshotIndex > PATIENCE * core.limits.trailingEntries) continue;
    index = Math.min(index, progress.snapshotIndex);
  }
  return index;
}

/**
 * A snapshot has come from a peer. What it holds is committed, whoever sent it, so it is worth having even when its sender
 * no longer leads; it takes the place of the whole log unless the log leads up to it.
 */
export function onSnapshotReceived(core: Core, from: string, term: number, snapshot: SnapshotPoint): void {
  if (term > core.term || (term === core.term && core.leader === null && core.role !== "leader")) {
    becomeFollower(core, term, from);
  }
  if (term === core.term && core.leader === from) heardLeader(core, 0);
  const { index } = snapshot;
  const isUsable = core.role !== "leader" && !core.persistence.isBlocked(core.now);
  if (isUsable && index > core.commitIndex && core.log.termAt(index) === snapshot.term) core.commitTo(index);
  if (!isUsable || index <= core.commitIndex) {
    core.emit({ type: "snapshot-refused", index });
    confirm(core, from, Math.min(core.commitIndex, core.persistence.stableIndex));
    return;
  }
  // A campaign was for the log that goes now.
  if (core.role !== "follower") becomeFollower(core, core.term, core.leader);
  if (core.log.lastIndex > core.commitIndex)
    core.emit({ type: "truncated", fromIndex: core.commitIndex + 1, lost: false });
  core.log.reset(index, snapshot.term);
  core.members.reset({ configuration: snapshot.configuration, index: snapshot.configurationIndex });
  core.persistence.markInstall(snapshot);
  core.snapshotIndex = index;
  core.commitIndex = index;
  core.deliveredIndex = index;
  core.emitConfiguration();
  confirm(core, from, index);
}

/** Tells the sender what is durable here. Round 0: it answers no heartbeat. */
function confirm(core: Core, to: string, index: number): void {
  core.sendAfter(to, {
    type: "append-response",
    term: core.term,
    round: 0,
    success: true,
    index,
    hintIndex: 0,
    hintTerm: 0,
    lastIndex: 0,
  });
}

/** The sending of a snapshot has ended. Where the follower stands it says itself; this only gets things moving again. */
export function onSnapshotSent(core: Core, peer: string, index: number, ok: boolean): void {
  const progress = core.leadership?.progress.get(peer);
  if (progress?.state !== "snapshot") return;
  progress.becomeProbe(ok ? Math.max(progress.match, Math.min(index, core.log.lastIndex)) + 1 : progress.match + 1);
  // Its own answer is on the way, and the next heartbeat is soon.
  progress.isPaused = true;
  if (!ok) progress.snapshotAfterMs = core.now + core.timings.electionTimeoutMs;
}
