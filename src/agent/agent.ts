// An agent without its HTTP face: configuration, platform and timers, the pool of agents, the server if it is one, and the
// one door of requests. `src/index.ts` puts the API on top and gives the whole to a runtime.
import type { AgentMember } from "../client/types.ts";
import type { AgentConfig } from "../config/config-types.ts";
import { raftConfiguration } from "../endpoint/operator.ts";
import { Timers } from "../host/timers.ts";
import type { MemberEventKind, MemberView } from "../gossip/types.ts";
import type { Platform } from "../platform.ts";
import type { Configuration } from "../raft/types.ts";
import type { QueryOptions, Topology, Upstream } from "../rpc/authority.ts";
import { FORWARD_PATH, PING_PATH } from "../rpc/call.ts";
import { type Peer, PeerClient, PeerDoor, type PeerIdentity } from "../rpc/peer-door.ts";
import { RequestIds, RequestOutcomes } from "../rpc/request-ids.ts";
import { Route } from "../rpc/route.ts";
import { ServerList } from "../rpc/server-list.ts";
import { OperationalError } from "../types/error.ts";
import type { Coordinate, NodeService, UserMap } from "../types/records.ts";
import { discardStaleBackups } from "../server/backup.ts";
import type { Member } from "../server/reconcile.ts";
import type { Server } from "../server/server.ts";
import { assert } from "../util/assert.ts";
import { Random, seedOf } from "../util/random.ts";
import { type AgentInstruments, agentInstruments } from "./agent-instruments.ts";
import { agentGauges } from "./agent-gauges.ts";
import { type Backups, ClientBackups, ServerBackups } from "./backups.ts";
import { CoordinateSync } from "./coordinate-sync.ts";
import { Encryption } from "./encryption.ts";
import { DnsTiming } from "./dns-timing.ts";
import { Metrics } from "./metrics.ts";
import { Watches } from "./watches.ts";
import { decodeEvent, encodeEvent, Events, isEventFor, type UserEvent } from "./events.ts";
import { DnsService } from "../dns/service.ts";
import { dnsConfig, dnsQueryOptions, dnsSource } from "./dns-source.ts";
import { LocalAgent } from "./local-agent.ts";
import { serversOf, serversOfBefore, wanMembers } from "./known-servers.ts";
import { type Logger, Logs } from "./logs.ts";
import { catalogMember, serverTags, shownMember } from "./member-tags.ts";
import { Pool, type PoolEvent } from "./pool.ts";
import { joinError } from "./pool-join.ts";
import { failoverOf } from "./prepared-queries.ts";
import { poolSettings } from "./pool-settings.ts";
import { RESTORE_PATH, serverAddress, ServerPart } from "./server-part.ts";
import { ServerSeeker } from "./server-seeker.ts";
import { refuseUnsupported } from "./support.ts";
import { describeAgent, statistics } from "./self.ts";

/** What an agent is made with. */
export interface AgentOptions {
  config: AgentConfig;
  platform: Platform;
  /** The servers of a new group, this one among them and the same on each; absent: what the configuration says. */
  bootstrap?: Configuration;
  /** The agent has stopped by itself and cannot go on: the process should end with `exitCode`. */
  stopped(exitCode: number): void;
}

/** The Raft group in short: addresses as `ip:port`; the leader's is "" while none is known. */
export interface GroupStatus {
  readonly leader: string;
  readonly voters: readonly string[];
}

/** The path by which a client sends a snapshot to restore. */
const FORWARD_RESTORE_PATH = "/rpc/1/forward-restore";
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
      handle: (path, bytes, from) =>
        path === this.#pool.path ? this.#pool.handle(from, bytes) : this.#door.handle(path, bytes),
    });
    const client = new PeerClient(identity, this.encryption.peers, new RequestIds((length) => platform.random(length)));
    const outcomes = new RequestOutcomes(() => platform.now());
    this.#door = new PeerDoor(identity, (error) =>
      this.log.error("a call of another agent failed: this is a bug", { error }),
    );
    this.#pool = this.#makePool();
    this.#serverPart = config.server ? this.#makeServerPart(client, outcomes, bootstrap) : null;
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
      client,
      timers: this.timers,
      now: () => platform.now(),
      holdMs: config.performance.rpcHoldTimeoutMs,
    });
    this.#dnsQuery = dnsQueryOptions(config);
    this.backups = this.#makeBackups(client, upstream);
    if (config.server) {
      this.#door.serve(FORWARD_PATH, (_from, body) => this.route.answerForwarded(outcomes, body));
      this.#door.serve(FORWARD_RESTORE_PATH, (_from, body) => this.#restoreAtLeader(body.slice()));
    }
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

  #makeServerPart(client: PeerClient, outcomes: RequestOutcomes, bootstrap: Configuration | undefined): ServerPart {
    const { config, platform, timers, metrics, logs } = this;
    return new ServerPart({
      config,
      platform,
      timers,
      client,
      outcomes,
      door: this.#door,
      metrics,
      logs,
      reconciled: this.#instruments.reconcile,
      bootstrap,
      remote: () => this.route,
      failover: failoverOf({ route: () => this.route, timers, logger: this.log }),
      self: () => this.self,
      members: () => this.#members,
      servers: () => serversOf(this.#pool.members, this.datacenter).filter(({ id }) => id !== this.config.nodeId),
      leaderFound: () => this.local.serverUp(),
      failed: (error) => this.#failed(error),
    });
  }

  #makeServerList(client: PeerClient): ServerList {
    const ping = (peer: Peer): Promise<unknown> => client.call(peer, PING_PATH, new Uint8Array(0), PING_TIMEOUT_MS);
    return new ServerList({ timers: this.timers, random: this.random, ping });
  }

  #makeBackups(client: PeerClient, upstream: Upstream): Backups {
    if (this.#serverPart === null) return new ClientBackups(client, upstream);
    const backups = new ServerBackups({
      server: this.server,
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
    return [this.config.datacenter];
  }

  /** Reads what is stored and takes part. @throws OperationalError that says what is wrong with it and what to do. */
  async start(): Promise<void> {
    await discardStaleBackups(this.platform.blobs);
    await this.encryption.start();
    // A leader asks the pool at once who is there: this agent must be.
    await this.#pool.start();
    await this.#serverPart?.start();
    this.#servers?.start();
    await this.local.start();
    this.metrics.start();
    this.#watches.set(this.config.watches);
    if (!this.config.disableCoordinates) this.#coordinate.start();
  }

  /** The coordinates of the servers of each known datacenter, as the WAN pool has them. */
  datacenterCoordinates(): unknown[] {
    const { datacenter, nodeName } = this.config;
    return [
      {
        Datacenter: datacenter,
        AreaID: "wan",
        Coordinates: [{ Node: nodeName, Segment: "", Coord: this.coordinate }],
      },
    ];
  }

  /** Tells every agent of the datacenter, this one first. @throws OperationalError when it is too large. */
  fireEvent(event: Omit<UserEvent, "LTime">): Promise<void> {
    return this.#pool.fire(EVENT_NAME, encodeEvent(event), false);
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
    await this.#pool.leave();
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
    if (wan) throw new OperationalError("unsupported", "this build cannot join other datacenters");
    const { contacted, failures } = await this.#pool.join([address], true);
    if (contacted === 0 && failures.length > 0) throw joinError(failures);
  }

  /** Takes a failed member for left. @throws OperationalError when there is no such member. */
  async forceLeave(node: string, prune: boolean): Promise<void> {
    const suffix = `.${this.datacenter}`;
    const name = node.endsWith(suffix) ? node.slice(0, -suffix.length) : node;
    if (!(await this.#pool.forceLeave(name, prune)))
      throw new OperationalError("refused", `agent: No node found with name '${node}'`);
  }

  /** The members of the LAN pool; or of the WAN pool, which are the servers. */
  members(wan: boolean): AgentMember[] {
    if (!wan) return this.#pool.members.map(shownMember);
    return this.config.server ? wanMembers(this.#pool.members, this.datacenter) : [];
  }

  /** This agent's place in the network. */
  get coordinate(): Coordinate {
    return (this.#pool.coordinate as Coordinate | null) ?? ORIGIN;
  }

  /** The body of /v1/agent/self. */
  describe(): unknown {
    return describeAgent(this.config, this.coordinate, shownMember(this.#pool.self), this.statistics());
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
      encrypted: this.encryption.enabled,
      knownServers: this.#servers?.peers.length ?? 0,
      datacenters: 1,
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
    await this.#pool.stop();
    await this.local.stop();
    this.#serverPart?.stop();
    await this.platform.log.close();
  }

  /** Who leads and who votes, as this agent's server knows it. */
  groupStatus(): GroupStatus | Promise<GroupStatus> {
    if (this.#serverPart !== null) {
      const { leader, raft } = this.server;
      const { servers } = raft.configuration;
      return {
        leader: servers.find(({ id }) => id === leader)?.address ?? "",
        voters: servers.filter(({ voter }) => voter).map(({ address }) => address),
      };
    }
    const asked = this.route.local(raftConfiguration, null);
    return Promise.resolve(asked).then(({ Servers }) => ({
      leader: Servers.find(({ Leader }) => Leader)?.Address ?? "",
      voters: Servers.filter(({ Voter }) => Voter).map(({ Address }) => Address),
    }));
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
    const servers = this.#servers;
    // Most members are clients like this one: the list is made anew only for who is a server, or was.
    if (servers === null || (serverTags(changed) === null && !servers.has(changed.tags.id))) return;
    const before = servers.peers.length;
    servers.update(serversOf(this.#pool.members, this.datacenter));
    if (before === 0 && servers.peers.length > 0) this.local.serverUp();
    if (before > 0 && servers.peers.length === 0) this.#seeker.lost();
  }

  #userEvent({ name, time, payload }: PoolEvent): void {
    if (name !== EVENT_NAME) return;
    const event = decodeEvent(payload, time);
    if (event === null) this.log.warn("an event cannot be read: an agent of another version sent it");
    else if (isEventFor(event, this.config.nodeName, this.#services())) this.events.note(event);
  }

  *#services(): Iterable<NodeService> {
    for (const { service } of this.local.state.services.values()) yield service;
  }

  /** Puts the state of a snapshot in place of the present one. @throws OperationalError when it is damaged. */
  async restore(snapshot: Uint8Array): Promise<void> {
    if (this.#serverPart === null)
      await this.route.toLeader(FORWARD_RESTORE_PATH, snapshot, RESTORE_TIMEOUT_MS, noServerHere);
    else await this.#restoreAtLeader(snapshot);
  }

  #restoreAtLeader(snapshot: Uint8Array): Promise<Uint8Array> {
    const part = this.#serverPart as ServerPart;
    return this.route.toLeader(RESTORE_PATH, snapshot, RESTORE_TIMEOUT_MS, () => part.restoreHere(snapshot));
  }

  #failed(error: unknown): void {
    this.log.error("server stopped: it cannot go on safely", { error });
    this.#stopped(1);
  }
}

const noServerHere = (): never => {
  throw new OperationalError("no-leader", "a client agent leads nothing");
};
