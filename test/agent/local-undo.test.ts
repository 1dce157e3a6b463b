import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalState } from "../../src/agent/local-state.ts";
import { undoable } from "../../src/agent/local-undo.ts";
import { checkRegistration, serviceRegistration } from "../../src/agent/registration.ts";
import { decodeCheckDefinition, decodeServiceDefinition } from "../../src/config/service-definition.ts";

const service = (body: Record<string, unknown>, replace = false) =>
  serviceRegistration(decodeServiceDefinition(body, { source: "http" }), "remote", "", replace);
const check = (body: Record<string, unknown>) => checkRegistration(decodeCheckDefinition(body, { source: "http" }));

function local(): LocalState {
  const state = new LocalState({ nodeName: "n1" });
  state.addService(
    service({
      Name: "web",
      Port: 1,
      Checks: [
        { CheckID: "a", TTL: "1m" },
        { CheckID: "b", TTL: "1m" },
      ],
    }),
  );
  state.updateCheck("a", "passing", "fine", "now");
  return state;
}

/** What a reader of the agent's API sees. */
const shown = ({ services, checks }: LocalState): unknown => ({
  services: [...services.values()].map(({ service, token }) => [service.ID, service.Port, service.Tags, token]).sort(),
  checks: [...checks.values()]
    .map(({ check, spec }) => [check.CheckID, check.Status, check.Output, check.ServiceID, spec?.kind])
    .sort(),
});

test("a new service goes with its checks, and from the catalog", () => {
  const state = local();
  const before = shown(state);
  const undo = undoable(state, { serviceIds: ["db"], checkIds: ["service:db"] }, () =>
    state.addService(service({ Name: "db", Check: { TTL: "1m" } })),
  );
  assert.notDeepEqual(shown(state), before);
  undo();
  assert.deepEqual(shown(state), before);
  assert.deepEqual([...state.removedServices], ["db"]);
});

test("a service that was there comes back with the checks it had and what they showed", () => {
  const state = local();
  const before = shown(state);
  const undo = undoable(state, { serviceIds: ["web"], checkIds: ["a", "c"] }, () =>
    state.addService(
      service(
        {
          Name: "web",
          Port: 2,
          Tags: ["t"],
          Checks: [
            { CheckID: "a", HTTP: "http://x/", Interval: "10s" },
            { CheckID: "c", TTL: "1m" },
          ],
        },
        true,
      ),
    ),
  );
  undo();
  assert.deepEqual(shown(state), before);
  assert.equal(state.services.get("web")?.inSync, false);
  assert.deepEqual([...state.removedChecks], ["c"]);
});

test("a check goes, or comes back with the service that it was taken from", () => {
  const state = local();
  state.addService(service({ Name: "db" }));
  const before = shown(state);
  for (const body of [
    { CheckID: "new", Name: "new", TTL: "1m" },
    { CheckID: "a", Name: "a", ServiceID: "db", TTL: "2m" },
  ]) {
    const undo = undoable(state, { serviceIds: [], checkIds: [body.CheckID] }, () =>
      state.addCheck(check(body), "", "remote"),
    );
    assert.notDeepEqual(shown(state), before);
    undo();
    assert.deepEqual(shown(state), before);
  }
  assert.deepEqual(
    state
      .checksOf("web")
      .map(({ check }) => check.CheckID)
      .sort(),
    ["a", "b"],
  );
});

test("maintenance mode ends again, and stays where it was on before", () => {
  const state = local();
  const enable = () =>
    undoable(state, { serviceIds: [], checkIds: ["_node_maintenance"] }, () => state.enableNodeMaintenance("", ""));
  enable()();
  assert.ok(!state.checks.has("_node_maintenance"));
  enable();
  enable()();
  assert.ok(state.checks.has("_node_maintenance"));
});

test("what somebody else changed since is left alone", () => {
  const state = local();
  const undo = undoable(state, { serviceIds: ["web"], checkIds: ["a"] }, () =>
    state.addService(service({ Name: "web", Port: 2 })),
  );
  state.addService(service({ Name: "web", Port: 3 }));
  state.removeCheck("b");
  undo();
  assert.equal(state.services.get("web")?.service.Port, 3);
  assert.ok(!state.checks.has("b"));
});

test("a result that comes meanwhile is kept, and does not stand in the way", () => {
  const state = local();
  const undo = undoable(state, { serviceIds: ["web"], checkIds: ["a"] }, () =>
    state.addService(service({ Name: "web", Port: 2, Check: { CheckID: "a", TTL: "5m" } })),
  );
  state.updateCheck("a", "warning", "late", "now");
  undo();
  assert.equal(state.services.get("web")?.service.Port, 1);
  assert.deepEqual([state.checks.get("a")?.check.Status, state.checks.get("a")?.check.Output], ["warning", "late"]);
});

test("a change that throws changes nothing and gives nothing to undo", () => {
  const state = local();
  const before = shown(state);
  assert.throws(
    () =>
      undoable(state, { serviceIds: [], checkIds: ["x"] }, () =>
        state.addCheck(check({ CheckID: "x", Name: "x", ServiceID: "none", TTL: "1m" }), "", "remote"),
      ),
    /does not exist/,
  );
  assert.deepEqual(shown(state), before);
});
