// What a check's definition says about running it, in one form for the scheduler and the runner: a kind, its target,
// times in milliseconds. https://developer.hashicorp.com/consul/docs/register/health-check/vm has the kinds, their
// defaults and their limits.
import type { UserMap } from "../types/records.ts";

export type CheckKind =
  | "ttl"
  | "http"
  | "tcp"
  | "alias"
  | "script"
  | "grpc"
  | "udp"
  | "h2ping"
  | "docker"
  | "os_service";

/** What every kind has. */
export interface CheckTiming {
  /** From the end of one run to the start of the next; 0 for ttl and alias. */
  intervalMs: number;
  /** How long one run may take; 0 means the kind's default. */
  timeoutMs: number;
  /** Successes (passing or warning) in a row before a check that failed counts as such. */
  successBeforePassing: number;
  /** Failures in a row before a check shows warning; 0 means `failuresBeforeCritical`. */
  failuresBeforeWarning: number;
  /** Failures in a row before a check shows critical. */
  failuresBeforeCritical: number;
  /** How long the check may be critical before its service is removed; 0 means forever. */
  deregisterCriticalServiceAfterMs: number;
  /** How many bytes of output are kept; 0 means the agent's own limit. */
  outputBytesMax: number;
}

/** Kinds that this build accepts, and cannot run on any runtime; the target is for people. */
export type UnrunnableKind = "grpc" | "udp" | "h2ping" | "docker" | "os_service";

export type CheckTarget =
  | { kind: "ttl"; ttlMs: number }
  | {
      kind: "http";
      url: string;
      /** "" is GET. */
      method: string;
      headers: UserMap<string[]>;
      body: string;
      disableRedirects: boolean;
      tlsServerName: string;
      tlsSkipVerify: boolean;
    }
  | { kind: "tcp"; address: string; useTls: boolean }
  /** `node` "" is the agent's own node; `serviceId` "" is the node itself. */
  | { kind: "alias"; node: string; serviceId: string }
  /** The program and its arguments, run without a shell. */
  | { kind: "script"; args: string[] }
  | { kind: UnrunnableKind; target: string };

export type CheckSpec = CheckTiming & CheckTarget;

/** Consul's defaults and limits. */
const intervalMinMs = 1000;
const deregisterMinMs = 60_000;
const outputBytesDefault = 4096;
const timeoutDefaultMs = 10_000;
const scriptTimeoutDefaultMs = 30_000;

/** A `CheckTiming` that says nothing: every limit is the default. */
export const noTiming: CheckTiming = {
  intervalMs: 0,
  timeoutMs: 0,
  successBeforePassing: 0,
  failuresBeforeWarning: 0,
  failuresBeforeCritical: 0,
  deregisterCriticalServiceAfterMs: 0,
  outputBytesMax: 0,
};

/** True for the kinds that run at an interval: all but those that are told their state. */
function hasInterval(kind: CheckKind): boolean {
  return kind !== "ttl" && kind !== "alias";
}

export interface BoundedSpec {
  spec: CheckSpec;
  /** What had to be raised: a sentence each, for the log. */
  warnings: string[];
}

/** The spec with every default filled in and every limit kept; `agentOutputBytesMax` is the agent's `check_output_max_size`. */
export function boundedSpec(spec: CheckSpec, agentOutputBytesMax: number): BoundedSpec {
  const bounded: CheckSpec = { ...spec };
  const warnings: string[] = [];
  if (hasInterval(spec.kind) && spec.intervalMs < intervalMinMs) {
    warnings.push(`check has interval below minimum: minimum_interval=1s`);
    bounded.intervalMs = intervalMinMs;
  }
  if (spec.deregisterCriticalServiceAfterMs > 0 && spec.deregisterCriticalServiceAfterMs < deregisterMinMs) {
    warnings.push(`check has deregister interval below minimum: minimum_interval=1m0s`);
    bounded.deregisterCriticalServiceAfterMs = deregisterMinMs;
  }
  const outputBytesMax = agentOutputBytesMax > 0 ? agentOutputBytesMax : outputBytesDefault;
  bounded.outputBytesMax = spec.outputBytesMax > 0 ? Math.min(spec.outputBytesMax, outputBytesMax) : outputBytesMax;
  if (spec.timeoutMs <= 0) {
    const isScript = spec.kind === "script" || spec.kind === "os_service";
    bounded.timeoutMs = isScript ? scriptTimeoutDefaultMs : timeoutDefaultMs;
  }
  if (spec.failuresBeforeWarning === 0) bounded.failuresBeforeWarning = spec.failuresBeforeCritical;
  return { spec: bounded, warnings };
}

/** True when both say the same. */
export function isSameSpec(a: CheckSpec, b: CheckSpec): boolean {
  return a === b || canonical(a) === canonical(b);
}

/** JSON with the keys of every object in order: user-made maps may hold them in any. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1));
  });
}
