// Stalls of this very process (Lifeguard: local health; here also the event loop's delay). Time in which it could not listen
// says nothing of others: their answers and refutations wait unread.
import type { Core } from "./core.ts";

/** The loop came `ms` too late, as the host says or a late timeout shows. A short delay is none. */
export function noteStall(core: Core, ms: number): void {
  const { stallMs, probeIntervalMs, probeTimeoutMs } = core.timings;
  if (!(ms > stallMs)) return;
  // Host and timeout may tell of the same one.
  if (core.now - core.stalledMs < Math.min(ms, probeTimeoutMs)) return;
  core.stalledMs = core.now;
  core.awareness.apply(1 + Math.floor(ms / probeIntervalMs));
  const patienceMs = Math.min(ms, probeIntervalMs);
  if (core.probe !== null) {
    core.probe.deadlineMs = Math.max(core.probe.deadlineMs, core.now + patienceMs);
  }
  if (core.suspicionAtMs === Infinity) return;
  let nextMs = Infinity;
  for (const { suspicion } of core.table.all) {
    if (suspicion === null) continue;
    suspicion.extend(ms);
    nextMs = Math.min(nextMs, suspicion.deadlineMs);
  }
  core.suspicionAtMs = nextMs;
}
