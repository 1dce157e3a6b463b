// Changes of membership (thesis §4.1, §4.2), one server at a time. Two guards keep majorities overlapping: the last
// change must be committed, and the leader must have committed an entry of its own term, without which a leader could begin a
// change against an older one that it does not know of (raft-dev, 2015: "bug in single-server membership changes").
import { applyChange, encodeConfiguration } from "./configuration.ts";
import type { Core } from "./core.ts";
import type { Leadership } from "./leadership.ts";
import { refusal } from "./replication.ts";
import { broadcast } from "./sending.ts";
import type { ConfigurationChange, RejectReason } from "./types.ts";

/** The host's `change`. */
export function onChange(core: Core, ref: number, change: ConfigurationChange): void {
  const lead = core.leadership;
  const next = applyChange(core.configuration, change);
  const reason = refusal(core) ?? changeRefusal(core, lead!, change);
  if (lead === null || reason !== null || next === null) {
    core.emit({ type: "rejected", refs: [ref], reason: reason ?? "invalid", leader: core.leader });
    return;
  }
  const index = core.log.lastIndex + 1;
  core.append({ index, term: core.term, kind: "config", data: encodeConfiguration(next) });
  core.emit({ type: "accepted", refs: [ref], index, term: core.term });
  core.members.append(next, index);
  core.emitConfiguration();
  lead.syncProgress(core);
  broadcast(core, lead);
}

function changeRefusal(core: Core, lead: Leadership, change: ConfigurationChange): RejectReason | null {
  if (core.commitIndex < lead.termStart) return "not-ready";
  if (core.members.index > core.commitIndex) return "config-pending";
  if (applyChange(core.configuration, change) === null) return "invalid";
  if (change.kind === "promote") {
    const progress = lead.progress.get(change.id);
    // A voter must hold something durable before its vote can count: see `hasLostData`.
    if (progress === undefined || progress.match === 0 || progress.state === "snapshot") return "not-caught-up";
  }
  return null;
}
