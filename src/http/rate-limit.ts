// `limits.request_limits`: how many reads and writes a second the servers take from all clients together, and
// `limits.rpc_rate`: how many requests a client agent passes on to servers
// (https://developer.hashicorp.com/consul/docs/manage/rate-limit). Bursts of ten seconds' worth go through.
import type { AgentConfig } from "../config/agent-config.ts";
import type { Logger } from "../agent/logs.ts";
import { TokenBucket } from "../util/token-bucket.ts";
import { type Reply, textReply } from "./reply.ts";

const BURST_SECONDS = 10;
/** What the agent answers itself, and what tells whether there is a leader, is never limited. */
const EXEMPT = /^\/v1\/(?:agent|status)\//;
/** At most one line in the log for each of these many milliseconds. */
const LOG_INTERVAL_MS = 1000;

interface Limit {
  readonly bucket: TokenBucket;
  readonly reply: Reply;
}

export class RateLimit {
  readonly #read: Limit | null;
  readonly #write: Limit | null;
  readonly #enforcing: boolean;
  readonly #now: () => number;
  readonly #log: Logger;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  private constructor(read: Limit | null, write: Limit | null, enforcing: boolean, now: () => number, log: Logger) {
    this.#read = read;
    this.#write = write;
    this.#enforcing = enforcing;
    this.#now = now;
    this.#log = log;
  }

  /** The limit that the configuration sets, or null. */
  static of({ server, limits }: AgentConfig, now: () => number, log: Logger): RateLimit | null {
    const limit = (rate: number, burst: number, reply: Reply): Limit | null =>
      Number.isFinite(rate) ? { bucket: new TokenBucket(rate, burst, now()), reply } : null;
    if (!server) {
      const both = limit(limits.rpcRate, limits.rpcMaxBurst, CLIENT);
      return both === null ? null : new RateLimit(both, both, true, now, log);
    }
    const { mode, readRate, writeRate } = limits.requestLimits;
    const read = limit(readRate, readRate * BURST_SECONDS, ANY_SERVER);
    const write = limit(writeRate, writeRate * BURST_SECONDS, LEADER_ONLY);
    if (mode === "disabled" || (read === null && write === null)) return null;
    return new RateLimit(read, write, mode === "enforcing", now, log);
  }

  /** The answer to a request that is one too many, or null. */
  refusal(method: string, path: string): Reply | null {
    if (EXEMPT.test(path)) return null;
    const limit = method === "GET" ? this.#read : this.#write;
    if (limit === null || limit.bucket.take(this.#now())) return null;
    this.#tell(method, path);
    return this.#enforcing ? limit.reply : null;
  }

  #tell(method: string, path: string): void {
    const now = this.#now();
    if (now - this.#loggedAtMs < LOG_INTERVAL_MS) return;
    this.#loggedAtMs = now;
    this.#log.warn("rate limit exceeded", { method, path, enforced: this.#enforcing });
  }
}

const CLIENT = textReply(429, "RPC rate limit exceeded");
const ANY_SERVER = textReply(429, "rate limit exceeded, try again later or against a different server");
const LEADER_ONLY = textReply(
  503,
  "rate limit exceeded for operation that can only be performed by the leader, try again later",
);
