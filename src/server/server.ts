// A server of a datacenter: the replicated store behind its log, what a leader does, and the answers to queries and
// commands. The way of a write: `command` → the endpoint's `prepare` → the log → `#apply` → the store's result and
// changes → whoever waits.
import { decode, encode } from "../codec/value.ts";
import type { Failover } from "../endpoint/failover.ts";
import type { CommandEndpoint, PrepareContext, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { ForPrimary } from "../endpoint/federation.ts";
import type { Timers } from "../host/timers.ts";
import type { LoadedLog, Platform } from "../platform.ts";
import { reconcileLog } from "../raft/options.ts";
import { findServer } from "../raft/configuration.ts";
import type { Raft } from "../raft/raft.ts";
import type { Configuration, ConfigurationChange, Entry, Role, SnapshotPoint } from "../raft/types.ts";
import type { Answer, Authority, QueryOptions } from "../rpc/authority.ts";
import type { Peer, PeerDoor } from "../rpc/peer-door.ts";
import type { Change } from "../state/change.ts";
import type { Command, CommandResult, CommandValue } from "../state/command.ts";
import { StateStore } from "../state/store.ts";
import { Watches } from "../state/watch.ts";
import { OperationalError } from "../types/error.ts";
import type { Session } from "../types/records.ts";
import { assert } from "../util/assert.ts";
import { uuid } from "../util/bytes.ts";
import type { Sample } from "../util/instrument.ts";
import { Random, seedOf } from "../util/random.ts";
import { Blocking, type BlockingHost } from "./blocking.ts";
import { ChangeSignal } from "../rpc/change-signal.ts";
import { careSettings, healthThresholds } from "./autopilot-settings.ts";
import { Consensus } from "./consensus.ts";
import { Federation } from "./federation.ts";
import { Group } from "./group.ts";
import { ServerInstruments } from "./instruments.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { operatorLog } from "./operator-log.ts";
import { Pending } from "./pending.ts";
import { ReadCache } from "./read-cache.ts";
import { Reads } from "./reads.ts";
import { Replication } from "./replication.ts";
import { type LoggedCommand, type Restore, Restores } from "./restores.ts";
import type { ServerOptions } from "./server-options.ts";
import { SnapshotTaker } from "./snapshot-taker.ts";
import { encodeSnapshot } from "./snapshots.ts";
import { startingState, StoredState } from "./stored-state.ts";

const SHARED_ANSWERS_MAX = 16_384;
const NOTHING = new Uint8Array(0);

export class Server implements Authority, BlockingHost, PrepareContext {
  readonly timers: Timers;
  readonly random: Random;
  readonly watches: Watches = new Watches();
  readonly cache: ReadCache = new ReadCache(this.watches, SHARED_ANSWERS_MAX);
  readonly datacenter: string;
  readonly sessionTtlMinMs: number;
  readonly group: Group;
  readonly federation: Federation;
  readonly failover: Failover;
  readonly #options: ServerOptions;
  readonly #platform: Platform;
  readonly #instruments: ServerInstruments;
  readonly #blocking: Blocking = new Blocking(this);
  readonly #duties: LeaderDuties;
  /** Tells when who leads may have changed. */
  readonly #leadership: ChangeSignal;
  readonly #replication: Replication;
  readonly #reads: Reads;
  readonly #snapshots: SnapshotTaker;
  readonly #restores = new Restores();
  #consensus: Consensus | null = null;
  /** Where the platform keeps the state; null when it is in memory. */
  readonly #stored: StoredState | null;
  #state: StateStore;
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
    this.#stored = StoredState.of(options.platform);
    this.#state = new StateStore();
    this.#instruments = new ServerInstruments(options.meter);
    this.timers = options.timers;
    this.#leadership = new ChangeSignal(options.timers);
    this.datacenter = options.datacenter;
    this.sessionTtlMinMs = options.sessionTtlMinMs;
    this.failover = options.failover;
    this.random = new Random(seedOf(options.platform.random(4)));
    this.group = new Group({
      ...options,
      address: options.ownAddress,
      server: this,
      consensus: () => this.#running,
      addressOf: (id) => this.#addressOf(id),
      thresholds: () => healthThresholds(this.#state, options.healthThresholds),
      care: () => careSettings(this.#state, options.care),
      change: async (change) => this.#changeGroup(change),
      failed: (error) => this.#fail(error),
    });
    this.federation = new Federation({ ...options, server: this, random: this.random });
    this.#replication = new Replication({
      platform: options.platform,
      timers: options.timers,
      client: options.client,
      electionTimeoutMs: options.timings.electionTimeoutMs,
      consensus: () => this.#consensus,
      address: (id) => this.#addressOf(id),
      guard: (from) => this.group.recovery.guard(from),
      log: options.log,
    });
    this.#reads = new Reads({
      server: this,
      timers: options.timers,
      client: options.client,
      blocking: this.#blocking,
      electionTimeoutMs: options.timings.electionTimeoutMs,
      now: () => this.#platform.now(),
      consensus: () => this.#running,
    });
    this.#snapshots = new SnapshotTaker({
      platform: options.platform,
      timers: options.timers,
      options,
      instruments: this.#instruments,
      grown: () => this.#applied - this.#running.raft.snapshotIndex,
      point: () => this.#running.pointAt(this.#applied),
      state: () => this.#state,
      isStored: this.#stored !== null,
      taken: (point) => this.#running.snapshotTaken(point),
    });
    this.#duties = new LeaderDuties({
      platform: options.platform,
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
    await this.group.recovery.load();
    const { log } = this.#platform;
    const tell = operatorLog(this.#options.log, this.group, (id) => this.#addressOf(id));
    const { point, store } = await startingState(this.#stored, this.#platform.blobs, tell.snapshotDamaged);
    const stored: LoadedLog = await log.load();
    const { base, entries, reset } = reconcileLog(stored, point);
    if (reset) await log.reset(base.index, base.term);
    const loaded: LoadedLog = { hardState: stored.hardState, base, entries: [...entries] };
    if (point === null) this.#state = store;
    else this.#replace(store, point.index);
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
        ...tell,
        failed: (error) => this.#fail(error),
      },
      {
        id: this.#options.id,
        seed: seedOf(this.#platform.random(4)),
        loaded,
        snapshot: point,
        timings: this.#options.timings,
        trailingEntries: this.#options.trailingEntries,
      },
    );
    this.#consensus.start(this.#options.bootstrap);
    this.group.changed();
    this.#snapshots.start();
    this.group.recovery.start();
  }

  /** Ends what is under way; the log stays as it is. */
  stop(): void {
    this.#stopping = true;
    this.#end();
  }

  /** It can go on no more, or must not. */
  #fail(error: unknown): void {
    this.#end();
    this.#options.failed(error);
  }

  #end(): void {
    this.#snapshots.stop();
    this.group.stop();
    this.#reads.stop();
    this.#blocking.release();
    this.#lead(false);
    this.#replication.stop();
    this.#consensus?.stop();
  }

  /** Takes the calls of other servers. */
  serve(door: PeerDoor): void {
    this.#replication.serve(door);
    this.group.recovery.serve(door);
    this.group.stateCheck.serve(door);
    this.#reads.serve(door);
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
    if (this.group.recovery.isDropped(id)) return null;
    const configured = findServer(this.#running.raft.configuration, id)?.address;
    return this.#options.address(id) ?? configured ?? this.#replication.callerAddress(id);
  }

  /** A snapshot of the leader takes the place of the store. */
  #install(point: SnapshotPoint): void {
    const store = this.#replication.take(point.index);
    if (point.index <= this.#applied) return;
    assert(store !== null, `the snapshot of ${point.index} was not received`);
    this.#changing(() => this.#replace(this.#stored?.fill(store) ?? store, point.index), point);
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
  get sure(): boolean {
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

  untilCurrent(timeoutMs: number): Promise<boolean> {
    return this.#reads.untilCurrent(timeoutMs);
  }

  query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Answer<R> | Promise<Answer<R>> {
    this.#instruments.requests.add(1);
    this.#instruments.queries.add(1);
    return this.#reads.query(endpoint, args, options);
  }

  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    this.#instruments.requests.add(1);
    return this.sure ? this.#command(endpoint, args) : this.#reads.confirmed(() => this.#command(endpoint, args));
  }

  local<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    const prepared = endpoint.prepare(this, args);
    if ("answer" in prepared) return prepared.answer;
    throw new OperationalError("not-leader", "node is not the leader");
  }

  #command<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    const sample = this.#instruments.commands.get(endpoint.name) ?? null;
    const startedMs = this.#platform.now();
    if (endpoint.isForPrimary === true) this.federation.admit(args as ForPrimary);
    const prepared = endpoint.prepare(this, args);
    if ("answer" in prepared) {
      sample?.add(this.#platform.now() - startedMs);
      return prepared.answer;
    }
    const result = this.#propose(prepared.command, startedMs, sample);
    return result instanceof Promise ? result.then(prepared.reply) : prepared.reply(result);
  }

  /** A command of the server's own, not a client's. @throws OperationalError when it is refused or lost. */
  async write(command: Command): Promise<CommandValue> {
    const result = await this.#propose(command);
    if (!result.ok) throw new OperationalError(result.error.code, result.error.message);
    return result.value;
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
    // Where several datacenters write the same keys, the time decides between writes that knew nothing of each other.
    const isStamped = this.#state.stamping && command.type !== "server.restore";
    const said = isStamped ? { ...command, atMs: this.wallMs } : command;
    const pending = new Pending<LoggedCommand, CommandResult>(encode(said), said, startedMs, sample);
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
    if (this.#stored === null) this.#applyEntry(entry, pending);
    else this.#changing(() => this.#applyEntry(entry, pending));
  }

  /** Changes the store: on storage all of it, or nothing. `point` is where in the log it stands then, if that is not plain. */
  #changing(change: () => void, point?: SnapshotPoint): void {
    const after = () => ({ store: this.#state, point: point ?? this.#running.pointAt(this.#applied) });
    if (this.#stored === null) change();
    else this.#stored.apply(change, after);
  }

  #applyEntry(entry: Entry, pending: Pending<LoggedCommand, CommandResult> | null): void {
    this.#applied = entry.index;
    if (entry.kind !== "command") {
      this.#state.skip(entry.index + this.#indexOffset);
      this.group.stateCheck.note(entry.index, this.#state.hash());
      this.#reads.applied(entry.index);
      pending?.settle({ ok: true, value: true });
      this.#establish();
      return;
    }
    const command = (pending?.command ?? decode(entry.data)) as LoggedCommand;
    if (command.type === "server.restore") return this.#applyRestore(command, entry, pending);
    const index = entry.index + this.#indexOffset;
    const committedMs = this.#platform.now();
    const { result, changes, topics } = this.#state.apply(index, command);
    const appliedMs = this.#platform.now();
    this.#instruments.applied(command.type, appliedMs - committedMs);
    if (pending !== null) {
      this.#instruments.commitTime.add(committedMs - pending.startedMs);
      pending.sample?.add(appliedMs - pending.startedMs);
    }
    this.group.stateCheck.note(entry.index, this.#state.hash());
    if (topics.length > 0) this.#tell(changes, topics, index);
    this.#reads.applied(entry.index);
    pending?.settle(result);
    this.#snapshots.applied();
  }

  #tell(changes: readonly Change[], topics: readonly string[], index: number): void {
    this.#duties.changed(changes);
    this.federation.changed(changes);
    this.watches.notify(topics, index);
  }

  #roleChanged(role: Role, term: number, leader: string | null): void {
    if (role !== this.#role || term !== this.#term)
      this.#options.log("info", `entering ${role} state`, { term, leader });
    const changed = role !== this.#role || leader !== this.#leader || term !== this.#term;
    if (role !== this.#role) this.#instruments.entered(role);
    this.#role = role;
    this.#term = term;
    this.#leader = leader;
    if (role !== "leader") this.#lead(false);
    else this.#establish();
    if (!changed) return;
    this.#reads.leaderChanged(leader !== null);
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
    if (leading) {
      this.#duties.start();
      this.group.led();
      this.federation.led();
    } else {
      this.group.stateCheck.stop();
      this.federation.stop();
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
    const point = this.#running.pointAt(this.#applied);
    return { point, chunks: encodeSnapshot(this.timers, point, this.#state.snapshot()) };
  }

  /** Puts the state of a snapshot file in place of the store, on every server. @throws OperationalError when it is damaged. */
  async restore(snapshot: Uint8Array): Promise<void> {
    const result = await this.#propose(await this.#restores.prepare(this.timers, snapshot));
    if (!result.ok) throw new OperationalError(result.error.code, result.error.message);
  }

  #applyRestore(command: Restore, entry: Entry, pending: Pending<LoggedCommand, CommandResult> | null): void {
    const restored = this.#restores.storeOf(command);
    const federation = this.#state.federation().value;
    const store = this.#stored?.fill(restored) ?? restored;
    // The index never goes back: the restored state counts as of this entry, or of its own index if that is higher.
    store.restored(entry.index + this.#indexOffset, federation);
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
    this.#blocking.replaced();
    this.watches.notifyAll();
    this.#reads.applied(logIndex);
  }
}
