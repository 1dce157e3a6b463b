// The two open bugs of Consul's own Raft as scripts: the simulated cluster is led, step by step, to where the bug would
// show. On the product nothing happens; with the bug planted (`heartbeat-race`, `two-write-vote`) a checker finds it.
import { rest } from "../event-queue.ts";
import type { NetworkRule } from "../network.ts";
import type { SimAgent } from "../sim-agent.ts";
import type { Scenario, Settings } from "../scenario.ts";
import { createSuite } from "../suite.ts";
import { type Violation, World } from "../world.ts";

const SETTINGS: Settings = {
  latencyMs: [1, 2],
  syncMs: [1, 2],
  snapshotThreshold: 10_000,
  snapshotIntervalMs: 60_000,
  trailingLogs: 1000,
  electionTimeoutMs: 500,
  joining: false,
};

/** A cluster of three that does only what it is told, with every checker looking on. */
class Script {
  readonly world: World;
  readonly #checkers = createSuite({ workloads: [] }).checkers;

  constructor(seed: number, settings: Partial<Settings>) {
    const scenario: Scenario = {
      seed,
      servers: 3,
      clients: 0,
      chaosMs: 0,
      opsPerSecond: 0,
      settings: { ...SETTINGS, ...settings },
      faults: [],
    };
    this.world = new World(scenario, false);
    this.world.begin();
  }

  /** Lets time pass until it holds. False: it did not in time, or a violation was found. */
  async until(holds: () => boolean, withinMs: number): Promise<boolean> {
    const { world } = this;
    const untilMs = world.now + withinMs;
    world.at(untilMs, () => {});
    await rest();
    while (world.violation === null && !holds()) {
      if (!world.events.step(untilMs)) return false;
      await rest();
      for (const { step, everyMs } of this.#checkers.map((checker) => ({
        step: checker.step?.bind(checker),
        everyMs: checker.everyMs,
      }))) {
        if ((everyMs ?? 0) > 0 || step === undefined) continue;
        try {
          step(world);
        } catch (error) {
          if (world.violation === null) throw error;
        }
      }
    }
    return world.violation === null;
  }

  async pass(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  /** Messages from one to the other are lost; with `requestsOnly` replies come through. */
  cut(from: SimAgent, to: SimAgent, requestsOnly = false): () => void {
    return this.#rule(from, to, { loss: 1 }, requestsOnly);
  }

  /** Requests of one to the other are held until released. */
  hold(from: SimAgent, to: SimAgent): { held: (() => void)[]; release(): void } {
    const held: (() => void)[] = [];
    return { held, release: this.#rule(from, to, { held }, true) };
  }

  #rule(from: SimAgent, to: SimAgent, what: Partial<NetworkRule>, requestsOnly: boolean): () => void {
    return this.world.network.add({
      kind: "script",
      applies: (a, b, isReply) => a === from.host && b === to.host && !(requestsOnly && isReply),
      ...what,
    });
  }

  /** All three, the leader first. */
  async settled(): Promise<[SimAgent, SimAgent, SimAgent]> {
    const { world } = this;
    await this.until(() => world.leader?.server?.leading === true, 60_000);
    const leader = world.leader as SimAgent;
    const [b, c] = world.nodes.filter((node) => node !== leader) as [SimAgent, SimAgent];
    await this.pass(500);
    return [leader, b, c];
  }
}

/** What came of a script: whether it got to where the bug would show, and what was found. */
export interface ScriptResult {
  readonly isComplete: boolean;
  readonly violation: Violation | null;
}

/**
 * hashicorp/raft #695: a heartbeat raises a follower's term while it takes entries of the term before, and it acknowledges
 * them. A leader stands still while another one is elected; back again, it has a follower of the other one take its entry.
 */
export async function heartbeatRace(seed: number): Promise<ScriptResult> {
  const script = new Script(seed, {});
  const { world } = script;
  const [a] = await script.settled();
  const others = world.nodes.filter((node) => node !== a);
  const cuts = others.map((other) => script.cut(other, a, true));
  a.freeze();
  const newLeader = (): SimAgent | undefined => others.find(({ server }) => server?.raft.role === "leader");
  // Both have the first entry of the new term; the leader learns that and commits it, the other one does not hear so.
  let isComplete = await script.until(() => {
    const term = newLeader()?.server?.raft.term;
    return term !== undefined && others.every(({ server }) => server?.raft.lastTerm === term);
  }, 10_000);
  const b = newLeader() as SimAgent;
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
  return { isComplete, violation: world.violation };
}

/**
 * hashicorp/raft #661: term and vote are two writes. A server votes and crashes between them; in the same term it is asked
 * by another candidate when it is back.
 */
export async function twoWriteVote(seed: number): Promise<ScriptResult> {
  const electionTimeoutMs = 4000;
  const script = new Script(seed, { electionTimeoutMs, syncMs: [30, 31] });
  const { world } = script;
  const [c, a, b] = await script.settled();
  script.cut(a, b);
  script.cut(b, a);
  c.crash();
  await script.pass(500);
  // It must not campaign itself.
  const quiet = [script.cut(c, a, true), script.cut(c, b, true)];
  world.start(c);
  await script.until(() => c.up, 1000);
  // Until it may vote again.
  await script.pass(electionTimeoutMs + 50);
  const fromA = script.hold(a, c);
  const fromB = script.hold(b, c);
  const asks = (agent: SimAgent): boolean => agent.server?.raft.role === "pre-candidate";
  await script.until(() => asks(a) || asks(b), 10_000);
  // Both must ask at nearly the same time, or the first one's call is over.
  if (!(await script.until(() => asks(a) && asks(b), electionTimeoutMs / 2 - 100)))
    return { isComplete: false, violation: world.violation };
  for (const end of quiet) end();
  fromA.release();
  fromB.release();
  const late = script.hold(b, c);
  const isWon = await script.until(() => a.server?.raft.role === "leader", 500);
  c.disk.faults.loses = true;
  c.crash();
  script.cut(a, c);
  script.cut(c, a);
  world.start(c);
  await script.until(() => c.up, 1000);
  await script.pass(electionTimeoutMs + 20);
  const isComplete = isWon && late.held.length > 0 && b.server?.raft.role === "candidate";
  late.release();
  await script.pass(500);
  return { isComplete, violation: world.violation };
}
