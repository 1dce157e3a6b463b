// What is true: the committed log, gathered from all servers as they commit, and a store of its own that applies it entry by
// entry. Every server is compared with it, entry by entry and state by state; workloads ask it what a key or a query was at
// an index. Two servers that commit different entries at one index are found here (State Machine Safety).
import { decode } from "../../../src/codec/value.ts";
import type { Raft } from "../../../src/raft/raft.ts";
import type { Entry } from "../../../src/raft/types.ts";
import { type LoggedCommand, Restores } from "../../../src/server/restores.ts";
import type { Server } from "../../../src/server/server.ts";
import type { Change } from "../../../src/state/change.ts";
import { StateStore } from "../../../src/state/store.ts";
import { equal } from "../../../src/util/bytes.ts";
import type { Checker, Sim, SimNode } from "../types.ts";

/** How many entries and hashes are remembered: more than any server can be behind and still take them from the log. */
const REMEMBERED = 65_536;
const SWEEP = 4096;

/** An entry, as it was first committed. */
export interface Committed {
  readonly entry: Entry;
  readonly command: LoggedCommand | null;
  readonly changes: readonly Change[];
  /** The index of the store after it. */
  readonly index: number;
  readonly atMs: number;
}

/** A question whose answers are followed from index to index. */
export interface Followed {
  /** True when a change may have changed the answer. */
  concerns(change: Change): boolean;
  /** The answer in short. */
  digest(state: StateStore): string;
}

interface Version {
  index: number;
  digest: string;
}

/** What was seen of one server's present life. */
interface Seen {
  server: Server;
  commit: number;
  applied: number;
}

type RaftView = Omit<Raft, "step">;

/** The Raft machine of a server; null before its start. */
export function raftOf(server: Server | null): RaftView | null {
  if (server === null) return null;
  try {
    return server.raft;
  } catch {
    return null;
  }
}

export class Reference implements Checker {
  readonly name = "committed log";
  /** The last index of the log that some server has committed. */
  logIndex = 0;
  state: StateStore = new StateStore();
  readonly #restores = new Restores();
  #offset = 0;
  readonly #entries = new Map<number, Entry>();
  readonly #hashes = new Map<number, string>();
  readonly #seen = new Map<string, Seen>();
  readonly #followed = new Map<string, { question: Followed; versions: Version[] }>();
  readonly #listeners: ((committed: Committed, sim: Sim) => void)[] = [];

  /** Calls `listener` with every entry in its order. */
  onCommitted(listener: (committed: Committed, sim: Sim) => void): void {
    this.#listeners.push(listener);
  }

  /** The index of the store. */
  get index(): number {
    return this.state.lastIndex;
  }

  /** The term of a committed entry; null when it is not remembered. */
  termAt(index: number): number | null {
    return this.#entries.get(index)?.term ?? null;
  }

  /** Follows a question from now on, under a name. */
  follow(name: string, question: Followed): void {
    this.#followed.set(name, { question, versions: [{ index: 0, digest: question.digest(this.state) }] });
  }

  forget(name: string): void {
    this.#followed.delete(name);
  }

  /** The answer as of an index of the store. */
  answerAt(name: string, index: number): string | null {
    const versions = this.#followed.get(name)?.versions ?? [];
    return versions.findLast((version) => version.index <= index)?.digest ?? null;
  }

  /** The first index after `index` at which the answer changed; Infinity when it has not. */
  nextChange(name: string, index: number): number {
    const versions = this.#followed.get(name)?.versions ?? [];
    // The newest first: most often there is none, or one of the last.
    let at = versions.length;
    while (at > 0 && (versions[at - 1] as Version).index > index) at -= 1;
    return versions[at]?.index ?? Infinity;
  }

  /** The index at which the answer last changed. */
  lastChange(name: string): number {
    return this.#followed.get(name)?.versions.at(-1)?.index ?? 0;
  }

  step(sim: Sim): void {
    for (const node of sim.touched ?? sim.nodes) {
      const raft = raftOf(node.server);
      if (raft !== null) this.#look(sim, node, node.server as Server, raft);
    }
  }

  #look(sim: Sim, node: SimNode, server: Server, raft: RaftView): void {
    let seen = this.#seen.get(node.name);
    if (seen === undefined || seen.server !== server) {
      seen = { server, commit: -1, applied: -1 };
      this.#seen.set(node.name, seen);
    }
    const commit = raft.commitIndex;
    if (commit !== seen.commit) this.#compareLog(sim, node, raft, seen, commit);
    const applied = server.appliedIndex;
    if (applied !== seen.applied) this.#compareState(sim, node, server, seen, applied);
  }

  #compareLog(sim: Sim, node: SimNode, raft: RaftView, seen: Seen, commit: number): void {
    if (commit < seen.commit)
      sim.fail("commit monotone", `${node.name}: its commit index fell from ${seen.commit} to ${commit}`);
    const from = Math.max(seen.commit, raft.baseIndex) + 1;
    if (from > this.logIndex + 1)
      sim.fail(this.name, `${node.name} holds ${from - 1} by a snapshot, but only ${this.logIndex} was ever committed`);
    // Most often every server but the first commits what is known.
    for (const entry of from <= commit ? raft.entriesBetween(from, commit) : []) {
      if (entry.index === this.logIndex + 1) this.#extend(sim, entry);
      else this.#compareEntry(sim, node, entry);
    }
    seen.commit = commit;
  }

  #compareEntry(sim: Sim, node: SimNode, entry: Entry): void {
    const known = this.#entries.get(entry.index);
    if (known === undefined || known === entry) return;
    if (known.term === entry.term && known.kind === entry.kind && equal(known.data, entry.data)) return;
    sim.fail(
      "state machine safety",
      `${node.name} commits ${entry.index} of term ${entry.term} (${entry.kind}), another server committed it of term ${known.term} (${known.kind})`,
    );
  }

  #extend(sim: Sim, entry: Entry): void {
    this.logIndex = entry.index;
    this.#entries.set(entry.index, entry);
    let changes: readonly Change[] = [];
    let command: LoggedCommand | null = null;
    const index = entry.index + this.#offset;
    if (entry.kind === "command") {
      command = decode(entry.data) as LoggedCommand;
      if (command.type === "server.restore") this.#restore(command, index);
      else changes = this.state.apply(index, command).changes;
    } else this.state.skip(index);
    this.#hashes.set(entry.index, this.state.hash());
    if (entry.index % SWEEP === 0) {
      forgetBefore(this.#entries, entry.index - REMEMBERED);
      forgetBefore(this.#hashes, entry.index - REMEMBERED);
    }
    for (const { question, versions } of this.#followed.values()) {
      if (command?.type !== "server.restore" && !changes.some((change) => question.concerns(change))) continue;
      const digest = question.digest(this.state);
      if (digest !== versions.at(-1)!.digest) versions.push({ index: this.index, digest });
    }
    const committed = { entry, command, changes, index: this.index, atMs: sim.now };
    for (const listener of this.#listeners) listener(committed, sim);
  }

  #restore(command: Extract<LoggedCommand, { type: "server.restore" }>, index: number): void {
    const store = this.#restores.storeOf(command);
    if (index > store.lastIndex) store.skip(index);
    this.#offset = store.lastIndex - this.logIndex;
    this.state = store;
  }

  #compareState(sim: Sim, node: SimNode, server: Server, seen: Seen, applied: number): void {
    if (applied < seen.applied)
      sim.fail("applied prefix", `${node.name}: its applied index fell from ${seen.applied} to ${applied}`);
    seen.applied = applied;
    const known = this.#hashes.get(applied);
    if (known === undefined) {
      if (applied > this.logIndex)
        sim.fail("applied prefix", `${node.name} has applied ${applied}, but only ${this.logIndex} was ever committed`);
      return;
    }
    const hash = server.state.hash();
    if (hash !== known)
      sim.fail(
        "applied prefix",
        `${node.name}: its state at ${applied} has the hash ${hash}, what was committed gives ${known}`,
      );
  }
}

function forgetBefore(map: Map<number, unknown>, index: number): void {
  for (const key of map.keys()) {
    if (key >= index) return;
    map.delete(key);
  }
}
