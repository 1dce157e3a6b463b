// A cluster that does only what a script tells it, with every checker looking on: for what random faults hardly reach.
import { rest } from "../event-queue.ts";
import type { NetworkRule } from "../network.ts";
import type { Scenario, Settings } from "../scenario.ts";
import type { SimAgent } from "../sim-agent.ts";
import { createSuite } from "../suite.ts";
import type { SimReply } from "../types.ts";
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

/** Those who see a broken promise before anything comes of it. */
const SEAMS: ReadonlySet<string> = new Set(["promises", "claims"]);

/** Which cluster a script wants. */
export interface ScriptSettings extends Partial<Settings> {
  servers?: number;
}

/** What came of a script: whether it got to where the bug would show, and what was found. */
export interface ScriptResult {
  readonly isComplete: boolean;
  readonly violation: Violation | null;
  readonly simulatedMs: number;
}

/** A request under way, or its answer; null: it failed. */
export interface Asked {
  reply: SimReply | null | undefined;
}

export class Script {
  readonly world: World;
  readonly #steps: readonly (() => void)[];

  constructor(seed: number, { servers = 3, ...settings }: ScriptSettings, withSeams: boolean) {
    const scenario: Scenario = {
      seed,
      servers,
      clients: 0,
      chaosMs: 0,
      opsPerSecond: 0,
      settings: { ...SETTINGS, ...settings },
      faults: [],
    };
    this.world = new World(scenario, false);
    const { world } = this;
    const due = new Map<object, number>();
    const { checkers } = createSuite({ workloads: [] });
    this.#steps = checkers
      .filter(({ name }) => withSeams || !SEAMS.has(name))
      .map((checker) => () => {
        const { everyMs = 0 } = checker;
        if (everyMs > 0 && world.now < (due.get(checker) ?? 0)) return;
        due.set(checker, world.now + everyMs);
        checker.step?.(world);
      });
    world.begin();
  }

  /** Lets time pass until it holds. False: it did not in time, or a violation was found. */
  async until(holds: () => boolean, withinMs: number): Promise<boolean> {
    const { world } = this;
    const untilMs = world.now + withinMs;
    world.at(untilMs, () => {});
    await rest();
    while (world.violation === null && !holds()) {
      try {
        if (!world.events.step(untilMs)) return false;
        await rest();
        for (const step of this.#steps) step();
        world.touched.clear();
      } catch (error) {
        // A checker's finding is remembered already.
        if (world.violation === null)
          world.found("no error is thrown", error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    }
    return world.violation === null;
  }

  async pass(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  /** Messages from one to the other are lost; with `requestsOnly` replies come through. */
  cut(from: SimAgent, to: SimAgent, requestsOnly = false): () => void {
    return this.rule({ loss: 1 }, (a, b, isReply) => a === from.host && b === to.host && !(requestsOnly && isReply));
  }

  /** No message passes between them. */
  part(one: SimAgent, others: readonly SimAgent[]): () => void {
    const hosts = new Set(others.map(({ host }) => host));
    return this.rule({ loss: 1 }, (a, b) => (a === one.host && hosts.has(b)) || (b === one.host && hosts.has(a)));
  }

  /** Requests of one to the other are held until released. */
  hold(from: SimAgent, to: SimAgent): { held: (() => void)[]; release(): void } {
    const held: (() => void)[] = [];
    const release = this.rule({ held }, (a, b, isReply) => a === from.host && b === to.host && !isReply);
    return { held, release };
  }

  rule(what: Partial<NetworkRule>, applies: NetworkRule["applies"]): () => void {
    return this.world.network.add({ kind: "script", applies, ...what });
  }

  /** A client's request, whose answer may come at any time or never. */
  ask(agent: SimAgent, method: string, target: string, body?: string): Asked {
    const asked: Asked = { reply: undefined };
    agent.request(method, target, body).then(
      (reply) => (asked.reply = reply),
      () => (asked.reply = null),
    );
    return asked;
  }

  /** Asks again and again until it is done; false: not in time. */
  async done(agent: SimAgent, method: string, target: string, body?: string): Promise<boolean> {
    for (let i = 0; i < 40; i += 1) {
      const asked = this.ask(agent, method, target, body);
      if (!(await this.until(() => asked.reply !== undefined, 5000))) return false;
      if (asked.reply?.status === 200) return true;
      await this.pass(50);
    }
    return false;
  }

  /** All servers, the leader first. */
  async settled(): Promise<[SimAgent, SimAgent, SimAgent, ...SimAgent[]]> {
    const { world } = this;
    await this.until(() => world.leader?.server?.leading === true, 60_000);
    const leader = world.leader as SimAgent;
    await this.pass(500);
    return [leader, ...world.nodes.filter((node) => node !== leader)] as [SimAgent, SimAgent, SimAgent];
  }

  /** One of these leads; null: none does in time. */
  async leaderOf(agents: readonly SimAgent[], withinMs = 20_000): Promise<SimAgent | null> {
    const leads = ({ server }: SimAgent): boolean => server?.leading === true;
    await this.until(() => agents.some(leads), withinMs);
    return agents.find(leads) ?? null;
  }

  /** Crashes it and starts it again at once. */
  async restart(agent: SimAgent): Promise<boolean> {
    agent.crash();
    this.world.start(agent);
    return this.until(() => agent.up, 5000);
  }
}

/** A script with what it wants. */
export interface Directed {
  readonly name: string;
  readonly settings?: ScriptSettings;
  /** True when it came to where the bug would show. */
  run(script: Script): Promise<boolean>;
}

/** @param withSeams false: only what comes of a bug in the end counts, not the first promise that it breaks. */
export async function runScript(
  { settings = {}, run }: Directed,
  seed: number,
  withSeams: boolean = true,
): Promise<ScriptResult> {
  const script = new Script(seed, settings, withSeams);
  const { world } = script;
  let isComplete = false;
  try {
    isComplete = await run(script);
  } catch (error) {
    // After a violation nothing happens any more that a script waits for.
    if (world.violation === null) throw error;
  }
  return { isComplete: isComplete && world.violation === null, violation: world.violation, simulatedMs: world.now };
}
