// All routes of the API, area by area.
import { aclRoutes } from "./acl.ts";
import { agentRoutes } from "./agent.ts";
import { agentCheckRoutes } from "./agent-checks.ts";
import { agentServiceRoutes } from "./agent-services.ts";
import { catalogRoutes } from "./catalog.ts";
import { configRoutes } from "./config.ts";
import { federationRoutes } from "./federation.ts";
import { healthRoutes } from "./health.ts";
import { coordinateRoutes } from "./coordinate.ts";
import { eventRoutes } from "./event.ts";
import { internalRoutes } from "./internal.ts";
import { kvRoutes } from "./kv.ts";
import { meshRoutes } from "./mesh.ts";
import { operatorRoutes } from "./operator.ts";
import { metricsRoutes } from "./metrics.ts";
import { queryRoutes } from "./query.ts";
import type { RouteRow } from "./route-table.ts";
import { sessionRoutes } from "./session.ts";
import { snapshotRoutes } from "./snapshot.ts";
import { statusRoutes } from "./status.ts";
import { txnRoutes } from "./txn.ts";

export const routes: readonly RouteRow[] = [
  ...agentRoutes,
  ...agentServiceRoutes,
  ...agentCheckRoutes,
  ...metricsRoutes,
  ...kvRoutes,
  ...catalogRoutes,
  ...healthRoutes,
  ...sessionRoutes,
  ...txnRoutes,
  ...eventRoutes,
  ...coordinateRoutes,
  ...queryRoutes,
  ...statusRoutes,
  ...configRoutes,
  ...operatorRoutes,
  ...federationRoutes,
  ...snapshotRoutes,
  ...internalRoutes,
  ...aclRoutes,
  ...meshRoutes,
];
