// Which server of another datacenter is asked next.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Timers } from "../../src/host/timers.ts";
import { DatacenterServers, type KnownServer } from "../../src/rpc/datacenter-servers.ts";
import type { Peer } from "../../src/rpc/peer-door.ts";
import { OperationalError } from "../../src/types/error.ts";
import { Random } from "../../src/util/random.ts";

const server = (id: string, distanceMs: number | null = null, isAlive = true): KnownServer => ({
  peer: { id, address: `${id}:8300`, datacenter: "dc2" },
  name: `${id}.dc2`,
  isAlive,
  distanceMs,
});

/** Servers with a clock, and those of them that answer a ping. */
function make(known: KnownServer[], seed = 1) {
  const clock = { now: 0 };
  const answering = new Set<string>();
  const pings: string[] = [];
  const servers = new DatacenterServers({
    timers: new Timers({ now: () => clock.now, wakeAt: () => {} }),
    random: new Random(seed),
    now: () => clock.now,
    ping: ({ id, address }: Peer) => {
      pings.push(id);
      return answering.has(id)
        ? Promise.resolve()
        : Promise.reject(new OperationalError("timeout", `${address}: no answer in time`));
    },
    known: () => known,
  });
  return { servers, clock, answering, pings, known };
}

test("servers of a datacenter: near ones come first, and askers spread over them", async () => {
  const known = [server("far", 80), server("a", 20), server("b", 21), server("c", null)];
  const chosen = new Set<string>();
  for (let seed = 1; seed < 40; seed += 1) chosen.add((await make(known, seed).servers.choose()).id);
  assert.deepEqual([...chosen].sort(), ["a", "b", "c"]);
});

test("servers of a datacenter: an asker stays with one until it fails, and comes back to it only after a while", async () => {
  const { servers, clock } = make([server("a"), server("b")]);
  const before = await servers.choose();
  for (let i = 0; i < 10; i += 1) assert.equal(await servers.choose(), before);
  servers.failed(before, "it broke");
  const after = await servers.choose();
  assert.notEqual(after.id, before.id);
  assert.equal(servers.lost(before, 0), "it broke");
  assert.equal(servers.lost(after, 0), null);
  clock.now += 31_000;
  assert.equal((await servers.choose()).id, before.id);
});

test("servers of a datacenter: when none answers each is pinged, once in a while, and the error says what is wrong with each", async () => {
  const { servers, clock, answering, pings } = make([server("a"), server("b", null, false)]);
  servers.failed(await servers.choose(), "a:8300: connection refused");
  await assert.rejects(Promise.resolve(servers.choose()), {
    code: "unreachable",
    message: /a\.dc2 at a:8300: no answer in time; b\.dc2 at b:8300: no answer in time|b\.dc2 .*; a\.dc2 /,
  });
  assert.deepEqual(pings.sort(), ["a", "b"]);
  await assert.rejects(Promise.resolve(servers.choose()));
  assert.equal(pings.length, 2, "they are not pinged again at once");
  clock.now += 2001;
  // The pool still holds it for failed.
  answering.add("b");
  assert.equal((await servers.choose()).id, "b");
  assert.equal((await servers.choose()).id, "b");
  assert.equal(pings.length, 4);
});

test("servers of a datacenter: who lets somebody wait is pinged, and all others with it; one that has just answered is not", async () => {
  const { servers, pings, answering, clock } = make([server("a"), server("b"), server("c")]);
  const used = await servers.choose();
  servers.answered(used);
  assert.equal(servers.doubt(used), false);
  clock.now += 600;
  answering.add("c");
  let told = 0;
  servers.onChange(() => (told += 1));
  assert.equal(servers.doubt(used), true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(pings.sort(), ["a", "b", "c"]);
  assert.ok(told > 0);
  assert.equal((await servers.choose()).id, "c");
});

test("servers of a datacenter: one that moved, or left, is lost for who waits for it", async () => {
  const { servers, known } = make([server("a")]);
  const { peer } = known[0] as KnownServer;
  known[0] = { ...(known[0] as KnownServer), peer: { ...peer, address: "elsewhere:8300" } };
  servers.update();
  assert.match(servers.lost(peer, 0) ?? "", /has left, or its address is another/);
  assert.equal((await servers.choose()).address, "elsewhere:8300");
  known.length = 0;
  servers.update();
  await assert.rejects(Promise.resolve(servers.choose()), /none of its servers is known/);
});
