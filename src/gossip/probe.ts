// The failure detector (SWIM §3.1 with Lifeguard's LHA-Probe): one member is asked in every interval, directly and then through
// helpers. What comes of it also says how healthy this member is itself: helpers that work send at least a nack.
import type { Core } from "./core.ts";
import type { Member } from "./member-table.ts";
import { isLeaf } from "./member-table.ts";
import { onSuspect } from "./membership.ts";
import { takeUpdates } from "./spreading.ts";
import type { Answer, FailureReason } from "./types.ts";

/** A helper answers with this share of the time that is left, so that its nack comes in time. */
const HELPER_SHARE = 0.8;

/** The probe under way: at most one. */
export interface Probe {
  readonly member: Member;
  readonly incarnation: number;
  /** When helpers are asked; Infinity once they are. */
  helpAtMs: number;
  /** When it has failed. */
  deadlineMs: number;
  /** The direct call has no answer yet: it counts until the end (over TCP it may just be late). */
  isDirectOpen: boolean;
  /** Helpers that have not answered yet. */
  helpersOpen: number;
  nacksExpected: number;
  nacks: number;
}

/** The probe timer: the next of the ring, unless the last probe still goes on. */
export function onProbeTimeout(core: Core): void {
  const { probeIntervalMs } = core.timings;
  core.probeAtMs = core.now + probeIntervalMs;
  if (core.probe !== null || core.leaving !== null) return;
  const member = core.ring.next();
  if (member === null) return;
  const intervalMs = core.awareness.scaleMs(probeIntervalMs);
  const probe: Probe = {
    member,
    incarnation: member.incarnation,
    helpAtMs: core.now + core.timings.probeTimeoutMs,
    deadlineMs: core.now + intervalMs,
    isDirectOpen: true,
    helpersOpen: 0,
    nacksExpected: 0,
    nacks: 0,
  };
  core.probe = probe;
  const { updates, items } = takeUpdates(core, member);
  const message = { type: "ping", from: core.name, target: member.record.name, updates, received: 0 } as const;
  core.call(member.record.address, message, intervalMs, { type: "probe", probe }, items);
}

/** Time has passed for the probe under way. */
export function onProbeDeadline(core: Core, probe: Probe): void {
  if (core.now >= probe.deadlineMs) fail(core, probe);
  else if (core.now >= probe.helpAtMs) askHelpers(core, probe);
}

function askHelpers(core: Core, probe: Probe): void {
  probe.helpAtMs = Infinity;
  const helpers = core.table.pick(
    core.timings.indirectChecks,
    core.random,
    (member) => member.state === "alive" && member !== core.self && member !== probe.member && !isLeaf(member.record),
  );
  probe.helpersOpen = helpers.length;
  probe.nacksExpected = helpers.length;
  const leftMs = Math.max(1, probe.deadlineMs - core.now);
  const timeoutMs = Math.max(1, Math.round(leftMs * HELPER_SHARE));
  const target = probe.member.record.name;
  for (const helper of helpers) {
    const { updates, items } = takeUpdates(core, helper);
    const message = { type: "indirect-ping", from: core.name, target, timeoutMs, updates } as const;
    core.call(helper.record.address, message, leftMs, { type: "help", probe }, items);
  }
  settle(core, probe);
}

/** The direct call has ended. True when the member answered. */
export function onDirectAnswer(core: Core, probe: Probe, answer: Answer | null): boolean {
  const isAck = answer?.type === "ack" && answer.from === probe.member.record.name;
  if (!isAck && answer !== null) core.drop("wrong-target");
  if (core.probe !== probe) return isAck;
  if (isAck) {
    succeed(core);
    return true;
  }
  probe.isDirectOpen = false;
  // A refused connection is a faster no than a timeout: helpers are asked at once.
  if (probe.helpAtMs < Infinity) askHelpers(core, probe);
  else settle(core, probe);
  return false;
}

/** A helper has answered, or failed. */
export function onHelperAnswer(core: Core, probe: Probe, answer: Answer | null, failure: FailureReason | null): void {
  if (core.probe !== probe) return;
  if (answer?.type === "ack") return succeed(core);
  probe.helpersOpen -= 1;
  if (answer?.type === "nack") probe.nacks += 1;
  // Nobody listens there: that says nothing of this member's own health.
  if (failure === "refused") probe.nacksExpected -= 1;
  settle(core, probe);
}

function succeed(core: Core): void {
  core.probe = null;
  core.awareness.apply(-1);
}

/** Nobody is left who might still say yes. */
function settle(core: Core, probe: Probe): void {
  if (!probe.isDirectOpen && probe.helpersOpen === 0) fail(core, probe);
}

function fail(core: Core, probe: Probe): void {
  core.probe = null;
  const { nacksExpected, nacks, member, incarnation } = probe;
  core.awareness.apply(nacksExpected > 0 ? nacksExpected - nacks : 1);
  // It has left, or been replaced, in the meantime.
  if (core.table.get(member.record.name) !== member) return;
  onSuspect(core, { type: "suspect", name: member.record.name, incarnation, from: core.name });
}
