// Leaving for good (Serf): first the intent, so that others tell it from failing, then the leave itself, each until enough
// members have acknowledged it; then a while in which it is passed on.
import type { Core } from "./core.ts";
import { broadcast } from "./spreading.ts";
import type { QueuedUpdate } from "./update-queue.ts";

/** `intent`, `leave`, `propagate`: what is waited for. */
export interface Leaving {
  phase: "intent" | "leave" | "propagate" | "left";
  /** What others must acknowledge in this phase. */
  waitsFor: QueuedUpdate | null;
  /** When it goes on all the same. */
  deadlineMs: number;
}

/** The host's `leave`. */
export function onLeave(core: Core): void {
  if (core.leaving !== null) return core.drop("unexpected");
  const { self } = core;
  const time = core.clock.next();
  self.leaving = true;
  self.intentTime = time;
  core.leaving = { phase: "intent", waitsFor: null, deadlineMs: core.now + core.timings.leaveTimeoutMs };
  // Alone there is nobody to tell.
  if (core.table.reachable <= 1) return end(core, core.leaving);
  core.leaving.waitsFor = broadcast(core, { type: "leave-intent", name: core.name, time, prune: false });
}

/** Called at the end of every step: goes on when all has been acknowledged, or time is over. */
export function settleLeave(core: Core, leaving: Leaving): void {
  const isDone = leaving.waitsFor !== null && !leaving.waitsFor.queued;
  if (leaving.phase === "left" || (!isDone && core.now < leaving.deadlineMs)) return;
  if (leaving.phase === "intent") {
    leaving.phase = "leave";
    leaving.deadlineMs = core.now + core.timings.leaveTimeoutMs;
    const { incarnation } = core.self;
    leaving.waitsFor = broadcast(core, { type: "dead", name: core.name, incarnation, from: core.name });
  } else if (leaving.phase === "leave") {
    leaving.phase = "propagate";
    leaving.deadlineMs = core.now + core.timings.leavePropagateMs;
    leaving.waitsFor = null;
  } else {
    end(core, leaving);
  }
}

function end(core: Core, leaving: Leaving): void {
  leaving.phase = "left";
  leaving.waitsFor = null;
  leaving.deadlineMs = Infinity;
  core.table.setState(core.self, "left", core.now);
  core.emit({ type: "left" });
}
