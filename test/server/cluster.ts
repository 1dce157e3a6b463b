// Several whole agents in one process on one virtual clock, with a network between them that delays, loses and cuts. The
// same seed gives the same run. Time passes only in `advance`, `until` and `run`.
//
//   const cluster = await Cluster.start(3);
//   const leader = await cluster.untilLeader();
//   const reply = await cluster.run(leader.fetch("PUT", "/v1/kv/a", "x"));
//   cluster.cut([leader]); cluster.heal(); await leader.crash(); await leader.restart();
//
// Several datacenters, each with servers of its own, joined by their WAN pool:
//
//   const cluster = await Cluster.federate(["dc1", "dc2", "dc3"], 3);      // servers s1 to s3, s4 to s6, s7 to s9
//   const [first] = cluster.serversOf("dc1");
//   const client = await cluster.join("client", "dc2");
//   await cluster.run(first.fetch("GET", "/v1/kv/a?dc=dc2"));
//   cluster.leaderOf("dc2"); await cluster.untilLeaders();
//   cluster.cutLink("dc1", "dc2"); cluster.heal();                         // no word between any of their agents
//   cluster.linkMs.set("dc1 dc3", [40, 45]);                               // one way, in either direction
//
// A datacenter that is reached by one address alone: `cluster.gateways.set("https://edge.example", server)` has requests to that
// address come in at the gateway of that server. `configOf` gives each agent settings of its own.
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import { createAgent, OperationalError, type RunningAgent } from "../../src/index.ts";
import type { LogEvent, Peers, Platform, ReportEvent } from "../../src/platform.ts";
import { makeConfiguration } from "../../src/raft/configuration.ts";
import type { Configuration } from "../../src/raft/types.ts";
import { Heap } from "../../src/util/heap.ts";
import { Random } from "../../src/util/random.ts";
import { readReply, type TestBody, testConfig, type TestReply, TestRequest } from "../support/agent.ts";

export interface ClusterOptions {
  seed?: number;
  /** How long a call takes one way: from and to. */
  latencyMs?: readonly [number, number];
  /** Further settings of every agent. */
  config?: Partial<AgentConfig>;
  /** And of each. */
  configOf?: (node: Node) => Partial<AgentConfig>;
  raft?: Partial<AgentConfig["raft"]>;
  /** How long the pool remembers who has failed. */
  reconnectTimeoutMs?: number;
}

const START_MS = Date.UTC(2030, 0, 1);
const PORT = 8300;
const SERF_PORT = 8301;
const WAN_PORT = 8302;
const DATACENTER = "dc1";
/** A leaf is a client that nobody can call. */
export type NodeKind = "server" | "client" | "leaf";

const RETRY_JOIN_MS = 1000;
const NEVER = new Promise<never>(() => {});

export class Cluster {
  readonly nodes: Node[] = [];
  readonly random: Random;
  readonly options: ClusterOptions;
  /** The share of calls and of replies that get lost. */
  loss = 0;
  /** The share of calls that arrive twice, the second time a while later. */
  doubling = 0;
  latencyMs: readonly [number, number];
  /** How long a call takes one way between two datacenters, by their names in order with a blank between. */
  readonly linkMs: Map<string, readonly [number, number]> = new Map<string, readonly [number, number]>();
  /** Who answers at an origin. */
  readonly gateways: Map<string, Node> = new Map();
  nowMs = 0;
  /** How many servers are to form a group (`bootstrap_expect`). */
  expect = 0;
  /** Calls delivered so far. */
  calls = 0;
  readonly #events = new Heap<() => void>();
  /** Pairs of hosts that hear nothing of each other, `from>to`. */
  readonly #cut = new Set<string>();

  constructor(options: ClusterOptions) {
    this.options = options;
    this.random = new Random(options.seed ?? 1);
    this.latencyMs = options.latencyMs ?? [1, 3];
  }

  /** Starts `size` servers that form one group. */
  static async start(size: number, options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (let i = 0; i < size; i += 1) cluster.nodes.push(new Node(cluster, i));
    const group = makeConfiguration(cluster.nodes.map(({ id, address }) => ({ id, address, voter: true })));
    for (const node of cluster.nodes) await node.start(group);
    return cluster;
  }

  /** Starts datacenters of `size` servers each, every one a group of its own, and waits until all know all. */
  static async federate(datacenters: readonly string[], size: number, options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (const datacenter of datacenters) await cluster.start(datacenter, size);
    await cluster.untilLeaders();
    await cluster.untilFederated();
    return cluster;
  }

  /** Starts a datacenter of `size` servers that form one group. */
  async start(datacenter: string, size: number): Promise<void> {
    for (let i = 0; i < size; i += 1) this.nodes.push(new Node(this, this.nodes.length, "server", datacenter));
    const own = this.serversOf(datacenter);
    const group = makeConfiguration(own.map(({ id, address }) => ({ id, address, voter: true })));
    for (const node of own) await node.start(group);
  }

  /** Starts servers that know nothing but each other's addresses, one after the other, `apartMs` between them. */
  static async startByJoin(size: number, options: ClusterOptions = {}, apartMs = 0): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (let i = 0; i < size; i += 1) cluster.nodes.push(new Node(cluster, i));
    cluster.expect = size;
    for (const node of cluster.nodes) {
      await node.start(null);
      await cluster.advance(apartMs);
    }
    return cluster;
  }

  /** Starts a server that no group knows yet, or a client agent. */
  async join(kind: NodeKind = "server", datacenter: string = DATACENTER): Promise<Node> {
    const node = new Node(this, this.nodes.length, kind, datacenter);
    this.nodes.push(node);
    await node.start(null);
    return node;
  }

  /** Calls `event` at a time, events of one time in the order they were asked for. */
  at(ms: number, event: () => void): void {
    this.#events.push(Math.max(ms, this.nowMs), event);
  }

  async advance(ms: number): Promise<void> {
    await this.#pass(this.nowMs + ms, () => false);
  }

  /** Lets time pass until it holds. @throws after `maxMs` of virtual time. */
  async until(condition: () => boolean, what: string, maxMs = 30_000): Promise<void> {
    await this.#pass(this.nowMs + maxMs, condition);
    assert.ok(condition(), `${what}: not within ${maxMs} ms`);
  }

  /** Lets time pass until the promise is settled. */
  async run<T>(promise: Promise<T>, maxMs = 60_000): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await this.until(() => isSettled, "the promise is settled", maxMs);
    return promise;
  }

  /** Lets time pass until work on threads (gzip streams) has ended, which runs beside virtual time. */
  async beside<T>(work: Promise<T>): Promise<T> {
    const state = { ended: false };
    const end = (): void => {
      state.ended = true;
    };
    work.then(end, end);
    while (!state.ended) await this.advance(5);
    return work;
  }

  /** The agents that are servers. */
  get servers(): Node[] {
    return this.nodes.filter(({ kind }) => kind === "server");
  }

  /** The server that leads, if there is exactly one that says so and works. */
  get leader(): Node | null {
    const leaders = this.servers.filter(
      (node) => node.running?.agent.server.leading === true && node.running.agent.server.readable,
    );
    return leaders.length === 1 ? (leaders[0] as Node) : null;
  }

  async untilLeader(among: readonly Node[] = this.nodes): Promise<Node> {
    await this.until(() => this.leader !== null && among.includes(this.leader), "a leader");
    return this.leader as Node;
  }

  /** The servers of a datacenter. */
  serversOf(datacenter: string): Node[] {
    return this.servers.filter((node) => node.datacenter === datacenter);
  }

  /** The names of all datacenters. */
  get datacenters(): string[] {
    return [...new Set(this.nodes.map(({ datacenter }) => datacenter))];
  }

  /** The server that leads a datacenter, if there is exactly one that says so and works. */
  leaderOf(datacenter: string): Node | null {
    const leaders = this.serversOf(datacenter).filter(
      (node) => node.running?.agent.server.leading === true && node.running.agent.server.readable,
    );
    return leaders.length === 1 ? (leaders[0] as Node) : null;
  }

  /** Every datacenter has a leader. */
  async untilLeaders(): Promise<void> {
    await this.until(() => this.datacenters.every((name) => this.leaderOf(name) !== null), "a leader everywhere");
  }

  /** Every running server holds every running server of all datacenters for alive. */
  async untilFederated(maxMs = 120_000): Promise<void> {
    const running = this.servers.filter((node) => node.running !== null);
    const wanted = running
      .map(({ name, datacenter }) => `${name}.${datacenter}`)
      .sort()
      .join();
    const known = (node: Node): string =>
      (node.running?.agent.members(true) ?? [])
        .flatMap(({ Name, Status }) => (Status === 1 ? [Name] : []))
        .sort()
        .join();
    await this.until(() => running.every((node) => known(node) === wanted), `all know ${wanted}`, maxMs);
  }

  /** Every running server has applied all that any of them has, and holds the same. */
  async untilEqual(): Promise<void> {
    const running = (): Node[] => this.servers.filter((node) => node.running !== null);
    await this.until(
      () => new Set(running().map((node) => node.server.appliedIndex)).size === 1,
      "all have applied the same",
    );
    const hashes = running().map((node) => node.server.state.hash());
    assert.equal(new Set(hashes.map(String)).size, 1, "equal index, different state");
  }

  /** Cuts these off from all others. */
  cut(nodes: readonly Node[]): void {
    for (const a of this.nodes) {
      for (const b of this.nodes) if (nodes.includes(a) !== nodes.includes(b)) this.#cut.add(`${a.host}>${b.host}`);
    }
  }

  /** Cuts the agents of two datacenters off from each other. */
  cutLink(one: string, other: string): void {
    for (const a of this.nodes)
      for (const b of this.nodes)
        if (a.datacenter === one && b.datacenter === other) {
          this.#cut.add(`${a.host}>${b.host}`);
          this.#cut.add(`${b.host}>${a.host}`);
        }
  }

  heal(): void {
    this.#cut.clear();
    this.loss = 0;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.crash();
  }

  /** Carries a call to a host and port and its reply back, or loses either. */
  carry(sender: Node, address: string, path: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const { life, host: from } = sender;
      const to = address.slice(0, address.lastIndexOf(":"));
      // The answer to who crashed meanwhile goes nowhere.
      const alive = (then: () => void) => (): void => {
        if (sender.life === life) then();
      };
      this.at(
        this.nowMs + timeoutMs,
        alive(() => reject(new OperationalError("timeout", `${address}: no answer in time`))),
      );
      if (this.#isLost(from, to)) return;
      this.at(this.nowMs + this.#delay(from, to), () => {
        const target = this.#node(to)?.kind === "leaf" ? null : (this.#node(to)?.running ?? null);
        if (target === null) {
          this.at(
            this.nowMs + this.#delay(to, from),
            alive(() => reject(new OperationalError("unreachable", `${address}: connection refused`))),
          );
          return;
        }
        this.calls += 1;
        if (this.doubling > 0 && this.random.float() < this.doubling) {
          const again = bytes.slice();
          this.at(this.nowMs + this.#delay(from, to) * 5, () => {
            const still = this.#node(to)?.running;
            void still?.peer(path, again, from);
          });
        }
        // What is sent is what arrives, whatever the sender does with its bytes.
        void target.peer(path, bytes.slice(), from).then((reply) => {
          if (this.#node(to)?.running !== target || this.#isLost(to, from)) return;
          this.at(
            this.nowMs + this.#delay(to, from),
            alive(() => resolve(reply.slice())),
          );
        });
      });
    });
  }

  /** Carries a web request to a gateway and its answer back, or loses either. */
  async fetch(sender: Node, request: Request): Promise<Response> {
    const { origin, pathname } = new URL(request.url);
    const target = this.gateways.get(origin);
    if (target === undefined) throw new TypeError(`fetch failed: getaddrinfo ENOTFOUND ${origin}`);
    const body = new Uint8Array(await request.arrayBuffer());
    const authorization = request.headers.get("authorization");
    return new Promise((resolve, reject) => {
      const { life, host: from } = sender;
      request.signal.addEventListener("abort", () => reject(new TypeError("aborted")));
      if (this.#isLost(from, target.host)) return;
      this.at(this.nowMs + this.#delay(from, target.host), () => {
        const { running } = target;
        const back = (answer: () => void): void =>
          this.at(this.nowMs + this.#delay(target.host, from), () => {
            if (sender.life === life) answer();
          });
        if (running === null) return back(() => reject(new TypeError("fetch failed: connect ECONNREFUSED")));
        const refusal = running.gateway.refusal(pathname, authorization, from);
        if (refusal !== null) return back(() => resolve(new Response(null, { status: refusal })));
        this.calls += 1;
        void running.gateway.handle(pathname, body, from).then((reply) => {
          if (target.running !== running || this.#isLost(target.host, from)) return;
          back(() => resolve(new Response(reply.slice())));
        });
      });
    });
  }

  #node(host: string): Node | undefined {
    return this.nodes.find((node) => node.host === host);
  }

  #isLost(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`) || (this.loss > 0 && this.random.float() < this.loss);
  }

  #delay(from: string, to: string): number {
    const [least, most] = this.#linkBetween(from, to) ?? this.latencyMs;
    return least + this.random.float() * (most - least);
  }

  #linkBetween(from: string, to: string): readonly [number, number] | undefined {
    if (this.linkMs.size === 0) return undefined;
    const ends = [this.#node(from)?.datacenter, this.#node(to)?.datacenter];
    return this.linkMs.get(ends.sort().join(" "));
  }

  async #pass(untilMs: number, condition: () => boolean): Promise<void> {
    await setImmediate();
    for (;;) {
      if (condition()) return;
      const next = this.#events.peek();
      if (next === undefined || next.at > untilMs) break;
      this.#events.pop();
      this.nowMs = next.at;
      next.value();
      // Promises run to rest before time goes on.
      await setImmediate();
    }
    this.nowMs = untilMs;
  }
}

/** One agent: what survives a crash, and its present life. */
export class Node {
  readonly cluster: Cluster;
  readonly kind: NodeKind;
  readonly datacenter: string;
  readonly name: string;
  id: string;
  readonly host: string;
  /** Where a server takes calls, and where an agent takes those of the pool. */
  readonly address: string;
  readonly serfAddress: string;
  readonly wanAddress: string;
  readonly logs: LogEvent[] = [];
  log: MemoryLogStore = new MemoryLogStore();
  blobs: MemoryBlobs = new MemoryBlobs();
  /** What an operator puts beside the log. */
  raftFiles: MemoryBlobs = new MemoryBlobs();
  /** It may stop by itself; then with this exit code. */
  mayStop = false;
  stoppedWith: number | null = null;
  running: RunningAgent | null = null;
  /** Counts starts and crashes. */
  life = 0;

  constructor(cluster: Cluster, at: number, kind: NodeKind = "server", datacenter: string = DATACENTER) {
    const others = cluster.datacenters.filter((name) => name !== DATACENTER);
    const network =
      datacenter === DATACENTER ? 0 : others.includes(datacenter) ? others.indexOf(datacenter) + 1 : others.length + 1;
    this.cluster = cluster;
    this.kind = kind;
    this.datacenter = datacenter;
    this.name = `${kind === "server" ? "s" : "c"}${at + 1}`;
    this.id = `${String(at + 1).padStart(8, "0")}-1111-1111-1111-111111111111`;
    this.host = `10.0.${network}.${at + 1}`;
    this.address = `${this.host}:${PORT}`;
    this.serfAddress = `${this.host}:${SERF_PORT}`;
    this.wanAddress = `${this.host}:${WAN_PORT}`;
  }

  get server(): RunningAgent["agent"]["server"] {
    assert.ok(this.running !== null, `${this.name} is down`);
    return this.running.agent.server;
  }

  get #joinsWan(): boolean {
    return this.datacenter !== this.cluster.datacenters[0] && this.cluster.serversOf(this.datacenter)[0] === this;
  }

  /** @param group the first configuration of a new group; null joins later, or goes on with what is stored. */
  async start(group: Configuration | null): Promise<void> {
    const { cluster } = this;
    const life = new LifePlatform(this, ++this.life);
    const base = testConfig({ flags: ["-dev"] });
    const running = await createAgent({
      config: {
        ...base,
        nodeName: this.name,
        datacenter: this.datacenter,
        primaryDatacenter: this.datacenter,
        nodeId: this.id,
        advertiseAddress: this.host,
        raft: { ...base.raft, ...cluster.options.raft },
        server: this.kind === "server",
        bootstrapExpect: cluster.expect,
        ...(this.kind === "leaf" ? { ports: { ...base.ports, serfLan: -1 } } : {}),
        gossipLan: {
          ...base.gossipLan,
          advertiseAddress: this.host,
          reconnectTimeoutMs: cluster.options.reconnectTimeoutMs ?? base.gossipLan.reconnectTimeoutMs,
          port: this.kind === "leaf" ? -1 : base.gossipLan.port,
        },
        retryJoin: {
          ...base.retryJoin,
          addresses: cluster.nodes
            .filter((node) => node !== this && node.datacenter === this.datacenter)
            .map(({ serfAddress }) => serfAddress),
          intervalMs: RETRY_JOIN_MS,
        },
        gossipWan: base.gossipWan === null ? null : { ...base.gossipWan, advertiseAddress: this.host, port: WAN_PORT },
        // One server of each datacenter joins the first; the others are brought in by those that know them.
        retryJoinWan: {
          ...base.retryJoinWan,
          addresses: this.#joinsWan
            ? cluster.serversOf(cluster.datacenters[0] as string).map(({ wanAddress }) => wanAddress)
            : [],
          intervalMs: RETRY_JOIN_MS,
        },
        ...cluster.options.config,
        ...cluster.options.configOf?.(this),
      },
      platform: life,
      bootstrap: group ?? { servers: [] },
      stopped: (exitCode) => {
        assert.ok(this.mayStop, `${this.name} stopped by itself with ${exitCode}: ${JSON.stringify(this.logs.at(-1))}`);
        this.stoppedWith = exitCode;
        void this.crash();
      },
    });
    this.running = running;
    life.wake = () => running.wake();
    running.wake();
  }

  /** Ends the process at once: what is on disk stays. */
  async crash(): Promise<void> {
    const { running } = this;
    this.running = null;
    this.life += 1;
    await running?.stop();
  }

  /** Its disk is replaced by an empty one. */
  wipe(): void {
    this.log = new MemoryLogStore();
    this.blobs = new MemoryBlobs();
    this.raftFiles = new MemoryBlobs();
  }

  /** It gets another node id, as a server does whose data directory is new. */
  renew(): void {
    this.id = `${this.id.slice(0, 9)}${String(Number(this.id.slice(9, 13)) + 1).padStart(4, "0")}${this.id.slice(13)}`;
  }

  restart(): Promise<void> {
    return this.start(null);
  }

  fetch(method: string, path: string, body?: TestBody): Promise<TestReply> {
    const { running } = this;
    if (running === null) return Promise.reject(new OperationalError("unreachable", `${this.name} is down`));
    const reply = readReply(running, new TestRequest(method, path, body, {}));
    // Who crashed answers nothing.
    return reply.then((answer) => (this.running === running ? answer : NEVER));
  }
}

/** The platform of one life of a node: when that is over, nothing comes out of it any more. */
class LifePlatform implements Platform {
  readonly log: MemoryLogStore;
  readonly blobs: MemoryBlobs;
  readonly raftFiles: MemoryBlobs;
  readonly peers: Peers;
  wake: () => void = () => {};
  readonly #node: Node;
  readonly #random: Random;
  #wakeAt: number | null = null;

  constructor(node: Node, boot: number) {
    this.#node = node;
    this.log = node.log;
    this.blobs = node.blobs;
    this.raftFiles = node.raftFiles;
    this.#random = new Random((node.cluster.options.seed ?? 1) * 1000 + Number(node.name.slice(1)) * 31 + boot);
    this.peers = {
      call: (address, path, body, timeoutMs) => node.cluster.carry(node, address, path, body, timeoutMs),
    };
  }

  now(): number {
    return this.#node.cluster.nowMs;
  }

  wall(): number {
    return START_MS + this.now();
  }

  wakeAt(at: number | null): void {
    this.#wakeAt = at;
    if (at === null) return;
    this.#node.cluster.at(at, () => {
      if (this.#wakeAt !== at) return;
      this.#wakeAt = null;
      this.wake();
    });
  }

  random(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.#random.next() & 0xff);
  }

  fetch(request: Request): Promise<Response> {
    return this.#node.cluster.fetch(this.#node, request);
  }

  report(event: ReportEvent): void {
    if (event.type === "log") this.#node.logs.push(event);
  }
}
