// What a server has of other datacenters: its place in the WAN pool, in which the servers of all datacenters are, and what the
// router is told of it. One server of a datacenter that joins brings the others: each has those of its LAN pool join too, by
// the port that they name in their tags (Consul's flood). Datacenters that are reached by one address alone come beside them
// (gateways.ts):
// https://developer.hashicorp.com/consul/docs/architecture/gossip#wan-gossip-pool
import type { AgentMember } from "../client/types.ts";
import type { AgentConfig } from "../config/config-types.ts";
import type { MemberView, Tags } from "../gossip/types.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Peers, Platform } from "../platform.ts";
import type { PeerClient } from "../rpc/peer-door.ts";
import type { KnownServer } from "../rpc/datacenter-servers.ts";
import { type KnownDatacenter, Router } from "../rpc/router.ts";
import { OperationalError } from "../types/error.ts";
import type { Coordinate, UserMap } from "../types/records.ts";
import type { Counter, Labels, Meter } from "../util/instrument.ts";
import { joinHostPort } from "../util/ip-address.ts";
import type { Random } from "../util/random.ts";
import { distance } from "../util/vivaldi.ts";
import { Gateways } from "./gateways.ts";
import type { Logs } from "./logs.ts";
import { serverTags, shownMember } from "./member-tags.ts";
import { Pool } from "./pool.ts";
import { splitHostPort } from "./pool-address.ts";
import { joinError } from "./pool-join.ts";
import { poolSettings } from "./pool-settings.ts";

/** What it works with. */
export interface WanOptions {
  readonly config: AgentConfig;
  readonly platform: Platform;
  readonly peers: Peers;
  readonly client: PeerClient;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: Logs;
  readonly meter: Meter;
  /** The members of the LAN pool. */
  lanMembers(): readonly MemberView[];
  /** Something is known now of other datacenters that was not before. */
  changed(): void;
  /** The agent must stop. */
  stop(): void;
  failed(error: unknown): void;
}

/** The coordinates of the servers of one datacenter, as /v1/coordinate/datacenters has them. */
export interface DatacenterCoordinates {
  readonly Datacenter: string;
  readonly AreaID: string;
  readonly Coordinates: readonly { readonly Node: string; readonly Segment: string; readonly Coord: Coordinate }[];
}

/** How often it is looked at whether all servers of the LAN pool are in the WAN pool. */
const FLOOD_MS = 60_000;
/** A server of the LAN pool that was just heard of may not listen yet; and several come at once. */
const FLOOD_SOON_MS = 1000;
const MS_PER_SECOND = 1000;

/** The part of one server. */
export class Wan {
  readonly router: Router;
  readonly #options: WanOptions;
  /** Null when the port of the WAN pool is off: there is then one datacenter. */
  readonly #pool: Pool | null;
  readonly #gateways: Gateways;
  #timer: Timer | null = null;
  readonly #asked = new Map<string, { answered: Counter; failed: Counter }>();
  #isFlooding = false;
  #isStopped = false;

  constructor(options: WanOptions) {
    this.#options = options;
    const { config, platform, client, timers, random, logs } = options;
    this.#pool = config.gossipWan === null ? null : this.#makePool();
    this.#gateways = new Gateways({
      datacenters: config.remoteDatacenters,
      client,
      timers,
      random,
      logger: logs.logger("agent.server"),
      now: () => platform.now(),
      changed: () => this.router.changed(),
    });
    this.router = new Router({
      datacenter: config.datacenter,
      client,
      timers,
      random,
      now: () => platform.now(),
      holdMs: config.performance.rpcHoldTimeoutMs,
      asked: (datacenter, isAnswered) => this.#counters(datacenter)[isAnswered ? "answered" : "failed"].add(1),
      others: () => this.#others(),
    });
  }

  /** Of a datacenter that is known: there are not many. */
  #counters(datacenter: string): { answered: Counter; failed: Counter } {
    let counters = this.#asked.get(datacenter);
    if (counters === undefined) {
      const { meter } = this.#options;
      const labels: Labels = [["datacenter", datacenter]];
      counters = {
        answered: meter.counter("rpc.cross-dc", "Counts requests that another datacenter has answered", labels),
        failed: meter.counter(
          "rpc.cross-dc.failed",
          "Counts requests that another datacenter has not answered",
          labels,
        ),
      };
      this.#asked.set(datacenter, counters);
    }
    return counters;
  }

  #makePool(): Pool {
    const { config, platform, peers, timers, logs, meter, changed, stop, failed } = this.#options;
    return new Pool({
      ...poolSettings(config, "wan"),
      platform,
      peers,
      timers,
      logs,
      meter,
      module: "agent.server.serf",
      listener: {
        member: () => {
          this.router.changed();
          changed();
        },
        userEvent: () => {},
        nameLost: stop,
        joinExhausted: stop,
        failed,
      },
    });
  }

  /** @param tags what this server says of itself. */
  async start(tags?: Tags): Promise<void> {
    this.#gateways.start();
    if (this.#pool === null) return;
    await this.#pool.start(tags);
    this.#floodIn(FLOOD_SOON_MS);
  }

  /** It says this of itself from now on. @throws OperationalError when the pool is being left, or has ended. */
  async setTags(tags: Tags): Promise<void> {
    await this.#pool?.setTags(tags);
  }

  async leave(): Promise<void> {
    this.#options.timers.cancel(this.#timer);
    await this.#pool?.leave();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#gateways.stop();
    this.#options.timers.cancel(this.#timer);
    await this.#pool?.stop();
  }

  /** The path of calls to the WAN pool. */
  get path(): string | null {
    return this.#pool?.path ?? null;
  }

  /** Answers a call of another member, from an IP address. */
  handle(from: string, bytes: Uint8Array): Promise<Uint8Array> {
    return (this.#pool as Pool).handle(from, bytes);
  }

  loopDelay(ms: number): void {
    this.#pool?.loopDelay(ms);
  }

  /** The LAN pool says something new of a server. */
  lanChanged(): void {
    if (this.#pool !== null) this.#floodIn(FLOOD_SOON_MS);
  }

  /** Joins the WAN pool of the server at an address. @throws OperationalError that says why there was no joining. */
  async join(address: string): Promise<void> {
    if (this.#pool === null) throw noWan();
    const { contacted, failures } = await this.#pool.join([address], true);
    if (contacted === 0 && failures.length > 0) throw joinError(failures);
  }

  /** Takes a failed member for left; one without a datacenter in its name is of this one. False: there is none. */
  async forceLeave(node: string, prune: boolean): Promise<boolean> {
    const { datacenter } = this.#options.config;
    if (this.#pool === null) return false;
    if (await this.#pool.forceLeave(node, prune)) return true;
    return this.#pool.forceLeave(`${node}.${datacenter}`, prune);
  }

  /** All members of the WAN pool. */
  get members(): AgentMember[] {
    return this.#pool?.members.map(shownMember) ?? [];
  }

  /** A section of `info`; null without a WAN pool. */
  statistics(isEncrypted: boolean): UserMap | null {
    return this.#pool?.statistics(isEncrypted) ?? null;
  }

  /** The coordinates of the servers of each known datacenter, this one first, then by name. */
  coordinates(): DatacenterCoordinates[] {
    const { datacenter } = this.#options.config;
    const byDatacenter = new Map<string, { Node: string; Segment: string; Coord: Coordinate }[]>([[datacenter, []]]);
    for (const member of this.#pool?.members ?? []) {
      const server = serverTags(member);
      const Coord = this.#coordinateOf(member.name);
      if (server === null || Coord === null || member.status === "left") continue;
      const known = byDatacenter.get(server.datacenter) ?? [];
      known.push({ Node: shortName(member.name, server.datacenter), Segment: "", Coord });
      byDatacenter.set(server.datacenter, known);
    }
    return [...byDatacenter].map(([Datacenter, Coordinates]) => ({ Datacenter, AreaID: "wan", Coordinates }));
  }

  #coordinateOf(name: string): Coordinate | null {
    const pool = this.#pool as Pool;
    return (name === pool.self.name ? pool.coordinate : pool.coordinateOf(name)) as Coordinate | null;
  }

  /** What the pool and the gateways know of the other datacenters. */
  #others(): KnownDatacenter[] {
    const pool = this.#pool;
    const own = pool?.coordinate ?? null;
    const others = new Map<string, { name: string; servers: KnownServer[] }>();
    for (const { name, servers } of this.#gateways.datacenters) others.set(name, { name, servers: [...servers] });
    for (const member of pool?.members ?? []) {
      const server = serverTags(member);
      if (server === null || server.datacenter === this.#options.config.datacenter || member.status === "left")
        continue;
      const { id, address, datacenter } = server;
      const coordinate = own === null ? null : this.#coordinateOf(member.name);
      const known = others.get(datacenter) ?? { name: datacenter, servers: [] };
      known.servers.push({
        peer: { id, address, datacenter },
        name: member.name,
        isAlive: member.status === "alive",
        distanceMs: own === null || coordinate === null ? null : distance(own, coordinate) * MS_PER_SECOND,
      });
      others.set(datacenter, known);
    }
    return [...others.values()];
  }

  #floodIn(ms: number): void {
    const { timers } = this.#options;
    if (this.#isStopped || this.#isFlooding || this.#pool?.hasLeft === true) return;
    if (this.#timer?.pending === true && this.#timer.at <= this.#options.platform.now() + ms) return;
    timers.cancel(this.#timer);
    this.#timer = timers.after(ms, () => void this.#flood());
  }

  /** Has the servers of the LAN pool join that are not in the WAN pool. Alone there is nobody, and no timer. */
  async #flood(): Promise<void> {
    const { lanMembers, config, logs } = this.#options;
    const pool = this.#pool as Pool;
    let isAlone = true;
    this.#isFlooding = true;
    for (const member of lanMembers()) {
      const server = member.status === "alive" ? serverTags(member) : null;
      if (server === null || server.id === config.nodeId || server.wanJoinPort === 0) continue;
      isAlone = false;
      const status = pool.member(`${member.name}.${config.datacenter}`)?.status;
      if (status === "alive" || status === "leaving") continue;
      const address = joinHostPort(splitHostPort(member.address).host, server.wanJoinPort);
      try {
        const { contacted } = await pool.join([address], true);
        if (contacted > 0)
          logs
            .logger("agent.server")
            .debug("Successfully performed flood-join for server", { server: member.name, address });
      } catch {
        // The pool has ended.
        this.#isStopped = true;
      }
    }
    this.#isFlooding = false;
    if (!isAlone) this.#floodIn(FLOOD_MS);
  }
}

const noWan = (): OperationalError =>
  new OperationalError("refused", "this server is in no WAN pool: ports.serf_wan is off");

/** A member's name without its datacenter. */
const shortName = (name: string, datacenter: string): string =>
  name.endsWith(`.${datacenter}`) ? name.slice(0, -datacenter.length - 1) : name;
