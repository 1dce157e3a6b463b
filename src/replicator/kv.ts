// Keys under a prefix, from another datacenter. A link first walks all keys in the order of their names, a part at a time, then
// follows the changes by their index; where it is goes into the log with what it writes, so that whoever leads next goes on
// there. When the source's history is another one, or deletions that were not seen are forgotten there, it walks again.
// A copy (one-way) is made equal to the source; where both sides write (two-way), versions are taken over by their stamps.
// Locks are nobody's but their own datacenter's.
import { kvChanges, kvRange } from "../endpoint/kv-feed.ts";
import type { KVReplicate, KVVersion } from "../state/command.ts";
import { sameBytes, sameData } from "../state/equal.ts";
import { linkKey } from "../state/federation.ts";
import type { Feed } from "../state/kv-feed.ts";
import type { StateStore } from "../state/store.ts";
import type { KVRule, ReplicationLink } from "../types/records.ts";
import type { Kind, Plan, Problem } from "./kind.ts";
import type { Question, QuestionAnswer } from "./questions.ts";

/** How much one answer and one entry of the log hold: larger is faster to catch up, smaller lets others in sooner. */
const LIMITS = { versionsMax: 512, bytesMax: 512 * 1024 };
/** After so many answers with nothing to write the place is noted all the same, so that a new leader need not look far back. */
const IDLE_MAX = 6;

type Position = KVReplicate["position"];

/** What the leader lends to a link. */
export interface KVHere {
  readonly datacenter: string;
  state(): StateStore;
}

const START: Position = { Identity: "", Phase: "compare", Index: 0, After: "", Via: [] };

/** One rule's keys. */
export class KVKind implements Kind<Question, QuestionAnswer, KVReplicate> {
  readonly #here: KVHere;
  readonly #rule: KVRule;
  readonly #link: string;
  /** Where it is, when that is further than what is stored. */
  #position: Position | null = null;
  /** The index to wait at, 0 while there is more at once. */
  #waitIndex = 0;
  #idle = 0;
  /** Other than by this link was written here: the copy is compared again. */
  #drifts = 0;

  constructor(here: KVHere, rule: KVRule) {
    this.#here = here;
    this.#rule = rule;
    this.#link = linkKey(rule);
  }

  get stored(): ReplicationLink | null {
    return this.#here.state().link(this.#link).value;
  }

  /** How often somebody else had written to the copy. */
  get drifts(): number {
    return this.#drifts;
  }

  begin(): void {
    this.#position = null;
    this.#waitIndex = 0;
    this.#idle = 0;
  }

  get #at(): Position {
    return this.#position ?? this.stored ?? START;
  }

  question(): Question {
    if (this.#hasDrifted()) {
      this.#drifts += 1;
      this.#restart();
    }
    const { Phase, Index, After } = this.#at;
    const { From: datacenter, Prefix: prefix } = this.#rule;
    if (Phase === "compare")
      return { datacenter, endpoint: kvRange, args: { prefix, after: After, ...LIMITS }, index: 0 } as Question;
    const args = { prefix, index: Index, after: After, ...LIMITS };
    return { datacenter, endpoint: kvChanges, args, index: this.#waitIndex } as Question;
  }

  /** Somebody wrote to the copy: a session's end, or whoever was allowed to before the rule. */
  #hasDrifted(): boolean {
    const { stored } = this;
    if (this.#rule.Mode === "two-way" || stored === null || this.#at.Phase === "compare") return false;
    return this.#here.state().kvTouched(this.#rule.ToPrefix) > stored.LocalIndex;
  }

  #restart(): void {
    this.#position = START;
    this.#waitIndex = 0;
  }

  plan({ value, index }: QuestionAnswer): Plan<KVReplicate> | Problem {
    const feed = value as Feed;
    const at = this.#at;
    const problem = this.#problem(feed);
    if (problem !== null) return { problem };
    const isStart = at.Phase === "compare" && at.After === "";
    if (!isStart && (feed.Identity !== at.Identity || !feed.Known)) {
      // What the position says is another history's, or what happened since is forgotten.
      this.#restart();
      return { batch: null, next: "ask", index };
    }
    return at.Phase === "compare" ? this.#compare(feed, at, index) : this.#follow(feed, at, index);
  }

  #problem({ Identity, Stamped, Via }: Feed): string | null {
    const { From, Prefix, Mode } = this.#rule;
    const { datacenter } = this.#here;
    if (Identity.startsWith(".")) return `${From} has not named the history of its store yet`;
    if (Mode === "two-way" && !Stamped)
      return `${From} has no two-way rule for ${JSON.stringify(Prefix)}: what is written there is not stamped; give it one`;
    if (Mode === "one-way" && Via.includes(datacenter))
      return `${From} takes ${JSON.stringify(Prefix)} from ${Via.join(", ")}: ${datacenter} would copy from itself`;
    return null;
  }

  #compare(feed: Feed, at: Position, index: number): Plan<KVReplicate> {
    const isFirst = at.After === "";
    const { Identity, Via } = feed;
    const start = isFirst ? feed.Index : at.Index;
    const next: Position = feed.More
      ? { Identity, Via, Phase: "compare", Index: start, After: feed.After }
      : { Identity, Via, Phase: "follow", Index: start, After: "" };
    const versions = this.#needed(feed);
    const isTwoWay = this.#rule.Mode === "two-way";
    const gone = isTwoWay ? [] : this.#gone(feed, at.After);
    const all = [...versions, ...gone];
    if (all.length > LIMITS.versionsMax) {
      // As much as one entry may hold; the rest of the same part comes next.
      const stay: Position = { Identity, Via, Phase: "compare", Index: start, After: at.After };
      return this.#batch(all.slice(0, LIMITS.versionsMax), stay, "plan", index);
    }
    if (all.length === 0 && feed.More) {
      this.#position = next;
      return { batch: null, next: "ask", index };
    }
    return this.#batch(all, next, "ask", index);
  }

  #follow(feed: Feed, at: Position, index: number): Plan<KVReplicate> {
    const versions = this.#needed(feed);
    const { Identity, Via, Index, After } = feed;
    const next: Position = { Identity, Via, Phase: "follow", Index, After };
    this.#waitIndex = feed.More ? 0 : index;
    const goOn = feed.More ? "ask" : "wait";
    const isMoved = !sameData(next, at);
    this.#idle += 1;
    if (versions.length > 0 || !sameData(Via, at.Via) || (isMoved && this.#idle >= IDLE_MAX))
      return this.#batch(versions, next, goOn, index);
    this.#position = next;
    return { batch: null, next: goOn, index };
  }

  #batch(versions: KVVersion[], position: Position, next: Plan<KVReplicate>["next"], index: number): Plan<KVReplicate> {
    this.#idle = 0;
    const on = this.stored?.ModifyIndex ?? 0;
    this.#position = position;
    return { batch: { type: "kv.replicate", link: this.#link, on, position, versions }, next, index };
  }

  #local(key: string): string {
    return this.#rule.ToPrefix + key.slice(this.#rule.Prefix.length);
  }

  /** What of an answer is not here, under its name here. */
  #needed({ Versions }: Feed): KVVersion[] {
    const state = this.#here.state();
    const needed: KVVersion[] = [];
    for (const version of Versions) {
      const Key = this.#local(version.Key);
      if (this.#rule.Mode === "two-way" ? state.hasVersion(Key, version) : isHere(state, Key, version)) continue;
      needed.push({ ...version, Key });
    }
    return needed;
  }

  /** The keys here, in the part that the answer covers, which the source has not. */
  #gone({ Versions, More, After }: Feed, after: string): KVVersion[] {
    const { ToPrefix } = this.#rule;
    const there = new Set(Versions.map(({ Key }) => this.#local(Key)));
    const from = after === "" ? ToPrefix : this.#local(after) + "\u0000";
    const last = More ? this.#local(After) : null;
    const gone: KVVersion[] = [];
    this.#here.state().visitKeys(ToPrefix, from, (key) => {
      if (last !== null && key > last) return false;
      if (!there.has(key)) gone.push({ Key: key, Value: null, Flags: 0, Ms: 0, Origin: "", Seen: null });
      return gone.length <= LIMITS.versionsMax;
    });
    return gone;
  }
}

function isHere(state: StateStore, key: string, { Value, Flags }: KVVersion): boolean {
  const entry = state.kvGet(key).value;
  if (entry === null || Value === null) return entry === null && Value === null;
  return entry.Flags === Flags && sameBytes(entry.Value, Value);
}
