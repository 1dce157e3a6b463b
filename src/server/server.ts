// A server of a datacenter: the replicated store behind its log, what a leader does, and the answers to queries and
// commands. The way of a write: `command` → the endpoint's `prepare` → the log → `#apply` → the store's result and
// changes → whoever waits.
import { decode, encode } from "../codec/value.ts";
import type { CommandEndpoint, PrepareContext, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Timers } from "../host/timers.ts";
import type { LoadedLog, Platform } from "../platform.ts";
import { reconcileLog } from "../raft/options.ts";
import { findServer } from "../raft/configuration.ts";
import type { Raft } from "../raft/raft.ts";
import type { Configuration, ConfigurationChange, Entry, Role, SnapshotPoint } from "../raft/types.ts";
import type { Answer, Authority, QueryOptions, SharedRead } from "../rpc/authority.ts";
import type { Peer, PeerDoor } from "../rpc/peer-door.ts";
import type { Change } from "../state/change.ts";
import type { Command, CommandResult } from "../state/command.ts";
import { StateStore } from "../state/store.ts";
import { Watches } from "../state/watch.ts";
import { OperationalError } from "../types/error.ts";
import type { Session } from "../types/records.ts";
import { assert } from "../util/assert.ts";
import { uuid } from "../util/bytes.ts";
import { nsPerMs } from "../util/duration.ts";
import type { Sample } from "../util/instrument.ts";
import { Random } from "../util/random.ts";
import { Blocking, type BlockingHost } from "./blocking.ts";
import type { HealthThresholds } from "./autopilot.ts";
import { ChangeSignal } from "../rpc/change-signal.ts";
import { Consensus } from "./consensus.ts";
import { Group } from "./group.ts";
import { ServerInstruments } from "./instruments.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Pending } from "./pending.ts";
import { ReadCache } from "./read-cache.ts";
import { Replication } from "./replication.ts";
import { type LoggedCommand, type Restore, Restores } from "./restores.ts";
import type { ServerOptions } from "./server-options.ts";
import { SnapshotTaker } from "./snapshot-taker.ts";
import { encodeSnapshot, loadSnapshot } from "./snapshots.ts";

const SHARED_ANSWERS_MAX = 16_384;
/** What Consul says of a leader that was never heard: the longest time that Go knows. */
const NEVER_MS = 9_223_372_036_854;
/** How often it is looked whether what was confirmed is applied. */
const CURRENT_POLL_MS = 10;
const NOTHING = new Uint8Array(0);

export class Server implements Authority, BlockingHost, PrepareContext {
  readonly timers: Timers;
  readonly random: Random;
  readonly watches: Watches = new Watches();
  readonly cache: ReadCache = new ReadCache(this.watches, SHARED_ANSWERS_MAX);
  readonly datacenter: string;
  readonly sessionTtlMinMs: number;
  readonly group: Group;
  readonly #options: ServerOptions;
  readonly #platform: Platform;
  readonly #instruments: ServerInstruments;
  readonly #blocking: Blocking = new Blocking(this);
  readonly #duties: LeaderDuties;
  /** Tells when who leads may have changed. */
  readonly #leadership: ChangeSignal;
  readonly #replication: Replication;
  readonly #snapshots: SnapshotTaker;
  readonly #restores = new Restores();
  #consensus: Consensus | null = null;
  #state = new StateStore();
  /** The store's index less the log's: a state restored from elsewhere may be ahead of this log. */
  #indexOffset = 0;
  /** The log index applied last. */
  #applied = 0;
  #role: Role = "follower";
  #leader: string | null = null;
  #term = 0;
  /** This server leads and everything before its term is applied. */
  #established = false;
  #stopping = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#platform = options.platform;
    this.#instruments = new ServerInstruments(options.meter);
    this.timers = options.timers;
    this.#leadership = new ChangeSignal(options.timers);
    this.datacenter = options.datacenter;
    this.sessionTtlMinMs = options.sessionTtlMinMs;
    this.random = new Random(seedOf(options.platform));
    this.group = new Group({
      timers: options.timers,
      consensus: () => this.#running,
      now: () => this.#platform.now(),
      wall: () => this.#platform.wall(),
      thresholds: () => this.#healthThresholds(),
      member: (id) => options.member(id),
      change: async (change) => this.#changeGroup(change),
    });
    this.#replication = new Replication({
      platform: options.platform,
      timers: options.timers,
      client: options.client,
      electionTimeoutMs: options.timings.electionTimeoutMs,
      consensus: () => this.#consensus,
      address: (id) => this.#addressOf(id),
      log: options.log,
    });
    this.#snapshots = new SnapshotTaker({
      platform: options.platform,
      timers: options.timers,
      options,
      instruments: this.#instruments,
      grown: () => this.#applied - this.#running.raft.snapshotIndex,
      point: () => this.#point(),
      state: () => this.#state,
      taken: (point) => this.#running.snapshotTaken(point),
    });
    this.#duties = new LeaderDuties({
      timers: options.timers,
      now: () => this.#platform.now(),
      state: () => this.#state,
      expireSession: async (id) => this.#propose({ type: "session.destroy", id }),
      reapTombstones: async (index) => this.#propose({ type: "tombstone.reap", index }),
    });
  }

  get state(): StateStore {
    return this.#state;
  }

  /** The Raft machine's getters, for status. */
  get raft(): Omit<Raft, "step"> {
    return this.#running.raft;
  }

  get appliedIndex(): number {
    return this.#applied;
  }

  get leading(): boolean {
    return this.#established;
  }

  get leader(): string | null {
    return this.#leader;
  }

  /** How many blocking queries wait now. */
  get blocked(): number {
    return this.#blocking.waiting;
  }

  get sessionTimers(): number {
    return this.#duties.sessions.active;
  }

  /** Reads log and snapshot back and takes part. @throws when what is stored is damaged: the message says what to do. */
  async start(): Promise<void> {
    const { log, blobs } = this.#platform;
    const snapshot = await loadSnapshot(blobs, (name, error) =>
      this.#options.log("error", "snapshot is damaged and is passed over", { name, error }),
    );
    const stored: LoadedLog = await log.load();
    const point = snapshot?.point ?? null;
    const { base, entries, reset } = reconcileLog(stored, point);
    if (reset) await log.reset(base.index, base.term);
    const loaded: LoadedLog = { hardState: stored.hardState, base, entries: [...entries] };
    if (snapshot !== null) {
      this.#replace(snapshot.store, snapshot.point.index);
    }
    this.#consensus = new Consensus(
      {
        platform: this.#platform,
        timers: this.timers,
        dispatchLog: this.#instruments.dispatchLog,
        apply: (entry, proposal) => this.#apply(entry, proposal as Pending<LoggedCommand, CommandResult> | null),
        roleChanged: (role, term, leader) => this.#roleChanged(role, term, leader),
        configurationChanged: () => this.#groupChanged(),
        send: (to, message) => this.#replication.send(to, message),
        sendSnapshot: (to, term) => this.#replication.sendSnapshot(to, term),
        install: (point) => this.#install(point),
        snapshotRefused: (index) => this.#replication.refused(index),
        peerLostData: (id) =>
          this.#options.log("error", "a server has lost its data: remove it, and let it join under a new id", { id }),
        failed: (error) => {
          this.#blocking.release();
          this.#lead(false);
          this.#replication.stop();
          this.#options.failed(error);
        },
      },
      {
        id: this.#options.id,
        seed: seedOf(this.#platform),
        loaded,
        snapshot: point,
        timings: this.#options.timings,
        trailingEntries: this.#options.trailingEntries,
      },
    );
    this.#consensus.start(this.#options.bootstrap);
    this.group.changed();
    this.#snapshots.start();
  }

  /** Ends what is under way; the log stays as it is. */
  stop(): void {
    this.#snapshots.stop();
    this.group.stop();
    this.#stopping = true;
    this.#blocking.release();
    this.#lead(false);
    this.#replication.stop();
    this.#consensus?.stop();
  }

  /** Takes the calls of other servers. */
  serve(door: PeerDoor): void {
    this.#replication.serve(door);
  }

  /** Nothing is stored here and no group has called. */
  get isVirgin(): boolean {
    return this.#consensus?.isVirgin ?? true;
  }

  /** Gives a new group its first configuration; every one of its servers must give the same. No effect on one that holds anything. */
  bootstrap(configuration: Configuration): void {
    this.#running.bootstrap(configuration);
  }

  #groupChanged(): void {
    this.#replication.changed();
    // Answers that were kept on the word of a group of one.
    this.cache.clear();
    this.group.changed();
  }

  #addressOf(id: string): string | null {
    const configured = findServer(this.#running.raft.configuration, id)?.address;
    return this.#options.address(id) ?? configured ?? this.#replication.callerAddress(id);
  }

  /** A snapshot of the leader takes the place of the store. */
  #install(point: SnapshotPoint): void {
    const store = this.#replication.take(point.index);
    if (point.index <= this.#applied) return;
    assert(store !== null, `the snapshot of ${point.index} was not received`);
    this.#replace(store, point.index);
    this.#options.log("info", "installed snapshot", { index: point.index });
  }

  // -------------------------------------------------------------------------------------------------- Authority

  get readable(): boolean {
    return this.#established && this.#running.raft.canReadLocally(this.#platform.now());
  }

  /** This server is the whole group: nobody else can know better. */
  get alone(): boolean {
    return this.#consensus !== null && this.#running.raft.configuration.servers.length === 1;
  }

  /** What is done here now is linearizable. */
  get #sure(): boolean {
    return this.#established && (this.alone || this.readable);
  }

  get leaderPeer(): Peer | null {
    const id = this.#leader;
    if (id === null || id === this.#options.id) return null;
    const address = this.#addressOf(id);
    return address === null ? null : { id, address };
  }

  onChange(listener: () => void): () => void {
    return this.#leadership.onChange(listener);
  }

  untilChange(timeoutMs: number): Promise<void> {
    return this.#leadership.untilChange(timeoutMs);
  }

  /** True once the store here holds all that was acknowledged before the call; false when that is not known in time. */
  async untilCurrent(timeoutMs: number): Promise<boolean> {
    const until = this.#platform.now() + timeoutMs;
    let wanted: number | null = null;
    while (!this.readable && (wanted === null || this.#applied < wanted)) {
      const leftMs = until - this.#platform.now();
      if (leftMs <= 0) return false;
      if (wanted === null && this.#leader !== null) wanted = await this.#running.readIndex().catch(() => null);
      if (wanted === null || this.#applied < wanted) await this.untilChange(Math.min(leftMs, CURRENT_POLL_MS));
    }
    return true;
  }

  query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Answer<R> | Promise<Answer<R>> {
    this.#instruments.requests.add(1);
    this.#instruments.queries.add(1);
    const isStale = options.consistency === "stale";
    if (!isStale && (options.consistency === "consistent" || !this.#sure))
      return this.#consistent(endpoint, args, options);
    const shared = this.#blocking.query(endpoint, args, options);
    if (!(shared instanceof Promise)) return this.#answer(shared);
    // Time has passed: another server may lead by now.
    return shared.then((late) =>
      isStale || this.#stopping || this.readable ? this.#answer(late) : this.#again(endpoint, args),
    );
  }

  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    this.#instruments.requests.add(1);
    return this.#sure ? this.#command(endpoint, args) : this.#confirmed(() => this.#command(endpoint, args));
  }

  local<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    const prepared = endpoint.prepare(this, args);
    if ("answer" in prepared) return prepared.answer;
    throw new OperationalError("not-leader", "node is not the leader");
  }

  #command<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    const sample = this.#instruments.commands.get(endpoint.name) ?? null;
    const startedMs = this.#platform.now();
    const prepared = endpoint.prepare(this, args);
    if ("answer" in prepared) {
      sample?.add(this.#platform.now() - startedMs);
      return prepared.answer;
    }
    const result = this.#propose(prepared.command, startedMs, sample);
    return result instanceof Promise ? result.then(prepared.reply) : prepared.reply(result);
  }

  /** A command of the server's own, not a client's. @throws OperationalError when it is refused or lost. */
  async write(command: Command): Promise<void> {
    const result = await this.#propose(command);
    if (!result.ok) throw new OperationalError(result.error.code, result.error.message);
  }

  async #consistent<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Promise<Answer<R>> {
    const shared = await this.#confirmed(() => this.#blocking.query(endpoint, args, options));
    if (options.index === 0 || this.#stopping || this.readable) return this.#answer(shared);
    return this.#again(endpoint, args);
  }

  /** The answer as of now, after a wait. */
  #again<A, R>(endpoint: QueryEndpoint<A, R>, args: A): Promise<Answer<R>> {
    return this.#consistent(endpoint, args, { consistency: "consistent", index: 0, waitMs: 0 });
  }

  /**
   * Does something once a quorum has said that this server leads still.
   * @throws OperationalError `not-leader` or `no-leader` when it does not; nothing has been done then.
   */
  async #confirmed<T>(request: () => T | Promise<T>): Promise<T> {
    if (!this.#established) throw new OperationalError("not-leader", "node is not the leader");
    // On a leader everything committed is applied in the same turn, so the confirmed index is always there already.
    await this.#running.readIndex();
    return request();
  }

  #answer<R>(shared: SharedRead<R>): Answer<R> {
    return {
      shared,
      index: Math.max(1, shared.read.index),
      knownLeader: this.#leader !== null,
      lastContactMs: this.#established ? 0 : Math.min(NEVER_MS, this.#running.raft.lastContact(this.#platform.now())),
    };
  }

  // ------------------------------------------------------------------------------------------- what prepare is lent

  get wallMs(): number {
    return this.#platform.wall();
  }

  newId(): string {
    return uuid(this.#platform.random(16));
  }

  lockDelayed(key: string): boolean {
    return this.#duties.lockDelays.delayed(key, this.#platform.now());
  }

  renewSession(session: Session): void {
    this.#duties.sessions.renew(session);
  }

  #healthThresholds(): HealthThresholds {
    const config = this.#state.autopilotConfig().value;
    if (config === null) return this.#options.healthThresholds;
    return { lastContactMs: config.LastContactThreshold / nsPerMs, maxTrailingLogs: config.MaxTrailingLogs };
  }

  // ------------------------------------------------------------------------------------------------- the log

  get #running(): Consensus {
    if (this.#consensus === null) throw new OperationalError("no-leader", "No cluster leader");
    return this.#consensus;
  }

  /** @param sample takes the time from `startedMs` until the command is applied. */
  #propose(
    command: LoggedCommand,
    startedMs: number = this.#platform.now(),
    sample: Sample | null = null,
  ): CommandResult | Promise<CommandResult> {
    const pending = new Pending<LoggedCommand, CommandResult>(encode(command), command, startedMs, sample);
    this.#instruments.proposals.add(1);
    this.#running.propose(pending);
    return pending.outcome();
  }

  #changeGroup(change: ConfigurationChange): CommandResult | Promise<CommandResult> {
    const pending = new Pending<LoggedCommand, CommandResult>(NOTHING, null, this.#platform.now(), null);
    this.#running.change(change, pending);
    return pending.outcome();
  }

  #apply(entry: Entry, pending: Pending<LoggedCommand, CommandResult> | null): void {
    this.#applied = entry.index;
    if (entry.kind !== "command") {
      this.#state.skip(entry.index + this.#indexOffset);
      pending?.settle({ ok: true, value: true });
      this.#establish();
      return;
    }
    const command = (pending?.command ?? decode(entry.data)) as LoggedCommand;
    if (command.type === "server.restore") {
      this.#applyRestore(command, entry, pending);
      return;
    }
    const index = entry.index + this.#indexOffset;
    const committedMs = this.#platform.now();
    const { result, changes, topics } = this.#state.apply(index, command);
    const appliedMs = this.#platform.now();
    this.#instruments.applied(command.type, appliedMs - committedMs);
    if (pending !== null) {
      this.#instruments.commitTime.add(committedMs - pending.startedMs);
      pending.sample?.add(appliedMs - pending.startedMs);
    }
    if (topics.length > 0) this.#tell(changes, topics, index);
    pending?.settle(result);
    this.#snapshots.applied();
  }

  #tell(changes: readonly Change[], topics: readonly string[], index: number): void {
    this.#duties.changed(changes);
    this.watches.notify(topics, index);
  }

  #roleChanged(role: Role, term: number, leader: string | null): void {
    const { log } = this.#options;
    if (role !== this.#role || term !== this.#term) log("info", `entering ${role} state`, { term, leader });
    const changed = role !== this.#role || leader !== this.#leader || term !== this.#term;
    if (role !== this.#role) this.#instruments.entered(role);
    this.#role = role;
    this.#term = term;
    this.#leader = leader;
    if (role !== "leader") this.#lead(false);
    else this.#establish();
    if (!changed) return;
    this.#options.leadership({ leading: this.#established, leader });
    this.#leadership.tell();
  }

  /** Leads for good once an entry of its own term is applied: everything before it is then applied too. */
  #establish(): void {
    if (this.#role !== "leader" || this.#established) return;
    const { raft } = this.#running;
    if (raft.commitIndex > this.#applied || raft.termAt(this.#applied) !== raft.term) return;
    this.#lead(true);
  }

  #lead(leading: boolean): void {
    if (leading === this.#established) return;
    this.#established = leading;
    if (leading) this.#duties.start();
    else {
      this.#duties.stop();
      // What is kept may be out of date as soon as another server leads.
      this.cache.clear();
      if (!this.#stopping) this.#blocking.abandon();
    }
    this.#options.leadership({ leading, leader: this.#leader });
    this.#leadership.tell();
  }

  // ------------------------------------------------------------------------------------------------- snapshots

  /** The state as a snapshot file, for an operator's backup. */
  backup(): { point: SnapshotPoint; chunks: AsyncGenerator<Uint8Array> } {
    const point = this.#point();
    return { point, chunks: encodeSnapshot(this.timers, point, this.#state.snapshot()) };
  }

  /** Puts the state of a snapshot file in place of the store, on every server. @throws OperationalError when it is damaged. */
  async restore(snapshot: Uint8Array): Promise<void> {
    const result = await this.#propose(await this.#restores.prepare(this.timers, snapshot));
    if (!result.ok) throw new OperationalError(result.error.code, result.error.message);
  }

  #applyRestore(command: Restore, entry: Entry, pending: Pending<LoggedCommand, CommandResult> | null): void {
    const store = this.#restores.storeOf(command);
    // The index never goes back: the restored state counts as of this entry, or of its own index if that is higher.
    const index = entry.index + this.#indexOffset;
    if (index > store.lastIndex) store.skip(index);
    this.#replace(store, entry.index);
    this.#duties.restart();
    pending?.settle({ ok: true, value: true });
    // The entry holds the whole state: compact it away.
    void this.#snapshots.take();
  }

  #replace(store: StateStore, logIndex: number): void {
    this.#state = store;
    this.#applied = logIndex;
    this.#indexOffset = store.lastIndex - logIndex;
    this.cache.clear();
    // What somebody waits for may be older in the new state than what he has seen: he is told all the same.
    this.#blocking.release();
    this.watches.notifyAll();
  }

  #point(): SnapshotPoint {
    const { raft } = this.#running;
    const { configuration, index } = raft.configurationAt(this.#applied);
    const term = raft.termAt(this.#applied);
    assert(term !== null, `the term of applied entry ${this.#applied} is not known`);
    return { index: this.#applied, term, configuration, configurationIndex: index };
  }
}

function seedOf(platform: Pick<Platform, "random">): number {
  const bytes = platform.random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
