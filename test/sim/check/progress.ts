// After all faults have ended: one leader, known to all, and every server holds the same state of the same index.
import type { Checker, Sim } from "../types.ts";
import { raftOf, type Reference } from "./reference.ts";

/** What was committed this long ago is applied everywhere. */
const BEHIND_MS = 3000;

/** Called when the cluster has had time to recover: what is not so then will never be. */
export class Progress implements Checker {
  readonly name = "progress after healing";
  readonly everyMs = 500;
  readonly #reference: Reference;
  /** How far the log had come, of late. */
  #marks: { atMs: number; index: number }[] = [];

  constructor(reference: Reference) {
    this.#reference = reference;
  }

  step(sim: Sim): void {
    this.#marks = this.#marks.filter(({ atMs }) => atMs > sim.now - 2 * BEHIND_MS);
    this.#marks.push({ atMs: sim.now, index: this.#reference.logIndex });
  }

  healed(sim: Sim): void {
    const up = sim.nodes.filter(({ server }) => raftOf(server) !== null);
    const leaders = up.filter(({ server }) => server!.leading);
    if (leaders.length !== 1)
      sim.fail(this.name, `${leaders.length} servers lead: ${leaders.map(({ name }) => name).join()}`);
    const leader = leaders[0]!.server!;
    const members = new Set(leader.raft.configuration.servers.map(({ id }) => id));
    const due = this.#marks.findLast(({ atMs }) => atMs <= sim.now - BEHIND_MS)?.index ?? 0;
    for (const { name, server } of up) {
      const raft = server!.raft;
      if (!members.has(raft.id)) continue;
      if (server!.leader !== leader.raft.id)
        sim.fail(this.name, `${name} follows ${server!.leader}, not ${leader.raft.id}`);
      const behind = due - server!.appliedIndex;
      if (behind > 0) sim.fail(this.name, `${name} has applied ${server!.appliedIndex}, ${behind} entries are missing`);
    }
  }
}
