// The follower's side of log replication (thesis §3.5).
import { decodeConfiguration } from "./configuration.ts";
import type { Core } from "./core.ts";
import { becomeFollower, heardLeader } from "./role.ts";
import type { AppendEntries, Configuration } from "./types.ts";

/** Entries or a heartbeat of a leader. */
export function onAppendEntries(core: Core, from: string, message: AppendEntries): void {
  if (message.term < core.term) {
    // So that a leader that was left behind steps down, and follows a term that this server cannot give up.
    refuse(core, from, message);
    return;
  }
  if (message.term === core.term && core.leader !== null && core.leader !== from) {
    core.drop("conflict");
    return;
  }
  if (message.term > core.term || core.leader !== from) becomeFollower(core, message.term, from);
  heardLeader(core, message.leaseMs);
  core.leaderCommit = message.commit;

  const { log } = core;
  const { prevIndex, prevTerm, entries } = message;
  // A full disk holds no entries: they are lost like others on the way.
  if (entries.length > 0 && core.persistence.isBlocked(core.now)) return;
  // Below the base everything is committed, and a leader's log agrees with what is.
  const ownPrevTerm = prevIndex < log.baseIndex ? prevTerm : log.termAt(prevIndex);
  if (ownPrevTerm !== prevTerm) {
    if (prevIndex <= core.commitIndex) core.drop("conflict");
    else refuse(core, from, message);
    return;
  }
  if (!adopt(core, message)) return;

  const last = prevIndex + entries.length;
  const commit = Math.min(message.commit, last);
  if (commit > core.commitIndex) core.commitTo(commit);
  confirm(core, from, message, Math.max(last, core.commitIndex));
}

/** Takes over the entries that the log does not have yet. False when the message was dropped, and nothing changed. */
function adopt(core: Core, message: AppendEntries): boolean {
  const { log } = core;
  const { entries } = message;
  let known = 0;
  while (known < entries.length) {
    const { index, term } = entries[known]!;
    if (index > log.baseIndex && log.termAt(index) !== term) break;
    known += 1;
  }
  const first = entries[known];
  if (first === undefined) return true;
  if (first.index <= core.commitIndex) {
    core.drop("conflict");
    return false;
  }
  const configurations = new Map<number, Configuration>();
  for (let i = known; i < entries.length; i += 1) {
    const entry = entries[i]!;
    if (entry.kind !== "config") continue;
    const configuration = decodeConfiguration(entry.data);
    if (configuration === null) {
      core.drop("malformed");
      return false;
    }
    configurations.set(entry.index, configuration);
  }
  if (first.term < (log.termAt(first.index - 1) ?? 0)) {
    core.drop("malformed");
    return false;
  }
  if (first.index <= log.lastIndex) core.truncate(first.index, false);
  for (let i = known; i < entries.length; i += 1) core.append(entries[i]!);
  for (const [index, configuration] of configurations) core.members.append(configuration, index);
  if (configurations.size > 0) core.emitConfiguration();
  return true;
}

/** Says up to where the logs agree, as far as it is durable here. */
function confirm(core: Core, to: string, message: AppendEntries, index: number): void {
  const { stableIndex } = core.persistence;
  const isHeartbeat = message.entries.length === 0;
  const response = {
    type: "append-response",
    term: core.term,
    round: message.round,
    success: true,
    // A heartbeat is answered at once, even by a server whose disk is slow.
    index: isHeartbeat ? Math.min(index, stableIndex) : index,
    hintIndex: 0,
    hintTerm: 0,
    lastIndex: 0,
  } as const;
  if (isHeartbeat || index <= stableIndex) core.reply(to, response);
  else core.sendAfter(to, response);
}

function refuse(core: Core, to: string, message: AppendEntries): void {
  const hintIndex = core.log.lastNotAbove(message.prevIndex, message.prevTerm);
  core.reply(to, {
    type: "append-response",
    term: core.term,
    round: message.round,
    success: false,
    index: message.prevIndex,
    hintIndex,
    hintTerm: core.log.termAt(hintIndex) ?? 0,
    lastIndex: core.log.lastIndex,
  });
}
