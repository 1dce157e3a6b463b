// What a request means, apart from how it came: an endpoint is either a query, which reads the store, or a command, which
// becomes one entry of the log. Both are named, so that a request can be sent to another agent as (name, arguments).
import type { Command, CommandResult } from "../state/command.ts";
import type { Read } from "../state/read.ts";
import type { StateStore } from "../state/store.ts";
import type { Session } from "../types/records.ts";
import type { Failover } from "./failover.ts";
import type { FederationView } from "./federation.ts";
import type { ServerGroup } from "./server-group.ts";

/** Reads the replicated store. Pure: the same store and arguments give the same answer. */
export interface QueryEndpoint<A, R> {
  readonly kind: "query";
  /** Area and verb, such as `kv.get`. */
  readonly name: string;
  /** Runs on one consistent view. @throws OperationalError for arguments that cannot be answered. */
  run(state: StateStore, args: A): Read<R>;
  /**
   * Names what is asked, so that equal questions share one answer; null when this one is not worth keeping. Unequal
   * questions must have unequal keys.
   */
  key(args: A): string | null;
}

/** Changes the replicated store through the log. Runs on the leader. */
export interface CommandEndpoint<A, R> {
  readonly kind: "command";
  readonly name: string;
  /** Only the primary datacenter carries it out, whose writes are for all: `A` has the fields of `ForPrimary`. */
  readonly isForPrimary?: true;
  /**
   * Checks the arguments against the leader's store and makes the command: whatever depends on the clock or on chance is
   * decided here, once, before the log. May also answer without the log.
   * @throws OperationalError when the request is refused.
   */
  prepare(context: PrepareContext, args: A): Prepared<R>;
}

export type Prepared<R> =
  | { readonly command: Command; readonly reply: (result: CommandResult) => R }
  | { readonly answer: R | Promise<R> };

/** What the leader lends to `prepare`. */
export interface PrepareContext {
  readonly state: StateStore;
  /** The leader's clock, epoch milliseconds. */
  readonly wallMs: number;
  /** A fresh random UUID. */
  newId(): string;
  /** True while a lost lock on `key` may not be taken again (Consul's lock delay, by the leader's clock). */
  lockDelayed(key: string): boolean;
  /** Starts a session's TTL anew, by the leader's clock. */
  renewSession(session: Session): void;
  readonly datacenter: string;
  /** The servers that share the log. */
  readonly group: ServerGroup;
  /** The way to other datacenters, for prepared queries. */
  readonly failover: Failover;
  /** This datacenter's place among the others. */
  readonly federation: FederationView;
  /** Limits that the operator sets. */
  readonly sessionTtlMinMs: number;
}

/** For keys made of several parts: no part can run into the next. */
export const keyOf = (...parts: readonly (string | number | boolean | undefined)[]): string => JSON.stringify(parts);
