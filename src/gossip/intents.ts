// Intents to join and to leave (Serf), in Lamport time: they tell leaving from failing, and let one member take a failed one
// for left (force-leave). The newest intent of a member counts.
import type { Core } from "./core.ts";
import { isReachable } from "./member-table.ts";
import { forget } from "./membership.ts";
import { rememberIntent } from "./recent-intents.ts";
import { broadcast } from "./spreading.ts";
import type { JoinIntent, LeaveIntent } from "./types.ts";

/** This member says that it is here, later than anything said of it. */
export function announceJoin(core: Core): void {
  const time = core.clock.next();
  core.self.intentTime = time;
  broadcast(core, { type: "join-intent", name: core.name, time });
}

/** True when the intent is news, to be passed on. */
export function onJoinIntent(core: Core, { name, time }: Omit<JoinIntent, "type">): boolean {
  core.clock.witness(time);
  const member = core.table.get(name);
  if (member === undefined) return rememberIntent(core, "join-intent", name, time);
  if (time <= member.intentTime) return false;
  member.intentTime = time;
  // The intent to leave was an older one.
  if (isReachable(member) && core.leaving === null) member.leaving = false;
  return true;
}

/** True when the intent is news, to be passed on. */
export function onLeaveIntent(core: Core, { name, time, prune }: Omit<LeaveIntent, "type">): boolean {
  core.clock.witness(time);
  const member = core.table.get(name);
  if (member === undefined) return rememberIntent(core, "leave-intent", name, time);
  if (time <= member.intentTime) return false;
  if (member === core.self) {
    // Somebody wants this member gone, or it is of a former life: it is here.
    if (core.leaving === null) announceJoin(core);
    return false;
  }
  member.intentTime = time;
  if (isReachable(member)) {
    member.leaving = true;
    member.prune = prune;
    return true;
  }
  member.leaving = true;
  if (member.state === "dead") {
    core.table.setState(member, "left", core.now);
    core.emitMember("leave", member);
  }
  if (prune) forget(core, member);
  return true;
}

/** Takes a failed member for left, everywhere; one that lives after all says so. False when no member has that name. */
export function forceLeave(core: Core, name: string, prune: boolean): boolean {
  const member = core.table.get(name);
  if (member === undefined) return false;
  const intent: LeaveIntent = { type: "leave-intent", name, time: core.clock.next(), prune };
  if (onLeaveIntent(core, intent)) broadcast(core, intent);
  return true;
}
