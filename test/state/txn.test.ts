import assert from "node:assert/strict";
import { test } from "node:test";
import type { TxnOperation, TxnOutcome, TxnResult } from "../../src/state/command.ts";
import { check, kv, Log, node, op, register, service, session, text } from "./fixtures.ts";

function txn(log: Log, ...operations: TxnOperation[]): TxnOutcome {
  return log.value({ type: "txn", operations }) as TxnOutcome;
}

/** The results in short. */
function short(results: TxnResult[] | null): string[] | null {
  if (results === null) return null;
  return results.map((result) => {
    if ("KV" in result) return `kv ${result.KV.Key} ${text(result.KV.Value) ?? "null"} ${result.KV.ModifyIndex}`;
    if ("Node" in result) return `node ${result.Node.Node} ${result.Node.ModifyIndex}`;
    if ("Service" in result) return `service ${result.Service.ID} ${result.Service.ModifyIndex}`;
    return `check ${result.Check.CheckID} ${result.Check.ModifyIndex}`;
  });
}

/** Node n with service web and check c; key a = "one" (flags 7) and key held, locked by s. All written before index 10. */
function filled(): Log {
  const log = new Log();
  log.value(register("n", { service: service("web"), checks: [check("c")] }));
  log.value({ type: "session.create", session: session("s", "n") });
  log.value(kv.set("a", "one", 7));
  log.value(kv.lock("held", "s", "h"));
  log.value(kv.set("t/1", "1"));
  log.value(kv.set("t/2", "2"));
  log.index = 9;
  return log;
}

const succeeding: [name: string, operations: TxnOperation[], results: string[]][] = [
  [
    "set and get: only get shows the value",
    [op.kv("set", "x", { value: "v" }), op.kv("get", "x")],
    ["kv x null 10", "kv x v 10"],
  ],
  ["set of the same: shows the old index", [op.kv("set", "a", { value: "one", flags: 7 })], ["kv a null 4"]],
  ["cas", [op.kv("cas", "a", { value: "v", index: 4 })], ["kv a null 10"]],
  ["cas of 0", [op.kv("cas", "x", { value: "v", index: 0 })], ["kv x null 10"]],
  ["lock", [op.kv("lock", "x", { session: "s" })], ["kv x null 10"]],
  ["unlock", [op.kv("unlock", "held", { session: "s" })], ["kv held null 10"]],
  ["get-or-empty of none", [op.kv("get-or-empty", "x")], ["kv x null 0"]],
  ["get-or-empty of one", [op.kv("get-or-empty", "a")], ["kv a one 4"]],
  ["get-tree", [op.kv("get-tree", "t/")], ["kv t/1 1 6", "kv t/2 2 7"]],
  ["get-tree of nothing", [op.kv("get-tree", "zz")], []],
  ["check-index", [op.kv("check-index", "a", { index: 4 })], ["kv a null 4"]],
  ["check-session", [op.kv("check-session", "held", { session: "s" })], ["kv held null 5"]],
  ["check-session of none", [op.kv("check-session", "a", { session: "" })], ["kv a null 4"]],
  ["check-not-exists", [op.kv("check-not-exists", "x")], []],
  ["deletes give no result", [op.kv("delete", "a"), op.kv("delete", "x"), op.kv("delete-tree", "t/")], []],
  ["delete-cas", [op.kv("delete-cas", "a", { index: 4 }), op.kv("delete-cas", "x", { index: 4 })], []],
  [
    "the catalog's sets",
    [
      op.node("set", node("m")),
      op.service("set", service("db", { Node: "m" })),
      op.check("set", check("cc", { Node: "m", ServiceID: "db" })),
    ],
    ["node m 10", "service db 10", "check cc 10"],
  ],
  [
    "the catalog's sets of the same: show the old index",
    [
      op.node("set", node("n")),
      op.service("set", service("web", { Node: "n" })),
      op.check("set", check("c", { Node: "n" })),
    ],
    ["node n 2", "service web 2", "check c 2"],
  ],
  [
    "the catalog's gets",
    [
      op.node("get", node("n")),
      op.service("get", service("web", { Node: "n" })),
      op.check("get", check("c", { Node: "n" })),
    ],
    ["node n 2", "service web 2", "check c 2"],
  ],
  [
    "the catalog's cas",
    [
      op.check("cas", check("c", { Node: "n", Output: "x" }), 2),
      op.service("cas", service("web", { Node: "n", Port: 1 }), 2),
      op.node("cas", node("n", { Address: "10.0.0.9" }), 2),
      op.node("cas", node("m"), 0),
    ],
    ["check c 10", "service web 10", "node n 10", "node m 10"],
  ],
  [
    "the catalog's deletes",
    [
      op.check("delete-cas", check("c", { Node: "n" }), 2),
      op.service("delete", service("web", { Node: "n" })),
      op.node("delete", node("n")),
      op.node("delete", node("never")),
    ],
    [],
  ],
];

for (const [name, operations, results] of succeeding) {
  test(`a transaction of ${name}`, () => {
    const outcome = txn(filled(), ...operations);
    assert.equal(outcome.Errors, null);
    assert.deepEqual(short(outcome.Results), results);
  });
}

const failing: [operation: TxnOperation, what: string][] = [
  [op.kv("cas", "a", { index: 1 }), 'failed to set key "a", index is stale'],
  [op.kv("cas", "a", { index: 0 }), 'failed to set key "a", index is stale'],
  [op.kv("delete-cas", "a", { index: 1 }), 'failed to delete key "a", index is stale'],
  [op.kv("get", "x"), 'key "x" doesn\'t exist'],
  [op.kv("check-not-exists", "a"), 'key "a" exists'],
  [op.kv("check-index", "x", { index: 1 }), 'failed to check index, key "x" doesn\'t exist'],
  [op.kv("check-index", "a", { index: 1 }), 'failed index check for key "a", current modify index 4 != 1'],
  [op.kv("check-session", "x"), 'failed to check session, key "x" doesn\'t exist'],
  [op.kv("check-session", "held", { session: "z" }), 'failed session check for key "held", current session "s" != "z"'],
  [op.kv("lock", "x", { session: "z" }), 'invalid session "z"'],
  [op.kv("lock", "x"), "missing session"],
  [op.kv("unlock", "a", { session: "s" }), `failed to unlock key "a", lock isn't held, or is held by another session`],
  [op.kv("odd" as "set", "a"), "unknown KV operation: odd"],
  [op.node("odd" as "set", node("n")), "unknown node operation: odd"],
  [op.service("odd" as "set", service("web")), "unknown service operation: odd"],
  [op.check("odd" as "set", check("c")), "unknown check operation: odd"],
  [op.node("get", node("x")), 'node "x" doesn\'t exist'],
  [op.node("cas", node("n"), 1), 'failed to set node "n", index is stale'],
  [op.node("delete-cas", node("n"), 1), 'failed to delete node "n", index is stale'],
  [op.service("get", service("x", { Node: "n" })), 'service "x" on node "n" doesn\'t exist'],
  [op.service("set", service("x", { Node: "none" })), "Missing node registration"],
  [op.service("cas", service("web", { Node: "n" }), 1), 'failed to set service "web" on node "n", index is stale'],
  [
    op.service("delete-cas", service("x", { Node: "n" }), 1),
    'failed to delete service "x" on node "n", index is stale',
  ],
  [op.check("get", check("x", { Node: "n" })), 'check "x" on node "n" doesn\'t exist'],
  [op.check("set", check("x", { Node: "none" })), "Missing node registration"],
  [op.check("set", check("x", { Node: "n", ServiceID: "none" })), "Missing service registration"],
  [op.check("cas", check("c", { Node: "n" }), 1), 'failed to set check "c" on node "n", index is stale'],
  [op.check("delete-cas", check("x", { Node: "n" }), 1), 'failed to delete check "x" on node "n", index is stale'],
];

for (const [operation, what] of failing) {
  test(`a transaction with ${operation.kind} ${operation.verb} that fails (${what}): says so and changes nothing`, () => {
    const log = filled();
    const before = [...log.store.snapshot().records()];
    const { result, changes, topics } = log.apply({
      type: "txn",
      operations: [
        op.kv("set", "new", { value: "x" }),
        op.node("set", node("m")),
        op.kv("delete-tree", "t/"),
        operation,
      ],
    });
    const alone = log.apply({
      type: "txn",
      operations: [operation, op.kv("set", "new"), op.node("delete", node("n"))],
    });
    for (const applied of [{ result, changes, topics }, alone]) {
      const outcome = (applied.result as { ok: true; value: TxnOutcome }).value;
      assert.equal(outcome.Results, null);
      assert.deepEqual([applied.changes, applied.topics], [[], []]);
    }
    assert.deepEqual((alone.result as { ok: true; value: TxnOutcome }).value.Errors, [{ OpIndex: 0, What: what }]);
    const after = [...log.store.snapshot().records()];
    assert.deepEqual(after.slice(1), before.slice(1));
  });
}

test("a transaction with several failures: tells all, each with its place", () => {
  const outcome = txn(
    filled(),
    op.kv("set", "c", { value: "c" }),
    op.kv("delete", "c"),
    op.kv("get", "c"),
    op.kv("get", "a"),
    op.kv("check-not-exists", "a"),
  );
  assert.deepEqual(outcome, {
    Results: null,
    Errors: [
      { OpIndex: 2, What: 'key "c" doesn\'t exist' },
      { OpIndex: 4, What: 'key "a" exists' },
    ],
  });
});

test("a failed transaction that wrote one key often: leaves what was before the first", () => {
  const log = filled();
  const twice = [op.kv("set", "a", { value: "1" }), op.kv("set", "a", { value: "2" }), op.kv("delete", "a")];
  const anew = [op.kv("set", "x", { value: "1" }), op.kv("delete", "x"), op.kv("set", "x", { value: "2" })];
  const before = [...log.store.snapshot().records()].slice(1);
  assert.notEqual(txn(log, ...twice, ...anew, op.kv("get", "none")).Errors, null);
  assert.deepEqual([...log.store.snapshot().records()].slice(1), before);
});

test("a session that an operation ends: is gone for the next operation", () => {
  const log = filled();
  const outcome = txn(log, op.node("delete", node("n")), op.kv("lock", "x", { session: "s" }));
  assert.deepEqual(outcome.Errors, [{ OpIndex: 1, What: 'invalid session "s"' }]);
  assert.equal(log.store.kvGet("held").value?.Session, "s", "and it is back");
  assert.equal(txn(log, op.node("delete", node("n")), op.kv("check-session", "held", { session: "" })).Errors, null);
});

test("a transaction of reads: runs beside the log, and does not write", () => {
  const log = filled();
  const before = log.store.hash();
  assert.deepEqual(short(log.store.txnRead([op.kv("get", "a"), op.kv("check-not-exists", "x")]).Results), [
    "kv a one 4",
  ]);
  assert.deepEqual(log.store.txnRead([op.kv("get", "x")]).Errors, [{ OpIndex: 0, What: 'key "x" doesn\'t exist' }]);
  assert.throws(() => log.store.txnRead([op.kv("set", "a", { value: "other" })]), /does not write/);
  assert.equal(log.store.hash(), before);
  assert.equal(log.store.lastIndex, 7);
});

test("an empty transaction: has no results and no errors", () => {
  assert.deepEqual(txn(filled()), { Results: [], Errors: null });
});
