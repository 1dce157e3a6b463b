// Blocking queries (https://developer.hashicorp.com/consul/api-docs/features/blocking): run the query; newer than what
// the asker has seen → answer; else wait for a change to what was read, or for the deadline. Woken only by what was
// read; a result that is not newer goes on waiting. The loop is here and nowhere else.
import type { QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Timer, Timers } from "../host/timers.ts";
import { asReplaced, type QueryOptions, type SharedRead } from "../rpc/authority.ts";
import type { StateStore } from "../state/store.ts";
import type { WatchHandle, Watches } from "../state/watch.ts";
import { OperationalError } from "../types/error.ts";
import type { Random } from "../util/random.ts";
import type { ReadCache } from "./read-cache.ts";

/** A deadline is put off by up to a sixteenth of the wait, so that clients who came together do not all return together. */
const JITTER_DIVISOR = 16;

/** What the waiting needs of the server; the store can be replaced while somebody waits. */
export interface BlockingHost {
  readonly state: StateStore;
  readonly watches: Watches;
  readonly cache: ReadCache;
  readonly timers: Timers;
  readonly random: Random;
}

export class Blocking {
  readonly #host: BlockingHost;
  readonly #waiting = new Set<Finishable>();

  constructor(host: BlockingHost) {
    this.#host = host;
  }

  /** How many queries wait now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Answers at once when it can, without a promise. */
  query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): SharedRead<R> | Promise<SharedRead<R>> {
    const { state, cache } = this.#host;
    const shared = cache.run(state, endpoint, args);
    if (options.index === 0 || shared.read.index > options.index) return shared;
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this.#host, endpoint, args, options, resolve, reject, this.#waiting);
      waiter.wait(shared);
    });
  }

  /** Sends on everyone who does not take a stale answer: this server leads no more. */
  abandon(): void {
    for (const waiter of this.#waiting) waiter.abandon();
  }

  /** Answers everyone who waits with what there is now: the agent is going. */
  release(): void {
    for (const waiter of this.#waiting) waiter.finish();
  }

  /** The store is another: everyone who waits is told what it says, though it may be older than what he has seen. */
  replaced(): void {
    for (const waiter of this.#waiting) waiter.finish(true);
  }
}

interface Finishable {
  finish(isReplaced?: boolean): void;
  abandon(): void;
}

class Waiter<A, R> implements Finishable {
  readonly #host: BlockingHost;
  readonly #endpoint: QueryEndpoint<A, R>;
  readonly #args: A;
  readonly #index: number;
  readonly #isStale: boolean;
  readonly #resolve: (shared: SharedRead<R>) => void;
  readonly #reject: (error: unknown) => void;
  readonly #all: Set<Finishable>;
  readonly #timer: Timer;
  readonly #forget: (() => void) | undefined;
  #watch: WatchHandle | null = null;

  constructor(
    host: BlockingHost,
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    resolve: (shared: SharedRead<R>) => void,
    reject: (error: unknown) => void,
    all: Set<Finishable>,
  ) {
    this.#host = host;
    this.#endpoint = endpoint;
    this.#args = args;
    this.#index = options.index;
    this.#isStale = options.consistency === "stale";
    this.#resolve = resolve;
    this.#reject = reject;
    this.#all = all;
    const jitterMs = host.random.float() * (options.waitMs / JITTER_DIVISOR);
    this.#timer = host.timers.after(options.waitMs + jitterMs, () => this.finish());
    // The asker who goes away leaves nothing behind, and his answer is never made.
    this.#forget = options.onGone?.(() => this.#end());
    all.add(this);
  }

  wait(seen: SharedRead<R>): void {
    const { read } = seen;
    this.#watch = this.#host.watches.add(read.topics, Math.max(this.#index, read.index), () => this.#woken());
  }

  /** Answers with what there is now. */
  finish(isReplaced: boolean = false): void {
    this.#end();
    try {
      const shared = this.#host.cache.run(this.#host.state, this.#endpoint, this.#args);
      this.#resolve(isReplaced ? asReplaced(shared) : shared);
    } catch (error) {
      this.#reject(error);
    }
  }

  /** Not from here any more, unless a stale answer will do. */
  abandon(): void {
    if (this.#isStale) return;
    this.#end();
    this.#reject(new OperationalError("not-leader", "node is not the leader"));
  }

  #woken(): void {
    let shared: SharedRead<R>;
    try {
      shared = this.#host.cache.run(this.#host.state, this.#endpoint, this.#args);
    } catch (error) {
      this.#end();
      this.#reject(error);
      return;
    }
    if (shared.read.index > this.#index) {
      this.#end();
      this.#resolve(shared);
    } else this.wait(shared);
  }

  #end(): void {
    this.#watch?.cancel();
    this.#watch = null;
    this.#host.timers.cancel(this.#timer);
    this.#forget?.();
    this.#all.delete(this);
  }
}
