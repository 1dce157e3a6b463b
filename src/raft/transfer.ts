// Leadership transfer (thesis §3.10): the leader stops taking proposals, brings the target up to date and tells it to
// campaign at once. It ends when a leader of a later term is heard, or in failure after one election timeout.
import type { Core } from "./core.ts";
import type { Leadership } from "./leadership.ts";
import type { Progress } from "./progress.ts";
import { becomeFollower } from "./role.ts";
import { sendEntries } from "./sending.ts";
import type { RejectReason } from "./types.ts";

export interface Transfer {
  readonly ref: number;
  readonly target: string;
  /** The term that is to end. */
  readonly term: number;
  readonly deadlineMs: number;
}

/** The host's `transfer`. */
export function onTransfer(core: Core, ref: number, to: string | null): void {
  const lead = core.leadership;
  const reject = (reason: RejectReason): void => {
    core.emit({ type: "rejected", refs: [ref], reason, leader: core.leader });
  };
  if (lead === null) return reject("not-leader");
  if (core.transfer !== null) return reject("transferring");
  const target = to ?? bestSuccessor(core, lead)?.id;
  if (target === undefined || target === core.id || !core.members.voters.includes(target)) return reject("invalid");
  core.transfer = { ref, target, term: core.term, deadlineMs: core.now + core.timings.electionTimeoutMs };
  sendEntries(core, lead, lead.progress.get(target)!);
  nudgeTarget(core, lead);
}

/** The voter that can take over soonest; undefined when none was heard of late. */
function bestSuccessor(core: Core, lead: Leadership): Progress | undefined {
  let best: Progress | undefined;
  for (const progress of lead.progress.values()) {
    if (!core.members.voters.includes(progress.id) || progress.state === "lost") continue;
    if (!progress.hasAnswered || core.now - progress.lastContactMs >= core.timings.electionTimeoutMs) continue;
    if (best === undefined || progress.match > best.match) best = progress;
  }
  return best;
}

/** Tells the target of the transfer under way to campaign, once it holds the whole log. Repeated at every heartbeat. */
export function nudgeTarget(core: Core, lead: Leadership): void {
  const { transfer } = core;
  if (transfer === null) return;
  const progress = lead.progress.get(transfer.target);
  if (progress !== undefined && progress.match === core.log.lastIndex) sendTimeoutNow(core, lead, progress.id);
}

function sendTimeoutNow(core: Core, lead: Leadership, to: string): void {
  lead.isLeaseRevoked = true;
  core.send(to, { type: "timeout-now", term: core.term });
}

/** Steps down of its own accord; if some voter holds the whole log it is told to take over. */
export function handOver(core: Core, lead: Leadership): void {
  const successor = bestSuccessor(core, lead);
  if (successor !== undefined && successor.match === core.log.lastIndex) sendTimeoutNow(core, lead, successor.id);
  becomeFollower(core, core.term, null);
}

/** Called at the end of every step: reports a transfer whose end is known. */
export function settleTransfer(core: Core): void {
  const { transfer } = core;
  if (transfer === null) return;
  if (core.term > transfer.term && core.leader !== null && core.leader !== core.id) {
    core.transfer = null;
    core.emit({ type: "transfer-done", ref: transfer.ref, leader: core.leader });
  } else if (core.now >= transfer.deadlineMs || (core.leader === core.id && core.term > transfer.term)) {
    core.transfer = null;
    core.emit({ type: "transfer-failed", ref: transfer.ref });
  }
}
