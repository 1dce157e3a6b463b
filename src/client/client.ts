// A typed client of Consul's HTTP API: nothing but `fetch`, so that it runs wherever JavaScript does. It speaks to Consul
// and to Proconsul alike. Every uint64 (flags, indexes) is exact: a number up to 2^53, a bigint above.
import type { AgentArea } from "./agent.ts";
import { agentArea } from "./agent.ts";
import type { CatalogArea } from "./catalog.ts";
import { catalogArea } from "./catalog.ts";
import type { ConfigArea } from "./config.ts";
import { configArea } from "./config.ts";
import type { CoordinateArea } from "./coordinate.ts";
import { coordinateArea } from "./coordinate.ts";
import type { EventArea } from "./event.ts";
import { eventArea } from "./event.ts";
import type { HealthArea } from "./health.ts";
import { healthArea } from "./health.ts";
import type { KvArea } from "./kv.ts";
import { kvArea } from "./kv.ts";
import type { OperatorArea } from "./operator.ts";
import { operatorArea } from "./operator.ts";
import type { QueryArea } from "./query.ts";
import { queryArea } from "./query.ts";
import type { SessionArea } from "./session.ts";
import { sessionArea } from "./session.ts";
import type { SnapshotArea } from "./snapshot.ts";
import { snapshotArea } from "./snapshot.ts";
import type { StatusArea } from "./status.ts";
import { statusArea } from "./status.ts";
import type { ClientOptions } from "./transport.ts";
import { Transport } from "./transport.ts";
import type { Txn } from "./txn.ts";
import { txnCall } from "./txn.ts";

/**
 * One member per area of the API. A read gives a `Read`, its value beside what the headers say, or the bare value where
 * the endpoint has no such headers. All methods reject with `ClientError`, or with the signal's reason when aborted.
 */
export interface Client {
  readonly kv: KvArea;
  readonly catalog: CatalogArea;
  readonly health: HealthArea;
  readonly agent: AgentArea;
  readonly session: SessionArea;
  readonly txn: Txn;
  readonly event: EventArea;
  readonly query: QueryArea;
  readonly config: ConfigArea;
  readonly operator: OperatorArea;
  readonly snapshot: SnapshotArea;
  readonly status: StatusArea;
  readonly coordinate: CoordinateArea;
  /** For endpoints that no area has. */
  readonly transport: Transport;
}

/** Makes a client; nothing is sent yet. */
export function createClient(options: ClientOptions = {}): Client {
  const transport = new Transport(options);
  return {
    kv: kvArea(transport),
    catalog: catalogArea(transport),
    health: healthArea(transport),
    agent: agentArea(transport),
    session: sessionArea(transport),
    txn: txnCall(transport),
    event: eventArea(transport),
    query: queryArea(transport),
    config: configArea(transport),
    operator: operatorArea(transport),
    snapshot: snapshotArea(transport),
    status: statusArea(transport),
    coordinate: coordinateArea(transport),
    transport,
  };
}
