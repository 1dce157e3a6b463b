import assert from "node:assert/strict";
import { test } from "node:test";
import { hostOf, isAllowedAddress, versionsMeet } from "../../src/gossip/admission.ts";
import { EventBuffer } from "../../src/gossip/event-buffer.ts";
import { MemberTable, statusOf } from "../../src/gossip/member-table.ts";
import { ProbeRing } from "../../src/gossip/probe-ring.ts";
import type { MemberState, UserEvent } from "../../src/gossip/types.ts";
import { parseCidr } from "../../src/util/ip-address.ts";
import { Random } from "../../src/util/random.ts";
import { VERSIONS } from "./network.ts";
import { recordOf } from "./transcript.ts";

function tableOf(...states: MemberState[]): MemberTable {
  const table = new MemberTable();
  for (const [i, state] of states.entries()) table.setState(table.add(recordOf(`m${i}`), 0), state, 0);
  return table;
}

test("counts follow every change of state", () => {
  const table = tableOf("alive", "alive", "suspect", "dead", "left");
  const m1 = table.get("m1")!;
  assert.deepEqual([table.size, table.reachable, table.suspects], [5, 3, 1]);
  for (const [state, reachable, suspects] of [
    ["suspect", 3, 2],
    ["dead", 2, 1],
    ["left", 2, 1],
    ["alive", 3, 1],
  ] as const) {
    table.setState(m1, state, 1);
    assert.deepEqual([table.reachable, table.suspects], [reachable, suspects], state);
  }
  table.remove(table.get("m2")!);
  table.remove(table.get("m3")!);
  assert.deepEqual([table.size, table.reachable, table.suspects], [3, 2, 0]);
});

test("status: a suspect is alive, a dead member has failed, and both may be leaving", () => {
  const table = tableOf("alive", "suspect", "dead", "left");
  assert.deepEqual(table.all.map(statusOf), ["alive", "alive", "failed", "left"]);
  for (const member of table.all) member.leaving = true;
  assert.deepEqual(table.all.map(statusOf), ["leaving", "leaving", "failed", "left"]);
});

test("pick: different members that fit, as many as there are, each as likely as any", () => {
  const table = tableOf(
    ...Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? ("alive" as const) : ("dead" as const))),
  );
  const random = new Random(1);
  const times = new Map<string, number>();
  for (let round = 0; round < 3000; round += 1) {
    const picked = table.pick(3, random, ({ state }) => state === "alive");
    assert.equal(new Set(picked).size, 3);
    for (const { record } of picked) times.set(record.name, (times.get(record.name) ?? 0) + 1);
  }
  assert.equal(times.size, 10);
  for (const [name, count] of times) assert.ok(count > 750 && count < 1050, `${name} ${count}`);
  assert.equal(table.pick(30, random, ({ state }) => state === "alive").length, 10);
  assert.equal(table.pick(2, random, ({ record }) => record.name === "m7").length, 1);
  assert.equal(table.pick(2, random, () => false).length, 0);
});

test("ring: everybody is probed once in a round, in another order each time; the dead, leaves and this one are not", () => {
  const table = tableOf(...Array.from({ length: 12 }, () => "alive" as const), "dead", "left", "suspect");
  const leaf = table.add({ ...recordOf("leaf"), address: "", anchor: "m1" }, 0);
  table.setState(leaf, "alive", 0);
  const ring = new ProbeRing(table, new Random(1), table.get("m0")!);
  const rounds = [0, 1, 2].map(() => Array.from({ length: 12 }, () => ring.next()!.record.name));
  for (const round of rounds)
    assert.deepEqual(
      [...round].sort(),
      [...table.all]
        .map(({ record }) => record.name)
        .filter((name) => !["m0", "m12", "m13", "leaf"].includes(name))
        .sort(),
    );
  assert.notDeepEqual(rounds[0], rounds[1]);
  const added = table.add(recordOf("new"), 0);
  table.setState(added, "alive", 0);
  ring.add(added);
  const two = Array.from({ length: 25 }, () => ring.next()!.record.name);
  assert.ok(two.filter((name) => name === "new").length >= 1);
});

test("ring: with nobody to probe there is no next", () => {
  const table = tableOf("alive", "dead");
  assert.equal(new ProbeRing(table, new Random(1), table.get("m0")!).next(), null);
});

test("event buffer: each event once, the oldest forgotten, the too old refused", () => {
  const event = (time: number, name: string): UserEvent => ({
    type: "user-event",
    time,
    name,
    payload: new Uint8Array(),
    coalesce: false,
  });
  const buffer = new EventBuffer(4);
  for (const [time, name, clock, isNew] of [
    [1, "a", 2, true],
    [1, "a", 2, false],
    [1, "b", 2, true],
    [3, "a", 4, true],
    [5, "a", 6, true],
    [1, "c", 6, false],
    [2, "a", 6, true],
    [1, "a", 6, false],
    [9, "a", 10, true],
    [5, "z", 10, false],
  ] as const) {
    assert.equal(buffer.add(event(time, name), clock), isNew, `${name} at ${time}`);
  }
  assert.deepEqual(
    buffer.recent.map(({ time }) => time),
    [2, 3, 9],
  );
  buffer.minTime = 20;
  assert.equal(buffer.add(event(19, "a"), 21), false);
  for (let i = 0; i < 16; i += 1) assert.equal(buffer.add(event(20, `e${i}`), 21), true);
  assert.equal(buffer.add(event(20, "one too many"), 21), false);
});

test("addresses: the host of each form", () => {
  for (const [address, host] of [
    ["10.0.0.1:8301", "10.0.0.1"],
    ["[fd00::1]:8301", "fd00::1"],
    ["fd00::1", "fd00::1"],
    ["a.example:80", "a.example"],
    ["a.example", "a.example"],
    ["[", ""],
    ["", ""],
  ] as const) {
    assert.equal(hostOf(address), host, address);
  }
});

test("networks: an address must be in one of them", () => {
  const networks = [parseCidr("10.0.0.0/8")!, parseCidr("fd00::/8")!];
  for (const [address, allowed] of [
    ["10.9.9.9:1", true],
    ["[fd12::1]:1", true],
    ["11.0.0.1:1", false],
    ["name:1", false],
  ] as const) {
    assert.equal(isAllowedAddress(address, networks), allowed, address);
    assert.equal(isAllowedAddress(address, null), true);
    assert.equal(isAllowedAddress(address, []), false);
  }
});

test("versions: each must understand what the other speaks", () => {
  const spoken = (protocolCurrent: number, protocolMin = 1, protocolMax = 5): typeof VERSIONS => ({
    ...VERSIONS,
    protocolMin,
    protocolMax,
    protocolCurrent,
  });
  for (const [a, b, meet] of [
    [spoken(2), spoken(5), true],
    [spoken(2), spoken(6, 1, 6), false],
    [spoken(2), spoken(3, 3, 5), false],
    [spoken(2), { ...VERSIONS, delegateCurrent: 9, delegateMax: 9 }, false],
  ] as const) {
    assert.equal(versionsMeet(a, b), meet);
    assert.equal(versionsMeet(b, a), meet);
  }
});
