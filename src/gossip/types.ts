// The plain data that goes into and comes out of the gossip machine: one member's view of a pool. Words are those of SWIM
// (Das, Gupta, Motivala 2002), Lifeguard (Dadgar, Phillips, Currey 2018), memberlist and Serf. The machine itself is
// `Gossip` in gossip.ts; DESIGN.md lists the host's duties.
//
// Times are monotonic milliseconds of the member at hand and never leave it. An address is what the host can call, usually
// `host:port`. A `ref` is a number that the host chooses and that the machine only gives back. Records and messages are
// shared, never changed: the same object may be in several messages and tables.
import type { IpNetwork } from "../util/ip-address.ts";

/** What a member says of itself, for others to read. */
export type Tags = Readonly<Record<string, string>>;

/** Versions of the protocol and of what its user makes of it (the delegate): what is understood, and what is spoken. */
export interface Versions {
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly protocolCurrent: number;
  readonly delegateMin: number;
  readonly delegateMax: number;
  readonly delegateCurrent: number;
}

/** A member as it describes itself. Either it has an address, or it is a leaf: nobody can call it, and its anchor speaks for it. */
export interface MemberRecord {
  /** Unique in the pool. */
  readonly name: string;
  /** Empty for a leaf. */
  readonly address: string;
  /** For a leaf the name of the member it calls; else null. */
  readonly anchor: string | null;
  readonly tags: Tags;
  readonly versions: Versions;
}

/** What the protocol holds of a member: SWIM's three, and gone of its own will. */
export type MemberState = "alive" | "suspect" | "dead" | "left";

/** Serf's public status: a suspect is still alive; a dead member has failed, or left if it had said that it would. */
export type MemberStatus = "alive" | "leaving" | "left" | "failed";

/** A network coordinate in seconds (Vivaldi with heights, Serf's form). */
export interface Coordinate {
  readonly Vec: readonly number[];
  readonly Error: number;
  readonly Adjustment: number;
  readonly Height: number;
}

/** A member as the host sees it. */
export interface MemberView {
  readonly name: string;
  readonly address: string;
  readonly anchor: string | null;
  readonly tags: Tags;
  readonly versions: Versions;
  readonly status: MemberStatus;
  readonly incarnation: number;
}

// ---------------------------------------------------------------------------------------------------------- updates

/** Only the member itself raises its incarnation (SWIM §4.2). */
export interface Alive {
  type: "alive";
  incarnation: number;
  member: MemberRecord;
}

/** `from` could not reach it. */
export interface Suspect {
  type: "suspect";
  name: string;
  incarnation: number;
  from: string;
}

/** Confirmed dead; by itself (`from` is `name`): it left. */
export interface Dead {
  type: "dead";
  name: string;
  incarnation: number;
  from: string;
}

/** A member has joined, at this Lamport time. It outdoes any older intent to leave. */
export interface JoinIntent {
  type: "join-intent";
  name: string;
  time: number;
}

/** A member is about to leave, or is to be taken for left (force-leave), and with `prune` forgotten at once. */
export interface LeaveIntent {
  type: "leave-intent";
  name: string;
  time: number;
  prune: boolean;
}

/** An event of the pool's users. The same Lamport time, name and payload: the same event. */
export interface UserEvent {
  type: "user-event";
  time: number;
  name: string;
  payload: Uint8Array;
  /** A receiver may hand over only the newest of several with this name. */
  coalesce: boolean;
}

/** What is spread by infection, piggybacked on every message. */
export type Update = Alive | Suspect | Dead | JoinIntent | LeaveIntent | UserEvent;

// --------------------------------------------------------------------------------------------------------- messages

/** Are you there? The answer is `ack`, or `refused` when somebody else is. */
export interface Ping {
  type: "ping";
  from: string;
  target: string;
  updates: readonly Update[];
  /** From a leaf to its anchor: the last `sequence` it got; else 0. */
  received: number;
}

/** Ask `target` for me (SWIM §3.1). The answer is `ack` or, after `timeoutMs` at most, `nack` (Lifeguard §IV-A). */
export interface IndirectPing {
  type: "indirect-ping";
  from: string;
  target: string;
  timeoutMs: number;
  updates: readonly Update[];
}

/** Nothing but updates. The answer is `ack`. */
export interface Rumours {
  type: "rumours";
  from: string;
  updates: readonly Update[];
}

/** Full state for full state. The answer is `push-pull-answer`. */
export interface PushPull {
  type: "push-pull";
  from: string;
  /** The asker joins: it wants no events of before. */
  join: boolean;
  state: PoolState;
}

/** Whom do you know by this name? The answer is `holder`. Settles a conflict over a name. */
export interface WhoHolds {
  type: "who-holds";
  from: string;
  name: string;
}

/** What members ask each other. */
export type Request = Ping | IndirectPing | Rumours | PushPull | WhoHolds;

/** Yes: the member that was asked answers, or a helper on its behalf. */
export interface Ack {
  type: "ack";
  from: string;
  updates: readonly Update[];
  /** The answerer's own; null in a relayed answer. */
  coordinate: Coordinate | null;
  /** To a leaf: names what `updates` hold, to be given back as `received`; else 0. */
  sequence: number;
}

/** The helper works, but could not reach the target. */
export interface Nack {
  type: "nack";
  from: string;
  updates: readonly Update[];
}

/** The full state of the one that was asked. */
export interface PushPullAnswer {
  type: "push-pull-answer";
  from: string;
  state: PoolState;
}

/** Who is known by the name that was asked for. */
export interface Holder {
  type: "holder";
  from: string;
  /** The address of an alive member of that name; null: none known. */
  address: string | null;
}

/** Why a request is refused; some of them are also reasons to drop. */
export type RefusalReason = "malformed" | "wrong-target" | "vetoed" | "protocol" | "address" | "left";

/** No. `text` tells a person why. */
export interface Refused {
  type: "refused";
  reason: RefusalReason;
  text: string;
}

/** What they answer. */
export type Answer = Ack | Nack | PushPullAnswer | Holder | Refused;

/** One row of `PoolState`. */
export interface MemberRow {
  readonly member: MemberRecord;
  readonly incarnation: number;
  readonly state: MemberState;
  /** An intent to leave is known. */
  readonly leaving: boolean;
  /** Lamport time of the newest intent known of it. */
  readonly time: number;
}

/** All that a member knows of the pool. */
export interface PoolState {
  readonly members: readonly MemberRow[];
  /** Lamport clock of intents. */
  readonly time: number;
  /** Lamport clock of user events. */
  readonly eventTime: number;
  /** The recent ones, oldest first. */
  readonly events: readonly UserEvent[];
}

// ---------------------------------------------------------------------------------------------------------- options

/** All milliseconds, save multipliers and counts. What is too low or too high costs is said at the field. */
export interface GossipTimings {
  /** One probe in every such time. Shorter: faster detection, more messages. */
  probeIntervalMs: number;
  /** After it helpers are asked; the direct probe still counts until the interval's end. About the 99th percentile of round trips. */
  probeTimeoutMs: number;
  /** Helpers asked (SWIM's k). */
  indirectChecks: number;
  /** Suspicion lasts this × log10(members) × probe interval at least. Lower: faster detection, more false ones. */
  suspicionMult: number;
  /** … and this × as long while nobody else suspects. 1: as in plain SWIM. */
  suspicionMaxTimeoutMult: number;
  /** Local health runs from 0 to this - 1 and lengthens probe intervals by as much. 1: as in plain SWIM. */
  awarenessMaxMultiplier: number;
  /** A suspect is told first, with whatever is sent to it (Lifeguard's buddy system). */
  buddySystem: boolean;
  /** A loop delay (or a late timeout) above this is a stall, which lowers local health. */
  stallMs: number;
  /** While there is something to spread it is sent to `gossipNodes` members in every such time. */
  gossipIntervalMs: number;
  gossipNodes: number;
  /** An update is sent until this × ceil(log10(members + 1)) members have acknowledged it. */
  retransmitMult: number;
  /** Dead members are still told of it for so long, so that they can refute it. */
  gossipToTheDeadMs: number;
  /** Full state is exchanged in every such time, longer in pools of more than 32. */
  pushPullIntervalMs: number;
  /** How long a push-pull may take. */
  pushPullTimeoutMs: number;
  /** A dead member's name may be taken by another address after so long. */
  deadNodeReclaimMs: number;
  /** How often failed members are tried again. */
  reconnectIntervalMs: number;
  /** Failed members are forgotten after so long … */
  reconnectTimeoutMs: number;
  /** … and those that left after so long. */
  tombstoneTimeoutMs: number;
  /** How often that is looked at. */
  reapIntervalMs: number;
  /** Intents of members not known yet are remembered for so long. */
  recentIntentMs: number;
  /** How long a leaving member waits until its word is acknowledged. */
  leaveTimeoutMs: number;
  /** … and then goes on answering, while others pass it on. */
  leavePropagateMs: number;
}

/** Bounds of memory and message size. Bytes are estimates of encoded size. */
export interface GossipLimits {
  /** Updates piggybacked on one message. At least one is sent, however large. */
  piggybackBytes: number;
  /** Name and payload of a user event. */
  userEventBytes: number;
  /** All tags of a member. */
  tagBytes: number;
  /** Lamport times of user events that are remembered to tell repeated ones. */
  eventBuffer: number;
  /** Updates that may wait to be sent; the ones sent most give way. */
  queueDepth: number;
  /** Indirect probes that may be under way for others. */
  relays: number;
  /** Members that a push-pull may bring. */
  members: number;
}

/**
 * Who may be in the pool. `one-of`: the tag has one of the values. `unique`: no other member that has not left has the same
 * value. `agree`: members that are alive, and have the tag, have the same value where they have the same value of `within`; that
 * is looked at when somebody joins, since only then pools meet. `{name}`, `{value}`, `{within}` and `{other}` (the other member)
 * in `message` are filled in.
 */
export type MergeRule =
  | { type: "one-of"; tag: string; values: readonly string[]; message: string }
  | { type: "agree"; tag: string; within: string; message: string }
  | { type: "unique"; tag: string; message: string };

/** What a machine is made of. */
export interface GossipOptions {
  /** Unique in the pool. */
  name: string;
  /** What others call; empty for a leaf. */
  address: string;
  tags: Tags;
  versions: Versions;
  /** Seed of the machine's random numbers: another one in every process. */
  seed: number;
  timings: GossipTimings;
  limits: GossipLimits;
  /** All must hold for every member. */
  mergeRules: readonly MergeRule[];
  /** Networks whose addresses may speak and be members; null: all. With a list a name that is no IP address is refused. */
  allowedNetworks: readonly IpNetwork[] | null;
  /** A leaf may be anchored at alive members whose tag has this value; null: at all that have an address. */
  anchorTag: { tag: string; value: string } | null;
  /** A member's tag of this name may state its own `reconnectTimeoutMs`, written as Go does (`8h0m0s`); null: none may. */
  reconnectTimeoutTag: string | null;
  /** False: no coordinates. */
  coordinates: boolean;
}

// ----------------------------------------------------------------------------------------------------------- inputs

/** Why a call got no answer. */
export type FailureReason =
  /** Nobody listens there. */
  | "refused"
  | "timeout"
  /** No way there, or the connection broke. */
  | "unreachable";

/** What the host tells the machine. */
export type GossipInput =
  /** First input, once. `times`: the clocks of a former life; events of before are then not delivered again. */
  | { type: "start"; times?: { readonly member: number; readonly event: number } }
  /** `deadline` has passed. Too early or too often does no harm. */
  | { type: "timeout" }
  /** The answer to a call. `rttMs`: the round trip without the making of a connection, if the host can tell. */
  | { type: "reply"; id: number; message: Answer; rttMs?: number }
  /** There will be none. */
  | { type: "failed"; id: number; reason: FailureReason }
  /** A member asks; `from` is the address that the connection comes from. Answered once by `respond`, maybe later. */
  | { type: "request"; id: number; from: string; message: Request }
  /** Join through any of these. Outcome: `joined`. With `ignoreOld` events of before are not delivered. */
  | { type: "join"; ref: number; addresses: readonly string[]; ignoreOld: boolean }
  /** Leave for good. Outcome: `left`. */
  | { type: "leave" }
  /** Takes a failed member for left. Outcome: `done` or `rejected`. */
  | { type: "force-leave"; ref: number; name: string; prune: boolean }
  /** Outcome: `done` or `rejected`. */
  | { type: "user-event"; ref: number; name: string; payload: Uint8Array; coalesce: boolean }
  /** Says of itself from now on. Outcome: `done` or `rejected`. */
  | { type: "tags"; ref: number; tags: Tags }
  /** The host's event loop came so much too late. */
  | { type: "loop-delay"; ms: number }
  /** A leaf anchored here has shown life by other means than a request. */
  | { type: "heard"; name: string };

// ---------------------------------------------------------------------------------------------------------- effects

/** Serf's member events. */
export type MemberEventKind = "join" | "leave" | "failed" | "update" | "reap";

/** Why the host's own request is not done. */
export type RejectReason =
  /** No member of that name. */
  | "unknown-member"
  /** More bytes than `limits` allow. */
  | "too-large"
  /** This member is leaving, or has left. */
  | "leaving";

/** An address through which there was no joining. */
export interface JoinFailure {
  address: string;
  reason: FailureReason | RefusalReason;
  /** The other side's words when it refused, else empty. */
  text: string;
}

/** What the host is to do or to know, in the order in which it must act. */
export type GossipEffect =
  /** Ask `to`; give exactly one `reply` or `failed`, the latter with `timeout` after `timeoutMs`. */
  | { type: "call"; id: number; to: string; message: Request; timeoutMs: number }
  /** The answer to a `request`. */
  | { type: "respond"; id: number; message: Answer }
  | { type: "member"; event: MemberEventKind; member: MemberView }
  | { type: "user-event"; time: number; name: string; payload: Uint8Array; coalesce: boolean }
  /** `contacted` of the addresses have answered. */
  | { type: "joined"; ref: number; contacted: number; failures: readonly JoinFailure[] }
  /** Others have been told, and had time to pass it on: stop. */
  | { type: "left" }
  | { type: "done"; ref: number }
  | { type: "rejected"; ref: number; reason: RejectReason }
  /** Two members claim one name; `address` is the known one's. */
  | { type: "name-conflict"; name: string; address: string; otherAddress: string }
  /** Most members know another one, alive, by this member's name: stop. */
  | { type: "name-lost"; address: string };

// ----------------------------------------------------------------------------------------------------------- status

/** Why something was thrown away. */
export type DropReason =
  /** Shape or numbers that no right member sends. */
  | "malformed"
  /** Known, or outdated: most of what gossip brings. */
  | "stale"
  /** A suspicion or death of somebody not known. */
  | "unknown-member"
  /** Meant for another member. */
  | "wrong-target"
  /** Against a merge rule. */
  | "vetoed"
  /** Speaks no version that is understood. */
  | "protocol"
  /** From, or of, an address that is not allowed. */
  | "address"
  /** Of a name that is somebody else's. */
  | "conflict"
  /** Beyond a limit. */
  | "overload"
  /** An input that makes no sense here, such as an answer to no call. */
  | "unexpected";

/** Updates waiting to be spread. */
export interface QueueDepths {
  members: number;
  intents: number;
  events: number;
}

// The class, in gossip.ts:
//
// class Gossip {
//   constructor(options: GossipOptions);                     // throws AssertionError on impossible options
//   step(now: number, input: GossipInput): GossipEffect[];
//   readonly deadline: number | null;                        // give `timeout` when it has passed
//   readonly name: string; readonly self: MemberView;
//   readonly members: MemberView[];                          // sorted by name, itself among them
//   member(name): MemberView | null;
//   readonly counts: Readonly<Record<MemberStatus, number>>;
//   readonly healthScore: number;                            // 0 is healthy
//   readonly memberTime: number; readonly eventTime: number; // Lamport clocks
//   readonly queueDepths: QueueDepths;
//   readonly coordinate: Coordinate | null; coordinateOf(name): Coordinate | null; readonly coordinateResets: number;
//   readonly hasLeft: boolean;
//   readonly dropped: Readonly<Record<DropReason, number>>;
// }
//
// Beside it: LAN_TIMINGS, WAN_TIMINGS, GOSSIP_LIMITS in options.ts, messageSize in size.ts.
