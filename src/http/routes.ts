// All routes of the API, area by area.
import { agentRoutes } from "./agent.ts";
import { agentCheckRoutes } from "./agent-checks.ts";
import { agentServiceRoutes } from "./agent-services.ts";
import { catalogRoutes } from "./catalog.ts";
import { healthRoutes } from "./health.ts";
import { coordinateRoutes } from "./coordinate.ts";
import { eventRoutes } from "./event.ts";
import { kvRoutes } from "./kv.ts";
import { queryRoutes } from "./query.ts";
import type { RouteRow } from "./route-table.ts";
import { sessionRoutes } from "./session.ts";
import { statusRoutes } from "./status.ts";
import { txnRoutes } from "./txn.ts";

export const routes: readonly RouteRow[] = [
  ...agentRoutes,
  ...agentServiceRoutes,
  ...agentCheckRoutes,
  ...kvRoutes,
  ...catalogRoutes,
  ...healthRoutes,
  ...sessionRoutes,
  ...txnRoutes,
  ...eventRoutes,
  ...coordinateRoutes,
  ...queryRoutes,
  ...statusRoutes,
];
