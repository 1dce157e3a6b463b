// The simulated world: machines, the network between them, the operator, and virtual time. It is what faults act upon and
// what workloads and checkers see (`Sim`).
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { makeConfiguration } from "../../src/raft/configuration.ts";
import type { Configuration } from "../../src/raft/types.ts";
import type { Random } from "../../src/util/random.ts";
import { testConfig } from "../support/agent.ts";
import { SimDisk } from "./disk.ts";
import { COPIED, COPY, SHARED } from "./federation/replicated.ts";
import { EventQueue } from "./event-queue.ts";
import { Network } from "./network.ts";
import { Operator } from "./operator.ts";
import type { Scenario } from "./scenario.ts";
import { SimAgent, WAN_PORT } from "./sim-agent.ts";
import { Streams } from "./streams.ts";
import { Trace } from "./trace.ts";
import type { Said, Sim, SimNode } from "./types.ts";
import { MESSAGE_PATH } from "../../src/rpc/message-sender.ts";
import { Weather } from "./weather.ts";
import { raftMessages } from "./wire.ts";

/** A checker has found something, or the product has said that it has a bug. */
export class Violation extends Error {
  readonly checker: string;
  readonly atMs: number;

  constructor(checker: string, message: string, atMs: number) {
    super(message);
    this.checker = checker;
    this.atMs = atMs;
  }
}

/** How long a process that ended takes to be started again, from and to. */
const RESTART_MS: readonly [number, number] = [200, 3000];
/** New servers get a vote after this long. */
const STABILIZATION_MS = 2000;
const RETRY_JOIN_MS = 1000;
/** Of each datacenter, at most; what its machines are called begins with the next number. */
const MACHINES = 100;
const IDS = 10_000;
/** Of the election timeout for each unit of `performance.raft_multiplier`. */
const MULTIPLIER_MS = 100;

export class World implements Sim {
  readonly scenario: Scenario;
  /** The name of the datacenter. */
  readonly datacenter: string;
  /** All datacenters of the simulation, this one among them. */
  readonly datacenters: World[];
  readonly events: EventQueue;
  readonly streams: Streams;
  readonly record: Trace;
  readonly network: Network;
  /** What befalls datacenters and the links between them. */
  readonly weather: Weather;
  readonly operator: Operator;
  readonly nodes: SimAgent[] = [];
  readonly touched: Set<SimAgent> = new Set();
  /** How often each kind of fault really did something. */
  readonly fired: Map<string, number>;
  /** No more faults: what is down comes up. */
  isHealing = false;
  /** Settings that a fault has changed, for lives that begin from now on. */
  raftChanges: Partial<AgentConfig["raft"]> = {};
  readonly #base: AgentConfig = testConfig({ flags: ["-dev"] });
  readonly #byHost: Map<string, SimAgent>;
  readonly #first: World;
  /** Of the names of its random numbers. */
  readonly #prefix: string;
  readonly #doors = new Map<SimAgent, SimNode>();
  #violation: Violation | null = null;
  /** The machines that the group begins with. */
  readonly #founders = new Set<SimAgent>();
  #machines: number;
  #ids: number;

  /** @param first of several datacenters: this one is one more beside it, with the same time and network. */
  constructor(scenario: Scenario, isTraced: boolean, first: World | null = null) {
    this.scenario = scenario;
    this.#first = first ?? this;
    this.datacenters = first?.datacenters ?? [];
    const before = this.datacenters.length;
    this.datacenter = `dc${before + 1}`;
    this.datacenters.push(this);
    this.#prefix = first === null ? "" : `${this.datacenter} `;
    this.#machines = before * MACHINES;
    this.#ids = before * IDS;
    this.events = first?.events ?? new EventQueue();
    this.streams = first?.streams ?? new Streams(scenario.seed);
    this.record = first?.record ?? new Trace(isTraced);
    this.fired = first?.fired ?? new Map<string, number>();
    this.weather = first?.weather ?? new Weather(this.events);
    this.#byHost = first === null ? new Map<string, SimAgent>() : first.#byHost;
    this.network =
      first?.network ??
      new Network({
        events: this.events,
        random: this.random("network"),
        trace: this.record,
        latencyMs: scenario.settings.latencyMs,
        linkMs: scenario.settings.linkMs ?? [],
        agentAt: (host) => this.#byHost.get(host),
        fired: (kind) => this.fire(kind),
      });
    this.operator = new Operator(this);
  }

  /** Puts further datacenters beside the first one, until there are so many. */
  federate(datacenters: number): readonly World[] {
    const { scenario } = this;
    return Array.from({ length: datacenters }, (_, at) => (at === 0 ? this : new World(scenario, false, this)));
  }

  /** What was found where nothing could be thrown to whoever looks. */
  get violation(): Violation | null {
    return this.#first.#violation;
  }

  // ------------------------------------------------------------------------------------------------------- Sim

  get now(): number {
    return this.events.now;
  }

  random(purpose: string): Random {
    return this.streams.of(this.#prefix + purpose);
  }

  at(ms: number, fn: () => void): void {
    this.events.at(ms, fn);
  }

  sleep(ms: number): Promise<void> {
    return this.events.sleep(ms);
  }

  trace(text: string): void {
    this.record.time(this.now);
    this.record.text(text);
    this.record.line(this.now, text);
  }

  fail(checker: string, message: string): never {
    throw this.found(checker, message);
  }

  /** Remembers a violation; the run ends after the present event. */
  found(checker: string, message: string): Violation {
    const found = (this.#first.#violation ??= new Violation(checker, message, this.now));
    this.trace(`VIOLATION ${checker}: ${message}`);
    return found;
  }

  onSaid(listener: (said: Said) => void): void {
    const { onSaid } = this.network;
    this.network.onSaid = (from, toHost, path, bytes, isReply) => {
      onSaid?.(from, toHost, path, bytes, isReply);
      const to = path === MESSAGE_PATH && from.datacenter === this.datacenter ? this.#byHost.get(toHost) : undefined;
      if (to === undefined) return;
      try {
        for (const message of raftMessages(path, bytes, isReply)) listener({ from, to, message });
      } catch (error) {
        // It is remembered; whoever sends has nothing to do with it.
        if (!(error instanceof Violation)) throw error;
      }
    };
  }

  /** Where clients may ask: at its own agents, and at those of other datacenters, which send it here. */
  get doors(): readonly SimNode[] {
    if (this.datacenters.length === 1) return this.nodes;
    const doors: SimNode[] = [];
    for (const { nodes } of this.datacenters)
      for (const agent of nodes) doors.push(agent.datacenter === this.datacenter ? agent : this.#doorOf(agent));
    return doors;
  }

  #doorOf(agent: SimAgent): SimNode {
    let door = this.#doors.get(agent);
    if (door === undefined) this.#doors.set(agent, (door = new FarDoor(agent, this.datacenter)));
    return door;
  }

  // --------------------------------------------------------------------------------------------------- machines

  /** Something outside may have happened to any agent. */
  touchAll(): void {
    for (const node of this.nodes) this.touched.add(node);
  }

  /** A fault has really done something. */
  fire(kind: string): void {
    this.fired.set(kind, (this.fired.get(kind) ?? 0) + 1);
  }

  get servers(): SimAgent[] {
    return this.nodes.filter(({ kind }) => kind === "server");
  }

  /** The servers whose processes run. */
  get running(): SimAgent[] {
    return this.servers.filter(({ up }) => up);
  }

  /** Each of its servers that runs has heard of a datacenter. */
  knows({ datacenter }: World): boolean {
    return this.running.every(({ running }) => running?.agent.datacenters().includes(datacenter) === true);
  }

  /** The server that leads in the newest term, if one says that it does. */
  get leader(): SimAgent | null {
    let leader: SimAgent | null = null;
    for (const node of this.nodes) {
      const raft = node.server?.raft;
      if (raft?.role === "leader" && (leader === null || raft.term > (leader.server?.raft.term ?? 0))) leader = node;
    }
    return leader;
  }

  /** The group as the server sees it that has the newest configuration. */
  get group(): Configuration {
    let newest: { configuration: Configuration; configurationIndex: number } | null = null;
    for (const { server } of this.nodes) {
      if (server === null) continue;
      const { raft } = server;
      if (newest === null || raft.configurationIndex > newest.configurationIndex) newest = raft;
    }
    return newest?.configuration ?? { servers: [] };
  }

  agentOf(id: string): SimAgent | undefined {
    return this.nodes.find((node) => node.id === id);
  }

  /** Makes a machine with an empty disk. */
  add(kind: "server" | "client"): SimAgent {
    const number = ++this.#machines;
    const name = `${kind === "server" ? "s" : "c"}${number}`;
    const { settings } = this.scenario;
    const agent: SimAgent = new SimAgent({
      name,
      id: this.#newId(),
      host: `10.${this.datacenters.indexOf(this)}.${number >> 8}.${number & 0xff}`,
      datacenter: this.datacenter,
      isFederated: this.datacenters.length > 1,
      kind,
      disk: new SimDisk({
        events: this.events,
        random: this.random(`disk ${name}`),
        syncMs: settings.syncMs,
        fired: (fault) => this.fire(fault),
      }),
      events: this.events,
      network: this.network,
      random: this.random(`agent ${name}`),
      touched: (which) => this.touched.add(which),
      config: () => this.#config(agent),
      stopped: (which, why) => this.#stopped(which, why),
      bug: (which, text) => this.found("no bug reported", `${which.name}: ${text}`),
    });
    this.nodes.push(agent);
    this.#byHost.set(agent.host, agent);
    return agent;
  }

  /** Takes a machine away for good. */
  remove(agent: SimAgent): void {
    const at = this.nodes.indexOf(agent);
    if (at < 0) return;
    agent.crash();
    this.touched.delete(agent);
    this.nodes.splice(at, 1);
    this.#byHost.delete(agent.host);
    this.trace(`${agent.name} is gone`);
  }

  /** Puts up the machines of the scenario's servers. */
  populate(): void {
    for (let i = 0; i < this.scenario.servers; i += 1) this.#founders.add(this.add("server"));
  }

  /** Starts the whole cluster of the scenario. */
  begin(): void {
    if (this.#founders.size === 0) this.populate();
    const { joining } = this.scenario.settings;
    const group = makeConfiguration(this.nodes.map(({ id, address }) => ({ id, address, voter: true })));
    for (const node of this.nodes) node.start(joining ? null : group);
    for (let i = 0; i < this.scenario.clients; i += 1) this.add("client").start(null);
    this.operator.begin();
  }

  /** Ends a process, and has it started again after a while. */
  crash(agent: SimAgent, downMs: number | null): void {
    if (!agent.started) return;
    this.trace(`${agent.name} crashes`);
    agent.crash();
    if (downMs !== null) this.restartLater(agent, downMs);
  }

  restartLater(agent: SimAgent, downMs: number): void {
    const { life } = agent;
    this.events.after(downMs, () => {
      if (agent.life === life) this.start(agent);
    });
  }

  start(agent: SimAgent): void {
    if (agent.started || agent.retired || !this.nodes.includes(agent)) return;
    this.trace(`${agent.name} starts`);
    agent.start(null);
  }

  /** A life ended by itself: a supervisor starts it again, unless only an operator can help. */
  #stopped(agent: SimAgent, why: string): void {
    this.trace(`${agent.name} ended: ${why}`);
    if (!agent.disk.isExcused) this.found("no server stops by itself", `${agent.name}: ${why}`);
    else if (agent.disk.isLost) this.operator.replace(agent);
    else {
      const [least, most] = RESTART_MS;
      this.restartLater(agent, least + this.random("supervisor").float() * (most - least));
    }
  }

  #config(agent: SimAgent): AgentConfig {
    const { settings, servers } = this.scenario;
    const { gossipLan } = this.#base;
    const { gossipStretch = 1 } = settings;
    const others = this.servers.filter((other) => other !== agent && !other.retired);
    return {
      ...this.#base,
      nodeName: agent.name,
      nodeId: agent.id,
      server: agent.kind === "server",
      advertiseAddress: agent.host,
      raft: {
        ...this.#base.raft,
        // What the product makes its timings from: a tenth of a second for each.
        multiplier: (this.raftChanges.electionTimeoutMs ?? settings.electionTimeoutMs) / MULTIPLIER_MS,
        snapshotThreshold: settings.snapshotThreshold,
        snapshotIntervalMs: settings.snapshotIntervalMs,
        trailingLogs: settings.trailingLogs,
        ...this.raftChanges,
      },
      autopilot: { ...this.#base.autopilot, serverStabilizationTimeMs: STABILIZATION_MS },
      bootstrapExpect: settings.joining && this.#founders.has(agent) ? servers : 0,
      gossipLan: {
        ...gossipLan,
        advertiseAddress: agent.host,
        gossipIntervalMs: gossipLan.gossipIntervalMs * gossipStretch,
        probeIntervalMs: gossipLan.probeIntervalMs * gossipStretch,
        probeTimeoutMs: gossipLan.probeTimeoutMs * gossipStretch,
      },
      retryJoin: {
        ...this.#base.retryJoin,
        addresses: others.map(({ serfAddress }) => serfAddress),
        intervalMs: RETRY_JOIN_MS,
      },
      ...(this.datacenters.length > 1 ? this.#federated(agent) : {}),
    };
  }

  /** What an agent is told of the other datacenters. */
  #federated({ host }: SimAgent): Partial<AgentConfig> {
    const { gossipWan, retryJoinWan } = this.#base;
    const { datacenter } = this;
    const others = this.datacenters.flatMap((world) => (world === this ? [] : world.servers));
    const first = this.#first.datacenter;
    const rule = { Prefix: SHARED, ToPrefix: SHARED, Mode: "two-way" } as const;
    const shared = this.datacenters.flatMap((world) => (world === this ? [] : [{ ...rule, From: world.datacenter }]));
    const copied = { From: first, Prefix: COPIED, ToPrefix: COPY, Mode: "one-way" } as const;
    const { isReplicating = false } = this.scenario.settings;
    return {
      datacenter,
      primaryDatacenter: isReplicating ? first : datacenter,
      kvReplication: !isReplicating ? [] : datacenter === first ? shared : [...shared, copied],
      gossipWan: gossipWan === null ? null : { ...gossipWan, advertiseAddress: host, port: WAN_PORT },
      retryJoinWan: {
        ...retryJoinWan,
        addresses: others.filter(({ retired }) => !retired).map(({ wanAddress }) => wanAddress),
        intervalMs: RETRY_JOIN_MS,
      },
    };
  }

  #newId(): string {
    this.#ids += 1;
    return `${String(this.#ids).padStart(8, "0")}-1111-1111-1111-111111111111`;
  }
}

/** An agent of one datacenter, asked about another one. Nothing is known of who answers there. */
class FarDoor implements SimNode {
  readonly name: string;
  readonly server = null;
  readonly isFar = true;
  readonly #agent: SimAgent;
  readonly #datacenter: string;

  constructor(agent: SimAgent, datacenter: string) {
    this.#agent = agent;
    this.#datacenter = datacenter;
    this.name = `${agent.name} for ${datacenter}`;
  }

  get up(): boolean {
    return this.#agent.up;
  }

  request(method: string, target: string, body?: string): ReturnType<SimNode["request"]> {
    return this.#agent.request(method, `${target}${target.includes("?") ? "&" : "?"}dc=${this.#datacenter}`, body);
  }
}
