// The slow timers: forgetting members that have been gone for long, and trying failed ones again (Serf).
import { durationMs } from "../util/duration.ts";
import type { Core } from "./core.ts";
import type { Member } from "./member-table.ts";
import { isLeaf, isReachable } from "./member-table.ts";
import { forget } from "./membership.ts";
import { startPushPull } from "./push-pull.ts";
import { expireIntents } from "./recent-intents.ts";

/** Forgets whom it is time to forget. */
export function onReapTimeout(core: Core): void {
  core.reapAtMs = core.now + core.timings.reapIntervalMs;
  expireIntents(core);
  for (const member of core.table.all.slice()) {
    if (!isReachable(member) && member !== core.self && core.now - member.changedMs >= keptMs(core, member)) {
      forget(core, member);
    }
  }
}

function keptMs(core: Core, member: Member): number {
  if (member.state === "left") return core.timings.tombstoneTimeoutMs;
  const tag = core.options.reconnectTimeoutTag;
  const stated = tag === null ? undefined : member.record.tags[tag];
  if (stated === undefined) return core.timings.reconnectTimeoutMs;
  try {
    const ms = durationMs(stated);
    return ms > 0 ? ms : core.timings.reconnectTimeoutMs;
  } catch {
    return core.timings.reconnectTimeoutMs;
  }
}

/** Tries one failed member, the more rarely the more live ones there are to do the same. */
export function onReconnectTimeout(core: Core): void {
  core.reconnectAtMs = core.now + core.timings.reconnectIntervalMs;
  // A leaf leaves it to others.
  if (core.anchoring !== null) return;
  const failed = core.table.all.filter((member) => member.state === "dead" && !isLeaf(member.record));
  if (failed.length === 0) return;
  if (core.random.below(core.table.reachable) >= failed.length) return;
  const { address } = (failed[core.random.below(failed.length)] as Member).record;
  startPushPull(core, address, false, { type: "push-pull", address, join: null });
}
