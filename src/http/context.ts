// One request on its way through a handler: what was asked, and the few things handlers do with it. Errors are thrown as
// `OperationalError` and rendered once, in `app.ts`.
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Answer, Consistency, QueryOptions } from "../rpc/authority.ts";
import { OperationalError } from "../types/error.ts";
import { parseDuration } from "../util/duration.ts";
import { type Decoder, decode } from "../util/decode.ts";
import { parseJsonBody, stringifyJson } from "../util/json.ts";
import { text } from "../util/bytes.ts";
import type { Agent } from "../agent/agent.ts";
import type { QueryString } from "./query-string.ts";
import { HttpError } from "./errors.ts";
import { asIs, type Encoding } from "./json-encoding.ts";
import { jsonReply, type Reply } from "./reply.ts";
import type { HttpRequest } from "./request.ts";

const NANOSECONDS_PER_MS = 1e6;
const LAST_CONTACT = "X-Consul-Lastcontact";
/** What a JSON body may have at most, where a route sets no limit of its own. */
const BODY_BYTES_MAX = 512 * 1024;

export class Context {
  readonly agent: Agent;
  readonly request: HttpRequest;
  readonly query: QueryString;
  /** The rest of the path after a row's `/*`, percent-decoded; "" for other rows. */
  readonly tail: string;
  /** Set by a read whose reply may be given again to the same target: the app keeps it. */
  kept: Answer<unknown> | null = null;

  constructor(agent: Agent, request: HttpRequest, query: QueryString, tail: string) {
    this.agent = agent;
    this.request = request;
    this.query = query;
    this.tail = tail;
  }

  /** The datacenter asked for: `?datacenter=` before `?dc=`; "" for the agent's own. */
  get datacenter(): string {
    return this.query.text === "" ? "" : (this.query.get("datacenter") ?? this.query.get("dc") ?? "");
  }

  get pretty(): boolean {
    return this.agent.config.dev || (this.query.text !== "" && this.query.has("pretty"));
  }

  /** The tail, which must not be empty. @throws OperationalError with Consul's text, such as `Missing node name`. */
  requireTail(missing: string): string {
    if (this.tail === "") throw new OperationalError("invalid-request", missing);
    return this.tail;
  }

  /** The whole body. @throws OperationalError `payload-too-large`. */
  body(limitBytes: number): Promise<Uint8Array> {
    return this.request.body(limitBytes);
  }

  /**
   * The body as JSON, whatever its content type says, decoded as Go would.
   * @throws OperationalError `invalid-request`, the message beginning with `failed` and going on in the decoder's words.
   */
  async json<T>(
    decoder: Decoder<T>,
    failed = "Request decode failed",
    limitBytes: number = BODY_BYTES_MAX,
  ): Promise<T> {
    const bytes = await this.request.body(limitBytes);
    try {
      return decode(decoder, parseJsonBody(text(bytes)));
    } catch (error) {
      throw new OperationalError("invalid-request", `${failed}: ${(error as Error).message}`);
    }
  }

  /** The same, but an empty body is an absent value rather than an error. */
  async optionalJson<T>(
    decoder: Decoder<T>,
    failed = "Request decode failed",
    limitBytes: number = BODY_BYTES_MAX,
  ): Promise<T> {
    const bytes = await this.request.body(limitBytes);
    try {
      return decode(decoder, bytes.length === 0 ? undefined : parseJsonBody(text(bytes)));
    } catch (error) {
      throw new OperationalError("invalid-request", `${failed}: ${(error as Error).message}`);
    }
  }

  /** A JSON reply that is not a read of replicated state. */
  reply(value: unknown, status = 200): Reply {
    return jsonReply(stringifyJson(value, this.pretty), [], status);
  }

  /** Runs a query endpoint and replies with its value. A reply is encoded once per answer and form, and shared. */
  read<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    encoding: Encoding<R>,
    options: ReadOptions = {},
  ): Reply | Promise<Reply> {
    return this.readFrom((asked) => this.agent.route.query(endpoint, args, asked, this.datacenter), encoding, options);
  }

  /** The same with a read that takes more than one endpoint. */
  readFrom<R>(
    ask: (options: QueryOptions) => Answer<R> | Promise<Answer<R>>,
    encoding: Encoding<R>,
    options: ReadOptions = {},
  ): Reply | Promise<Reply> {
    const queryOptions = this.queryOptions();
    try {
      const answer = ask(queryOptions);
      if (answer instanceof Promise)
        return answer.then((late) => this.#encoded(late, encoding, queryOptions.consistency, options), refusedRead);
      return this.#encoded(answer, encoding, queryOptions.consistency, options);
    } catch (error) {
      return refusedRead(error);
    }
  }

  /** Runs a query endpoint and replies with its value as JSON. */
  readJson<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: ReadOptions = {}): Reply | Promise<Reply> {
    return this.read(endpoint, args, asIs(this.pretty), options);
  }

  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    return this.agent.route.command(endpoint, args, this.datacenter);
  }

  /** The same in the datacenter that the body names, if it names one. */
  commandIn<A, R>(datacenter: string, endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    return this.agent.route.command(endpoint, args, datacenter === "" ? this.datacenter : datacenter);
  }

  /** `index`, `wait` and the consistency mode. @throws OperationalError with Consul's texts. */
  queryOptions(): QueryOptions {
    const { query } = this;
    if (query.text === "" && this.#discoveryMaxStaleMs === 0) return this.agent.defaultQuery;
    const { consistency, ...bound } = this.#consistency();
    const index = parseIndex(query.get("index"));
    const waitMs = this.#waitMs(query.get("wait"));
    return index === 0
      ? { consistency, index, waitMs, ...bound }
      : { consistency, index, waitMs, ...bound, onGone: (gone) => this.request.onGone(gone) };
  }

  /** `wait` of a list whose index is any 64-bit number. @throws OperationalError with Consul's texts. */
  eventWait(index: string): { waitMs: number } {
    if (index !== "" && !/^\d{1,20}$/.test(index)) throw new OperationalError("invalid-request", "Invalid index");
    return { waitMs: this.#waitMs(this.query.get("wait")) };
  }

  /** `discovery_max_stale`, where it counts; 0 elsewhere. */
  get #discoveryMaxStaleMs(): number {
    const { discoveryMaxStaleMs } = this.agent.config;
    if (discoveryMaxStaleMs <= 0) return 0;
    const { target } = this.request;
    return target.startsWith("/v1/catalog") || target.startsWith("/v1/health") ? discoveryMaxStaleMs : 0;
  }

  #consistency(): Pick<QueryOptions, "consistency" | "maxStaleMs"> {
    const { query } = this;
    const stale = query.has("stale");
    const consistent = query.has("consistent");
    if (stale && consistent)
      throw new OperationalError("invalid-request", "Cannot specify ?stale with ?consistent, conflicting semantics.");
    if (consistent && query.has("cached"))
      throw new OperationalError("invalid-request", "Cannot specify ?cached with ?consistent, conflicting semantics.");
    const maxStaleMs = maxStale(query.get("max_stale"));
    if (consistent) return { consistency: "consistent" };
    if (maxStaleMs > 0) return { consistency: "stale", maxStaleMs };
    if (stale) return { consistency: "stale" };
    const discovery = this.#discoveryMaxStaleMs;
    return discovery > 0 ? { consistency: "stale", maxStaleMs: discovery } : { consistency: "default" };
  }

  #waitMs(wait: string | null): number {
    const { defaultQueryTimeMs: defaultWaitMs, maxQueryTimeMs: maxWaitMs } = this.agent.config;
    if (wait === null || wait === "") return defaultWaitMs;
    let ms: number;
    try {
      ms = parseDuration(wait) / NANOSECONDS_PER_MS;
    } catch {
      throw new OperationalError("invalid-request", "Invalid wait time");
    }
    if (ms <= 0) return defaultWaitMs;
    return Math.min(ms, maxWaitMs);
  }

  #encoded<R>(answer: Answer<R>, encoding: Encoding<R>, asked: Consistency, options: ReadOptions): Reply {
    const consistency = answer.consistency ?? asked;
    const effective = options.effectiveConsistency ?? false;
    if (!answer.knownLeader || options.shared === false)
      return encoding.encode(answer.shared.read.value, answerHeaders(answer, consistency, effective));
    const form = `${encoding.form}:${consistency === "default" ? "" : consistency}:${effective ? "e" : ""}`;
    const { encodings } = answer.shared;
    // What the leader itself would say has a last contact of 0, always: only then can whole replies be shared.
    if (answer.lastContactMs !== 0) {
      const aged = `${form}:aged`;
      const before = encodings.get(aged) as Reply | undefined;
      const now =
        before === undefined
          ? encoding.encode(answer.shared.read.value, answerHeaders(answer, consistency, effective))
          : agedReply(before, String(Math.round(answer.lastContactMs)));
      if (now !== before) encodings.set(aged, now);
      return now;
    }
    let reply = encodings.get(form) as Reply | undefined;
    const isHit = reply !== undefined;
    if (reply === undefined) {
      reply = encoding.encode(answer.shared.read.value, answerHeaders(answer, consistency, effective));
      encodings.set(form, reply);
    }
    if (effective && this.query.text !== "" && this.query.has("cached")) return cachedReply(reply, isHit);
    // Kept replies are given on the leader's lease, which a consistent read must not trust.
    if (consistency !== "consistent" || this.agent.route.alone) this.kept = answer;
    return reply;
  }
}

/**
 * A reply to `?cached`. Answers are kept only while they are what the servers would say, so a hit is never older than
 * nothing: its age is 0, and `Cache-Control` has nothing to forbid.
 */
function cachedReply(reply: Reply, isHit: boolean): Reply {
  const headers = isHit ? ["X-Cache", "HIT", "Age", "0"] : ["X-Cache", "MISS"];
  return { ...reply, headers: [...reply.headers, ...headers] };
}

/** The same reply with another last contact; the very same within a millisecond. */
function agedReply(reply: Reply, lastContact: string): Reply {
  const at = reply.headers.indexOf(LAST_CONTACT) + 1;
  if (reply.headers[at] === lastContact) return reply;
  const headers = reply.headers.slice();
  headers[at] = lastContact;
  return { ...reply, headers };
}

/** A read that its endpoint refuses (a bad filter, an unknown query) still has the headers of a read, all of them zero. */
function refusedRead(error: unknown): never {
  if (error instanceof OperationalError && (error.code === "refused" || error.code === "not-found"))
    throw new HttpError(error, ["X-Consul-Index", "1", "X-Consul-Knownleader", "false", "X-Consul-Lastcontact", "0"]);
  throw error;
}

export interface ReadOptions {
  /** Catalog, health and prepared queries say which consistency they had. */
  readonly effectiveConsistency?: boolean;
  /** False when every answer is made anew, even from the same value. */
  readonly shared?: boolean;
}

/** The headers that every read of replicated state carries (wire rules W2, W5 and W16). */
function answerHeaders(answer: Answer<unknown>, consistency: Consistency, effective: boolean): string[] {
  const headers = [
    "X-Consul-Index",
    String(answer.index),
    "X-Consul-Knownleader",
    answer.knownLeader ? "true" : "false",
    LAST_CONTACT,
    String(Math.round(answer.lastContactMs)),
    "X-Consul-Query-Backend",
    "blocking-query",
  ];
  if (effective) headers.push("X-Consul-Effective-Consistency", consistency === "default" ? "leader" : consistency);
  return headers;
}

/** Milliseconds; 0 when absent. @throws OperationalError with Consul's text. */
function maxStale(value: string | null): number {
  if (value === null || value === "") return 0;
  try {
    return parseDuration(value) / NANOSECONDS_PER_MS;
  } catch {
    throw new OperationalError("invalid-request", `Invalid max_stale value ${JSON.stringify(value)}`);
  }
}

/** An index as clients send it; beyond 2^53 it is larger than any index there will be. */
function parseIndex(value: string | null): number {
  if (value === null || value === "") return 0;
  if (!/^\d{1,20}$/.test(value)) throw new OperationalError("invalid-request", "Invalid index");
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}
