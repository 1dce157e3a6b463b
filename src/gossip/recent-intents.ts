// Intents of members that are not known yet: gossip may bring them before the member itself (Serf).
import type { Core } from "./core.ts";
import type { Member } from "./member-table.ts";

/** The newest intent heard of a name. */
export interface Intent {
  readonly type: "join-intent" | "leave-intent";
  readonly time: number;
  readonly heardMs: number;
}

/** More names than this are nobody's right work. */
const INTENTS_MAX = 4096;

/** Keeps the intent if it is the newest of this name; false when it is not. */
export function rememberIntent(core: Core, type: Intent["type"], name: string, time: number): boolean {
  const known = core.recentIntents.get(name);
  if (known !== undefined && time <= known.time) return false;
  if (known === undefined && core.recentIntents.size >= INTENTS_MAX) {
    core.drop("overload");
    return false;
  }
  core.recentIntents.set(name, { type, time, heardMs: core.now });
  return true;
}

/** A member has come: what was heard of it before counts now. */
export function recallIntent(core: Core, member: Member): void {
  const intent = core.recentIntents.get(member.record.name);
  if (intent === undefined) return;
  core.recentIntents.delete(member.record.name);
  if (intent.time <= member.intentTime) return;
  member.intentTime = intent.time;
  member.leaving = intent.type === "leave-intent";
}

/** Drops those that nobody came for. */
export function expireIntents(core: Core): void {
  for (const [name, { heardMs }] of core.recentIntents) {
    if (core.now - heardMs >= core.timings.recentIntentMs) core.recentIntents.delete(name);
  }
}
