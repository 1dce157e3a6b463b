// The Raft machine with its disk and its peers: carries out the machine's effects in the order it gives them
// (raft/DESIGN.md, the host's duties) and matches commits with the proposals that wait for them. Knows bytes and indexes,
// no commands.
import { MachineHost } from "../host/machine-host.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { LoadedLog, LogStore, Platform } from "../platform.ts";
import { RAFT_DEFAULTS } from "../raft/options.ts";
import { Raft } from "../raft/raft.ts";
import type {
  Configuration,
  ConfigurationChange,
  Entry,
  Message,
  Outgoing,
  RaftEffect,
  RaftInput,
  RaftTimings,
  Role,
  SnapshotPoint,
} from "../raft/types.ts";
import { OperationalError } from "../types/error.ts";
import { assert, unreachable } from "../util/assert.ts";
import type { Sample } from "../util/instrument.ts";
import { GroupCommit } from "./group-commit.ts";
import { MessageReply } from "./message-reply.ts";
import { diskFull, noLeader, outcomeUnknown, rejection, shuttingDown } from "./proposal-errors.ts";

/** A proposal on its way: handed to `apply` with its entry, or failed. */
export interface Proposal {
  readonly data: Uint8Array;
  failed(error: OperationalError): void;
}

export interface ConsensusHost {
  readonly platform: Pick<Platform, "now" | "log">;
  readonly timers: Timers;
  /** Takes the times of the leader's writes to the log. */
  readonly dispatchLog: Pick<Sample, "add">;
  /** Applies a committed entry; `proposal` is this server's own, if it still waits. */
  apply(entry: Entry, proposal: Proposal | null): void;
  roleChanged(role: Role, term: number, leader: string | null): void;
  configurationChanged(configuration: Configuration): void;
  /** Sends a message to another server; it may get lost. */
  send(to: string, message: Message): void;
  /** Sends the newest snapshot to another server, and calls `snapshotSent` at the end, always. */
  sendSnapshot(to: string, term: number): void;
  /** Puts a received snapshot in place of the store, unless the store is at or beyond it. */
  install(snapshot: SnapshotPoint): void;
  /** A received snapshot is of no use, and may be deleted. */
  snapshotRefused(index: number): void;
  /** The log finds no space, or some again: an operator wants to know, though the server goes on. */
  spaceChanged(error: OperationalError | null): void;
  /** A server has lost its disk: only an operator can help. */
  peerLostData(id: string): void;
  /** The server can go on no more: a broken invariant, or a disk whose state is unknown. */
  failed(error: unknown): void;
}

export interface ConsensusOptions {
  id: string;
  seed: number;
  loaded: LoadedLog;
  snapshot: SnapshotPoint | null;
  timings: RaftTimings;
  trailingEntries: number;
}

/** How long after the loss of leadership a proposal may wait for the log to tell its fate. */
const FATE_MS = 2000;
/** When a compaction is tried again that a full disk refused: sooner than entries are, so that it comes without them. */
const COMPACT_AGAIN_MS = 100;

/** One server's part in the group. */
export class Consensus {
  readonly #host: ConsensusHost;
  readonly #log: LogStore;
  readonly #machine: Raft;
  readonly #driver: MachineHost<RaftInput, RaftEffect>;
  readonly #waiting = new Map<number, Proposal>();
  readonly #accepted = new Map<number, { proposal: Proposal; term: number }>();
  readonly #reads = new Map<number, { ready(index: number): void; failed(error: OperationalError): void }>();
  readonly #transfers = new Map<number, { done(): void; failed(error: OperationalError): void }>();
  /** The reply to the messages that are being handled. */
  #answers: MessageReply | null = null;
  /** The reply to entries that are being written. */
  #heldReply: MessageReply | null = null;
  readonly #commits = new GroupCommit((entries) => this.#driver.dispatch({ type: "propose", entries }));
  #fateTimer: Timer | null = null;
  /** The last write found no space. */
  #isDiskFull = false;
  /** The furthest compaction that a full disk has refused. */
  #refusedCompaction: { index: number; term: number } | null = null;
  #compactTimer: Timer | null = null;
  #ref = 0;

  constructor(host: ConsensusHost, options: ConsensusOptions) {
    this.#host = host;
    this.#log = host.platform.log;
    this.#machine = new Raft({
      id: options.id,
      seed: options.seed,
      hardState: options.loaded.hardState,
      base: options.loaded.base,
      entries: options.loaded.entries,
      snapshot: options.snapshot,
      applied: options.snapshot?.index ?? 0,
      timings: options.timings,
      limits: { ...RAFT_DEFAULTS.limits, trailingEntries: options.trailingEntries },
    });
    this.#driver = new MachineHost({
      machine: this.#machine,
      platform: host.platform,
      timers: host.timers,
      timeout: { type: "timeout" },
      perform: (effect) => this.#perform(effect),
      failed: (error) => this.#stopped(error),
    });
  }

  /** The machine's getters, for status; nobody but this class steps it. */
  get raft(): Omit<Raft, "step"> {
    return this.#machine;
  }

  /** A first life starts with `configuration`; a later one with what is stored. */
  start(configuration: Configuration | null): void {
    this.#driver.dispatch({ type: "start" });
    if (configuration !== null && this.#machine.lastIndex === 0 && this.#machine.term === 0)
      this.#driver.dispatch({ type: "bootstrap", configuration });
  }

  /** Nothing is stored and nobody has called: the group may have its first configuration. */
  get isVirgin(): boolean {
    return this.#machine.lastIndex === 0;
  }

  /** Gives a new group its first configuration; every one of its servers must give the same. No effect on one that holds anything. */
  bootstrap(configuration: Configuration): void {
    if (this.isVirgin) this.#driver.dispatch({ type: "bootstrap", configuration });
  }

  /** Where a snapshot of everything up to `index`, which is applied, stands. */
  pointAt(index: number): SnapshotPoint {
    const { configuration, index: configurationIndex } = this.#machine.configurationAt(index);
    const term = this.#machine.termAt(index);
    assert(term !== null, `the term of applied entry ${index} is not known`);
    return { index, term, configuration, configurationIndex };
  }

  /** Goes on as the only server of the group, `configuration`, since its quorum is lost for good (raft/DESIGN.md). */
  recover(configuration: Configuration, term: number): void {
    this.#driver.dispatch({ type: "recover", configuration, term });
  }

  /**
   * Takes messages of another server; gives back what is to be said to it, at once or, so that the answer to entries needs
   * no call of its own, when they are durable.
   */
  received(from: string, messages: readonly Message[]): readonly Message[] | Promise<readonly Message[]> {
    const reply = new MessageReply(from, this.#host.timers);
    this.#answers = reply;
    try {
      for (const message of messages) this.#driver.dispatch({ type: "message", from, message });
    } finally {
      this.#answers = null;
    }
    if (reply.messages.length > 0 || !messages.some(hasEntries) || this.#driver.stopped) return reply.messages;
    this.#heldReply?.end();
    this.#heldReply = reply;
    return reply.hold();
  }

  /** Messages to this server got lost. */
  unreachable(peer: string): void {
    this.#driver.dispatch({ type: "unreachable", peer });
  }

  /** A snapshot has come from a peer; it is durable, and ready for `install`. */
  snapshotReceived(from: string, term: number, snapshot: SnapshotPoint): void {
    this.#driver.dispatch({ type: "snapshot-received", from, term, snapshot });
  }

  /** The sending of a snapshot has ended. */
  snapshotSent(peer: string, index: number, ok: boolean): void {
    this.#driver.dispatch({ type: "snapshot-sent", peer, index, ok });
  }

  /** Everything not committed is given up: its outcome is unknown. */
  stop(): void {
    this.#driver.stop();
    this.#host.timers.cancel(this.#fateTimer);
    this.#host.timers.cancel(this.#compactTimer);
    this.#failAll(shuttingDown());
  }

  /** May settle the proposal before it returns, when the log is in memory and this is the only voter. */
  propose(proposal: Proposal): void {
    const ref = this.#await(proposal);
    if (ref !== 0) this.#commits.add(ref, proposal.data);
  }

  /** Followers are told of the commit index now: a reader waits for it. */
  notice(): void {
    this.#driver.dispatch({ type: "notice" });
  }

  /** Proposes a change of membership: its entry is handed to `apply` with the proposal, whose `data` counts for nothing. */
  change(change: ConfigurationChange, proposal: Proposal): void {
    const ref = this.#await(proposal);
    if (ref !== 0) this.#driver.dispatch({ type: "change", ref, change });
  }

  /** The number by which the machine will name it; 0 when there is no machine any more, and it has failed. */
  #await(proposal: Proposal): number {
    if (this.#driver.stopped) {
      proposal.failed(shuttingDown());
      return 0;
    }
    this.#waiting.set(++this.#ref, proposal);
    return this.#ref;
  }

  /** Hands leadership to a voter, or to the best one. @throws OperationalError when it is refused or does not succeed. */
  transfer(to: string | null): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#driver.stopped) {
        reject(shuttingDown());
        return;
      }
      const ref = ++this.#ref;
      this.#transfers.set(ref, { done: resolve, failed: reject });
      this.#driver.dispatch({ type: "transfer", ref, to });
    });
  }

  /**
   * An index that makes a read linearizable once it is applied here, confirmed by a quorum (thesis §6.4).
   * @throws OperationalError `no-leader`.
   */
  readIndex(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#driver.stopped) {
        reject(shuttingDown());
        return;
      }
      const ref = ++this.#ref;
      this.#reads.set(ref, { ready: resolve, failed: reject });
      this.#driver.dispatch({ type: "read-index", ref });
    });
  }

  /** A snapshot of everything up to `index` is durable: the log below may go. */
  snapshotTaken(snapshot: SnapshotPoint): void {
    this.#driver.dispatch({ type: "snapshot-taken", snapshot });
  }

  #perform(effect: RaftEffect): void {
    switch (effect.type) {
      case "persist":
        this.#persist(effect);
        return;
      case "accepted":
        for (const [at, ref] of effect.refs.entries()) {
          const proposal = this.#waiting.get(ref);
          this.#waiting.delete(ref);
          if (proposal !== undefined) this.#accepted.set(effect.index + at, { proposal, term: effect.term });
        }
        return;
      case "commit":
        for (const entry of effect.entries) this.#commit(entry);
        this.#commits.release();
        return;
      case "rejected":
        for (const ref of effect.refs) {
          const proposal = this.#waiting.get(ref) ?? this.#transfers.get(ref);
          this.#waiting.delete(ref);
          this.#transfers.delete(ref);
          proposal?.failed(rejection(effect.reason));
        }
        return;
      case "transfer-done":
        this.#transfers.get(effect.ref)?.done();
        this.#transfers.delete(effect.ref);
        return;
      case "transfer-failed":
        this.#transfers
          .get(effect.ref)
          ?.failed(new OperationalError("refused", "leadership transfer did not complete in time"));
        this.#transfers.delete(effect.ref);
        return;
      case "truncated":
        for (const [index, { proposal }] of this.#accepted) {
          if (index < effect.fromIndex) continue;
          this.#accepted.delete(index);
          proposal.failed(effect.lost ? diskFull() : outcomeUnknown());
        }
        return;
      case "read-ready":
        for (const ref of effect.refs) this.#takeRead(ref)?.ready(effect.index);
        return;
      case "read-failed":
        for (const ref of effect.refs) this.#takeRead(ref)?.failed(noLeader());
        return;
      case "role":
        this.#awaitFate(effect.role);
        this.#commits.release();
        this.#host.roleChanged(effect.role, effect.term, effect.leader);
        return;
      case "configuration":
        this.#host.configurationChanged(effect.configuration);
        return;
      case "compact":
        this.#compact(effect.index, effect.term);
        return;
      case "send":
        this.#send(effect.to, effect.message);
        return;
      case "send-snapshot":
        this.#host.sendSnapshot(effect.to, effect.term);
        return;
      case "install-snapshot":
        this.#install(effect);
        return;
      case "snapshot-refused":
        this.#host.snapshotRefused(effect.index);
        return;
      case "peer-lost-data":
        this.#host.peerLostData(effect.peer);
        return;
      default:
        unreachable(effect);
    }
  }

  #send(to: string, message: Message): void {
    const held = this.#heldReply;
    if (this.#answers?.to === to) this.#answers.say(message);
    else if (held?.to === to && held.isHeld) held.say(message);
    else this.#host.send(to, message);
  }

  #sendAll(messages: readonly Outgoing[]): void {
    if (this.#driver.stopped) return;
    for (const { to, message } of messages) this.#send(to, message);
  }

  #install(effect: Extract<RaftEffect, { type: "install-snapshot" }>): void {
    const { token, snapshot, then } = effect;
    this.#host.install(snapshot);
    // Whether these are in it cannot be told.
    for (const [index, { proposal }] of this.#accepted) {
      if (index > snapshot.index) continue;
      this.#accepted.delete(index);
      proposal.failed(outcomeUnknown());
    }
    this.#write(
      () => this.#log.reset(snapshot.index, snapshot.term),
      () => {
        this.#driver.dispatch({ type: "persisted", token });
        this.#sendAll(then);
      },
      () => this.#driver.dispatch({ type: "persist-refused", token }),
    );
  }

  /** Who leads no more may still see its proposals committed by the next leader: for a while the log may tell. */
  #awaitFate(role: Role): void {
    const { timers } = this.#host;
    if (role === "leader") {
      timers.cancel(this.#fateTimer);
      this.#fateTimer = null;
      return;
    }
    if (this.#accepted.size === 0 || this.#fateTimer?.pending === true) return;
    this.#fateTimer = timers.after(FATE_MS, () => {
      const unknown = [...this.#accepted.values()];
      this.#accepted.clear();
      for (const { proposal } of unknown) proposal.failed(outcomeUnknown());
    });
  }

  #takeRead(ref: number): { ready(index: number): void; failed(error: OperationalError): void } | undefined {
    const read = this.#reads.get(ref);
    this.#reads.delete(ref);
    return read;
  }

  #commit(entry: Entry): void {
    const accepted = this.#accepted.get(entry.index);
    if (accepted === undefined) {
      this.#host.apply(entry, null);
      return;
    }
    this.#accepted.delete(entry.index);
    if (accepted.term === entry.term) this.#host.apply(entry, accepted.proposal);
    else {
      // Another leader's entry has its place: it is certainly not done.
      accepted.proposal.failed(rejection("not-leader"));
      this.#host.apply(entry, null);
    }
  }

  #persist(effect: Extract<RaftEffect, { type: "persist" }>): void {
    const { token } = effect;
    const { platform, dispatchLog } = this.#host;
    const startedMs = platform.now();
    const isLeader = this.#machine.role === "leader";
    if (isLeader && effect.entries.length > 0) this.#commits.writing(token);
    this.#write(
      () => this.#log.append(effect),
      () => {
        if (isLeader) dispatchLog.add(platform.now() - startedMs);
        if (this.#isDiskFull && effect.entries.length > 0) this.#spaceChanged(null);
        this.#driver.dispatch({ type: "persisted", token });
        if (effect.then.length > 0) this.#sendAll(effect.then);
        this.#commits.written(token);
      },
      () => {
        this.#driver.dispatch({ type: "persist-refused", token });
        this.#commits.release();
      },
    );
  }

  /**
   * Nothing rests on it: a log that was not cut only holds more. A full disk may refuse it for no more than the entries that
   * it came after, and it is what makes room, so it is tried until it is done.
   */
  #compact(index: number, term: number): void {
    this.#write(
      () => this.#log.compact(index, term),
      () => {},
      () => {
        if (index > (this.#refusedCompaction?.index ?? 0)) this.#refusedCompaction = { index, term };
        if (this.#compactTimer?.pending === true || this.#driver.stopped) return;
        this.#compactTimer = this.#host.timers.after(COMPACT_AGAIN_MS, () => {
          const refused = this.#refusedCompaction;
          this.#refusedCompaction = null;
          if (refused !== null && !this.#driver.stopped) this.#compact(refused.index, refused.term);
        });
      },
    );
  }

  /** Durable now, or later; a full disk is refused when that can be told, anything else stops the server. */
  #write(write: () => void | Promise<void>, done: () => void, refused?: () => void): void {
    try {
      const written = write();
      if (written === undefined) {
        done();
        return;
      }
      written.then(done, (error: unknown) => this.#writeFailed(error, refused));
    } catch (error) {
      this.#writeFailed(error, refused);
    }
  }

  #writeFailed(error: unknown, refused: (() => void) | undefined): void {
    if (refused !== undefined && error instanceof OperationalError && error.code === "disk-full") {
      this.#spaceChanged(error);
      refused();
    } else this.#stopped(error);
  }

  #spaceChanged(error: OperationalError | null): void {
    if (this.#isDiskFull === (error !== null)) return;
    this.#isDiskFull = error !== null;
    this.#host.spaceChanged(error);
  }

  #stopped(error: unknown): void {
    if (this.#driver.stopped && this.#waiting.size + this.#accepted.size === 0) return;
    this.#driver.stop();
    this.#failAll(new OperationalError("storage-failed", "The server has stopped: its log says why"));
    this.#host.failed(error);
  }

  #failAll(error: OperationalError): void {
    const proposals = [...this.#waiting.values(), ...[...this.#accepted.values()].map(({ proposal }) => proposal)];
    this.#waiting.clear();
    this.#accepted.clear();
    this.#heldReply?.end();
    for (const proposal of proposals) proposal.failed(error);
    const others = [...this.#reads.values(), ...this.#transfers.values()];
    this.#reads.clear();
    this.#transfers.clear();
    for (const other of others) other.failed(error);
  }
}

const hasEntries = (message: Message): boolean => message.type === "append-entries" && message.entries.length > 0;
