// The promises of Raft (thesis figure 3.2) that can be seen from outside a server: one leader a term, logs that agree, and
// leaders that hold all that was committed. That servers commit and apply the same is reference.ts's.
import type { Checker, Sim, SimNode } from "../types.ts";
import { raftOf, type Reference } from "./reference.ts";

/** At most one server leads in a term; a new leader's log holds every committed entry. */
export class Leaders implements Checker {
  readonly name = "election safety";
  readonly #reference: Reference;
  readonly #leaders = new Map<number, string>();
  /** The term in which each server was last seen to lead. */
  readonly #leading = new Map<string, number>();
  #latest = 0;

  constructor(reference: Reference) {
    this.#reference = reference;
  }

  /** How many terms had a leader. */
  get elections(): number {
    return this.#leaders.size;
  }

  step(sim: Sim): void {
    for (const node of sim.touched ?? sim.nodes) {
      const raft = raftOf(node.server);
      if (raft === null || raft.role !== "leader") continue;
      const { term } = raft;
      if (this.#leading.get(node.name) === term) continue;
      this.#leading.set(node.name, term);
      const other = this.#leaders.get(term);
      if (other !== undefined && other !== node.name)
        sim.fail(this.name, `${node.name} and ${other} lead in term ${term}`);
      this.#leaders.set(term, node.name);
      this.#complete(sim, node, raft.baseIndex, (index) => raft.termAt(index), term);
      this.#latest = Math.max(this.#latest, term);
    }
  }

  /** Leader Completeness: by Log Matching it is enough to look at the newest entry that was committed before its term. */
  #complete(sim: Sim, node: SimNode, base: number, termAt: (index: number) => number | null, term: number): void {
    // Only a leader of the newest term must hold all: an older one may hear of its end late.
    if (term < this.#latest) return;
    const { logIndex } = this.#reference;
    const committed = this.#reference.termAt(logIndex);
    if (committed === null || logIndex <= base || committed >= term) return;
    if (termAt(logIndex) !== committed)
      sim.fail(
        "leader completeness",
        `${node.name} leads in term ${term} without entry ${logIndex} of term ${committed}, which is committed: it has term ${termAt(logIndex)} there`,
      );
  }
}

const DEPTH = 64;

/** Log Matching: where two logs have an entry of one term at an index, they agree on it and on everything before. */
export class LogMatching implements Checker {
  readonly name = "log matching";
  readonly everyMs = 500;

  step(sim: Sim): void {
    const machines = sim.nodes.flatMap(({ name, server }) => {
      const raft = raftOf(server);
      return raft === null ? [] : [{ name, raft }];
    });
    for (const [at, a] of machines.entries()) {
      for (const b of machines.slice(at + 1)) {
        const from = Math.min(a.raft.lastIndex, b.raft.lastIndex);
        const to = Math.max(a.raft.baseIndex, b.raft.baseIndex, from - DEPTH);
        let isCommon = false;
        for (let index = from; index > to; index -= 1) {
          const [termA, termB] = [a.raft.termAt(index), b.raft.termAt(index)];
          if (termA === termB) isCommon = true;
          else if (isCommon)
            sim.fail(
              this.name,
              `${a.name} and ${b.name} agree after ${index}, where they have terms ${termA} and ${termB}`,
            );
        }
      }
    }
  }
}

/** No leader is deaf for so long: it steps down after one election timeout without a majority (check-quorum, thesis §6.2). */
const DEAF_MS = 8000;

/** A leader that hears no majority gives up, so that clients need not wait for it. */
export class Quorums implements Checker {
  readonly name = "check-quorum";
  readonly everyMs = 250;
  /** For each leader, what a majority was heard at last, and since when that is so. */
  readonly #heard = new Map<string, { contactMs: number; term: number; sinceMs: number }>();

  step(sim: Sim): void {
    for (const node of sim.nodes) {
      const raft = raftOf(node.server);
      if (raft === null || raft.role !== "leader" || ("frozen" in node && node.frozen === true)) {
        this.#heard.delete(node.name);
        continue;
      }
      const { term, id, configuration, progress } = raft;
      const voters = configuration.servers.filter(({ voter }) => voter);
      const contacts = voters.map((voter) =>
        voter.id === id ? Infinity : (progress.find((peer) => peer.id === voter.id)?.lastContactMs ?? -Infinity),
      );
      contacts.sort((a, b) => b - a);
      const contactMs = contacts[voters.length >> 1] ?? Infinity;
      const heard = this.#heard.get(node.name);
      if (contactMs === Infinity || heard === undefined || heard.term !== term || heard.contactMs !== contactMs)
        this.#heard.set(node.name, { contactMs, term, sinceMs: sim.now });
      else if (sim.now - heard.sinceMs > DEAF_MS)
        sim.fail(
          this.name,
          `${node.name} leads in term ${term} and has heard no majority for ${sim.now - heard.sinceMs} ms`,
        );
    }
  }
}

/** So many terms in a row without a leader do not come about when nobody opens one that he could not win (pre-vote, §9.6). */
const WASTED_MAX = 12;

/** Terms are opened to be led. */
export class Terms implements Checker {
  readonly name = "pre-vote";
  readonly everyMs = 100;
  #led = 0;
  /** The most terms in a row that nobody led. */
  wasted = 0;

  step(sim: Sim): void {
    let newest = 0;
    for (const { server } of sim.nodes) {
      const raft = raftOf(server);
      if (raft === null) continue;
      newest = Math.max(newest, raft.term);
      if (raft.role === "leader") this.#led = Math.max(this.#led, raft.term);
    }
    this.wasted = Math.max(this.wasted, newest - this.#led);
    if (newest - this.#led > WASTED_MAX)
      sim.fail(this.name, `term ${newest} was opened, but the last one with a leader is ${this.#led}`);
  }
}
