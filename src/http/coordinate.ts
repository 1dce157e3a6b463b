// /v1/coordinate: https://developer.hashicorp.com/consul/api-docs/coordinate.
import { coordinateNode, coordinateNodes, coordinateUpdate } from "../endpoint/coordinate.ts";
import type { NodeCoordinate } from "../types/records.ts";
import { float, list, object, string } from "../util/decode.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { jsonEncoding } from "./json-encoding.ts";
import { emptyReply, type Reply } from "./reply.ts";
import { READ_PARAMS, type RouteRow } from "./route-table.ts";

export const coordinateRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/coordinate/datacenters",
    params: [],
    permission: "none",
    summary: "The coordinates of the servers of each known datacenter",
    handle: async (c) => c.reply(await c.agent.calls.coordinates()),
  },
  {
    method: "GET",
    path: "/v1/coordinate/nodes",
    params: ["segment", ...READ_PARAMS],
    permission: "node:read",
    summary: "The coordinates of all nodes",
    handle: (c) => c.readJson(coordinateNodes, c.query.get("segment") ?? ""),
  },
  {
    method: "GET",
    path: "/v1/coordinate/node/*",
    tail: "node",
    params: ["segment", ...READ_PARAMS],
    permission: "node:read",
    summary: "The coordinates of a node",
    handle: (c) => c.read(coordinateNode, c.requireTail("Missing node name"), ofNode(c.pretty)),
  },
  {
    method: "PUT",
    path: "/v1/coordinate/update",
    params: [],
    permission: "node:write",
    summary: "Sets a node's coordinate",
    handle: update,
  },
];

const ofNode = jsonEncoding<readonly NodeCoordinate[]>("coordinates", stringifyJson, (value) => value.length === 0);

const body = object({
  Node: string,
  Segment: string,
  Coord: object({ Vec: list(float), Error: float, Adjustment: float, Height: float }),
});

async function update(c: Context): Promise<Reply> {
  await c.command(coordinateUpdate, [await c.json(body)]);
  return emptyReply();
}
