// One gossip pool as an agent is in it: drives the machine of src/gossip over calls between agents. What that asks of its
// host is in src/gossip/DESIGN.md.
//
//   const pool = new Pool({ ...poolSettings(config, "lan"), peers, platform, timers, logs, module: "agent.server.serf", listener });
//   await pool.start();
//   // a call to pool.path comes in: answer with pool.handle(from, bytes)
//   await pool.leave(); await pool.stop();
import { decodeRequest, encodeAnswer } from "../codec/gossip-message.ts";
import { Gossip } from "../gossip/gossip.ts";
import type {
  Answer,
  Coordinate,
  GossipEffect,
  GossipInput,
  MemberEventKind,
  MemberStatus,
  MemberView,
  RejectReason,
  Tags,
} from "../gossip/types.ts";
import { MachineHost } from "../host/machine-host.ts";
import type { Timers } from "../host/timers.ts";
import type { Peers, Platform } from "../platform.ts";
import { OperationalError } from "../types/error.ts";
import type { UserMap } from "../types/records.ts";
import { Random, seedOf } from "../util/random.ts";
import { toUserMap } from "../util/user-map.ts";
import { RefusalLog } from "../rpc/refusal-log.ts";
import type { Logger, Logs } from "./logs.ts";
import { plainIp, resolveAddresses, splitHostPort } from "./pool-address.ts";
import { PoolCalls } from "./pool-calls.ts";
import { type PoolInstruments, poolInstruments } from "./pool-instruments.ts";
import type { Meter } from "../util/instrument.ts";
import { openRequest, sealAnswer } from "./pool-envelope.ts";
import { Joiner, type JoinResult } from "./pool-join.ts";
import type { PoolSettings } from "./pool-settings.ts";
import { type PoolMemory, PoolSnapshot } from "./pool-snapshot.ts";

/** A user event as the pool delivers it, once. */
export interface PoolEvent {
  /** Its Lamport time. */
  readonly time: number;
  readonly name: string;
  readonly payload: Uint8Array;
  readonly coalesce: boolean;
}

/** What a pool tells its agent. */
export interface PoolListener {
  /** This agent's own joining is among them. */
  member(event: MemberEventKind, member: MemberView): void;
  userEvent(event: PoolEvent): void;
  /** Most members know another agent by this one's name: this one must stop. */
  nameLost(address: string): void;
  /** `retry_join` has used up its attempts: Consul's agent then ends with exit code 1. */
  joinExhausted(): void;
  /** A bug: the pool has stopped. */
  failed(error: unknown): void;
}

/** What a pool is made with. */
export interface PoolOptions extends PoolSettings {
  readonly platform: Pick<Platform, "now" | "random" | "blobs" | "resolve">;
  /** The way to other agents. */
  readonly peers: Peers;
  readonly timers: Timers;
  readonly logs: Logs;
  readonly meter: Meter;
  /** The log's name without the pool: `agent.server.serf` or `agent.client.serf`. */
  readonly module: string;
  readonly listener: PoolListener;
}

/** Requests that wait for their answer, of all members together. */
const OPEN_REQUESTS_MAX = 1024;
const EVENT_WORDS: Record<MemberEventKind, string> = {
  join: "EventMemberJoin",
  leave: "EventMemberLeave",
  failed: "EventMemberFailed",
  update: "EventMemberUpdate",
  reap: "EventMemberReap",
};

interface Waiter {
  joined(result: JoinResult): void;
  done(): void;
  rejected(reason: RejectReason): void;
}

/** One pool. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #gossip: Gossip;
  readonly #host: MachineHost<GossipInput, GossipEffect>;
  readonly #log: Logger;
  readonly #joiner: Joiner;
  readonly #snapshot: PoolSnapshot;
  readonly #calls: PoolCalls;
  readonly #instruments: PoolInstruments;
  readonly #refusals: RefusalLog;
  /** Answers that are owed, by request. */
  readonly #open = new Map<number, (answer: Answer) => void>();
  /** The agent's own requests to the machine, by `ref`. */
  readonly #waiters = new Map<number, Waiter>();
  readonly #leavers: (() => void)[] = [];
  #lastId = 0;
  #isStarted = false;
  #isLeaving = false;
  /** Members of a former life, until somebody is found. */
  #remembered: PoolMemory["members"] = [];
  #times = { member: 0, event: 0 };

  constructor(options: PoolOptions) {
    const { kind, gossip, peers, platform, timers, logs, module, listener } = options;
    this.#options = options;
    this.#log = logs.logger(`${module}.${kind}`);
    const seed = seedOf(platform.random(4));
    this.#gossip = new Gossip({ ...gossip, seed });
    this.#host = new MachineHost({
      machine: this.#gossip,
      platform,
      timers,
      timeout: { type: "timeout" },
      perform: (effect) => this.#perform(effect),
      failed: (error) => {
        this.#log.error("gossip stopped: this is a bug", { error });
        this.#end();
        listener.failed(error);
      },
    });
    this.#instruments = poolInstruments(options.meter, kind);
    this.#refusals = new RefusalLog(
      () => platform.now(),
      (message, fields) => this.#log.warn(message, fields),
    );
    this.#calls = new PoolCalls({
      scope: options,
      path: this.path,
      self: gossip,
      peers,
      platform,
      log: this.#log,
      instruments: this.#instruments,
    });
    this.#joiner = new Joiner({
      kind,
      timers,
      random: new Random(seed + 1),
      agentLog: logs.logger("agent"),
      log: this.#log,
      join: (addresses) => this.join(addresses, true),
      isInCompany: () => this.#isInCompany,
    });
    this.#snapshot = new PoolSnapshot({
      blobs: platform.blobs,
      name: kind === "lan" ? "serf/local.snapshot" : "serf/remote.snapshot",
      timers,
      log: this.#log,
      memory: () => this.#memory(),
    });
  }

  /** The path of calls to this pool, at every member. */
  get path(): string {
    return `/gossip/1/${this.#options.kind}`;
  }

  /**
   * Takes part from now on, and looks for others: those of a former life and those of `retry_join`, without waiting for them.
   * @param tags what to say of itself, when that is more than the settings do.
   * @throws OperationalError when what a former life remembered cannot be read.
   */
  async start(tags?: Tags): Promise<void> {
    const { rejoinAfterLeave, retryJoin, gossip, listener } = this.#options;
    const memory = await this.#snapshot.load();
    if (this.#host.stopped) return;
    if (memory !== null && (!memory.hasLeft || rejoinAfterLeave)) {
      if (memory.hasLeft) this.#log.info("serf: Ignoring previous leave in snapshot");
      this.#remembered = memory.members.filter(({ name }) => name !== gossip.name);
    }
    this.#isStarted = true;
    if (memory === null) this.#dispatch({ type: "start" });
    else this.#dispatch({ type: "start", times: { member: memory.memberTime, event: memory.eventTime } });
    if (tags !== undefined) void this.setTags(tags);
    this.#snapshot.touch();
    void this.#joiner.rejoin(this.#remembered, gossip.timings.reconnectIntervalMs);
    void this.#joiner.retryJoin(retryJoin, () => listener.joinExhausted());
  }

  /** Answers a call of another member, from an IP address. Never rejects, whatever the bytes. */
  async handle(from: string, bytes: Uint8Array): Promise<Uint8Array> {
    this.#instruments.accept.add(1);
    const answer = sealAnswer(encodeAnswer(await this.#answer(from, bytes)));
    this.#instruments.sent.add(answer.length);
    return answer;
  }

  /** The event loop came so much too late: what others are held to have missed may be this agent's own doing. */
  loopDelay(ms: number): void {
    if (this.#isStarted && ms > this.#options.gossip.timings.stallMs) this.#dispatch({ type: "loop-delay", ms });
  }

  /**
   * Joins through any of these addresses: names are resolved, and ports added where there are none.
   * @throws OperationalError `shutting-down` when the pool is being left, or has ended.
   */
  async join(addresses: readonly string[], ignoreOld: boolean): Promise<JoinResult> {
    const { found, failures } = await resolveAddresses(addresses, this.#options);
    if (found.length === 0 && failures.length > 0) return { contacted: 0, failures };
    return new Promise((resolve, reject) => {
      this.#ask((ref) => ({ type: "join", ref, addresses: found, ignoreOld }), reject, {
        joined: (result) => resolve({ ...result, failures: [...failures, ...result.failures] }),
      });
    });
  }

  /** Takes a failed member for left, with `prune` forgets it at once. False: no member has that name. */
  forceLeave(name: string, prune: boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#ask((ref) => ({ type: "force-leave", ref, name, prune }), reject, {
        done: () => resolve(true),
        rejected: () => resolve(false),
      });
    });
  }

  /**
   * Sends an event to all members; it is delivered here too, before this returns.
   * @throws OperationalError `refused` when it is too large, `shutting-down` when the pool is being left.
   */
  fire(name: string, payload: Uint8Array, coalesce: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ask((ref) => ({ type: "user-event", ref, name, payload, coalesce }), reject, { done: resolve });
    });
  }

  /** Says this of itself from now on. @throws OperationalError as `fire` does. */
  setTags(tags: Tags): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ask((ref) => ({ type: "tags", ref, tags }), reject, { done: resolve });
    });
  }

  /** Leaves for good, and has the others know. Takes some seconds in company. `stop` comes after. */
  async leave(): Promise<void> {
    this.#joiner.stop();
    // Known to a next life even if this one does not get to the end of it.
    this.#isLeaving = true;
    void this.#snapshot.flush();
    if (this.#isStarted && !this.#host.stopped && !this.#gossip.hasLeft) {
      await new Promise<void>((resolve) => {
        this.#leavers.push(resolve);
        if (this.#leavers.length === 1) this.#dispatch({ type: "leave" });
      });
    }
    await this.#snapshot.flush();
  }

  /** Ends at once, without a word to the others. */
  async stop(): Promise<void> {
    this.#end();
    await this.#snapshot.flush();
    await this.#snapshot.stop();
  }

  // ----------------------------------------------------------------------------------------------------------- status

  /** This agent as the pool has it. */
  get self(): MemberView {
    return this.#gossip.self;
  }

  /** All known members of whatever status, sorted by name, this agent among them. */
  get members(): MemberView[] {
    return this.#gossip.members;
  }

  member(name: string): MemberView | null {
    return this.#gossip.member(name);
  }

  /** How many members have each status. */
  get counts(): Readonly<Record<MemberStatus, number>> {
    return this.#gossip.counts;
  }

  /** This agent's network coordinate; null when there are none. */
  get coordinate(): Coordinate | null {
    return this.#gossip.coordinate;
  }

  /** Another member's coordinate, as of its last answer to a probe from here. */
  coordinateOf(name: string): Coordinate | null {
    return this.#gossip.coordinateOf(name);
  }

  get hasLeft(): boolean {
    return this.#gossip.hasLeft;
  }

  /** The machine's own view, for metrics: health, queues, what was dropped. */
  get status(): Pick<Gossip, "healthScore" | "queueDepths" | "dropped" | "memberTime" | "eventTime"> {
    return this.#gossip;
  }

  /** A section of `info`: `serf_lan` or `serf_wan`. */
  statistics(isEncrypted: boolean): UserMap {
    const { counts, queueDepths, healthScore, memberTime, eventTime, coordinateResets } = this.#gossip;
    const rows = {
      coordinate_resets: coordinateResets,
      encrypted: isEncrypted,
      event_queue: queueDepths.events,
      event_time: eventTime,
      failed: counts.failed,
      health_score: healthScore,
      intent_queue: queueDepths.intents,
      left: counts.left,
      member_time: memberTime,
      members: counts.alive + counts.leaving + counts.left + counts.failed,
      // There are no queries (src/gossip/DESIGN.md).
      query_queue: 0,
      query_time: 1,
    };
    return toUserMap(Object.entries(rows).map(([key, value]) => [key, String(value)] as const));
  }

  // --------------------------------------------------------------------------------------------------------- requests

  #answer(from: string, bytes: Uint8Array): Answer | Promise<Answer> {
    const opened = openRequest(bytes, this.#options);
    if (typeof opened === "string") {
      this.#refusals.note(from, opened);
      return { type: "refused", reason: "vetoed", text: opened };
    }
    const message = opened === null ? null : decodeRequest(opened);
    if (message === null) return { type: "refused", reason: "malformed", text: "malformed request" };
    if (!this.#isStarted || this.#host.stopped)
      return { type: "refused", reason: "left", text: `'${this.#gossip.name}' takes no part` };
    if (this.#open.size >= OPEN_REQUESTS_MAX) return { type: "refused", reason: "left", text: "too many requests" };
    const isJoin = message.type === "push-pull" && message.join;
    return new Promise((resolve) => {
      this.#lastId += 1;
      this.#open.set(this.#lastId, (answer) => {
        if (isJoin && answer.type === "refused") this.#refusals.note(from, answer.text);
        resolve(answer);
      });
      this.#dispatch({ type: "request", id: this.#lastId, from: plainIp(from), message });
    });
  }

  /** Puts a request of the agent's own to the machine. */
  #ask(input: (ref: number) => GossipInput, reject: (error: OperationalError) => void, waiter: Partial<Waiter>): void {
    if (!this.#isStarted || this.#host.stopped) {
      reject(new OperationalError("shutting-down", "the agent takes no part in this pool"));
      return;
    }
    this.#lastId += 1;
    const ref = this.#lastId;
    this.#waiters.set(ref, {
      joined: () => {},
      done: () => {},
      rejected: (reason) => reject(rejection(reason, this.#options.gossip.limits)),
      ...waiter,
    });
    this.#dispatch(input(ref));
  }

  // ---------------------------------------------------------------------------------------------------------- effects

  #dispatch(input: GossipInput): void {
    this.#host.dispatch(input);
    const { memberTime, eventTime } = this.#gossip;
    if (memberTime === this.#times.member && eventTime === this.#times.event) return;
    this.#times = { member: memberTime, event: eventTime };
    this.#snapshot.touch();
  }

  #perform(effect: GossipEffect): void {
    const { listener } = this.#options;
    switch (effect.type) {
      case "call":
        void this.#call(effect);
        return;
      case "respond":
        this.#open.get(effect.id)?.(effect.message);
        this.#open.delete(effect.id);
        return;
      case "member":
        return this.#member(effect.event, effect.member);
      case "user-event":
        return listener.userEvent(effect);
      case "joined":
        return this.#joined(effect);
      case "done":
        this.#waiters.get(effect.ref)?.done();
        this.#waiters.delete(effect.ref);
        return;
      case "rejected":
        this.#waiters.get(effect.ref)?.rejected(effect.reason);
        this.#waiters.delete(effect.ref);
        return;
      case "left":
        for (const done of this.#leavers.splice(0)) done();
        return;
      case "name-conflict":
        this.#log.error(
          `serf: Node name conflict: '${effect.name}' is at ${effect.address} and ${effect.otherAddress}`,
        );
        return;
      case "name-lost":
        this.#log.error("serf: minority in name conflict resolution: this agent must stop", { other: effect.address });
        return listener.nameLost(effect.address);
    }
  }

  #member(event: MemberEventKind, member: MemberView): void {
    const host = event === "update" || event === "reap" ? "" : ` ${splitHostPort(member.address).host}`;
    this.#instruments.members[event].add(1);
    this.#log.info(`serf: ${EVENT_WORDS[event]}: ${member.name}${host}`);
    // Whoever is known from now on is known by the machine.
    if (this.#remembered.length > 0 && this.#isInCompany) this.#remembered = [];
    this.#snapshot.touch();
    this.#options.listener.member(event, member);
  }

  #joined({ ref, contacted, failures }: GossipEffect & { type: "joined" }): void {
    const waiter = this.#waiters.get(ref);
    this.#waiters.delete(ref);
    waiter?.joined({ contacted, failures: this.#calls.explain(failures) });
  }

  async #call(effect: GossipEffect & { type: "call" }): Promise<void> {
    this.#dispatch(await this.#calls.call(effect));
  }

  get #isInCompany(): boolean {
    const { alive, leaving } = this.#gossip.counts;
    return alive + leaving > 1;
  }

  #memory(): PoolMemory {
    const { name, members, memberTime, eventTime } = this.#gossip;
    const known = members
      .filter((member) => member.name !== name && member.status !== "left" && member.address !== "")
      .map((member) => ({ name: member.name, address: member.address, isAlive: member.status !== "failed" }));
    const names = new Set(members.map((member) => member.name));
    const remembered = this.#remembered.filter((member) => !names.has(member.name));
    return { members: [...known, ...remembered], memberTime, eventTime, hasLeft: this.#isLeaving };
  }

  /** Nobody waits for anything any more. */
  #end(): void {
    this.#joiner.stop();
    this.#host.stop();
    for (const answer of this.#open.values())
      answer({ type: "refused", reason: "left", text: `'${this.#gossip.name}' takes no part` });
    this.#open.clear();
    for (const waiter of this.#waiters.values()) waiter.rejected("leaving");
    this.#waiters.clear();
    for (const done of this.#leavers.splice(0)) done();
  }
}

function rejection(reason: RejectReason, limits: { userEventBytes: number }): OperationalError {
  switch (reason) {
    case "leaving":
      return new OperationalError("shutting-down", "the agent is leaving the pool, or has left it");
    case "too-large":
      return new OperationalError("refused", `user event exceeds the limit of ${limits.userEventBytes} bytes`);
    case "unknown-member":
      return new OperationalError("refused", "no member of that name");
  }
}
