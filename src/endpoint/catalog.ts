// The catalog: https://developer.hashicorp.com/consul/api-docs/catalog.
import { nodeFields, nodeServiceFields, serviceNodeFields } from "../filter/fields.ts";
import { compileFilter } from "../filter/filter.ts";
import type { CatalogDeregister, CatalogRegister } from "../state/command.ts";
import type { NodeServices, Read, ServiceInstance } from "../state/read.ts";
import { OperationalError } from "../types/error.ts";
import type { Node, NodeService } from "../types/records.ts";
import { isUuid } from "../util/bytes.ts";
import { userMap } from "../util/user-map.ts";
import { type CommandEndpoint, keyOf, type Prepared, type QueryEndpoint } from "./endpoint.ts";
import { hasMeta, type Narrowing, narrowed, narrowingKey } from "./narrowing.ts";
import { serviceNodeShape, nodeServiceShape } from "./shape.ts";

/** Registers a node with a service and checks. */
export const catalogRegister: CommandEndpoint<CatalogRegister, true> = {
  kind: "command",
  name: "catalog.register",
  prepare(context, request): Prepared<true> {
    const { node, service } = request;
    checkNode(node.Node, node.ID);
    if (node.Address === "" && !request.skipNodeUpdate)
      throw refused("Must provide address if SkipNodeUpdate is not set");
    if (service !== null) checkService(service.ID, service.Service, service.Address);
    const command: CatalogRegister = {
      ...request,
      node: { ...node, Datacenter: context.datacenter },
      service: service === null || service.ID !== "" ? service : { ...service, ID: service.Service },
    };
    return {
      command,
      reply(result) {
        if (!result.ok) throw refused(result.error.message);
        return true;
      },
    };
  },
};

/** @throws OperationalError with Consul's words for a node without a name or with an ID that is no UUID. */
export function checkNode(name: string, id: string): void {
  if (name === "") throw refused("Must provide node");
  if (id !== "" && !isUuid(id)) throw refused(`Bad node ID: '${id}' is not a UUID`);
}

/** @throws OperationalError with Consul's words for a service without a name or with an address that names no host. */
export function checkService(id: string, name: string, address: string): void {
  if (id === "" && name === "")
    throw refused(
      "service name (Service.Service) is required; both Service ID (Service.ID) and Service Name cannot be empty",
    );
  if (name === "") throw refused("Must provide service name (Service.Service) when service ID is provided");
  if (address === "0.0.0.0" || address === "::" || address === "[::]") throw refused("Invalid service address");
}

const refused = (message: string): OperationalError => new OperationalError("refused", message);

/** Removes a node, a service or a check; what is not there is no error. */
export const catalogDeregister: CommandEndpoint<CatalogDeregister, true> = {
  kind: "command",
  name: "catalog.deregister",
  prepare(_context, request): Prepared<true> {
    if (request.node === "") throw refused("Must provide node");
    return {
      command: request,
      reply(result) {
        if (!result.ok) throw refused(result.error.message);
        return true;
      },
    };
  },
};

export const catalogNodes: QueryEndpoint<Narrowing, readonly Node[]> = {
  kind: "query",
  name: "catalog.nodes",
  run(state, narrowing) {
    const read = state.nodes();
    return { ...read, value: narrowed(state, read.value, narrowing, nodeFields, (node) => node) };
  },
  key: (narrowing) => prefixed("catalog.nodes", narrowingKey(narrowing)),
};

/** Service names with the union of their tags. */
export const catalogServices: QueryEndpoint<Narrowing, ReadonlyMap<string, readonly string[]>> = {
  kind: "query",
  name: "catalog.services",
  run(state, { nodeMeta, filter }): Read<ReadonlyMap<string, readonly string[]>> {
    if (nodeMeta.length === 0 && filter === "") return state.services();
    const { value, index, topics } = state.serviceInstances();
    const nodes = state.nodes();
    const matches = filter === "" ? () => true : compileFilter(filter, serviceNodeFields);
    const tags = new Map<string, Set<string>>();
    for (const instance of value) {
      if (!hasMeta(instance.Node.Meta, nodeMeta) || !matches(serviceNodeShape(instance))) continue;
      const known = tags.get(instance.Service.Service) ?? new Set();
      for (const tag of instance.Service.Tags) known.add(tag);
      tags.set(instance.Service.Service, known);
    }
    const sorted = [...tags]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, known]) => [name, [...known].sort()] as const);
    return { value: new Map(sorted), index: Math.max(index, nodes.index), topics: [...topics, ...nodes.topics] };
  },
  key: (narrowing) => prefixed("catalog.services", narrowingKey({ ...narrowing, near: "" })),
};

export interface ServiceArgs extends Narrowing {
  service: string;
  tags: readonly string[];
  connect: boolean;
}

export const serviceKey = (name: string, args: ServiceArgs, ...more: readonly (string | boolean)[]): string | null => {
  const narrowing = narrowingKey(args);
  return narrowing === null ? null : keyOf(name, args.service, args.connect, ...more, narrowing, ...args.tags);
};

/** The instances of a service, in the order of `health.service`. */
export const catalogServiceNodes: QueryEndpoint<ServiceArgs, readonly ServiceInstance[]> = {
  kind: "query",
  name: "catalog.service",
  run(state, args) {
    const read = state.serviceNodes(args.service, { tags: args.tags, connect: args.connect });
    return {
      ...read,
      value: narrowed(state, read.value, args, serviceNodeFields, (row) => row.Node, serviceNodeShape),
    };
  },
  key: (args) => serviceKey("catalog.service", args),
};

/** One node, by name or ID, or null. */
export const catalogNode: QueryEndpoint<string, Node | null> = {
  kind: "query",
  name: "catalog.node-record",
  run: (state, node) => state.node(node),
  key: (node) => `catalog.node-record:${node}`,
};

/** The first node with this address, or null: reverse look-ups. */
export const catalogNodeByAddress: QueryEndpoint<string, Node | null> = {
  kind: "query",
  name: "catalog.node-by-address",
  run: (state, address) => state.nodeByAddress(address),
  key: (address) => `catalog.node-by-address:${address}`,
};

/** The first service instance that has this address of its own, or null. */
export const catalogServiceByAddress: QueryEndpoint<string, NodeService | null> = {
  kind: "query",
  name: "catalog.service-by-address",
  run: (state, address) => state.serviceByAddress(address),
  key: (address) => `catalog.service-by-address:${address}`,
};

export interface NodeServicesArgs {
  node: string;
  filter: string;
}

/** A node with its services, or null. */
export const catalogNodeServices: QueryEndpoint<NodeServicesArgs, NodeServices | null> = {
  kind: "query",
  name: "catalog.node",
  run(state, { node, filter }) {
    const read = state.nodeServices(node);
    if (read.value === null || filter === "") return read;
    const matches = compileFilter(filter, nodeServiceFields);
    const Services = read.value.Services.filter((service) => matches(nodeServiceShape(service)));
    return { ...read, value: { Node: read.value.Node, Services } };
  },
  key: ({ node, filter }) => keyOf("catalog.node", node, filter),
};

const prefixed = (name: string, narrowing: string | null): string | null =>
  narrowing === null ? null : `${name}:${narrowing}`;

/** Tags by service name as the API shows them: a map with the user's keys. */
export function tagsByService(services: ReadonlyMap<string, readonly string[]>): Record<string, readonly string[]> {
  const map = userMap<readonly string[]>();
  for (const [name, tags] of services) map[name] = tags;
  return map;
}
