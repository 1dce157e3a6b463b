// Network coordinates: https://developer.hashicorp.com/consul/api-docs/coordinate.
import type { NodeCoordinate } from "../types/records.ts";
import { OperationalError } from "../types/error.ts";
import type { CommandEndpoint, Prepared, QueryEndpoint } from "./endpoint.ts";

const DIMENSIONS = 8;

/** All coordinates, by node. */
export const coordinateNodes: QueryEndpoint<string, readonly NodeCoordinate[]> = {
  kind: "query",
  name: "coordinate.nodes",
  run(state, segment) {
    const read = state.coordinates();
    return segment === "" ? read : { ...read, value: read.value.filter(({ Segment }) => Segment === segment) };
  },
  key: (segment) => `coordinate.nodes:${segment}`,
};

/** One node's coordinates. */
export const coordinateNode: QueryEndpoint<string, readonly NodeCoordinate[]> = {
  kind: "query",
  name: "coordinate.node",
  run: (state, node) => state.coordinates(node),
  key: (node) => `coordinate.node:${node}`,
};

export const coordinateUpdate: CommandEndpoint<NodeCoordinate[], true> = {
  kind: "command",
  name: "coordinate.update",
  prepare(_context, updates): Prepared<true> {
    for (const { Coord } of updates) {
      if (Coord.Vec.length !== DIMENSIONS) throw new OperationalError("refused", "incompatible coordinate");
      if (![...Coord.Vec, Coord.Error, Coord.Adjustment, Coord.Height].every((part) => Number.isFinite(part)))
        throw new OperationalError("refused", "invalid coordinate");
    }
    return { command: { type: "coordinate.update", updates }, reply: () => true };
  },
};
