// A server of a datacenter: the replicated store behind its log, what a leader does, and the answers to queries and
// commands. The way of a write: `command` → the endpoint's `prepare` → the log → `#apply` → the store's result and
// changes → whoever waits.
import { decode, encode } from "../codec/value.ts";
import type { CommandEndpoint, PrepareContext, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { LoadedLog, Platform } from "../platform.ts";
import { reconcileLog } from "../raft/options.ts";
import type { Raft } from "../raft/raft.ts";
import type { Configuration, ConfigurationChange, Entry, RaftTimings, Role, SnapshotPoint } from "../raft/types.ts";
import type { Answer, Authority, QueryOptions, SharedRead } from "../rpc/authority.ts";
import type { Change } from "../state/change.ts";
import type { Command, CommandResult } from "../state/command.ts";
import { StateStore } from "../state/store.ts";
import { Watches } from "../state/watch.ts";
import { OperationalError } from "../types/error.ts";
import type { Session } from "../types/records.ts";
import { assert } from "../util/assert.ts";
import { uuid } from "../util/bytes.ts";
import { nsPerMs } from "../util/duration.ts";
import type { Meter, Sample } from "../util/instrument.ts";
import { Random } from "../util/random.ts";
import { Blocking, type BlockingHost } from "./blocking.ts";
import type { HealthThresholds, ServerMember } from "./autopilot.ts";
import { Consensus } from "./consensus.ts";
import { Group } from "./group.ts";
import { ServerInstruments } from "./instruments.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Pending } from "./pending.ts";
import { ReadCache } from "./read-cache.ts";
import {
  decodeInSlices,
  encodeSnapshot,
  type LoadedSnapshot,
  loadSnapshot,
  saveSnapshot,
  SnapshotDecoder,
} from "./snapshots.ts";

export interface ServerOptions {
  platform: Platform;
  timers: Timers;
  id: string;
  datacenter: string;
  /** The group of a first life; null when others bring it up. */
  bootstrap: Configuration | null;
  timings: RaftTimings;
  sessionTtlMinMs: number;
  /** Entries after which a snapshot is due, if the last one is `snapshotIntervalMs` old. */
  snapshotThreshold: number;
  snapshotIntervalMs: number;
  trailingEntries: number;
  /** The health thresholds that count until the store has an autopilot configuration. */
  healthThresholds: HealthThresholds;
  /** The member of the LAN pool that has a server's id, or null. */
  member(id: string): ServerMember | null;
  /** Where the server's metrics go. */
  meter: Meter;
  log(level: "debug" | "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
  /** Who leads changed; `leading` only once everything before this server's term is applied. */
  leadership(status: { leading: boolean; leader: string | null }): void;
  /** The server has stopped and cannot go on. */
  failed(error: unknown): void;
}

/** A whole state put in place of the store, through the log: the bytes are those of a snapshot file. */
interface Restore {
  type: "server.restore";
  snapshot: Uint8Array;
}
type LoggedCommand = Command | Restore;

/** A log that has outgrown its threshold this many times is compacted however recent the last snapshot is. */
const THRESHOLD_FACTOR_MAX = 8;
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
  readonly #options: ServerOptions;
  readonly #platform: Platform;
  readonly #instruments: ServerInstruments;
  readonly #blocking: Blocking = new Blocking(this);
  readonly #duties: LeaderDuties;
  readonly #readers = new Set<() => void>();
  /** The stores of restores that this server proposed: built before they were, so that applying them takes no time. */
  readonly #prepared = new WeakMap<Restore, StateStore>();
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
  #snapshotting = false;
  #snapshotTimer: Timer | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#platform = options.platform;
    this.#instruments = new ServerInstruments(options.meter);
    this.timers = options.timers;
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
        configurationChanged: () => this.group.changed(),
        failed: (error) => {
          this.#lead(false);
          this.#blocking.release();
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
    this.#snapshotTimer = this.timers.after(this.#options.snapshotIntervalMs, () => this.#snapshotTick());
  }

  /** Ends what is under way; the log stays as it is. */
  stop(): void {
    this.timers.cancel(this.#snapshotTimer);
    this.group.stop();
    this.#lead(false);
    this.#blocking.release();
    this.#consensus?.stop();
  }

  // -------------------------------------------------------------------------------------------------- Authority

  get readable(): boolean {
    return this.#established && this.#running.raft.canReadLocally(this.#platform.now());
  }

  untilReadable(timeoutMs: number): Promise<boolean> {
    if (this.readable) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (): void => {
        this.#readers.delete(done);
        this.timers.cancel(timer);
        resolve(this.readable);
      };
      const timer = this.timers.after(timeoutMs, done);
      this.#readers.add(done);
    });
  }

  query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Answer<R> | Promise<Answer<R>> {
    this.#instruments.requests.add(1);
    this.#instruments.queries.add(1);
    if (options.consistency === "consistent") return this.#consistent(endpoint, args, options);
    const shared = this.#blocking.query(endpoint, args, options);
    return shared instanceof Promise ? shared.then((late) => this.#answer(late)) : this.#answer(shared);
  }

  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R> {
    this.#instruments.requests.add(1);
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
    // On a leader everything committed is applied in the same turn, so the confirmed index is always there already.
    await this.#running.readIndex();
    return this.#answer(await this.#blocking.query(endpoint, args, options));
  }

  #answer<R>(shared: SharedRead<R>): Answer<R> {
    return {
      shared,
      index: Math.max(1, shared.read.index),
      knownLeader: this.#leader !== null,
      lastContactMs: this.#established ? 0 : this.#running.raft.lastContact(this.#platform.now()),
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
    if (entry.index - this.#running.raft.snapshotIndex >= this.#options.snapshotThreshold * THRESHOLD_FACTOR_MAX)
      void this.#takeSnapshot();
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
    if (changed) this.#options.leadership({ leading: this.#established, leader });
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
    }
    this.#options.leadership({ leading, leader: this.#leader });
    for (const reader of Array.from(this.#readers)) reader();
  }

  // ------------------------------------------------------------------------------------------------- snapshots

  /** The state as a snapshot file, for an operator's backup. */
  backup(): { point: SnapshotPoint; chunks: AsyncGenerator<Uint8Array> } {
    const point = this.#point();
    return { point, chunks: encodeSnapshot(this.timers, point, this.#state.snapshot()) };
  }

  /** Puts the state of a snapshot file in place of the store, on every server. @throws OperationalError when it is damaged. */
  async restore(snapshot: Uint8Array): Promise<void> {
    // Refused here rather than by every server once it is in the log.
    const { store } = await decodeInSlices(this.timers, snapshot);
    const command: Restore = { type: "server.restore", snapshot };
    this.#prepared.set(command, store);
    const result = await this.#propose(command);
    if (!result.ok) throw new OperationalError(result.error.code, result.error.message);
  }

  #applyRestore(command: Restore, entry: Entry, pending: Pending<LoggedCommand, CommandResult> | null): void {
    const store = this.#prepared.get(command) ?? decodeWhole(command.snapshot).store;
    // The index never goes back: the restored state counts as of this entry, or of its own index if that is higher.
    const index = entry.index + this.#indexOffset;
    if (index > store.lastIndex) store.skip(index);
    this.#replace(store, entry.index);
    this.#duties.restart();
    pending?.settle({ ok: true, value: true });
    // The entry holds the whole state: compact it away.
    void this.#takeSnapshot();
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

  #snapshotTick(): void {
    this.#snapshotTimer = this.timers.after(this.#options.snapshotIntervalMs, () => this.#snapshotTick());
    if (this.#applied - this.#running.raft.snapshotIndex >= this.#options.snapshotThreshold) void this.#takeSnapshot();
  }

  async #takeSnapshot(): Promise<void> {
    if (this.#snapshotting) return;
    this.#snapshotting = true;
    const { log } = this.#options;
    try {
      const point = this.#point();
      const started = this.#platform.now();
      const view = this.#state.snapshot();
      const createdMs = this.#platform.now();
      await saveSnapshot(this.#platform.blobs, this.timers, point, view);
      const endedMs = this.#platform.now();
      this.#running.snapshotTaken(point);
      this.#instruments.snapshotCreated.add(createdMs - started);
      this.#instruments.snapshotPersisted.add(endedMs - createdMs);
      this.#instruments.snapshotTaken.add(endedMs - started);
      log("info", "snapshot complete up to index", { index: point.index, ms: Math.round(endedMs - started) });
    } catch (error) {
      log("error", "failed to take snapshot; the log is kept until one succeeds", { error });
    } finally {
      this.#snapshotting = false;
    }
  }
}

/** @throws OperationalError when it is damaged. */
function decodeWhole(snapshot: Uint8Array): LoadedSnapshot {
  const decoder = new SnapshotDecoder();
  decoder.push(snapshot);
  return decoder.finish();
}

function seedOf(platform: Pick<Platform, "random">): number {
  const bytes = platform.random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
