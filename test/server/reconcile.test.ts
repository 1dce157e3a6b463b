// What the catalog is told of a member of the LAN pool: pure tables, (member, store) → command or nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { absentMembers, type Member, reconcileMember } from "../../src/server/reconcile.ts";
import type { Command } from "../../src/state/command.ts";
import { StateStore } from "../../src/state/store.ts";
import { toUserMap } from "../../src/util/user-map.ts";

const client: Member = {
  name: "c1",
  id: "00000001-1111-1111-1111-111111111111",
  address: "10.0.0.1",
  datacenter: "dc1",
  status: "alive",
  server: null,
};
const server: Member = {
  ...client,
  name: "s1",
  id: "00000002-1111-1111-1111-111111111111",
  server: { port: 8300, meta: toUserMap([["version", "1"]]) },
};

/** A store that has been told of these members, one after the other. */
function storeAfter(...members: Member[]): StateStore {
  const state = new StateStore();
  let index = 0;
  for (const member of members) {
    const command = reconcileMember(member, state);
    if (command === null) continue;
    const { result } = state.apply((index += 1), command);
    assert.ok(result.ok, `the store refuses ${JSON.stringify(command)}`);
  }
  return state;
}

const health = (state: StateStore, node: string): string | undefined => state.check(node, "serfHealth").value?.Status;

test("reconcile: an alive member is registered once, with serfHealth, and a server with its service", () => {
  const state = storeAfter(client, server);
  assert.equal(state.node("c1").value?.Address, "10.0.0.1");
  assert.equal(health(state, "c1"), "passing");
  assert.deepEqual(state.nodeServices("c1").value?.Services, []);
  const [service] = state.nodeServices("s1").value?.Services ?? [];
  assert.equal(service?.ID, "consul");
  assert.equal(service?.Port, 8300);
  assert.equal(reconcileMember(client, state), null);
  assert.equal(reconcileMember(server, state), null);
});

test("reconcile: an agent that came back with another id takes its name over, and the sessions of before have ended", () => {
  const state = storeAfter(client);
  const session = {
    ID: "00000009-1111-1111-1111-111111111111",
    Name: "",
    Node: "c1",
    Checks: ["serfHealth"],
    NodeChecks: ["serfHealth"],
    ServiceChecks: [],
    LockDelay: 0,
    Behavior: "release",
    TTL: "",
  } as const;
  assert.ok(state.apply(2, { type: "session.create", session } as unknown as Command).result.ok);
  const next = { ...client, id: "00000003-1111-1111-1111-111111111111" };
  const first = reconcileMember(next, state) as Command;
  assert.ok(state.apply(3, first).result.ok);
  assert.equal(health(state, "c1"), "critical");
  assert.equal(state.sessions().value.length, 0);
  assert.ok(state.apply(4, reconcileMember(next, state) as Command).result.ok);
  assert.deepEqual([state.node("c1").value?.ID, health(state, "c1")], [next.id, "passing"]);
  assert.equal(reconcileMember(next, state), null);
});

test("reconcile: whatever an alive member changes is written again", () => {
  const state = storeAfter(client, server);
  assert.notEqual(reconcileMember({ ...client, address: "10.0.0.9" }, state), null);
  assert.notEqual(
    reconcileMember({ ...server, server: { port: 8300, meta: toUserMap([["version", "2"]]) } }, state),
    null,
  );
  assert.notEqual(
    reconcileMember({ ...server, server: { port: 8301, meta: toUserMap([["version", "1"]]) } }, state),
    null,
  );
});

test("reconcile: a failed member is critical, once, and passing again when it is back", () => {
  const failed: Member = { ...client, status: "failed" };
  const state = storeAfter(client, failed);
  assert.equal(health(state, "c1"), "critical");
  assert.equal(reconcileMember(failed, state), null);
  const command = reconcileMember(client, state);
  assert.ok(command !== null && state.apply(9, command).result.ok);
  assert.equal(health(state, "c1"), "passing");
});

test("reconcile: who left goes with all it had; who is leaving stays as it is", () => {
  const state = storeAfter(client);
  assert.equal(reconcileMember({ ...client, status: "leaving" }, state), null);
  assert.deepEqual(reconcileMember({ ...client, status: "left" }, state), {
    type: "catalog.deregister",
    node: "c1",
    serviceId: "",
    checkId: "",
  });
  assert.equal(reconcileMember({ ...client, status: "left" }, new StateStore()), null);
});

test("reconcile: what the agent said of its node is kept when the pool says it failed", () => {
  const state = storeAfter(client);
  const node = state.node("c1").value;
  assert.ok(node !== null);
  const meta = toUserMap([["rack", "7"]]);
  const registered = state.apply(5, {
    type: "catalog.register",
    node: { ID: node.ID, Node: "c1", Address: node.Address, Datacenter: "dc1", TaggedAddresses: null, Meta: meta },
    service: null,
    checks: [],
    skipNodeUpdate: false,
  });
  assert.ok(registered.result.ok);
  const command = reconcileMember({ ...client, status: "failed" }, state);
  assert.ok(command !== null && state.apply(6, command).result.ok);
  assert.equal(state.node("c1").value?.Meta?.["rack"], "7");
});

test("reconcile: nodes of the pool that it does not know are absent; nodes registered by hand are not", () => {
  const state = storeAfter(client, server);
  const external = state.apply(7, {
    type: "catalog.register",
    node: { ID: "", Node: "db", Address: "10.0.0.7", Datacenter: "dc1", TaggedAddresses: null, Meta: null },
    service: null,
    checks: [],
    skipNodeUpdate: false,
  });
  assert.ok(external.result.ok);
  const absent = absentMembers([server], "dc1", state);
  assert.deepEqual(
    absent.map(({ name, status }) => [name, status]),
    [["c1", "failed"]],
  );
  assert.deepEqual(absentMembers([server, client], "dc1", state), []);
});
