// The Raft machine: one server of a group, as a function from inputs to effects (thesis, all of chapters 3 to 6 but joint
// consensus). It does no I/O, has no clock and throws only when it has a bug. DESIGN.md lists what its host must do.
import { assert, unreachable } from "../util/assert.ts";
import { advanceCommit } from "./commit.ts";
import type { PlacedConfiguration } from "./configuration.ts";
import { decodeConfiguration, encodeConfiguration, isConfiguration, makeConfiguration } from "./configuration.ts";
import { Core } from "./core.ts";
import { campaign, onElectionTimeout, onRequestVote, onTimeoutNow, onVoteDurable, onVoteResponse } from "./election.ts";
import { onAppendEntries } from "./follower.ts";
import { canReadLocally, hearsQuorum } from "./lease.ts";
import { onChange } from "./membership.ts";
import { isWellFormed, isWellFormedSnapshot } from "./message-check.ts";
import { checkOptions } from "./options.ts";
import { onForwardTimeout, onRead, onReadIndex, onReadIndexResponse } from "./read-index.ts";
import { onRecover } from "./recovery.ts";
import { onAppendResponse, onPropose, onUnreachable } from "./replication.ts";
import { becomeFollower, restartElectionTimer, setElectionDeadline } from "./role.ts";
import { beginRound, noticeCommit, sendNotices } from "./sending.ts";
import { onSnapshotReceived, onSnapshotSent, onSnapshotTaken } from "./snapshot.ts";
import { handOver, nudgeTarget, onTransfer, settleTransfer } from "./transfer.ts";
import type {
  Configuration,
  DropReason,
  Entry,
  Message,
  ProgressStatus,
  RaftEffect,
  RaftInput,
  RaftOptions,
  Role,
} from "./types.ts";

/** The term that bootstrap is said to have happened in: nobody leads in it. */
const BOOTSTRAP_TERM = 1;

export class Raft {
  readonly #core: Core;
  /** As the last `role` effect said. */
  #saidRole: Role = "follower";
  #saidTerm = -1;
  #saidLeader: string | null = null;

  /** @throws AssertionError when the options contradict each other. */
  constructor(options: RaftOptions) {
    checkOptions(options);
    const core = new Core(options);
    const known = options.snapshot?.index ?? 0;
    for (const entry of options.entries) {
      if (entry.kind !== "config" || entry.index <= known) continue;
      const configuration = decodeConfiguration(entry.data);
      assert(configuration !== null, `the configuration at ${entry.index} is unreadable`);
      core.members.append(configuration, entry.index);
    }
    this.#core = core;
  }

  /** Takes one input to its end. `now` is monotonic milliseconds. The effects are to be carried out in their order. */
  step(now: number, input: RaftInput): RaftEffect[] {
    const core = this.#core;
    if (now > core.now) core.now = now;
    core.effects = [];
    if (core.isStarted || input.type === "start") this.#handle(input);
    else core.drop("unexpected");
    this.#finish();
    return core.effects;
  }

  #handle(input: RaftInput): void {
    const core = this.#core;
    switch (input.type) {
      case "start":
        return this.#start();
      case "bootstrap":
        return this.#bootstrap(input.configuration);
      case "recover":
        return onRecover(core, input.configuration, input.term);
      case "timeout":
        return this.#timeout();
      case "campaign":
        return campaign(core);
      case "propose":
        return onPropose(core, input.entries);
      case "message":
        return this.#message(input.from, input.message);
      case "persisted":
        return this.#persisted(input.token);
      case "persist-refused":
        return this.#persistRefused(input.token);
      case "snapshot-taken":
        return onSnapshotTaken(core, input.snapshot);
      case "snapshot-received":
        if (isWellFormedSnapshot(input.snapshot)) {
          return onSnapshotReceived(core, input.from, input.term, input.snapshot);
        }
        return core.drop("malformed");
      case "snapshot-sent":
        return onSnapshotSent(core, input.peer, input.index, input.ok);
      case "change":
        return onChange(core, input.ref, input.change);
      case "transfer":
        return onTransfer(core, input.ref, input.to);
      case "read-index":
        return onRead(core, input.ref);
      case "notice":
        if (core.leadership !== null && core.leadership.notifyDeadlineMs < Infinity) sendNotices(core, core.leadership);
        return;
      case "unreachable":
        return onUnreachable(core, input.peer);
      default:
        return unreachable(input);
    }
  }

  #start(): void {
    const core = this.#core;
    assert(!core.isStarted, "a machine starts once");
    core.isStarted = true;
    // It may have answered a leader just before it was stopped: what that leader's lease rests on must outlive the restart.
    if (core.term > BOOTSTRAP_TERM && !core.isSoleVoter) {
      core.promiseUntilMs = core.now + core.timings.electionTimeoutMs;
    }
    restartElectionTimer(core);
    if (core.isSoleVoter) campaign(core);
  }

  #bootstrap(configuration: Configuration): void {
    const core = this.#core;
    if (core.log.lastIndex !== 0 || !isConfiguration(configuration)) return core.drop("unexpected");
    const first = makeConfiguration(configuration.servers);
    if (core.term < BOOTSTRAP_TERM) becomeFollower(core, BOOTSTRAP_TERM, null);
    core.append({ index: 1, term: BOOTSTRAP_TERM, kind: "config", data: encodeConfiguration(first) });
    core.members.append(first, 1);
    core.emitConfiguration();
    restartElectionTimer(core);
    if (core.isSoleVoter) campaign(core);
  }

  #timeout(): void {
    const core = this.#core;
    if (core.now >= core.forwarded.deadlineMs) onForwardTimeout(core);
    if (core.leadership !== null) this.#leaderTimeout();
    else if (core.mayCampaign && core.now >= core.electionDeadlineMs) onElectionTimeout(core);
  }

  #leaderTimeout(): void {
    const core = this.#core;
    const lead = core.leadership!;
    if (core.now >= lead.notifyDeadlineMs) sendNotices(core, lead);
    if (core.now < lead.heartbeatDeadlineMs || lead.progress.size === 0) return;
    const lateMs = core.now - lead.heartbeatDeadlineMs;
    lead.heartbeatDeadlineMs = core.now + core.timings.heartbeatMs;
    // After a stall of this process answers may be waiting behind this timeout: they are let in before the leader gives up.
    const isStalled = lateMs > core.timings.heartbeatMs && !lead.wasStalled;
    lead.wasStalled = isStalled;
    if (!isStalled && !hearsQuorum(core, lead)) {
      becomeFollower(core, core.term, null);
      return;
    }
    beginRound(core, lead);
    nudgeTarget(core, lead);
  }

  #message(from: string, message: Message): void {
    const core = this.#core;
    if (from === core.id || from === "" || !isWellFormed(message)) return core.drop("malformed");
    switch (message.type) {
      case "request-vote":
        return onRequestVote(core, from, message);
      case "vote-response":
        return onVoteResponse(core, from, message);
      case "append-entries":
        return onAppendEntries(core, from, message);
      default:
    }
    // For the rest an older term means too late, and a later one that this server was left behind.
    if (message.term > core.term) becomeFollower(core, message.term, null);
    if (message.term < core.term) return core.drop("stale");
    switch (message.type) {
      case "append-response":
        return onAppendResponse(core, from, message);
      case "timeout-now":
        return onTimeoutNow(core, from, message);
      case "read-index":
        return onReadIndex(core, from, message);
      case "read-index-response":
        return onReadIndexResponse(core, from, message);
      default:
        return unreachable(message);
    }
  }

  #persisted(token: number): void {
    const core = this.#core;
    if (!core.persistence.confirm(token, core.effects)) return core.drop("unexpected");
    if (core.leadership === null) return onVoteDurable(core);
    advanceCommit(core, core.leadership);
    if (core.leadership !== null) noticeCommit(core, core.leadership);
  }

  /** The disk is full. A group goes on under another leader; a sole voter takes back what nobody else has seen. */
  #persistRefused(token: number): void {
    const core = this.#core;
    const { persistence, log } = core;
    if (!persistence.refuse(token, core.now + core.timings.electionTimeoutMs)) return core.drop("unexpected");
    const lead = core.leadership;
    if (lead === null) {
      setElectionDeadline(core, Math.max(core.electionDeadlineMs, persistence.blockedUntilMs));
      return;
    }
    const from = Math.max(persistence.stableIndex, core.commitIndex) + 1;
    const isTakenBack = core.isSoleVoter && from > lead.sentIndex && from > lead.termStart && from <= log.lastIndex;
    if (!isTakenBack) return handOver(core, lead);
    lead.uncommittedBytes -= log.bytesBetween(from, log.lastIndex);
    persistence.forgetBacklog(from);
    core.truncate(from, true);
    lead.syncProgress(core);
  }

  /** Ends a step: what it changed is written, what it committed is delivered, what it became is said. */
  #finish(): void {
    const core = this.#core;
    const { effects, log } = core;
    settleTransfer(core);
    core.persistence.flush(core.now, log, { term: core.term, vote: core.vote }, effects);
    if (core.deliveredIndex < core.commitIndex) {
      effects.push({ type: "commit", entries: log.slice(core.deliveredIndex + 1, core.commitIndex) });
      core.deliveredIndex = core.commitIndex;
    }
    if (
      core.isStarted &&
      (core.role !== this.#saidRole || core.term !== this.#saidTerm || core.leader !== this.#saidLeader)
    ) {
      this.#saidRole = core.role;
      this.#saidTerm = core.term;
      this.#saidLeader = core.leader;
      effects.push({ type: "role", role: core.role, term: core.term, leader: core.leader });
    }
  }

  /** When to give `timeout`, in the milliseconds of `now`; null: only other inputs matter. */
  get deadline(): number | null {
    const core = this.#core;
    const lead = core.leadership;
    let at = Math.min(core.forwarded.deadlineMs, core.transfer?.deadlineMs ?? Infinity);
    if (core.persistence.hasBacklog) at = Math.min(at, core.persistence.blockedUntilMs);
    if (lead === null) {
      if (core.isStarted && core.mayCampaign) at = Math.min(at, core.electionDeadlineMs);
    } else if (lead.progress.size > 0) {
      at = Math.min(at, lead.heartbeatDeadlineMs, lead.notifyDeadlineMs);
    }
    return at === Infinity ? null : at;
  }

  get id(): string {
    return this.#core.id;
  }
  get role(): Role {
    return this.#core.role;
  }
  get term(): number {
    return this.#core.term;
  }
  /** The leader of `term`, as far as it is known. */
  get leader(): string | null {
    return this.#core.leader;
  }
  get commitIndex(): number {
    return this.#core.commitIndex;
  }
  /** The highest index that this server knows to be committed, whether it holds it or not. */
  get knownCommit(): number {
    return Math.max(this.#core.commitIndex, this.#core.leaderCommit);
  }
  get lastIndex(): number {
    return this.#core.log.lastIndex;
  }
  get lastTerm(): number {
    return this.#core.log.lastTerm;
  }
  /** Entries after it are in memory. */
  get baseIndex(): number {
    return this.#core.log.baseIndex;
  }
  /** The log is durable up to here. */
  get stableIndex(): number {
    return this.#core.persistence.stableIndex;
  }
  /** Where the newest snapshot ends that this server took or installed; 0: none. */
  get snapshotIndex(): number {
    return this.#core.snapshotIndex;
  }
  /** The configuration in force, committed or not. */
  get configuration(): Configuration {
    return this.#core.configuration;
  }
  /** The index of its entry. */
  get configurationIndex(): number {
    return this.#core.members.index;
  }
  /** Messages and inputs that were thrown away, by reason, since the start. */
  get dropped(): Readonly<Record<DropReason, number>> {
    return this.#core.dropped;
  }

  /** The configuration as of `index`, from `snapshotIndex` on: what a snapshot of that index must carry. */
  configurationAt(index: number): PlacedConfiguration {
    return this.#core.members.at(index);
  }

  /** The term of the entry at `index`; null when it is not in the log. */
  termAt(index: number): number | null {
    return this.#core.log.termAt(index);
  }

  /** The entries from `from` to `to`, both included, which must be in memory. */
  entriesBetween(from: number, to: number): Entry[] {
    return this.#core.log.slice(from, to);
  }

  /** What the leader knows of each peer, sorted by id; empty on others. */
  get progress(): ProgressStatus[] {
    const { leadership, members } = this.#core;
    const all = Array.from(leadership?.progress.values() ?? [], ({ id, match, next, state, lastContactMs }) => ({
      id,
      voter: members.voters.includes(id),
      match,
      next,
      state,
      lastContactMs,
    }));
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /**
   * True when a read of the applied state is linearizable without asking anyone: this server leads, its lease holds at
   * `now`, it has committed in its term. The host must have applied every `commit` it was given.
   */
  canReadLocally(now: number): boolean {
    return canReadLocally(this.#core, now);
  }

  /** Milliseconds since a leader was heard: 0 on the leader, Infinity when none was since the start. */
  lastContact(now: number): number {
    return this.#core.role === "leader" ? 0 : Math.max(0, now - this.#core.lastHeardMs);
  }
}
