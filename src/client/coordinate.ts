// Network coordinates: https://developer.hashicorp.com/consul/api-docs/coordinate
import type { NodeCoordinate } from "../types/records.ts";
import type { Read, ReadOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type { DatacenterCoordinates } from "./types.ts";

export interface CoordinateArea {
  /** Of the servers of every datacenter, in WAN coordinates. */
  datacenters(options?: ReadOptions): Promise<Read<DatacenterCoordinates[]>>;
  /** Of the datacenter's nodes, in LAN coordinates. */
  nodes(options?: ReadOptions): Promise<Read<NodeCoordinate[]>>;
  /** Empty when the node has none. */
  node(node: string, options?: ReadOptions): Promise<Read<NodeCoordinate[]>>;
}

export function coordinateArea(transport: Transport): CoordinateArea {
  return {
    datacenters: (options) => transport.read("coordinate/datacenters", options),
    nodes: (options) => transport.read("coordinate/nodes", options),
    node: (node, options) => transport.read(`coordinate/node/${segment(node)}`, options, {}, { value: [] }),
  };
}
