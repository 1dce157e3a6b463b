// One run: the cluster is started, works under faults for a while, is healed, must make progress soon, come to agree, and
// stand the checks of what its clients were told. The same scenario goes the same way every time.
import { setImmediate } from "node:timers/promises";
import { federationProblem } from "./check/federation.ts";
import { membersProblem, type Present } from "./check/members.ts";
import { rest } from "./event-queue.ts";
import type { EndFault, FaultKind } from "./faults/fault-kind.ts";
import { faultKinds } from "./faults/table.ts";
import { guardGlobals } from "./guards.ts";
import { ask } from "./operator.ts";
import type { FaultInstance, Scenario } from "./scenario.ts";
import type { SimAgent } from "./sim-agent.ts";
import { siteOf } from "./network.ts";
import { chance, pick } from "./streams.ts";
import type { Checker, Workload } from "./types.ts";
import { Violation, World } from "./world.ts";

/** What came of a run. */
export interface Outcome {
  readonly hash: string;
  readonly violation: Violation | null;
  /** Virtual milliseconds. */
  readonly simulatedMs: number;
  readonly wallMs: number;
  readonly events: number;
  readonly operations: number;
  /** How often each kind of fault really did something. */
  readonly fired: ReadonlyMap<string, number>;
  /** From the end of the faults to the first write that was acknowledged. */
  readonly recoveryMs: number;
  /** Readable, when it was asked for. */
  readonly lines: readonly string[] | null;
}

/** Who takes part besides the cluster. Checkers are stepped in their order. */
export interface Parties {
  readonly workloads: readonly Workload[];
  readonly checkers: readonly Checker[];
  /** What datacenters do not agree about yet; null when there is nothing. */
  difference?(): string | null;
  /** Requests answered so far. */
  operations(): number;
}

export interface SimulateOptions {
  /** Keeps readable lines. */
  readonly traced?: boolean;
  /** Made anew for each run. @param worlds a world for each datacenter. */
  parties(scenario: Scenario, worlds: readonly World[]): Parties;
}

/** From healing to a write that is acknowledged: ten election timeouts, and what a process takes to start. */
const PROGRESS_TIMEOUTS = 10;
const START_MS = 1000;
/** Clients go on for so long after that. */
const CALM_MS = 5000;
/** The same with several datacenters: then there is time in which nothing is wrong anywhere. */
const CALM_FAR_MS = 20_000;
/** From a write in each datacenter to one from each in each other: who was silent is asked again every other second. */
const LINK_MS = 10_000;
/** Before that their WAN pools may have to meet again: those of datacenters that were restarted while their link was lost. */
const STRANGERS_MS = 200_000;
/** An operation may wait for its answer so long. */
const SETTLE_MS = 45_000;
/** Servers that were far behind, or are replaced, have so long to catch up. */
const AGREE_MS = 60_000;
/** What one datacenter takes over from another is there by then: links that failed are tried again within a minute. */
const REPLICATED_MS = 150_000;
/**
 * By then gossip and the catalog tell the truth: suspicions have run out, members that were held to be gone are asked again,
 * and the leader has looked at all of them. Where gossip is slower it takes longer.
 */
const MEMBERS_MS = 120_000;
const MEMBERS_STRETCH_MS = 60_000;
/** The WAN pool has timings of its own. */
const FEDERATION_MS = 300_000;
const LOOK_MS = 1000;
const PROBE_MS = 250;
/** Other work of this process gets a turn after so many events. */
const EVENTS_PER_BREATH = 50_000;

/** Runs a scenario to its end, or to the first violation. */
export async function simulate(scenario: Scenario, options: SimulateOptions): Promise<Outcome> {
  const startedAt = performance.now();
  const run = new Run(scenario, options);
  const violation = await run.toEnd();
  const { world, recoveryMs } = run;
  return {
    hash: world.record.hash,
    violation,
    simulatedMs: world.now,
    wallMs: performance.now() - startedAt,
    events: world.events.count,
    operations: run.operations,
    fired: world.fired,
    recoveryMs,
    lines: world.record.lines,
  };
}

/** A write that is asked for until it is done, and why it was not yet. */
interface Written {
  ms: number | null;
  /** When its servers last did not know the datacenter that it is for. */
  strangersMs: number;
  refusal: string;
}

class Run {
  /** The world of the first datacenter, which knows the time and the network of all. */
  readonly world: World;
  readonly worlds: readonly World[];
  recoveryMs = 0;
  readonly #scenario: Scenario;
  readonly #workloads: readonly Workload[];
  /** Looked at after every event, and every few milliseconds. */
  readonly #steps: readonly ((world: World) => void)[];
  readonly #checkers: readonly Checker[];
  readonly #operations: () => number;
  readonly #difference: () => string | null;
  readonly #active = new Set<() => void>();
  #release: () => void = () => {};

  constructor(scenario: Scenario, { traced, parties }: SimulateOptions) {
    this.#scenario = scenario;
    this.world = new World(scenario, traced === true);
    this.worlds = this.world.federate(scenario.datacenters ?? 1);
    const { workloads, checkers, operations, difference } = parties(scenario, this.worlds);
    this.#difference = difference ?? ((): null => null);
    this.#workloads = workloads;
    this.#checkers = checkers;
    this.#operations = operations;
    this.#steps = checkers.flatMap((checker) =>
      checker.step === undefined || (checker.everyMs ?? 0) > 0 ? [] : [(world: World) => checker.step?.(world)],
    );
  }

  get operations(): number {
    return this.#operations();
  }

  async toEnd(): Promise<Violation | null> {
    // Bun's very first `nextTick` does not wait for promises.
    await rest();
    await setImmediate();
    this.#release = guardGlobals();
    try {
      await this.#phases();
    } catch (error) {
      const { world } = this;
      if (!(error instanceof Violation)) {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        world.found("no error is thrown", text);
      }
    } finally {
      this.#release();
    }
    return this.world.violation;
  }

  async #phases(): Promise<void> {
    const { world } = this;
    const { chaosMs, faults } = this.#scenario;
    for (const each of this.worlds) each.populate();
    for (const each of this.worlds) each.begin();
    for (const checker of this.#checkers) if ((checker.everyMs ?? 0) > 0) this.#every(checker);
    for (const fault of faults) world.at(fault.atMs, () => this.#begin(fault));
    for (const workload of this.#workloads) workload.start(world);
    await this.#pass(chaosMs, () => false);
    this.#heal();
    await this.#progress();
    await this.#pass(world.now + (this.worlds.length > 1 ? Math.min(CALM_FAR_MS, chaosMs) : CALM_MS), () => false);
    for (const workload of this.#workloads) workload.stop();
    const open = (): readonly Workload[] => this.#workloads.filter((each) => !each.settled());
    await this.#demand(
      SETTLE_MS,
      "every operation ends",
      () => open().length === 0,
      () =>
        open()
          .map(({ name }) => name)
          .join(),
    );
    await this.#demand(AGREE_MS, "all servers come to agree", () => this.worlds.every((world) => this.#agree(world)));
    await this.#demand(
      REPLICATED_MS,
      "datacenters come to hold the same of what is replicated",
      () => this.#difference() === null,
      () => this.#difference() ?? "",
    );
    for (const world of this.worlds)
      await this.#members(world, world.nodes, membersProblem, "members agree", MEMBERS_MS);
    const all = this.worlds.flatMap(({ nodes }) => nodes);
    if (this.worlds.length > 1)
      await this.#members(this.world, all, federationProblem, "datacenters agree", FEDERATION_MS);
    for (const each of this.worlds) each.touchAll();
    for (const checker of this.#checkers) {
      checker.step?.(world);
      checker.healed?.(world);
    }
    for (const workload of this.#workloads) workload.finish(world);
  }

  #every(checker: Checker): void {
    const look = (): void => {
      checker.step?.(this.world);
      this.world.events.after(checker.everyMs as number, look);
    };
    this.world.events.after(checker.everyMs as number, look);
  }

  #begin(fault: FaultInstance): void {
    const { worlds } = this;
    const world = worlds[fault.site ?? 0] ?? this.world;
    if (world.isHealing) return;
    const kind = faultKinds.find(({ name }) => name === fault.kind);
    if (kind === undefined) throw new Error(`no kind of fault is named ${fault.kind}`);
    const where = kind.isFar === true || worlds.length === 1 ? "" : ` in ${world.datacenter}`;
    world.trace(`fault ${fault.kind}${where} for ${fault.forMs} ms`);
    world.touchAll();
    const end =
      worlds.length === 1 ? kind.begin(world, world.streams.fork(fault.seed), fault) : begun(world, kind, fault);
    if (end === null) return;
    const once = (): void => {
      if (!this.#active.delete(once)) return;
      world.trace(`end of ${fault.kind}${where}`);
      end();
      world.touchAll();
    };
    this.#active.add(once);
    world.events.after(fault.forMs, once);
  }

  /** Nothing fails any more, and everything is started. */
  #heal(): void {
    const { world } = this;
    world.trace("all faults end");
    for (const end of this.#active) end();
    for (const each of this.worlds) {
      each.isHealing = true;
      for (const agent of each.nodes) {
        agent.disk.heal();
        agent.thaw();
        agent.clock.setRate(1);
        each.start(agent);
      }
    }
  }

  /** A write must be acknowledged soon, in each datacenter, and then from each to each other. */
  async #progress(): Promise<void> {
    const healedAt = this.world.now;
    const limitMs = PROGRESS_TIMEOUTS * this.#slowestElectionMs + START_MS;
    const written = this.worlds.map((world) => this.#written(world, world));
    await this.#demand(limitMs, "a write is acknowledged after the faults end", () =>
      written.every(({ ms }) => ms !== null),
    );
    this.recoveryMs = Math.max(...written.map(({ ms }) => ms ?? 0)) - healedAt;
    const across = this.worlds.flatMap((from) =>
      this.worlds.filter((to) => to !== from).map((to) => this.#written(from, to)),
    );
    if (across.length > 0)
      await this.#demand(
        STRANGERS_MS,
        "a write in another datacenter is acknowledged",
        () => across.every(({ ms, strangersMs }) => ms !== null || this.world.now - strangersMs > LINK_MS),
        () => across.flatMap(({ ms, refusal }) => (ms === null ? [refusal] : [])).join("; "),
      );
    for (const { ms, refusal } of across)
      if (ms === null)
        this.world.fail(
          "progress",
          `no write in another datacenter ${LINK_MS} ms after they know each other: ${refusal}`,
        );
  }

  /** Asks agents of a datacenter again and again to write in one; says when it was done. */
  #written(from: World, to: World): Written {
    const written: Written = { ms: null, strangersMs: from.now, refusal: `no answer from ${from.datacenter}` };
    const target = from === to ? "/v1/kv/sim/progress" : `/v1/kv/sim/progress?dc=${to.datacenter}`;
    const probe = (): void => {
      const up = from.nodes.filter(({ up, retired }) => up && !retired);
      if (written.ms !== null) return;
      from.events.after(PROBE_MS, probe);
      if (up.length === 0) return;
      void ask(from, pick(from.random("probe"), up), "PUT", target, "x").then((reply) => {
        if (!from.knows(to)) written.strangersMs = from.now;
        if (reply?.status === 200) written.ms ??= from.now;
        else if (reply !== null) written.refusal = `${from.datacenter} to ${to.datacenter}: ${reply.body}`;
      });
    };
    probe();
    return written;
  }

  get #slowestElectionMs(): number {
    const changed = this.worlds.map(({ raftChanges }) => raftChanges.electionTimeoutMs ?? 0);
    return Math.max(this.#scenario.settings.electionTimeoutMs, ...changed);
  }

  /** Every server of the group runs, and has applied all that any has; nothing is left for the operator. */
  #agree(world: World): boolean {
    if (!world.operator.isIdle) return false;
    const { servers } = world.group;
    const applied = servers.map(({ id }) => world.agentOf(id)?.server?.appliedIndex);
    if (applied.some((index) => index === undefined || index !== applied[0])) return false;
    const hashes = new Set(servers.map(({ id }) => world.agentOf(id)?.server?.state.hash()));
    if (hashes.size > 1) world.fail("equal state", `at index ${applied[0]}: ${[...hashes].join()}`);
    return true;
  }

  async #members(
    world: World,
    agents: readonly SimAgent[],
    problemOf: (present: readonly Present[]) => Promise<string | null>,
    checker: string,
    leastMs: number,
  ): Promise<void> {
    let problem: string | null = "nobody was asked";
    const look = async (): Promise<void> => {
      const present = agents.map((agent) => ({
        name: agent.name,
        datacenter: agent.datacenter,
        kind: agent.kind,
        ask: (target: string) => ask(world, agent, "GET", target),
      }));
      problem = await problemOf(present);
      if (problem !== null) world.events.after(LOOK_MS, () => void look());
    };
    void look();
    const withinMs = leastMs + MEMBERS_STRETCH_MS * (this.#scenario.settings.gossipStretch ?? 1);
    const untilMs = world.now + withinMs;
    await this.#pass(untilMs, () => problem === null);
    if (problem !== null) world.fail(checker, `not within ${withinMs} ms: ${problem}`);
  }

  async #demand(withinMs: number, what: string, holds: () => boolean, left: () => string = () => ""): Promise<void> {
    const { world } = this;
    const untilMs = world.now + withinMs;
    // So that time passes at all: an idle world has no events.
    world.at(untilMs, () => {});
    await this.#pass(untilMs, holds);
    if (!holds()) world.fail("progress", `${what}: not within ${withinMs} ms ${left()}`);
  }

  /** Lets events happen until a time, or until something holds. @throws Violation */
  async #pass(untilMs: number, holds: () => boolean): Promise<void> {
    const { world } = this;
    const { events } = world;
    await rest();
    while (!holds()) {
      if (!events.step(untilMs)) {
        events.now = untilMs;
        return;
      }
      await rest();
      for (const step of this.#steps) step(world);
      for (const each of this.worlds) each.touched.clear();
      if (world.violation !== null) throw world.violation;
      if (events.count % EVENTS_PER_BREATH === 0) await this.#breathe();
    }
  }

  async #breathe(): Promise<void> {
    this.#release();
    await setImmediate();
    this.#release = guardGlobals();
  }
}

/**
 * Begins a fault in one of several datacenters. What it does to messages it does to those inside, or also to those from there
 * and to there.
 */
function begun(world: World, kind: FaultKind, fault: FaultInstance): EndFault {
  const { network, weather, streams, datacenter } = world;
  const random = streams.fork(fault.seed);
  if (kind.isFar === true) return kind.begin(world, random, fault);
  const own = world.datacenters.indexOf(world);
  const isWide = chance(streams.fork(~fault.seed), WIDE_SHARE);
  network.scope = (from, to) => {
    const [a, b] = [siteOf(from), siteOf(to)];
    return isWide ? a === own || b === own : (a === own || a < 0) && (b === own || b < 0);
  };
  weather.begin(datacenter);
  const end = kind.begin(world, random, fault);
  network.scope = null;
  if (end === null) weather.end(datacenter);
  return end === null
    ? null
    : () => {
        end();
        weather.end(datacenter);
      };
}
const WIDE_SHARE = 0.3;
