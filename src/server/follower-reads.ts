// Default and consistent reads at a server that does not lead (thesis §6.4). It asks the leader for a read index, waits until
// it has applied that, and answers from its own store, so that a follower's readers cost the leader one small call for many
// of them. The leader answers out of its lease for `default`, and after a round to a quorum for `consistent`: both are
// linearizable. Blocking queries wait on the watches here, and ask anew when they wake.
//
// The index is asked for by a call and not by the machine's own message: a call has its answer by itself, so that none to an
// earlier attempt can pass for it (etcd #20418), and it takes two messages less.
import { decode, encode } from "../codec/value.ts";
import type { QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Timer, Timers } from "../host/timers.ts";
import { type Answer, asReplaced, type QueryOptions, type SharedRead } from "../rpc/authority.ts";
import { CALL_PATH, callQuery } from "../rpc/call.ts";
import type { Peer, PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import { OperationalError } from "../types/error.ts";
import type { Blocking } from "./blocking.ts";

/** The path by which a server asks the leader for a read index. */
const READ_INDEX_PATH = "/rpc/1/read-index";

/** A call that hangs holds up the reads behind it; they are asked again by the door of requests. */
const CALL_TIMEOUT_MAX_MS = 1000;
/** How long a read waits until its index is applied here; then the leader answers it. */
const CATCH_UP_MS = 250;
/** Without a leader for this many election timeouts who waits here is sent back to the door, which holds him for a while. */
const LEADERLESS_TIMEOUTS = 4;

interface ReadIndexCall {
  /** Also true when clocks lie. */
  consistent: boolean;
}

/** What these reads need of the server. */
export interface FollowerReadsHost {
  readonly timers: Timers;
  readonly client: PeerClient;
  readonly blocking: Blocking;
  readonly electionTimeoutMs: number;
  leaderPeer(): Peer | null;
  /** The log index applied last. */
  appliedIndex(): number;
  /** As the leader: an index that makes a read linearizable once it is applied. @throws OperationalError `not-leader`. */
  readIndex(consistent: boolean): number | Promise<number>;
}

/** The reads of one server that it answers as a follower. */
export class FollowerReads {
  readonly #host: FollowerReadsHost;
  readonly #indexes: { default: ReadIndexes; consistent: ReadIndexes };
  readonly #applied = new AppliedWaiters();
  /** What is under way at the leader, to be given up when another leads. */
  readonly #forwarded = new Set<(error: OperationalError) => void>();
  #leaderless: Timer | null = null;
  #stopped = false;

  constructor(host: FollowerReadsHost) {
    this.#host = host;
    const reached = (index: number): boolean | Promise<boolean> =>
      host.appliedIndex() >= index || this.#applied.until(index, host.timers);
    this.#indexes = {
      default: new ReadIndexes(host, false, reached),
      consistent: new ReadIndexes(host, true, reached),
    };
  }

  /** Takes the other servers' questions. */
  serve(door: PeerDoor): void {
    door.serve(READ_INDEX_PATH, async (_from, body) => {
      const { consistent } = decode(body) as ReadIndexCall;
      return encode(await this.#host.readIndex(consistent === true));
    });
  }

  /**
   * Answers linearizably.
   * @throws OperationalError `no-leader` or `not-leader`, or what calls throw: the read may be asked again.
   */
  async query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Promise<Answer<R>> {
    let isReplaced = false;
    for (let asked = options; ; asked = { ...options, index: 0 }) {
      const indexes = this.#indexes[options.consistency === "consistent" ? "consistent" : "default"];
      if (!(await indexes.reached())) {
        const answer = await this.#atLeader(endpoint, args, asked);
        return isReplaced ? { ...answer, shared: asReplaced(answer.shared) } : answer;
      }
      const shared = this.#host.blocking.query(endpoint, args, asked);
      if (!(shared instanceof Promise)) return confirmed(isReplaced ? asReplaced(shared) : shared);
      const late = await shared;
      if (this.#stopped) return confirmed(late);
      isReplaced = late.replaced === true;
      // Time has passed: what woke it may be old news elsewhere.
    }
  }

  /**
   * True once this store holds all that was acknowledged before the call; false when it lags.
   * @throws OperationalError as `query`.
   */
  isCurrent(): Promise<boolean> {
    return this.#indexes.consistent.reached();
  }

  /** An entry, or a snapshot, was applied. */
  applied(index: number): void {
    if (index >= this.#applied.lowest) this.#applied.tell(index);
  }

  /**
   * Who leads has changed.
   * @param isKnown somebody leads, perhaps this server.
   */
  leaderChanged(isKnown: boolean): void {
    const { timers, electionTimeoutMs, blocking } = this.#host;
    const error = new OperationalError("not-leader", "leadership changed while a read was under way");
    this.#indexes.default.fail(error);
    this.#indexes.consistent.fail(error);
    for (const fail of this.#forwarded) fail(error);
    this.#forwarded.clear();
    timers.cancel(this.#leaderless);
    this.#leaderless = isKnown ? null : timers.after(LEADERLESS_TIMEOUTS * electionTimeoutMs, () => blocking.abandon());
  }

  /** Whoever waits is answered with what there is. */
  stop(): void {
    this.#stopped = true;
    this.#host.timers.cancel(this.#leaderless);
    this.#leaderless = null;
  }

  /** This store lags behind: the leader answers from its own. */
  async #atLeader<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Promise<Answer<R>> {
    const { client } = this.#host;
    const leaderPeer = this.#host.leaderPeer();
    if (leaderPeer === null) throw new OperationalError("no-leader", "No cluster leader");
    let fail: (error: OperationalError) => void = () => {};
    const lost = new Promise<never>((_resolve, reject) => {
      fail = reject;
      this.#forwarded.add(fail);
    });
    try {
      return await Promise.race([
        callQuery({ client, peer: leaderPeer, path: CALL_PATH, holdMs: 0 }, endpoint, args, options),
        lost,
      ]);
    } finally {
      this.#forwarded.delete(fail);
    }
  }
}

/** An answer that is as good as the leader's own. */
function confirmed<R>(shared: SharedRead<R>): Answer<R> {
  return { shared, index: Math.max(1, shared.read.index), knownLeader: true, lastContactMs: 0 };
}

/** Readers that share one call: told whether this store holds all that was acknowledged before the call was sent. */
interface Batch {
  readonly promise: Promise<boolean>;
  resolve(isReached: boolean | Promise<boolean>): void;
  reject(error: unknown): void;
}

function newBatch(): Batch {
  let resolve: Batch["resolve"] = () => {};
  let reject: Batch["reject"] = () => {};
  const promise = new Promise<boolean>((onReached, onError) => {
    resolve = onReached;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** Read indexes of one kind: one call under way, for all who came before it was sent; who comes later waits for the next. */
class ReadIndexes {
  readonly #host: FollowerReadsHost;
  readonly #call: Uint8Array;
  readonly #reached: (index: number) => boolean | Promise<boolean>;
  #waiting: Batch | null = null;
  #underWay: Batch | null = null;

  /** @param reached whether an index is applied here, once that is known. */
  constructor(host: FollowerReadsHost, consistent: boolean, reached: (index: number) => boolean | Promise<boolean>) {
    this.#host = host;
    const call: ReadIndexCall = { consistent };
    this.#call = encode(call);
    this.#reached = reached;
  }

  /**
   * True once this store holds all that was acknowledged before this call; false when it lags too far behind.
   * @throws OperationalError when the leader cannot be asked.
   */
  reached(): Promise<boolean> {
    if (this.#waiting !== null) return this.#waiting.promise;
    const batch = newBatch();
    this.#waiting = batch;
    if (this.#underWay === null) void Promise.resolve().then(() => this.#send());
    return batch.promise;
  }

  /** Gives up what is under way, whatever its answer will be, and what waits. */
  fail(error: OperationalError): void {
    const [underWay, waiting] = [this.#underWay, this.#waiting];
    this.#underWay = null;
    this.#waiting = null;
    underWay?.reject(error);
    waiting?.reject(error);
  }

  async #send(): Promise<void> {
    const batch = this.#waiting;
    if (batch === null || this.#underWay !== null) return;
    this.#waiting = null;
    this.#underWay = batch;
    try {
      const { client, electionTimeoutMs } = this.#host;
      const leaderPeer = this.#host.leaderPeer();
      if (leaderPeer === null) throw new OperationalError("no-leader", "No cluster leader");
      const timeoutMs = Math.min(CALL_TIMEOUT_MAX_MS, electionTimeoutMs);
      const index = decode(await client.call(leaderPeer, READ_INDEX_PATH, this.#call, timeoutMs)) as number;
      batch.resolve(this.#reached(index));
    } catch (error) {
      batch.reject(error);
    }
    // Another chain may have begun when this one was given up.
    if (this.#underWay !== batch) return;
    this.#underWay = null;
    void this.#send();
  }
}

/** Who waits until an index is applied. */
class AppliedWaiters {
  #waiting: { index: number; done(isApplied: boolean): void }[] = [];
  /** The lowest index that somebody waits for. */
  lowest: number = Number.POSITIVE_INFINITY;

  /** True once it is applied; false when that takes too long. */
  until(index: number, timers: Timers): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter = {
        index,
        done: (isApplied: boolean): void => {
          timers.cancel(timer);
          resolve(isApplied);
        },
      };
      const timer = timers.after(CATCH_UP_MS, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        this.#settle();
        resolve(false);
      });
      this.#waiting.push(waiter);
      this.lowest = Math.min(this.lowest, index);
    });
  }

  tell(index: number): void {
    const done = this.#waiting.filter((waiter) => waiter.index <= index);
    this.#waiting = this.#waiting.filter((waiter) => waiter.index > index);
    this.#settle();
    for (const waiter of done) waiter.done(true);
  }

  #settle(): void {
    this.lowest = Number.POSITIVE_INFINITY;
    for (const { index } of this.#waiting) this.lowest = Math.min(this.lowest, index);
  }
}
