// The plain data that goes into and comes out of the Raft machine. Terms are those of Ongaro's thesis ("Consensus:
// Bridging Theory and Practice", 2014). The machine itself is `Raft` in raft.ts; DESIGN.md lists the host's duties.
//
// Indexes and terms are integers from 0 (none) upwards; times are monotonic milliseconds of the server at hand and never
// leave it; a `ref` is a number that the host chooses and that the machine only gives back.

/** `command` carries the store's bytes, `noop` opens a term (thesis §6.4), `config` carries a `Configuration`. */
export type EntryKind = "command" | "noop" | "config";

/** One entry of the log. Indexes start at 1 and have no gaps. */
export interface Entry {
  index: number;
  term: number;
  kind: EntryKind;
  data: Uint8Array;
}

/** What a server must never forget (thesis Figure 3.1): one record, written together. */
export interface HardState {
  term: number;
  /** The server voted for in `term`, or null. */
  vote: string | null;
}

/** A member of the group. A non-voter receives the log and counts in no quorum (thesis §4.2.1). */
export interface Server {
  id: string;
  address: string;
  voter: boolean;
}

/** Who is in the group. Servers are sorted by id and ids are unique; no server at all means not bootstrapped yet. */
export interface Configuration {
  readonly servers: readonly Server[];
}

/** Where a snapshot stands in the log. It says who was in the group, since the entry that said so may be gone. */
export interface SnapshotPoint {
  /** The last entry that the snapshot covers. */
  index: number;
  /** That entry's term. */
  term: number;
  /** The newest configuration at or before `index`; `Raft.configurationAt(index)` gives both fields. */
  configuration: Configuration;
  /** The index of the entry that `configuration` came from. */
  configurationIndex: number;
}

// ---------------------------------------------------------------------------------------------------------- options

/** All milliseconds. The same on every server of a group, as far as may be; what must hold even so is said at the field. */
export interface RaftTimings {
  /** How often a leader speaks to a quiet follower. Shorter: more messages. Longer: later failover, shorter useful lease. */
  heartbeatMs: number;
  /**
   * T: a follower that hears no leader for a random time in [T, 2T) campaigns, and grants no vote for T after it heard one.
   * A leader that hears no quorum for T steps down. Shorter: faster failover. Longer: patience with stalls.
   */
  electionTimeoutMs: number;
  /** How long after a round of heartbeats began its quorum of answers lets the leader read locally; at most 0.9 T. 0: never. */
  leaseMs: number;
  /** How long a follower may wait to be told of a commit when nothing else is to be sent. 0: told at once. */
  commitNotifyMs: number;
}

/** Bounds of memory and of message size. Bytes are those of `Entry.data`. */
export interface RaftLimits {
  maxEntriesPerMessage: number;
  /** A message carries at least one entry, however large. */
  maxBytesPerMessage: number;
  /** Messages with entries that may be under way to one follower. */
  maxInflight: number;
  /** Bytes that may be under way to one follower. */
  maxInflightBytes: number;
  /** Bytes of proposals that may wait for commit; beyond it proposals are rejected with `overloaded`. */
  maxUncommittedBytes: number;
  /** Entries kept below a new snapshot, so that a follower slightly behind needs no snapshot. */
  trailingEntries: number;
  /** Bytes kept below a new snapshot; the smaller of the two bounds counts. */
  trailingBytes: number;
}

export interface RaftOptions {
  /** This server's id: unique for ever. A server whose disk was lost must come back with another one. */
  id: string;
  /** Seed of the machine's random numbers: another one at every boot (read contexts rely on it). */
  seed: number;
  /** As stored; null on a server that never wrote any. */
  hardState: HardState | null;
  /** The entry before `entries`: what compaction left; zeros when the log is whole. */
  base: { index: number; term: number };
  /** The stored log after `base`. The machine copies the array, not the entries. */
  entries: readonly Entry[];
  /** The newest durable snapshot, at or after `base` and at or before the log's end: see `reconcileLog`. Null: none. */
  snapshot: SnapshotPoint | null;
  /** The last entry that the state machine already holds, at least `snapshot.index`: `commit` begins after it. */
  applied: number;
  timings: RaftTimings;
  limits: RaftLimits;
}

// --------------------------------------------------------------------------------------------------------- messages

/** Asks for a vote in `term` (thesis §3.4), or whether one would be given (`preVote`, §9.6; `term` is then the asker's plus one). */
export interface RequestVote {
  type: "request-vote";
  term: number;
  preVote: boolean;
  /** The leader itself asked for this election (§3.10), so having heard a leader is no reason to refuse. */
  transfer: boolean;
  lastIndex: number;
  lastTerm: number;
}

/** `term` is the term asked for when a pre-vote is granted, else the answerer's own. */
export interface VoteResponse {
  type: "vote-response";
  term: number;
  preVote: boolean;
  granted: boolean;
}

/** Log replication and heartbeat in one (§3.5): without entries it is a heartbeat. */
export interface AppendEntries {
  type: "append-entries";
  term: number;
  prevIndex: number;
  prevTerm: number;
  /** The leader's commit index. */
  commit: number;
  /** Counts the leader's rounds of heartbeats; echoed. Read index and lease are built on it. */
  round: number;
  /** The leader's own lease: who takes this message votes for nobody until it must have run out. */
  leaseMs: number;
  entries: readonly Entry[];
}

export interface AppendResponse {
  type: "append-response";
  term: number;
  /** The round of the message answered. */
  round: number;
  success: boolean;
  /** Success: the answerer durably holds the leader's log up to here. Otherwise: the `prevIndex` it refused. */
  index: number;
  /** When refused: the last index at or below the refused one whose term is not above the refused term, and its term (etcd's hint). */
  hintIndex: number;
  hintTerm: number;
  /** When refused: the end of the answerer's log; 0 says that it holds nothing at all. */
  lastIndex: number;
}

/** The leader hands over (§3.10): campaign now, without pre-vote. */
export interface TimeoutNow {
  type: "timeout-now";
  term: number;
}

/** A follower asks for the leader's read index (§6.4). `context` is fresh for every attempt. */
export interface ReadIndex {
  type: "read-index";
  term: number;
  context: number;
}

export interface ReadIndexResponse {
  type: "read-index-response";
  term: number;
  context: number;
  /** Reads that wait until this is applied are linearizable; null: refused. */
  index: number | null;
}

/** What servers send each other. The same object may be sent to several peers: an encoder can remember it by identity. */
export type Message =
  | RequestVote
  | VoteResponse
  | AppendEntries
  | AppendResponse
  | TimeoutNow
  | ReadIndex
  | ReadIndexResponse;

export interface Outgoing {
  to: string;
  message: Message;
}

// ----------------------------------------------------------------------------------------------------------- inputs

export interface Proposal {
  ref: number;
  data: Uint8Array;
}

/** One change of membership (§4): `add` joins as non-voter, or gives a known server another address. */
export type ConfigurationChange =
  | { kind: "add"; id: string; address: string }
  | { kind: "promote"; id: string }
  | { kind: "demote"; id: string }
  | { kind: "remove"; id: string };

export type RaftInput =
  /** First input, once: timers begin. A sole voter becomes leader in this step. */
  | { type: "start" }
  /** First life of a group: every initial voter gives the same configuration. Refused (dropped) by a server that holds anything. */
  | { type: "bootstrap"; configuration: Configuration }
  /**
   * The quorum is lost for good: this server goes on as the only one of `configuration`, with all that is in its log, in a term
   * after its own and after `term`, the highest that any other survivor knows. Refused (dropped) by a leader and by a
   * server that holds nothing. DESIGN.md, the host's duties, 15.
   */
  | { type: "recover"; configuration: Configuration; term: number }
  /** `deadline` has passed. Too early or too often does no harm. */
  | { type: "timeout" }
  /** Campaign now (with pre-vote), whatever the timers say. */
  | { type: "campaign" }
  /** A batch to append: taken whole, or rejected whole. */
  | { type: "propose"; entries: readonly Proposal[] }
  | { type: "message"; from: string; message: Message }
  /** The `persist` or `install-snapshot` with this token, and every one before it, is durable. */
  | { type: "persisted"; token: number }
  /** Nothing of this `persist`, nor of any later one that was emitted, was written: the disk is full. */
  | { type: "persist-refused"; token: number }
  /** A snapshot of this server's own state machine is durable: the log below it may go. */
  | { type: "snapshot-taken"; snapshot: SnapshotPoint }
  /** A peer's snapshot arrived whole, checked and durable; `term` is the one the sender's `send-snapshot` named. */
  | { type: "snapshot-received"; from: string; term: number; snapshot: SnapshotPoint }
  /** A `send-snapshot` has ended: the peer holds the snapshot of `index` (ok), or does not (tried again later). */
  | { type: "snapshot-sent"; peer: string; index: number; ok: boolean }
  | { type: "change"; ref: number; change: ConfigurationChange }
  /** Hand leadership to `to`, or to the best voter. */
  | { type: "transfer"; ref: number; to: string | null }
  /** Ask for an index that makes a read linearizable without trusting clocks (§6.4), on any server. */
  | { type: "read-index"; ref: number }
  /** Tell followers of the commit index now, if that is still to be done: somebody waits for it there. */
  | { type: "notice" }
  /** A message to this peer certainly or probably got lost. */
  | { type: "unreachable"; peer: string };

// ---------------------------------------------------------------------------------------------------------- effects

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

export type RejectReason =
  | "not-leader"
  /** Leadership is being handed over; soon over, one way or the other. */
  | "transferring"
  /** The one change of membership that may be under way is not committed yet. */
  | "config-pending"
  /** The leader has not yet committed an entry of its own term (2015 guard of membership changes). */
  | "not-ready"
  /** The change says nothing new, names an unknown server, or leaves no voter; the transfer names no other voter. */
  | "invalid"
  /** The server to promote has confirmed nothing to this leader yet. */
  | "not-caught-up"
  | "overloaded"
  | "disk-full";

/** In the order in which the host must act on them. */
export type RaftEffect =
  /**
   * Write `entries` and `hardState` (null: unchanged) in one atomic batch, in the order of tokens; then give `persisted`;
   * then send `then`. The stored tail from `entries[0].index` on, if there is one, is replaced. There is always something to write.
   */
  | {
      type: "persist";
      token: number;
      entries: readonly Entry[];
      hardState: HardState | null;
      then: readonly Outgoing[];
    }
  /** Send now: it promises nothing that is not durable. May be lost, doubled, late. */
  | { type: "send"; to: string; message: Message }
  /** The proposals (or the change) `refs[i]` got index `index + i`. Outcome: `commit` with this term, `truncated`, or never known. */
  | { type: "accepted"; refs: readonly number[]; index: number; term: number }
  /** Certainly not in the log. */
  | { type: "rejected"; refs: readonly number[]; reason: RejectReason; leader: string | null }
  /**
   * Entries from `fromIndex` on are gone from this log. `lost` says that no other server can hold them either (a sole
   * voter's full disk); otherwise what was accepted there may still be committed by others: outcome unknown.
   */
  | { type: "truncated"; fromIndex: number; lost: boolean }
  /** Committed, in order, without gaps: apply. */
  | { type: "commit"; entries: readonly Entry[] }
  /** Role, term or known leader changed. Proposals accepted and not committed keep their unknown outcome. */
  | { type: "role"; role: Role; term: number; leader: string | null }
  /** The configuration in force changed: appended, rolled back or installed. `index` is its entry's. */
  | { type: "configuration"; configuration: Configuration; index: number }
  /** Reads `refs` are linearizable once `index` is applied here. */
  | { type: "read-ready"; refs: readonly number[]; index: number }
  | { type: "read-failed"; refs: readonly number[]; leader: string | null }
  /** Send the newest snapshot to this peer out of band, naming `term`; report with `snapshot-sent`. */
  | { type: "send-snapshot"; to: string; term: number }
  /**
   * Put a received snapshot in place of log and state: `LogStore.reset(index, term)` in the order of tokens, state machine
   * restored before any later `commit`, unless it already stands at or beyond `index` (the write was refused once, and comes
   * again); then give `persisted`; then send `then`.
   */
  | { type: "install-snapshot"; token: number; snapshot: SnapshotPoint; then: readonly Outgoing[] }
  /** A received snapshot tells nothing new: it may be deleted. */
  | { type: "snapshot-refused"; index: number }
  /** `LogStore.compact(index, term)`; at leisure, but after every `persist` before it. */
  | { type: "compact"; index: number; term: number }
  | { type: "transfer-done"; ref: number; leader: string }
  | { type: "transfer-failed"; ref: number }
  /** A voter no longer holds what it had confirmed: its disk was lost. It gets no entries until removed; tell the operator. */
  | { type: "peer-lost-data"; peer: string };

// ----------------------------------------------------------------------------------------------------------- status

/** `probe`: one message at a time until the logs meet; `replicate`: pipelined; `snapshot`: waits for one; `lost`: its data is gone. */
export type ProgressState = "probe" | "replicate" | "snapshot" | "lost";

/** What the leader knows of a peer. */
export interface ProgressStatus {
  id: string;
  voter: boolean;
  /** The peer durably holds the leader's log up to here. */
  match: number;
  /** The next entry to send. */
  next: number;
  state: ProgressState;
  /** Monotonic time of its last answer. */
  lastContactMs: number;
}

/** Why messages were thrown away. */
export type DropReason =
  /** Of an older term, attempt or state than the present one. */
  | "stale"
  /** Shape or numbers that no right server sends. */
  | "malformed"
  /** From a server that is not in the configuration, where that matters. */
  | "unknown-peer"
  /** A second leader in one term, or entries against committed ones: another server is broken. */
  | "conflict"
  /** A vote asked of a server whose log is empty (wiped disk). */
  | "empty-log"
  /** A vote asked while a leader was heard. */
  | "leader-alive"
  /** An input that makes no sense here. */
  | "unexpected";

// The class, in raft.ts:
//
// class Raft {
//   constructor(options: RaftOptions);                       // throws AssertionError on impossible options
//   step(now: number, input: RaftInput): RaftEffect[];
//   readonly deadline: number | null;                        // give `timeout` when it has passed
//   readonly id, role, term, leader, commitIndex, lastIndex, lastTerm;
//   readonly baseIndex: number;                              // entries after it are in memory
//   readonly stableIndex: number;                            // the log is durable up to here
//   readonly snapshotIndex: number;                          // the newest snapshot this server took or installed
//   readonly configuration: Configuration; readonly configurationIndex: number;
//   configurationAt(index): { configuration, index };        // for a snapshot at `index` <= commitIndex
//   termAt(index): number | null;                            // null when not in the log
//   entriesBetween(from, to): Entry[];                       // from <= index <= to
//   progress: ProgressStatus[];                              // on the leader; otherwise empty
//   canReadLocally(now): boolean;                            // leader, lease valid, own-term entry committed
//   knownCommit: number;                                     // the highest index known to be committed, here or not
//   lastContact(now): number;                                // ms since a leader was heard; 0 on the leader; Infinity never
//   readonly dropped: Readonly<Record<DropReason, number>>;
// }
//
// Beside it: RAFT_DEFAULTS { timings, limits } and reconcileLog(loaded, snapshot) in options.ts;
// encodeConfiguration / decodeConfiguration / makeConfiguration in configuration.ts.
