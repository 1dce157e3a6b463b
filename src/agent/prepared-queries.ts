// Prepared queries across datacenters: a query is run in the datacenter where it is asked; when that has nothing that fits, one of
// its servers asks the datacenters that the query names, one after the other. A link that hangs costs a moment, not the
// answer: the next one is asked meanwhile, and the first that has instances is it.
import type { Failover, FailoverResult } from "../endpoint/failover.ts";
import { type ExecuteArgs, queryExecute, type QueryExecution } from "../endpoint/query.ts";
import { failoverOrder, hasFailover, queryExecuteElsewhere, queryFailover } from "../endpoint/query-failover.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Answer, QueryOptions } from "../rpc/authority.ts";
import type { Route } from "../rpc/route.ts";
import type { Router } from "../rpc/router.ts";
import type { InstanceHealth } from "../state/read.ts";
import type { Logger } from "./logs.ts";

/** How long a datacenter is waited for before the next one is asked as well. */
const HEAD_START_MS = 500;
/** How long all of them are waited for: those who ask by DNS do not wait longer. */
const LIMIT_MS = 4000;

/**
 * Runs a query in a datacenter, "" for this agent's own, and elsewhere when there is nothing.
 * @throws OperationalError as `Route.query` does.
 */
export function executeQuery(
  route: Route,
  args: ExecuteArgs,
  options: QueryOptions,
  datacenter: string,
): Answer<QueryExecution> | Promise<Answer<QueryExecution>> {
  const failedOver = (answer: Answer<QueryExecution>): Answer<QueryExecution> | Promise<Answer<QueryExecution>> => {
    const execution = answer.shared.read.value;
    const { query, nodes } = execution;
    if (nodes.length > 0 || !hasFailover(query.Service.Failover)) return answer;
    const stale = options.consistency === "stale";
    const result = route.local(queryFailover, { query, connect: args.connect, stale }, datacenter);
    return Promise.resolve(result).then((found) => withResult(answer, execution, found));
  };
  const answer = route.query(queryExecute, args, options, datacenter);
  return answer instanceof Promise ? answer.then(failedOver) : failedOver(answer);
}

/** The same answer with what another datacenter had. Nobody here is told when that changes. */
function withResult(
  answer: Answer<QueryExecution>,
  execution: QueryExecution,
  { nodes, datacenter, failovers }: FailoverResult,
): Answer<QueryExecution> {
  const value: QueryExecution = { ...execution, nodes, sorted: false, elsewhere: { datacenter, failovers } };
  const { shared } = answer;
  return { ...answer, shared: { read: { ...shared.read, value }, fresh: false, encodings: new Map() } };
}

/** What it works with. */
export interface FailoverOptions {
  /** The way to other datacenters. */
  readonly router: Pick<Router, "datacenter" | "datacenters" | "isSilent" | "query">;
  readonly timers: Timers;
  readonly logger: Pick<Logger, "warn">;
}

/** A server's way to other datacenters. */
export function failoverOf({ router, timers, logger }: FailoverOptions): Failover {
  return ({ query, connect, stale }) => {
    const own = router.datacenter;
    const order = failoverOrder(query.Service.Failover, own, router.datacenters());
    const options: QueryOptions = { consistency: stale ? "stale" : "default", index: 0, waitMs: 0 };
    const ask = async (datacenter: string): Promise<readonly InstanceHealth[]> => {
      try {
        const answer = await router.query(datacenter, queryExecuteElsewhere, { query, connect }, options, 0);
        return answer.shared.read.value;
      } catch (error) {
        logger.warn("a prepared query could not be run in another datacenter", { name: query.Name, datacenter, error });
        return [];
      }
    };
    return firstFound({ router, timers, order, ask });
  };
}

/** A walk through datacenters. */
interface Walk extends Pick<FailoverOptions, "router" | "timers"> {
  readonly order: readonly string[];
  ask(datacenter: string): Promise<readonly InstanceHealth[]>;
}

/**
 * Asks in this order, each with a head start before the next, which one that was silent before does not get; whoever first has
 * instances gives the answer.
 */
function firstFound({ router, timers, order, ask }: Walk): Promise<FailoverResult> {
  const own = router.datacenter;
  return new Promise((resolve) => {
    let asked = 0;
    let open = 0;
    let isDone = false;
    let headStart: Timer | null = null;
    const end = (datacenter: string, nodes: readonly InstanceHealth[]): void => {
      isDone = true;
      timers.cancel(headStart);
      timers.cancel(limit);
      resolve({ datacenter, failovers: asked, nodes });
    };
    const next = (): void => {
      timers.cancel(headStart);
      const datacenter = order[asked];
      if (datacenter === undefined) {
        if (open === 0) end(own, []);
        return;
      }
      asked += 1;
      open += 1;
      headStart = timers.after(router.isSilent(datacenter) ? 0 : HEAD_START_MS, next);
      void ask(datacenter).then((nodes) => {
        open -= 1;
        if (isDone) return;
        if (nodes.length > 0) end(datacenter, nodes);
        else next();
      });
    };
    const limit = timers.after(LIMIT_MS, () => end(own, []));
    next();
  });
}
