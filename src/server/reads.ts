// How a server answers queries: as its store is for `stale`; as the leader out of its lease, or after asking a quorum
// whether it still leads (thesis §6.4); and as a follower by follower-reads.ts. Whatever waited is looked at again before it
// is given out: another server may lead by then.
import type { QueryEndpoint } from "../endpoint/endpoint.ts";
import { type Answer, asReplaced, type QueryOptions, type SharedRead } from "../rpc/authority.ts";
import type { PeerDoor } from "../rpc/peer-door.ts";
import { OperationalError } from "../types/error.ts";
import type { Consensus } from "./consensus.ts";
import { FollowerReads, type FollowerReadsHost } from "./follower-reads.ts";

/** What Consul says of a leader that was never heard: the longest time that Go knows. */
const NEVER_MS = 9_223_372_036_854;

/** What reads need of the server. */
export interface ReadsHost extends Omit<FollowerReadsHost, "leaderPeer" | "appliedIndex" | "readIndex"> {
  readonly server: {
    /** It leads, and everything before its term is applied. */
    readonly leading: boolean;
    readonly readable: boolean;
    /** What is done here now is linearizable. */
    readonly sure: boolean;
    readonly leader: string | null;
    readonly leaderPeer: ReturnType<FollowerReadsHost["leaderPeer"]>;
    readonly appliedIndex: number;
    untilChange(timeoutMs: number): Promise<void>;
  };
  /** Monotonic milliseconds. */
  now(): number;
  /** @throws OperationalError `no-leader` before the start. */
  consensus(): Consensus;
}

/** The reads of one server. */
export class Reads {
  readonly #host: ReadsHost;
  readonly #follower: FollowerReads;
  #stopped = false;

  constructor(host: ReadsHost) {
    this.#host = host;
    const { server, timers, client, blocking, electionTimeoutMs } = host;
    this.#follower = new FollowerReads({
      timers,
      client,
      blocking,
      electionTimeoutMs,
      leaderPeer: () => server.leaderPeer,
      appliedIndex: () => server.appliedIndex,
      readIndex: (consistent) => this.#readIndex(consistent),
    });
  }

  /** Takes the other servers' questions. */
  serve(door: PeerDoor): void {
    this.#follower.serve(door);
  }

  /** An entry, or a snapshot, was applied: for every one of them, so it costs next to nothing. */
  applied(index: number): void {
    this.#follower.applied(index);
  }

  /** @param isKnown somebody leads, perhaps this server. */
  leaderChanged(isKnown: boolean): void {
    this.#follower.leaderChanged(isKnown);
  }

  /** Whatever waits is answered with what there is. */
  stop(): void {
    this.#stopped = true;
    this.#follower.stop();
  }

  /** @throws OperationalError as `Authority.query`. */
  query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Answer<R> | Promise<Answer<R>> {
    const { server, blocking } = this.#host;
    const isStale = options.consistency === "stale";
    if (!isStale && !server.leading) return this.#follower.query(endpoint, args, options);
    if (!isStale && (options.consistency === "consistent" || !server.sure))
      return this.#consistent(endpoint, args, options);
    const shared = blocking.query(endpoint, args, options);
    if (!(shared instanceof Promise)) return this.#answer(shared);
    return shared.then((late) =>
      isStale || this.#stopped || server.readable ? this.#answer(late) : this.#again(endpoint, args, late),
    );
  }

  /**
   * Does something once a quorum has said that this server leads still.
   * @throws OperationalError `not-leader` or `no-leader` when it does not; nothing has been done then.
   */
  async confirmed<T>(request: () => T | Promise<T>): Promise<T> {
    const { server, consensus } = this.#host;
    if (!server.leading) throw notLeader();
    // On a leader everything committed is applied in the same turn, so the confirmed index is always there already.
    await consensus().readIndex();
    return request();
  }

  /** True once the store here holds all that was acknowledged before the call; false when that is not known in time. */
  async untilCurrent(timeoutMs: number): Promise<boolean> {
    const { server, now } = this.#host;
    const until = now() + timeoutMs;
    for (;;) {
      if (server.readable) return true;
      try {
        if (server.leading) {
          await this.confirmed(() => {});
          return true;
        }
        if (server.leaderPeer !== null && (await this.#follower.isCurrent())) return true;
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
      }
      const leftMs = until - now();
      if (leftMs <= 0) return false;
      await server.untilChange(Math.min(leftMs, CURRENT_POLL_MS));
    }
  }

  async #consistent<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Promise<Answer<R>> {
    const shared = await this.confirmed(() => this.#host.blocking.query(endpoint, args, options));
    if (options.index === 0 || this.#stopped || this.#host.server.readable) return this.#answer(shared);
    return this.#again(endpoint, args, shared);
  }

  /** The answer as of now, after a wait. */
  async #again<A, R>(endpoint: QueryEndpoint<A, R>, args: A, { replaced }: SharedRead<R>): Promise<Answer<R>> {
    const answer = await this.#consistent(endpoint, args, { consistency: "consistent", index: 0, waitMs: 0 });
    return replaced === true ? { ...answer, shared: asReplaced(answer.shared) } : answer;
  }

  /** The log index that a read of another server must wait for. */
  #readIndex(consistent: boolean): number | Promise<number> {
    const { server, consensus } = this.#host;
    if (!server.leading) throw notLeader();
    // The asker is about to wait until it has heard of this very commit.
    consensus().notice();
    return !consistent && server.readable ? server.appliedIndex : consensus().readIndex();
  }

  #answer<R>(shared: SharedRead<R>): Answer<R> {
    const { server, consensus, now } = this.#host;
    return {
      shared,
      index: Math.max(1, shared.read.index),
      knownLeader: server.leader !== null,
      lastContactMs: server.leading ? 0 : Math.min(NEVER_MS, consensus().raft.lastContact(now())),
    };
  }
}

/** How long to wait before the leader is asked again. */
const CURRENT_POLL_MS = 10;

const notLeader = (): OperationalError => new OperationalError("not-leader", "node is not the leader");
