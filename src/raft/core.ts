// What one server of the group knows: the state that the modules of this folder share. `Raft` (raft.ts) owns one and
// is the only way in; election, replication, membership and so on are functions over it.
import { assert } from "../util/assert.ts";
import { Random } from "../util/random.ts";
import { ConfigurationHistory, isVoter, NO_SERVERS } from "./configuration.ts";
import type { Leadership } from "./leadership.ts";
import { Log } from "./log.ts";
import { Persistence } from "./persistence.ts";
import type { VoteTally } from "./quorum.ts";
import { ForwardedReads } from "./forwarded-reads.ts";
import type { Transfer } from "./transfer.ts";
import type {
  Configuration,
  DropReason,
  Entry,
  Message,
  RaftEffect,
  RaftLimits,
  RaftOptions,
  RaftTimings,
  Role,
} from "./types.ts";

export class Core {
  readonly id: string;
  readonly timings: RaftTimings;
  readonly limits: RaftLimits;
  readonly random: Random;
  readonly log: Log;
  readonly members: ConfigurationHistory;
  readonly persistence: Persistence;

  /** The time of the present step. Never runs back. */
  now: number = -Infinity;
  isStarted = false;
  role: Role = "follower";
  term: number;
  vote: string | null;
  leader: string | null = null;
  commitIndex: number;
  /** The last entry that a `commit` effect has carried, or that the state machine held at boot. */
  deliveredIndex: number;
  snapshotIndex: number;
  /** The commit index that the leader last named: a log that does not reach it is known to be behind. */
  leaderCommit = 0;

  /** Of the election or pre-election under way. */
  votes: VoteTally | null = null;
  /** Present exactly in the role of leader. */
  leadership: Leadership | null = null;
  /** Outlives the leadership that it ends. */
  transfer: Transfer | null = null;
  readonly forwarded: ForwardedReads;

  /** When this server campaigns, if it is a voter and hears no leader. */
  electionDeadlineMs: number = Infinity;
  /** The random time in [T, 2T) that is now in use. */
  electionTimeoutMs = 0;
  /** Campaigns begun since a leader was last heard. */
  campaigns = 0;
  /** The election timeout has come and was put off once. */
  wasPutOff = false;
  lastHeardMs: number = -Infinity;
  /** No vote is given before (but to the candidate of a transfer): what a leader's lease rests on. */
  promiseUntilMs: number = -Infinity;

  effects: RaftEffect[] = [];
  readonly dropped: Record<DropReason, number> = {
    stale: 0,
    malformed: 0,
    "unknown-peer": 0,
    conflict: 0,
    "empty-log": 0,
    "leader-alive": 0,
    unexpected: 0,
  };

  constructor(options: RaftOptions) {
    const { snapshot, hardState } = options;
    this.id = options.id;
    this.timings = options.timings;
    this.limits = options.limits;
    this.random = new Random(options.seed);
    this.log = new Log(options.base, options.entries);
    this.term = hardState?.term ?? 0;
    this.vote = hardState?.vote ?? null;
    this.snapshotIndex = snapshot?.index ?? 0;
    this.commitIndex = options.applied;
    this.deliveredIndex = options.applied;
    this.members = new ConfigurationHistory({
      configuration: snapshot?.configuration ?? NO_SERVERS,
      index: snapshot?.configurationIndex ?? 0,
    });
    this.persistence = new Persistence(this.log.lastIndex);
    this.forwarded = new ForwardedReads(this.random);
  }

  get configuration(): Configuration {
    return this.members.current;
  }

  get isVoter(): boolean {
    return this.members.voters.includes(this.id);
  }

  /**
   * A server that its newest configuration leaves out may still be needed, as long as that is not committed: it may hold
   * entries that the others lack. It then counts on the votes of others alone (thesis §4.2.2).
   */
  get mayCampaign(): boolean {
    if (this.isVoter) return true;
    return (
      this.members.index > this.commitIndex && isVoter(this.members.at(this.members.index - 1).configuration, this.id)
    );
  }

  /** True when this server alone is a majority. */
  get isSoleVoter(): boolean {
    return this.members.voters.length === 1 && this.members.voters[0] === this.id;
  }

  drop(reason: DropReason): void {
    this.dropped[reason] += 1;
  }

  emit(effect: RaftEffect): void {
    this.effects.push(effect);
  }

  /** Sends now: for what promises nothing that is not durable. */
  send(to: string, message: Message): void {
    this.effects.push({ type: "send", to, message });
  }

  /** Sends once this step is durable. */
  sendAfter(to: string, message: Message): void {
    this.persistence.sendAfter(to, message);
  }

  /** Sends now if term and vote are durable, else once they are. */
  reply(to: string, message: Message): void {
    if (this.persistence.isHardStateDurable) this.send(to, message);
    else this.sendAfter(to, message);
  }

  append(entry: Entry): void {
    this.log.append(entry);
    this.persistence.markEntries(entry.index);
  }

  /** Commits everything up to `index`. */
  commitTo(index: number): void {
    assert(index >= this.commitIndex, `commit ${index} is behind ${this.commitIndex}`);
    assert(index <= this.log.lastIndex, `commit ${index} is beyond the log, which ends at ${this.log.lastIndex}`);
    this.commitIndex = index;
  }

  /** Takes entries from `from` on out of the log; `lost`: nobody else can hold them. */
  truncate(from: number, lost: boolean): void {
    assert(from > this.commitIndex, `entry ${from} is committed`);
    this.log.truncate(from);
    this.persistence.truncate(from);
    this.emit({ type: "truncated", fromIndex: from, lost });
    if (this.members.truncate(from)) this.emitConfiguration();
  }

  emitConfiguration(): void {
    this.emit({ type: "configuration", configuration: this.members.current, index: this.members.index });
  }
}
