// The servers of another datacenter: what the WAN pool says of them is old news beside what they say themselves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Timers } from "../../src/host/timers.ts";
import { DatacenterServers, type KnownServer } from "../../src/rpc/datacenter-servers.ts";
import type { Peer } from "../../src/rpc/peer-door.ts";
import { Random } from "../../src/util/random.ts";

const server = (id: string, isAlive: boolean): KnownServer => ({
  peer: { id, address: `10.0.0.${id.slice(1)}:8300`, datacenter: "dc2" },
  name: `${id}.dc2`,
  isAlive,
  distanceMs: null,
});

function makeServers(first: readonly KnownServer[], answers: (peer: Peer) => boolean) {
  const state = { known: first, nowMs: 0 };
  const now = (): number => state.nowMs;
  const servers = new DatacenterServers({
    timers: new Timers({ now, wakeAt: () => {} }),
    random: new Random(1),
    now,
    ping: async (peer) => assert.ok(answers(peer), "no answer in time"),
    known: () => state.known,
  });
  const tell = (known: readonly KnownServer[]): void => {
    state.known = known;
    servers.update();
  };
  return { servers, state, tell };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test("datacenter servers: one that the pool gives up late is asked, and what it is doing goes on when it answers", async () => {
  const { servers, tell } = makeServers([server("s1", true)], () => true);
  const peer = (await servers.choose()) as Peer;
  servers.answered(peer);
  tell([server("s1", false)]);
  assert.equal(servers.lost(peer, 0), null, "nothing but the pool speaks against it");
  await settled();
  assert.equal(servers.lost(peer, 0), null);
  assert.equal(servers.isSilent, false);
  assert.equal((await servers.choose()).id, "s1");
});

test("datacenter servers: one that the pool gives up and that does not answer is lost", async () => {
  const { servers, tell } = makeServers([server("s1", true)], () => false);
  const peer = (await servers.choose()) as Peer;
  tell([server("s1", false)]);
  await settled();
  assert.match(servers.lost(peer, 0) ?? "", /no answer in time/);
  assert.ok(servers.isSilent);
  await assert.rejects(async () => servers.choose(), /s1\.dc2 at 10\.0\.0\.1:8300: no answer in time/);
});

test("datacenter servers: who is known to be there comes before who answered when it was given up", async () => {
  const { servers, tell } = makeServers([server("s1", true)], () => true);
  servers.answered((await servers.choose()) as Peer);
  tell([server("s1", false), server("s2", true)]);
  await settled();
  assert.equal((await servers.choose()).id, "s2");
  tell([server("s1", false), server("s2", true), server("s3", false)]);
  servers.failed(server("s2", true).peer, "connection refused");
  assert.equal((await servers.choose()).id, "s1", "its own answer is worth more than the pool's word");
});

test("datacenter servers: that one was silent before says nothing of a request that was sent later", async () => {
  const { servers, state } = makeServers([server("s1", true)], () => false);
  const peer = (await servers.choose()) as Peer;
  servers.failed(peer, "connection refused");
  // Its time is over: it is asked again.
  state.nowMs = 40_000;
  assert.equal((await servers.choose()).id, "s1");
  assert.equal(servers.lost(peer, 40_000), null);
  assert.match(servers.lost(peer, 0) ?? "", /connection refused/);
  state.nowMs = 40_500;
  assert.ok(servers.doubt(peer), "it is pinged though it was silent before");
  await settled();
  assert.match(servers.lost(peer, 40_000) ?? "", /no answer in time/);
});
