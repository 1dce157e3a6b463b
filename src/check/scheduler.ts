// The machine that says when each check runs and what its results mean (architecture: `step(now, input) → effects`).
// Rules, from https://developer.hashicorp.com/consul/docs/register/health-check/vm: the first run comes at a random
// offset within the interval, the next one an interval after the last has ended, so runs of one check never overlap; a
// TTL check that is not renewed turns critical; a change of output alone goes to the catalog only after
// `check_update_interval`, halved to one and a half times it at random; a service whose check stays critical for
// `deregister_critical_service_after` is removed at the next look, which comes every 30 seconds.
import type { CheckStatus } from "../types/records.ts";
import { unreachable } from "../util/assert.ts";
import { Heap, type HeapEntry } from "../util/heap.ts";
import type { Random } from "../util/random.ts";
import { type AliasedCheck, aliasOutcome } from "./alias.ts";
import { expiredOutput, pushedOutput } from "./output.ts";
import { type CheckSpec, isSameSpec } from "./spec.ts";
import { ResultCounter } from "./status.ts";

/** How often critical checks are looked at for `deregister_critical_service_after`. */
const reapIntervalMs = 30_000;

/** When a check runs next, or its TTL ends, and since when it is critical. */
export interface CheckTimes {
  dueAt: number | null;
  criticalSince: number | null;
}

export type CheckInput =
  /**
   * A check to run from now on, in place of one with the same id. `spec` is bounded; `status` and `output` are what is
   * shown until its first result. A check added again unchanged keeps its timetable, but a TTL starts anew; one that is
   * added after a sleep has the one of `times`.
   */
  | {
      type: "add";
      id: string;
      serviceId: string;
      spec: CheckSpec;
      status: CheckStatus;
      output: string;
      times?: CheckTimes;
    }
  | { type: "remove"; id: string }
  /**
   * A run has ended. `run` is the effect's; results of runs that were cancelled are dropped. With `bypass` the state
   * counts at once: the program was killed or did not start.
   */
  | { type: "result"; id: string; run: number; status: CheckStatus; output: string; bypass: boolean }
  /** The application says how it is. */
  | { type: "ttl-update"; id: string; status: CheckStatus; output: string }
  /** The checks that an alias looks at, afresh: at its start and after each change. */
  | { type: "alias-target"; id: string; checks: readonly AliasedCheck[]; serviceExists: boolean }
  /** The aliased node could not be asked: what the network said. */
  | { type: "alias-failed"; id: string; why: string }
  | { type: "timeout" };

export type CheckEffect =
  /** Do this once and feed back `result`; for an alias, watch its target and feed back `alias-target` until `cancel`. */
  | { type: "run"; id: string; run: number; spec: CheckSpec }
  /** Stop the run, or the watching; nobody waits for it any more. */
  | { type: "cancel"; id: string; run: number }
  /** The check shows this from now on. The catalog is told at once (`now`), or need not be yet (`deferred`). */
  | { type: "status"; id: string; status: CheckStatus; output: string; sync: "now" | "deferred" }
  /** A TTL check was renewed, for `ttlMs` from now: what to remember over a restart. */
  | { type: "renewed"; id: string; status: CheckStatus; output: string; ttlMs: number }
  /** What a sleep must not move; only where times are wanted. */
  | { type: "times"; id: string; times: CheckTimes }
  /** The service has been critical for too long by this check. */
  | { type: "deregister-service"; serviceId: string; checkId: string; afterMs: number };

export interface CheckSchedulerOptions {
  random: Random;
  /** Consul's `check_update_interval`; 0 tells the catalog every change at once. */
  updateIntervalMs: number;
  /** Tells when times of a check change, by the effect `times`. */
  tellsTimes?: boolean;
}

interface Entry {
  readonly id: string;
  readonly serviceId: string;
  readonly spec: CheckSpec;
  readonly counter: ResultCounter;
  status: CheckStatus;
  output: string;
  /** The run under way; 0 when there is none. */
  run: number;
  /** When it runs next, or when its TTL ends. */
  dueAt: number | null;
  /** What the application said last; "" before it said anything. */
  pushed: string;
  /** When the catalog is told of a change of output. */
  deferredUntil: number | null;
  criticalSince: number | null;
  /** When it is looked at next for having been critical too long. */
  reapAt: number | null;
  /** Its place in the heap of deadlines. */
  deadline: HeapEntry<Entry> | null;
  /** The times that were told last. */
  told: CheckTimes;
}

export class CheckScheduler {
  readonly #random: Random;
  readonly #updateIntervalMs: number;
  readonly #tellsTimes: boolean;
  readonly #entries = new Map<string, Entry>();
  readonly #deadlines = new Heap<Entry>();
  #runs = 0;
  #dropped = 0;

  constructor(options: CheckSchedulerOptions) {
    this.#random = options.random;
    this.#updateIntervalMs = options.updateIntervalMs;
    this.#tellsTimes = options.tellsTimes ?? false;
  }

  /** When `timeout` is wanted next, in the clock of `step`; null when only input can change anything. */
  get deadline(): number | null {
    return this.#deadlines.peek()?.at ?? null;
  }

  /** How many checks there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** Inputs that came too late or made no sense. */
  get dropped(): number {
    return this.#dropped;
  }

  step(now: number, input: CheckInput): CheckEffect[] {
    const effects: CheckEffect[] = [];
    switch (input.type) {
      case "add":
        this.#add(now, input, effects);
        break;
      case "remove":
        this.#remove(input.id, effects);
        break;
      case "result":
        this.#result(now, input, effects);
        break;
      case "ttl-update":
        this.#renew(now, input, effects);
        break;
      case "alias-target":
      case "alias-failed":
        this.#alias(now, input, effects);
        break;
      case "timeout":
        this.#timeout(now, effects);
        break;
      default:
        unreachable(input);
    }
    return effects;
  }

  #add(now: number, input: CheckInput & { type: "add" }, effects: CheckEffect[]): void {
    const { id, serviceId, spec, status, output, times = UNKNOWN } = input;
    const old = this.#entries.get(id);
    const same = old !== undefined && isSameSpec(old.spec, spec);
    const kept = same && spec.kind !== "ttl" ? old : null;
    if (kept === null) this.#remove(id, effects);
    else if (kept.deadline !== null) this.#deadlines.cancel(kept.deadline);
    const entry: Entry = {
      id,
      serviceId,
      spec,
      counter: kept?.counter ?? new ResultCounter(spec),
      status,
      output,
      run: kept?.run ?? 0,
      dueAt: kept?.dueAt ?? null,
      pushed: "",
      deferredUntil: null,
      criticalSince: null,
      reapAt: null,
      deadline: null,
      told: times,
    };
    this.#entries.set(id, entry);
    if (spec.kind === "ttl") entry.dueAt = times.dueAt ?? now + spec.ttlMs;
    else if (spec.kind === "alias") this.#run(entry, effects, kept !== null);
    else if (kept === null) entry.dueAt = times.dueAt ?? now + Math.floor(this.#random.float() * spec.intervalMs);
    if (times.criticalSince !== null && status === "critical") critical(entry, times.criticalSince);
    this.#place(entry, effects);
  }

  #remove(id: string, effects: CheckEffect[]): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    if (entry.deadline !== null) this.#deadlines.cancel(entry.deadline);
    if (entry.run !== 0) effects.push({ type: "cancel", id, run: entry.run });
  }

  /** Starts a run. An alias that is added again is asked for its target's state anew, since what it shows was reset. */
  #run(entry: Entry, effects: CheckEffect[], restart = false): void {
    if (restart) effects.push({ type: "cancel", id: entry.id, run: entry.run });
    this.#runs += 1;
    entry.run = this.#runs;
    entry.dueAt = null;
    effects.push({ type: "run", id: entry.id, run: entry.run, spec: entry.spec });
  }

  #result(now: number, input: CheckInput & { type: "result" }, effects: CheckEffect[]): void {
    const entry = this.#entries.get(input.id);
    if (entry === undefined || entry.run === 0 || entry.run !== input.run || entry.spec.kind === "alias") {
      this.#dropped += 1;
      return;
    }
    entry.run = 0;
    entry.dueAt = now + entry.spec.intervalMs;
    const status = input.bypass ? input.status : entry.counter.count(input.status);
    if (status !== null) this.#show(now, entry, status, input.output, effects);
    this.#place(entry, effects);
  }

  #renew(now: number, input: CheckInput & { type: "ttl-update" }, effects: CheckEffect[]): void {
    const entry = this.#entries.get(input.id);
    if (entry === undefined || entry.spec.kind !== "ttl") {
      this.#dropped += 1;
      return;
    }
    const output = pushedOutput(input.output, entry.spec.outputBytesMax);
    entry.pushed = output;
    entry.dueAt = now + entry.spec.ttlMs;
    this.#show(now, entry, input.status, output, effects);
    effects.push({ type: "renewed", id: entry.id, status: input.status, output, ttlMs: entry.spec.ttlMs });
    this.#place(entry, effects);
  }

  #alias(now: number, input: CheckInput & { type: "alias-target" | "alias-failed" }, effects: CheckEffect[]): void {
    const entry = this.#entries.get(input.id);
    if (entry === undefined || entry.spec.kind !== "alias") {
      this.#dropped += 1;
      return;
    }
    if (input.type === "alias-failed") {
      this.#show(now, entry, "critical", `Failure checking aliased node or service: ${input.why}`, effects);
    } else {
      const { status, output } = aliasOutcome(entry.id, entry.spec, input.checks, input.serviceExists);
      this.#show(now, entry, status, output, effects);
    }
    this.#place(entry, effects);
  }

  #timeout(now: number, effects: CheckEffect[]): void {
    const reaped = new Set<string>();
    for (let first = this.#deadlines.peek(); first !== undefined && first.at <= now; first = this.#deadlines.peek()) {
      const entry = first.value;
      this.#due(now, entry, effects);
      if (entry.reapAt !== null && entry.reapAt <= now) this.#reap(now, entry, reaped, effects);
      if (entry.deferredUntil !== null && entry.deferredUntil <= now) {
        entry.deferredUntil = null;
        effects.push({ type: "status", id: entry.id, status: entry.status, output: entry.output, sync: "now" });
      }
      this.#place(entry, effects);
    }
  }

  /** Runs the check if it is time, or ends its TTL. */
  #due(now: number, entry: Entry, effects: CheckEffect[]): void {
    if (entry.dueAt === null || entry.dueAt > now) return;
    entry.dueAt = null;
    if (entry.spec.kind !== "ttl") this.#run(entry, effects);
    else this.#show(now, entry, "critical", expiredOutput(entry.pushed), effects);
  }

  #reap(now: number, entry: Entry, reaped: Set<string>, effects: CheckEffect[]): void {
    // Should the service stay after all, it is looked at again.
    entry.reapAt = now + reapIntervalMs;
    if (reaped.has(entry.serviceId)) return;
    reaped.add(entry.serviceId);
    const afterMs = entry.spec.deregisterCriticalServiceAfterMs;
    effects.push({ type: "deregister-service", serviceId: entry.serviceId, checkId: entry.id, afterMs });
  }

  /** Shows a state and an output, if they are not what is shown already. */
  #show(now: number, entry: Entry, status: CheckStatus, output: string, effects: CheckEffect[]): void {
    if (status !== "critical") {
      entry.criticalSince = null;
      entry.reapAt = null;
    } else if (entry.criticalSince === null) {
      critical(entry, now);
    }
    if (status === entry.status && output === entry.output) return;
    const sync = status === entry.status && this.#updateIntervalMs > 0 ? "deferred" : "now";
    entry.status = status;
    entry.output = output;
    if (sync === "now") entry.deferredUntil = null;
    else entry.deferredUntil ??= now + Math.floor(this.#updateIntervalMs * (0.5 + this.#random.float()));
    effects.push({ type: "status", id: entry.id, status, output, sync });
  }

  #tell(entry: Entry, effects: CheckEffect[]): void {
    const { id, told, criticalSince } = entry;
    // While a check runs it is due: should its result never come, it runs again.
    const dueAt = entry.run === 0 ? entry.dueAt : told.dueAt;
    if (told.dueAt === dueAt && told.criticalSince === criticalSince) return;
    entry.told = { dueAt, criticalSince };
    effects.push({ type: "times", id, times: entry.told });
  }

  /** Puts the entry where its earliest deadline belongs. */
  #place(entry: Entry, effects: CheckEffect[]): void {
    if (this.#tellsTimes && entry.spec.kind !== "alias") this.#tell(entry, effects);
    const at = earliest(earliest(entry.dueAt, entry.deferredUntil), entry.reapAt);
    if (entry.deadline !== null) {
      if (entry.deadline.at === at) return;
      this.#deadlines.cancel(entry.deadline);
    }
    entry.deadline = at === null ? null : this.#deadlines.push(at, entry);
  }
}

const UNKNOWN: CheckTimes = { dueAt: null, criticalSince: null };

/** It is critical since then: from when on its service is removed follows. */
function critical(entry: Entry, since: number): void {
  entry.criticalSince = since;
  const { deregisterCriticalServiceAfterMs: afterMs } = entry.spec;
  if (afterMs > 0 && entry.serviceId !== "") entry.reapAt = nextLook(since + afterMs);
}

/** The first look after `at`: looks come at whole multiples of the interval, so that one wake-up serves many checks. */
function nextLook(at: number): number {
  return (Math.floor(at / reapIntervalMs) + 1) * reapIntervalMs;
}

function earliest(a: number | null, b: number | null): number | null {
  return a === null || (b !== null && b < a) ? b : a;
}
