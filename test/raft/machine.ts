// One machine alone, for tests that play all the others by hand.
import { RAFT_DEFAULTS } from "../../src/raft/options.ts";
import { Raft } from "../../src/raft/raft.ts";
import type {
  AppendEntries,
  AppendResponse,
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
import { configurationOf, diskOf } from "./group.ts";

export interface Alone {
  id?: string;
  /** Defaults to the voters a, b and c. */
  configuration?: Configuration;
  /** The log: a configuration entry, then commands; empty: none at all. Defaults to one entry of term 1. */
  terms?: readonly number[];
  hardState?: HardState | null;
  snapshot?: SnapshotPoint;
  timings?: Partial<RaftTimings>;
  limits?: Partial<RaftLimits>;
  seed?: number;
}

/** A machine, its clock, and what it has said. Its disk writes at once, unless `writes` is false. */
export class Machine {
  readonly raft: Raft;
  now = 1000;
  writes = true;
  /** Tokens of writes that were not done at once. */
  readonly pending: Extract<RaftEffect, { type: "persist" | "install-snapshot" }>[] = [];

  constructor(options: Alone = {}) {
    const { terms = [1], configuration = configurationOf(["a", "b", "c"]) } = options;
    const disk = diskOf(configuration, terms.length === 0 ? [1] : terms);
    const snapshot = options.snapshot ?? null;
    this.raft = new Raft({
      id: options.id ?? "a",
      seed: options.seed ?? 1,
      hardState: options.hardState === undefined ? (terms.length === 0 ? null : disk.hardState) : options.hardState,
      base: { index: snapshot?.index ?? 0, term: snapshot?.term ?? 0 },
      entries: terms.length === 0 ? [] : disk.entries.slice(snapshot?.index ?? 0),
      snapshot,
      applied: snapshot?.index ?? 0,
      timings: { heartbeatMs: 10, electionTimeoutMs: 50, leaseMs: 40, commitNotifyMs: 0, ...options.timings },
      limits: { ...RAFT_DEFAULTS.limits, ...options.limits },
    });
    this.step({ type: "start" });
  }

  /** Takes an input and returns all that follows from it, writes and what comes after them included. */
  step(input: RaftInput): RaftEffect[] {
    const effects = this.raft.step(this.now, input);
    for (const effect of effects.slice()) {
      if (effect.type !== "persist" && effect.type !== "install-snapshot") continue;
      if (this.writes) effects.push(...this.#done(effect));
      else this.pending.push(effect);
    }
    return effects;
  }

  #done(effect: { token: number; then: readonly Outgoing[] }): RaftEffect[] {
    const effects = this.step({ type: "persisted", token: effect.token });
    return [...effects, ...effect.then.map(({ to, message }): RaftEffect => ({ type: "send", to, message }))];
  }

  /** Does the oldest write that waits. */
  write(): RaftEffect[] {
    return this.#done(this.pending.shift()!);
  }

  from(from: string, message: Message): RaftEffect[] {
    return this.step({ type: "message", from, message });
  }

  after(ms: number, input: RaftInput = { type: "timeout" }): RaftEffect[] {
    this.now += ms;
    return this.step(input);
  }

  propose(...texts: string[]): RaftEffect[] {
    const entries = texts.map((text, ref) => ({ ref, data: new TextEncoder().encode(text) }));
    return this.step({ type: "propose", entries });
  }

  /** Makes it the leader of the next term by the votes of others; nobody has answered it yet. */
  lead(...voters: string[]): RaftEffect[] {
    this.now += 50;
    this.step({ type: "campaign" });
    const term = this.raft.term + 1;
    for (const id of voters) this.from(id, { type: "vote-response", term, preVote: true, granted: true });
    return voters.flatMap((id) => this.from(id, { type: "vote-response", term, preVote: false, granted: true }));
  }
}

/** The messages among the effects, to one server or to all. */
export function sent(effects: readonly RaftEffect[], to?: string): Message[] {
  return effects.flatMap((effect) =>
    effect.type === "send" && (to ?? effect.to) === effect.to ? [effect.message] : [],
  );
}

/** The effects of one type. */
export function only<T extends RaftEffect["type"]>(
  effects: readonly RaftEffect[],
  type: T,
): Extract<RaftEffect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<RaftEffect, { type: T }> => effect.type === type);
}

/** The indexes that the effects commit. */
export function committed(effects: readonly RaftEffect[]): number[] {
  return only(effects, "commit").flatMap((effect) => effect.entries.map((entry) => entry.index));
}

export function append(fields: Partial<AppendEntries>): AppendEntries {
  return {
    type: "append-entries",
    term: 2,
    prevIndex: 1,
    prevTerm: 1,
    commit: 0,
    round: 1,
    leaseMs: 40,
    entries: [],
    ...fields,
  };
}

export function ok(index: number, fields: Partial<AppendResponse> = {}): AppendResponse {
  return {
    type: "append-response",
    term: 2,
    round: 1,
    success: true,
    index,
    hintIndex: 0,
    hintTerm: 0,
    lastIndex: 0,
    ...fields,
  };
}

/** Commands of these terms, from an index on. */
export function commands(from: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => ({
    index: from + i,
    term,
    kind: "command",
    data: new TextEncoder().encode(`${from + i}@${term}`),
  }));
}
