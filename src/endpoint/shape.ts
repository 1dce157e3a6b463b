// Records as the API shows them, where that is not how they are stored: Consul flattens an instance and its node into one
// row, and shows a service under its node without fields that are empty.
import type { ServiceInstance } from "../state/read.ts";
import type { NodeService, UserMap } from "../types/records.ts";
import { userMap } from "../util/user-map.ts";

const EMPTY: UserMap = Object.freeze(userMap<string>()) as UserMap;
const NO_PROXY: UserMap<unknown> = Object.freeze({ Mode: "", MeshGateway: EMPTY, Expose: EMPTY });

/** What a service without a proxy shows as one, too. */
const proxyShape = (proxy: UserMap<unknown>): UserMap<unknown> =>
  Object.keys(proxy).length === 0 ? NO_PROXY : { ...NO_PROXY, ...proxy };

/** A row of /v1/catalog/service/:service. */
export function serviceNodeShape({ Node: node, Service: service }: ServiceInstance): Record<string, unknown> {
  return {
    ID: node.ID,
    Node: node.Node,
    Address: node.Address,
    Datacenter: node.Datacenter,
    TaggedAddresses: node.TaggedAddresses,
    NodeMeta: node.Meta,
    ServiceKind: service.Kind,
    ServiceID: service.ID,
    ServiceName: service.Service,
    ServiceTags: service.Tags,
    ServiceAddress: service.Address,
    ...(service.TaggedAddresses === null ? {} : { ServiceTaggedAddresses: service.TaggedAddresses }),
    ServiceWeights: service.Weights,
    ServiceMeta: service.Meta ?? EMPTY,
    ServicePort: service.Port,
    ServicePorts: service.Ports,
    ServiceSocketPath: service.SocketPath,
    ServiceEnableTagOverride: service.EnableTagOverride,
    ServiceProxy: proxyShape(service.Proxy),
    ServiceConnect: service.Connect,
    ServiceLocality: service.Locality,
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
}

/** A service under its node: in /v1/catalog/node, /v1/health/service and transactions. */
export function nodeServiceShape(service: NodeService): Record<string, unknown> {
  return {
    ...(service.Kind === "" ? {} : { Kind: service.Kind }),
    ID: service.ID,
    Service: service.Service,
    Tags: service.Tags,
    Address: service.Address,
    ...(service.TaggedAddresses === null ? {} : { TaggedAddresses: service.TaggedAddresses }),
    Meta: service.Meta,
    Port: service.Port,
    ...(service.Ports === null ? {} : { Ports: service.Ports }),
    ...(service.SocketPath === "" ? {} : { SocketPath: service.SocketPath }),
    Weights: service.Weights,
    EnableTagOverride: service.EnableTagOverride,
    Proxy: proxyShape(service.Proxy),
    Connect: service.Connect,
    ...(service.Locality === null ? {} : { Locality: service.Locality }),
    PeerName: service.PeerName,
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
}
