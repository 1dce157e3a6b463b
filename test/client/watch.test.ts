import assert from "node:assert/strict";
import { test } from "node:test";
import type { Read, ReadOptions } from "../../src/client/index.ts";
import { watch } from "../../src/client/index.ts";

type Options = ReadOptions & { hash?: string };
const meta = {
  knownLeader: true,
  lastContactMs: 0,
  contentHash: null,
  cacheHit: null,
  cacheAgeSeconds: 0,
  filteredByAcls: false,
};
const answer = (index: number | bigint, value: unknown, contentHash: string | null = null): Read<unknown> => ({
  ...meta,
  index,
  value,
  contentHash,
});

/** Gives the answers in turn, throws those that are errors, and aborts when there are no more. */
async function observe(
  answers: (Read<unknown> | Error)[],
): Promise<{ asked: Options[]; seen: unknown[]; retries: number[]; slept: number[] }> {
  const controller = new AbortController();
  const asked: Options[] = [];
  const retries: number[] = [];
  const slept: number[] = [];
  const read = async (given: Options): Promise<Read<unknown>> => {
    const options = { ...given };
    delete options.signal;
    const next = answers[asked.length];
    if (next === undefined) {
      controller.abort();
      throw new Error("over");
    }
    asked.push(options);
    if (next instanceof Error) throw next;
    return next;
  };
  const seen: unknown[] = [];
  const options = {
    signal: controller.signal,
    wait: "9s",
    onError: (_: unknown, retryMs: number) => void retries.push(retryMs),
    sleep: async (ms: number) => void slept.push(ms),
  };
  for await (const { value } of watch(read, options)) seen.push(value);
  return { asked, seen, retries, slept };
}
const indexes = (asked: Options[]): unknown[] => asked.map(({ index }) => index);

test("the first answer and each that differs are given, equal ones are not", async () => {
  const { asked, seen } = await observe([answer(5, [1]), answer(6, [1]), answer(7, [2])]);
  assert.deepEqual(seen, [[1], [2]]);
  assert.deepEqual(indexes(asked), [undefined, 5, 6]);
  assert.equal(asked[0]?.wait, "9s");
});

test("an index that goes backwards starts anew", async () => {
  const { asked, seen } = await observe([answer(50, "a"), answer(3, "b"), answer(3, "b"), answer(4, "c")]);
  assert.deepEqual(indexes(asked), [undefined, 50, undefined, 3]);
  assert.deepEqual(seen, ["a", "b", "c"]);
});

test("indexes above 2^53 are exact", async () => {
  const { asked } = await observe([answer(17293822569102704643n, "a"), answer(17293822569102704644n, "b")]);
  assert.deepEqual(indexes(asked), [undefined, 17293822569102704643n]);
});

test("answers with a hash are waited for by hash", async () => {
  const { asked, seen } = await observe([answer(1, "a", "h1"), answer(1, "b", "h2")]);
  assert.deepEqual(
    asked.map(({ index, hash }) => [index, hash]),
    [
      [undefined, undefined],
      [undefined, "h1"],
    ],
  );
  assert.deepEqual(seen, ["a", "b"]);
});

test("failures are retried later and later, from the start, until one succeeds", async () => {
  const { asked, retries, slept } = await observe([
    answer(5, "a"),
    ...Array.from({ length: 7 }, () => new Error("no")),
    answer(6, "b"),
    new Error("no"),
  ]);
  assert.deepEqual(retries, [5_000, 20_000, 45_000, 80_000, 125_000, 180_000, 180_000, 5_000]);
  assert.deepEqual(slept, retries);
  assert.deepEqual(indexes(asked), [undefined, 5, ...Array.from({ length: 7 }, () => undefined), 6]);
});

test("an endpoint that cannot block is asked at intervals", async () => {
  const { slept } = await observe([answer(0, "a"), answer(0, "a")]);
  assert.deepEqual(slept, [5_000, 5_000]);
});
