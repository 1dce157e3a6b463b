// Where a prepared query looks when its own datacenter has no instance that fits:
// https://developer.hashicorp.com/consul/docs/manage-traffic/failover/prepared-query. A server walks the datacenters that the
// query names, and each answers for itself; who walks, and how long he waits, is the agent's (`agent/prepared-queries.ts`).
import type { InstanceHealth } from "../state/read.ts";
import type { PreparedQuery } from "../types/records.ts";
import type { CommandEndpoint, Prepared, QueryEndpoint } from "./endpoint.ts";
import type { FailoverArgs, FailoverResult } from "./failover.ts";
import { instancesFor } from "./query.ts";

/** Looks in other datacenters. */
export const queryFailover: CommandEndpoint<FailoverArgs, FailoverResult> = {
  kind: "command",
  name: "query.failover",
  prepare: ({ failover }, args): Prepared<FailoverResult> => ({ answer: failover(args) }),
};

/** What this datacenter has for a query of another one. Nobody has shuffled it, and no distance counts. */
export const queryExecuteElsewhere: QueryEndpoint<Omit<FailoverArgs, "stale">, readonly InstanceHealth[]> = {
  kind: "query",
  name: "query.execute-elsewhere",
  run: (state, { query, connect }) => instancesFor(state, query, connect),
  key: () => null,
};

type FailoverRule = PreparedQuery["Service"]["Failover"];

/** True when a query has anywhere else to look. */
export const hasFailover = ({ NearestN, Datacenters, Targets }: FailoverRule): boolean =>
  NearestN > 0 || (Datacenters?.length ?? 0) > 0 || (Targets?.length ?? 0) > 0;

/**
 * The datacenters to ask, in order: the nearest ones, then the named ones, each once. Unknown names are left out, as Consul
 * does; so are peers, of which there are none.
 * @param own where the query is asked.
 * @param known all known datacenters, nearest first.
 */
export function failoverOrder(
  { NearestN, Datacenters, Targets }: FailoverRule,
  own: string,
  known: readonly string[],
): string[] {
  const others = known.filter((name) => name !== own);
  const named = [...(Datacenters ?? []), ...(Targets ?? []).map(({ Datacenter }) => Datacenter)];
  const wanted = [...others.slice(0, NearestN), ...named];
  return [...new Set(wanted)].filter((name) => others.includes(name));
}
