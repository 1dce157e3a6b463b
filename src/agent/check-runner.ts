// Runs the agent's checks on a platform: carries out what the scheduler (check/scheduler.ts) asks for and tells the local
// state what came of it. What a check looks at outside is in check-probe.ts; aliases are looked after here, since their
// targets are in the local state or in the catalog.
import { type AliasedCheck, type AliasTarget, concernsAlias } from "../check/alias.ts";
import { type CheckEffect, type CheckInput, CheckScheduler, type CheckTimes } from "../check/scheduler.ts";
import { MachineHost } from "../host/machine-host.ts";
import { StoredTimes } from "../host/stored-times.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import { OperationalError } from "../types/error.ts";
import type { CheckStatus } from "../types/records.ts";
import { unreachable } from "../util/assert.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";
import type { Random } from "../util/random.ts";
import { reasonOf } from "../util/reason-of.ts";
import { probe } from "./check-probe.ts";
import type { LocalChange, LocalCheck, LocalState } from "./local-state.ts";
import type { Logger } from "./logs.ts";
import { quoted } from "./registration.ts";

/** What alias checks of other nodes ask of the catalog. Both may throw an OperationalError. */
export interface AliasQuery {
  /** All checks of a node, as soon as they are newer than `index` (0: at once), and in any case after about a minute. */
  nodeChecks(
    node: string,
    index: number,
    signal: AbortSignal,
  ): Promise<{ index: number; checks: readonly AliasedCheck[] }>;
  hasService(node: string, serviceId: string): Promise<boolean>;
}

/** What the runner works with. */
export interface CheckRunnerOptions {
  local: LocalState;
  platform: Pick<Platform, "now" | "wall" | "tables" | "fetch" | "http" | "tcp" | "exec">;
  timers: Timers;
  random: Random;
  logger: Logger;
  /** Consul's `check_update_interval`. */
  updateIntervalMs: number;
  /** Missing where there is no catalog to ask: aliases of other nodes are then critical, and say so. */
  aliases?: AliasQuery;
  /** A TTL check was renewed: persistence remembers it for `ttlMs`. */
  renewed?: (id: string, status: CheckStatus, output: string, ttlMs: number) => void;
  /** The scheduler broke: a bug. */
  failed(error: unknown): void;
}

/** The pauses between attempts to ask for an alias's node: doubled each time up to a minute. */
const aliasRetryMs = 1000;
const aliasRetryMaxMs = 60_000;

/** Runs the checks of one agent. */
export class CheckRunner {
  readonly #options: CheckRunnerOptions;
  readonly #host: MachineHost<CheckInput, CheckEffect>;
  /** Stops the run under way, by the check's id. */
  readonly #running = new Map<string, AbortController>();
  /** Targets of the aliases of this node's services, by the alias's id. */
  readonly #localAliases = new Map<string, AliasTarget>();
  readonly #unsubscribe: () => void;
  /** Where a sleep finds the times of checks again; null where there is none. */
  readonly #due: StoredTimes | null;
  readonly #critical: StoredTimes | null;

  /** Starts with the checks that the local state has, and follows it from there until `stop`. */
  constructor(options: CheckRunnerOptions) {
    this.#options = options;
    const { local, platform, random, updateIntervalMs } = options;
    this.#due = StoredTimes.of(platform, "check-due");
    this.#critical = StoredTimes.of(platform, "check-critical");
    this.#host = new MachineHost<CheckInput, CheckEffect>({
      machine: new CheckScheduler({ random, updateIntervalMs, tellsTimes: this.#due !== null }),
      lasting: true,
      platform: options.platform,
      timers: options.timers,
      timeout: { type: "timeout" },
      perform: (effect) => this.#perform(effect),
      failed: (error) => {
        this.stop();
        options.failed(error);
      },
    });
    for (const record of local.checks.values()) this.#add(record, true);
    this.#unsubscribe = local.subscribe((change) => this.#changed(change));
  }

  /**
   * The application says how a check is: it is renewed.
   * @throws OperationalError `not-found` for an unknown check, `refused` for one that has no TTL.
   */
  updateTtl(id: string, status: CheckStatus, output: string): void {
    const { spec } = this.#options.local.requireCheck(id);
    if (spec?.kind !== "ttl") {
      throw new OperationalError("refused", `CheckID ${quoted(id)} does not have associated TTL`);
    }
    this.#host.dispatch({ type: "ttl-update", id, status, output });
  }

  /** Ends every run; nothing is updated from now on. */
  stop(): void {
    this.#unsubscribe();
    this.#host.stop();
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
    this.#localAliases.clear();
  }

  /** @param isRestored it was there before this agent started. */
  #add({ check, spec }: LocalCheck, isRestored = false): void {
    const { CheckID: id, ServiceID: serviceId, Status: status, Output: output } = check;
    // A maintenance mode is a check that nothing runs.
    if (spec === null) return;
    const times = isRestored
      ? { dueAt: this.#due?.get(id) ?? null, criticalSince: this.#critical?.get(id) ?? null }
      : null;
    this.#host.dispatch({ type: "add", id, serviceId, spec, status, output, ...(times === null ? {} : { times }) });
  }

  #changed(change: LocalChange): void {
    switch (change.type) {
      case "check-set":
        this.#add(change.record);
        this.#aliasesOf(change.record.check.ServiceID);
        break;
      case "check-removed":
        this.#host.dispatch({ type: "remove", id: change.id });
        this.#remember(change.id, { dueAt: null, criticalSince: null });
        this.#aliasesOf(change.serviceId);
        break;
      case "check-status":
        // Only a new state: outputs of aliases that look at each other would quote one another for ever.
        if (change.statusChanged) this.#aliasesOf(change.record.check.ServiceID);
        break;
      case "service-set":
      case "service-removed":
        this.#aliasesOf(change.id);
        break;
      default:
        unreachable(change);
    }
  }

  #perform(effect: CheckEffect): void {
    const { local, logger } = this.#options;
    switch (effect.type) {
      case "run":
        this.#run(effect);
        break;
      case "cancel":
        this.#running.get(effect.id)?.abort();
        this.#running.delete(effect.id);
        this.#localAliases.delete(effect.id);
        break;
      case "status": {
        const isNew = local.checks.get(effect.id)?.check.Status !== effect.status;
        local.updateCheck(effect.id, effect.status, effect.output, effect.sync);
        if (!isNew) break;
        if (effect.status === "critical") logger.warn("Check is now critical", { check: effect.id });
        else logger.debug("Check status updated", { check: effect.id, status: effect.status });
        break;
      }
      case "renewed":
        this.#options.renewed?.(effect.id, effect.status, effect.output, effect.ttlMs);
        break;
      case "times":
        this.#remember(effect.id, effect.times);
        break;
      case "deregister-service": {
        if (!local.services.has(effect.serviceId)) break;
        local.removeService(effect.serviceId);
        logger.info("Service removed: its check was critical for longer than deregister_critical_service_after", {
          service: effect.serviceId,
          check: effect.checkId,
          timeout: formatDuration(effect.afterMs * nsPerMs),
        });
        break;
      }
      default:
        unreachable(effect);
    }
  }

  #remember(id: string, { dueAt, criticalSince }: CheckTimes): void {
    for (const [times, at] of [
      [this.#due, dueAt],
      [this.#critical, criticalSince],
    ] as const) {
      if (at === null) times?.delete(id);
      else times?.set(id, at);
    }
  }

  #run({ id, run, spec }: CheckEffect & { type: "run" }): void {
    const controller = new AbortController();
    this.#running.set(id, controller);
    if (spec.kind === "alias") {
      if (spec.node === "") {
        this.#localAliases.set(id, spec);
        this.#lookAt(id, spec);
      } else void this.#follow(id, spec, controller.signal);
      return;
    }
    void probe(spec, this.#options, controller.signal).then(({ status, output, bypass }) => {
      if (controller.signal.aborted) return;
      this.#running.delete(id);
      this.#host.dispatch({ type: "result", id, run, status, output, bypass });
    });
  }

  /** Looks again at the targets of the aliases that depend on a service's checks, or on the node's (""). */
  #aliasesOf(serviceId: string): void {
    for (const [id, target] of this.#localAliases) {
      if (concernsAlias(target, { ServiceID: serviceId })) this.#lookAt(id, target);
    }
  }

  #lookAt(id: string, target: AliasTarget): void {
    const { local } = this.#options;
    const records = target.serviceId === "" ? [] : local.checksOf(target.serviceId);
    const checks = [...records, ...local.checksOf("")].map(({ check }) => check);
    this.#host.dispatch({ type: "alias-target", id, checks, serviceExists: local.services.has(target.serviceId) });
  }

  /** Follows the checks of another node, or of this one as the catalog has them, until the signal. */
  async #follow(id: string, target: AliasTarget, signal: AbortSignal): Promise<void> {
    const { aliases } = this.#options;
    if (aliases === undefined) {
      this.#host.dispatch({ type: "alias-failed", id, why: "this agent has no catalog to ask" });
      return;
    }
    let index = 0;
    for (let failures = 0; !signal.aborted;) {
      try {
        const answer = await aliases.nodeChecks(target.node, index, signal);
        const hasChecks = answer.checks.some(({ ServiceID }) => ServiceID === target.serviceId);
        // When that cannot be told, the service is taken to be there: its checks say no worse.
        const serviceExists = hasChecks || (await aliases.hasService(target.node, target.serviceId).catch(() => true));
        if (signal.aborted) return;
        this.#host.dispatch({ type: "alias-target", id, checks: answer.checks, serviceExists });
        // An index that goes back means that the catalog was restored: ask anew, and never without waiting afterwards.
        index = answer.index < index ? 0 : Math.max(1, answer.index);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        // One failure may be a change of leader.
        if (failures > 1) this.#host.dispatch({ type: "alias-failed", id, why: reasonOf(error) });
        await this.#pause(Math.min(aliasRetryMaxMs, aliasRetryMs * 2 ** Math.min(failures - 1, 16)), signal);
      }
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { timers } = this.#options;
    return new Promise((resolve) => {
      const timer = timers.after(ms, () => {
        signal.removeEventListener("abort", ended);
        resolve();
      });
      const ended = (): void => {
        timers.cancel(timer);
        resolve();
      };
      signal.addEventListener("abort", ended, { once: true });
    });
  }
}
