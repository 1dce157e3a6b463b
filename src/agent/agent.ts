// An agent without its HTTP face: configuration, platform and timers, the server if it is one, and the one door of
// requests. `src/index.ts` puts the API on top and gives the whole to a runtime.
import type { AgentConfig, RaftConfig } from "../config/config-types.ts";
import { configEntrySet, readConfigEntry } from "../endpoint/config-entry.ts";
import { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { Configuration, RaftTimings } from "../raft/types.ts";
import type { QueryOptions, Topology } from "../rpc/authority.ts";
import { answerCall, CALL_PATH } from "../rpc/call.ts";
import { PeerClient, PeerDoor, type PeerIdentity } from "../rpc/peer-door.ts";
import { Route } from "../rpc/route.ts";
import { OperationalError } from "../types/error.ts";
import type { Coordinate, UserMap } from "../types/records.ts";
import type { ServerMember } from "../server/autopilot.ts";
import { discardStaleBackups } from "../server/backup.ts";
import { type Member, reconcileMember } from "../server/reconcile.ts";
import { Server } from "../server/server.ts";
import type { ConfigEntryInput } from "../state/command.ts";
import { nsPerMs } from "../util/duration.ts";
import type { Random } from "../util/random.ts";
import { userMap } from "../util/user-map.ts";
import { CONSUL_VERSION } from "../version.ts";
import { type AgentInstruments, agentInstruments } from "./agent-instruments.ts";
import { agentGauges } from "./agent-gauges.ts";
import { CoordinateSync } from "./coordinate-sync.ts";
import { DnsTiming } from "./dns-timing.ts";
import { Metrics } from "./metrics.ts";
import { Watches } from "./watches.ts";
import { Events, type UserEvent } from "./events.ts";
import { DnsService } from "../dns/service.ts";
import { dnsConfig, dnsQueryOptions, dnsSource } from "./dns-source.ts";
import { LocalAgent } from "./local-agent.ts";
import { type Logger, Logs } from "./logs.ts";
import { Servers } from "./servers.ts";
import { refuseUnsupported, serverAddresses } from "./support.ts";
import { describeAgent, ownMember, serverMeta, type ShownMember, statistics } from "./self.ts";

/** What an agent is made with. */
export interface AgentOptions {
  config: AgentConfig;
  platform: Platform;
  /** The servers of a new group, this one among them and the same on each; absent: what the configuration says. */
  bootstrap?: Configuration;
  /** The agent has stopped by itself and cannot go on: the process should end with `exitCode`. */
  stopped(exitCode: number): void;
}

/** How many heartbeats a leader sends within an election timeout. */
const HEARTBEATS_PER_TIMEOUT = 10;
/** A follower that nothing else is sent to hears of a commit after this long; one whose readers wait for it hears at once. */
const COMMIT_NOTIFY_MS = 5;
/** A lease must end well before anybody can have been elected: raft/DESIGN.md. */
const LEASE_SHARE_MAX = 0.9;

/** The path by which a snapshot to restore is sent to the leader. */
const RESTORE_PATH = "/rpc/1/restore";
const RESTORE_TIMEOUT_MS = 10 * 60_000;
const NO_META: UserMap = Object.freeze(userMap<string>()) as UserMap;

/** The coordinate of who has measured nothing yet (Serf's default). */
const ORIGIN: Coordinate = { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 };

function raftTimings({ electionTimeoutMs, leaderLeaseTimeoutMs }: RaftConfig): RaftTimings {
  return {
    electionTimeoutMs,
    heartbeatMs: electionTimeoutMs / HEARTBEATS_PER_TIMEOUT,
    leaseMs: Math.min(leaderLeaseTimeoutMs, electionTimeoutMs * LEASE_SHARE_MAX),
    commitNotifyMs: COMMIT_NOTIFY_MS,
  };
}

/** `config_entries.bootstrap`. @throws OperationalError that says which one is wrong. */
function bootstrapEntries({ configEntries }: AgentConfig): ConfigEntryInput[] {
  return configEntries.map((entry, at) => {
    try {
      return readConfigEntry(entry);
    } catch (error) {
      throw new OperationalError("invalid-request", `config_entries.bootstrap[${at}]: ${(error as Error).message}`, {
        cause: error,
      });
    }
  });
}

/** One agent. */
export class Agent implements Topology {
  readonly config: AgentConfig;
  readonly platform: Platform;
  readonly timers: Timers;
  readonly logs: Logs;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly server: Server;
  readonly route: Route;
  /** The options of a query that sets none. */
  readonly defaultQuery: QueryOptions;
  readonly local: LocalAgent;
  readonly random: Random;
  readonly events: Events = new Events();
  readonly #door: PeerDoor;
  /** The other servers that this one knows. */
  readonly #servers: Servers;
  readonly #stopped: (exitCode: number) => void;
  readonly #dns: DnsService;
  /** How DNS reads. */
  #dnsQuery: QueryOptions;
  readonly #dnsTiming: DnsTiming;
  readonly #instruments: AgentInstruments;
  readonly #watches: Watches;
  readonly #coordinate: CoordinateSync;
  readonly #configEntries: readonly ConfigEntryInput[];
  /** The Lamport time of events (Serf). */
  #eventTime = 0;

  /** @throws OperationalError `unsupported` for settings that this build cannot keep to. */
  constructor({ config, platform, bootstrap, stopped }: AgentOptions) {
    if (bootstrap === undefined) refuseUnsupported(config);
    this.config = config;
    this.platform = platform;
    this.#stopped = stopped;
    this.timers = new Timers(platform);
    this.logs = new Logs(platform);
    this.log = this.logs.logger("agent");
    this.#configEntries = bootstrapEntries(config);
    const { telemetry } = config;
    this.metrics = new Metrics({ platform, timers: this.timers, telemetry, hostname: platform.host?.hostname ?? "" });
    this.#instruments = agentInstruments(this.metrics);
    this.defaultQuery = { consistency: "default", index: 0, waitMs: config.defaultQueryTimeMs };
    const serverLog = this.logs.logger("agent.server");
    const { nodeId: id, datacenter } = config;
    const identity: PeerIdentity = { id, datacenter, address: `${config.advertiseAddress}:${config.ports.server}` };
    const client = new PeerClient(identity, platform.peers);
    this.#door = new PeerDoor(identity, (error) =>
      serverLog.error("a call of another agent failed: this is a bug", { error }),
    );
    this.server = new Server({
      platform,
      timers: this.timers,
      id: config.nodeId,
      datacenter: config.datacenter,
      bootstrap: bootstrap ?? this.#bootstrapConfiguration(),
      client,
      address: () => null,
      timings: raftTimings(config.raft),
      sessionTtlMinMs: config.sessionTtlMinMs,
      snapshotThreshold: config.raft.snapshotThreshold,
      snapshotIntervalMs: config.raft.snapshotIntervalMs,
      trailingEntries: config.raft.trailingLogs,
      healthThresholds: {
        lastContactMs: config.autopilot.lastContactThresholdMs,
        maxTrailingLogs: config.autopilot.maxTrailingLogs,
      },
      member: (id) => this.#serverMember(id),
      meter: this.metrics,
      log: (level, message, fields) => serverLog[level](message, fields),
      leadership: (status) => this.#leadership(status.leading, status.leader),
      failed: (error) => this.#failed(error),
    });
    this.server.serve(this.#door);
    this.#servers = new Servers({
      server: this.server,
      client,
      timers: this.timers,
      now: () => platform.now(),
      self: () => this.self,
      address: identity.address,
      expect: config.bootstrapExpect,
      addresses: serverAddresses(config),
      stabilizationMs: config.autopilot.serverStabilizationTimeMs,
      noted: (member) => this.#noted(member),
      log: (level, message, fields) => serverLog[level](message, fields),
    });
    this.#servers.serve(this.#door);
    this.#door.serve(RESTORE_PATH, (_from, body) => {
      if (!this.server.leading) throw new OperationalError("not-leader", "node is not the leader");
      return this.#restoreHere(body.slice());
    });
    this.#door.serve(CALL_PATH, (_from, body) => answerCall(this.server, body));
    this.route = new Route({
      authority: this.server,
      topology: this,
      client,
      timers: this.timers,
      now: () => platform.now(),
      holdMs: config.performance.rpcHoldTimeoutMs,
    });
    this.random = this.server.random;
    this.#dnsQuery = dnsQueryOptions(config);
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
      coordinate: () => ORIGIN,
      intervalMs: config.timings.syncCoordinateIntervalMinMs,
    });
    this.#watches = new Watches({
      platform,
      timers: this.timers,
      logger: this.log,
      source: { route: this.route, events: this.events, local: this.local.state, waitMs: config.defaultQueryTimeMs },
    });
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
    await this.server.start();
    this.#servers.start();
    await this.local.start();
    this.metrics.start();
    this.#watches.set(this.config.watches);
    if (!this.config.disableCoordinates) this.#coordinate.start();
    this.#instruments.joined.add(1);
  }

  /** The coordinates of the servers of each known datacenter, as the WAN pool has them. */
  datacenterCoordinates(): unknown[] {
    const { datacenter, nodeName } = this.config;
    return [
      {
        Datacenter: datacenter,
        AreaID: "wan",
        Coordinates: [{ Node: `${nodeName}.${datacenter}`, Segment: "", Coord: ORIGIN }],
      },
    ];
  }

  /** Tells every agent of the datacenter, this one first. */
  fireEvent(event: UserEvent): void {
    this.events.note({ ...event, LTime: ++this.#eventTime });
  }

  /** Answers one DNS message. */
  dns(packet: Uint8Array, transport: "udp" | "tcp", from: string): Uint8Array | null | Promise<Uint8Array | null> {
    return this.#dnsTiming.handle(this.#dns, packet, transport, from);
  }

  /** Answers a call of another agent, from an IP address. Errors are answers too: it never rejects. */
  peer(path: string, bytes: Uint8Array, _from: string): Promise<Uint8Array> {
    return this.#door.handle(path, bytes);
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

  /** Leaves the datacenter. */
  async leave(): Promise<void> {
    this.log.info("leaving the datacenter");
    if (this.server.leading && !this.server.alone) {
      // Nobody need wait for an election.
      await this.server.group
        .transfer(null)
        .catch((error: unknown) => this.log.warn("failed to transfer leadership", { error }));
    }
    this.#instruments.left.add(1);
  }

  /** Leaves, and tells the runtime to end. */
  leaveAndStop(): void {
    void this.leave().then(
      () => this.#stopped(0),
      () => this.#stopped(1),
    );
  }

  /** @throws OperationalError always, in this build: it has no gossip, so there is nobody to join. */
  async join(address: string, _wan: boolean): Promise<void> {
    throw new OperationalError(
      "unsupported",
      `1 error occurred: Failed to join ${address}: this build cannot join other agents yet`,
    );
  }

  /** @throws OperationalError when there is no such member. */
  forceLeave(node: string): void {
    if (node !== this.config.nodeName && node !== `${this.config.nodeName}.${this.datacenter}`)
      throw new OperationalError("refused", `agent: No node found with name '${node}'`);
  }

  /** The members of the LAN pool, or of the WAN pool. */
  members(wan: boolean): ShownMember[] {
    return [ownMember(this.config, wan)];
  }

  /** The body of /v1/agent/self. */
  describe(): unknown {
    return describeAgent(this.config, ORIGIN, this.statistics());
  }

  statistics(): UserMap<UserMap> {
    const { checks, services } = this.local.state;
    const memory = this.platform.host?.memory() ?? { rss: 0, heapUsed: 0 };
    return statistics(this.config, this.server, {
      now: this.platform.now(),
      services: services.size,
      checks: checks.size,
      ttls: [...checks.values()].filter(({ spec }) => spec?.kind === "ttl").length,
      members: 1,
      datacenters: 1,
      eventTime: this.#eventTime,
      heapUsed: memory.heapUsed,
      rss: memory.rss,
    });
  }

  /** The platform's one timer has gone off. */
  wake(): void {
    const due = this.timers.next;
    // A timer that goes off early is not late by less than nothing.
    if (due !== null) this.#instruments.loopDelay.add(Math.max(0, this.platform.now() - due));
    this.timers.wake();
  }

  /** Ends everything at once; what was acknowledged is durable. */
  async stop(): Promise<void> {
    this.metrics.stop();
    this.#watches.stop();
    this.#coordinate.stop();
    this.#servers.stop();
    await this.local.stop();
    this.server.stop();
    await this.platform.log.close();
  }

  /** `ip:port` of the leader, "" when none is known. */
  get leaderAddress(): string {
    const { leader } = this.server;
    return this.server.raft.configuration.servers.find(({ id }) => id === leader)?.address ?? "";
  }

  /** `ip:port` of every voter. */
  get peerAddresses(): string[] {
    return this.server.raft.configuration.servers.filter(({ voter }) => voter).map(({ address }) => address);
  }

  /** This agent as the LAN pool sees it. */
  get self(): Member {
    const { config } = this;
    return {
      name: config.nodeName,
      id: config.nodeId,
      address: config.advertiseAddress,
      datacenter: config.datacenter,
      status: "alive",
      server: config.server ? { port: config.ports.server, meta: serverMeta() } : null,
    };
  }

  #bootstrapConfiguration(): Configuration | null {
    const { config } = this;
    if (!config.server || !(config.dev || config.bootstrap || config.bootstrapExpect === 1)) return null;
    return {
      servers: [{ id: config.nodeId, address: `${config.advertiseAddress}:${config.ports.server}`, voter: true }],
    };
  }

  #leadership(leading: boolean, leader: string | null): void {
    if (leading) {
      this.log.info("cluster leadership acquired");
      this.log.info("New leader elected", { payload: this.config.nodeName });
      this.#reconcile();
      this.#initialiseAutopilot();
      void this.#bootstrapConfigEntries();
      this.local.serverUp();
    } else if (leader === null) this.log.warn("cluster leadership lost");
    else if (leader !== this.config.nodeId) {
      this.log.info("New leader elected", { payload: leader });
      this.local.serverUp();
    }
  }

  /** Puts the state of a snapshot in place of the present one. @throws OperationalError when it is damaged. */
  async restore(snapshot: Uint8Array): Promise<void> {
    await this.route.toLeader(RESTORE_PATH, snapshot, RESTORE_TIMEOUT_MS, () => this.#restoreHere(snapshot));
  }

  async #restoreHere(snapshot: Uint8Array): Promise<Uint8Array> {
    await this.server.restore(snapshot);
    // The state may be another cluster's: this server says again what it is.
    this.#reconcile();
    this.#initialiseAutopilot();
    this.local.serverUp();
    return new Uint8Array(0);
  }

  /** Another server has said who it is: the leader has the catalog say so too. */
  #noted(member: Member): void {
    if (!this.server.leading) return;
    const command = reconcileMember(member, this.server.state);
    if (command !== null)
      this.server.write(command).catch((error: unknown) => this.log.error("failed to reconcile member", { error }));
  }

  #reconcile(): void {
    for (const member of this.#servers.members) this.#noted(member);
    const startedMs = this.platform.now();
    const done = (): void => this.#instruments.reconcile.add(this.platform.now() - startedMs);
    const command = reconcileMember(this.self, this.server.state);
    if (command === null) done();
    else
      this.server
        .write(command)
        .then(done, (error: unknown) => this.log.error("failed to reconcile member", { error }));
  }

  /** A leader that finds no autopilot configuration writes the one of its files. */
  #initialiseAutopilot(): void {
    if (this.server.state.autopilotConfig().value !== null) return;
    const { autopilot } = this.config;
    const config = {
      CleanupDeadServers: autopilot.cleanupDeadServers,
      LastContactThreshold: autopilot.lastContactThresholdMs * nsPerMs,
      MaxTrailingLogs: autopilot.maxTrailingLogs,
      MinQuorum: autopilot.minQuorum,
      ServerStabilizationTime: autopilot.serverStabilizationTimeMs * nsPerMs,
    };
    this.server
      .write({ type: "autopilot.set", config, cas: null })
      .catch((error: unknown) => this.log.error("failed to initialise autopilot", { error }));
  }

  /** A leader writes the configuration entries of its files that are not there yet. */
  async #bootstrapConfigEntries(): Promise<void> {
    for (const entry of this.#configEntries) {
      const { Kind: kind, Name: name } = entry;
      try {
        await this.server.command(configEntrySet, { entry, cas: 0 });
      } catch (error) {
        this.log.error("failed to bootstrap configuration entry", { kind, name, error });
      }
    }
  }

  /** The member that a server of the Raft group is. */
  #serverMember(id: string): ServerMember | null {
    const { self } = this;
    const member = id === self.id ? self : this.#servers.member(id);
    if (member === null) return null;
    const meta = id === self.id ? this.config.nodeMeta : NO_META;
    return { name: member.name, status: member.status, version: CONSUL_VERSION, meta };
  }

  #failed(error: unknown): void {
    this.log.error("server stopped: it cannot go on safely", { error });
    this.#stopped(1);
  }
}
