// A group of Raft machines in memory: each with a disk that is as slow as the test likes, and with wires between them that
// deliver what the test likes. The host's duties (src/raft/DESIGN.md) are carried out here in their plainest form.
import { Raft } from "../../src/raft/raft.ts";
import { encodeConfiguration, makeConfiguration } from "../../src/raft/configuration.ts";
import { RAFT_DEFAULTS, reconcileLog } from "../../src/raft/options.ts";
import type {
  Configuration,
  Entry,
  HardState,
  Message,
  Outgoing,
  RaftEffect,
  RaftInput,
  RaftLimits,
  RaftTimings,
  SnapshotPoint,
} from "../../src/raft/types.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What survives a crash. */
export interface Disk {
  hardState: HardState | null;
  base: { index: number; term: number };
  entries: Entry[];
  snapshot: StoredSnapshot | null;
}

/** A snapshot with the state it holds: the hash of everything applied. */
export interface StoredSnapshot {
  point: SnapshotPoint;
  state: number;
}

export const emptyDisk = (): Disk => ({ hardState: null, base: { index: 0, term: 0 }, entries: [], snapshot: null });

/** The first entry of a bootstrapped group. */
export function bootstrapEntry(configuration: Configuration): Entry {
  return { index: 1, term: 1, kind: "config", data: encodeConfiguration(configuration) };
}

export function configurationOf(voters: readonly string[], nonVoters: readonly string[] = []): Configuration {
  return makeConfiguration([
    ...voters.map((id) => ({ id, address: `${id}:8300`, voter: true })),
    ...nonVoters.map((id) => ({ id, address: `${id}:8300`, voter: false })),
  ]);
}

/** A disk that holds a log of these terms: a bootstrap entry, then commands. */
export function diskOf(configuration: Configuration, terms: readonly number[], hardState?: HardState): Disk {
  const entries = terms.map((term, i): Entry => {
    if (i === 0) return { ...bootstrapEntry(configuration), term };
    return { index: i + 1, term, kind: "command", data: bytes(`${i + 1}@${term}`) };
  });
  return { ...emptyDisk(), entries, hardState: hardState ?? { term: Math.max(...terms), vote: null } };
}

type Write = Extract<RaftEffect, { type: "persist" | "install-snapshot" | "compact" }>;

export interface Wire {
  from: string;
  to: string;
  message: Message;
}

export interface SnapshotUnderWay {
  from: string;
  to: string;
  term: number;
  stored: StoredSnapshot;
}

export interface GroupOptions {
  timings?: Partial<RaftTimings>;
  limits?: Partial<RaftLimits>;
}

/** One server: machine, disk, state machine. */
export class Member {
  readonly id: string;
  readonly group: Group;
  disk: Disk;
  raft: Raft;
  isUp = true;
  /** Writes that the disk has not done yet. */
  writes: Write[] = [];
  /** The last entry applied, and the hash of everything applied. */
  applied = 0;
  state = 0;
  boots = 0;
  /** What the machine said that nobody has looked at. */
  readonly events: RaftEffect[] = [];

  constructor(group: Group, id: string, disk: Disk) {
    this.group = group;
    this.id = id;
    this.disk = disk;
    this.raft = this.#boot();
  }

  #boot(): Raft {
    const { disk, group } = this;
    this.boots += 1;
    const { base, entries, reset } = reconcileLog(disk, disk.snapshot?.point ?? null);
    if (reset) Object.assign(disk, { base, entries: [] });
    this.applied = disk.snapshot?.point.index ?? 0;
    this.state = disk.snapshot?.state ?? 0;
    return new Raft({
      id: this.id,
      seed: group.seedOf(this),
      hardState: disk.hardState,
      base,
      entries,
      snapshot: disk.snapshot?.point ?? null,
      applied: this.applied,
      timings: group.timings,
      limits: group.limits,
    });
  }

  step(input: RaftInput): RaftEffect[] {
    const effects = this.raft.step(this.group.clockOf(this), input);
    this.group.onStep(this, input, effects);
    for (const effect of effects) this.#perform(effect);
    return effects;
  }

  #perform(effect: RaftEffect): void {
    switch (effect.type) {
      case "persist":
      case "compact":
        this.writes.push(effect);
        return;
      case "install-snapshot": {
        this.writes.push(effect);
        const stored = this.received.get(effect.snapshot.index)!;
        if (stored.point.index <= this.applied) return;
        this.applied = stored.point.index;
        this.state = stored.state;
        return;
      }
      case "send":
        this.group.post(this.id, effect.to, effect.message);
        return;
      case "commit":
        for (const entry of effect.entries) this.#apply(entry);
        return;
      case "send-snapshot":
        this.group.snapshots.push({ from: this.id, to: effect.to, term: effect.term, stored: this.disk.snapshot! });
        return;
      default:
        this.events.push(effect);
    }
  }

  #apply(entry: Entry): void {
    if (entry.index !== this.applied + 1) throw new Error(`${this.id}: ${entry.index} applied after ${this.applied}`);
    this.applied = entry.index;
    this.state = hashEntry(this.state, entry);
    this.group.onApply(this, entry);
  }

  /** Snapshots that have come, by index. */
  readonly received: Map<number, StoredSnapshot> = new Map();

  /** The disk does the oldest write. */
  write(): void {
    const write = this.writes.shift();
    if (write === undefined) return;
    this.#store(write);
    if (write.type === "compact") return;
    this.step({ type: "persisted", token: write.token });
    this.#send(write.then);
  }

  #store(write: Write): void {
    const { disk } = this;
    if (write.type === "persist") {
      const first = write.entries[0];
      if (first !== undefined) {
        if (first.index > disk.base.index + disk.entries.length + 1) throw new Error(`${this.id}: a gap on disk`);
        disk.entries.length = first.index - disk.base.index - 1;
        const beforeTerm = disk.entries.at(-1)?.term ?? disk.base.term;
        disk.entries.push(...write.entries);
        this.group.onStore(this, write.entries, beforeTerm);
      }
      if (write.hardState !== null) disk.hardState = write.hardState;
    } else if (write.type === "compact") {
      if (write.index <= disk.base.index) return;
      disk.entries = disk.entries.slice(write.index - disk.base.index);
      disk.base = { index: write.index, term: write.term };
    } else {
      disk.snapshot = this.received.get(write.snapshot.index)!;
      disk.base = { index: write.snapshot.index, term: write.snapshot.term };
      disk.entries = [];
    }
  }

  #send(then: readonly Outgoing[]): void {
    for (const { to, message } of then) this.group.post(this.id, to, message);
  }

  /** The disk is full: it does none of the writes under way. Compaction needs no room. */
  refuseWrites(): void {
    const first = this.writes.find((write) => write.type !== "compact");
    this.writes = this.writes.filter((write) => write.type === "compact");
    if (first !== undefined) this.step({ type: "persist-refused", token: first.token });
  }

  /** Stops without notice: what the disk has not done is lost. */
  crash(): void {
    this.isUp = false;
    this.writes = [];
    this.received.clear();
  }

  restart(): void {
    this.isUp = true;
    this.raft = this.#boot();
    this.step({ type: "start" });
  }

  /** Takes a snapshot of the applied state, durable at once. */
  takeSnapshot(): void {
    if (this.applied <= this.raft.snapshotIndex) return;
    const { configuration, index } = this.raft.configurationAt(this.applied);
    const point: SnapshotPoint = {
      index: this.applied,
      term: this.raft.termAt(this.applied)!,
      configuration,
      configurationIndex: index,
    };
    this.disk.snapshot = { point, state: this.state };
    this.step({ type: "snapshot-taken", snapshot: point });
  }
}

/** Folds an entry into a hash of 32 bits. */
export function hashEntry(state: number, entry: Entry): number {
  let hash = Math.imul(state ^ entry.index, 0x01000193) ^ entry.term;
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0;
}

export class Group {
  now = 0;
  readonly members: Map<string, Member> = new Map();
  /** Messages under way, oldest first. */
  wires: Wire[] = [];
  snapshots: SnapshotUnderWay[] = [];
  /** Pairs `from>to` that nothing passes. */
  readonly cuts: Set<string> = new Set();
  readonly timings: RaftTimings;
  readonly limits: RaftLimits;

  constructor(options: GroupOptions = {}) {
    this.timings = {
      heartbeatMs: 10,
      electionTimeoutMs: 50,
      leaseMs: 40,
      commitNotifyMs: 0,
      ...options.timings,
    };
    this.limits = { ...RAFT_DEFAULTS.limits, ...options.limits };
  }

  /** Overridden by tests that watch. */
  onStep(_member: Member, _input: RaftInput, _effects: readonly RaftEffect[]): void {}
  onApply(_member: Member, _entry: Entry): void {}
  onStore(_member: Member, _entries: readonly Entry[], _beforeTerm: number): void {}
  clockOf(_member: Member): number {
    return this.now;
  }
  seedOf(member: Member): number {
    return member.id.charCodeAt(0) * 1000 + member.boots;
  }

  post(from: string, to: string, message: Message): void {
    if (!this.cuts.has(`${from}>${to}`)) this.wires.push({ from, to, message });
  }

  member(id: string): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no server ${id}`);
    return member;
  }

  get up(): Member[] {
    return [...this.members.values()].filter((member) => member.isUp);
  }

  /** The leader of the latest term that is up, if there is one. */
  get leader(): Member | undefined {
    const leaders = this.up.filter((member) => member.raft.role === "leader");
    return leaders.sort((a, b) => b.raft.term - a.raft.term)[0];
  }

  add(id: string, disk: Disk = emptyDisk()): Member {
    const member = new Member(this, id, disk);
    this.members.set(id, member);
    member.step({ type: "start" });
    return member;
  }

  /** Servers that were bootstrapped together; `nonVoters` have received nothing yet. */
  bootstrap(voters: readonly string[], nonVoters: readonly string[] = []): void {
    const configuration = configurationOf(voters, nonVoters);
    for (const id of voters) this.add(id, diskOf(configuration, [1]));
    for (const id of nonVoters) this.add(id);
  }

  deliver(wire: Wire): void {
    this.wires.splice(this.wires.indexOf(wire), 1);
    const member = this.members.get(wire.to);
    if (member?.isUp === true && !this.cuts.has(`${wire.from}>${wire.to}`)) {
      member.step({ type: "message", from: wire.from, message: wire.message });
    }
  }

  /** Carries a snapshot over, or says that it could not. */
  ship(snapshot: SnapshotUnderWay, ok = true): void {
    this.snapshots.splice(this.snapshots.indexOf(snapshot), 1);
    const { from, to, term, stored } = snapshot;
    const arrives = ok && this.members.get(to)?.isUp === true && !this.cuts.has(`${from}>${to}`);
    if (arrives) {
      const member = this.member(to);
      member.received.set(stored.point.index, stored);
      member.step({ type: "snapshot-received", from, term, snapshot: stored.point });
    }
    const sender = this.member(from);
    if (sender.isUp) sender.step({ type: "snapshot-sent", peer: to, index: stored.point.index, ok: arrives });
  }

  /** Writes, delivers and ships among these servers until nothing is left to do. Time stands still. */
  settle(ids: readonly string[] = [...this.members.keys()]): void {
    for (let turn = 0; turn < 10_000; turn += 1) {
      const writer = ids.map((id) => this.member(id)).find((member) => member.isUp && member.writes.length > 0);
      if (writer !== undefined) {
        writer.write();
        continue;
      }
      const wire = this.wires.find(({ from, to }) => ids.includes(from) && ids.includes(to));
      if (wire !== undefined) {
        this.deliver(wire);
        continue;
      }
      const snapshot = this.snapshots.find(({ from, to }) => ids.includes(from) && ids.includes(to));
      if (snapshot === undefined) return;
      this.ship(snapshot);
    }
    throw new Error("the group does not settle");
  }

  /** Moves time to the next deadline of a server that is up, and gives it its timeout. False when nobody waits for time. */
  nextTimeout(untilMs: number): boolean {
    let next: Member | undefined;
    for (const member of this.up) {
      const { deadline } = member.raft;
      if (deadline !== null && deadline <= untilMs && deadline < (next?.raft.deadline ?? Infinity)) next = member;
    }
    if (next === undefined) return false;
    this.now = Math.max(this.now, next.raft.deadline!);
    next.step({ type: "timeout" });
    return true;
  }

  /** Lets time pass; between timeouts everything settles. */
  run(ms: number): void {
    const untilMs = this.now + ms;
    this.settle();
    while (this.nextTimeout(untilMs)) this.settle();
    this.now = untilMs;
  }

  /** Lets time pass until there is a leader that has committed in its term. */
  elect(): Member {
    for (let turn = 0; turn < 100; turn += 1) {
      const { leader } = this;
      if (leader !== undefined && leader.raft.termAt(leader.raft.commitIndex) === leader.raft.term) return leader;
      this.run(this.timings.heartbeatMs);
    }
    throw new Error("nobody is elected");
  }

  cut(a: string, b: string): void {
    this.cuts.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  /** Cuts a server off from all others. */
  isolate(id: string): void {
    for (const other of this.members.keys()) if (other !== id) this.cut(id, other);
  }

  heal(): void {
    this.cuts.clear();
  }
}
