// Members that nobody can call: leaves. A leaf calls its anchor in every probe interval, and gets all news in the answers.
// Nobody else probes it; its anchor says when it has gone silent, and when the anchor is gone the leaf must find another one
// before the suspicion of it runs out.
import type { Core } from "./core.ts";
import type { Member } from "./member-table.ts";
import { isLeaf } from "./member-table.ts";
import { changeSelf, onSuspect } from "./membership.ts";
import { startPushPull } from "./push-pull.ts";
import { takeUpdates } from "./spreading.ts";

/** A leaf is suspect after so many intervals of silence. */
const SILENT_INTERVALS = 3;
/** A leaf looks for another anchor after so many calls in a row without an answer. */
const FAILURES_MAX = 2;

/** What a leaf knows of its own anchoring. */
export interface Anchoring {
  /** Its anchor's name; null: it has none yet. */
  anchor: string | null;
  /** When it calls next. */
  atMs: number;
  /** The sequence of the last answer. */
  received: number;
  failures: number;
  isCalling: boolean;
}

// -------------------------------------------------------------------------------------------------------- the anchor

/** A leaf of this member has shown life. */
export function heardLeaf(core: Core, name: string): void {
  const member = core.table.get(name);
  if (member !== undefined && member.outbox !== null) member.heardMs = core.now;
}

/** Looks for leaves that have gone silent. */
export function onLeafTimeout(core: Core): void {
  const { probeIntervalMs } = core.timings;
  core.leafCheckAtMs = Infinity;
  const silentMs = core.awareness.scaleMs(SILENT_INTERVALS * probeIntervalMs);
  for (const { outbox, heardMs, state, record, incarnation } of core.table.all.slice()) {
    if (outbox === null) continue;
    core.leafCheckAtMs = core.now + probeIntervalMs;
    if (state === "alive" && core.now - heardMs > silentMs) {
      onSuspect(core, { type: "suspect", name: record.name, incarnation, from: core.name });
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- the leaf

/** Takes the member of this name for its anchor, and tells so. */
export function setAnchor(core: Core, anchoring: Anchoring, name: string): void {
  anchoring.anchor = name;
  anchoring.received = 0;
  anchoring.failures = 0;
  anchoring.atMs = core.now;
  if (core.self.record.anchor !== name && core.leaving === null) changeSelf(core, { anchor: name });
}

/** The leaf's timer: calls its anchor. */
export function onAnchorTimeout(core: Core, anchoring: Anchoring): void {
  const { probeIntervalMs } = core.timings;
  anchoring.atMs = core.now + probeIntervalMs;
  if (anchoring.isCalling || anchoring.anchor === null) return;
  const anchor = core.table.get(anchoring.anchor);
  if (anchor === undefined || anchor.state === "left" || anchor.state === "dead") return seekAnchor(core, anchoring);
  const { updates, items } = takeUpdates(core, anchor);
  const target = anchor.record.name;
  const message = { type: "ping", from: core.name, target, updates, received: anchoring.received } as const;
  anchoring.isCalling = true;
  core.call(anchor.record.address, message, probeIntervalMs, { type: "anchor", anchoring }, items);
}

/** The anchor has answered with `sequence`, or (null) not. */
export function onAnchorAnswer(core: Core, anchoring: Anchoring, sequence: number | null): void {
  anchoring.isCalling = false;
  if (sequence !== null) {
    anchoring.received = sequence;
    anchoring.failures = 0;
    core.awareness.apply(-1);
    return;
  }
  anchoring.failures += 1;
  core.awareness.apply(1);
  if (anchoring.failures >= FAILURES_MAX) seekAnchor(core, anchoring);
}

/** Asks another member, which becomes the anchor when it answers. The old one may do when there is no other. */
function seekAnchor(core: Core, anchoring: Anchoring): void {
  const { anchorTag } = core.options;
  const fits = (member: Member): boolean =>
    member.state === "alive" &&
    member !== core.self &&
    !isLeaf(member.record) &&
    (anchorTag === null || member.record.tags[anchorTag.tag] === anchorTag.value);
  const [other] = core.table.pick(1, core.random, (member) => fits(member) && member.record.name !== anchoring.anchor);
  const member = other ?? core.table.get(anchoring.anchor as string);
  if (member === undefined) return;
  anchoring.isCalling = true;
  startPushPull(core, member.record.address, false, { type: "re-anchor", anchoring });
}
