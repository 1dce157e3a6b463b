// Linearizable reads without clocks (thesis §6.4). The leader notes its commit index, then makes sure by a round of
// heartbeats, begun after the read came, that it still leads; a read that waits until that index is applied sees every write
// that was acknowledged before the read began. Reads that come while a round is under way share the next one.
import type { Core } from "./core.ts";
import type { Leadership } from "./leadership.ts";
import type { Progress } from "./progress.ts";
import { beginRound } from "./sending.ts";
import type { ReadIndex, ReadIndexResponse } from "./types.ts";

const ackedRoundOf = (progress: Progress): number => progress.ackedRound;

/** A read of the host, on any server. */
export function onRead(core: Core, ref: number): void {
  const lead = core.leadership;
  if (lead !== null) {
    lead.waitingReads.refs.push(ref);
    beginReadRound(core, lead);
  } else if (core.leader === null) {
    core.emit({ type: "read-failed", refs: [ref], leader: null });
  } else {
    core.forwarded.waiting.push(ref);
    forwardReads(core);
  }
}

/** Begins a round for the reads that wait, unless one is under way or the commit index is not yet known to be right. */
export function beginReadRound(core: Core, lead: Leadership): void {
  if (lead.reading !== null || core.commitIndex < lead.termStart) return;
  const batch = lead.waitingReads;
  if (batch.refs.length === 0 && batch.remote.length === 0) return;
  lead.waitingReads = { refs: [], remote: [] };
  const index = core.commitIndex;
  // A sole voter needs no answer, so it sends nothing.
  const round = core.isSoleVoter ? lead.rounds.begin(core.now) : beginRound(core, lead);
  lead.reading = { batch, round, index };
  confirmReads(core, lead);
}

/** An answer has come: are the reads of the present round confirmed by a majority? */
export function confirmReads(core: Core, lead: Leadership): void {
  const { reading } = lead;
  if (reading === null || lead.reached(core, lead.rounds.current, ackedRoundOf) < reading.round) return;
  lead.reading = null;
  const { batch, index } = reading;
  if (batch.refs.length > 0) core.emit({ type: "read-ready", refs: batch.refs, index });
  for (const { from, context } of batch.remote) {
    core.send(from, { type: "read-index-response", term: core.term, context, index });
  }
  beginReadRound(core, lead);
}

/** A follower asks. Terms are equal here. */
export function onReadIndex(core: Core, from: string, message: ReadIndex): void {
  const lead = core.leadership;
  if (lead === null) {
    core.reply(from, { type: "read-index-response", term: core.term, context: message.context, index: null });
    return;
  }
  lead.waitingReads.remote.push({ from, context: message.context });
  beginReadRound(core, lead);
}

/** The leader has answered. Terms are equal here. */
export function onReadIndexResponse(core: Core, from: string, message: ReadIndexResponse): void {
  const { forwarded } = core;
  if (from !== core.leader || message.context !== forwarded.context) {
    core.drop("stale");
    return;
  }
  const refs = forwarded.end();
  if (message.index === null) core.emit({ type: "read-failed", refs, leader: core.leader });
  else core.emit({ type: "read-ready", refs, index: message.index });
  forwardReads(core);
}

/** No answer came in time: the host may try again, with a new context. */
export function onForwardTimeout(core: Core): void {
  const refs = core.forwarded.end();
  core.emit({ type: "read-failed", refs, leader: core.leader });
  forwardReads(core);
}

function forwardReads(core: Core): void {
  const { forwarded, leader } = core;
  if (leader === null || forwarded.context !== 0 || forwarded.waiting.length === 0) return;
  const context = forwarded.begin(core.now + core.timings.electionTimeoutMs);
  core.reply(leader, { type: "read-index", term: core.term, context });
}
