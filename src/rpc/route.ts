// The one door every request passes, whether it came by HTTP, by DNS or from the agent itself: it decides which
// datacenter and which server answers. Reads are answered by this server, which asks the leader how far its store must be
// unless a stale answer will do; commands go to the leader.
// Retries happen here and nowhere else, and only of what certainly was not done: while there is no leader, or the one
// asked leads no more, a request is held and tried again as long as `rpc_hold_timeout` allows.
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Timer, Timers } from "../host/timers.ts";
import { type ErrorCode, OperationalError } from "../types/error.ts";
import type { Answer, Authority, QueryOptions, Topology } from "./authority.ts";
import { callCommand } from "./call.ts";
import type { Peer, PeerClient } from "./peer-door.ts";

export interface RouteOptions {
  readonly authority: Authority;
  readonly topology: Topology;
  /** The way to other servers. */
  readonly client: PeerClient;
  readonly timers: Timers;
  /** Monotonic milliseconds. */
  now(): number;
  /** How long a request may wait for a leader (Consul: `rpc_hold_timeout`). */
  readonly holdMs: number;
}

/** How long to wait before trying again, when nothing is heard meanwhile: first, and at most. */
const BACKOFF_MIN_MS = 10;
const BACKOFF_MAX_MS = 250;
/**
 * A blocking query waits this long at a server that does not lead, which then asks the leader again: one that the group
 * has left behind, and that is told nothing any more, is found out.
 */
const SLICE_MS = 30_000;
/** How long the answer to a command is waited for when its leader leads no more. */
const LAST_WORDS_MS = 500;

/** After these the request certainly has not been carried out. */
const UNDONE: ReadonlySet<ErrorCode> = new Set(["not-leader", "no-leader", "unreachable"]);
/** After these a read may be asked again, though its answer may be on the way. */
const UNANSWERED: ReadonlySet<ErrorCode> = new Set([...UNDONE, "timeout", "outcome-unknown", "shutting-down"]);

const noLeader = (): OperationalError => new OperationalError("no-leader", "No cluster leader");

/** The door of an agent. */
export class Route {
  readonly #options: RouteOptions;
  readonly #authority: Authority;

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#authority = options.authority;
  }

  get topology(): Topology {
    return this.#options.topology;
  }

  /** True while a kept answer may be given again without asking anybody. */
  get readable(): boolean {
    return this.#authority.readable;
  }

  /** True while that is so even for reads that must not trust clocks. */
  get alone(): boolean {
    return this.#authority.alone;
  }

  /** @param datacenter "" for this agent's own. @throws OperationalError `no-path-to-datacenter`, or the endpoint's own. */
  query<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    datacenter: string,
  ): Answer<R> | Promise<Answer<R>> {
    this.#requireLocal(datacenter);
    const authority = this.#authority;
    // What is at hand is answered without a promise.
    if (options.consistency === "stale") {
      const answer = authority.query(endpoint, args, options);
      return answer instanceof Promise
        ? answer.then((late) => this.#bounded(late, endpoint, args, options))
        : this.#bounded(answer, endpoint, args, options);
    }
    if (authority.readable && (authority.alone || (options.index === 0 && options.consistency === "default")))
      return authority.query(endpoint, args, options);
    if (options.index > 0) return this.#blocking(endpoint, args, options);
    const ask = (): Answer<R> | Promise<Answer<R>> => authority.query(endpoint, args, options);
    return this.#held(UNANSWERED, ask, ask);
  }

  /** A stale answer, unless it is too old: then one that is not stale. */
  #bounded<A, R>(
    answer: Answer<R>,
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
  ): Answer<R> | Promise<Answer<R>> {
    if (answer.lastContactMs <= (options.maxStaleMs ?? Infinity)) return answer;
    const anew = this.query(endpoint, args, { ...options, consistency: "default" }, "");
    const marked = (fresh: Answer<R>): Answer<R> => ({ ...fresh, consistency: "default" });
    return anew instanceof Promise ? anew.then(marked) : marked(anew);
  }

  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A, datacenter: string): R | Promise<R> {
    this.#requireLocal(datacenter);
    const authority = this.#authority;
    if (authority.readable && authority.alone) return authority.command(endpoint, args);
    return this.#held(
      UNDONE,
      () => authority.command(endpoint, args),
      (leader) =>
        this.#whileLeading(leader, "outcome-unknown", callCommand(this.#options.client, leader, endpoint, args)),
    );
  }

  /** Sends bytes to whoever leads, or gives them to `here`. Tried again only while they certainly were not taken. */
  toLeader(path: string, bytes: Uint8Array, timeoutMs: number, here: () => Promise<Uint8Array>): Promise<Uint8Array> {
    return this.#held(UNDONE, here, (leader) => this.#options.client.call(leader, path, bytes, timeoutMs));
  }

  /** Has the leader do it, wherever it is, and waits while there is none. */
  async #held<T>(
    retried: ReadonlySet<ErrorCode>,
    here: () => T | Promise<T>,
    there: (leader: Peer) => T | Promise<T>,
  ): Promise<T> {
    const { now, holdMs } = this.#options;
    const authority = this.#authority;
    /** Until when it is held: counted from when there was nobody to do it. */
    let until: number | null = null;
    for (let backoffMs = BACKOFF_MIN_MS; ; backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)) {
      const leader = authority.leaderPeer;
      const startedMs = now();
      let failure: OperationalError | null = null;
      try {
        if (authority.leading) return await here();
        if (leader !== null) return await there(leader);
      } catch (error) {
        if (!(error instanceof OperationalError) || !retried.has(error.code)) throw error;
        failure = error;
      }
      // A long wait that came to nothing was not spent on looking for a leader.
      if (until === null || now() - startedMs > holdMs) until = now() + holdMs;
      const leftMs = until - now();
      if (leftMs <= 0) throw failure === null || failure.code === "not-leader" ? noLeader() : failure;
      // With nobody to ask, only news of a leader helps.
      await authority.untilChange(failure === null ? leftMs : Math.min(leftMs, backoffMs));
    }
  }

  /** A blocking query, a slice of its wait after the other, moved on when the leader changes. */
  async #blocking<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Promise<Answer<R>> {
    const { now } = this.#options;
    const authority = this.#authority;
    const until = now() + options.waitMs;
    let isGone = false;
    const forget = options.onGone?.(() => {
      isGone = true;
    });
    try {
      for (;;) {
        const leftMs = Math.max(0, until - now());
        const answer = await this.#held(
          UNANSWERED,
          () => authority.query(endpoint, args, { ...options, waitMs: leftMs }),
          () => authority.query(endpoint, args, { ...options, waitMs: Math.min(leftMs, SLICE_MS) }),
        );
        // Nobody waits for the answer any more: whatever it is will do.
        if (isGone || answer.index > options.index || until - now() <= 0) return answer;
      }
    } finally {
      forget?.();
    }
  }

  /**
   * The answer of a leader, as long as it is one: an agent that stands still, or is cut off, never says a word.
   * @throws OperationalError `lost` when another leads meanwhile.
   */
  #whileLeading<T>(leader: Peer, lost: ErrorCode, call: Promise<T>): Promise<T> {
    const { timers } = this.#options;
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null;
      const forget = this.#authority.onChange(() => {
        const id = this.#authority.leading ? null : this.#authority.leaderPeer?.id;
        // While nobody leads the one who did may still answer.
        if (id === undefined || id === leader.id || timer !== null) return;
        const giveUp = (): void => reject(new OperationalError(lost, "leadership lost while waiting for an answer"));
        // A leader that handed over still answers what it did; a read is as well asked anew.
        if (lost === "not-leader") giveUp();
        else timer = timers.after(LAST_WORDS_MS, giveUp);
      });
      call.then(resolve, reject).finally(() => {
        forget();
        timers.cancel(timer);
      });
    });
  }

  #requireLocal(datacenter: string): void {
    if (datacenter !== "" && datacenter !== this.#options.topology.datacenter)
      throw new OperationalError("no-path-to-datacenter", "No path to datacenter");
  }
}
