// The servers that a client agent knows: it stays with one, moves when that fails, and spreads with others like it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Timers } from "../../src/host/timers.ts";
import { ServerList } from "../../src/rpc/server-list.ts";
import type { Peer } from "../../src/rpc/peer-door.ts";
import { Random } from "../../src/util/random.ts";

const peer = (id: string) => ({ id, address: `10.0.0.${id.slice(1)}:8300` });
const three = [peer("s1"), peer("s2"), peer("s3")];

interface Clock {
  ms: number;
  wakeAtMs: number | null;
}

/** @param ping answers, or does not. */
function makeList(seed: number, now: Clock = { ms: 0, wakeAtMs: null }, ping: () => Promise<void> = async () => {}) {
  const timers = new Timers({
    now: () => now.ms,
    wakeAt: (at) => {
      now.wakeAtMs = at;
    },
  });
  return { list: new ServerList({ timers, random: new Random(seed), ping }), timers };
}

test("server list: empty at first; then it stays with one server while others come and go", () => {
  const { list } = makeList(1);
  assert.deepEqual(list.peers, []);
  list.update(three);
  const used = list.peer as Peer;
  list.update([...three].reverse());
  assert.equal(list.peer?.id, used.id);
  list.update(three.filter(({ id }) => id === used.id));
  assert.equal(list.peer?.id, used.id);
  assert.equal(list.isLost(used), false);
  list.update(three.filter(({ id }) => id !== used.id));
  assert.equal(list.isLost(used), true);
  assert.notEqual(list.peer?.id, used.id);
});

test("server list: a server that failed goes to the end; the only one stays", () => {
  const { list } = makeList(1);
  list.update(three);
  const seen = new Set<string>();
  for (let at = 0; at < three.length; at += 1) {
    const { id } = list.peer as { id: string };
    seen.add(id);
    list.failed(peer(id));
  }
  assert.deepEqual([...seen].sort(), ["s1", "s2", "s3"]);
  const used = list.peer as Peer;
  list.failed(peer(used.id === "s1" ? "s2" : "s1"));
  assert.equal(list.peer?.id, used.id, "the failure of another one moves nobody");
  list.update([used]);
  list.failed(used);
  assert.equal(list.peer?.id, used.id);
});

test("server list: a server at a new address is lost at the old one", () => {
  const { list } = makeList(1);
  list.update([peer("s1")]);
  list.update([{ id: "s1", address: "10.9.9.9:8300" }]);
  assert.equal(list.isLost(peer("s1")), true);
  assert.equal(list.peer?.address, "10.9.9.9:8300");
});

test("server list: clients spread over the servers, and over a new one after the next drawing", () => {
  const counts = new Map<string, number>();
  const later = new Map<string, number>();
  for (let seed = 0; seed < 300; seed += 1) {
    const now: Clock = { ms: 0, wakeAtMs: null };
    const { list, timers } = makeList(seed, now);
    list.start();
    list.update(three.slice(0, 2));
    const first = (list.peer as { id: string }).id;
    counts.set(first, (counts.get(first) ?? 0) + 1);
    list.update(three);
    now.ms = now.wakeAtMs as number;
    timers.wake();
    const then = (list.peer as { id: string }).id;
    later.set(then, (later.get(then) ?? 0) + 1);
    list.stop();
    assert.equal(now.wakeAtMs, null);
  }
  for (const id of ["s1", "s2"]) assert.ok((counts.get(id) ?? 0) > 110, `${id} has ${counts.get(id)} of 300 clients`);
  for (const { id } of three) assert.ok((later.get(id) ?? 0) > 60, `${id} has ${later.get(id)} of 300 clients`);
});

test("server list: those who wait are told of every change, and of nothing else", async () => {
  const { list } = makeList(1);
  let told = 0;
  const forget = list.onChange(() => (told += 1));
  const change = list.untilChange(60_000);
  list.update(three);
  await change;
  list.update([...three]);
  assert.equal(told, 1);
  list.failed(list.peer as Peer);
  assert.equal(told, 2);
  forget();
  list.update([]);
  assert.equal(told, 2);
});

test("server list: a doubted server that answers no ping is lost until it does", async () => {
  let isSilent = true;
  let pings = 0;
  const { list } = makeList(1, undefined, async () => {
    pings += 1;
    if (isSilent) throw new Error("no answer");
  });
  list.update(three);
  const used = list.peer as Peer;
  const lost = list.untilChange(60_000);
  list.doubt(used);
  list.doubt(used);
  await lost;
  assert.equal(pings, 1, "one ping at a time");
  assert.equal(list.isLost(used), true);
  assert.notEqual(list.peer?.id, used.id);
  isSilent = false;
  list.doubt(used);
  for (let turn = 0; turn < 10 && list.isLost(used); turn += 1) await Promise.resolve();
  assert.equal(list.isLost(used), false);
});
