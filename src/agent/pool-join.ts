// The ways into a pool that are tried again and again: `retry_join` (https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/join)
// and the members of before a restart (Serf's rejoin). A join is done when one address has answered.
import type { RetryJoin } from "../config/config-types.ts";
import { faultList } from "../config/definition-decoder.ts";
import type { FailureReason, JoinFailure, RefusalReason } from "../gossip/types.ts";
import type { Timer, Timers } from "../host/timers.ts";
import { OperationalError } from "../types/error.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";
import type { Random } from "../util/random.ts";
import { shuffled } from "../util/shuffle.ts";
import type { Logger } from "./logs.ts";
import type { PoolKind } from "./pool-settings.ts";
import type { PoolMemory } from "./pool-snapshot.ts";

/** What came of a join. */
export interface JoinResult {
  /** So many of the addresses have answered. None and no failure: they were all this agent's own. */
  readonly contacted: number;
  readonly failures: readonly JoinFailure[];
}

/** Members of before that are asked at once. */
const REJOIN_BATCH = 3;

const WHY: Record<FailureReason | RefusalReason, string> = {
  refused: "connection refused",
  timeout: "i/o timeout",
  unreachable: "unreachable",
  malformed: "its answer cannot be read",
  "wrong-target": "another agent is there",
  vetoed: "it does not let this agent in",
  protocol: "it speaks another version of the protocol",
  address: "it does not take calls from this agent's address",
  left: "the agent there is leaving",
};

/** A join that reached nobody, with a line for each address, in the form of Go's multierror, which Consul's users read. */
export function joinError(failures: readonly JoinFailure[]): OperationalError {
  const faults = failures.map(
    ({ address, reason, text }) => `Failed to join ${address}: ${text === "" ? WHY[reason] : text}`,
  );
  return new OperationalError("refused", faultList(faults));
}

/** What both ways in work with. */
export interface JoinerOptions {
  readonly kind: PoolKind;
  readonly timers: Timers;
  readonly random: Random;
  /** The agent's own log, and the pool's. */
  readonly agentLog: Logger;
  readonly log: Logger;
  /** @throws OperationalError when the pool has ended. */
  join(addresses: readonly string[]): Promise<JoinResult>;
  /** There is somebody else in the pool. */
  isInCompany(): boolean;
}

/** Tries until it is told to stop. */
export class Joiner {
  readonly #options: JoinerOptions;
  readonly #timers = new Set<Timer>();
  #isStopped = false;

  constructor(options: JoinerOptions) {
    this.#options = options;
  }

  /** Joins through the addresses of `retry_join`; `exhausted` is called when the attempts are used up. */
  async retryJoin({ addresses, intervalMs, attemptsMax }: RetryJoin, exhausted: () => void): Promise<void> {
    if (addresses.length === 0) return;
    const { kind, agentLog } = this.#options;
    const cluster = kind.toUpperCase();
    agentLog.info("Joining cluster...", { cluster });
    for (let failed = 1; !this.#isStopped; failed += 1) {
      agentLog.info(`(${cluster}) joining`, { [`${kind}_addresses`]: addresses });
      const error = await this.#attempt(addresses, cluster);
      if (error === null || this.#isStopped) return;
      if (attemptsMax > 0 && failed > attemptsMax) {
        agentLog.error("Retry join failed", { error: "agent: max join retry exhausted, exiting" });
        return exhausted();
      }
      const retry_interval = formatDuration(Math.round(intervalMs * nsPerMs));
      agentLog.warn("Join cluster failed, will retry", { cluster, retry_interval, error });
      await this.#sleep(intervalMs);
    }
  }

  /** Joins through the members of a former life, those first that were alive; again and again until there is somebody. */
  async rejoin(members: PoolMemory["members"], intervalMs: number): Promise<void> {
    const { random, log, isInCompany } = this.#options;
    const isWanted = (): boolean => !this.#isStopped && !isInCompany();
    while (members.length > 0 && isWanted()) {
      const alive = members.filter(({ isAlive }) => isAlive);
      const failed = members.filter(({ isAlive }) => !isAlive);
      const order = [...shuffled(alive, random), ...shuffled(failed, random)];
      for (let at = 0; at < order.length && isWanted(); at += REJOIN_BATCH) {
        const batch = order.slice(at, at + REJOIN_BATCH);
        const nodes = batch.map(({ name, address }) => `${name}: ${address}`).join(", ");
        log.info(`serf: Attempting re-join to previously known node: ${nodes}`);
        const { contacted } = await this.#join(batch.map(({ address }) => address));
        if (contacted > 0) return log.info(`serf: Re-joined to previously known node: ${nodes}`);
      }
      if (!isWanted()) return;
      log.warn("serf: Failed to re-join any previously known node");
      await this.#sleep(intervalMs);
    }
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) this.#options.timers.cancel(timer);
    this.#timers.clear();
  }

  /** Null when somebody answered. */
  async #attempt(addresses: readonly string[], cluster: string): Promise<OperationalError | null> {
    const { agentLog } = this.#options;
    const { contacted, failures } = await this.#join(addresses);
    if (this.#isStopped) return null;
    if (contacted === 0 && failures.length > 0) {
      const error = joinError(failures);
      agentLog.warn(`(${cluster}) couldn't join`, { number_of_nodes: 0, error });
      return error;
    }
    // All of them this very agent: it is in its own pool.
    const num_agents = Math.max(1, contacted);
    agentLog.info(`(${cluster}) joined`, { number_of_nodes: num_agents });
    agentLog.info("Join cluster completed. Synced with initial agents", { cluster, num_agents });
    return null;
  }

  async #join(addresses: readonly string[]): Promise<JoinResult> {
    try {
      return await this.#options.join(addresses);
    } catch (error) {
      // The pool has ended: there is nothing to join any more.
      if (!(error instanceof OperationalError)) throw error;
      this.stop();
      return { contacted: 0, failures: [] };
    }
  }

  /** Never over once stopped. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isStopped) return;
      const timer = this.#options.timers.after(ms, () => {
        this.#timers.delete(timer);
        resolve();
      });
      this.#timers.add(timer);
    });
  }
}
