import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/util/random.ts";
import {
  type Call,
  checkAll,
  isLinearizable,
  type Model,
  type Operation,
  REGISTER,
  Search,
} from "./linearizability.ts";
import {
  type ListOperation,
  listProblem,
  LOCK,
  type LockOperation,
  setProblem,
  TABLE,
  type TxnOperation,
  type TxnStep,
} from "./models.ts";

const call = <O>(calledMs: number, returnedMs: number | null, operation: O): Call<O> => ({
  operation,
  calledMs,
  returnedMs,
});
const put = (value: string): Operation => ({ kind: "put", value });
const get = (result: string | null): Operation => ({ kind: "get", result });
const cas = (expected: string | null, value: string, ok: boolean): Operation => ({ kind: "cas", expected, value, ok });

const registers: readonly [string, boolean, readonly Call[]][] = [
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
  [
    "a swap that fails by a write that was never answered, and that nobody saw",
    true,
    [call(0, 1, put("a")), call(2, null, put("b")), call(4, 5, cas("a", "c", false)), call(6, 7, put("d"))],
  ],
];

test("linearizability: small histories of a register", () => {
  for (const [name, expected, history] of registers) assert.equal(isLinearizable(history), expected, name);
});

const txn = (ok: boolean, ...steps: TxnStep[]): TxnOperation => ({ steps, ok });
const set = (key: string, value: string): TxnStep => ({ kind: "set", key, value });
const sees = (key: string, result: string | null): TxnStep => ({ kind: "get", key, result });
const check = (key: string, expected: string | null): TxnStep => ({ kind: "check", key, expected });

const tables: readonly [string, boolean, readonly Call<TxnOperation>[]][] = [
  [
    "both keys at once",
    true,
    [call(0, 9, txn(true, set("a", "1"), set("b", "1"))), call(1, 2, txn(true, sees("a", "1"), sees("b", "1")))],
  ],
  [
    "one key without the other",
    false,
    [call(0, 9, txn(true, set("a", "1"), set("b", "1"))), call(1, 2, txn(true, sees("a", "1"), sees("b", null)))],
  ],
  [
    "one key without the other, of a transaction of unknown outcome",
    false,
    [call(0, null, txn(true, set("a", "1"), set("b", "1"))), call(3, 4, txn(true, sees("a", null), sees("b", "1")))],
  ],
  [
    "one that failed did nothing",
    true,
    [call(0, 1, txn(false, set("a", "1"), check("b", "x"))), call(2, 3, txn(true, sees("a", null)))],
  ],
  [
    "one that failed did something",
    false,
    [call(0, 1, txn(false, set("a", "1"), check("b", "x"))), call(2, 3, txn(true, sees("a", "1")))],
  ],
  ["one that ought to have failed", false, [call(0, 1, txn(true, check("b", "x"), set("a", "1")))]],
  [
    "two reads that see two writes in two orders",
    false,
    [
      call(0, 9, txn(true, set("a", "1"))),
      call(0, 9, txn(true, set("b", "1"))),
      call(1, 8, txn(true, sees("a", "1"), sees("b", null))),
      call(1, 8, txn(true, sees("a", null), sees("b", "1"))),
    ],
  ],
  [
    "a step sees what the steps before it did",
    true,
    [call(0, 1, txn(true, set("a", "1"), sees("a", "1"), { kind: "delete", key: "a" }, sees("a", null)))],
  ],
];

test("linearizability: small histories of a table", () => {
  for (const [name, expected, history] of tables)
    assert.equal(new Search(TABLE, history).run(Infinity) === "linearizable", expected, name);
});

const acquire = (session: string, ok: boolean): LockOperation => ({ kind: "acquire", session, ok });
const release = (session: string, ok: boolean): LockOperation => ({ kind: "release", session, ok });
const held = (session: string | null, fence: number): LockOperation => ({ kind: "read", session, fence });

const locks: readonly [string, boolean, readonly Call<LockOperation>[]][] = [
  [
    "one after the other",
    true,
    [
      call(0, 1, acquire("s", true)),
      call(2, 3, release("s", true)),
      call(4, 5, acquire("t", true)),
      call(6, 7, held("t", 2)),
    ],
  ],
  ["two holders", false, [call(0, 1, acquire("s", true)), call(2, 3, acquire("t", true))]],
  ["a free lock refused", false, [call(0, 1, acquire("s", false))]],
  [
    "its holder takes it again under the same fence",
    true,
    [call(0, 1, acquire("s", true)), call(2, 3, acquire("s", true)), call(4, 5, held("s", 1))],
  ],
  [
    "refused after its holder's session has ended, for the delay",
    true,
    [
      call(0, 1, acquire("s", true)),
      call(2, 3, { kind: "end", session: "s" }),
      call(4, 5, acquire("t", false)),
      call(6, 7, acquire("t", true)),
      call(8, 9, held("t", 2)),
    ],
  ],
  [
    "refused after it was given back, when there is no delay",
    false,
    [call(0, 1, acquire("s", true)), call(2, 3, release("s", true)), call(4, 5, acquire("t", false))],
  ],
  [
    "refused for a delay that was over when another one took it",
    false,
    [
      call(0, 1, acquire("s", true)),
      call(2, 3, { kind: "end", session: "s" }),
      call(4, 5, acquire("t", true)),
      call(6, 7, release("t", true)),
      call(8, 9, acquire("u", false)),
    ],
  ],
  [
    "a session that may have ended by itself",
    true,
    [call(0, 1, acquire("s", true)), call(2, null, { kind: "end", session: "s" }), call(4, 5, acquire("t", true))],
  ],
  [
    "a lock that is held by a session that has ended",
    false,
    [call(0, 1, acquire("s", true)), call(2, 3, { kind: "end", session: "s" }), call(4, 5, held("s", 1))],
  ],
  [
    "a fence that comes twice",
    false,
    [
      call(0, 1, acquire("s", true)),
      call(2, 3, held("s", 1)),
      call(4, 5, release("s", true)),
      call(6, 7, acquire("t", true)),
      call(8, 9, held("t", 1)),
    ],
  ],
];

test("linearizability: small histories of a lock", () => {
  for (const [name, expected, history] of locks)
    assert.equal(new Search(LOCK, history).run(Infinity) === "linearizable", expected, name);
});

const add = (element: string): ListOperation => ({ kind: "append", element });
const all = (...elements: string[]): ListOperation => ({ kind: "read", elements });

/** What a list and a set say of the same history. */
const lists: readonly [string, boolean, boolean, readonly Call<ListOperation>[]][] = [
  ["added, then read", true, true, [call(0, 1, add("a")), call(2, 3, all("a"))]],
  ["an acknowledged element is lost", false, false, [call(0, 1, add("a")), call(2, 3, all())]],
  ["an element that nobody added", false, false, [call(2, 3, all("a"))]],
  ["an element before it was added", false, false, [call(0, 1, all("a")), call(2, 3, add("a"))]],
  ["one of unknown outcome, never seen", true, true, [call(0, null, add("a")), call(2, 3, all())]],
  ["it comes and goes", false, false, [call(0, null, add("a")), call(2, 3, all("a")), call(4, 5, all())]],
  [
    "two reads disagree on the order",
    false,
    true,
    [call(0, 9, add("a")), call(0, 9, add("b")), call(1, 8, all("a", "b")), call(1, 8, all("b", "a"))],
  ],
  [
    "two reads see one each",
    false,
    false,
    [call(0, 9, add("a")), call(0, 9, add("b")), call(1, 8, all("a")), call(1, 8, all("b"))],
  ],
  [
    "the later one is seen without the earlier",
    false,
    false,
    [call(0, 1, add("a")), call(2, null, add("b")), call(3, 4, all("b"))],
  ],
  [
    "the order is not that of time",
    false,
    true,
    [call(0, 1, add("a")), call(2, 3, add("b")), call(4, 5, all("b", "a"))],
  ],
  [
    "an element is seen, then not, by reads of equal size",
    false,
    false,
    [call(0, null, add("a")), call(0, null, add("b")), call(1, 2, all("a")), call(3, 4, all("b"))],
  ],
];

test("linearizability: small histories of lists and sets", () => {
  for (const [name, asList, asSet, history] of lists) {
    assert.equal(listProblem(history) === null, asList, `list: ${name}: ${listProblem(history)}`);
    assert.equal(setProblem(history) === null, asSet, `set: ${name}: ${setProblem(history)}`);
  }
});

/** A history of a right register: each operation takes effect at a moment between its call and its return. */
function rightHistory(random: Random, length: number, unknownIn = 12): Call[] {
  const moments = Array.from({ length }, (_, i) => i * 10).map((at) => ({
    at,
    before: random.below(60),
    after: random.below(60),
  }));
  let value: string | null = null;
  return moments.map(({ at, before, after }, i): Call => {
    const times = [at - before, random.below(unknownIn) === 0 ? null : at + after] as const;
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

test("linearizability: long right histories with operations that were never answered take little", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const history = rightHistory(new Random(seed), 200, 25);
    const search = new Search(REGISTER, history);
    assert.equal(search.run(200_000), "linearizable", `seed ${seed}: ${search.steps} steps`);
  }
});

/** Tries every order of every choice of the operations that were never answered. */
function bruteForce<S, O>(model: Model<S, O>, history: readonly Call<O>[]): boolean {
  const extend = (state: S, rest: readonly Call<O>[]): boolean => {
    if (rest.every(({ returnedMs }) => returnedMs === null)) return true;
    return rest.some((next) => {
      const others = rest.filter((other) => other !== next);
      if (others.some(({ returnedMs }) => returnedMs !== null && returnedMs < next.calledMs)) return false;
      return model.step(state, next.operation, next.returnedMs !== null).some((after) => extend(after, others));
    });
  };
  return extend(model.initial, history);
}

const VALUES = ["a", "b"];
const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)] as T;

function randomHistory<O>(random: Random, length: number, operation: () => O): Call<O>[] {
  return Array.from({ length }, () => {
    const calledMs = random.below(20);
    return call(calledMs, random.below(5) === 0 ? null : calledMs + random.below(12), operation());
  });
}

/** Compares with the oracle and tells how many of the histories were right. */
function compare<S, O>(model: Model<S, O>, count: number, operation: (random: Random) => () => O): number {
  let right = 0;
  for (let seed = 1; seed <= count; seed += 1) {
    const random = new Random(seed);
    const history = randomHistory(random, 2 + random.below(5), operation(random));
    const expected = bruteForce(model, history);
    // In small portions, so that the search is interrupted everywhere.
    const search = new Search(model, history);
    let verdict = search.run(1);
    while (verdict === null) verdict = search.run(1);
    assert.equal(verdict === "linearizable", expected, `seed ${seed}: ${JSON.stringify(history)}`);
    if (expected) right += 1;
  }
  return right;
}

test("linearizability: a register's small histories as every order tells", () => {
  const right = compare(REGISTER, 4000, (random) => (): Operation => {
    const value = pick(random, VALUES);
    const some = pick(random, [null, ...VALUES]);
    return pick(random, [
      put(value),
      { kind: "delete" },
      get(some),
      get(some),
      cas(some, value, random.below(2) === 0),
      { kind: "delete-cas", expected: value, ok: random.below(2) === 0 },
    ] satisfies Operation[]);
  });
  assert.ok(right > 400 && right < 3600, `${right} of 4000 are right`);
});

test("linearizability: a table's small histories as every order tells", () => {
  const right = compare(TABLE, 3000, (random) => (): TxnOperation => {
    const step = (): TxnStep => {
      const key = pick(random, ["x", "y"]);
      const some = pick(random, [null, null, ...VALUES]);
      return pick(random, [set(key, pick(random, VALUES)), sees(key, some), check(key, some), { kind: "delete", key }]);
    };
    return txn(random.below(3) > 0, ...Array.from({ length: 1 + random.below(3) }, step));
  });
  assert.ok(right > 200 && right < 2800, `${right} of 3000 are right`);
});

test("linearizability: a lock's small histories as every order tells", () => {
  const right = compare(LOCK, 3000, (random) => (): LockOperation => {
    const session = pick(random, ["s", "t"]);
    return pick<LockOperation>(random, [
      acquire(session, random.below(2) === 0),
      acquire(session, true),
      release(session, random.below(2) === 0),
      { kind: "end", session },
      held(pick(random, [null, "s", "t"]), random.below(3)),
    ]);
  });
  assert.ok(right > 200 && right < 2800, `${right} of 3000 are right`);
});

/** A list or a set as a model, for the oracle. */
const growing = (isOrdered: boolean): Model<readonly string[], ListOperation> => ({
  initial: [],
  step(elements, operation, isKnown) {
    if (operation.kind === "append") return [[...elements, operation.element]];
    const shown = (list: readonly string[]): string => (isOrdered ? list : list.toSorted()).join();
    return !isKnown || shown(operation.elements) === shown(elements) ? [elements] : [];
  },
  isRead: ({ kind }) => kind === "read",
  key: (elements) => (isOrdered ? elements : elements.toSorted()).join(),
});

test("linearizability: lists and sets as every order tells", () => {
  for (const isOrdered of [true, false]) {
    let right = 0;
    for (let seed = 1; seed <= 3000; seed += 1) {
      const random = new Random(seed);
      let count = 0;
      const elements = ["a", "b", "c"];
      const history = randomHistory(random, 2 + random.below(5), (): ListOperation => {
        if (count < elements.length && random.below(2) === 0) return add(elements[count++] as string);
        const shown = elements.slice(0, random.below(count + 1));
        return all(...(random.below(4) === 0 ? shown.toReversed().slice(0, 1 + random.below(3)) : shown));
      });
      const expected = bruteForce(growing(isOrdered), history);
      const problem = isOrdered ? listProblem(history) : setProblem(history);
      assert.equal(problem === null, expected, `seed ${seed}: ${problem}: ${JSON.stringify(history)}`);
      if (expected) right += 1;
    }
    assert.ok(right > 200 && right < 2800, `${right} of 3000 are right`);
  }
});

/** Reads now and then see the value before the present one; a history in which one did so too late is wrong. */
test("linearizability: a register that gives old values is found out", () => {
  let wrong = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = new Random(seed);
    let [value, before]: [string | null, string | null] = [null, null];
    let isWrong = false;
    const history = Array.from({ length: 60 }, (_, i): Call => {
      // One after the other, so that every old value is one too late.
      const at = i * 10;
      if (random.below(3) === 0) {
        [value, before] = [`v${i}`, value];
        return call(at, at + 5, put(value));
      }
      const isOld = random.below(40) === 0 && before !== value;
      isWrong ||= isOld;
      return call(at, at + 5, get(isOld ? before : value));
    });
    assert.equal(isLinearizable(history), !isWrong, `seed ${seed}`);
    if (isWrong) wrong += 1;
  }
  assert.ok(wrong > 50 && wrong < 250, `${wrong} of 300 were wrong`);
});

test("linearizability: one wrong key is found though another one takes for ever", () => {
  // A value that cannot be, after many writes of which any order is possible and none was answered.
  const endless: Call[] = Array.from({ length: 40 }, (_, i) => call(i, null, put(`v${i}`)));
  endless.push(call(100, 101, get("never")));
  const wrong: Call[] = [
    ...rightHistory(new Random(3), 80, 1000),
    call(5000, 5001, put("new")),
    call(5002, 5003, get("old")),
  ];
  const searches = new Map([
    ["endless", new Search(REGISTER, endless)],
    ["right", new Search(REGISTER, rightHistory(new Random(4), 80, 1000))],
    ["wrong", new Search(REGISTER, wrong)],
  ]);
  assert.deepEqual(checkAll(searches, 100_000).violations, ["wrong"]);
  assert.deepEqual(checkAll(new Map([["endless", new Search(REGISTER, endless)]]), 3000), {
    violations: [],
    undecided: ["endless"],
  });
});
