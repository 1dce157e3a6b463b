// What a reload changes. Consul applies some keys to a running agent and silently ignores the rest until a restart; here
// the rest are named, so that the agent can warn.
// https://developer.hashicorp.com/consul/docs/fundamentals/config-file#reloadable-configuration
import type { AgentConfig } from "./config-types.ts";
import { configKeys } from "./schema.ts";

export interface ReloadDiff {
  /** Changed keys that a reload applies, sorted. */
  reloadable: string[];
  /** Changed keys that need a restart, sorted. */
  restart: string[];
}

/** Compares two configurations key by key, defaults included. */
export function diffReloadable(before: AgentConfig, after: AgentConfig): ReloadDiff {
  const diff: ReloadDiff = { reloadable: [], restart: [] };
  const paths = new Set([...before.settings.keys(), ...after.settings.keys()]);
  for (const path of [...paths].sort()) {
    if (isSame(before.settings.get(path), after.settings.get(path))) continue;
    diff[configKeys.get(path)?.reloadable === true ? "reloadable" : "restart"].push(path);
  }
  return diff;
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [keysA, keysB] = [Object.keys(a), Object.keys(b)];
  if (keysA.length !== keysB.length) return false;
  return keysA.every(
    (key) => Object.hasOwn(b, key) && isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

/** The sentence for the log about what needs a restart; null when nothing does. */
export function restartWarning(diff: ReloadDiff): string | null {
  if (diff.restart.length === 0) return null;
  return `these configuration keys changed, which takes effect only after a restart: ${diff.restart.join(", ")}`;
}
