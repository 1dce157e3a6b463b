// /v1/query: https://developer.hashicorp.com/consul/api-docs/query.
import {
  queryCreate,
  queryDelete,
  type QueryDraft,
  type QueryExecution,
  queryExplain,
  queryGet,
  queryList,
  queryUpdate,
} from "../endpoint/query.ts";
import { executeQuery } from "../agent/prepared-queries.ts";
import { healthShape } from "../endpoint/health.ts";
import { OperationalError } from "../types/error.ts";
import type { PreparedQuery } from "../types/records.ts";
import { bool, type Decoded, int, list, map, nullable, object, raw, string } from "../util/decode.ts";
import { stringifyJson } from "../util/json.ts";
import { shuffled } from "../util/shuffle.ts";
import type { Context } from "./context.ts";
import { jsonEncoding } from "./json-encoding.ts";
import { emptyReply, jsonReply, type Reply } from "./reply.ts";
import { READ_PARAMS, type RouteRow } from "./route-table.ts";
import { instancesSeenFrom, withWanAddresses } from "./wan-addresses.ts";

const CATALOG = { effectiveConsistency: true };

export const queryRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/query",
    params: READ_PARAMS,
    permission: "query:read",
    summary: "Lists prepared queries",
    handle: (c) => c.readJson(queryList, null, CATALOG),
  },
  {
    method: "POST",
    path: "/v1/query",
    params: [],
    permission: "query:write",
    summary: "Creates a prepared query",
    handle: create,
  },
  {
    method: "GET",
    path: "/v1/query/*",
    tail: "query",
    params: ["near", "limit", "connect", ...READ_PARAMS],
    permission: "query:read",
    summary: "Reads a prepared query, or runs (/execute) or renders it (/explain)",
    handle: get,
  },
  {
    method: "PUT",
    path: "/v1/query/*",
    tail: "query",
    params: [],
    permission: "query:write",
    summary: "Replaces a prepared query",
    handle: update,
  },
  {
    method: "DELETE",
    path: "/v1/query/*",
    tail: "query",
    params: [],
    permission: "query:write",
    summary: "Deletes a prepared query",
    handle: remove,
  },
];

const queryBody = object({
  ID: string,
  Name: string,
  Session: string,
  Token: string,
  Template: object({ Type: string, Regexp: string, RemoveEmptyTags: bool }),
  Service: object({
    Service: string,
    SamenessGroup: string,
    Failover: object({
      NearestN: int,
      Datacenters: nullable(list(string)),
      Targets: nullable(list(object({ Peer: string, Datacenter: string }))),
    }),
    OnlyPassing: bool,
    IgnoreCheckIDs: nullable(list(string)),
    Near: string,
    Tags: nullable(list(string)),
    NodeMeta: nullable(map(string)),
    ServiceMeta: nullable(map(string)),
    Connect: bool,
    Peer: string,
  }),
  DNS: object({ TTL: string }),
  CreateIndex: raw,
  ModifyIndex: raw,
});

function draftOf({ CreateIndex: _created, ModifyIndex: _modified, ...draft }: Decoded<typeof queryBody>): QueryDraft {
  return draft;
}

async function create(c: Context): Promise<Reply> {
  const draft = draftOf(await c.json(queryBody));
  return c.reply({ ID: await c.command(queryCreate, draft) });
}

async function update(c: Context): Promise<Reply> {
  const draft = draftOf(await c.json(queryBody));
  await c.command(queryUpdate, { ...draft, ID: c.tail });
  return emptyReply();
}

async function remove(c: Context): Promise<Reply> {
  await c.command(queryDelete, c.tail);
  return emptyReply();
}

const EXECUTE = "/execute";
const EXPLAIN = "/explain";

function get(c: Context): Reply | Promise<Reply> {
  const { tail } = c;
  if (tail.endsWith(EXECUTE)) return execute(c, tail.slice(0, -EXECUTE.length));
  if (tail.endsWith(EXPLAIN)) return c.read(queryExplain, tail.slice(0, -EXPLAIN.length), explained(c.pretty), CATALOG);
  return c.readJson(queryGet, tail, CATALOG);
}

/** What these two answers repeat of their headers. */
const META = {
  Index: 1,
  LastContact: 0,
  KnownLeader: true,
  ConsistencyLevel: "leader",
  NotModified: false,
  Backend: 0,
  ResultsFilteredByACLs: false,
};

const explained = jsonEncoding<PreparedQuery>("explained", (Query, pretty) =>
  stringifyJson({ Query, ...META }, pretty),
);

function execute(c: Context, idOrName: string): Reply | Promise<Reply> {
  const limit = limitOf(c);
  const connect = boolOf(c, "connect");
  const args = { idOrName, near: c.query.get("near") ?? "", agent: c.agent.config.nodeName, connect };
  // Every answer is shuffled anew, so none is kept; the instances it is made from are.
  return c.readFrom(
    (options) => executeQuery(c.agent.route, args, options, c.datacenter),
    withWanAddresses<QueryExecution>(
      c,
      {
        form: "",
        encode: (execution, headers) => jsonReply(stringifyJson(executed(c, execution, limit), c.pretty), headers),
      },
      (execution, datacenter) => ({ ...execution, nodes: instancesSeenFrom(execution.nodes, datacenter) }),
    ),
    { ...CATALOG, shared: false },
  );
}

function executed(c: Context, { query, nodes, sorted, elsewhere }: QueryExecution, limit: number): unknown {
  const order = sorted ? [...nodes] : shuffled(nodes, c.agent.random);
  const shown = limit > 0 ? order.slice(0, limit) : order;
  return {
    Service: query.Service.Service,
    Nodes: shown.map(healthShape),
    DNS: query.DNS,
    Datacenter: elsewhere?.datacenter ?? (c.datacenter === "" ? c.agent.datacenter : c.datacenter),
    PeerName: "",
    Failovers: elsewhere?.failovers ?? 0,
    ...META,
  };
}

function limitOf(c: Context): number {
  const limit = c.query.get("limit");
  if (limit === null || limit === "") return 0;
  if (!/^\d{1,9}$/.test(limit))
    throw new OperationalError("refused", `Bad limit: strconv.Atoi: parsing ${JSON.stringify(limit)}: invalid syntax`);
  return Number(limit);
}

function boolOf(c: Context, name: string): boolean {
  const value = c.query.get(name);
  if (value === null) return false;
  if (/^(1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw new OperationalError(
    "refused",
    `Error parsing '${name}' value: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}
