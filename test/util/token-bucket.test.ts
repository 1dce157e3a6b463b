import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "../../src/util/token-bucket.ts";

/** How many of `asked` requests get through at `nowMs`. */
const taken = (bucket: TokenBucket, asked: number, nowMs: number): number =>
  Array.from({ length: asked }, () => bucket.take(nowMs)).filter(Boolean).length;

test("a bucket: is full at first, and then lets its rate through", () => {
  const bucket = new TokenBucket(10, 5, 1000);
  assert.equal(taken(bucket, 20, 1000), 5);
  assert.equal(taken(bucket, 20, 1099), 0);
  assert.equal(taken(bucket, 20, 1100), 1);
  assert.equal(taken(bucket, 20, 1400), 3);
});

test("a bucket left alone: holds no more than one burst", () => {
  const bucket = new TokenBucket(10, 5, 0);
  taken(bucket, 5, 0);
  assert.equal(taken(bucket, 20, 3_600_000), 5);
});

test("a clock that goes back: gives nothing", () => {
  const bucket = new TokenBucket(10, 1, 1000);
  taken(bucket, 1, 1000);
  assert.equal(taken(bucket, 1, 0), 0);
});
