// What must be true of every server's store, whatever was applied: what refers to something refers to what is there.
import type { StateStore } from "../../../src/state/store.ts";
import type { Checker, Sim } from "../types.ts";

/** What is wrong with a store; null when nothing is. */
export function storeProblem(state: StateStore): string | null {
  const sessions = new Map(state.sessions().value.map((session) => [session.ID, session]));
  const nodes = new Set(state.nodes().value.map(({ Node }) => Node.toLowerCase()));
  for (const { Key, Session, CreateIndex, ModifyIndex, LockIndex } of state.kvList("").value) {
    if (Session !== undefined && !sessions.has(Session))
      return `key ${Key} is held by session ${Session}, which is gone`;
    if (Session !== undefined && Number(LockIndex) === 0) return `key ${Key} is locked and was never taken`;
    if (CreateIndex > ModifyIndex || ModifyIndex > state.lastIndex)
      return `key ${Key} was created at ${CreateIndex} and changed at ${ModifyIndex}, in a store of ${state.lastIndex}`;
  }
  for (const { ID, Node, NodeChecks } of sessions.values()) {
    if (!nodes.has(Node.toLowerCase())) return `session ${ID} is on node ${Node}, which is gone`;
    const checks = state.nodeChecks(Node).value;
    for (const id of NodeChecks ?? []) {
      const check = checks.find(({ CheckID }) => CheckID === id);
      if (check === undefined) return `session ${ID} hangs on check ${id} of node ${Node}, which is gone`;
      if (check.Status === "critical" && check.Type !== "session")
        return `session ${ID} lives though check ${id} of node ${Node} is critical`;
    }
  }
  return null;
}

/** Looks at every server's store from time to time. */
export class Stores implements Checker {
  readonly name = "store invariants";
  readonly everyMs = 2000;
  readonly #seen = new Map<string, number>();

  step(sim: Sim): void {
    for (const { name, server } of sim.nodes) {
      if (server === null || this.#seen.get(name) === server.appliedIndex) continue;
      this.#seen.set(name, server.appliedIndex);
      const problem = storeProblem(server.state);
      if (problem !== null) sim.fail(this.name, `${name} at ${server.appliedIndex}: ${problem}`);
    }
  }
}
