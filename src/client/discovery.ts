// A service found and called: its healthy instances from a replica in memory, and `fetch`, which picks one, measures it,
// leaves out who fails, and tries again elsewhere what may be sent twice.
import type { BalancerOptions } from "./balancer.ts";
import { Balancer } from "./balancer.ts";
import type { Clock } from "./clock.ts";
import { within } from "./clock.ts";
import type { Instance, InstanceOptions } from "./instance.ts";
import type { Lookup, LookupOptions, Replica, ReplicaOptions } from "./replica.ts";
import type { ClientFetch, ReadOptions } from "./transport.ts";
import type { ServiceEntry } from "./types.ts";

/** Which instances, how they are kept in memory, how they are called. */
export interface DiscoverOptions
  extends
    ReplicaOptions,
    BalancerOptions,
    InstanceOptions,
    Pick<ReadOptions, "datacenter" | "token" | "consistency" | "filter" | "near" | "nodeMeta"> {
  /** Only those with all of these tags. */
  tag?: string | readonly string[];
  /** False: also those whose checks warn or fail. */
  passing?: boolean;
  /** For requests to the instances; the global one when not given. */
  fetch?: ClientFetch;
}

/** What `fetch` takes besides the usual. */
export interface ServiceRequest extends RequestInit {
  /** How often at most the request is sent again: 2. */
  retries?: number;
  /** The request may be sent twice, whatever its method. Its body must not be a stream. */
  idempotent?: boolean;
  /** How long an instance may take to begin its answer: 30 s. */
  timeoutMs?: number;
  waitUntil?(promise: Promise<unknown>): void;
}

/** There is no instance to call. */
export class NoInstanceError extends Error {
  override readonly name: string = "NoInstanceError";
}

const IDEMPOTENT = /^(?:GET|HEAD|OPTIONS|PUT|DELETE|TRACE)$/i;
/** Statuses of those between, or of an instance that is not up to it. */
const UNAVAILABLE = /^50[234]$/;
/** How runtimes say that no connection was made: then nothing was sent. */
const NOT_SENT =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT|connection ?refused|dns error|unable to connect/i;
/** Each request adds a fifth to what may be retried, at most ten in a row. */
const BUDGET_MAX = 10;
const BUDGET_SHARE = 0.2;
const PAUSE_MS = 50;

/** One service, found and called: what `discover` gives. */
export class Discovery implements AsyncDisposable {
  readonly name: string;
  readonly #replica: Replica<ServiceEntry[], readonly Instance[]>;
  readonly #balancer: Balancer;
  readonly #clock: Clock;
  readonly #fetch: ClientFetch;
  readonly #hasNear: boolean;
  #budget = BUDGET_MAX;

  constructor(
    name: string,
    replica: Replica<ServiceEntry[], readonly Instance[]>,
    clock: Clock,
    options: DiscoverOptions,
  ) {
    this.name = name;
    this.#replica = replica;
    this.#clock = clock;
    this.#balancer = new Balancer(clock, options);
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#hasNear = options.near !== undefined;
  }

  /** The instances that are known now, from memory; never fails. */
  lookup(options?: LookupOptions): Lookup<readonly Instance[]> {
    return this.#replica.lookup(options);
  }

  /** The same once something is known. @throws why nothing is */
  ready(options?: LookupOptions): Promise<Lookup<readonly Instance[]>> {
    return this.#replica.ready(options);
  }

  /** What is known now, and again whenever it changes. */
  changes(options?: { signal?: AbortSignal }): AsyncGenerator<Lookup<readonly Instance[]>, void, undefined> {
    return this.#replica.changes(options);
  }

  /** The instance that the next request should go to, from memory; null when none is known. */
  pick(tried?: ReadonlySet<string>): Instance | null {
    const { value } = this.#replica.lookup();
    // With `near`, the nearest half is near; without a zone or a place, all are.
    this.#balancer.update(value, this.#hasNear ? Math.max(2, Math.ceil(value.length / 2)) : value.length);
    return this.#balancer.pick(tried);
  }

  /** Keys of the instances that are left out for a while because they failed. */
  get ejected(): string[] {
    return this.#balancer.ejected;
  }

  /**
   * Sends the request to one of the instances. It is sent again, to another one, when it cannot have been received, or when
   * it is idempotent and failed or was answered with 502, 503 or 504.
   * @throws NoInstanceError, why no instance is known, or what the last attempt threw
   */
  async fetch(path: string, request: ServiceRequest = {}): Promise<Response> {
    const { retries = 2, idempotent, timeoutMs = 30_000, waitUntil, ...init } = request;
    await this.ready({ signal: init.signal ?? undefined, waitUntil });
    const isReplayable = !(init.body instanceof ReadableStream);
    const isSafe = isReplayable && (idempotent ?? IDEMPOTENT.test(init.method ?? "GET"));
    this.#budget = Math.min(BUDGET_MAX, this.#budget + BUDGET_SHARE);
    const tried = new Set<string>();
    for (let attempt = 0; ; attempt += 1) {
      const instance = this.pick(tried);
      if (instance === null) throw new NoInstanceError(`no instance of ${this.name} is known`);
      if (tried.has(instance.key)) await this.#clock.sleep(PAUSE_MS * 2 ** attempt * this.#clock.random());
      init.signal?.throwIfAborted();
      tried.add(instance.key);
      const mayRetry = attempt < retries && this.#budget >= 1;
      try {
        const response = await this.#attempt(instance, path, init, timeoutMs);
        if (!mayRetry || !isSafe || !UNAVAILABLE.test(String(response.status))) return response;
        await response.body?.cancel();
      } catch (error) {
        if (init.signal?.aborted || !mayRetry || !(isSafe || (isReplayable && NOT_SENT.test(words(error)))))
          throw error;
      }
      this.#budget -= 1;
    }
  }

  /** Ends the watch; what is known stays. */
  close(): Promise<void> {
    return this.#replica.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #attempt(instance: Instance, path: string, init: RequestInit, timeoutMs: number): Promise<Response> {
    const done = this.#balancer.begin(instance);
    // The caller's signal also ends the body, which comes when the time limit is over.
    const call = (late: AbortSignal): Promise<Response> =>
      this.#fetch(`${instance.url}${path.startsWith("/") ? "" : "/"}${path}`, {
        ...init,
        signal: init.signal ? AbortSignal.any([init.signal, late]) : late,
      });
    try {
      const response = await within(this.#clock, timeoutMs, init.signal, call);
      done(response.status >= 500 ? "failure" : "success");
      return response;
    } catch (error) {
      done(init.signal?.aborted ? "aborted" : "failure");
      throw error;
    }
  }
}

/** All that an error says, its causes too. */
function words(error: unknown): string {
  const { name, message, code, cause, errors } = (error ?? {}) as Record<string, unknown>;
  const inner = [cause, ...(Array.isArray(errors) ? errors : [])].filter(Boolean);
  return [name, message, code, ...inner.map(words)].join(" ");
}
