// What one member knows: the state that the modules of this folder share. `Gossip` (gossip.ts) owns one and is the only way
// in; probing, spreading, membership and so on are functions over it.
import { Random } from "../util/random.ts";
import type { Anchoring } from "./anchoring.ts";
import { Awareness } from "./awareness.ts";
import type { Conflict } from "./conflict.ts";
import { CoordinateClient } from "./coordinate.ts";
import { EventBuffer } from "./event-buffer.ts";
import type { Intent } from "./recent-intents.ts";
import type { JoinAttempt } from "./join.ts";
import { LamportClock } from "./lamport.ts";
import type { Leaving } from "./leave.ts";
import type { Member } from "./member-table.ts";
import { isLeaf, MemberTable, viewOf } from "./member-table.ts";
import type { Probe } from "./probe.ts";
import { ProbeRing } from "./probe-ring.ts";
import { retransmitLimit, suspicionTimeoutMs } from "./scaling.ts";
import type {
  Answer,
  DropReason,
  GossipEffect,
  GossipOptions,
  GossipTimings,
  MemberEventKind,
  MemberRecord,
  Request,
} from "./types.ts";
import type { QueuedUpdate } from "./update-queue.ts";
import { UpdateQueue } from "./update-queue.ts";

/** What a call is for, and what its answer goes to. */
export type Purpose =
  /** The direct probe. */
  | { type: "probe"; probe: Probe }
  /** A helper of the probe. */
  | { type: "help"; probe: Probe }
  /** A probe for another member: `request` is to be answered. */
  | { type: "relay"; request: number; from: string; target: string }
  | { type: "rumours"; member: Member }
  /** To a member, or with `join` to an address about which nothing is known. */
  | { type: "push-pull"; address: string; join: JoinAttempt | null }
  /** A leaf's call to its anchor … */
  | { type: "anchor"; anchoring: Anchoring }
  /** … and its first to another one. */
  | { type: "re-anchor"; anchoring: Anchoring }
  /** Does the other holder of this member's name live? */
  | { type: "verify"; conflict: Conflict }
  /** Whom others know by it. */
  | { type: "vote"; conflict: Conflict };

/** A call without an answer yet. */
export interface Call {
  readonly purpose: Purpose;
  readonly sentMs: number;
  /** Updates that count as told when it is answered. */
  readonly items: readonly QueuedUpdate[];
}

/** The state of one member, and how effects leave it. */
export class Core {
  readonly options: GossipOptions;
  readonly timings: GossipTimings;
  readonly name: string;
  readonly random: Random;
  readonly table: MemberTable = new MemberTable();
  /** This member, as others see it. */
  readonly self: Member;
  readonly ring: ProbeRing;
  readonly queue: UpdateQueue;
  readonly awareness: Awareness;
  readonly coordinates: CoordinateClient | null;

  /** The time of the present step. Never runs back. */
  now: number = -Infinity;
  isStarted = false;
  /** Takes in an answer: a leaf need not tell its anchor what it has from it. */
  isHearing = false;
  /** The probe under way. */
  probe: Probe | null = null;
  /** Lamport time of intents, and of user events. */
  readonly clock: LamportClock = new LamportClock();
  readonly eventClock: LamportClock = new LamportClock();
  readonly events: EventBuffer;
  /** Of members not known yet. */
  readonly recentIntents: Map<string, Intent> = new Map<string, Intent>();
  /** Present from `leave` on. */
  leaving: Leaving | null = null;
  /** Present exactly in a leaf. */
  readonly anchoring: Anchoring | null;
  /** Over this member's own name, while it is being settled. */
  conflict: Conflict | null = null;
  /** Probes under way for others. */
  relays = 0;
  readonly calls: Map<number, Call> = new Map<number, Call>();
  #lastCall = 0;

  /** When each of these is to happen next; Infinity: not until something changes. */
  probeAtMs: number = Infinity;
  gossipAtMs: number = Infinity;
  pushPullAtMs: number = Infinity;
  suspicionAtMs: number = Infinity;
  leafCheckAtMs: number = Infinity;
  reapAtMs: number = Infinity;
  reconnectAtMs: number = Infinity;
  /** When the last stall of this process was noticed. */
  stalledMs: number = -Infinity;

  effects: GossipEffect[] = [];
  readonly dropped: Record<DropReason, number> = {
    malformed: 0,
    stale: 0,
    "unknown-member": 0,
    "wrong-target": 0,
    vetoed: 0,
    protocol: 0,
    address: 0,
    conflict: 0,
    overload: 0,
    unexpected: 0,
  };

  constructor(options: GossipOptions) {
    const { name, address, tags, versions, timings, limits } = options;
    this.options = options;
    this.timings = timings;
    this.name = name;
    this.random = new Random(options.seed);
    const record: MemberRecord = { name, address, anchor: null, tags, versions };
    this.self = this.table.add(record, -Infinity);
    this.anchoring = isLeaf(record)
      ? { anchor: null, atMs: Infinity, received: 0, failures: 0, isCalling: false }
      : null;
    this.ring = new ProbeRing(this.table, this.random, this.self);
    this.queue = new UpdateQueue(limits.queueDepth);
    this.awareness = new Awareness(timings.awarenessMaxMultiplier);
    this.coordinates = options.coordinates ? new CoordinateClient(this.random) : null;
    this.events = new EventBuffer(limits.eventBuffer);
  }

  /** Members that must acknowledge an update. A leaf tells its anchor, which tells the others. */
  get retransmitLimit(): number {
    return this.anchoring === null ? retransmitLimit(this.timings.retransmitMult, this.table.reachable) : 1;
  }

  /** The least time of a suspicion in this pool. */
  get suspicionMinMs(): number {
    return suspicionTimeoutMs(this.timings.suspicionMult, this.table.reachable, this.timings.probeIntervalMs);
  }

  drop(reason: DropReason): void {
    this.dropped[reason] += 1;
  }

  emit(effect: GossipEffect): void {
    this.effects.push(effect);
  }

  emitMember(event: MemberEventKind, member: Member): void {
    this.effects.push({ type: "member", event, member: viewOf(member) });
  }

  call(to: string, message: Request, timeoutMs: number, purpose: Purpose, items: readonly QueuedUpdate[]): void {
    this.#lastCall += 1;
    this.calls.set(this.#lastCall, { purpose, sentMs: this.now, items });
    this.effects.push({ type: "call", id: this.#lastCall, to, message, timeoutMs });
  }

  respond(id: number, message: Answer): void {
    this.effects.push({ type: "respond", id, message });
  }
}
