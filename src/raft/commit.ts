// When the leader may call an entry committed (thesis §3.6.2), and what follows from it.
import type { Core } from "./core.ts";
import type { Leadership } from "./leadership.ts";
import type { Progress } from "./progress.ts";
import { beginReadRound } from "./read-index.ts";
import { sendEntries, sendHeartbeat } from "./sending.ts";
import { handOver } from "./transfer.ts";

// What a server has lost it no longer holds, whatever it confirmed.
const matchOf = (progress: Progress): number => (progress.state === "lost" ? 0 : progress.match);

/**
 * Commits what a majority durably holds, this server's own disk included like any other. Only an entry of the present
 * term is committed by counting; the ones before it are committed with it (Figure 8 of the Raft paper). The followers are
 * still to be told (`noticeCommit`), unless the leader has stepped down when this returns.
 */
export function advanceCommit(core: Core, lead: Leadership): void {
  const index = lead.reached(core, core.persistence.stableIndex, matchOf);
  if (index <= core.commitIndex || core.log.termAt(index) !== core.term) return;
  const isFirst = core.commitIndex < lead.termStart;
  lead.uncommittedBytes -= core.log.bytesBetween(core.commitIndex + 1, index);
  core.commitTo(index);
  if (core.members.index <= index) settleMembership(core, lead);
  if (isFirst && core.leadership === lead) beginReadRound(core, lead);
}

/** The configuration in force is committed: who has left is told so and forgotten; a leader that has left steps down (§4.2.2). */
function settleMembership(core: Core, lead: Leadership): void {
  for (const progress of lead.progress.values()) {
    if (progress.leavingIndex === 0) continue;
    sendEntries(core, lead, progress);
    sendHeartbeat(core, lead, progress);
    lead.progress.delete(progress.id);
  }
  if (core.isVoter) return;
  // The others learn of the commit before they are asked to go on alone.
  for (const progress of lead.progress.values()) sendHeartbeat(core, lead, progress);
  handOver(core, lead);
}
