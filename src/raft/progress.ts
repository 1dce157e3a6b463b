// What a leader knows of one peer, and how fast it may send to it (after etcd's Progress; thesis §10.2.1 on pipelining).
//
//   probe ──answered──▶ replicate       one message, then wait │ a window of messages, `next` ahead of `match`
//     ▲ ▲────refused───────┘
//     │ └──── sent ──── snapshot        no entries: the peer needs what the log no longer has
//   lost                                a voter that no longer holds what it confirmed: no entries at all
import { assert } from "../util/assert.ts";
import { Inflights } from "./inflights.ts";
import type { ProgressState, RaftLimits } from "./types.ts";

/** Invariants: (1) match < next; (2) `match` never falls while the peer keeps its data; (3) only `replicate` has inflights. */
export class Progress {
  readonly id: string;
  match = 0;
  next: number;
  state: ProgressState = "probe";
  readonly inflights: Inflights;
  /** In `probe`: a message is out; the next one waits for an answer or a heartbeat. */
  isPaused = false;
  /** In `snapshot`: the index of the snapshot that was the newest when it was asked for. */
  snapshotIndex = 0;
  /** No snapshot is sent before. */
  snapshotAfterMs: number = -Infinity;
  /** When it last answered; at first, when it began to count. */
  lastContactMs: number;
  /** It has answered this leader at least once. */
  hasAnswered = false;
  /** The newest round that it answered, and when that round began. */
  ackedRound = 0;
  ackedRoundBeganMs: number = -Infinity;
  /** The leader's round when `match` last rose: a refusal of `match` in a later round proves that data was lost. */
  matchRound = 0;
  /** The leader's round when entries were last sent, or their loss was last looked into. */
  sentRound = 0;
  /** The commit index that what was sent lets the peer reach. */
  sentCommit = 0;
  /** Index of the configuration without this peer; it is told of its commit, then forgotten. 0: it stays. */
  leavingIndex = 0;

  constructor(id: string, next: number, now: number, limits: RaftLimits) {
    this.id = id;
    this.next = next;
    this.lastContactMs = now;
    this.inflights = new Inflights(limits.maxInflight, limits.maxInflightBytes);
  }

  /** True when no entries may be sent now. */
  get isBlocked(): boolean {
    switch (this.state) {
      case "probe":
        return this.isPaused;
      case "replicate":
        return this.inflights.isFull;
      default:
        return true;
    }
  }

  becomeProbe(next: number): void {
    assert(next > this.match, "a probe begins after what is known");
    this.#become("probe");
    this.next = next;
  }

  becomeReplicate(): void {
    this.#become("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(snapshotIndex: number): void {
    this.#become("snapshot");
    this.snapshotIndex = snapshotIndex;
  }

  becomeLost(): void {
    this.#become("lost");
  }

  #become(state: ProgressState): void {
    this.state = state;
    this.isPaused = false;
    this.snapshotIndex = 0;
    this.inflights.reset();
  }

  /** Entries up to `lastIndex` were sent in this round. */
  sent(lastIndex: number, bytes: number, round: number): void {
    this.sentRound = round;
    if (this.state === "replicate") {
      this.next = lastIndex + 1;
      this.inflights.add(lastIndex, bytes);
    } else {
      this.isPaused = true;
    }
  }

  /** The peer holds everything up to `index`. True when that was not known. */
  acknowledge(index: number, round: number): boolean {
    const isNews = index > this.match;
    if (isNews) {
      this.match = index;
      this.matchRound = round;
    }
    if (this.next <= this.match) this.next = this.match + 1;
    this.inflights.freeTo(this.match);
    return isNews;
  }
}
