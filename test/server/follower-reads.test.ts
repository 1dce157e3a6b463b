import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "../../src/codec/value.ts";
import { kvGet } from "../../src/endpoint/kv.ts";
import { Timers } from "../../src/host/timers.ts";
import { type Peer, PeerClient } from "../../src/rpc/peer-door.ts";
import type { QueryOptions } from "../../src/rpc/authority.ts";
import { Blocking } from "../../src/server/blocking.ts";
import { FollowerReads } from "../../src/server/follower-reads.ts";
import { ReadCache } from "../../src/server/read-cache.ts";
import { encodeAnswer } from "../../src/rpc/envelope.ts";
import { StateStore } from "../../src/state/store.ts";
import { Watches } from "../../src/state/watch.ts";
import { OperationalError } from "../../src/types/error.ts";
import { utf8 } from "../../src/util/bytes.ts";
import { RequestIds } from "../../src/rpc/request-ids.ts";
import { Random } from "../../src/util/random.ts";
import { queryPacket } from "../dns/ask.ts";
import { testConfig } from "../support/agent.ts";
import type { RunningAgent } from "../../src/index.ts";
import { VirtualClock } from "../host/virtual-clock.ts";
import { Cluster, type Node } from "./cluster.ts";

const NOW: QueryOptions = { consistency: "default", index: 0, waitMs: 0 };
const LEADER: Peer = { id: "leader", address: "10.0.0.1:8300" };

/** A follower whose leader is the test: it answers the calls in its own time. */
class Follower {
  readonly clock = new VirtualClock();
  readonly timers = new Timers(this.clock);
  readonly state = new StateStore();
  readonly watches = new Watches();
  readonly cache = new ReadCache(this.watches, 16);
  readonly random = new Random(1);
  readonly calls: { path: string; answer(value: unknown): void; fail(error: OperationalError): void }[] = [];
  readonly reads: FollowerReads;
  applied = 0;
  leader: Peer | null = LEADER;

  constructor() {
    this.clock.wake = () => this.timers.wake();
    const client = new PeerClient(
      { id: "me", datacenter: "dc1", address: "10.0.0.2:8300" },
      {
        call: (_address, path) =>
          new Promise((resolve, reject) => {
            this.calls.push({ path, answer: (value) => resolve(encodeAnswer(encode(value))), fail: reject });
          }),
      },
      new RequestIds((length) => new Uint8Array(length)),
    );
    this.reads = new FollowerReads({
      timers: this.timers,
      client,
      blocking: new Blocking(this),
      electionTimeoutMs: 500,
      leaderPeer: () => this.leader,
      appliedIndex: () => this.applied,
      readIndex: () => assert.fail("it does not lead"),
    });
  }

  apply(index: number, key: string, value: string): void {
    const command = { type: "kv.set", key, value: utf8(value), flags: 0 } as const;
    const { topics } = this.state.apply(index, command);
    this.applied = index;
    this.watches.notify(topics, index);
    this.reads.applied(index);
  }

  async get(key: string, options = NOW): Promise<string | null> {
    const { shared } = await this.reads.query(kvGet, key, options);
    const { value } = shared.read;
    return value === null ? null : new TextDecoder().decode(value.Value);
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("follower reads: all that come before the call is sent share it, who comes later waits for the next", async () => {
  const follower = new Follower();
  follower.apply(5, "a", "1");
  const early = [follower.get("a"), follower.get("a"), follower.get("b")];
  await settle();
  assert.equal(follower.calls.length, 1);
  const late = follower.get("a");
  await settle();
  assert.equal(follower.calls.length, 1, "one call is under way at a time");
  follower.calls[0]?.answer(5);
  assert.deepEqual(await Promise.all(early), ["1", "1", null]);
  await settle();
  assert.equal(follower.calls.length, 2, "the answer to an earlier call says nothing about a later read");
  follower.calls[1]?.answer(6);
  await settle();
  follower.apply(6, "a", "2");
  assert.equal(await late, "2");
});

test("follower reads: consistent ones do not share the calls of others", async () => {
  const follower = new Follower();
  void follower.get("a").catch(() => {});
  void follower.get("a", { ...NOW, consistency: "consistent" }).catch(() => {});
  await settle();
  assert.deepEqual(
    follower.calls.map(({ path }) => path),
    ["/rpc/1/read-index", "/rpc/1/read-index"],
  );
});

test("follower reads: nothing is answered before the index is applied, and the leader answers for a store that lags", async () => {
  const follower = new Follower();
  const read = follower.get("a");
  await settle();
  follower.calls[0]?.answer(9);
  await settle();
  follower.apply(8, "a", "old");
  await settle();
  assert.equal(follower.calls.length, 1);
  follower.clock.advance(300);
  await settle();
  assert.equal(follower.calls[1]?.path, "/rpc/1/call");
  const entry = { Key: "a", Value: utf8("new"), Flags: 0, LockIndex: 0, CreateIndex: 1, ModifyIndex: 9 };
  follower.calls[1]?.answer({ value: entry, index: 9, knownLeader: true, lastContactMs: 0 });
  assert.equal(await read, "new");
});

test("follower reads: what is under way when another leads is asked again by the door, whatever its answer", async () => {
  const follower = new Follower();
  const read = follower.get("a");
  await settle();
  follower.leader = { id: "other", address: "10.0.0.3:8300" };
  follower.reads.leaderChanged(true);
  await assert.rejects(read, { code: "not-leader" });
  const again = follower.get("a");
  await settle();
  assert.equal(follower.calls.length, 2);
  follower.calls[0]?.answer(0);
  follower.apply(3, "a", "1");
  follower.calls[1]?.answer(3);
  assert.equal(await again, "1");
});

test("follower reads: an error of the leader is the reader's, and the next one asks anew", async () => {
  const follower = new Follower();
  const read = follower.get("a");
  await settle();
  follower.calls[0]?.fail(new OperationalError("unreachable", "gone"));
  await assert.rejects(read, { code: "unreachable" });
  follower.leader = null;
  await assert.rejects(follower.get("a"), { code: "no-leader" });
});

test("follower reads: a blocking query waits here, and asks again when it wakes", async () => {
  const follower = new Follower();
  follower.apply(5, "a", "1");
  const read = follower.get("a", { consistency: "default", index: 5, waitMs: 60_000 });
  await settle();
  follower.calls[0]?.answer(5);
  await settle();
  follower.apply(6, "b", "x");
  await settle();
  assert.equal(follower.calls.length, 1);
  follower.apply(7, "a", "2");
  await settle();
  assert.equal(follower.calls.length, 2);
  // Before the answer has come, more has happened.
  follower.apply(8, "a", "3");
  follower.calls[1]?.answer(8);
  assert.equal(await read, "3");
});

test("follower reads: without a leader for long, who waits is sent back to the door", async () => {
  const follower = new Follower();
  follower.apply(5, "a", "1");
  const read = follower.get("a", { consistency: "default", index: 5, waitMs: 60_000 });
  await settle();
  follower.calls[0]?.answer(5);
  await settle();
  follower.leader = null;
  follower.reads.leaderChanged(false);
  follower.clock.advance(1500);
  await settle();
  follower.clock.advance(1000);
  await assert.rejects(read, { code: "not-leader" });
});

const dnsStatus = (answer: Uint8Array | null): number => ((answer as Uint8Array)[3] as number) & 0x0f;

test("follower reads: discovery_max_stale and dns_config say how stale catalog, health and DNS may be", async () => {
  const base = testConfig({ flags: ["-dev"] });
  const cluster = await Cluster.start(3, {
    seed: 22,
    config: { discoveryMaxStaleMs: 10_000, dns: { ...base.dns, maxStaleMs: 1000 } },
  });
  try {
    const leader = await cluster.untilLeader();
    await cluster.untilEqual();
    const follower = cluster.nodes.find((node) => node !== leader) as Node;
    const health = await cluster.run(follower.fetch("GET", "/v1/health/service/consul"));
    assert.equal(health.header("x-consul-effective-consistency"), "stale");
    const asked = await cluster.run(follower.fetch("GET", "/v1/health/service/consul?consistent"));
    assert.equal(asked.header("x-consul-effective-consistency"), "consistent");
    const ask = async (): Promise<Uint8Array | null> =>
      (follower.running as RunningAgent).dns(queryPacket("A", "consul.service.consul"), "udp", "127.0.0.1");
    assert.equal(dnsStatus(await cluster.run(ask())), 0);
    cluster.cut([follower]);
    await cluster.advance(5000);
    assert.equal(dnsStatus(await cluster.run(ask())), 2, "the server fails rather than say what is old");
  } finally {
    await cluster.stop();
  }
});

/** A cluster of three with a key that all hold; gives a server that does not lead, and the one that does. */
async function withFollower(body: (cluster: Cluster, follower: Node, leader: Node) => Promise<void>): Promise<void> {
  const cluster = await Cluster.start(3, { seed: 21 });
  try {
    const leader = await cluster.untilLeader();
    const written = await cluster.run(leader.fetch("PUT", "/v1/kv/a", "1"));
    assert.equal(written.text, "true");
    await cluster.untilEqual();
    await body(cluster, cluster.nodes.find((node) => node !== leader) as Node, leader);
  } finally {
    await cluster.stop();
  }
}

test("follower reads: fifty readers cost the leader a call or two, and see what was written last", async () => {
  await withFollower(async (cluster, follower, leader) => {
    await cluster.run(leader.fetch("PUT", "/v1/kv/a", "2"));
    for (const query of ["?raw", "?raw&consistent"]) {
      const before = cluster.calls;
      const startedMs = cluster.nowMs;
      const answers = await cluster.run(
        Promise.all(Array.from({ length: 50 }, () => follower.fetch("GET", `/v1/kv/a${query}`))),
      );
      assert.deepEqual(new Set(answers.map((answer) => answer.text)), new Set(["2"]));
      assert.equal(answers[0]?.header("x-consul-lastcontact"), "0");
      assert.equal(answers[0]?.header("x-consul-knownleader"), "true");
      // Heartbeats go on meanwhile.
      assert.ok(cluster.calls - before < 20, `${cluster.calls - before} calls in ${cluster.nowMs - startedMs} ms`);
    }
  });
});

test("follower reads: blocking queries are parked at the follower, not at the leader", async () => {
  await withFollower(async (cluster, follower, leader) => {
    const seen = await cluster.run(follower.fetch("GET", "/v1/kv/a"));
    const waiting = follower.fetch("GET", `/v1/kv/a?raw&wait=5m&index=${seen.header("x-consul-index")}`);
    await cluster.until(() => follower.server.blocked === 1, "it waits");
    assert.equal(leader.server.blocked, 0);
    await cluster.run(leader.fetch("PUT", "/v1/kv/a", "2"));
    assert.equal((await cluster.run(waiting, 1000)).text, "2");
  });
});

test("follower reads: who is cut off holds a read for a while and then refuses it, also one that was waiting", async () => {
  await withFollower(async (cluster, follower) => {
    const seen = await cluster.run(follower.fetch("GET", "/v1/kv/a"));
    const waiting = follower.fetch("GET", `/v1/kv/a?raw&wait=5m&index=${seen.header("x-consul-index")}`);
    await cluster.until(() => follower.server.blocked === 1, "it waits");
    cluster.cut([follower]);
    for (const query of ["", "?consistent"]) {
      const refused = await cluster.run(follower.fetch("GET", `/v1/kv/a${query}`), 20_000);
      assert.deepEqual([refused.status, refused.text], [500, "No cluster leader"]);
    }
    const ended = await cluster.run(waiting, 20_000);
    assert.deepEqual([ended.status, ended.text], [500, "No cluster leader"]);
  });
});

test("follower reads: a stale answer says how stale it is, and is encoded once for many", async () => {
  await withFollower(async (cluster, follower) => {
    const contacts = new Set<string | null>();
    for (let i = 0; i < 20; i += 1) {
      await cluster.advance(7);
      const stale = await cluster.run(follower.fetch("GET", "/v1/kv/a?stale"));
      assert.equal(stale.header("x-consul-knownleader"), "true");
      assert.equal(stale.json()[0].Value, btoa("1"));
      assert.ok(Number(stale.header("x-consul-lastcontact")) < 200);
      contacts.add(stale.header("x-consul-lastcontact"));
    }
    assert.ok(contacts.size > 3, [...contacts].join(" "));
  });
});

test("follower reads: a stale answer older than max_stale is asked for anew, and says so", async () => {
  await withFollower(async (cluster, follower) => {
    const path = "/v1/catalog/nodes?max_stale=";
    const within = await cluster.run(follower.fetch("GET", `${path}1h`));
    assert.equal(within.header("x-consul-effective-consistency"), "stale");
    await cluster.until(() => follower.server.raft.lastContact(cluster.nowMs) > 20, "a heartbeat is due");
    const beyond = await cluster.run(follower.fetch("GET", `${path}10ms`));
    assert.equal(beyond.header("x-consul-effective-consistency"), "leader");
    assert.equal(beyond.header("x-consul-lastcontact"), "0");
    const none = await cluster.run(follower.fetch("GET", `${path}0s`));
    assert.equal(none.header("x-consul-effective-consistency"), "leader");
    cluster.cut([follower]);
    await cluster.advance(5000);
    assert.equal((await cluster.run(follower.fetch("GET", "/v1/kv/a?raw&max_stale=1h"))).text, "1");
    const refused = await cluster.run(follower.fetch("GET", "/v1/kv/a?raw&max_stale=1s"));
    assert.deepEqual([refused.status, refused.text], [500, "No cluster leader"]);
  });
});

test("follower reads: a call that asks for the leader's own answer is refused by others", async () => {
  await withFollower(async (cluster, follower, leader) => {
    const call = { name: kvGet.name, args: "a", options: { consistency: "default", index: 0, waitMs: 0 } };
    const client = new PeerClient(
      { id: leader.id, datacenter: "dc1", address: leader.address },
      {
        call: (address, path, body, timeoutMs) => cluster.carry(leader, address, path, body, timeoutMs),
      },
      new RequestIds((length) => new Uint8Array(length)),
    );
    const asked = client.call({ id: follower.id, address: follower.address }, "/rpc/1/call", encode(call), 5000);
    await assert.rejects(cluster.run(asked), { code: "not-leader" });
    const again = client.call({ id: follower.id, address: follower.address }, "/rpc/1/forward", encode(call), 5000);
    const { value } = decode(await cluster.run(again)) as { value: unknown };
    assert.ok(value !== null, "a server that does not lead answers as well as the leader does");
  });
});
