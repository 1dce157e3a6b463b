// What narrows and orders lists of the catalog and of health, alike in all of them: node meta, filter expressions, nearness.
import type { FieldSet } from "../filter/field.ts";
import { compileFilter } from "../filter/filter.ts";
import type { StateStore } from "../state/store.ts";
import type { Node, UserMap } from "../types/records.ts";
import { distance } from "../util/vivaldi.ts";

/** The parameters that most lists take. */
export interface Narrowing {
  /** Pairs the node's meta must have, all of them. */
  nodeMeta: readonly (readonly [string, string])[];
  /** A filter expression, "" for none. */
  filter: string;
  /** Order by distance from this node, "" for the list's own order. */
  near: string;
}

/** Part of a key that tells narrowings apart; null when there is one whose answer nobody should keep. */
export const narrowingKey = ({ nodeMeta, filter, near }: Narrowing): string | null =>
  near === "" ? (nodeMeta.length === 0 && filter === "" ? "" : JSON.stringify([nodeMeta, filter])) : null;

export const hasMeta = (meta: UserMap | null, wanted: Narrowing["nodeMeta"]): boolean =>
  wanted.every(([key, value]) => meta !== null && meta[key] === value);

/** Rows that pass node meta and filter, nearest first if asked. @throws OperationalError for a bad filter. */
export function narrowed<T extends object>(
  state: StateStore,
  rows: readonly T[],
  { nodeMeta, filter, near }: Narrowing,
  fields: FieldSet,
  nodeOf: (row: T) => Pick<Node, "Node" | "Meta"> | null,
  shownOf: (row: T) => object = (row) => row,
): readonly T[] {
  let list = rows;
  if (nodeMeta.length > 0) list = list.filter((row) => hasMeta(nodeOf(row)?.Meta ?? null, nodeMeta));
  if (filter !== "") {
    const matches = compileFilter(filter, fields);
    list = list.filter((row) => matches(shownOf(row)));
  }
  return near === "" ? list : byDistance(state, list, near, (row) => nodeOf(row)?.Node ?? "");
}

/** Nearest first by the nodes' coordinates; what has none comes last; equal ones keep their order. */
export function byDistance<T>(
  state: StateStore,
  rows: readonly T[],
  near: string,
  nodeNameOf: (row: T) => string,
): readonly T[] {
  const from = state.coordinates(near).value[0]?.Coord;
  if (from === undefined) return rows;
  const distances = new Map<string, number>();
  const distanceOf = (name: string): number => {
    let found = distances.get(name);
    if (found === undefined) {
      const to = state.coordinates(name).value[0]?.Coord;
      found = to === undefined ? Number.POSITIVE_INFINITY : distance(from, to);
      distances.set(name, found);
    }
    return found;
  };
  return [...rows].sort((a, b) => {
    const [x, y] = [distanceOf(nodeNameOf(a)), distanceOf(nodeNameOf(b))];
    return x === y ? 0 : x - y;
  });
}
