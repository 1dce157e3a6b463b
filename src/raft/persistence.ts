// What has to become durable, and what may only be said once it is (thesis §3.8; etcd's asynchronous storage writes).
//
// A step marks what it changed; at its end `flush` makes one `persist` of it all. Writes become durable in the order of
// their tokens. A message that promises something goes out with the write that makes the promise true: in its `then`, or,
// when that write is already under way, as soon as `persisted` says so.
import { assert } from "../util/assert.ts";
import type { Log } from "./log.ts";
import type { Entry, HardState, Message, Outgoing, RaftEffect, SnapshotPoint } from "./types.ts";

/** A write that the host has not confirmed yet. */
interface Write {
  readonly token: number;
  /** The first of its entries; 0: it has none. */
  readonly firstIndex: number;
  /** What is stable once it is durable; lowered when entries are truncated meanwhile. */
  lastIndex: number;
  readonly hasHardState: boolean;
  readonly snapshot: SnapshotPoint | null;
  /** Messages of later steps that rely on it. */
  held: Outgoing[] | null;
}

const NOTHING: readonly never[] = [];

export class Persistence {
  /** The log is durable up to here, as it is now in memory. */
  stableIndex: number;
  /** No write is emitted before: the disk was full. */
  blockedUntilMs: number = -Infinity;

  #lastToken = 0;
  readonly #writes: Write[] = [];
  /** The first entry that no write holds yet; 0: none. */
  #dirtyFrom = 0;
  #isHardStateDirty = false;
  #snapshot: SnapshotPoint | null = null;
  /** What this step wants to say once everything up to now is durable. */
  #then: Outgoing[] = [];

  constructor(stableIndex: number) {
    this.stableIndex = stableIndex;
  }

  /** Entries from `index` on are new in memory. */
  markEntries(index: number): void {
    if (this.#dirtyFrom === 0 || index < this.#dirtyFrom) this.#dirtyFrom = index;
  }

  markHardState(): void {
    this.#isHardStateDirty = true;
  }

  /** Entries from `index` on are gone from memory; what replaces them is marked on its own. */
  truncate(index: number): void {
    this.stableIndex = Math.min(this.stableIndex, index - 1);
    for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1);
  }

  /** A snapshot takes the place of the whole log. Nothing is stable until that is durable. */
  markInstall(snapshot: SnapshotPoint): void {
    this.truncate(1);
    this.#dirtyFrom = 0;
    this.#snapshot = snapshot;
  }

  /** Sends once all that was changed up to the end of this step is durable. */
  sendAfter(to: string, message: Message): void {
    this.#then.push({ to, message });
  }

  /** True when a crash would not take back the present term and vote. */
  get isHardStateDurable(): boolean {
    return !this.#isHardStateDirty && !this.#writes.some((write) => write.hasHardState);
  }

  /** True when something waits to be written that could not be written before. */
  get hasBacklog(): boolean {
    return this.#dirtyFrom !== 0 || this.#isHardStateDirty || this.#snapshot !== null;
  }

  isBlocked(now: number): boolean {
    return now < this.blockedUntilMs;
  }

  /** Ends a step: emits its writes, and its messages as far as they need no write. */
  flush(now: number, log: Log, hardState: HardState, effects: RaftEffect[]): void {
    if (this.isBlocked(now)) {
      // What cannot be made true is not said: to the others it is a lost message.
      this.#then.length = 0;
      return;
    }
    if (this.#snapshot !== null) this.#flushInstall(this.#snapshot, log, hardState, effects);
    if (this.#dirtyFrom !== 0 || this.#isHardStateDirty) {
      const from = this.#dirtyFrom === 0 ? 0 : Math.max(this.#dirtyFrom, log.baseIndex + 1);
      const hasEntries = from !== 0 && from <= log.lastIndex;
      if (hasEntries || this.#isHardStateDirty) {
        const entries: readonly Entry[] = hasEntries ? log.slice(from, log.lastIndex) : NOTHING;
        this.#emitPersist(entries, hardState, this.#takeThen(), effects);
      }
      this.#dirtyFrom = 0;
      this.#isHardStateDirty = false;
    }
    if (this.#then.length > 0) this.#holdOrSend(effects);
  }

  #flushInstall(snapshot: SnapshotPoint, log: Log, hardState: HardState, effects: RaftEffect[]): void {
    if (this.#isHardStateDirty) {
      this.#emitPersist(NOTHING, hardState, NOTHING, effects);
      this.#isHardStateDirty = false;
    }
    const hasMore = this.#dirtyFrom !== 0 && log.lastIndex > snapshot.index;
    const write = this.#begin(0, snapshot.index, false, snapshot);
    effects.push({
      type: "install-snapshot",
      token: write.token,
      snapshot,
      // oxlint-disable-next-line unicorn/no-thenable -- what comes then: a list, and nobody awaits an effect
      then: hasMore ? NOTHING : this.#takeThen(),
    });
    this.#snapshot = null;
  }

  #emitPersist(
    entries: readonly Entry[],
    hardState: HardState,
    then: readonly Outgoing[],
    effects: RaftEffect[],
  ): void {
    const first = entries.length === 0 ? 0 : entries[0]!.index;
    const last = entries.length === 0 ? 0 : entries[entries.length - 1]!.index;
    const write = this.#begin(first, last, this.#isHardStateDirty, null);
    effects.push({
      type: "persist",
      token: write.token,
      entries,
      hardState: this.#isHardStateDirty ? hardState : null,
      // oxlint-disable-next-line unicorn/no-thenable -- as above
      then,
    });
  }

  #begin(firstIndex: number, lastIndex: number, hasHardState: boolean, snapshot: SnapshotPoint | null): Write {
    this.#lastToken += 1;
    const write: Write = { token: this.#lastToken, firstIndex, lastIndex, hasHardState, snapshot, held: null };
    this.#writes.push(write);
    return write;
  }

  #takeThen(): readonly Outgoing[] {
    if (this.#then.length === 0) return NOTHING;
    const then = this.#then;
    this.#then = [];
    return then;
  }

  #holdOrSend(effects: RaftEffect[]): void {
    const last = this.#writes[this.#writes.length - 1];
    if (last === undefined) {
      for (const { to, message } of this.#then) effects.push({ type: "send", to, message });
    } else {
      last.held ??= [];
      last.held.push(...this.#then);
    }
    this.#then.length = 0;
  }

  /** Every write up to `token` is durable. False when no such write is under way. */
  confirm(token: number, effects: RaftEffect[]): boolean {
    if (this.#writes.length === 0 || token < this.#writes[0]!.token || token > this.#lastToken) return false;
    while (this.#writes.length > 0 && this.#writes[0]!.token <= token) {
      const write = this.#writes.shift()!;
      if (write.lastIndex > this.stableIndex) this.stableIndex = write.lastIndex;
      if (write.held === null) continue;
      for (const { to, message } of write.held) effects.push({ type: "send", to, message });
    }
    return true;
  }

  /**
   * Nothing from the write `token` on was written. It all waits, in one piece, until `untilMs`; what it was to say is
   * never said. False when no such write is under way.
   */
  refuse(token: number, untilMs: number): boolean {
    const at = this.#writes.findIndex((write) => write.token === token);
    if (at < 0) return false;
    for (const write of this.#writes.splice(at)) {
      if (write.snapshot !== null) {
        this.#snapshot = write.snapshot;
        this.#dirtyFrom = 0;
      }
      if (write.hasHardState) this.#isHardStateDirty = true;
      if (write.firstIndex !== 0) this.markEntries(write.firstIndex);
    }
    this.blockedUntilMs = untilMs;
    return true;
  }

  /** Drops entries from `index` on, which no write holds and which are gone from memory: nothing is left to be written of them. */
  forgetBacklog(index: number): void {
    assert(this.stableIndex < index, "only what is not durable can be forgotten");
    if (this.#dirtyFrom >= index) this.#dirtyFrom = 0;
  }
}
