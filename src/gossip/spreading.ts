// How news gets about: on the back of every call and answer, and by itself while there is something to tell (SWIM §4.1,
// memberlist's gossip). Whom it concerns is told first (Lifeguard's buddy system), so that it can refute at once.
import type { Core } from "./core.ts";
import type { Member } from "./member-table.ts";
import { isLeaf, isReachable } from "./member-table.ts";
import type { Update } from "./types.ts";
import type { QueuedUpdate } from "./update-queue.ts";

/** An answer to a leaf is all that it hears for a while, so it may be larger. */
const LEAF_BUDGETS = 8;

/** Lets an update spread from here. What it waits under, or null when there is no need to. */
export function broadcast(core: Core, update: Update): QueuedUpdate | null {
  if (core.anchoring !== null && core.isHearing && subjectOf(update) !== core.name) return null;
  const item = core.queue.put(update);
  // Set exactly while there are leaves of this member.
  if (core.leafCheckAtMs < Infinity) for (const member of core.table.all) member.outbox?.put(item);
  if (core.anchoring !== null) {
    core.anchoring.atMs = Math.min(core.anchoring.atMs, core.now + core.timings.gossipIntervalMs);
  } else if (core.gossipAtMs === Infinity) {
    core.gossipAtMs = core.now + core.random.below(Math.max(1, Math.floor(core.timings.gossipIntervalMs)));
  }
  return item;
}

function subjectOf(update: Update): string {
  return update.type === "alive" ? update.member.name : update.name;
}

/** What a member should hear first: that it is suspected, or held for dead. */
function warningFor(core: Core, member: Member | undefined): Update | null {
  if (member === undefined || !core.timings.buddySystem) return null;
  const { state, incarnation, record } = member;
  if (state === "suspect") return { type: "suspect", name: record.name, incarnation, from: core.name };
  if (state === "dead") return { type: "dead", name: record.name, incarnation, from: core.name };
  return null;
}

function isSameNews(update: Update, warning: Update): boolean {
  return update.type === warning.type && subjectOf(update) === subjectOf(warning);
}

function withWarning(warning: Update | null, items: readonly QueuedUpdate[]): Update[] {
  const updates = warning === null ? [] : [warning];
  for (const { update } of items) if (warning === null || !isSameNews(update, warning)) updates.push(update);
  return updates;
}

/** Updates for a call to `member`. `items` go to `Core.call`. */
export function takeUpdates(core: Core, member: Member | undefined): { updates: Update[]; items: QueuedUpdate[] } {
  const items = core.queue.take(core.options.limits.piggybackBytes, core.retransmitLimit);
  return { updates: withWarning(warningFor(core, member), items), items };
}

/** Updates for an answer to the member of this name; `received` is what a leaf's request said. */
export function answerUpdates(core: Core, name: string, received = 0): { updates: Update[]; sequence: number } {
  const { piggybackBytes } = core.options.limits;
  const member = core.table.get(name);
  const warning = warningFor(core, member);
  if (member !== undefined && member.outbox !== null) {
    const { updates, sequence } = member.outbox.take(received, LEAF_BUDGETS * piggybackBytes);
    return { updates: warning === null ? updates : [warning, ...updates], sequence };
  }
  return { updates: withWarning(warning, core.queue.peek(piggybackBytes, core.retransmitLimit)), sequence: 0 };
}

/** The gossip timer: tells a few members what there is to tell. It stops when there is nothing, or nobody. */
export function onGossipTimeout(core: Core): void {
  const { gossipNodes, gossipIntervalMs, gossipToTheDeadMs } = core.timings;
  core.gossipAtMs = Infinity;
  if (core.queue.size === 0) return;
  const lives = (member: Member): boolean =>
    isReachable(member) || (member.state === "dead" && core.now - member.changedMs < gossipToTheDeadMs);
  const members = core.table.pick(
    gossipNodes,
    core.random,
    (member) => member !== core.self && !isLeaf(member.record) && lives(member),
  );
  if (members.length === 0) return;
  core.gossipAtMs = core.now + gossipIntervalMs;
  for (const member of members) tell(core, member);
}

/** Tells one member what there is to tell, and what it should hear first. */
export function tell(core: Core, member: Member): void {
  // One that has not answered the last time yet is slow enough. A leaf asks by itself.
  if (member.isBeingTold || isLeaf(member.record)) return;
  const { updates, items } = takeUpdates(core, member);
  if (updates.length === 0) return;
  member.isBeingTold = true;
  const message = { type: "rumours", from: core.name, updates } as const;
  core.call(member.record.address, message, core.timings.probeIntervalMs, { type: "rumours", member }, items);
}
