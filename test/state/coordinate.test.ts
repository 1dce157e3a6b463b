import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeCoordinate } from "../../src/types/records.ts";
import { Log, register } from "./fixtures.ts";

function at(node: string, x: number, segment = ""): NodeCoordinate {
  return { Node: node, Segment: segment, Coord: { Vec: [x, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 } };
}

test("coordinates: only of nodes in the catalog and of finite numbers; the same again moves nothing", () => {
  const log = new Log();
  log.value(register("a"));
  log.value(register("b"));
  const update = (...updates: NodeCoordinate[]) => log.apply({ type: "coordinate.update", updates });
  const { changes } = update(
    at("b", 2),
    at("a", 1),
    at("a", 3, "alpha"),
    at("none", 1),
    at("a", NaN),
    at("a", Infinity),
  );
  assert.deepEqual(
    changes.map(({ after }) => (after as NodeCoordinate).Coord.Vec[0]),
    [2, 1, 3],
  );
  assert.deepEqual(
    log.store.coordinates().value.map(({ Node, Segment }) => [Node, Segment]),
    [
      ["a", ""],
      ["a", "alpha"],
      ["b", ""],
    ],
  );
  assert.equal(log.store.coordinates("A").value.length, 2);
  assert.deepEqual(update(at("a", 1), at("b", 2)).changes, []);
  update(at("b", 5));
  assert.deepEqual([log.store.coordinates("a").index, log.store.coordinates("b").index], [4, 6]);
});
