// The client with all that an operator asks too, which is what the command line uses: the areas of `edge.ts` and those below.
import type { AgentArea } from "./agent.ts";
import type { AgentAdminArea } from "./agent-admin.ts";
import { agentAdminArea } from "./agent-admin.ts";
import type { ConfigArea } from "./config.ts";
import { configArea } from "./config.ts";
import type { CoordinateArea } from "./coordinate.ts";
import { coordinateArea } from "./coordinate.ts";
import type { ClientOptions, Client as EdgeClient } from "./edge.ts";
import { createClient as createEdgeClient } from "./edge.ts";
import type { EventArea } from "./event.ts";
import { eventArea } from "./event.ts";
import type { OperatorArea } from "./operator.ts";
import { operatorArea } from "./operator.ts";
import type { QueryArea } from "./query.ts";
import type { QueryAdminArea } from "./query-admin.ts";
import { queryAdminArea } from "./query-admin.ts";
import type { SnapshotArea } from "./snapshot.ts";
import { snapshotArea } from "./snapshot.ts";

/** One member per area of the API. */
export interface Client extends EdgeClient {
  readonly agent: AgentArea & AgentAdminArea;
  readonly query: QueryArea & QueryAdminArea;
  readonly event: EventArea;
  readonly config: ConfigArea;
  readonly operator: OperatorArea;
  readonly snapshot: SnapshotArea;
  readonly coordinate: CoordinateArea;
}

/** Makes a client; nothing is sent yet, and nothing runs. */
export function createClient(options: ClientOptions = {}): Client {
  const client = createEdgeClient(options);
  const { transport } = client;
  return {
    ...client,
    agent: { ...client.agent, ...agentAdminArea(transport) },
    query: { ...client.query, ...queryAdminArea(transport) },
    event: eventArea(transport),
    config: configArea(transport),
    operator: operatorArea(transport),
    snapshot: snapshotArea(transport),
    coordinate: coordinateArea(transport),
  };
}
