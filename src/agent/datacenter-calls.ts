// What is asked of a whole datacenter and is neither query nor command: which datacenters there are, who leads one, an event for
// all its agents, a snapshot to restore. A server answers for its own datacenter and has a server of another one answer for that; a client
// has its server do either.
import { decode, encode } from "../codec/value.ts";
import { raftConfiguration } from "../endpoint/operator.ts";
import type { PeerDoor } from "../rpc/peer-door.ts";
import type { Route } from "../rpc/route.ts";
import { OperationalError } from "../types/error.ts";
import { concat, isUtf8, text, utf8 } from "../util/bytes.ts";
import type { Server } from "../server/server.ts";
import { decodeEvent, encodeEvent, type UserEvent } from "./events.ts";
import type { DatacenterCoordinates, Wan } from "./wan.ts";

/** What it works with. */
export interface DatacenterCallsOptions {
  readonly datacenter: string;
  readonly route: Route;
  /** Null at a client. */
  readonly wan: Wan | null;
  readonly server: Server | null;
  /** Tells every agent of this datacenter. @throws OperationalError when it is too large. */
  fire(event: Omit<UserEvent, "LTime">): Promise<void>;
  /** Puts a state in place of this datacenter's. @throws OperationalError when it is damaged. */
  restore(snapshot: Uint8Array): Promise<unknown>;
}

/** The Raft group in short: addresses as `ip:port`; the leader's is "" while none is known. */
export interface GroupStatus {
  readonly leader: string;
  readonly voters: readonly string[];
}

const RESTORE_PATH = "/rpc/1/forward-restore";
const EVENT_PATH = "/rpc/1/event";
const DATACENTERS_PATH = "/rpc/1/datacenters";
const RESTORE_TIMEOUT_MS = 10 * 60_000;
const TIMEOUT_MS = 15_000;
const NAME_BYTES_MAX = 255;
const NOTHING = new Uint8Array(0);

interface Known {
  readonly names: string[];
  readonly coordinates: readonly DatacenterCoordinates[];
}

/** The paths that servers of other datacenters call. */
export const DATACENTER_CALL_PATHS: readonly string[] = [RESTORE_PATH, EVENT_PATH];

/** Such calls, both ways. */
export class DatacenterCalls {
  readonly #options: DatacenterCallsOptions;
  /** Of a client: what its server knew when it was asked last. */
  #names: readonly string[];

  constructor(options: DatacenterCallsOptions) {
    this.#options = options;
    this.#names = [options.datacenter];
  }

  /** Takes the calls of clients, and of servers of other datacenters. */
  serve(door: PeerDoor): void {
    door.serve(RESTORE_PATH, (_from, bytes) => {
      const { datacenter, body } = addressed(bytes);
      return this.restore(body.slice(), datacenter).then(() => NOTHING);
    });
    door.serve(EVENT_PATH, (_from, bytes) => {
      const { datacenter, body } = addressed(bytes);
      const event = decodeEvent(body, 0);
      if (event === null) throw new OperationalError("invalid-request", "an event between agents is malformed");
      return this.fire(event, datacenter).then(() => NOTHING);
    });
    door.serve(DATACENTERS_PATH, () => encode(this.#known()));
  }

  /** All known datacenters, this one first, then nearest first: at a client those that its server knew when last asked. */
  get names(): readonly string[] {
    return this.#options.wan?.router.datacenters() ?? this.#names;
  }

  /** The same as the servers know them now. */
  async datacenters(): Promise<readonly string[]> {
    return (await this.#ask()).names;
  }

  /** The coordinates of the servers of each known datacenter. */
  async coordinates(): Promise<readonly DatacenterCoordinates[]> {
    return (await this.#ask()).coordinates;
  }

  /** Tells every agent of a datacenter, "" for this one. @throws OperationalError when it is too large, or cannot get there. */
  async fire(event: Omit<UserEvent, "LTime">, datacenter: string): Promise<void> {
    const { fire } = this.#options;
    // Any agent can tell its own pool.
    if (this.#isOwn(datacenter)) await fire(event);
    else await this.#send(EVENT_PATH, datacenter, encodeEvent(event), TIMEOUT_MS);
  }

  /** Puts the state of a snapshot in place of a datacenter's, "" for this one. @throws OperationalError when it is damaged. */
  async restore(snapshot: Uint8Array, datacenter: string): Promise<void> {
    const { restore, wan } = this.#options;
    if (wan !== null && this.#isOwn(datacenter)) await restore(snapshot);
    else await this.#send(RESTORE_PATH, datacenter, snapshot, RESTORE_TIMEOUT_MS);
  }

  /** Who leads a datacenter and who votes there, as a server of it knows; "" for this one. */
  groupStatus(datacenter: string): GroupStatus | Promise<GroupStatus> {
    const { server, route } = this.#options;
    if (server !== null && this.#isOwn(datacenter)) {
      const { leader, raft } = server;
      const { servers } = raft.configuration;
      return {
        leader: servers.find(({ id }) => id === leader)?.address ?? "",
        voters: servers.filter(({ voter }) => voter).map(({ address }) => address),
      };
    }
    return Promise.resolve(route.local(raftConfiguration, null, datacenter)).then(({ Servers }) => ({
      leader: Servers.find(({ Leader }) => Leader)?.Address ?? "",
      voters: Servers.filter(({ Voter }) => Voter).map(({ Address }) => Address),
    }));
  }

  #isOwn(datacenter: string): boolean {
    return datacenter === "" || datacenter === this.#options.datacenter;
  }

  #known(): Known {
    const { wan } = this.#options;
    return { names: wan?.router.datacenters() ?? [], coordinates: wan?.coordinates() ?? [] };
  }

  async #ask(): Promise<Known> {
    const { wan, route } = this.#options;
    if (wan !== null) return this.#known();
    const known = decode(await route.toLeader(DATACENTERS_PATH, NOTHING, TIMEOUT_MS, noServerHere)) as Known;
    this.#names = known.names;
    return known;
  }

  #send(path: string, datacenter: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const { wan, route } = this.#options;
    const bytes = addressedTo(datacenter, body);
    return wan === null
      ? route.toLeader(path, bytes, timeoutMs, noServerHere)
      : wan.router.call(datacenter, path, bytes, timeoutMs);
  }
}

const noServerHere = (): never => {
  throw new OperationalError("no-leader", "a client agent leads nothing");
};

/** A byte of length, the datacenter's name, and the rest. */
function addressedTo(datacenter: string, body: Uint8Array): Uint8Array {
  const name = utf8(datacenter);
  // No datacenter has such a name.
  if (name.length > NAME_BYTES_MAX) throw new OperationalError("no-path-to-datacenter", "No path to datacenter");
  return concat([Uint8Array.of(name.length), name, body]);
}

/** @throws OperationalError for what no agent sends. */
function addressed(bytes: Uint8Array): { datacenter: string; body: Uint8Array } {
  const end = 1 + (bytes[0] ?? NAME_BYTES_MAX);
  const name = bytes.subarray(1, end);
  if (end > bytes.length || !isUtf8(name))
    throw new OperationalError("invalid-request", "a call between agents is malformed");
  return { datacenter: text(name), body: bytes.subarray(end) };
}
