// Every endpoint by its name: what a request from another agent may ask for, and what /v1/internal/rpc/methods lists.
import * as catalog from "./catalog.ts";
import * as configEntry from "./config-entry.ts";
import * as coordinate from "./coordinate.ts";
import type { CommandEndpoint, QueryEndpoint } from "./endpoint.ts";
import * as health from "./health.ts";
import * as kv from "./kv.ts";
import * as operator from "./operator.ts";
import * as query from "./query.ts";
import * as session from "./session.ts";
import * as txn from "./txn.ts";
import * as ui from "./ui.ts";
import * as uiMesh from "./ui-mesh.ts";

/** An endpoint whose arguments are checked by whoever has its name. */
export type Endpoint = CommandEndpoint<never, unknown> | QueryEndpoint<never, unknown>;

const areas: readonly object[] = [
  catalog,
  configEntry,
  coordinate,
  health,
  kv,
  operator,
  query,
  session,
  txn,
  ui,
  uiMesh,
];

function isEndpoint(value: unknown): value is Endpoint {
  return typeof value === "object" && value !== null && "kind" in value && "name" in value;
}

export const endpoints: ReadonlyMap<string, Endpoint> = new Map(
  areas
    .flatMap((area) => Object.values(area))
    .filter(isEndpoint)
    .map((endpoint) => [endpoint.name, endpoint] as const),
);
