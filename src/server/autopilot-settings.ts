// The autopilot configuration as the server uses it: what operators have written to the store, else what the files say.
import type { StateStore } from "../state/store.ts";
import { nsPerMs } from "../util/duration.ts";
import type { HealthThresholds } from "./autopilot.ts";
import type { CareSettings } from "./caretaker.ts";

/** When a server counts as healthy. */
export function healthThresholds(state: StateStore, files: HealthThresholds): HealthThresholds {
  const config = state.autopilotConfig().value;
  if (config === null) return files;
  return { lastContactMs: config.LastContactThreshold / nsPerMs, maxTrailingLogs: config.MaxTrailingLogs };
}

/** What is changed in the group. */
export function careSettings(state: StateStore, files: CareSettings): CareSettings {
  const config = state.autopilotConfig().value;
  if (config === null) return files;
  return {
    cleanupDeadServers: config.CleanupDeadServers,
    minQuorum: config.MinQuorum,
    stabilizationMs: config.ServerStabilizationTime / nsPerMs,
  };
}
