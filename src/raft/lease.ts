// How sure a leader is that it still leads (thesis §6.2, §6.4.1), by its own monotonic clock.
//
// Why the lease is safe: a follower that answers a message of round r grants no vote for the election timeout T after
// that message came (`promiseUntilMs`), so also not until r's beginning plus T. A majority of such followers shares a server
// with every majority that could elect another leader. The lease counts from r's beginning and is shorter than T by a
// margin for clocks that run unlike. A restarted server makes the promise anew at `start`, since it may have made it before;
// a leader that lets another one campaign (TimeoutNow) gives its lease up for the rest of its term.
import type { Core } from "./core.ts";
import type { Leadership } from "./leadership.ts";
import type { Progress } from "./progress.ts";

const contactOf = (progress: Progress): number => progress.lastContactMs;
const ackedRoundOf = (progress: Progress): number => progress.ackedRoundBeganMs;

/** True when no other server can have been elected, and committed anything, up to now. */
function holdsLease(core: Core, lead: Leadership, now: number): boolean {
  if (now < lead.leaseFromMs) return false;
  if (core.isSoleVoter) return true;
  if (lead.isLeaseRevoked) return false;
  return now < lead.reached(core, now, ackedRoundOf) + core.timings.leaseMs;
}

/** True when what is applied here is the newest committed state: the lease holds, and the term's first entry is committed. */
export function canReadLocally(core: Core, now: number): boolean {
  const lead = core.leadership;
  return lead !== null && core.commitIndex >= lead.termStart && holdsLease(core, lead, now);
}

/** False when a majority of voters has been silent for an election timeout: check-quorum (thesis §6.2). */
export function hearsQuorum(core: Core, lead: Leadership): boolean {
  return core.now - lead.reached(core, core.now, contactOf) < core.timings.electionTimeoutMs;
}
