// /v1/internal: what Consul's web page and its tools ask, by a contract that no document describes.
import { endpoints } from "../endpoint/registry.ts";
import {
  type CatalogOverview,
  type ListedService,
  type NodeInfo,
  nodeInfoShape,
  uiCatalogOverview,
  uiNode,
  uiNodes,
  uiServices,
} from "../endpoint/ui.ts";
import {
  type GatewayServices,
  type ServiceTopology,
  uiGatewayIntentions,
  uiGatewayServices,
  uiServiceTopology,
} from "../endpoint/ui-mesh.ts";
import { summaryShape } from "../endpoint/ui-summary.ts";
import { OperationalError } from "../types/error.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { type Encoding, jsonEncoding } from "./json-encoding.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { READ_PARAMS, type RouteRow } from "./route-table.ts";

export const internalRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/internal/ui/nodes",
    params: ["filter", ...READ_PARAMS],
    permission: ["node:read", "service:read"],
    summary: "Lists nodes with their services and checks",
    handle: (c) => c.read(uiNodes, filterOf(c), nodes(c.pretty)),
  },
  {
    method: "GET",
    path: "/v1/internal/ui/node/*",
    tail: "node",
    params: ["peer", ...READ_PARAMS],
    permission: ["node:read", "service:read"],
    summary: "Reads a node with its services and checks",
    handle: (c) => c.read(uiNode, c.requireTail("Missing node name"), node(c.pretty)),
  },
  {
    method: "GET",
    path: "/v1/internal/ui/services",
    params: ["filter", "peer", ...READ_PARAMS],
    permission: "service:read",
    summary: "Lists services with counts of their checks",
    handle: (c) => c.read(uiServices, filterOf(c), services(c.pretty)),
  },
  {
    method: "GET",
    path: "/v1/internal/ui/catalog-overview",
    params: READ_PARAMS,
    permission: "operator:read",
    summary: "Counts nodes, instances and checks by their health",
    handle: overview,
  },
  {
    method: "GET",
    path: "/v1/internal/ui/exported-services",
    params: ["peer"],
    permission: "service:read",
    summary: "Lists the services exported to a peer: none, as there are no peers",
    handle: (c) => c.reply([]),
  },
  {
    method: "GET",
    path: "/v1/internal/ui/gateway-services-nodes/*",
    tail: "gateway",
    params: READ_PARAMS,
    permission: "service:read",
    summary: "Lists the services of a gateway",
    handle: (c) => c.read(uiGatewayServices, c.requireTail("Missing gateway name"), gatewayServices(c)),
  },
  {
    method: "GET",
    path: "/v1/internal/ui/gateway-intentions/*",
    tail: "gateway",
    params: READ_PARAMS,
    permission: "service:read",
    summary: "Lists the intentions about the services of a gateway",
    handle: (c) => c.readJson(uiGatewayIntentions, c.requireTail("Missing gateway name")),
  },
  {
    method: "GET",
    path: "/v1/internal/ui/service-topology/*",
    tail: "service",
    params: ["kind", ...READ_PARAMS],
    permission: "service:read",
    summary: "Lists what a service's proxies reach, and who reaches it",
    handle: serviceTopology,
  },
  {
    method: "GET",
    path: "/v1/internal/ui/metrics-proxy/*",
    tail: "path",
    params: [],
    permission: ["node:read", "service:read"],
    summary: "Passes queries on to a metrics server, for the web page, which this build does not have",
    handle: () => {
      throw new OperationalError("not-found", "UI is not enabled");
    },
  },
  {
    method: "GET",
    path: "/v1/internal/rpc/methods",
    params: [],
    permission: "operator:read",
    summary: "Lists what agents can ask of servers",
    handle: (c) => c.reply([...endpoints.keys()].sort()),
  },
  {
    method: "GET",
    path: "/v1/internal/federation-states",
    params: READ_PARAMS,
    permission: "operator:read",
    summary: "Lists the states of federation through mesh gateways: none, as there is no mesh",
    handle: (c) => c.reply([]),
  },
  {
    method: "GET",
    path: "/v1/internal/federation-states/mesh-gateways",
    params: READ_PARAMS,
    permission: "operator:read",
    summary: "Lists the mesh gateways of each datacenter: none, as there is no mesh",
    handle: (c) => c.reply({}),
  },
  {
    method: "GET",
    path: "/v1/internal/federation-state/*",
    tail: "datacenter",
    params: READ_PARAMS,
    permission: "operator:read",
    summary: "Reads the state of federation of a datacenter: never there, as there is no mesh",
    handle: (c) => {
      const datacenter = c.requireTail("Missing datacenter name");
      throw new OperationalError(
        "not-found",
        `Federation state not found for datacenter ${JSON.stringify(datacenter)}`,
      );
    },
  },
];

const filterOf = (c: Context): string => c.query.get("filter") ?? "";

const nodes = jsonEncoding<readonly NodeInfo[]>("ui-nodes", (list, pretty) =>
  stringifyJson(list.map(nodeInfoShape), pretty),
);
const node = jsonEncoding<NodeInfo | null>(
  "ui-node",
  (info, pretty) => stringifyJson(nodeInfoShape(info as NodeInfo), pretty),
  (info) => info === null,
);
const services = jsonEncoding<readonly ListedService[]>("ui-services", (list, pretty) =>
  stringifyJson(list.map(summaryShape), pretty),
);

async function overview(c: Context): Promise<Reply> {
  const answer = await c.agent.route.query(uiCatalogOverview, null, c.queryOptions(), c.datacenter);
  const value: CatalogOverview = answer.shared.read.value;
  return c.reply(value);
}

function serviceTopology(c: Context): Reply | Promise<Reply> {
  const service = c.requireTail("Missing service name");
  const kind = c.query.get("kind");
  if (kind === null) throw new OperationalError("invalid-request", "Missing service kind");
  if (kind !== "" && kind !== "ingress-gateway")
    throw new OperationalError("invalid-request", `Unsupported service kind ${JSON.stringify(kind)}`);
  return c.read(uiServiceTopology, service, topology(c.pretty));
}

const topology = jsonEncoding<ServiceTopology>("topology", (value, pretty) =>
  stringifyJson(
    { ...value, Upstreams: value.Upstreams.map(summaryShape), Downstreams: value.Downstreams.map(summaryShape) },
    pretty,
  ),
);

/** The services with the addresses under which an ingress gateway offers them. */
function gatewayServices(c: Context): Encoding<GatewayServices> {
  const { config, datacenter } = c.agent;
  const domains = [config.domain, config.altDomain].filter((domain) => domain !== "");
  return {
    form: `gateway-services:${c.pretty}`,
    encode({ links, services: list }, headers) {
      const shown = list.map((summary) => {
        const Addresses = links
          .filter(({ service, port }) => service === summary.Name && port > 0)
          .flatMap(({ hosts, port }) => {
            const names =
              hosts.length > 0
                ? hosts
                : domains.map((domain) => `${summary.Name}.ingress.${datacenter}.${domain.replace(/\.$/, "")}.`);
            return names.map((name) => `${name}:${port}`);
          });
        return summaryShape(
          Addresses.length === 0 ? summary : { ...summary, GatewayConfig: { ...summary.GatewayConfig, Addresses } },
        );
      });
      return jsonReply(stringifyJson(shown, c.pretty), headers);
    },
  };
}
