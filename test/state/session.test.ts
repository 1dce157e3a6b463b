import assert from "node:assert/strict";
import { test } from "node:test";
import { releasedLocks } from "../../src/state/change.ts";
import type { Command } from "../../src/state/command.ts";
import { check, deregister, kv, Log, node, op, query, register, service, session } from "./fixtures.ts";

const destroy = (id: string): Command => ({ type: "session.destroy", id });

/** Node n with a passing check `up`, a service `web` with check `web-up`, and session s bound to both checks. */
function bound(more: Parameters<typeof session>[2] = {}): Log {
  const log = new Log();
  log.value(
    register("n", {
      service: service("web"),
      checks: [check("up"), check("web-up", { ServiceID: "web" })],
    }),
  );
  log.value({
    type: "session.create",
    session: session("s", "n", { NodeChecks: ["up"], ServiceChecks: [{ ID: "web-up", Namespace: "" }], ...more }),
  });
  log.value(kv.lock("held/1", "s", "one"));
  log.value(kv.lock("held/2", "s", "two"));
  return log;
}

test("creating a session: needs its node, and checks that are there and not critical", () => {
  const log = new Log();
  const create = (more: Parameters<typeof session>[2], name = "n"): Command => ({
    type: "session.create",
    session: session("s", name, more),
  });
  assert.equal(log.refusal(create({}, "nowhere")), "Missing node registration");
  log.value(register("n", { checks: [check("bad", { Status: "critical" }), check("so-so", { Status: "warning" })] }));
  assert.equal(log.refusal(create({ NodeChecks: ["nope"] })), "Missing check 'nope' registration");
  assert.equal(log.refusal(create({ NodeChecks: ["so-so", "bad"] })), "Check 'bad' is in critical state");
  assert.equal(
    log.refusal(create({ ServiceChecks: [{ ID: "bad", Namespace: "" }] })),
    "Check 'bad' is in critical state",
  );
  assert.equal(log.refusal({ type: "session.create", session: session("", "n") }), "Missing session ID");
  assert.equal(log.value(create({ NodeChecks: ["so-so"] })), "s");
  assert.deepEqual(log.store.session("s").value, {
    ...session("s", "n", { NodeChecks: ["so-so"] }),
    CreateIndex: log.index,
    ModifyIndex: log.index,
  });
});

test("checks given in the old way: bind beside NodeChecks, and are kept", () => {
  const log = new Log();
  log.value(register("n", { checks: [check("serf"), check("old"), check("bad", { Status: "critical" })] }));
  const create = (id: string, Checks: string[]): Command => ({
    type: "session.create",
    session: session(id, "n", { NodeChecks: ["serf"], Checks }),
  });
  assert.equal(log.refusal(create("s", ["nope"])), "Missing check 'nope' registration");
  assert.equal(log.refusal(create("s", ["serf", "bad"])), "Check 'bad' is in critical state");
  log.value(create("s", ["serf", "old"]));
  assert.deepEqual(log.store.session("s").value?.Checks, ["serf", "old"]);
  log.value(create("t", ["old"]));
  log.value(register("n", { checks: [check("old", { Status: "critical" })] }));
  assert.deepEqual(log.store.sessions().value, [], "either list ends a session");
  log.value(register("n", { checks: [check("old")] }));
  log.value(create("s", ["old"]));
  log.value(deregister("n", { checkId: "serf" }));
  assert.deepEqual(log.store.sessions().value, []);
});

test("creating a session twice: is one session if it says the same, and a conflict if not", () => {
  const log = new Log();
  log.value(register("n"));
  log.value({ type: "session.create", session: session("s", "n") });
  const again = log.apply({ type: "session.create", session: session("s", "n") });
  assert.deepEqual([again.result, again.changes], [{ ok: true, value: "s" }, []]);
  const other = log.apply({ type: "session.create", session: session("s", "n", { TTL: "30s" }) });
  assert.deepEqual(other.result, { ok: false, error: { code: "conflict", message: "Session 's' exists already" } });
});

test("destroying a session: is true also of none", () => {
  const log = bound();
  assert.equal(log.value(destroy("none")), true);
  assert.equal(log.value(destroy("s")), true);
  assert.deepEqual(log.store.sessions().value, []);
});

const ends: { name: string; by: Command }[] = [
  { name: "is destroyed", by: destroy("s") },
  { name: "loses its node", by: deregister("n") },
  { name: "loses a node check", by: deregister("n", { checkId: "up" }) },
  { name: "has a node check go critical", by: register("n", { checks: [check("up", { Status: "critical" })] }) },
  { name: "loses a service check with its service", by: deregister("n", { serviceId: "web" }) },
  {
    name: "has a service check go critical",
    by: register("n", { checks: [check("web-up", { ServiceID: "web", Status: "critical" })] }),
  },
  {
    name: "has a check go critical in a transaction",
    by: { type: "txn", operations: [op.check("set", check("up", { Node: "n", Status: "critical" }))] },
  },
  {
    name: "loses its node to a renaming",
    by: register(node("renamed", { ID: "40e4a748-2192-161a-0510-9bf59fe950b5" })),
  },
];

for (const { name, by } of ends) {
  for (const behavior of ["release", "delete"] as const) {
    test(`a session with behavior ${behavior} that ${name}: gives its locks up in the same apply`, () => {
      const log = new Log();
      const id = "40e4a748-2192-161a-0510-9bf59fe950b5";
      log.value(
        register(node("n", { ID: id }), {
          service: service("web"),
          checks: [check("up"), check("web-up", { ServiceID: "web" })],
        }),
      );
      log.value({
        type: "session.create",
        session: session("s", "n", {
          Behavior: behavior,
          NodeChecks: ["up"],
          ServiceChecks: [{ ID: "web-up", Namespace: "" }],
        }),
      });
      log.value(kv.lock("held/1", "s", "one"));
      log.value(kv.lock("held/2", "s", "two"));
      log.value(kv.set("free", "x"));
      const command =
        by.type === "catalog.register" && by.node.ID === "" ? { ...by, node: { ...by.node, ID: id } } : by;
      const { changes, topics } = log.apply(command);
      assert.equal(log.store.session("s").value, null);
      assert.deepEqual(log.store.nodeSessions("n").value, []);
      for (const key of ["held/1", "held/2"]) {
        const entry = log.store.kvGet(key);
        assert.equal(entry.index, log.index);
        if (behavior === "delete") assert.equal(entry.value, null);
        else assert.deepEqual([entry.value?.Session, entry.value?.LockIndex], [undefined, 1]);
        assert.ok(topics.includes(`kv:${key}`));
      }
      assert.ok(log.store.kvGet("free").index < log.index);
      assert.deepEqual(releasedLocks(changes), [
        { key: "held/1", lockDelayNs: 15e9 },
        { key: "held/2", lockDelayNs: 15e9 },
      ]);
    });
  }
}

test("a check that goes to warning: keeps its sessions", () => {
  const log = bound();
  log.value(register("n", { checks: [check("up", { Status: "warning" })] }));
  assert.notEqual(log.store.session("s").value, null);
});

test("released locks: none for a lock given back, none without a delay, and never more than 60 s", () => {
  const log = bound();
  assert.deepEqual(releasedLocks(log.apply(kv.unlock("held/1", "s")).changes), []);
  assert.deepEqual(releasedLocks(log.apply(destroy("s")).changes), [{ key: "held/2", lockDelayNs: 15e9 }]);
  assert.deepEqual(releasedLocks(bound({ LockDelay: 0 }).apply(destroy("s")).changes), []);
  const short = bound({ LockDelay: 1e6 }).apply(destroy("s")).changes;
  assert.deepEqual(
    releasedLocks(short).map(({ lockDelayNs }) => lockDelayNs),
    [1e6, 1e6],
  );
  const long = bound({ LockDelay: 90e9 }).apply(destroy("s")).changes;
  assert.equal(releasedLocks(long)[0]?.lockDelayNs, 60e9);
});

test("queries bound to a session: go with it", () => {
  const log = bound();
  log.value({ type: "query.set", query: query("q1", "bound", { Session: "s" }) });
  log.value({ type: "query.set", query: query("q2", "free") });
  log.value(destroy("s"));
  assert.deepEqual(
    log.store.queries().value.map(({ ID }) => ID),
    ["q2"],
  );
});

test("a check of type session: passes while a session of its name is on its node", () => {
  const log = new Log();
  const held = check("held", { Status: "critical", Type: "session", Definition: { SessionName: "leader" } });
  log.value(register("n", { checks: [held] }));
  log.value(register("m"));
  const state = (): string[] => {
    const found = log.store.check("n", "held").value!;
    return [found.Status, found.Output];
  };
  log.value({ type: "session.create", session: session("s0", "m", { Name: "leader" }) });
  log.value({ type: "session.create", session: session("s1", "n", { Name: "other" }) });
  assert.deepEqual(state(), ["critical", ""]);
  log.value({ type: "session.create", session: session("s2", "n", { Name: "leader", NodeChecks: ["held"] }) });
  assert.deepEqual(state(), ["passing", "Session 's2' in force"]);
  assert.equal(log.store.check("n", "held").value?.ModifyIndex, log.index);
  log.value({ type: "session.create", session: session("s3", "n", { Name: "leader" }) });
  log.value(destroy("s2"));
  assert.deepEqual(state(), ["passing", "Session 's3' in force"]);
  log.value(destroy("s3"));
  assert.deepEqual(state(), ["critical", "Session 's3' is invalid"]);
});

test("sessions that carry one another through checks: all end in one apply", () => {
  const log = new Log();
  for (let i = 0; i < 300; i++) {
    const held = check(`c${i}`, { Status: "critical", Type: "session", Definition: { SessionName: `s${i}` } });
    log.value(register("n", { checks: [held] }));
    log.value({
      type: "session.create",
      session: session(`s${i}`, "n", { Name: `s${i}`, NodeChecks: i === 0 ? null : [`c${i - 1}`] }),
    });
  }
  assert.equal(log.store.checksInState("passing").value.length, 300);
  log.value(destroy("s0"));
  assert.equal(log.store.sessions().value.length, 0);
  assert.equal(log.store.checksInState("critical").value.length, 300);
});
