// The machine that keeps something here as it is in another datacenter: ask there, compare, write the difference here in
// bounded batches, ask again. What is asked and compared is a kind's (`kind.ts`): configuration entries, keys, who the
// primary is; tokens and policies are to use the same. It never stops by itself: whatever fails is tried again, after
// a delay that doubles, with jitter, and every state and error can be read. Consul's model is its ACL replication
// (https://developer.hashicorp.com/consul/api-docs/acl#check-acl-replication).
// Invariant: one call is under way at most, and what comes back to an older one is dropped and counted.
import type { Random } from "../util/random.ts";
import type { Kind, Plan } from "./kind.ts";

/** What happens to it; `call` is that of the effect that it answers. */
export type ReplicatorInput<R> =
  /** This server leads: begin, or begin anew. */
  | { type: "start" }
  | { type: "stop" }
  /** Something says that it is worth trying now. */
  | { type: "hurry" }
  | { type: "timeout" }
  | { type: "answer"; call: number; answer: R }
  | { type: "written"; call: number }
  | { type: "failed"; call: number; reason: string };

/** What is to be done: one call at a time. */
export type ReplicatorEffect<Q, B> =
  | { type: "ask"; call: number; question: Q }
  | { type: "write"; call: number; batch: B }
  /** Worth a line in the log. */
  | { type: "tell"; level: "info" | "warn"; message: string; reason: string; failures: number };

/** Times of one replicator; see which way each hurts. */
export interface ReplicatorTimings {
  /** The first delay after a failure: shorter loads a source that is in trouble, longer is stale after a hiccup. */
  retryMinMs: number;
  /** The longest one: how long after an outage it may be stale still. */
  retryMaxMs: number;
  /** Two questions that wait for changes are so far apart at least: shorter loads both sides when much changes. */
  paceMs: number;
  /** An answer that does not come within this is given up: it must be above how long a question may wait at the source. */
  answerMs: number;
}

/** How it stands, in monotonic milliseconds. */
export interface ReplicatorStatus {
  readonly state: "off" | "asking" | "writing" | "waiting";
  /** Failures since the last success. */
  readonly failures: number;
  readonly lastSuccessAt: number | null;
  readonly lastErrorAt: number | null;
  readonly lastError: string;
  /** When it was last known to hold all that the source has. */
  readonly caughtUpAt: number | null;
  /** Nothing is known to be missing. */
  readonly isCaughtUp: boolean;
  /** The source's index that is here. */
  readonly index: number;
  readonly batches: number;
  /** Answers that came too late. */
  readonly late: number;
  /** When it tries again, while it waits. */
  readonly nextAt: number | null;
}

/** A failure is told again after so many more. */
const TOLD_EVERY = 16;
/** A delay is moved by up to a quarter of itself, so that many who lost the same source do not come back together. */
const JITTER = 0.25;

/** The machine: questions `Q`, answers `R`, batches `B`. */
export class Replicator<Q, R, B> {
  readonly #kind: Kind<Q, R, B>;
  readonly #timings: ReplicatorTimings;
  readonly #random: Random;
  #state: ReplicatorStatus["state"] = "off";
  #deadline: number | null = null;
  #call = 0;
  #askedAt = 0;
  /** The answer that is being carried out. */
  #answer: R | null = null;
  #plan: Plan<B> | null = null;
  #failures = 0;
  #lastSuccessAt: number | null = null;
  #lastErrorAt: number | null = null;
  #lastError = "";
  #caughtUpAt: number | null = null;
  #isCaughtUp = false;
  #index = 0;
  #batches = 0;
  #late = 0;

  constructor(kind: Kind<Q, R, B>, timings: ReplicatorTimings, random: Random) {
    this.#kind = kind;
    this.#timings = timings;
    this.#random = random;
  }

  get deadline(): number | null {
    return this.#deadline;
  }

  get status(): ReplicatorStatus {
    return {
      state: this.#state,
      failures: this.#failures,
      lastSuccessAt: this.#lastSuccessAt,
      lastErrorAt: this.#lastErrorAt,
      lastError: this.#lastError,
      caughtUpAt: this.#caughtUpAt,
      isCaughtUp: this.#isCaughtUp,
      index: this.#index,
      batches: this.#batches,
      late: this.#late,
      nextAt: this.#state === "waiting" ? this.#deadline : null,
    };
  }

  step(now: number, input: ReplicatorInput<R>): ReplicatorEffect<Q, B>[] {
    switch (input.type) {
      case "start":
        this.#isCaughtUp = false;
        this.#failures = 0;
        this.#kind.begin();
        return this.#ask(now);
      case "stop":
        this.#call += 1;
        this.#state = "off";
        this.#deadline = null;
        this.#forget();
        return [];
      case "hurry":
        return this.#state === "waiting" ? this.#ask(now) : [];
      case "timeout":
        if (this.#deadline === null || now < this.#deadline) return [];
        return this.#state === "waiting" ? this.#ask(now) : this.#fail(now, "no answer in time");
      case "answer":
        if (!this.#isAwaited(input.call, "asking")) return [];
        this.#answer = input.answer;
        return this.#carryOn(now);
      case "written":
        if (!this.#isAwaited(input.call, "writing")) return [];
        this.#batches += 1;
        return this.#plan?.next === "plan" ? this.#carryOn(now) : this.#done(now);
      case "failed":
        if (input.call !== this.#call || (this.#state !== "asking" && this.#state !== "writing")) return this.#drop();
        return this.#fail(now, input.reason);
      default:
        return input satisfies never;
    }
  }

  #isAwaited(call: number, state: ReplicatorStatus["state"]): boolean {
    if (call === this.#call && this.#state === state) return true;
    this.#drop();
    return false;
  }

  #drop(): [] {
    this.#late += 1;
    return [];
  }

  #forget(): void {
    this.#answer = null;
    this.#plan = null;
  }

  #ask(now: number): ReplicatorEffect<Q, B>[] {
    this.#forget();
    this.#state = "asking";
    this.#askedAt = now;
    this.#deadline = now + this.#timings.answerMs;
    this.#call += 1;
    return [{ type: "ask", call: this.#call, question: this.#kind.question() }];
  }

  /** Writes the next part of what the answer says. */
  #carryOn(now: number): ReplicatorEffect<Q, B>[] {
    const plan = this.#kind.plan(this.#answer as R);
    if ("problem" in plan) return this.#fail(now, plan.problem);
    this.#plan = plan;
    if (plan.batch === null) return this.#done(now);
    this.#isCaughtUp = false;
    this.#state = "writing";
    this.#deadline = now + this.#timings.answerMs;
    this.#call += 1;
    return [{ type: "write", call: this.#call, batch: plan.batch }];
  }

  #done(now: number): ReplicatorEffect<Q, B>[] {
    const plan = this.#plan as Plan<B>;
    const effects: ReplicatorEffect<Q, B>[] = [];
    if (this.#failures > 0)
      effects.push({
        type: "tell",
        level: "info",
        message: "replication goes on",
        reason: "",
        failures: this.#failures,
      });
    this.#failures = 0;
    this.#lastSuccessAt = now;
    this.#index = plan.index;
    if (plan.next === "ask") return [...effects, ...this.#ask(now)];
    this.#isCaughtUp = true;
    this.#caughtUpAt = now;
    const at = this.#askedAt + this.#timings.paceMs;
    if (at <= now) return [...effects, ...this.#ask(now)];
    this.#wait(at);
    return effects;
  }

  #wait(at: number): void {
    this.#forget();
    this.#state = "waiting";
    this.#deadline = at;
  }

  #fail(now: number, reason: string): ReplicatorEffect<Q, B>[] {
    const { retryMinMs, retryMaxMs } = this.#timings;
    const delayMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    this.#isCaughtUp = false;
    this.#lastErrorAt = now;
    this.#lastError = reason;
    // Where it stood is read anew: a write that seemed lost may have happened.
    this.#call += 1;
    this.#kind.begin();
    this.#wait(now + delayMs * (1 + JITTER * (2 * this.#random.float() - 1)));
    if (this.#failures % TOLD_EVERY !== 1) return [];
    return [{ type: "tell", level: "warn", message: "replication fails", reason, failures: this.#failures }];
  }
}
