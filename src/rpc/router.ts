// A server's way to other datacenters: which there are, in the order of their distance, and one of their servers for each
// request. What a server there throws is the answer; when there is none, another server is asked, but a write only when it
// certainly did not arrive: else the error says that nobody knows, and which link it was.
// https://developer.hashicorp.com/consul/docs/architecture/control-plane#cross-datacenter-requests
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Timers } from "../host/timers.ts";
import { type ErrorCode, OperationalError } from "../types/error.ts";
import type { Random } from "../util/random.ts";
import type { Answer, QueryOptions, Topology } from "./authority.ts";
import { callCommand, callQuery, type CallTarget, FORWARD_PATH, PING_PATH } from "./call.ts";
import { DatacenterServers, type KnownServer } from "./datacenter-servers.ts";
import type { Peer, PeerClient } from "./peer-door.ts";

/** A datacenter as it is known. */
export interface KnownDatacenter {
  readonly name: string;
  readonly servers: readonly KnownServer[];
}

/** What it works with. */
export interface RouterOptions {
  /** This server's own datacenter, and its name for people. */
  readonly datacenter: string;
  readonly client: PeerClient;
  readonly timers: Timers;
  readonly random: Random;
  /** Monotonic milliseconds. */
  now(): number;
  /** How long a server may hold a request for want of a leader. */
  readonly holdMs: number;
  /** A request for another datacenter has been answered, or there was no answer. */
  asked(datacenter: string, isAnswered: boolean): void;
  /** All other datacenters as they are known now. */
  others(): readonly KnownDatacenter[];
}

/** After this long without an answer it is looked at whether who was asked is there still, and again and again. */
const DOUBT_MS = 500;
const DOUBT_AGAIN_MS = 3000;
const PING_TIMEOUT_MS = 1500;
/** From client to server, and from there to a server of another datacenter: more there is not. */
const HOPS_MAX = 2;
const NOTHING = new Uint8Array(0);

/** There was no answer. */
const SILENT: ReadonlySet<ErrorCode> = new Set(["unreachable", "timeout", "outcome-unknown", "refused"]);
/** Said by a server there that cannot serve: it has done nothing, and another may. */
const UNFIT: ReadonlySet<ErrorCode> = new Set(["unreachable", "shutting-down", "no-leader"]);

/** The error of who asks for a datacenter that nobody knows (Consul's text). */
export const noPath = (): OperationalError => new OperationalError("no-path-to-datacenter", "No path to datacenter");

/** The other datacenters, as one server knows them. */
export class Router implements Topology {
  readonly #options: RouterOptions;
  readonly #servers = new Map<string, DatacenterServers>();

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  get datacenter(): string {
    return this.#options.datacenter;
  }

  datacenters(): string[] {
    const others = this.#options.others().map(({ name, servers }) => ({ name, distanceMs: median(servers) }));
    others.sort((a, b) => a.distanceMs - b.distanceMs || (a.name < b.name ? -1 : 1));
    return [this.datacenter, ...others.map(({ name }) => name)];
  }

  /** None of its servers has answered lately: who can do without need not wait for it. */
  isSilent(datacenter: string): boolean {
    return this.#servers.get(datacenter)?.isSilent ?? false;
  }

  /** What is known of them has changed. */
  changed(): void {
    const known = new Set(this.#options.others().map(({ name }) => name));
    for (const name of this.#servers.keys()) if (!known.has(name)) this.#servers.delete(name);
    for (const servers of this.#servers.values()) servers.update();
  }

  /** @throws OperationalError `no-path-to-datacenter`, `datacenter-unreachable`, or what the datacenter answers. */
  query<A, R>(
    datacenter: string,
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    hops: number,
  ): Promise<Answer<R>> {
    return this.#ask(datacenter, hops, false, (peer) =>
      callQuery(this.#target(datacenter, hops, peer), endpoint, args, options),
    );
  }

  /** @throws OperationalError as `query`; `outcome-unknown` when it may have been done. */
  command<A, R>(
    datacenter: string,
    endpoint: CommandEndpoint<A, R>,
    args: A,
    hops: number,
    isLocal: boolean,
  ): Promise<R> {
    return this.#ask(datacenter, hops, !isLocal, (peer) =>
      callCommand(this.#target(datacenter, hops, peer), endpoint, args, isLocal),
    );
  }

  /** Has a server of it answer a call. @throws OperationalError as `command`. */
  call(datacenter: string, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.#ask(datacenter, 0, true, (peer) => this.#options.client.call(peer, path, body, timeoutMs));
  }

  /** A server of it, for calls that must all go to the same one. @throws OperationalError as `query`. */
  async server(datacenter: string): Promise<Peer> {
    try {
      return await this.#of(datacenter).choose();
    } catch (error) {
      throw this.#unreachable(datacenter, error);
    }
  }

  #of(datacenter: string): DatacenterServers {
    let servers = this.#servers.get(datacenter);
    if (servers !== undefined) return servers;
    const { client, timers, random, now, others } = this.#options;
    const known = (): readonly KnownServer[] => others().find(({ name }) => name === datacenter)?.servers ?? [];
    if (!others().some(({ name }) => name === datacenter)) throw noPath();
    const ping = (peer: Peer): Promise<unknown> => client.call(peer, PING_PATH, NOTHING, PING_TIMEOUT_MS);
    servers = new DatacenterServers({ timers, random, now, ping, known });
    this.#servers.set(datacenter, servers);
    return servers;
  }

  #target(datacenter: string, hops: number, peer: Peer): CallTarget {
    const { client, holdMs } = this.#options;
    return { client, peer, path: FORWARD_PATH, holdMs, datacenter, hops: hops + 1 };
  }

  async #ask<T>(datacenter: string, hops: number, isWrite: boolean, attempt: (peer: Peer) => Promise<T>): Promise<T> {
    if (hops >= HOPS_MAX)
      throw new OperationalError("refused", `the request for datacenter '${datacenter}' was sent on too often: a loop`);
    const { now, holdMs } = this.#options;
    const servers = this.#of(datacenter);
    const until = now() + holdMs;
    for (;;) {
      let peer: Peer;
      try {
        peer = await servers.choose();
      } catch (error) {
        throw this.#unreachable(datacenter, error);
      }
      try {
        const answer = await this.#unlessLost(servers, peer, isWrite, attempt(peer));
        servers.answered(peer);
        this.#options.asked(datacenter, true);
        return answer;
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        this.#judge(datacenter, servers, peer, isWrite, error);
        if (now() < until) continue;
        if (error.code !== "no-leader") throw this.#unreachable(datacenter, error);
        throw new OperationalError("no-leader", `No cluster leader in datacenter '${datacenter}'`, { cause: error });
      }
    }
  }

  /** Demotes who gave no answer. @throws OperationalError when the request may not be tried again. */
  #judge(datacenter: string, servers: DatacenterServers, peer: Peer, isWrite: boolean, error: OperationalError): void {
    const { code, message, isAnswer } = error;
    if (isAnswer) {
      if (code === "outcome-unknown") throw new OperationalError(code, `datacenter '${datacenter}': ${message}`);
      if (code === "no-path-to-datacenter") {
        servers.failed(peer, message);
        throw this.#unreachable(datacenter, error);
      }
      if (!UNFIT.has(code)) {
        servers.answered(peer);
        this.#options.asked(datacenter, true);
        throw error;
      }
      servers.failed(peer, message);
      if (code === "shutting-down" && isWrite) throw this.#unknown(datacenter, servers, peer, message);
      return;
    }
    if (!SILENT.has(code)) throw error;
    servers.failed(peer, message);
    if (code !== "unreachable" && isWrite) throw this.#unknown(datacenter, servers, peer, message);
  }

  /**
   * The answer of a server, as long as somebody may wait for it.
   * @throws OperationalError when it is found out not to answer: `unreachable` for a read, `outcome-unknown` for a write.
   */
  #unlessLost<T>(servers: DatacenterServers, peer: Peer, isWrite: boolean, call: Promise<T>): Promise<T> {
    const { timers, now } = this.#options;
    const askedMs = now();
    return new Promise((resolve, reject) => {
      const forget = servers.onChange(() => {
        const why = servers.lost(peer, askedMs);
        if (why !== null) reject(new OperationalError(isWrite ? "outcome-unknown" : "unreachable", why));
      });
      const doubt = (): void => {
        timer = timers.after(servers.doubt(peer) ? DOUBT_AGAIN_MS : DOUBT_MS, doubt);
      };
      let timer = timers.after(DOUBT_MS, doubt);
      call.then(resolve, reject).finally(() => {
        forget();
        timers.cancel(timer);
      });
    });
  }

  /** Consul's words, and what it does not say: which link, and what to do. */
  #unreachable(datacenter: string, error: unknown): OperationalError {
    if (
      error instanceof OperationalError &&
      error.code !== "unreachable" &&
      error.code !== "timeout" &&
      !error.isAnswer
    )
      return error;
    this.#options.asked(datacenter, false);
    return new OperationalError(
      "datacenter-unreachable",
      `Remote DC has no server currently reachable: datacenter '${datacenter}' from datacenter '${this.datacenter}': ` +
        `${(error as Error).message}. Nothing was done there. ${this.#advice(datacenter)}`,
      { cause: error },
    );
  }

  #advice(datacenter: string): string {
    const servers = this.#options.others().find(({ name }) => name === datacenter)?.servers ?? [];
    // Who is behind one address has no id here.
    return servers.some(({ peer }) => peer.id !== "")
      ? "Check that the server ports of its servers can be reached from the servers here; `members -wan` shows what is known of them"
      : "Check its address and token in remote_datacenters of the servers here, and what answers at that address";
  }

  #unknown(datacenter: string, servers: DatacenterServers, peer: Peer, why: string): OperationalError {
    this.#options.asked(datacenter, false);
    return new OperationalError(
      "outcome-unknown",
      `the link from datacenter '${this.datacenter}' to '${datacenter}' (${servers.nameOf(peer)} at ${peer.address}) ` +
        `broke before the answer: ${why.replace(`${peer.address}: `, "")}. The write may have been done there: look before you repeat it`,
    );
  }
}

/** The median round trip to servers, as Consul sorts by; infinite when nobody has measured enough of them. */
function median(servers: readonly KnownServer[]): number {
  const distances = servers.map(({ distanceMs }) => distanceMs ?? Infinity).sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? Infinity;
}
