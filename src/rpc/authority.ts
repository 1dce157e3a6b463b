// What the door of requests (`route.ts`) needs: of a server, to answer a query and to apply a command (`server/` gives it; a
// client agent has none and sends everything on), and of the agent, where to send what is not answered here.
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import type { Forwarded } from "../endpoint/federation.ts";
import type { Read } from "../state/read.ts";
import type { Peer } from "./peer-door.ts";

/** https://developer.hashicorp.com/consul/api-docs/features/consistency */
export type Consistency = "default" | "stale" | "consistent";

export interface QueryOptions {
  readonly consistency: Consistency;
  /** Answer only once the answer is newer than this; 0 answers at once. */
  readonly index: number;
  /** How long to hold the request when nothing changes, before jitter. */
  readonly waitMs: number;
  /** Of a stale read: an answer whose server heard the leader longer ago than this is asked for anew, as a default read. */
  readonly maxStaleMs?: number;
  /** Called with a function to call when the asker has gone: the wait ends and nothing is left behind. */
  readonly onGone?: (gone: () => void) => () => void;
}

/** One answer of a query endpoint, shared by all who ask the same until something it shows changes. */
export interface SharedRead<R> {
  readonly read: Read<R>;
  /** False as soon as a change touched what was read, or the agent can no longer vouch for it. */
  fresh: boolean;
  /** Encodings of this answer, by form (such as `pretty`): made once, by whoever needs them first. */
  readonly encodings: Map<string, unknown>;
  /** The store was replaced while somebody waited (a restore): he is told, whatever the index is now. */
  readonly replaced?: boolean;
}

/** The same answer for who waited while the store was replaced. It is nobody else's, so nobody is told when it changes. */
export const asReplaced = <R>({ read }: SharedRead<R>): SharedRead<R> => ({
  read,
  fresh: false,
  encodings: new Map(),
  replaced: true,
});

export interface Answer<R> {
  readonly shared: SharedRead<R>;
  /** What `X-Consul-Index` says: never 0. */
  readonly index: number;
  readonly knownLeader: boolean;
  readonly lastContactMs: number;
  /** How it was read, when that is not how it was asked for: a stale answer was too old. */
  readonly consistency?: Consistency;
}

/** Where an agent sends what it cannot answer itself: a server to its leader, a client to the server that it uses. */
export interface Upstream {
  /** Null while there is nobody, or while this agent needs nobody. */
  readonly peer: Peer | null;
  /** Nobody need wait for an answer of it any more: another leads, or it has failed. */
  isLost(peer: Peer): boolean;
  /** A call to it got no answer. */
  failed(peer: Peer): void;
  /** It lets somebody wait for long: whether it is there still is worth a look. */
  doubt(peer: Peer): void;
  /** Calls `listener` whenever any of this may have changed, until the function given back is called. */
  onChange(listener: () => void): () => void;
  /** Resolves at the next change, or after `timeoutMs`. */
  untilChange(timeoutMs: number): Promise<void>;
}

/** A server's own store and log. */
export interface Authority {
  readonly federation: {
    /** Where commands for the primary go, and what is said to it; null when this datacenter is the primary. */
    readonly elsewhere: { readonly datacenter: string; readonly forwarded: Forwarded } | null;
  };
  /** True while answers from here are linearizable without asking anyone. */
  readonly readable: boolean;
  /** This server leads, and everything before its term is applied. */
  readonly leading: boolean;
  /** This server is its whole group. */
  readonly alone: boolean;
  /**
   * Answers from this server's store: as it is for `stale`, else once it is sure to hold all that was acknowledged before.
   * @throws OperationalError `not-leader`, `no-leader` or what calls throw when it cannot be sure: it may be asked again.
   */
  query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions): Answer<R> | Promise<Answer<R>>;
  /** What a command that only asks says here, whoever leads. */
  local<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R>;
  /** @throws OperationalError; `not-leader` when nothing was done, `outcome-unknown` when it may yet be applied. */
  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A): R | Promise<R>;
}

/** The datacenters and servers this agent knows; `agent/` gives it. */
export interface Topology {
  readonly datacenter: string;
  /** All known datacenters, nearest first, this one before all others. */
  datacenters(): string[];
}
