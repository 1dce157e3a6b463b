import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/util/random.ts";
import { type Call, isLinearizable, type Operation } from "./linearizability.ts";

const call = (calledMs: number, returnedMs: number | null, operation: Operation): Call => ({
  operation,
  calledMs,
  returnedMs,
});
const put = (value: string): Operation => ({ kind: "put", value });
const get = (result: string | null): Operation => ({ kind: "get", result });
const cas = (expected: string | null, value: string, ok: boolean): Operation => ({ kind: "cas", expected, value, ok });

const cases: readonly [string, boolean, readonly Call[]][] = [
  ["nothing at all", true, []],
  ["a read of what is not there", true, [call(0, 1, get(null))]],
  ["a read of what nobody wrote", false, [call(0, 1, get("a"))]],
  [
    "one after the other",
    true,
    [call(0, 1, put("a")), call(2, 3, get("a")), call(4, 5, { kind: "delete" }), call(6, 7, get(null))],
  ],
  ["a stale read", false, [call(0, 1, put("a")), call(2, 3, put("b")), call(4, 5, get("a"))]],
  [
    "a read beside a write sees either",
    true,
    [call(0, 1, put("a")), call(2, 9, put("b")), call(3, 4, get("a")), call(5, 6, get("b"))],
  ],
  [
    "but not the old value after the new",
    false,
    [call(0, 1, put("a")), call(2, 9, put("b")), call(3, 4, get("b")), call(5, 6, get("a"))],
  ],
  ["a lost write", false, [call(0, 1, put("a")), call(2, 3, get(null))]],
  [
    "a write of unknown outcome shows late",
    true,
    [call(0, null, put("a")), call(5, 6, get(null)), call(7, 8, get("a"))],
  ],
  ["or never", true, [call(0, null, put("a")), call(5, 6, get(null)), call(7, 8, get(null))]],
  ["but does not come and go", false, [call(0, null, put("a")), call(5, 6, get("a")), call(7, 8, get(null))]],
  ["nor before it was called", false, [call(0, 1, get("a")), call(2, null, put("a"))]],
  [
    "two swaps of one value",
    false,
    [call(0, 1, put("a")), call(2, 9, cas("a", "b", true)), call(2, 9, cas("a", "c", true))],
  ],
  [
    "of two swaps one fails",
    true,
    [call(0, 1, put("a")), call(2, 9, cas("a", "b", true)), call(2, 9, cas("a", "c", false))],
  ],
  ["a swap that ought to have succeeded", false, [call(0, 1, put("a")), call(2, 3, cas("a", "b", false))]],
  [
    "a swap of unknown outcome",
    true,
    [call(0, 1, put("a")), call(2, null, cas("a", "b", true)), call(4, 5, get("a")), call(6, 7, get("b"))],
  ],
];

test("linearizability: small histories", () => {
  for (const [name, expected, history] of cases) assert.equal(isLinearizable(history), expected, name);
});

/** A history of a right register: each operation takes effect at a moment between its call and its return. */
function rightHistory(random: Random, length: number): Call[] {
  const moments = Array.from({ length }, (_, i) => i * 10).map((at) => ({
    at,
    before: random.below(60),
    after: random.below(60),
  }));
  let value: string | null = null;
  return moments.map(({ at, before, after }, i): Call => {
    const times = [at - before, random.below(12) === 0 ? null : at + after] as const;
    switch (random.below(4)) {
      case 0:
        value = `v${i}`;
        return call(...times, put(value));
      case 1: {
        const expected = random.below(2) === 0 ? value : "other";
        const ok = expected === value;
        if (ok) value = `c${i}`;
        return call(...times, cas(expected, `c${i}`, ok));
      }
      default:
        return call(...times, get(value));
    }
  });
}

test("linearizability: right histories pass, and a read of an overwritten value is found", () => {
  let found = 0;
  for (let seed = 1; seed <= 100; seed += 1) {
    const history = rightHistory(new Random(seed), 16);
    assert.ok(isLinearizable(history), `seed ${seed}`);
    const last = Math.max(...history.map(({ returnedMs }) => returnedMs ?? 0));
    const wrong = [
      ...history,
      call(last + 1000, last + 1001, put("older")),
      call(last + 1002, last + 1003, put("newer")),
      call(last + 1004, last + 1005, get("older")),
    ];
    if (!isLinearizable(wrong)) found += 1;
  }
  assert.equal(found, 100);
});
