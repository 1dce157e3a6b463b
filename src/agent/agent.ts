// An agent without its HTTP face: configuration, platform and timers, the pool of agents, the server if it is one, and the
// one door of requests. `src/index.ts` puts the API on top and gives the whole to a runtime.
import type { AgentMember } from "../client/types.ts";
import type { AgentConfig } from "../config/config-types.ts";
import { Timers } from "../host/timers.ts";
import type { MemberEventKind, MemberView } from "../gossip/types.ts";
import type { Platform } from "../platform.ts";
import type { Configuration } from "../raft/types.ts";
import type { QueryOptions, Topology, Upstream } from "../rpc/authority.ts";
import { FORWARD_PATH, PING_PATH } from "../rpc/call.ts";
import { GatewayDoor } from "../rpc/gateway-door.ts";
import { GatewayPeers } from "../rpc/gateway-peers.ts";
import { type Peer, PeerClient, PeerDoor, type PeerIdentity } from "../rpc/peer-door.ts";
import { RequestIds, RequestOutcomes } from "../rpc/request-ids.ts";
import { Route } from "../rpc/route.ts";
import { ServerList } from "../rpc/server-list.ts";
import { OperationalError } from "../types/error.ts";
import type { Coordinate, UserMap } from "../types/records.ts";
import { discardStaleBackups } from "../server/backup.ts";
import type { Member } from "../server/reconcile.ts";
import type { Server } from "../server/server.ts";
import { assert } from "../util/assert.ts";
import { Random, seedOf } from "../util/random.ts";
import { type AgentInstruments, agentInstruments } from "./agent-instruments.ts";
import { agentGauges } from "./agent-gauges.ts";
import { BACKUP_PATHS, type Backups, ClientBackups, ServerBackups } from "./backups.ts";
import { CoordinateSync } from "./coordinate-sync.ts";
import { Encryption } from "./encryption.ts";
import { DnsTiming } from "./dns-timing.ts";
import { Metrics } from "./metrics.ts";
import { Watches } from "./watches.ts";
import { DATACENTER_CALL_PATHS, DatacenterCalls } from "./datacenter-calls.ts";
import { encodeEvent, Events } from "./events.ts";
import { DnsService } from "../dns/service.ts";
import { dnsConfig, dnsQueryOptions, dnsSource } from "./dns-source.ts";
import { LocalAgent } from "./local-agent.ts";
import { serversOf, serversOfBefore } from "./known-servers.ts";
import { type Logger, Logs } from "./logs.ts";
import { catalogMember, serverTags, shownMember } from "./member-tags.ts";
import { Pool, type PoolEvent } from "./pool.ts";
import { joinError } from "./pool-join.ts";
import { poolSettings } from "./pool-settings.ts";
import { RESTORE_PATH, serverAddress, ServerPart, type ServerPartOptions } from "./server-part.ts";
import { ServerSeeker } from "./server-seeker.ts";
import { refuseUnsupported } from "./support.ts";
import { describeAgent, statistics } from "./self.ts";
import { Wan } from "./wan.ts";

/** What an agent is made with. */
export interface AgentOptions {
  config: AgentConfig;
  platform: Platform;
  /** The servers of a new group, this one among them and the same on each; absent: what the configuration says. */
  bootstrap?: Configuration;
  /** The agent has stopped by itself and cannot go on: the process should end with `exitCode`. */
  stopped(exitCode: number): void;
}

const RESTORE_TIMEOUT_MS = 10 * 60_000;
/** The pool's name for all events of users: their own is in what it carries. */
const EVENT_NAME = "consul:event";
const PING_TIMEOUT_MS = 1000;
/** The coordinate of who has measured nothing yet (Serf's default). */
const ORIGIN: Coordinate = { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 };

/** One agent. */
export class Agent implements Topology {
  readonly config: AgentConfig;
  readonly platform: Platform;
  readonly timers: Timers;
  readonly logs: Logs;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly route: Route;
  readonly backups: Backups;
  readonly calls: DatacenterCalls;
  /** How datacenters come in that know this one by one address alone. */
  readonly gateway: GatewayDoor;
  /** The options of a query that sets none. */
  readonly defaultQuery: QueryOptions;
  readonly local: LocalAgent;
  readonly random: Random;
  readonly events: Events = new Events();
  /** All calls between agents go through it, both ways. */
  readonly encryption: Encryption;
  readonly #serverPart: ServerPart | null;
  /** The servers that a client knows. */
  readonly #servers: ServerList | null;
  readonly #seeker: ServerSeeker;
  readonly #pool: Pool;
  /** What a server has of other datacenters. */
  readonly #wan: Wan | null;
  readonly #door: PeerDoor;
  readonly #stopped: (exitCode: number) => void;
  readonly #dns: DnsService;
  /** How DNS reads. */
  #dnsQuery: QueryOptions;
  readonly #dnsTiming: DnsTiming;
  readonly #instruments: AgentInstruments;
  readonly #watches: Watches;
  readonly #coordinate: CoordinateSync;

  /** @throws OperationalError `unsupported` for settings that this build cannot keep to. */
  constructor({ config, platform, bootstrap, stopped }: AgentOptions) {
    if (bootstrap === undefined) refuseUnsupported(config);
    this.config = config;
    this.platform = platform;
    this.#stopped = stopped;
    this.timers = new Timers(platform);
    this.logs = new Logs(platform);
    this.log = this.logs.logger("agent");
    this.random = new Random(seedOf(platform.random(4)));
    const { telemetry, nodeId: id, datacenter } = config;
    this.metrics = new Metrics({ platform, timers: this.timers, telemetry, hostname: platform.host?.hostname ?? "" });
    this.#instruments = agentInstruments(this.metrics);
    this.defaultQuery = { consistency: "default", index: 0, waitMs: config.defaultQueryTimeMs };
    const address = config.server ? serverAddress(config) : "";
    const identity: PeerIdentity = { id, datacenter, address };
    this.encryption = new Encryption({
      config,
      platform,
      logger: this.log,
      handle: (path, bytes, from) => {
        if (path === this.#pool.path) return this.#pool.handle(from, bytes);
        if (path === this.#wan?.path) return this.#wan.handle(from, bytes);
        return this.#door.handle(path, bytes, from);
      },
    });
    const peers = new GatewayPeers({
      others: this.encryption.peers,
      fetch: (request) => platform.fetch(request),
      timers: this.timers,
      token: (at) => config.remoteDatacenters.find((each) => each.address === at)?.token ?? null,
    });
    const client = new PeerClient(identity, peers, new RequestIds((length) => platform.random(length)));
    const outcomes = new RequestOutcomes(() => platform.now());
    this.#door = new PeerDoor(
      identity,
      (error) => this.log.error("a call of another agent failed: this is a bug", { error }),
      (from, why) => this.encryption.refusals.note(from, why),
    );
    this.#pool = this.#makePool();
    this.#wan = config.server ? this.#makeWan(client) : null;
    const router = this.#wan?.router ?? null;
    this.#serverPart = router === null ? null : this.#makeServerPart({ client, outcomes, router, bootstrap });
    this.#servers = config.server ? null : this.#makeServerList(client);
    this.#seeker = new ServerSeeker({
      timers: this.timers,
      isFound: () => this.#servers === null || this.#servers.peers.length > 0,
      seek: () => this.#pool.join([...serversOfBefore(this.#pool.members), ...config.retryJoin.addresses], true),
    });
    const upstream = (this.#serverPart?.upstream ?? this.#servers) as Upstream;
    this.route = new Route({
      server: this.#serverPart?.server ?? null,
      upstream,
      topology: this,
      router,
      client,
      timers: this.timers,
      now: () => platform.now(),
      holdMs: config.performance.rpcHoldTimeoutMs,
    });
    this.#dnsQuery = dnsQueryOptions(config);
    this.backups = this.#makeBackups(client, upstream);
    this.calls = new DatacenterCalls({
      datacenter,
      route: this.route,
      wan: this.#wan,
      server: this.#serverPart?.server ?? null,
      fire: (event) => this.#pool.fire(EVENT_NAME, encodeEvent(event), false),
      restore: (snapshot) => this.#restore(snapshot),
    });
    if (config.server) {
      this.#door.serve(FORWARD_PATH, (_from, body) => this.route.answerForwarded(outcomes, body));
      this.calls.serve(this.#door);
    }
    this.gateway = new GatewayDoor({
      door: this.#door,
      token: config.gatewayToken,
      paths: [...DATACENTER_CALL_PATHS, ...BACKUP_PATHS],
      refusals: this.encryption.refusals,
    });
    this.#dns = new DnsService({
      config: dnsConfig(config),
      domain: config.domain,
      altDomain: config.altDomain,
      datacenter: config.datacenter,
      source: dnsSource(this.route, platform, config.nodeName, () => this.#dnsQuery),
      random: this.random,
      wall: () => platform.wall(),
    });
    this.#dnsTiming = new DnsTiming(this.metrics, () => platform.now());
    this.metrics.gauges(agentGauges(this));
    this.local = new LocalAgent({
      config,
      platform,
      timers: this.timers,
      random: this.random,
      route: this.route,
      logs: this.logs,
      failed: (error) => this.#failed(error),
    });
    this.#coordinate = new CoordinateSync({
      route: this.route,
      timers: this.timers,
      random: this.random,
      logger: this.log,
      nodeName: config.nodeName,
      coordinate: () => this.coordinate,
      intervalMs: config.timings.syncCoordinateIntervalMinMs,
    });
    this.#watches = new Watches({
      platform,
      timers: this.timers,
      logger: this.log,
      source: { route: this.route, events: this.events, local: this.local.state, waitMs: config.defaultQueryTimeMs },
    });
  }

  #makePool(): Pool {
    const { config, platform, timers, logs } = this;
    return new Pool({
      ...poolSettings(config, "lan"),
      platform,
      peers: this.encryption.peers,
      timers,
      logs,
      meter: this.metrics,
      module: config.server ? "agent.server.serf" : "agent.client.serf",
      listener: {
        member: (event, member) => this.#memberChanged(event, member),
        userEvent: (event) => this.#userEvent(event),
        nameLost: () => this.#stopped(1),
        joinExhausted: () => this.#stopped(1),
        failed: (error) => this.#failed(error),
      },
    });
  }

  #makeWan(client: PeerClient): Wan {
    const { config, platform, timers, random, logs, metrics } = this;
    return new Wan({
      config,
      platform,
      peers: this.encryption.peers,
      client,
      timers,
      random,
      logs,
      meter: metrics,
      lanMembers: () => this.#pool.members,
      changed: () => this.#serverPart?.server.federation.look(true),
      stop: () => this.#stopped(1),
      failed: (error) => this.#failed(error),
    });
  }

  #makeServerPart(given: Pick<ServerPartOptions, "client" | "outcomes" | "router" | "bootstrap">): ServerPart {
    const { config, platform, timers, metrics, logs } = this;
    return new ServerPart({
      config,
      platform,
      timers,
      ...given,
      door: this.#door,
      metrics,
      logs,
      reconciled: this.#instruments.reconcile,
      route: () => this.route,
      self: () => this.self,
      members: () => this.#members,
      servers: () => serversOf(this.#pool.members, this.datacenter).filter(({ id }) => id !== this.config.nodeId),
      // The pools end together with the agent.
      tagsChanged: (tags) => void Promise.all([this.#pool.setTags(tags), this.#wan?.setTags(tags)]).catch(() => {}),
      leaderFound: () => this.local.serverUp(),
      failed: (error) => this.#failed(error),
    });
  }

  #makeServerList(client: PeerClient): ServerList {
    const ping = (peer: Peer): Promise<unknown> => client.call(peer, PING_PATH, new Uint8Array(0), PING_TIMEOUT_MS);
    return new ServerList({ timers: this.timers, random: this.random, ping });
  }

  #makeBackups(client: PeerClient, upstream: Upstream): Backups {
    if (this.#wan === null) return new ClientBackups(client, upstream);
    const backups = new ServerBackups({
      server: this.server,
      client,
      router: this.#wan.router,
      platform: this.platform,
      timers: this.timers,
      holdMs: this.config.performance.rpcHoldTimeoutMs,
      failed: (error) => this.log.error("failed to delete a staged backup", { error }),
    });
    backups.serve(this.#door);
    return backups;
  }

  /** The server's part of a server agent. @throws AssertionError on a client, which has none: ask `config.server`. */
  get server(): Server {
    assert(this.#serverPart !== null, "a client agent has no server");
    return this.#serverPart.server;
  }

  get datacenter(): string {
    return this.config.datacenter;
  }

  datacenters(): string[] {
    return [...this.calls.names];
  }

  /** Reads what is stored and takes part. @throws OperationalError that says what is wrong with it and what to do. */
  async start(): Promise<void> {
    await discardStaleBackups(this.platform.blobs);
    await this.encryption.start();
    // A leader asks the pool at once who is there: this agent must be.
    await this.#serverPart?.loadTags();
    await this.#pool.start(this.#serverPart?.tags);
    await this.#serverPart?.start();
    await this.#wan?.start(this.#serverPart?.tags);
    this.#servers?.start();
    await this.local.start();
    this.metrics.start();
    this.#watches.set(this.config.watches);
    if (!this.config.disableCoordinates) this.#coordinate.start();
  }

  /** Answers one DNS message. */
  dns(packet: Uint8Array, transport: "udp" | "tcp", from: string): Uint8Array | null | Promise<Uint8Array | null> {
    return this.#dnsTiming.handle(this.#dns, packet, transport, from);
  }

  /** Answers a call of another agent, from an IP address. Errors are answers too: it never rejects. */
  peer(path: string, bytes: Uint8Array, from: string): Promise<Uint8Array> {
    return this.encryption.peer(path, bytes, from);
  }

  /** Reads the configuration anew; the runtime, which knows the files, sets it. @throws OperationalError when it is faulty. */
  onReload: () => void = () => {
    throw new OperationalError(
      "unsupported",
      "This agent was given its configuration by a program and cannot read it anew",
    );
  };

  /** Takes over what a reload may change. */
  reload(config: AgentConfig): void {
    this.local.reload(config);
    this.#dns.configure(dnsConfig(config));
    this.#dnsQuery = dnsQueryOptions(config);
    this.metrics.reload(config.telemetry);
    this.#watches.set(config.watches);
  }

  /** Has another server lead, if this one does, so that nobody need wait for an election when it ends. */
  async handOver(): Promise<void> {
    await this.#serverPart?.handOver();
  }

  /** Leaves the datacenter: hands leadership over, tells the pool, and answers until others have heard. */
  async leave(): Promise<void> {
    this.log.info("leaving the datacenter");
    await this.handOver();
    await Promise.all([this.#pool.leave(), this.#wan?.leave()]);
  }

  /** Leaves, and tells the runtime to end. */
  leaveAndStop(): void {
    void this.leave().then(
      () => this.#stopped(0),
      () => this.#stopped(1),
    );
  }

  /** Joins the pool of the agent at an address. @throws OperationalError that says why there was no joining. */
  async join(address: string, wan: boolean): Promise<void> {
    if (wan) {
      if (this.#wan === null)
        throw new OperationalError("refused", "a client agent is in no WAN pool: join datacenters at their servers");
      return this.#wan.join(address);
    }
    const { contacted, failures } = await this.#pool.join([address], true);
    if (contacted === 0 && failures.length > 0) throw joinError(failures);
  }

  /** Takes a failed member for left, in both pools or in the WAN pool alone. @throws OperationalError when there is none. */
  async forceLeave(node: string, prune: boolean, wan: boolean): Promise<void> {
    const suffix = `.${this.datacenter}`;
    const name = node.endsWith(suffix) ? node.slice(0, -suffix.length) : node;
    const isLan = !wan && (await this.#pool.forceLeave(name, prune));
    const isWan = (await this.#wan?.forceLeave(node, prune)) === true;
    if (!isLan && !isWan) throw new OperationalError("refused", `agent: No node found with name '${node}'`);
  }

  /** The members of the LAN pool; or of the WAN pool, which are the servers of all datacenters: a client knows none. */
  members(wan: boolean): AgentMember[] {
    return wan ? (this.#wan?.members ?? []) : this.#pool.members.map(shownMember);
  }

  /** This agent's place in the network. */
  get coordinate(): Coordinate {
    return (this.#pool.coordinate as Coordinate | null) ?? ORIGIN;
  }

  /** The body of /v1/agent/self. */
  describe(): unknown {
    const primary = this.#serverPart?.server.federation.primary.Datacenter ?? this.config.primaryDatacenter;
    return describeAgent(this.config, primary, this.coordinate, shownMember(this.#pool.self), this.statistics());
  }

  statistics(): UserMap<UserMap> {
    const { checks, services } = this.local.state;
    const memory = this.platform.host?.memory() ?? { rss: 0, heapUsed: 0 };
    return statistics(this.config, this.#serverPart?.server ?? null, {
      now: this.platform.now(),
      services: services.size,
      checks: checks.size,
      ttls: [...checks.values()].filter(({ spec }) => spec?.kind === "ttl").length,
      pool: this.#pool.statistics(this.encryption.enabled),
      knownServers: this.#servers?.peers.length ?? 0,
      wanPool: this.#wan?.statistics(this.encryption.enabled) ?? null,
      datacenters: this.calls.names.length,
      heapUsed: memory.heapUsed,
      rss: memory.rss,
    });
  }

  /** The platform's one timer has gone off. */
  wake(): void {
    const due = this.timers.next;
    // A timer that goes off early is not late by less than nothing.
    if (due !== null) {
      const lateMs = Math.max(0, this.platform.now() - due);
      this.#instruments.loopDelay.add(lateMs);
      this.#pool.loopDelay(lateMs);
      this.#wan?.loopDelay(lateMs);
    }
    this.timers.wake();
  }

  /** Ends everything at once; what was acknowledged is durable. */
  async stop(): Promise<void> {
    this.metrics.stop();
    this.#watches.stop();
    this.#coordinate.stop();
    this.#servers?.stop();
    this.#seeker.stop();
    await Promise.all([this.#pool.stop(), this.#wan?.stop()]);
    await this.local.stop();
    this.#serverPart?.stop();
    await this.platform.log.close();
  }

  /** This agent as the LAN pool sees it. */
  get self(): Member {
    return catalogMember(this.#pool.self);
  }

  get #members(): Member[] {
    return this.#pool.members.map(catalogMember);
  }

  /** The pool says something new of a member. */
  #memberChanged(event: MemberEventKind, changed: MemberView): void {
    // One that failed and was forgotten has left for good. One that had left is out of the catalog already, and its name may
    // be somebody else's there.
    if (event !== "reap") this.#serverPart?.memberChanged(catalogMember(changed));
    else if (changed.status === "failed")
      this.#serverPart?.memberChanged({ ...catalogMember(changed), status: "left" });
    const isServer = serverTags(changed) !== null;
    if (isServer) this.#wan?.lanChanged();
    const servers = this.#servers;
    // Most members are clients like this one: the list is made anew only for who is a server, or was.
    if (servers === null || (!isServer && !servers.has(changed.tags.id))) return;
    const before = servers.peers.length;
    servers.update(serversOf(this.#pool.members, this.datacenter));
    if (before === 0 && servers.peers.length > 0) this.local.serverUp();
    if (before > 0 && servers.peers.length === 0) this.#seeker.lost();
  }

  #userEvent({ name, time, payload }: PoolEvent): void {
    if (name !== EVENT_NAME) return;
    const services = [...this.local.state.services.values()].map(({ service }) => service);
    if (!this.events.receive(payload, time, this.config.nodeName, services))
      this.log.warn("an event cannot be read: an agent of another version sent it");
  }

  #restore(snapshot: Uint8Array): Promise<Uint8Array> {
    const part = this.#serverPart as ServerPart;
    return this.route.toLeader(RESTORE_PATH, snapshot, RESTORE_TIMEOUT_MS, () => part.restoreHere(snapshot));
  }

  #failed(error: unknown): void {
    this.log.error("server stopped: it cannot go on safely", { error });
    this.#stopped(1);
  }
}
