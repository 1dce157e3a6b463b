// Elections (thesis §3.4) with pre-vote (§9.6), leader stickiness (§6.2) and the vote a transfer asks for (§3.10).
import type { Core } from "./core.ts";
import { Leadership } from "./leadership.ts";
import { hearsQuorum } from "./lease.ts";
import {
  becomeCandidate,
  becomeFollower,
  becomePreCandidate,
  restartElectionTimer,
  setElectionDeadline,
  setLeader,
} from "./role.ts";
import { broadcast } from "./sending.ts";
import type { RequestVote, TimeoutNow, VoteResponse } from "./types.ts";

/** A part of the heartbeat: long enough to read what has come, short beside an election. */
const LISTEN_DIVISOR = 5;

const NO_DATA: Uint8Array = new Uint8Array(0);

/** The election timer has run out. */
export function onElectionTimeout(core: Core): void {
  // A timer says nothing of what waits behind it: the leader's messages may have come while this process was stalled,
  // and a stall that ended just now makes no timer late. They are let in first; for longer when the timer itself is late.
  const { heartbeatMs } = core.timings;
  const isLate = core.now - core.electionDeadlineMs > heartbeatMs;
  if ((isLate || core.role === "follower") && !core.wasPutOff && !core.isSoleVoter) {
    setElectionDeadline(core, core.now + (isLate ? heartbeatMs : heartbeatMs / LISTEN_DIVISOR));
    core.wasPutOff = true;
    return;
  }
  campaign(core);
}

/** Begins a pre-election, or as a sole voter simply leads. */
export function campaign(core: Core): void {
  if (core.role === "leader" || !core.mayCampaign || core.log.lastIndex === 0) return;
  if (core.now < core.promiseUntilMs || core.persistence.isBlocked(core.now)) {
    setElectionDeadline(core, Math.max(core.promiseUntilMs, core.persistence.blockedUntilMs));
    return;
  }
  if (core.log.lastIndex < core.leaderCommit) {
    // It could not win, and its configuration is an old one: by that it might even think itself the only voter.
    restartElectionTimer(core);
    return;
  }
  if (core.isSoleVoter) {
    becomeCandidate(core);
    // Nobody hears of the term before its first entry is durable, and then the term is too: one write does for both.
    // With non-voters the term must be durable first, or it could come again after a crash, with other entries.
    if (core.configuration.servers.length === 1) becomeLeader(core);
    return;
  }
  becomePreCandidate(core);
  for (const id of core.members.voters)
    if (id !== core.id) core.send(id, voteRequest(core, core.term + 1, true, false));
}

/** Begins an election of the next term. */
function startElection(core: Core, transfer: boolean): void {
  becomeCandidate(core);
  for (const id of core.members.voters)
    if (id !== core.id) core.sendAfter(id, voteRequest(core, core.term, false, transfer));
}

function voteRequest(core: Core, term: number, preVote: boolean, transfer: boolean): RequestVote {
  const { lastIndex, lastTerm } = core.log;
  return { type: "request-vote", term, preVote, transfer, lastIndex, lastTerm };
}

/** The leader hands over. Terms are equal here. */
export function onTimeoutNow(core: Core, from: string, _message: TimeoutNow): void {
  if (core.role !== "follower" || core.leader !== from || !core.isVoter || core.persistence.isBlocked(core.now)) {
    core.drop("stale");
    return;
  }
  // The leader has given up its lease, and with it what was promised to it.
  core.promiseUntilMs = -Infinity;
  if (core.isSoleVoter) campaign(core);
  else startElection(core, true);
}

/** Term and vote are durable: the own vote counts. */
export function onVoteDurable(core: Core): void {
  if (core.role !== "candidate" || core.votes === null || !core.persistence.isHardStateDurable) return;
  core.votes.record(core.id, true);
  decide(core);
}

function decide(core: Core): void {
  const result = core.votes!.result(core.members.voters);
  if (result === "lost") becomeFollower(core, core.term, null);
  if (result !== "won") return;
  if (core.role === "pre-candidate") startElection(core, false);
  else becomeLeader(core);
}

function becomeLeader(core: Core): void {
  core.role = "leader";
  core.votes = null;
  core.electionDeadlineMs = Infinity;
  core.campaigns = 0;
  setLeader(core, core.id);
  const lead = new Leadership(core);
  core.leadership = lead;
  lead.uncommittedBytes = core.log.bytesBetween(core.commitIndex + 1, core.log.lastIndex);
  core.append({ index: lead.termStart, term: core.term, kind: "noop", data: NO_DATA });
  lead.rounds.begin(core.now);
  broadcast(core, lead);
}

/** Someone campaigns, or asks whether it could. */
export function onRequestVote(core: Core, from: string, message: RequestVote): void {
  const { term, preVote } = message;
  if (term < core.term) {
    answer(core, from, core.term, preVote, false);
    return;
  }
  if (core.log.lastIndex === 0) {
    // A voter's log is never empty, unless its disk was lost, and with it the votes that it gave.
    core.drop("empty-log");
    return;
  }
  if (!message.transfer && isLeaderAlive(core)) {
    core.drop("leader-alive");
    return;
  }
  if (core.persistence.isBlocked(core.now)) return;
  const isUpToDate = core.log.isUpToDate(message.lastIndex, message.lastTerm);
  if (preVote) {
    const granted = isUpToDate && (term > core.term || mayVoteFor(core, from));
    answer(core, from, granted ? term : core.term, true, granted);
    return;
  }
  if (term > core.term) becomeFollower(core, term, null);
  const granted = isUpToDate && mayVoteFor(core, from);
  if (granted && core.vote === null) {
    core.vote = from;
    core.persistence.markHardState();
  }
  if (granted) restartElectionTimer(core);
  answer(core, from, core.term, false, granted);
}

function mayVoteFor(core: Core, candidate: string): boolean {
  return core.vote === candidate || (core.vote === null && core.leader === null);
}

/** A server that hears a leader gives no vote, so that one that cannot hear it disturbs nobody, and a lease can be relied on. */
function isLeaderAlive(core: Core): boolean {
  return core.leadership === null ? core.now < core.promiseUntilMs : hearsQuorum(core, core.leadership);
}

/** A granted vote leaves when it is durable; a pre-vote promises nothing. */
function answer(core: Core, to: string, term: number, preVote: boolean, granted: boolean): void {
  const response: VoteResponse = { type: "vote-response", term, preVote, granted };
  if (granted && !preVote) core.sendAfter(to, response);
  else core.reply(to, response);
}

export function onVoteResponse(core: Core, from: string, message: VoteResponse): void {
  const { term, preVote, granted } = message;
  if (term > core.term && !(preVote && granted)) {
    becomeFollower(core, term, null);
    return;
  }
  const asked = preVote ? "pre-candidate" : "candidate";
  const isCurrent = preVote && granted ? term === core.term + 1 : term === core.term;
  if (core.role !== asked || !isCurrent) {
    core.drop("stale");
    return;
  }
  core.votes!.record(from, granted);
  decide(core);
}
