// All endpoints by name, so that a request can be sent to another agent as (name, arguments). Values that are more than
// plain data say here how they become it.
import type { Usage } from "../state/read.ts";
import * as catalog from "./catalog.ts";
import * as configEntry from "./config-entry.ts";
import * as coordinate from "./coordinate.ts";
import type { CommandEndpoint, QueryEndpoint } from "./endpoint.ts";
import * as federation from "./federation.ts";
import * as health from "./health.ts";
import * as kv from "./kv.ts";
import * as kvFeed from "./kv-feed.ts";
import * as operator from "./operator.ts";
import * as query from "./query.ts";
import * as queryFailover from "./query-failover.ts";
import * as session from "./session.ts";
import * as txn from "./txn.ts";
import * as ui from "./ui.ts";
import * as uiMesh from "./ui-mesh.ts";

/** An endpoint of whatever arguments and value. */
export type AnyEndpoint = QueryEndpoint<never, unknown> | CommandEndpoint<never, unknown>;

/** How an endpoint's value becomes plain data and comes back from it. */
export interface ValueForm {
  pack(value: unknown): unknown;
  unpack(packed: unknown): unknown;
}

const isEndpoint = (value: unknown): value is AnyEndpoint =>
  typeof value === "object" && value !== null && "kind" in value && "name" in value;

const areas: readonly object[] = [
  catalog,
  configEntry,
  coordinate,
  federation,
  health,
  kv,
  kvFeed,
  operator,
  query,
  queryFailover,
  session,
  txn,
  ui,
  uiMesh,
];

/** Every endpoint, by its name. */
export const endpoints: ReadonlyMap<string, AnyEndpoint> = new Map(
  areas
    .flatMap((area) => Object.values(area) as unknown[])
    .filter(isEndpoint)
    .map((endpoint) => [endpoint.name, endpoint]),
);

type Rows = (readonly [string, unknown])[];
const rows = (map: ReadonlyMap<string, unknown>): Rows => [...map];

const forms: ReadonlyMap<string, ValueForm> = new Map<string, ValueForm>([
  [
    catalog.catalogServices.name,
    { pack: (value) => rows(value as ReadonlyMap<string, unknown>), unpack: (packed) => new Map(packed as Rows) },
  ],
  [
    operator.operatorUsage.name,
    {
      pack: (value) => {
        const { connectServiceInstances, configEntries, ...counts } = value as Usage;
        return {
          ...counts,
          connectServiceInstances: rows(connectServiceInstances),
          configEntries: rows(configEntries),
        };
      },
      unpack: (packed) => {
        const usage = packed as Omit<Usage, "connectServiceInstances" | "configEntries"> &
          Record<"connectServiceInstances" | "configEntries", Rows>;
        return {
          ...usage,
          connectServiceInstances: new Map(usage.connectServiceInstances),
          configEntries: new Map(usage.configEntries),
        };
      },
    },
  ],
]);

const asIs: ValueForm = { pack: (value) => value, unpack: (packed) => packed };

/** The form of an endpoint's value; most are plain data already. */
export const valueForm = (name: string): ValueForm => forms.get(name) ?? asIs;
