// The servers that a client agent knows, in the order in which it would use them. It stays with the first one, so that its
// connections are kept and what it reads does not go back; one that fails goes to the end, and so does one that stands
// still: it is found out by a ping, long before the pool knows. Every few minutes the order is drawn anew, so that the
// clients of a datacenter spread over servers that come and go
// (https://developer.hashicorp.com/consul/docs/architecture/control-plane#client-agents).
import type { Timer, Timers } from "../host/timers.ts";
import type { Random } from "../util/random.ts";
import type { Upstream } from "./authority.ts";
import { ChangeSignal } from "./change-signal.ts";
import type { Peer } from "./peer-door.ts";

/** Between two drawings: this, and up to half of it more. */
const REBALANCE_MS = 120_000;

/** What it works with. */
export interface ServerListOptions {
  readonly timers: Timers;
  readonly random: Random;
  /** Resolves when the server answers, and rejects when it does not in a short time. */
  ping(peer: Peer): Promise<unknown>;
}

/** The upstream of a client agent. */
export class ServerList implements Upstream {
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #ping: (peer: Peer) => Promise<unknown>;
  readonly #changed: ChangeSignal;
  /** Ids of servers that are being pinged, and of those that did not answer. */
  readonly #doubted = new Set<string>();
  readonly #silent = new Set<string>();
  #peers: Peer[] = [];
  #timer: Timer | null = null;

  constructor({ timers, random, ping }: ServerListOptions) {
    this.#timers = timers;
    this.#random = random;
    this.#ping = ping;
    this.#changed = new ChangeSignal(timers);
  }

  /** Draws the order anew from time to time, until `stop`. */
  start(): void {
    this.#timer = this.#timers.after(REBALANCE_MS * (1 + this.#random.float() / 2), () => {
      this.#shuffle();
      this.start();
    });
  }

  stop(): void {
    this.#timers.cancel(this.#timer);
  }

  /** These are there now. New ones come in anywhere, so that not every client moves to them. */
  update(peers: readonly Peer[]): void {
    const known = new Map(peers.map((peer) => [peer.id, peer]));
    const kept = this.#peers.flatMap(({ id }) => known.get(id) ?? []);
    for (const { id } of kept) known.delete(id);
    for (const peer of known.values()) kept.splice(this.#random.below(kept.length + 1), 0, peer);
    for (const id of this.#silent) if (!kept.some((peer) => peer.id === id)) this.#silent.delete(id);
    const isSame = kept.length === this.#peers.length && kept.every((peer, at) => isEqual(peer, this.#peers[at]));
    this.#peers = kept;
    if (!isSame) this.#changed.tell();
  }

  get peers(): readonly Peer[] {
    return this.#peers;
  }

  has(id: string | undefined): boolean {
    return this.#peers.some((peer) => peer.id === id);
  }

  get peer(): Peer | null {
    return this.#peers.find(({ id }) => !this.#silent.has(id)) ?? this.#peers[0] ?? null;
  }

  isLost(peer: Peer): boolean {
    return this.#silent.has(peer.id) || !this.#peers.some((known) => isEqual(known, peer));
  }

  doubt(peer: Peer): void {
    const { id } = peer;
    if (this.#doubted.has(id)) return;
    this.#doubted.add(id);
    this.#ping(peer).then(
      () => {
        this.#doubted.delete(id);
        this.#silent.delete(id);
      },
      () => {
        this.#doubted.delete(id);
        this.#silent.add(id);
        this.failed(peer);
        this.#changed.tell();
      },
    );
  }

  failed(peer: Peer): void {
    if (this.#peers.length < 2 || this.#peers[0]?.id !== peer.id) return;
    this.#peers.push(this.#peers.shift() as Peer);
    this.#changed.tell();
  }

  onChange(listener: () => void): () => void {
    return this.#changed.onChange(listener);
  }

  untilChange(timeoutMs: number): Promise<void> {
    return this.#changed.untilChange(timeoutMs);
  }

  #shuffle(): void {
    for (let at = this.#peers.length - 1; at > 0; at -= 1) {
      const other = this.#random.below(at + 1);
      [this.#peers[at], this.#peers[other]] = [this.#peers[other] as Peer, this.#peers[at] as Peer];
    }
    this.#changed.tell();
  }
}

const isEqual = (a: Peer, b: Peer | undefined): boolean => a.id === b?.id && a.address === b.address;
