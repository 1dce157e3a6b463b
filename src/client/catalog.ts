// The catalog of nodes and services: https://developer.hashicorp.com/consul/api-docs/catalog
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type {
  CatalogDeregistration,
  CatalogNode,
  CatalogNodeServices,
  CatalogRegistration,
  CatalogService,
  Node,
  UserMap,
} from "./types.ts";

/** Nodes and services as they are registered. */
export interface CatalogArea {
  /** Nearest first. */
  datacenters(options?: ReadOptions): Promise<Read<string[]>>;
  nodes(options?: ReadOptions): Promise<Read<Node[]>>;
  /** Names, each with the tags that any of its instances has. */
  services(options?: ReadOptions): Promise<Read<UserMap<string[]>>>;
  /** Instances, with all of `tag` when given. */
  service(name: string, options?: ReadOptions & { tag?: string | readonly string[] }): Promise<Read<CatalogService[]>>;
  /** Null when there is no such node. */
  node(node: string, options?: ReadOptions): Promise<Read<CatalogNode | null>>;
  nodeServices(node: string, options?: ReadOptions): Promise<Read<CatalogNodeServices | null>>;
  register(registration: CatalogRegistration, options?: RequestOptions): Promise<boolean>;
  /** A node with all it has, or one service, or one check. */
  deregister(deregistration: CatalogDeregistration, options?: RequestOptions): Promise<boolean>;
}

/** The area's methods on a transport. */
export function catalogArea(transport: Transport): CatalogArea {
  return {
    datacenters: (options) => transport.read("catalog/datacenters", options),
    nodes: (options) => transport.read("catalog/nodes", options),
    services: (options) => transport.read("catalog/services", options),
    service: (name, options) => transport.read(`catalog/service/${segment(name)}`, options, { tag: options?.tag }),
    node: (node, options) => transport.read(`catalog/node/${segment(node)}`, options),
    nodeServices: (node, options) => transport.read(`catalog/node-services/${segment(node)}`, options),
    register: (registration, options) => transport.write("PUT", "catalog/register", options, {}, registration),
    deregister: (deregistration, options) => transport.write("PUT", "catalog/deregister", options, {}, deregistration),
  };
}
