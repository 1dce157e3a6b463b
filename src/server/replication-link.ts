// One replicator at work on a leader: asks the other datacenter through the door of requests, writes through the log, and
// says how it stands. A new one is made whenever this server begins to lead.
import type { LinkStatus } from "../endpoint/federation.ts";
import { MachineHost } from "../host/machine-host.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { Kind } from "../replicator/kind.ts";
import { type Question, type QuestionAnswer, QUESTION_WAIT_MS } from "../replicator/questions.ts";
import { Replicator, type ReplicatorEffect, type ReplicatorInput } from "../replicator/replicator.ts";
import type { Answer, QueryOptions } from "../rpc/authority.ts";
import type { Route } from "../rpc/route.ts";
import type { Random } from "../util/random.ts";

/** The way to other datacenters. */
export type Remote = Pick<Route, "query" | "command" | "topology">;

/** What all links of a server share. */
export interface LinkHost {
  readonly platform: Pick<Platform, "now" | "wall">;
  readonly timers: Timers;
  readonly random: Random;
  remote(): Remote;
  log(level: "info" | "warn" | "error", message: string, fields: Record<string, unknown>): void;
}

/** What makes a link one of its kind. */
export interface LinkOptions<B> {
  readonly name: Pick<LinkStatus, "kind" | "source" | "prefix" | "toPrefix" | "mode">;
  readonly kind: Kind<Question, QuestionAnswer, B>;
  /** Asked before every question: what must be there first. */
  prepare?(isFailing: boolean): Promise<void>;
  write(batch: B): Promise<void>;
  /** Counts since the rule began. */
  counts?(): Pick<LinkStatus, "written" | "deleted" | "conflicts">;
}

/** A link whatever it replicates. */
export interface Link {
  readonly name: LinkOptions<never>["name"];
  readonly status: LinkStatus;
  readonly behindMs: number;
  readonly index: number;
  readonly isFailing: boolean;
  hurry(): void;
  stop(): void;
}

const NO_COUNTS = { written: 0, deleted: 0, conflicts: 0 };
const TIMINGS = { retryMinMs: 500, retryMaxMs: 15_000, paceMs: 50, answerMs: QUESTION_WAIT_MS + 30_000 };

/** A replicator of one kind from one datacenter. */
export class ReplicationLink<B> implements Link {
  readonly #host: LinkHost;
  readonly #options: LinkOptions<B>;
  readonly #replicator: Replicator<Question, QuestionAnswer, B>;
  readonly #machine: MachineHost<ReplicatorInput<QuestionAnswer>, ReplicatorEffect<Question, B>>;
  /** When it began to be without everything. */
  readonly #startedAt: number;

  constructor(host: LinkHost, options: LinkOptions<B>) {
    this.#host = host;
    this.#options = options;
    this.#startedAt = host.platform.now();
    this.#replicator = new Replicator(options.kind, TIMINGS, host.random);
    this.#machine = new MachineHost({
      machine: this.#replicator,
      platform: host.platform,
      timers: host.timers,
      timeout: { type: "timeout" },
      perform: (effect) => this.#perform(effect),
      failed: (error) => host.log("error", "replication has stopped: this is a bug", { ...this.#fields, error }),
    });
    this.#machine.dispatch({ type: "start" });
  }

  /** Something says that the other side may be there again. */
  hurry(): void {
    this.#machine.dispatch({ type: "hurry" });
  }

  stop(): void {
    this.#machine.dispatch({ type: "stop" });
    this.#machine.stop();
  }

  get #fields(): Record<string, unknown> {
    const { kind, source, prefix, toPrefix } = this.#options.name;
    return kind === "kv" ? { kind, source, prefix, toPrefix } : { kind, source };
  }

  #perform(effect: ReplicatorEffect<Question, B>): void {
    if (effect.type === "tell") {
      const { level, message, reason, failures } = effect;
      this.#host.log(level, message, { ...this.#fields, failures, ...(reason === "" ? {} : { reason }) });
      return;
    }
    const { call } = effect;
    const work = effect.type === "ask" ? this.#ask(effect.question) : this.#options.write(effect.batch);
    work.then(
      (answer) =>
        this.#machine.dispatch(answer === undefined ? { type: "written", call } : { type: "answer", call, answer }),
      (error: unknown) =>
        this.#machine.dispatch({
          type: "failed",
          call,
          reason: error instanceof Error ? error.message : String(error),
        }),
    );
  }

  async #ask({ datacenter, endpoint, args, index }: Question): Promise<QuestionAnswer> {
    await this.#options.prepare?.(this.isFailing);
    const options: QueryOptions = { consistency: "default", index, waitMs: QUESTION_WAIT_MS };
    const answer: Answer<unknown> = await this.#host.remote().query(endpoint, args, options, datacenter);
    return { value: answer.shared.read.value, index: answer.index };
  }

  /** How long something may be missing here, in milliseconds; null when it never had everything. */
  get lagMs(): number | null {
    const { isCaughtUp, caughtUpAt } = this.#replicator.status;
    if (isCaughtUp) return 0;
    return caughtUpAt === null ? null : this.#host.platform.now() - caughtUpAt;
  }

  /** For how long it has not been known to have everything. */
  get behindMs(): number {
    return this.lagMs ?? this.#host.platform.now() - this.#startedAt;
  }

  get name(): LinkOptions<B>["name"] {
    return this.#options.name;
  }

  get isFailing(): boolean {
    return this.#replicator.status.failures > 0 || this.#machine.stopped;
  }

  get index(): number {
    return this.#replicator.status.index;
  }

  get status(): LinkStatus {
    const status = this.#replicator.status;
    const offsetMs = this.#host.platform.wall() - this.#host.platform.now();
    const wall = (at: number | null): number | null => (at === null ? null : Math.round(at + offsetMs));
    return {
      ...this.#options.name,
      ...(this.#options.counts?.() ?? NO_COUNTS),
      state: this.isFailing ? "failing" : status.isCaughtUp ? "following" : "comparing",
      lagMs: this.lagMs === null ? null : Math.round(this.lagMs),
      index: status.index,
      batches: status.batches,
      failures: status.failures,
      lastSuccessMs: wall(status.lastSuccessAt),
      lastErrorMs: wall(status.lastErrorAt),
      lastError: status.lastError,
      nextAttemptMs: wall(status.failures > 0 ? status.nextAt : null),
    };
  }
}
