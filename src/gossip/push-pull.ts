// Full state for full state (memberlist's push-pull, Serf's merge): what gossip has missed is made up, and who joins learns all.
import { vetoOf } from "./admission.ts";
import type { Veto } from "./admission.ts";
import type { Core, Purpose } from "./core.ts";
import { onJoinIntent, onLeaveIntent } from "./intents.ts";
import { isLeaf } from "./member-table.ts";
import { onAlive, onDead, onSuspect, sameRecord } from "./membership.ts";
import { pushPullScale } from "./scaling.ts";
import type { MemberRow, PoolState, PushPull } from "./types.ts";
import { onUserEvent } from "./user-events.ts";

/** All that is known here. */
function poolState(core: Core): PoolState {
  const members: MemberRow[] = [];
  for (const { record, incarnation, state, leaving, intentTime } of core.table.all) {
    // A leaf that has no anchor yet.
    if (record.address === "" && record.anchor === null) continue;
    members.push({ member: record, incarnation, state, leaving, time: intentTime });
  }
  return { members, time: core.clock.time, eventTime: core.eventClock.time, events: core.events.recent };
}

/** Exchanges full state with whoever is at `address`. */
export function startPushPull(core: Core, address: string, isJoin: boolean, purpose: Purpose): void {
  const message: PushPull = { type: "push-pull", from: core.name, join: isJoin, state: poolState(core) };
  core.call(address, message, core.timings.pushPullTimeoutMs, purpose, []);
}

/** The timer: one alive member, by chance. A leaf's anchor is the only one that counts for it. */
export function onPushPullTimeout(core: Core): void {
  core.pushPullAtMs = core.now + pushPullScale(core.timings.pushPullIntervalMs, core.table.reachable);
  const anchor = core.anchoring?.anchor ?? null;
  const [member] = core.table.pick(
    1,
    core.random,
    ({ state, record }) =>
      state === "alive" && record.name !== core.name && !isLeaf(record) && (anchor === null || record.name === anchor),
  );
  if (member === undefined) return;
  const { address } = member.record;
  startPushPull(core, address, false, { type: "push-pull", address, join: null });
}

/** A member exchanges state: it gets this one's, with what its own has changed (a refutation above all). */
export function onPushPull(core: Core, request: number, message: PushPull): void {
  const veto = mergeState(core, message.state, message.join, null);
  if (veto !== null) return core.respond(request, { type: "refused", reason: veto.reason, text: veto.text });
  core.respond(request, { type: "push-pull-answer", from: core.name, state: poolState(core) });
}

/**
 * Takes in another member's state. In a join everything is refused when one member may not be in this pool; otherwise that
 * one is left out. `eventsFrom`: no event before this time is wanted.
 */
export function mergeState(core: Core, state: PoolState, isJoin: boolean, eventsFrom: number | null): Veto | null {
  const fresh = state.members.filter((row) => isNews(core, row)).map(({ member }) => member);
  const vetoed = new Set<string>();
  for (const record of fresh) {
    const veto = vetoOf(record, { ...core.options, table: core.table }, fresh, isJoin);
    if (veto === null) continue;
    core.drop(veto.reason);
    if (isJoin) return veto;
    vetoed.add(record.name);
  }
  if (state.time > 0) core.clock.witness(state.time - 1);
  if (state.eventTime > 0) core.eventClock.witness(state.eventTime - 1);
  for (const row of state.members) if (!vetoed.has(row.member.name)) mergeRow(core, row);
  if (eventsFrom !== null) core.events.minTime = Math.max(core.events.minTime, eventsFrom);
  for (const event of state.events) onUserEvent(core, event);
  return null;
}

function isNews(core: Core, { member, state }: MemberRow): boolean {
  if ((state !== "alive" && state !== "suspect") || member.name === core.name) return false;
  const known = core.table.get(member.name);
  return known === undefined || !sameRecord(known.record, member);
}

function mergeRow(core: Core, { member, incarnation, state, leaving, time }: MemberRow): void {
  const { name } = member;
  switch (state) {
    case "alive":
      onAlive(core, { type: "alive", incarnation, member });
      break;
    case "suspect":
      // It may be new here.
      onAlive(core, { type: "alive", incarnation, member });
      onSuspect(core, { type: "suspect", name, incarnation, from: core.name });
      break;
    case "dead":
      // Somebody held for dead may only be so for the other side: it gets time to refute.
      onSuspect(core, { type: "suspect", name, incarnation, from: core.name });
      break;
    case "left":
      onDead(core, { type: "dead", name, incarnation, from: name });
      break;
  }
  if (time === 0 || core.table.get(name) === undefined) return;
  if (leaving || state === "left") onLeaveIntent(core, { name, time, prune: false });
  else onJoinIntent(core, { name, time });
}
