import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "../../src/util/histogram.ts";

const none = new Histogram();

function of(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

test("a quantile is within a sixteenth of the value that a sorted list has there", () => {
  const values = Array.from({ length: 10_000 }, (_, i) => 0.001 * 1.0017 ** i);
  const histogram = of(values);
  for (const q of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(q * values.length) - 1] as number;
    const found = histogram.quantile(q, none);
    assert.ok(Math.abs(found - exact) <= exact / 16, `${q}: ${found} for ${exact}`);
  }
});

test("an empty histogram has no quantiles", () => {
  assert.ok(Number.isNaN(none.quantile(0.5, new Histogram())));
});

test("two histograms are read as one", () => {
  assert.ok(of([1]).quantile(0.99, of([100])) > 90);
  assert.ok(of([1]).quantile(0.5, of([100])) < 2);
});

test("values beyond the buckets count in the outermost ones", () => {
  const cases: [number, (found: number) => boolean][] = [
    [0, (found) => found === 0],
    [-5, (found) => found === 0],
    [1e-9, (found) => found === 0],
    [Number.MAX_VALUE, (found) => found > 2 ** 20],
    [Number.POSITIVE_INFINITY, (found) => found > 2 ** 20],
  ];
  for (const [value, holds] of cases) assert.ok(holds(of([value]).quantile(0.5, none)), String(value));
});

test("a cleared histogram is empty", () => {
  const histogram = of([1, 2, 3]);
  histogram.clear();
  assert.ok(Number.isNaN(histogram.quantile(0.5, none)));
  histogram.add(8);
  assert.ok(Math.abs(histogram.quantile(0.5, none) - 8) <= 0.5);
});
