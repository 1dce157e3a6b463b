// A group under faults drawn from a seed, watched from outside: every step of every machine is checked against what Raft
// promises (thesis Figure 3.2) and against what reads promise. The same seed gives the same run.
import assert from "node:assert/strict";
import type { ConfigurationChange, Entry, Message, RaftEffect, RaftInput } from "../../src/raft/types.ts";
import { Random } from "../../src/util/random.ts";
import type { GroupOptions, Member, Wire } from "./group.ts";
import { bytes, emptyDisk, Group, hashEntry } from "./group.ts";
import { printEffect, printInput } from "./print.ts";

/** Chances are per mille, of a message or of a millisecond. */
export interface Faults {
  loss: number;
  duplicate: number;
  /** A message takes up to this many milliseconds more. */
  delayMs: number;
  /** A write takes up to this many milliseconds. */
  diskMs: number;
  partition: number;
  heal: number;
  crash: number;
  freeze: number;
  diskFull: number;
  snapshot: number;
  change: number;
  transfer: number;
  wipe: number;
  /** Clocks run up to this much per mille too fast or too slow. */
  drift: number;
}

/** Each fault is on or off, and as strong as it may be, by the seed. */
export function drawFaults(random: Random): Faults {
  const draw = (max: number): number => (random.below(3) === 0 ? 0 : random.below(max + 1));
  return {
    loss: draw(200),
    duplicate: draw(200),
    delayMs: draw(30),
    diskMs: draw(20),
    partition: draw(10),
    heal: 5 + random.below(30),
    crash: draw(8),
    freeze: draw(6),
    diskFull: draw(4),
    snapshot: draw(30),
    change: draw(10),
    transfer: draw(5),
    wipe: draw(2),
    drift: draw(50),
  };
}

interface DueWire extends Wire {
  dueMs: number;
}

interface Machine {
  member: Member;
  /** Its clock's rate and start. */
  rate: number;
  offsetMs: number;
  frozenUntilMs: number;
  restartAtMs: number;
  writeAtMs: number;
  isWiped: boolean;
}

export class Chaos extends Group {
  readonly random: Random;
  readonly faults: Faults;
  readonly machines: Map<string, Machine> = new Map();
  readonly trace: string[] = [];
  readonly counts: Record<string, number> = {};
  isFaulty = true;

  readonly #leaders = new Map<number, string>();
  /** What is committed: term and hash of state, by index. */
  readonly #committed = new Map<number, { term: number; state: number; inTerm: number }>();
  #committedMax = 0;
  /** The last index that a leader has committed, so that a client may know of it. */
  #known = 0;
  /** Every entry ever written or sent: what it holds and what term is before it. */
  readonly #written = new Map<string, { hash: number; before: number }>();
  readonly #reads = new Map<number, number>();
  #ref = 0;
  #spare = 0;
  #proposed = 0;

  constructor(seed: number, options: GroupOptions = {}) {
    super({
      ...options,
      timings: { commitNotifyMs: (seed % 3) * 4, ...options.timings },
      limits: {
        maxEntriesPerMessage: [4, 8, 16, 64, 1024][seed % 5]!,
        maxInflight: 1 + (seed % 4),
        trailingEntries: (seed % 4) * 5,
        ...options.limits,
      },
    });
    this.random = new Random(seed);
    this.faults = drawFaults(this.random);
  }

  // ------------------------------------------------------------------------------------------------ the world

  override add(id: string, disk: ReturnType<typeof emptyDisk> = emptyDisk()): Member {
    this.machines.set(id, {
      member: undefined as unknown as Member,
      rate: 1 + (this.random.below(2 * this.faults.drift + 1) - this.faults.drift) / 1000,
      offsetMs: this.random.below(1_000_000),
      frozenUntilMs: 0,
      restartAtMs: Infinity,
      writeAtMs: 0,
      isWiped: false,
    });
    const member = super.add(id, disk);
    this.machines.get(id)!.member = member;
    return member;
  }

  override clockOf(member: Member): number {
    const { rate, offsetMs } = this.machines.get(member.id)!;
    return offsetMs + this.now * rate;
  }

  override seedOf(): number {
    return this.random.next();
  }

  override post(from: string, to: string, message: Message): void {
    if (this.cuts.has(`${from}>${to}`)) return;
    if (this.isFaulty && this.#happens(this.faults.loss)) return;
    this.wires.push(this.#due(from, to, message));
    if (this.isFaulty && this.#happens(this.faults.duplicate)) this.wires.push(this.#due(from, to, message));
  }

  #due(from: string, to: string, message: Message): DueWire {
    const extraMs = this.isFaulty ? this.random.below(this.faults.delayMs + 1) : 0;
    return { from, to, message, dueMs: this.now + 1 + extraMs };
  }

  #happens(perMille: number): boolean {
    return this.random.below(1000) < perMille;
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.random.below(Math.max(1, from.length))];
  }

  /** One millisecond. */
  tick(): void {
    this.now += 1;
    if (this.isFaulty) this.#injectFaults();
    for (const machine of this.machines.values()) this.#tickMachine(machine);
    for (const wire of this.wires.slice() as DueWire[]) {
      const machine = this.machines.get(wire.to);
      // A frozen process takes nothing in, and gets it all when it thaws.
      if (wire.dueMs <= this.now && !(machine !== undefined && machine.frozenUntilMs > this.now)) this.deliver(wire);
    }
    for (const snapshot of this.snapshots.slice()) {
      if (this.#happens(100)) this.ship(snapshot, !this.isFaulty || !this.#happens(this.faults.loss));
    }
  }

  #tickMachine(machine: Machine): void {
    const { member } = machine;
    if (!member.isUp) {
      if (this.now >= machine.restartAtMs) this.#restart(machine);
      return;
    }
    if (machine.frozenUntilMs > this.now) return;
    const { deadline } = member.raft;
    if (deadline !== null && deadline <= this.clockOf(member)) member.step({ type: "timeout" });
    if (member.writes.length > 0 && this.now >= machine.writeAtMs) {
      if (this.isFaulty && this.#happens(this.faults.diskFull * 5)) {
        this.#count("disk full");
        member.refuseWrites();
      } else member.write();
      machine.writeAtMs = this.now + (this.isFaulty ? this.random.below(this.faults.diskMs + 1) : 0);
    }
    if (this.now % 3 === 0) this.#checkLocalRead(member);
  }

  #restart(machine: Machine): void {
    machine.restartAtMs = Infinity;
    machine.offsetMs = this.random.below(1_000_000);
    machine.member.restart();
  }

  #crash(machine: Machine, forMs: number): void {
    machine.member.crash();
    machine.restartAtMs = this.now + forMs;
  }

  #injectFaults(): void {
    const { faults, random } = this;
    // Half of the faults hit the leader.
    const struck = this.random.below(2) === 0 ? this.leader?.id : undefined;
    const machine = this.machines.get(struck ?? this.#pick([...this.machines.keys()])!)!;
    const { member } = machine;
    if (this.#happens(faults.partition)) this.#partition();
    if (this.#happens(faults.heal)) this.heal();
    // A crash hurts most while something is being written, and when the server is back at once.
    if (member.isUp && this.#happens(member.writes.length > 0 ? 5 * faults.crash : faults.crash)) {
      this.#count("crash");
      this.#crash(machine, random.below(3) === 0 ? 1 : random.below(200));
    }
    if (member.isUp && this.#happens(faults.freeze)) {
      this.#count("freeze");
      machine.frozenUntilMs = this.now + random.below(150);
    }
    if (!member.isUp || machine.frozenUntilMs > this.now) return;
    if (this.#happens(faults.snapshot)) member.takeSnapshot();
    if (member.raft.role === "leader") {
      if (this.#happens(5 * faults.change)) this.#change(member);
      if (this.#happens(5 * faults.transfer)) member.step({ type: "transfer", ref: this.#nextRef(), to: null });
    }
    if (this.#happens(faults.wipe)) this.#wipe(machine);
    if (this.#happens(100)) this.read(member);
    if (this.#happens(5)) member.step({ type: "unreachable", peer: this.#pick([...this.members.keys()])! });
  }

  #partition(): void {
    this.#count("partition");
    const ids = [...this.members.keys()];
    if (this.random.below(2) === 0) {
      // One link only: two servers that do not hear each other, while all others hear both.
      const [a, b] = [this.leader?.id ?? this.#pick(ids)!, this.#pick(ids)!];
      if (a !== b) this.cut(a, b);
      return;
    }
    const isOneWay = this.random.below(3) === 0;
    const side = new Set(ids.filter(() => this.random.below(2) === 0));
    if (this.random.below(2) === 0) {
      // The leader with one follower.
      side.clear();
      side.add(this.leader?.id ?? ids[0]!).add(this.#pick(ids)!);
    }
    for (const a of ids) {
      for (const b of ids) {
        if (side.has(a) && !side.has(b)) {
          this.cuts.add(`${a}>${b}`);
          if (!isOneWay) this.cuts.add(`${b}>${a}`);
        }
      }
    }
  }

  /** The disk is lost and the server comes back with its old id. Only one at a time: more would be more than Raft survives. */
  #wipe(machine: Machine): void {
    const { member } = machine;
    const voters = [...this.members.values()].flatMap(({ raft }) => {
      const ids = raft.configuration.servers.filter((server) => server.voter).map((server) => server.id);
      return ids.length === 0 ? [] : [ids];
    });
    if (voters.some((ids) => ids.length < 3 || ids.some((id) => this.machines.get(id)!.isWiped))) return;
    if (!voters.every((ids) => ids.includes(member.id))) return;
    this.#count("wipe");
    this.#crash(machine, this.random.below(50));
    member.disk = emptyDisk();
    machine.isWiped = true;
  }

  #change(member: Member): void {
    this.#count("change");
    member.step({ type: "change", ref: this.#nextRef(), change: this.#drawChange(member) });
  }

  #drawChange(member: Member): ConfigurationChange {
    const { servers } = member.raft.configuration;
    const voters = servers.filter((server) => server.voter);
    const nonVoters = servers.filter((server) => !server.voter);
    const waiting = this.#pick(nonVoters);
    if (waiting !== undefined && this.random.below(3) > 0) return { kind: "promote", id: waiting.id };
    if (servers.length < 5 && this.random.below(2) === 0) {
      this.#spare += 1;
      const id = `n${this.#spare}`;
      this.add(id);
      return { kind: "add", id, address: id };
    }
    // A wiped server has to go first, since no other may be lost meanwhile.
    const wiped = voters.find((server) => this.machines.get(server.id)!.isWiped);
    const id = (wiped ?? this.#pick(voters))!.id;
    if (voters.length <= 3 && wiped === undefined) return { kind: "promote", id };
    return this.random.below(4) === 0 && wiped === undefined ? { kind: "demote", id } : { kind: "remove", id };
  }

  #nextRef(): number {
    this.#ref += 1;
    return this.#ref;
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  // ------------------------------------------------------------------------------------------------ clients

  propose(): void {
    const { leader } = this;
    if (leader === undefined || this.machines.get(leader.id)!.frozenUntilMs > this.now) return;
    const entries = Array.from({ length: 1 + this.random.below(3) }, () => {
      this.#proposed += 1;
      return { ref: this.#nextRef(), data: bytes(`p${this.#proposed}`) };
    });
    leader.step({ type: "propose", entries });
  }

  /** A read must see what any client could know of when it began. */
  read(member: Member): void {
    const ref = this.#nextRef();
    this.#reads.set(ref, this.#known);
    member.step({ type: "read-index", ref });
  }

  #checkLocalRead(member: Member): void {
    if (!member.raft.canReadLocally(this.clockOf(member))) return;
    this.#count("local read");
    assert.ok(
      member.applied >= this.#known,
      `${member.id} would read locally at ${member.applied}, while ${this.#known} is known`,
    );
  }

  // ------------------------------------------------------------------------------------------------ checks

  override onStep(member: Member, input: RaftInput, effects: readonly RaftEffect[]): void {
    this.trace.push(`${this.now} ${member.id} < ${printInput(input)}`);
    for (const effect of effects) {
      this.trace.push(`    ${printEffect(effect)}`);
      this.#count(effect.type);
      this.#check(member, effect);
    }
  }

  #check(member: Member, effect: RaftEffect): void {
    switch (effect.type) {
      case "role":
        if (effect.role === "leader") this.#checkLeader(member, effect.term);
        return;
      case "send":
        if (effect.message.type !== "append-entries") return;
        this.#checkLogMatching(effect.message.entries, effect.message.prevTerm);
        return;
      case "read-ready":
        for (const ref of effect.refs) {
          assert.ok(effect.index >= this.#reads.get(ref)!, `read ${ref} at ${effect.index} is stale`);
        }
        return;
      case "install-snapshot": {
        const { index, term } = effect.snapshot;
        assert.equal(this.#committed.get(index)?.term, term, `snapshot ${index}@${term} is not of committed entries`);
        return;
      }
      default:
    }
  }

  /** Election safety, leader completeness (thesis Figure 3.2). */
  #checkLeader(member: Member, term: number): void {
    const { raft } = member;
    const other = this.#leaders.get(term) ?? member.id;
    assert.equal(other, member.id, `two leaders in term ${term}`);
    this.#leaders.set(term, member.id);
    for (let index = Math.max(1, raft.baseIndex); index <= this.#committedMax; index += 1) {
      const committed = this.#committed.get(index)!;
      // One that was elected long ago may only now learn of it.
      if (committed.inTerm < term)
        assert.equal(
          raft.termAt(index),
          committed.term,
          `the leader of ${term}, ${member.id}, lacks ${index}@${committed.term}`,
        );
    }
  }

  /** Log matching: an index and a term name one entry, and what is before it. */
  #checkLogMatching(entries: readonly Entry[], beforeTerm: number): void {
    let before = beforeTerm;
    for (const entry of entries) {
      const key = `${entry.index}@${entry.term}`;
      const hash = hashEntry(0, entry);
      const known = this.#written.get(key);
      if (known === undefined) this.#written.set(key, { hash, before });
      else {
        assert.equal(hash, known.hash, `${key} is not the same everywhere`);
        assert.equal(before, known.before, `before ${key} logs differ`);
      }
      before = entry.term;
    }
  }

  override onStore(_member: Member, entries: readonly Entry[], beforeTerm: number): void {
    this.#checkLogMatching(entries, beforeTerm);
  }

  /** State machine safety: the same entries everywhere. */
  override onApply(member: Member, entry: Entry): void {
    const known = this.#committed.get(entry.index);
    if (known === undefined) {
      this.#committed.set(entry.index, { term: entry.term, state: member.state, inTerm: member.raft.term });
      this.#committedMax = Math.max(this.#committedMax, entry.index);
    } else {
      assert.equal(member.state, known.state, `${member.id} applied another ${entry.index}`);
    }
    if (member.raft.role === "leader") this.#known = Math.max(this.#known, entry.index);
  }

  // ------------------------------------------------------------------------------------------------ a run

  /** Faults for a while, then none, and then the group must agree and go on. */
  play(faultyMs: number): void {
    const voters = 1 + this.random.below(5);
    this.bootstrap(Array.from({ length: voters }, (_, i) => String.fromCharCode(97 + i)));
    for (let ms = 0; ms < faultyMs; ms += 1) {
      if (this.random.below(4) === 0) this.propose();
      this.tick();
    }
    this.#count(`commits ${this.#known > 0 ? "yes" : "no"}`);
    this.#healAll();
    this.#checkProgress();
  }

  #healAll(): void {
    this.isFaulty = false;
    this.heal();
    for (const machine of this.machines.values()) {
      machine.frozenUntilMs = 0;
      if (!machine.member.isUp) this.#restart(machine);
    }
  }

  #checkProgress(): void {
    const before = this.#known;
    // Something new is committed soon; followers that are far behind take longer.
    this.#tickUntil(20 * this.timings.electionTimeoutMs, "no commit after healing", () => this.#known > before);
    this.#tickUntil(100 * this.timings.electionTimeoutMs, "no agreement after healing", () => {
      const { leader } = this;
      if (leader === undefined || leader.raft.commitIndex !== leader.raft.lastIndex) return false;
      if (!leader.raft.canReadLocally(this.clockOf(leader)) && leader.raft.configuration.servers.length > 1) {
        // After a transfer that failed only read index is left: a read must get through.
        this.read(leader);
      }
      return leader.raft.progress.every(({ id }) => {
        return this.machines.get(id)!.isWiped || this.member(id).state === leader.state;
      });
    });
  }

  #tickUntil(withinMs: number, failure: string, isDone: () => boolean): void {
    for (let ms = 0; ms < withinMs && !isDone(); ms += 1) {
      if (this.now % 50 === 0) this.propose();
      this.tick();
    }
    const show = ({ id, raft }: Member): string =>
      `${id} ${raft.role} t${raft.term} ${raft.commitIndex}/${raft.lastIndex}`;
    const peers =
      this.leader?.raft.progress.map(({ id, match, next, state }) => `${id} ${state} ${match} ${next}`) ?? [];
    assert.ok(isDone(), `${failure}: ${[...this.members.values()].map(show).join(", ")}; peers: ${peers.join(", ")}`);
  }
}

/** Runs a seed; a failure says which, and shows the last of its trace. */
export function playSeed(seed: number, faultyMs: number): Chaos {
  const chaos = new Chaos(seed);
  try {
    chaos.play(faultyMs);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`seed ${seed}: ${message}\n${chaos.trace.slice(-Number(process.env["TRACE"] ?? 60)).join("\n")}`, {
      cause: error,
    });
  }
  return chaos;
}
