// How the servers of the group are, from this server's point of view, looked at every two seconds while there are others
// (https://developer.hashicorp.com/consul/docs/manage/scale/autopilot, "server health checking"); a server alone looks
// when it is asked, so that it may sleep. A server is healthy when its member is alive, the leader heard of it lately,
// and its log is of the leader's term and hardly behind. One that has just come is not healthy until it was looked at.
import type { GroupHealth, ServerHealth } from "../endpoint/server-group.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Raft } from "../raft/raft.ts";
import type { ProgressStatus, Server } from "../raft/types.ts";
import type { UserMap } from "../types/records.ts";
import { userMap } from "../util/user-map.ts";

/** Milliseconds between two looks; Consul's `ServerHealthInterval`. */
const INTERVAL_MS = 2000;

/** When a server counts as healthy: the part of the autopilot configuration that says so. */
export interface HealthThresholds {
  lastContactMs: number;
  maxTrailingLogs: number;
}

/** A server as a member of the LAN pool. */
export interface ServerMember {
  name: string;
  status: "alive" | "leaving" | "left" | "failed";
  version: string;
  meta: UserMap;
}

export interface AutopilotHost {
  readonly timers: Timers;
  readonly raft: Omit<Raft, "step">;
  now(): number;
  wall(): number;
  thresholds(): HealthThresholds;
  member(id: string): ServerMember | null;
  /** What it holds was found to be other than what the group holds. */
  diverged(id: string): boolean;
  /** This server may have been started for the very question: alone in its group, it answers without waiting for a second look. */
  sleeps(): boolean;
  /** All servers were looked at. */
  looked(health: GroupHealth): void;
}

const NO_META: UserMap = Object.freeze(userMap<string>()) as UserMap;

/** Looks from time to time, and remembers what it saw. */
export class Autopilot {
  readonly #host: AutopilotHost;
  #health: GroupHealth = { servers: [], healthy: false, failureTolerance: 0 };
  /** Since when each server's health is what it is, by the monotonic clock. */
  readonly #since = new Map<string, number>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;

  constructor(host: AutopilotHost) {
    this.#host = host;
  }

  /** What the last look saw; it is never older than two seconds. */
  get health(): GroupHealth {
    const { raft, sleeps } = this.#host;
    if ((sleeps() && raft.configuration.servers.length === 1) || this.#host.now() - this.#lookedAtMs >= INTERVAL_MS)
      this.look();
    return this.#health;
  }

  stop(): void {
    this.#host.timers.cancel(this.#timer);
    this.#timer = null;
  }

  /** This server leads from now on. It heard of the others only from their leader before: what it saw of them counts for nothing. */
  led(): void {
    this.#since.clear();
    this.#health = { ...this.#health, servers: [] };
    this.changed();
  }

  /** The group's configuration changed: who is new was never looked at, and holds at least the entry that names it. */
  changed(): void {
    const { raft } = this.#host;
    const known = new Map(this.#health.servers.map((server) => [server.id, server]));
    const index = raft.configurationIndex;
    this.#conclude(
      raft.configuration.servers.map(({ id, address, voter }) => {
        const row = known.get(id);
        if (row !== undefined) return { ...row, address, voter };
        const unseen = {
          leader: false,
          lastContactMs: Number.POSITIVE_INFINITY,
          healthy: false,
          diverged: this.#host.diverged(id),
          stableSinceMs: this.#host.wall(),
          stableMs: 0,
        };
        this.#since.set(id, this.#host.now());
        return {
          ...this.#member(id),
          id,
          address,
          voter,
          lastTerm: raft.termAt(index) ?? 0,
          lastIndex: index,
          ...unseen,
        };
      }),
    );
    this.#lookLater();
  }

  /** Looks at every server of the group now. */
  look(): void {
    const { raft } = this.#host;
    const known = new Map(this.#health.servers.map((server) => [server.id, server]));
    for (const id of this.#since.keys())
      if (!raft.configuration.servers.some((server) => server.id === id)) this.#since.delete(id);
    const progress = new Map(raft.progress.map((peer) => [peer.id, peer]));
    this.#conclude(
      raft.configuration.servers.map((server) => this.#lookAt(server, progress.get(server.id), known.get(server.id))),
    );
    this.#lookLater();
    this.#host.looked(this.#health);
  }

  #lookLater(): void {
    const { raft, timers } = this.#host;
    this.#lookedAtMs = this.#host.now();
    timers.cancel(this.#timer);
    this.#timer = raft.configuration.servers.length > 1 ? timers.after(INTERVAL_MS, () => this.look()) : null;
  }

  #conclude(servers: readonly ServerHealth[]): void {
    const voters = servers.filter(({ voter }) => voter);
    const quorum = Math.floor(voters.length / 2) + 1;
    this.#health = {
      servers,
      healthy: servers.length > 0 && servers.every(({ healthy }) => healthy),
      failureTolerance: Math.max(0, voters.filter(({ healthy }) => healthy).length - quorum),
    };
  }

  #lookAt(
    { id, address, voter }: Server,
    peer: ProgressStatus | undefined,
    before: ServerHealth | undefined,
  ): ServerHealth {
    const { raft } = this.#host;
    const now = this.#host.now();
    const own = id === raft.id;
    // Only the leader hears of the others; elsewhere nothing is known of them.
    const lastIndex = own ? raft.lastIndex : (peer?.match ?? 0);
    const lastContactMs = own
      ? raft.lastContact(now)
      : peer === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(0, now - peer.lastContactMs);
    const seen = {
      ...this.#member(id),
      id,
      address,
      voter,
      leader: id === raft.leader,
      lastContactMs,
      lastTerm: own ? raft.lastTerm : (raft.termAt(lastIndex) ?? 0),
      lastIndex,
    };
    const diverged = this.#host.diverged(id);
    const healthy = this.#isHealthy(seen) && !diverged;
    const isSteady = before !== undefined && before.healthy === healthy;
    if (!isSteady || !this.#since.has(id)) this.#since.set(id, now);
    const stableSinceMs = isSteady ? before.stableSinceMs : this.#host.wall();
    return { ...seen, healthy, diverged, stableSinceMs, stableMs: now - this.#since.get(id)! };
  }

  #member(id: string): Pick<ServerHealth, "name" | "memberStatus" | "version" | "meta"> {
    const member = this.#host.member(id);
    if (member === null) return { name: "", memberStatus: "none", version: "", meta: NO_META };
    return { name: member.name, memberStatus: member.status, version: member.version, meta: member.meta };
  }

  #isHealthy({
    memberStatus,
    lastContactMs,
    lastTerm,
    lastIndex,
  }: Omit<ServerHealth, "healthy" | "diverged" | "stableSinceMs" | "stableMs">): boolean {
    const { raft } = this.#host;
    const { lastContactMs: contactMaxMs, maxTrailingLogs } = this.#host.thresholds();
    return (
      raft.leader !== null &&
      memberStatus === "alive" &&
      lastContactMs <= contactMaxMs &&
      lastTerm === raft.lastTerm &&
      lastIndex + maxTrailingLogs >= raft.lastIndex
    );
  }
}
