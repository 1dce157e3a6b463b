// /v1/catalog: https://developer.hashicorp.com/consul/api-docs/catalog.
import {
  catalogDeregister,
  catalogNodes,
  catalogNodeServices,
  catalogRegister,
  catalogServiceNodes,
  catalogServices,
  tagsByService,
} from "../endpoint/catalog.ts";
import { nodeServiceShape, serviceNodeShape } from "../endpoint/shape.ts";
import type { NodeServices, ServiceInstance } from "../state/read.ts";
import { stringifyJson } from "../util/json.ts";
import { userMap } from "../util/user-map.ts";
import { checkOf, deregisterBody, registerBody, serviceOf } from "./catalog-body.ts";
import type { Context } from "./context.ts";
import { asIs, jsonEncoding } from "./json-encoding.ts";
import { narrowingOf, serviceArgs } from "./narrowing.ts";
import { TRUE, type Reply } from "./reply.ts";
import { LIST_PARAMS, type RouteRow } from "./route-table.ts";
import { instancesSeenFrom, nodeServicesSeenFrom, nodesSeenFrom, withWanAddresses } from "./wan-addresses.ts";

export const catalogRoutes: readonly RouteRow[] = [
  {
    method: "PUT",
    path: "/v1/catalog/register",
    params: [],
    permission: ["node:write", "service:write"],
    summary: "Registers a node, a service on it and checks",
    handle: register,
  },
  {
    method: "PUT",
    path: "/v1/catalog/deregister",
    params: [],
    permission: ["node:write", "service:write"],
    summary: "Removes a node, a service or a check",
    handle: deregister,
  },
  {
    method: "GET",
    path: "/v1/catalog/datacenters",
    params: [],
    permission: "none",
    summary: "Lists the known datacenters, nearest first",
    handle: async (c) => c.reply(await c.agent.calls.datacenters()),
  },
  {
    method: "GET",
    path: "/v1/catalog/nodes",
    params: LIST_PARAMS,
    permission: "node:read",
    summary: "Lists nodes",
    handle: (c) => c.read(catalogNodes, narrowingOf(c), withWanAddresses(c, asIs(c.pretty), nodesSeenFrom), CATALOG),
  },
  {
    method: "GET",
    path: "/v1/catalog/services",
    params: LIST_PARAMS,
    permission: "service:read",
    summary: "Lists service names with their tags",
    handle: (c) => c.read(catalogServices, narrowingOf(c), services(c.pretty), CATALOG),
  },
  {
    method: "GET",
    path: "/v1/catalog/service/*",
    tail: "service",
    params: ["tag", "peer", "merge-central-config", ...LIST_PARAMS],
    permission: ["node:read", "service:read"],
    summary: "Lists the instances of a service",
    handle: (c) => serviceNodes(c, false),
  },
  {
    method: "GET",
    path: "/v1/catalog/connect/*",
    tail: "service",
    params: ["tag", "peer", "merge-central-config", ...LIST_PARAMS],
    permission: ["node:read", "service:read"],
    summary: "Lists the instances through which a service can be reached in a mesh",
    handle: (c) => serviceNodes(c, true),
  },
  {
    method: "GET",
    path: "/v1/catalog/node/*",
    tail: "node",
    params: LIST_PARAMS,
    permission: ["node:read", "service:read"],
    summary: "Reads a node and its services, by service ID",
    handle: (c) =>
      c.read(
        catalogNodeServices,
        { node: c.requireTail("Missing node name"), filter: filterOf(c) },
        withWanAddresses(c, byId(c.pretty), nodeServicesSeenFrom),
        CATALOG,
      ),
  },
  {
    method: "GET",
    path: "/v1/catalog/node-services/*",
    tail: "node",
    params: ["merge-central-config", ...LIST_PARAMS],
    permission: ["node:read", "service:read"],
    summary: "Reads a node and the list of its services",
    handle: (c) =>
      c.read(
        catalogNodeServices,
        { node: c.requireTail("Missing node name"), filter: filterOf(c) },
        withWanAddresses(c, asList(c.pretty), nodeServicesSeenFrom),
        CATALOG,
      ),
  },
];

const CATALOG = { effectiveConsistency: true };

const filterOf = (c: Context): string => (c.query.text === "" ? "" : (c.query.get("filter") ?? ""));

async function register(c: Context): Promise<Reply> {
  const body = await c.json(registerBody);
  const { Node: name } = body;
  const checks = body.Check === null ? body.Checks : [...body.Checks, body.Check];
  const written = c.commandIn(body.Datacenter, catalogRegister, {
    type: "catalog.register",
    node: {
      ID: body.ID,
      Node: name,
      Address: body.Address,
      Datacenter: "",
      TaggedAddresses: body.TaggedAddresses,
      Meta: body.NodeMeta,
    },
    service: body.Service === null ? null : serviceOf(body.Service, name),
    checks: checks.map((check) => checkOf(check, check.Node === "" ? name : check.Node)),
    skipNodeUpdate: body.SkipNodeUpdate,
  });
  if (written instanceof Promise) await written;
  return TRUE;
}

async function deregister(c: Context): Promise<Reply> {
  const body = await c.json(deregisterBody);
  await c.commandIn(body.Datacenter, catalogDeregister, {
    type: "catalog.deregister",
    node: body.Node,
    serviceId: body.ServiceID,
    checkId: body.CheckID,
  });
  return TRUE;
}

function serviceNodes(c: Context, connect: boolean): Reply | Promise<Reply> {
  return c.read(
    catalogServiceNodes,
    serviceArgs(c, connect),
    withWanAddresses(c, instances(c.pretty), instancesSeenFrom),
    CATALOG,
  );
}

const services = jsonEncoding<ReadonlyMap<string, readonly string[]>>("services", (value, pretty) =>
  stringifyJson(tagsByService(value), pretty),
);

const instances = jsonEncoding<readonly ServiceInstance[]>("instances", (value, pretty) =>
  stringifyJson(value.map(serviceNodeShape), pretty),
);

const byId = jsonEncoding<NodeServices | null>("node-by-id", (value, pretty) => {
  if (value === null) return "null";
  const Services = userMap<unknown>();
  for (const service of value.Services) Services[service.ID] = nodeServiceShape(service);
  return stringifyJson({ Node: value.Node, Services }, pretty);
});

const asList = jsonEncoding<NodeServices | null>("node-as-list", (value, pretty) =>
  stringifyJson(
    value === null
      ? { Node: null, Services: null }
      : { Node: value.Node, Services: value.Services.map(nodeServiceShape) },
    pretty,
  ),
);
