// The cluster led, step by step, to where one bug or another would show. The product does the right thing there; with the
// bug planted a checker, or the script itself, finds it. `heartbeatRace` and `twoWriteVote` are the two open bugs of Consul's
// own Raft.
import type { SimAgent } from "../sim-agent.ts";
import { scripts as groupScripts } from "./group-scripts.ts";
import { scripts as logScripts } from "./log-scripts.ts";
import { scripts as readScripts } from "./read-scripts.ts";
import type { Directed } from "./script.ts";

/**
 * hashicorp/raft #695: a heartbeat raises a follower's term while it takes entries of the term before, and it acknowledges
 * them. A leader stands still while another one is elected; back again, it has a follower of the other one take its entry.
 */
export const heartbeatRace: Directed = {
  name: "a leader is back, and a follower of the next one hears it",
  async run(script) {
    const { world } = script;
    const [a, ...others] = await script.settled();
    const cuts = others.map((other) => script.cut(other, a, true));
    a.freeze();
    const newLeader = (): SimAgent | undefined => others.find(({ server }) => server?.raft.role === "leader");
    // Both have the first entry of the new term; the leader learns that and commits it, the other one does not hear so.
    let isComplete = await script.until(() => {
      const term = newLeader()?.server?.raft.term;
      return term !== undefined && others.every(({ server }) => server?.raft.lastTerm === term);
    }, 10_000);
    const b = newLeader();
    if (b === undefined) return false;
    const c = others.find((other) => other !== b) as SimAgent;
    script.cut(b, c);
    isComplete &&= await script.until(() => {
      const raft = b.server?.raft;
      return raft !== undefined && raft.termAt(raft.commitIndex) === raft.term;
    }, 100);
    script.cut(c, b);
    script.cut(a, b);
    void a.request("PUT", "/v1/kv/x", "of the old term").catch(() => {});
    await script.pass(5);
    isComplete &&= a.server?.raft.role === "leader" && (b.server?.raft.term ?? 0) > a.server.raft.term;
    for (const end of cuts) end();
    script.cut(b, a);
    a.thaw();
    await script.pass(400);
    return isComplete && world.violation === null;
  },
};

const SLOW_ELECTION_MS = 4000;
const QUICK_ELECTION_MS = 500;

/**
 * hashicorp/raft #661: term and vote are two writes. A server votes and crashes between them; in the same term it is asked
 * by another candidate when it is back.
 */
export const twoWriteVote: Directed = {
  name: "a server crashes while it votes, and is asked again in that term",
  settings: { electionTimeoutMs: SLOW_ELECTION_MS, syncMs: [30, 31] },
  async run(script) {
    const { world } = script;
    const [c, a, b] = await script.settled();
    script.part(a, [b]);
    c.crash();
    await script.pass(500);
    // It does not campaign itself, and gives no vote before its promise is over.
    const quiet = [script.cut(c, a, true), script.cut(c, b, true)];
    const mute = script.cut(a, c);
    world.start(c);
    const isRole = (agent: SimAgent, role: string): boolean => agent.server?.raft.role === role;
    if (!(await script.until(() => isRole(b, "candidate"), 60_000))) return false;
    // Its request is on the way, and it stands still: else it would soon open another term.
    const late = script.hold(b, c);
    if (!(await script.until(() => late.held.length > 0, 1000))) return false;
    b.freeze();
    const term = b.server?.raft.term;
    mute();
    for (const end of quiet) end();
    if (!(await script.until(() => isRole(a, "leader"), 60_000))) return false;
    const isRace = a.server?.raft.term === term;
    c.disk.faults.loses = true;
    script.part(a, [c]);
    // It may vote again soon: with shorter timings, or the other one would wait no more for its answer.
    world.raftChanges = { electionTimeoutMs: QUICK_ELECTION_MS };
    await script.restart(c);
    await script.pass(QUICK_ELECTION_MS + 20);
    b.thaw();
    late.release();
    await script.pass(500);
    return isRace;
  },
};

/** All that is looked at in the hunt for any bug, before random faults. */
export const SCRIPTS: readonly Directed[] = [
  heartbeatRace,
  twoWriteVote,
  ...readScripts,
  ...logScripts,
  ...groupScripts,
];
