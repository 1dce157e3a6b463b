// The servers of another datacenter, and which of them is asked next: one that answers before one that did not, a near one
// before a far one, and among equals the first in an order that every agent draws for itself, so that askers spread over
// them. It stays with that one for minutes: what it reads does not go back, and its connections are kept.
//
// Whoever lets somebody wait is pinged, and with it all others, since what is lost is mostly the link to all of them. Who did
// not answer goes to the end for a while. When nobody is left, the next request pings them again, but not more often than
// every other second: a lost link costs those who need it one ping, and then an answer at once.
import type { Timers } from "../host/timers.ts";
import { OperationalError } from "../types/error.ts";
import type { Random } from "../util/random.ts";
import { ChangeSignal } from "./change-signal.ts";
import type { Peer } from "./peer-door.ts";

/** A server as it is known. */
export interface KnownServer {
  readonly peer: Peer;
  /** As people know it. */
  readonly name: string;
  /** False when the pool holds it for failed. */
  readonly isAlive: boolean;
  /** The round trip to it; null when nobody has measured it. */
  readonly distanceMs: number | null;
}

/** What it works with. */
export interface DatacenterServersOptions {
  readonly timers: Timers;
  readonly random: Random;
  /** Monotonic milliseconds. */
  now(): number;
  /** Resolves when the server answers, and rejects when it does not in a short time. */
  ping(peer: Peer): Promise<unknown>;
  /** What is known of them now. */
  known(): readonly KnownServer[];
}

/** For how long who did not answer comes after all that do. */
const DEMOTED_MS = 30_000;
/** Between two pings of who does not answer. */
const RETRY_MS = 2000;
/** A server that has answered a ping this lately is not doubted. */
const TRUSTED_MS = 500;
/** Between two drawings of the order: this, and up to half of it more. */
const REDRAW_MS = 120_000;
/** Servers are as near as the nearest when they are not farther than this much, and this share, more. */
const NEAR_MS = 5;
const NEAR_SHARE = 0.25;

interface Entry {
  known: KnownServer;
  /** It belongs to the nearest. */
  isNear: boolean;
  /** Since when it does not answer, and why. */
  silentSinceMs: number | null;
  why: string;
  askedMs: number;
  answeredMs: number;
  ping: Promise<boolean> | null;
}

/** The servers of one datacenter. */
export class DatacenterServers {
  readonly #options: DatacenterServersOptions;
  readonly #changed: ChangeSignal;
  #entries: Entry[] = [];
  #redrawMs = 0;

  constructor(options: DatacenterServersOptions) {
    this.#options = options;
    this.#changed = new ChangeSignal(options.timers);
    this.update();
  }

  /** Takes over what is known now. */
  update(): void {
    const { random } = this.#options;
    const known = this.#options.known();
    const entries: Entry[] = [];
    const before = new Map(this.#entries.map((entry) => [entry.known.peer.id, entry]));
    const order = new Map(this.#entries.map((entry, at) => [entry, at]));
    const near = nearest(known);
    for (const server of known) {
      let entry = before.get(server.peer.id);
      if (entry === undefined || entry.known.peer.address !== server.peer.address) entry = fresh(server);
      const wasAlive = entry.known.isAlive;
      entry.known = server;
      // The pool has heard of it again; or it gives it up, which may be old news of a link that is whole again: it is asked.
      if (server.isAlive && !wasAlive) entry.silentSinceMs = null;
      else if (!server.isAlive && wasAlive && entry.silentSinceMs === null) void this.#ping(entry);
      entry.isNear = server.distanceMs === null || server.distanceMs <= near;
      entries.push(entry);
    }
    const old = entries.filter((entry) => order.has(entry));
    old.sort((a, b) => (order.get(a) as number) - (order.get(b) as number));
    // New ones come in anywhere, so that not every agent moves to them.
    for (const entry of entries) if (!order.has(entry)) old.splice(random.below(old.length + 1), 0, entry);
    this.#entries = old;
    this.#changed.tell();
  }

  /**
   * The server to ask: at once when one is known to answer, else when one has answered a ping.
   * @throws OperationalError `unreachable` that names the servers and what is wrong with each.
   */
  choose(): Peer | Promise<Peer> {
    this.#redraw();
    const best = this.#best();
    return best === null ? this.#seek() : best.known.peer;
  }

  /** None of them has answered lately. */
  get isSilent(): boolean {
    return this.#best() === null;
  }

  /** It gave no answer: it comes after all others for a while. */
  failed(peer: Peer, why: string): void {
    const entry = this.#entry(peer);
    if (entry === null) return;
    this.#silent(entry, why);
    this.#changed.tell();
  }

  /** It has answered something. */
  answered(peer: Peer): void {
    const entry = this.#entry(peer);
    if (entry === null) return;
    entry.answeredMs = this.#options.now();
    entry.silentSinceMs = null;
  }

  /** It lets somebody wait: it is pinged, and all are that are thought to answer. False: it has answered just now, and is not doubted yet. */
  doubt(peer: Peer): boolean {
    const entry = this.#entry(peer);
    if (entry === null || this.#options.now() - entry.answeredMs < TRUSTED_MS) return false;
    for (const each of this.#entries) if (each === entry || each.silentSinceMs === null) void this.#ping(each);
    return true;
  }

  /**
   * Why nobody who asked at `askedMs` need wait for an answer of it any more; null while somebody should. That it was found silent
   * before says nothing: who is asked after its time as a silent one is given another chance.
   */
  lost(peer: Peer, askedMs: number): string | null {
    const entry = this.#entry(peer);
    if (entry === null) return "it has left, or its address is another now";
    return entry.silentSinceMs === null || entry.silentSinceMs < askedMs ? null : entry.why;
  }

  /** Calls `listener` whenever any of this may have changed, until the function given back is called. */
  onChange(listener: () => void): () => void {
    return this.#changed.onChange(listener);
  }

  /** The name of a server, for people. */
  nameOf(peer: Peer): string {
    return this.#entry(peer)?.known.name ?? peer.id;
  }

  #entry({ id, address }: Peer): Entry | null {
    return this.#entries.find(({ known }) => known.peer.id === id && known.peer.address === address) ?? null;
  }

  #best(): Entry | null {
    const since = this.#options.now() - DEMOTED_MS;
    let best: Entry | null = null;
    for (const entry of this.#entries) {
      const { known, silentSinceMs, answeredMs } = entry;
      // Of who is given up only its own answers count.
      const isThere = known.isAlive
        ? silentSinceMs === null || silentSinceMs <= since
        : silentSinceMs === null && answeredMs > since;
      if (!isThere) continue;
      if (best === null || rank(entry) > rank(best)) best = entry;
    }
    return best;
  }

  /** Whoever answers a ping first. */
  async #seek(): Promise<Peer> {
    const now = this.#options.now();
    const due = this.#entries.filter(({ ping, askedMs }) => ping !== null || now - askedMs >= RETRY_MS);
    const pings = due.map(async (entry) => {
      if (await this.#ping(entry)) return entry.known.peer;
      throw new Error(entry.why);
    });
    try {
      return await Promise.any(pings);
    } catch {
      const each = this.#entries.map(({ known, why }) => `${known.name} at ${known.peer.address}: ${why}`);
      throw new OperationalError("unreachable", each.length === 0 ? "none of its servers is known" : each.join("; "));
    }
  }

  /** Whether it answers: one ping at a time. */
  #ping(entry: Entry): Promise<boolean> {
    const { now, ping } = this.#options;
    if (entry.ping !== null) return entry.ping;
    entry.askedMs = now();
    const asked = ping(entry.known.peer).then(
      () => {
        entry.silentSinceMs = null;
        entry.answeredMs = now();
        return true;
      },
      (error: unknown) => {
        this.#silent(entry, (error as Error).message);
        return false;
      },
    );
    entry.ping = asked.then((isThere) => {
      entry.ping = null;
      this.#changed.tell();
      return isThere;
    });
    return entry.ping;
  }

  #silent(entry: Entry, why: string): void {
    const { now } = this.#options;
    entry.silentSinceMs = now();
    // The name and the address stand before it where it is shown.
    entry.why = why.replace(`${entry.known.peer.address}: `, "");
  }

  #redraw(): void {
    const { now, random } = this.#options;
    if (now() < this.#redrawMs) return;
    this.update();
    this.#redrawMs = now() + REDRAW_MS * (1 + random.float() / 2);
    const entries = this.#entries;
    for (let at = entries.length - 1; at > 0; at -= 1) {
      const other = random.below(at + 1);
      [entries[at], entries[other]] = [entries[other] as Entry, entries[at] as Entry];
    }
  }
}

/** Who is known to be there comes before who is near. */
const rank = ({ known, isNear }: Entry): number => (known.isAlive ? 2 : 0) + (isNear ? 1 : 0);

function fresh(known: KnownServer): Entry {
  return {
    known,
    isNear: true,
    silentSinceMs: null,
    why: "",
    askedMs: Number.NEGATIVE_INFINITY,
    answeredMs: Number.NEGATIVE_INFINITY,
    ping: null,
  };
}

/** How far the farthest of the nearest is. */
function nearest(servers: readonly KnownServer[]): number {
  const distances = servers.flatMap(({ distanceMs }) => (distanceMs === null ? [] : [distanceMs]));
  return distances.length === 0 ? Infinity : Math.min(...distances) * (1 + NEAR_SHARE) + NEAR_MS;
}
