// What becomes of a member: alive, suspect, dead, left (SWIM §4.2, after memberlist's rules). An update counts when its
// incarnation is not behind; only the member itself raises its incarnation, to refute what others say of it.
import { vetoOf } from "./admission.ts";
import { reportConflict } from "./conflict.ts";
import type { Core } from "./core.ts";
import { recallIntent } from "./recent-intents.ts";
import type { Member } from "./member-table.ts";
import { isLeaf, isReachable } from "./member-table.ts";
import { Outbox } from "./outbox.ts";
import { broadcast, tell } from "./spreading.ts";
import { Suspicion } from "./suspicion.ts";
import type { Alive, Dead, MemberRecord, Suspect, Tags, Versions } from "./types.ts";

/** Updates for one leaf that may wait. */
const OUTBOX_DEPTH = 1024;

function sameTags(a: Tags, b: Tags): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}

function sameVersions(a: Versions, b: Versions): boolean {
  return (Object.keys(a) as (keyof Versions)[]).every((key) => a[key] === b[key]);
}

/** True when a member says the same of itself in both. */
export function sameRecord(a: MemberRecord, b: MemberRecord): boolean {
  if (a === b) return true;
  return (
    a.address === b.address && a.anchor === b.anchor && sameTags(a.tags, b.tags) && sameVersions(a.versions, b.versions)
  );
}

/** Tells the pool of this member as it is now. */
function announce(core: Core): void {
  const { record, incarnation } = core.self;
  // A leaf without an anchor can tell nobody, and nobody could use it.
  if (isLeaf(record) && record.anchor === null) return;
  broadcast(core, { type: "alive", incarnation, member: record });
}

/** Says that this member lives after all, with an incarnation above what was said of it. */
function refute(core: Core, incarnation: number): void {
  core.self.incarnation = Math.max(core.self.incarnation, incarnation) + 1;
  // Others could not reach it: that may be its own fault.
  core.awareness.apply(1);
  announce(core);
}

/** This member says something new of itself. */
export function changeSelf(core: Core, change: Partial<MemberRecord>): void {
  const { self } = core;
  self.record = { ...self.record, ...change };
  self.incarnation += 1;
  announce(core);
  core.emitMember("update", self);
}

/** A member is said to be alive, by itself at first. */
export function onAlive(core: Core, update: Alive): void {
  const { incarnation, member: record } = update;
  if (record.name === core.name) return onOwnAlive(core, update);
  const known = core.table.get(record.name);
  if (known !== undefined && incarnation < known.incarnation) return core.drop("stale");
  const isMoved = known !== undefined && known.record.address !== record.address;
  // The same incarnation from two addresses is no repetition.
  if (known !== undefined && incarnation === known.incarnation && !(isMoved && isReachable(known)))
    return core.drop("stale");
  if (known === undefined || !sameRecord(known.record, record)) {
    const veto = vetoOf(record, { ...core.options, table: core.table });
    if (veto !== null) return core.drop(veto.reason);
  }
  if (known !== undefined && isMoved && !isNameFree(core, known)) {
    core.drop("conflict");
    return reportConflict(core, known, record.address);
  }
  const member = known ?? core.table.add(record, core.now);
  const wasReachable = isReachable(member);
  const isChanged = wasReachable && !sameRecord(member.record, record);
  member.record = record;
  member.incarnation = incarnation;
  core.table.setState(member, "alive", core.now);
  settleAnchor(core, member);
  broadcast(core, update);
  if (!wasReachable) {
    member.leaving = false;
    member.prune = false;
    recallIntent(core, member);
    core.ring.add(member);
    core.emitMember("join", member);
  } else if (isChanged) {
    core.emitMember("update", member);
  }
}

/** Its address may change when it has left, or has been dead for a while. */
function isNameFree(core: Core, member: Member): boolean {
  if (isReachable(member)) return false;
  return member.state === "left" || core.now - member.changedMs >= core.timings.deadNodeReclaimMs;
}

function onOwnAlive(core: Core, { incarnation, member: record }: Alive): void {
  const { self } = core;
  if (core.leaving !== null || incarnation < self.incarnation) return core.drop("stale");
  if (record.address !== self.record.address) {
    core.drop("conflict");
    return reportConflict(core, self, record.address, incarnation);
  }
  if (incarnation === self.incarnation && sameRecord(record, self.record)) return core.drop("stale");
  // Of a former life, which others have seen further than this one.
  refute(core, incarnation);
}

/** Leaves of this member get an outbox; a leaf whose anchor is gone is suspect. */
function settleAnchor(core: Core, member: Member): void {
  const { anchor } = member.record;
  if (anchor !== core.name) {
    member.outbox = null;
    if (anchor === null) return;
    const holder = core.table.get(anchor);
    if (holder !== undefined && !isReachable(holder)) suspectLeaf(core, member);
    return;
  }
  member.outbox ??= new Outbox(OUTBOX_DEPTH);
  member.heardMs = core.now;
  if (core.leafCheckAtMs === Infinity) core.leafCheckAtMs = core.now + core.timings.probeIntervalMs;
}

/** A member could not be reached by `from`. */
export function onSuspect(core: Core, update: Suspect): void {
  const { name, incarnation, from } = update;
  const member = core.table.get(name);
  if (member === undefined) return core.drop("unknown-member");
  if (incarnation < member.incarnation) return core.drop("stale");
  if (member === core.self) {
    if (core.leaving !== null) return core.drop("stale");
    return refute(core, incarnation);
  }
  if (member.suspicion !== null) {
    // A member in ill health may have waited long only because it heard nothing: it gives the suspect a last chance.
    const graceMs = core.awareness.score > 0 ? core.awareness.scaleMs(core.timings.probeTimeoutMs) : 0;
    if (!member.suspicion.confirm(from, core.now, graceMs)) return core.drop("stale");
    core.suspicionAtMs = Math.min(core.suspicionAtMs, member.suspicion.deadlineMs);
    broadcast(core, update);
    if (member.suspicion.deadlineMs - core.now <= graceMs) tell(core, member);
    return;
  }
  if (member.state !== "alive") return core.drop("stale");
  member.incarnation = incarnation;
  broadcast(core, update);
  const { suspicionMult, suspicionMaxTimeoutMult } = core.timings;
  // One suspicion is enough where nobody else could have another: in a small pool, or of a leaf, which only its anchor hears.
  const wanted = suspicionMult - 2;
  const canConfirm = core.table.reachable - 2 >= wanted && !isLeaf(member.record);
  startSuspicion(core, member, from, canConfirm ? wanted : 0, suspicionMaxTimeoutMult);
}

/** The anchor of a leaf is gone: everybody sees that for himself, so it is told to nobody. */
function suspectLeaf(core: Core, leaf: Member): void {
  if (leaf.state === "alive") startSuspicion(core, leaf, core.name, 0, 1);
}

function startSuspicion(core: Core, member: Member, from: string, wanted: number, maxMult: number): void {
  const minMs = core.suspicionMinMs;
  core.table.setState(member, "suspect", core.now);
  member.suspicion = new Suspicion(from, wanted, minMs, minMs * maxMult, core.now);
  core.suspicionAtMs = Math.min(core.suspicionAtMs, member.suspicion.deadlineMs);
}

/** The timer of suspicions: who has not refuted is dead. */
export function onSuspicionTimeout(core: Core): void {
  let nextMs = Infinity;
  const due: Member[] = [];
  for (const member of core.table.all) {
    if (member.suspicion === null) continue;
    if (member.suspicion.deadlineMs <= core.now) due.push(member);
    else nextMs = Math.min(nextMs, member.suspicion.deadlineMs);
  }
  core.suspicionAtMs = nextMs;
  for (const { record, incarnation } of due) {
    onDead(core, { type: "dead", name: record.name, incarnation, from: core.name });
  }
}

/** A member is said to be dead; by itself: to have left. */
export function onDead(core: Core, update: Dead): void {
  const { name, incarnation, from } = update;
  const member = core.table.get(name);
  if (member === undefined) return core.drop("unknown-member");
  if (incarnation < member.incarnation) return core.drop("stale");
  if (member === core.self) {
    if (core.leaving !== null) return core.drop("stale");
    return refute(core, incarnation);
  }
  const left = from === name || member.leaving;
  if (member.state === "left" || (member.state === "dead" && !left)) return core.drop("stale");
  const wasReachable = isReachable(member);
  member.incarnation = incarnation;
  member.outbox = null;
  core.table.setState(member, left ? "left" : "dead", core.now);
  broadcast(core, update);
  core.emitMember(left ? "leave" : "failed", member);
  if (wasReachable) {
    for (const leaf of core.table.all) if (leaf.record.anchor === name) suspectLeaf(core, leaf);
  }
  if (left && member.prune) forget(core, member);
}

/** Takes a member out of the table. */
export function forget(core: Core, member: Member): void {
  core.table.remove(member);
  core.coordinates?.forget(member.record.name);
  core.emitMember("reap", member);
}
