// Datacenters that are reached by one address alone (`remote_datacenters`): no gossip goes there, so each is pinged, at longer
// and longer intervals while it does not answer. The ping says whether it is there and how far away, and whether the
// datacenter there has the name that the files give it: one of another name is not asked for anything.
import type { RemoteDatacenter } from "../config/config-types.ts";
import type { Timer, Timers } from "../host/timers.ts";
import { PING_PATH } from "../rpc/call.ts";
import type { Peer, PeerClient } from "../rpc/peer-door.ts";
import type { KnownDatacenter } from "../rpc/router.ts";
import type { Random } from "../util/random.ts";
import type { Logger } from "./logs.ts";

/** What it works with. */
export interface GatewaysOptions {
  readonly datacenters: readonly RemoteDatacenter[];
  readonly client: PeerClient;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  now(): number;
  /** Something new is known of one of them. */
  changed(): void;
}

const INTERVAL_MS = 30_000;
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 60_000;
const TIMEOUT_MS = 5000;
/** How much one measurement counts against those before. */
const SMOOTHING = 0.25;
const NOTHING = new Uint8Array(0);

interface Gateway {
  readonly name: string;
  readonly peer: Peer;
  /** Null before the first answer or failure. */
  isAlive: boolean | null;
  /** Why it is not there. */
  why: string;
  distanceMs: number | null;
  backoffMs: number;
  timer: Timer | null;
}

/** Pings them from `start` to `stop`. */
export class Gateways {
  readonly #options: GatewaysOptions;
  readonly #gateways: readonly Gateway[];
  #isStopped = false;

  constructor(options: GatewaysOptions) {
    this.#options = options;
    this.#gateways = options.datacenters.map(({ name, address }) => ({
      name,
      peer: { id: "", address, datacenter: name },
      isAlive: null,
      why: "",
      distanceMs: null,
      backoffMs: BACKOFF_MIN_MS,
      timer: null,
    }));
  }

  start(): void {
    for (const gateway of this.#gateways) void this.#ping(gateway);
  }

  stop(): void {
    this.#isStopped = true;
    for (const { timer } of this.#gateways) this.#options.timers.cancel(timer);
  }

  /** As the router is to know them. One that was not asked yet counts as there. */
  get datacenters(): KnownDatacenter[] {
    return this.#gateways.map(({ name, peer, isAlive, distanceMs }) => ({
      name,
      servers: [{ peer, name: `gateway.${name}`, isAlive: isAlive !== false, distanceMs }],
    }));
  }

  async #ping(gateway: Gateway): Promise<void> {
    const { client, timers, random, now } = this.#options;
    const startedMs = now();
    let nextMs: number;
    try {
      await client.call(gateway.peer, PING_PATH, NOTHING, TIMEOUT_MS);
      if (this.#isStopped) return;
      this.#measured(gateway, now() - startedMs);
      gateway.backoffMs = BACKOFF_MIN_MS;
      nextMs = INTERVAL_MS;
      this.#is(gateway, true, null);
    } catch (error) {
      if (this.#isStopped) return;
      nextMs = gateway.backoffMs;
      gateway.backoffMs = Math.min(BACKOFF_MAX_MS, gateway.backoffMs * 2);
      this.#is(gateway, false, error);
    }
    gateway.timer = timers.after(nextMs * (1 + random.float() / 4), () => void this.#ping(gateway));
  }

  #measured(gateway: Gateway, rttMs: number): void {
    const { distanceMs } = gateway;
    // The first one opened the connection.
    gateway.distanceMs =
      distanceMs === null || rttMs < distanceMs ? rttMs : distanceMs + SMOOTHING * (rttMs - distanceMs);
  }

  /** Says so in the log when it is news: another state, or another reason. */
  #is(gateway: Gateway, isAlive: boolean, error: unknown): void {
    const { logger, changed } = this.#options;
    const why = isAlive ? "" : String((error as Error).message);
    const isNews = gateway.isAlive !== isAlive || gateway.why !== why;
    gateway.isAlive = isAlive;
    gateway.why = why;
    if (!isNews) return;
    const fields = { datacenter: gateway.name, address: gateway.peer.address };
    if (isAlive) logger.info("remote datacenter is reached", fields);
    else logger.warn("remote datacenter cannot be reached, will try again", { ...fields, error });
    changed();
  }
}
