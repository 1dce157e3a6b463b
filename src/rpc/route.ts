// The one door every request passes, whether it came by HTTP, by DNS or from the agent itself: it decides which
// datacenter and which server answers. A server answers reads here, and asks the leader how far its store must be unless a
// stale answer will do; commands it does as the leader, or sends them there; a client sends everything to the server that it
// uses. What is for another datacenter a server sends to one of its servers (`router.ts`). Retries happen here and there
// and nowhere else, and only of what certainly was not done: while there is no leader, or the one
// asked leads no more, a request is held and tried again as long as `rpc_hold_timeout` allows.
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { ForPrimary } from "../endpoint/federation.ts";
import type { Timer, Timers } from "../host/timers.ts";
import { type ErrorCode, OperationalError } from "../types/error.ts";
import type { Answer, Authority, QueryOptions, Topology, Upstream } from "./authority.ts";
import {
  answerCall,
  CALL_PATH,
  callCommand,
  callQuery,
  type CallTarget,
  type Destination,
  FORWARD_PATH,
} from "./call.ts";
import type { Peer, PeerClient } from "./peer-door.ts";
import type { RequestOutcomes } from "./request-ids.ts";
import { noPath, type Router } from "./router.ts";

export interface RouteOptions {
  /** This agent's server; null for a client. */
  readonly server: Authority | null;
  readonly upstream: Upstream;
  readonly topology: Topology;
  /** A server's way to other datacenters; a client asks its server to go it. */
  readonly router: Router | null;
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
/** How long the answer to a command is waited for when its leader leads no more: one that handed over has said it by then. */
const LAST_WORDS_MS = 200;
/** The same when that leader was lost sight of and leads still: the call may hang in a connection that was cut meanwhile. */
const REGAINED_MS = 1000;
/** After this long without an answer it is looked at whether who was asked is there still. */
const DOUBT_MS = 1000;

/** What another datacenter may hold a request for in all, counted in what one server may. */
const REMOTE_HOLDS = 3;

/** After these the request certainly has not been carried out. A client's server has waited for a leader itself. */
const UNDONE_BY_LEADER: ReadonlySet<ErrorCode> = new Set(["not-leader", "no-leader", "unreachable"]);
const UNDONE_BY_SERVER: ReadonlySet<ErrorCode> = new Set(["unreachable"]);
/** After these there was no answer: a read may be asked again, though its answer may be on the way. */
const SILENT: ReadonlySet<ErrorCode> = new Set(["unreachable", "timeout", "outcome-unknown", "shutting-down"]);

/** The datacenter was not reached. */
const NO_WAY: ReadonlySet<ErrorCode> = new Set(["datacenter-unreachable", "no-path-to-datacenter"]);

const noLeader = (): OperationalError => new OperationalError("no-leader", "No cluster leader");
const noServers = (): OperationalError =>
  new OperationalError(
    "no-leader",
    "No known Consul servers: none is a member of the datacenter, or none can be reached",
  );

/** The door of an agent. */
export class Route {
  readonly #options: RouteOptions;
  readonly #server: Authority | null;
  readonly #undone: ReadonlySet<ErrorCode>;
  readonly #unanswered: ReadonlySet<ErrorCode>;

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#server = options.server;
    this.#undone = options.server === null ? UNDONE_BY_SERVER : UNDONE_BY_LEADER;
    this.#unanswered = new Set([...this.#undone, ...SILENT]);
  }

  get topology(): Topology {
    return this.#options.topology;
  }

  /** True while a kept answer may be given again without asking anybody. */
  get readable(): boolean {
    return this.#server?.readable ?? false;
  }

  /** True while that is so even for reads that must not trust clocks. */
  get alone(): boolean {
    return this.#server?.alone ?? false;
  }

  /** @param datacenter "" for this agent's own. @throws OperationalError `no-path-to-datacenter`, or the endpoint's own. */
  query<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    datacenter: string,
  ): Answer<R> | Promise<Answer<R>> {
    return this.#query(endpoint, args, options, datacenter, 0);
  }

  #query<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    datacenter: string,
    hops: number,
  ): Answer<R> | Promise<Answer<R>> {
    const remote = this.#remote(datacenter, hops);
    const answer = this.#ask(endpoint, args, options, remote);
    if (options.maxStaleMs === undefined) return answer;
    return answer instanceof Promise
      ? answer.then((late) => this.#bounded(late, endpoint, args, options, remote))
      : this.#bounded(answer, endpoint, args, options, remote);
  }

  #ask<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    remote: Destination | null,
  ): Answer<R> | Promise<Answer<R>> {
    const server = this.#server;
    // What is at hand is answered without a promise.
    if (
      server !== null &&
      remote === null &&
      (options.consistency === "stale" ||
        (server.readable && (server.alone || (options.index === 0 && options.consistency === "default"))))
    )
      return server.query(endpoint, args, options);
    return options.index > 0
      ? this.#blocking(endpoint, args, options, remote)
      : this.#read(endpoint, args, options, remote);
  }

  /** A stale answer, unless it is too old: then one that is not stale. */
  #bounded<A, R>(
    answer: Answer<R>,
    endpoint: QueryEndpoint<A, R>,
    args: A,
    { maxStaleMs = Infinity, ...options }: QueryOptions,
    remote: Destination | null,
  ): Answer<R> | Promise<Answer<R>> {
    if (answer.lastContactMs <= maxStaleMs) return answer;
    const anew = this.#ask(endpoint, args, { ...options, consistency: "default" }, remote);
    const marked = (fresh: Answer<R>): Answer<R> => ({ ...fresh, consistency: "default" });
    return anew instanceof Promise ? anew.then(marked) : marked(anew);
  }

  /** @throws OperationalError as `query`; `outcome-unknown` when it may yet be done. */
  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A, datacenter: string): R | Promise<R> {
    return this.#command(endpoint, args, datacenter, 0);
  }

  #command<A, R>(endpoint: CommandEndpoint<A, R>, args: A, datacenter: string, hops: number): R | Promise<R> {
    const remote = this.#remote(datacenter, hops);
    const server = this.#server;
    if (server !== null && remote !== null) return this.#router.command(remote.datacenter, endpoint, args, hops, false);
    if (server !== null && endpoint.isForPrimary === true && (args as ForPrimary).forwarded === undefined)
      return this.#forPrimary(server, endpoint, args, hops);
    return this.#commandHere(endpoint, args, remote);
  }

  #commandHere<A, R>(endpoint: CommandEndpoint<A, R>, args: A, remote: Destination | null): R | Promise<R> {
    const server = this.#server;
    if (server !== null && server.readable && server.alone) return server.command(endpoint, args);
    return this.#held(
      this.#undone,
      (leader) => leader.command(endpoint, args),
      (peer) => this.#unlessLost(peer, "outcome-unknown", callCommand(this.#target(peer, remote), endpoint, args)),
    );
  }

  /** Held while the primary moves, as while there is no leader. */
  async #forPrimary<A, R>(server: Authority, endpoint: CommandEndpoint<A, R>, args: A, hops: number): Promise<R> {
    const { now, holdMs, timers } = this.#options;
    const until = now() + holdMs;
    for (;;) {
      const { elsewhere } = server.federation;
      try {
        if (elsewhere === null) return await this.#commandHere(endpoint, args, null);
        return await this.#atPrimary(endpoint, { ...args, forwarded: elsewhere.forwarded }, elsewhere.datacenter, hops);
      } catch (error) {
        // Nothing was done, and who is the primary will be known in a moment.
        if (!(error instanceof OperationalError) || error.code !== "not-primary" || now() >= until) throw error;
      }
      await new Promise<void>((resolve) => void timers.after(BACKOFF_MAX_MS, resolve));
    }
  }

  /** @throws OperationalError that names the primary when there is no way to it: nobody else may take its writes. */
  async #atPrimary<A, R>(endpoint: CommandEndpoint<A, R>, args: A, datacenter: string, hops: number): Promise<R> {
    try {
      return await this.#command(endpoint, args, datacenter, hops);
    } catch (error) {
      if (!(error instanceof OperationalError) || !NO_WAY.has(error.code)) throw error;
      throw new OperationalError(
        error.code,
        `this is written in the primary datacenter, '${datacenter}', and there is no way to it; what is stored here can still be read: ${error.message}`,
        { cause: error },
      );
    }
  }

  /** What a command that only asks says at this server, or at the one that a client uses, whoever leads. */
  local<A, R>(endpoint: CommandEndpoint<A, R>, args: A, datacenter: string): R | Promise<R> {
    return this.#local(endpoint, args, datacenter, 0);
  }

  #local<A, R>(endpoint: CommandEndpoint<A, R>, args: A, datacenter: string, hops: number): R | Promise<R> {
    const remote = this.#remote(datacenter, hops);
    const server = this.#server;
    if (server !== null && remote !== null) return this.#router.command(remote.datacenter, endpoint, args, hops, true);
    if (server !== null) return server.local(endpoint, args);
    return this.#held(
      this.#unanswered,
      (own) => own.local(endpoint, args),
      (peer) => callCommand(this.#target(peer, remote), endpoint, args, true),
    );
  }

  /** Answers what a client agent, or a server of another datacenter, has sent on (`FORWARD_PATH`). */
  answerForwarded(outcomes: RequestOutcomes, bytes: Uint8Array): Promise<Uint8Array> {
    return answerCall(
      {
        query: (endpoint, args, options, { datacenter, hops }) =>
          this.#query(endpoint, args, options, datacenter, hops),
        command: (endpoint, args, { datacenter, hops }) => this.#command(endpoint, args, datacenter, hops),
        local: (endpoint, args, { datacenter, hops }) => this.#local(endpoint, args, datacenter, hops),
      },
      outcomes,
      bytes,
    );
  }

  /**
   * Sends bytes to whoever leads, or gives them to `here`; a client sends them to its server. Tried again only while they
   * certainly were not taken.
   */
  toLeader(path: string, bytes: Uint8Array, timeoutMs: number, here: () => Promise<Uint8Array>): Promise<Uint8Array> {
    return this.#held(this.#undone, here, (peer) => this.#options.client.call(peer, path, bytes, timeoutMs));
  }

  #target(peer: Peer, remote: Destination | null): CallTarget {
    const { client, holdMs } = this.#options;
    if (this.#server !== null) return { client, peer, path: CALL_PATH, holdMs: 0 };
    const target: CallTarget = { client, peer, path: FORWARD_PATH, holdMs };
    // The server waits for the other datacenter, and that may wait for its leader.
    return remote === null ? target : { ...target, ...remote, holdMs: REMOTE_HOLDS * holdMs };
  }

  /** What is for another datacenter; null for what is answered in this one. */
  #remote(datacenter: string, hops: number): Destination | null {
    return datacenter === "" || datacenter === this.#options.topology.datacenter ? null : { datacenter, hops };
  }

  get #router(): Router {
    const { router } = this.#options;
    if (router === null) throw noPath();
    return router;
  }

  /** What this server answers, leader or not, or a client's server, or another datacenter. */
  #read<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    remote: Destination | null,
  ): Promise<Answer<R>> {
    const server = this.#server;
    if (server !== null && remote !== null)
      return this.#router.query(remote.datacenter, endpoint, args, options, remote.hops);
    return this.#held(
      this.#unanswered,
      (leader) => leader.query(endpoint, args, options),
      (peer) =>
        server === null
          ? this.#unlessLost(peer, "unreachable", callQuery(this.#target(peer, remote), endpoint, args, options))
          : server.query(endpoint, args, options),
    );
  }

  /** Has the leader do it, wherever it is, or a client's server; and waits while there is none. */
  async #held<T>(
    retried: ReadonlySet<ErrorCode>,
    here: (leader: Authority) => T | Promise<T>,
    there: (peer: Peer) => T | Promise<T>,
  ): Promise<T> {
    const { now, holdMs, upstream } = this.#options;
    const server = this.#server;
    /** Until when it is held: counted from when there was nobody to do it. */
    let until: number | null = null;
    for (let backoffMs = BACKOFF_MIN_MS; ;) {
      const { peer } = upstream;
      const startedMs = now();
      let failure: OperationalError | null = null;
      try {
        if (server?.leading === true) return await here(server);
        if (peer !== null) return await there(peer);
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        // What a server tells of another datacenter is no fault of its own.
        if (peer !== null && SILENT.has(error.code) && !(error.isAnswer && error.code === "outcome-unknown"))
          upstream.failed(peer);
        if (!retried.has(error.code)) throw error;
        failure = error;
      }
      // A long wait that came to nothing was not spent on looking for a leader.
      if (until === null || now() - startedMs > holdMs) until = now() + holdMs;
      const leftMs = until - now();
      if (leftMs <= 0) {
        if (failure !== null && failure.code !== "not-leader") throw failure;
        throw server === null ? noServers() : noLeader();
      }
      // With nobody to ask, only news of somebody helps.
      await upstream.untilChange(failure === null ? leftMs : Math.min(leftMs, backoffMs));
      // A leader that was just elected takes requests in a moment: the patience with the last one is not for it.
      const isNews = upstream.peer?.id !== peer?.id;
      backoffMs = isNews ? BACKOFF_MIN_MS : Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    }
  }

  /** A blocking query, a slice of its wait after the other, moved on when the leader changes. */
  async #blocking<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    remote: Destination | null,
  ): Promise<Answer<R>> {
    const { now } = this.#options;
    const until = now() + options.waitMs;
    let isGone = false;
    const forget = options.onGone?.(() => {
      isGone = true;
    });
    try {
      for (;;) {
        const leftMs = Math.max(0, until - now());
        const waitMs = this.#server?.leading === true && remote === null ? leftMs : Math.min(leftMs, SLICE_MS);
        const answer = await this.#read(endpoint, args, { ...options, waitMs }, remote);
        // Nobody waits for the answer any more: whatever it is will do.
        if (isGone || answer.index > options.index || until - now() <= 0) return answer;
        if (answer.shared.replaced === true) return answer;
      }
    } finally {
      forget?.();
    }
  }

  /**
   * The answer of a server, as long as somebody may wait for it: one that stands still, or is cut off, never says a word.
   * @throws OperationalError `lost` when another leads meanwhile, or the same one again, or the server has failed.
   */
  #unlessLost<T>(peer: Peer, lost: ErrorCode, call: Promise<T>): Promise<T> {
    const { timers, upstream } = this.#options;
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null;
      let isLostSight = false;
      const forget = upstream.onChange(() => {
        if (upstream.peer === null) isLostSight = true;
        const isRegained = isLostSight && upstream.peer?.id === peer.id;
        if (timer !== null || !(isRegained || upstream.isLost(peer))) return;
        const giveUp = (): void => reject(new OperationalError(lost, "leadership lost while waiting for an answer"));
        // A leader that handed over still answers what it did; a read is as well asked anew.
        if (lost === "outcome-unknown") timer = timers.after(isRegained ? REGAINED_MS : LAST_WORDS_MS, giveUp);
        else giveUp();
      });
      const doubt = timers.after(DOUBT_MS, () => upstream.doubt(peer));
      call.then(resolve, reject).finally(() => {
        forget();
        timers.cancel(timer);
        timers.cancel(doubt);
      });
    });
  }
}
