// Changes of role that need nothing but the server's own state, and the clock of the followers.
import type { Core } from "./core.ts";
import { LEASE_SHARE } from "./options.ts";
import { VoteTally } from "./quorum.ts";

/** The first campaign is given a quarter of the election timeout to half of it; each further one twice as long. */
const FIRST_CAMPAIGN_DIVISOR = 8;

/** Draws a new election timeout in [T, 2T) and lets it begin now (thesis §3.4). */
export function restartElectionTimer(core: Core): void {
  const { electionTimeoutMs } = core.timings;
  core.electionTimeoutMs = electionTimeoutMs + core.random.below(Math.max(1, Math.floor(electionTimeoutMs)));
  setElectionDeadline(core, core.now + core.electionTimeoutMs);
}

/**
 * When a campaign that comes to nothing is followed by the next. It failed for a reason that passes at once: another one
 * campaigned at the same moment, or a voter's promise had a little left to run. So the first ones come soon, and only a
 * server that fails again and again (it is cut off, or its disk is slow) takes the whole election timeout between them.
 */
function restartCampaignTimer(core: Core): void {
  const { electionTimeoutMs } = core.timings;
  const baseMs = Math.min(electionTimeoutMs, (electionTimeoutMs * 2 ** core.campaigns) / FIRST_CAMPAIGN_DIVISOR);
  setElectionDeadline(core, core.now + baseMs + core.random.below(Math.max(1, Math.floor(baseMs))));
}

/** A server keeps its own promise too: it does not campaign while it could not vote. */
export function setElectionDeadline(core: Core, atMs: number): void {
  core.electionDeadlineMs = Math.max(atMs, core.promiseUntilMs);
  core.wasPutOff = false;
}

/** A message of the leader of this term has come: no vote for anybody else until its lease must have run out. */
export function heardLeader(core: Core, leaseMs: number): void {
  core.lastHeardMs = core.now;
  // The leader may have been started with another lease than this server would use itself.
  const promiseMs = Math.max(core.timings.electionTimeoutMs, leaseMs / LEASE_SHARE);
  core.promiseUntilMs = Math.max(core.promiseUntilMs, core.now + promiseMs);
  setElectionDeadline(core, core.now + core.electionTimeoutMs);
}

/** Follows `leader`, or nobody yet. A later term is taken over, without a vote in it. */
export function becomeFollower(core: Core, term: number, leader: string | null): void {
  const wasTimed = core.role !== "leader";
  if (term > core.term) setTerm(core, term, null);
  endLeadership(core);
  core.role = "follower";
  core.votes = null;
  setLeader(core, leader);
  if (leader !== null) core.campaigns = 0;
  // Only hearing a leader and giving a vote put the next campaign off: not every later term that someone names.
  if (!wasTimed || leader !== null) restartElectionTimer(core);
}

/** Asks whether an election would be won, at no cost to anyone (thesis §9.6). */
export function becomePreCandidate(core: Core): void {
  core.role = "pre-candidate";
  setLeader(core, null);
  core.votes = new VoteTally();
  core.votes.record(core.id, true);
  core.campaigns += 1;
  restartCampaignTimer(core);
}

/** Opens an election of the next term. The own vote counts once it is durable. */
export function becomeCandidate(core: Core): void {
  setTerm(core, core.term + 1, core.id);
  core.role = "candidate";
  setLeader(core, null);
  core.votes = new VoteTally();
  restartCampaignTimer(core);
}

function setTerm(core: Core, term: number, vote: string | null): void {
  core.term = term;
  core.vote = vote;
  core.persistence.markHardState();
}

/** Reads that were asked of one leader are not answered by the next. */
export function setLeader(core: Core, leader: string | null): void {
  if (core.leader === leader) return;
  core.leader = leader;
  const refs = core.forwarded.clear();
  if (refs.length > 0) core.emit({ type: "read-failed", refs, leader });
}

function endLeadership(core: Core): void {
  const lead = core.leadership;
  if (lead === null) return;
  core.leadership = null;
  const batches = lead.reading === null ? [lead.waitingReads] : [lead.reading.batch, lead.waitingReads];
  const refs = batches.flatMap((batch) => batch.refs);
  if (refs.length > 0) core.emit({ type: "read-failed", refs, leader: null });
  for (const { from, context } of batches.flatMap((batch) => batch.remote)) {
    core.reply(from, { type: "read-index-response", term: core.term, context, index: null });
  }
}
