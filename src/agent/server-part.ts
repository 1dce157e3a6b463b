// What a server agent has and a client has not: the replicated store with its Raft group, the doors by which other agents
// reach it, and the work of a leader that needs to know the members of the LAN pool.
import type { AgentConfig, RaftConfig } from "../config/config-types.ts";
import { configEntrySet, readConfigEntry } from "../endpoint/config-entry.ts";
import type { Tags } from "../gossip/types.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import { LEASE_SHARE } from "../raft/options.ts";
import type { Configuration, RaftTimings } from "../raft/types.ts";
import type { Upstream } from "../rpc/authority.ts";
import { answerCall, CALL_PATH, PING_PATH } from "../rpc/call.ts";
import type { Peer, PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import type { RequestOutcomes } from "../rpc/request-ids.ts";
import type { Router } from "../rpc/router.ts";
import type { Route } from "../rpc/route.ts";
import type { ServerMember } from "../server/autopilot.ts";
import { absentMembers, type Member, reconcileMember } from "../server/reconcile.ts";
import { Server } from "../server/server.ts";
import type { Command, ConfigEntryInput } from "../state/command.ts";
import { OperationalError } from "../types/error.ts";
import type { UserMap } from "../types/records.ts";
import { nsPerMs } from "../util/duration.ts";
import type { Sample } from "../util/instrument.ts";
import { joinHostPort } from "../util/ip-address.ts";
import { userMap } from "../util/user-map.ts";
import { CLUSTER_TAG, ClusterId } from "./cluster-id.ts";
import type { Logs } from "./logs.ts";
import { memberTags } from "./member-tags.ts";
import type { Metrics } from "./metrics.ts";
import { failoverOf } from "./prepared-queries.ts";
import { Servers } from "./servers.ts";

/** What it works with. */
export interface ServerPartOptions {
  readonly config: AgentConfig;
  readonly platform: Platform;
  readonly timers: Timers;
  readonly client: PeerClient;
  /** What became of the commands that others sent on. */
  readonly outcomes: RequestOutcomes;
  readonly door: PeerDoor;
  readonly metrics: Metrics;
  readonly logs: Logs;
  /** Takes the times of the leader's look at all members. */
  readonly reconciled: Pick<Sample, "add">;
  /** The servers of a new group, this one among them and the same on each; absent: what the configuration says. */
  readonly bootstrap: Configuration | undefined;
  /** The way to other datacenters. */
  readonly router: Router;
  /** The door of requests, which is made after this. */
  readonly route: () => Route;
  /** This agent, and everybody that the LAN pool knows, this agent among them. */
  self(): Member;
  members(): readonly Member[];
  /** The other servers of the pool that can be called. */
  servers(): readonly Peer[];
  /** This server says this of itself from now on. */
  tagsChanged(tags: Tags): void;
  /** There is a leader, maybe another one than before. */
  leaderFound(): void;
  failed(error: unknown): void;
}

/**
 * The election timeout for each unit of `performance.raft_multiplier`, of which fewer than Consul's default count as that:
 * docs/differences.md says why it is a tenth of Consul's.
 */
const ELECTION_TIMEOUT_MS = 100;
const MULTIPLIER_MIN = 5;
/** How many heartbeats a leader sends within an election timeout. */
const HEARTBEATS_PER_TIMEOUT = 10;
/** How often a leader compares all members with the catalog (Consul's `ReconcileInterval`). */
const RECONCILE_MS = 60_000;
/** How long a server that handed leadership over still answers what was asked of it before. */
const LAST_ANSWERS_MS = 200;

/** The path by which a snapshot to restore is sent to the leader. */
export const RESTORE_PATH = "/rpc/1/restore";
const NO_META: UserMap = Object.freeze(userMap<string>()) as UserMap;

/** A follower that nothing else is sent to hears of a commit after this long; one whose readers wait for it hears at once. */
const COMMIT_NOTIFY_MS = 5;

function raftTimings({ multiplier }: RaftConfig): RaftTimings {
  const electionTimeoutMs = Math.max(MULTIPLIER_MIN, multiplier) * ELECTION_TIMEOUT_MS;
  return {
    electionTimeoutMs,
    heartbeatMs: electionTimeoutMs / HEARTBEATS_PER_TIMEOUT,
    // As long as the margin for clocks allows: raft/DESIGN.md.
    leaseMs: electionTimeoutMs * LEASE_SHARE,
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

/** The server's part of one agent. */
export class ServerPart {
  readonly server: Server;
  readonly #options: ServerPartOptions;
  readonly #servers: Servers;
  readonly #cluster: ClusterId;
  readonly #configEntries: readonly ConfigEntryInput[];
  #timer: Timer | null = null;
  #led = false;
  /** Since when this leader misses nodes of the catalog in the pool. */
  #absentSinceMs = new Map<string, number>();

  constructor(options: ServerPartOptions) {
    const { config, platform, timers, client, outcomes, door, metrics, logs } = options;
    this.#options = options;
    this.#configEntries = bootstrapEntries(config);
    const logger = logs.logger("agent.server");
    const ownAddress = serverAddress(config);
    this.server = new Server({
      platform,
      timers,
      id: config.nodeId,
      ownAddress,
      datacenter: config.datacenter,
      primaryDatacenter: config.primaryDatacenter,
      kvReplication: config.kvReplication,
      remote: options.route,
      bootstrap: options.bootstrap ?? bootstrapConfiguration(config),
      client,
      address: () => null,
      timings: raftTimings(config.raft),
      sessionTtlMinMs: config.sessionTtlMinMs,
      failover: failoverOf({ router: options.router, timers, logger }),
      snapshotThreshold: config.raft.snapshotThreshold,
      snapshotIntervalMs: config.raft.snapshotIntervalMs,
      trailingEntries: config.raft.trailingLogs,
      healthThresholds: {
        lastContactMs: config.autopilot.lastContactThresholdMs,
        maxTrailingLogs: config.autopilot.maxTrailingLogs,
      },
      care: {
        cleanupDeadServers: config.autopilot.cleanupDeadServers,
        minQuorum: config.autopilot.minQuorum,
        stabilizationMs: config.autopilot.serverStabilizationTimeMs,
      },
      member: (id) => this.#serverMember(id),
      meter: metrics,
      log: (level, message, fields) => logger[level](message, fields),
      leadership: ({ leading, leader }) => this.#leadership(leading, leader),
      failed: options.failed,
    });
    this.server.serve(door);
    this.#cluster = new ClusterId({
      blobs: platform.blobs,
      changed: () => options.tagsChanged(this.tags),
      failed: (error) => logger.error("failed to write the cluster's id", { error }),
    });
    this.#servers = new Servers({
      cluster: this.#cluster,
      server: this.server,
      client,
      timers,
      self: options.self,
      address: ownAddress,
      expect: config.bootstrapExpect,
      peers: options.servers,
      log: (level, message, fields) => logger[level](message, fields),
    });
    this.#servers.serve(door);
    door.serve(PING_PATH, () => new Uint8Array(0));
    door.serve(CALL_PATH, (_from, body) => {
      // Who asks a server by this path wants the leader's own answer.
      if (!this.server.leading) throw new OperationalError("not-leader", "node is not the leader");
      return answerCall(this.server, outcomes, body);
    });
    door.serve(RESTORE_PATH, (_from, body) => {
      if (!this.server.leading) throw new OperationalError("not-leader", "node is not the leader");
      return this.restoreHere(body.slice());
    });
  }

  /** Where this server sends what only the leader answers. */
  get upstream(): Upstream {
    const { server } = this;
    return {
      get peer() {
        return server.leaderPeer;
      },
      // While nobody leads the one who did may still answer.
      isLost: ({ id }) => server.leading || (server.leaderPeer !== null && server.leaderPeer.id !== id),
      // Followers find out by themselves whether their leader is there.
      failed: () => {},
      doubt: () => {},
      onChange: (listener) => server.onChange(listener),
      untilChange: (timeoutMs) => server.untilChange(timeoutMs),
    };
  }

  /** Reads what is kept of what this server says of itself. */
  loadTags(): Promise<void> {
    return this.#cluster.load();
  }

  /** What this server says of itself. */
  get tags(): Tags {
    const tags = memberTags(this.#options.config);
    if (this.#cluster.value !== "") tags[CLUSTER_TAG] = this.#cluster.value;
    return tags;
  }

  async start(): Promise<void> {
    await this.server.start();
    this.#servers.start();
  }

  stop(): void {
    this.#options.timers.cancel(this.#timer);
    this.#servers.stop();
    this.server.stop();
  }

  /** Hands leadership over: nobody need wait for an election. */
  async handOver(): Promise<void> {
    if (!this.server.leading || this.server.alone) return;
    const log = this.#options.logs.logger("agent.server");
    await this.server.group
      .transfer(null)
      .catch((error: unknown) => log.warn("failed to transfer leadership", { error }));
    // What was asked of this server before is answered meanwhile.
    await new Promise<void>((resolve) => void this.#options.timers.after(LAST_ANSWERS_MS, resolve));
  }

  /** The pool says something new of a member: the leader has the catalog say so too. */
  memberChanged(member: Member): void {
    if (this.server.leading) this.#bringInLine(member);
    if (member.server !== null) this.#servers.memberChanged();
  }

  /** Puts the state of a snapshot in place of the present one, as the leader. @throws OperationalError when it is damaged. */
  async restoreHere(snapshot: Uint8Array): Promise<Uint8Array> {
    await this.server.restore(snapshot);
    // The state may be another cluster's: this one says again what it is.
    this.#reconcile();
    this.#initialiseAutopilot();
    this.#options.leaderFound();
    return new Uint8Array(0);
  }

  #leadership(leading: boolean, leader: string | null): void {
    const { config, timers, logs, leaderFound } = this.#options;
    const log = logs.logger("agent");
    timers.cancel(this.#timer);
    this.#timer = null;
    if (leading) {
      log.info("cluster leadership acquired");
      log.info("New leader elected", { payload: config.nodeName });
      this.#absentSinceMs.clear();
      this.#cluster.leading(this.server.raft.configuration);
      this.#reconcile();
      this.#initialiseAutopilot();
      void this.#bootstrapConfigEntries();
      leaderFound();
      this.#led = true;
    } else if (this.#led) {
      this.#led = false;
      log.warn("cluster leadership lost");
    }
    if (!leading && leader !== null && leader !== config.nodeId) {
      log.info("New leader elected", { payload: this.server.group.nameOf(leader) || leader });
      leaderFound();
    }
  }

  /** Makes the catalog say what the pool says of every member, and again from time to time while there are others. */
  #reconcile(): void {
    const { members, platform, timers, reconciled } = this.#options;
    const startedMs = platform.now();
    const all = members();
    for (const member of all) this.#bringInLine(member);
    const absent = this.#reconcileAbsent(all);
    reconciled.add(platform.now() - startedMs);
    timers.cancel(this.#timer);
    this.#timer = all.length > 1 || absent > 0 ? timers.after(RECONCILE_MS, () => this.#reconcile()) : null;
  }

  /**
   * Whom the pool does not know is given time to come back, since agents may all be starting; then it counts as failed, and
   * after the time for which the pool remembers failed members it is forgotten. Gives back how many there are.
   */
  #reconcileAbsent(members: readonly Member[]): number {
    const { platform, config } = this.#options;
    const now = platform.now();
    const { state } = this.server;
    const absent = absentMembers(members, config.datacenter, state);
    const known = this.#absentSinceMs;
    this.#absentSinceMs = new Map(absent.map(({ name }) => [name, known.get(name) ?? now]));
    for (const member of absent) {
      const absentMs = now - (this.#absentSinceMs.get(member.name) as number);
      if (absentMs >= config.gossipLan.reconnectTimeoutMs) this.#bringInLine({ ...member, status: "left" });
      else if (absentMs >= RECONCILE_MS) this.#bringInLine(member);
    }
    return absent.length;
  }

  #bringInLine(member: Member): void {
    const command = reconcileMember(member, this.server.state);
    if (command !== null) void this.#write(member, command);
  }

  async #write(member: Member, command: Command): Promise<void> {
    try {
      await this.server.write(command);
      // Whoever had the member's name before is out of the way now.
      if (command.type !== "catalog.register" || command.node.ID === member.id) return;
      const next = reconcileMember(member, this.server.state);
      if (next !== null && this.server.leading) await this.server.write(next);
    } catch (error) {
      // Who leads next sees to it.
      if (this.server.leading)
        this.#options.logs.logger("agent.server").error("failed to reconcile member", { member: member.name, error });
    }
  }

  /** A leader that finds no autopilot configuration writes the one of its files. */
  #initialiseAutopilot(): void {
    if (this.server.state.autopilotConfig().value !== null) return;
    const { autopilot } = this.#options.config;
    const config = {
      CleanupDeadServers: autopilot.cleanupDeadServers,
      LastContactThreshold: autopilot.lastContactThresholdMs * nsPerMs,
      MaxTrailingLogs: autopilot.maxTrailingLogs,
      MinQuorum: autopilot.minQuorum,
      ServerStabilizationTime: autopilot.serverStabilizationTimeMs * nsPerMs,
    };
    const log = this.#options.logs.logger("agent.server");
    this.server
      .write({ type: "autopilot.set", config, cas: null })
      .catch((error: unknown) => log.error("failed to initialise autopilot", { error }));
  }

  /** The primary's leader writes the configuration entries of its files that are not there yet. */
  async #bootstrapConfigEntries(): Promise<void> {
    const log = this.#options.logs.logger("agent.server");
    const { federation } = this.server;
    if (!federation.isPrimary) {
      if (this.#configEntries.length > 0)
        log.info("config_entries.bootstrap is left to the primary datacenter", {
          primary: federation.primary.Datacenter,
        });
      return;
    }
    for (const entry of this.#configEntries) {
      const { Kind: kind, Name: name } = entry;
      try {
        await this.server.command(configEntrySet, { entry, cas: 0 });
      } catch (error) {
        log.error("failed to bootstrap configuration entry", { kind, name, error });
      }
    }
  }

  /** The member that a server of the Raft group is. */
  #serverMember(id: string): ServerMember | null {
    const { self, members, config } = this.#options;
    const own = self();
    const member = id === own.id ? own : members().find((other) => other.id === id && other.server !== null);
    if (member === undefined) return null;
    const meta = id === own.id ? config.nodeMeta : NO_META;
    // What it says of itself: while servers are upgraded one after the other they are not of one version.
    return { name: member.name, status: member.status, version: member.server?.meta["version"] ?? "", meta };
  }
}

/** `host:port` where a server takes the calls of other agents. */
export const serverAddress = ({ advertiseAddress, ports }: AgentConfig): string =>
  joinHostPort(advertiseAddress, ports.server);

function bootstrapConfiguration(config: AgentConfig): Configuration | null {
  if (!(config.dev || config.bootstrap || config.bootstrapExpect === 1)) return null;
  return {
    servers: [{ id: config.nodeId, address: serverAddress(config), voter: true }],
  };
}
