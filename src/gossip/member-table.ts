// The members of the pool as this one knows them: by name, and in an order that random choice can use.
import type { Random } from "../util/random.ts";
import type { Outbox } from "./outbox.ts";
import type { Suspicion } from "./suspicion.ts";
import type { Coordinate, MemberRecord, MemberState, MemberStatus, MemberView } from "./types.ts";

/** What is known of one member. Fields change only through membership.ts, intents.ts and leaf.ts. */
export interface Member {
  record: MemberRecord;
  incarnation: number;
  /** Set by `MemberTable.setState` only. */
  state: MemberState;
  /** When `state` last changed between reachable and not. */
  changedMs: number;
  /** Present exactly while the state is `suspect`. */
  suspicion: Suspicion | null;
  /** An intent to leave is known. */
  leaving: boolean;
  /** Lamport time of the newest intent known. */
  intentTime: number;
  /** To be forgotten as soon as it has left. */
  prune: boolean;
  /** As of its last answer. */
  coordinate: Coordinate | null;
  /** What waits for a leaf that is anchored here; else null. */
  outbox: Outbox | null;
  /** A leaf anchored here: when it last asked. */
  heardMs: number;
  /** When a conflict over its name was last told. */
  conflictMs: number;
  /** A call with nothing but updates is under way to it. */
  isBeingTold: boolean;
}

/** Draws for each member wanted, before all are looked through. */
const TRIES = 4;

/** Alive or suspect: it takes part. */
export function isReachable(member: Member): boolean {
  return member.state === "alive" || member.state === "suspect";
}

/** Nobody can call it. */
export function isLeaf(record: MemberRecord): boolean {
  return record.address === "";
}

/** Serf's status of a member. */
export function statusOf(member: Member): MemberStatus {
  if (member.state === "left") return "left";
  if (member.state === "dead") return "failed";
  return member.leaving ? "leaving" : "alive";
}

/** A member as the host is to see it. */
export function viewOf(member: Member): MemberView {
  const { name, address, anchor, tags, versions } = member.record;
  return { name, address, anchor, tags, versions, status: statusOf(member), incarnation: member.incarnation };
}

/** All known members, whatever their state. */
export class MemberTable {
  readonly #byName = new Map<string, Member>();
  readonly #list: Member[] = [];
  #reachable = 0;
  #suspects = 0;

  /** Known members of whatever state, this one among them. */
  get size(): number {
    return this.#list.length;
  }

  /** Members alive or suspect, this one among them: the pool's size in all formulas. */
  get reachable(): number {
    return this.#reachable;
  }

  get suspects(): number {
    return this.#suspects;
  }

  /** In no order of meaning. */
  get all(): readonly Member[] {
    return this.#list;
  }

  get(name: string): Member | undefined {
    return this.#byName.get(name);
  }

  /** Puts in a member that is not known, as dead until told otherwise. */
  add(record: MemberRecord, now: number): Member {
    const member: Member = {
      record,
      incarnation: 0,
      state: "dead",
      changedMs: now,
      suspicion: null,
      leaving: false,
      intentTime: 0,
      prune: false,
      coordinate: null,
      outbox: null,
      heardMs: now,
      conflictMs: -Infinity,
      isBeingTold: false,
    };
    this.#byName.set(record.name, member);
    this.#list.push(member);
    return member;
  }

  remove(member: Member): void {
    if (!this.#byName.delete(member.record.name)) return;
    if (isReachable(member)) this.#reachable -= 1;
    if (member.state === "suspect") this.#suspects -= 1;
    this.#list.splice(this.#list.indexOf(member), 1);
  }

  /** Changes the state; `changedMs` is kept between alive and suspect. */
  setState(member: Member, state: MemberState, now: number): void {
    const was = isReachable(member);
    if (member.state === "suspect") this.#suspects -= 1;
    member.state = state;
    if (state === "suspect") this.#suspects += 1;
    else member.suspicion = null;
    const is = isReachable(member);
    if (was !== is) this.#reachable += is ? 1 : -1;
    if (was !== is || !is) member.changedMs = now;
  }

  /** `count` different members that `fits`, by chance, or as many as there are. */
  pick(count: number, random: Random, fits: (member: Member) => boolean): Member[] {
    const picked: Member[] = [];
    const list = this.#list;
    for (let tries = TRIES * count; tries > 0 && picked.length < count; tries -= 1) {
      const member = list[random.below(list.length)] as Member;
      if (!picked.includes(member) && fits(member)) picked.push(member);
    }
    if (picked.length < count) {
      // Few fit: trial and error would miss some of them.
      picked.length = 0;
      const fitting = list.filter(fits);
      for (let left = Math.min(count, fitting.length); left > 0; left -= 1) {
        const at = random.below(fitting.length);
        picked.push(fitting[at] as Member);
        fitting[at] = fitting.at(-1) as Member;
        fitting.pop();
      }
    }
    return picked;
  }
}
