// Network coordinates of nodes, one per segment (https://developer.hashicorp.com/consul/api-docs/coordinate). They are
// hints: an update that does not fit is dropped, not refused.

import type { NodeCoordinate } from "../types/records.ts";
import { sameData } from "./equal.ts";
import { fold, isKeyPart, keyOf, under } from "./key.ts";
import { collect, createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Transaction } from "./transaction.ts";

/** Coordinates; the key is node and segment. */
export class CoordinateTable {
  readonly records: OrderedMap<NodeCoordinate> = createOrderedMap<NodeCoordinate>();

  write(key: string, _before: NodeCoordinate | null, after: NodeCoordinate | null): void {
    if (after === null) this.records.delete(key);
    else this.records.set(key, after);
  }

  /** The coordinates of a node, by segment. */
  ofNode(node: string): NodeCoordinate[] {
    return collect(this.records, under(fold(node)));
  }
}

/** Takes the updates of nodes that are in the catalog, if all their numbers are finite. */
export function coordinateUpdate(tx: Transaction, updates: readonly NodeCoordinate[]): void {
  for (const update of updates) {
    if (tx.tables.nodes.get(update.Node) === undefined || !isKeyPart(update.Segment) || !isFinite(update)) continue;
    const key = keyOf(update.Node, update.Segment);
    const before = tx.tables.coordinates.records.get(key) ?? null;
    if (before !== null && sameData(before, update)) continue;
    tx.write({ table: "coordinates", key, before, after: update });
  }
}

/** Removes the coordinates of a node. */
export function coordinatesRemove(tx: Transaction, node: string): void {
  for (const before of tx.tables.coordinates.ofNode(node)) {
    tx.write({ table: "coordinates", key: keyOf(before.Node, before.Segment), before, after: null });
  }
}

function isFinite({ Coord }: NodeCoordinate): boolean {
  const { Vec, Error, Adjustment, Height } = Coord;
  return [...Vec, Error, Adjustment, Height].every((number) => Number.isFinite(number));
}
