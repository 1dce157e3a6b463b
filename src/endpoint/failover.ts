// What a server lends to the endpoint of a prepared query that found nothing: its way to other datacenters.
import type { InstanceHealth } from "../state/read.ts";
import type { PreparedQuery } from "../types/records.ts";

/** A query that found nothing where it was asked. */
export interface FailoverArgs {
  /** As it was asked, its template rendered: other datacenters need not know it. */
  readonly query: PreparedQuery;
  readonly connect: boolean;
  /** Answers from any server will do, there too. */
  readonly stale: boolean;
}

export interface FailoverResult {
  /** The datacenter whose instances these are; when there are none, the one where it was asked. */
  readonly datacenter: string;
  /** How many other datacenters were asked. */
  readonly failovers: number;
  readonly nodes: readonly InstanceHealth[];
}

/** Asks other datacenters. Never rejects: a lost link is as good as no instance. */
export type Failover = (args: FailoverArgs) => Promise<FailoverResult>;
