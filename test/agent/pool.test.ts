import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRequest } from "../../src/codec/gossip-message.ts";
import { openAnswer, requestHead } from "../../src/agent/pool-envelope.ts";
import { decodeAnswer } from "../../src/codec/gossip-message.ts";
import { parseCidr } from "../../src/util/ip-address.ts";
import { suspicionTimeoutMs } from "../../src/gossip/scaling.ts";
import { OperationalError } from "../../src/types/error.ts";
import { concat, text, utf8 } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";
import { joinError } from "../../src/agent/pool-join.ts";
import { PoolNetwork, type TestMember } from "./pool-network.ts";

const others = (network: PoolNetwork, one: TestMember): TestMember[] => network.members.filter((each) => each !== one);

test("pool: members join through any of them, and all know all", async () => {
  const network = await PoolNetwork.joined(5);
  for (const { pool } of network.members) {
    assert.deepEqual(
      pool.members.map(({ name, address, status }) => [name, address, status]),
      [1, 2, 3, 4, 5].map((at) => [`n${at}`, `10.0.0.${at}:8301`, "alive"]),
    );
    assert.equal(pool.member("n2")?.tags.dc, "dc1");
  }
  const [first] = network.members;
  assert.ok(first!.lines.includes("[INFO]  agent.server.serf.lan: serf: EventMemberJoin: n5 10.0.0.5"));
  assert.deepEqual(first!.memberEvents[0], ["join", "n1"]);
});

test("pool: a killed member has failed in the time the formulas say, and a restarted one is alive again", async () => {
  const network = await PoolNetwork.joined(5);
  const victim = network.members[4]!;
  await network.advance(2000);
  victim.kill();
  const rest = others(network, victim);
  const tookMs = await network.until(
    () => rest.every((member) => member.statusOf(victim) === "failed"),
    "all see it failed",
  );
  // At the latest: its turn in everybody's ring, one interval for the probe, a suspicion that nobody confirms, and the news.
  const suspicionMs = suspicionTimeoutMs(4, 5, 1000);
  assert.ok(tookMs >= suspicionMs, `${tookMs} ms is less than the suspicion of ${suspicionMs}`);
  assert.ok(tookMs <= 2 * 4 * 1000 + 1000 + 6 * suspicionMs + 2000, `${tookMs} ms`);
  assert.ok(rest[0]!.memberEvents.some(([event, name]) => event === "failed" && name === victim.name));
  await victim.restart();
  await network.until(
    () => network.members.every(({ pool }) => pool.counts.alive === 5),
    "it finds back by what it remembers",
  );
  assert.ok(victim.lines.some((line) => line.includes("serf: Re-joined to previously known node")));
});

test("pool: a member that leaves has left, does not come back by itself, and does with rejoin_after_leave", async () => {
  for (const rejoinAfterLeave of [false, true]) {
    const network = await PoolNetwork.joined(3);
    const leaver = network.member("leaver", { rejoinAfterLeave });
    await leaver.start();
    await network.run(leaver.pool.join(["10.0.0.1"], true));
    await network.until(() => network.members.every(({ pool }) => pool.counts.alive === 4), "it is in");
    await network.run(leaver.pool.leave());
    await leaver.pool.stop();
    leaver.kill();
    assert.equal(leaver.pool.hasLeft, true);
    const rest = others(network, leaver);
    await network.until(() => rest.every((member) => member.statusOf(leaver) === "left"), "it has left");
    assert.ok(!rest[0]!.memberEvents.some(([event]) => event === "failed"));
    await leaver.restart();
    await network.advance(70_000);
    assert.equal(leaver.pool.counts.alive, rejoinAfterLeave ? 4 : 1, `rejoin_after_leave ${rejoinAfterLeave}`);
  }
});

test("pool: force-leave makes a failed member one that has left, and with prune forgets it", async () => {
  const network = await PoolNetwork.joined(4);
  const [first, second, third, fourth] = network.members as [TestMember, TestMember, TestMember, TestMember];
  third.kill();
  fourth.kill();
  const rest = [first, second];
  await network.until(() => rest.every(({ pool }) => pool.counts.failed === 2), "both failed");
  assert.equal(await network.run(first.pool.forceLeave("nobody", false)), false);
  assert.equal(await network.run(first.pool.forceLeave("n3", false)), true);
  assert.equal(await network.run(first.pool.forceLeave("n4", true)), true);
  await network.until(
    () => rest.every((member) => member.statusOf(third) === "left" && member.view(fourth) === undefined),
    "left and forgotten everywhere",
  );
});

test("pool: an event comes to every member once, and not to who joins later", async () => {
  const network = await PoolNetwork.joined(4);
  const [first] = network.members;
  await network.run(first!.pool.fire("deploy", utf8("v2"), false));
  assert.equal(first!.events.length, 1, "delivered here at once");
  await network.until(() => network.members.every(({ events }) => events.length === 1), "everywhere");
  for (const { events } of network.members) {
    assert.equal(events[0]!.name, "deploy");
    assert.equal(text(events[0]!.payload), "v2");
    assert.equal(events[0]!.time, first!.events[0]!.time);
  }
  const late = network.member("late");
  await late.start();
  await network.run(late.pool.join(["10.0.0.1"], true));
  await network.advance(65_000);
  assert.equal(late.events.length, 0);
  assert.ok(network.members.every(({ events }) => events.length <= 1));
  await assert.rejects(
    first!.pool.fire("deploy", new Uint8Array(2100), false),
    (error) => error instanceof OperationalError && error.code === "refused" && /2048 bytes/.test(error.message),
  );
});

test("pool: Lamport times survive a restart of all, and old events stay delivered", async () => {
  const network = await PoolNetwork.joined(2);
  const [first, second] = network.members as [TestMember, TestMember];
  for (let at = 0; at < 5; at += 1) await network.run(first.pool.fire("e", Uint8Array.of(at), false));
  await network.until(() => second.events.length === 5, "all there");
  await network.advance(3000);
  const before = first.pool.status.eventTime;
  first.kill();
  second.kill();
  await first.restart();
  await second.restart();
  await network.until(() => network.members.every(({ pool }) => pool.counts.alive === 2), "found each other");
  assert.ok(first.pool.status.eventTime >= before);
  await network.run(second.pool.fire("e", Uint8Array.of(9), false));
  await network.until(() => first.events.length === 6, "a new event comes");
  assert.equal(second.events.length, 6);
  assert.ok(first.events[5]!.time >= before);
});

test("pool: changed tags come to all", async () => {
  const network = await PoolNetwork.joined(3);
  const [first, , third] = network.members as [TestMember, TestMember, TestMember];
  await network.run(first.pool.setTags({ ...first.pool.self.tags, acls: "1" }));
  await network.until(() => third.pool.member("n1")?.tags.acls === "1", "the new tag is there");
  assert.ok(third.memberEvents.some(([event, name]) => event === "update" && name === "n1"));
});

test("pool: retry_join tries until somebody is there", async () => {
  const network = new PoolNetwork();
  const retryJoin = { addresses: ["10.0.0.2", "seeds.example"], intervalMs: 30_000, attemptsMax: 0 };
  const early = network.member("early", { retryJoin });
  await early.start();
  await network.advance(65_000);
  assert.equal(early.lines.filter((line) => line.includes("Join cluster failed, will retry")).length, 3);
  assert.ok(
    early.lines.some(
      (line) => line.includes("lookup seeds.example: no such host") && line.includes("connection refused"),
    ),
  );
  const late = network.member("late");
  await late.start();
  const completed = "[INFO]  agent: Join cluster completed. Synced with initial agents: cluster=LAN num_agents=1";
  await network.until(() => early.lines.includes(completed), "joined at the next attempt", 31_000);
  assert.equal(early.pool.counts.alive, 2);
  const lines = early.lines.length;
  await network.advance(60_000);
  assert.ok(!early.lines.slice(lines).some((line) => line.includes("joining")), "and no more");
});

test("pool: retry_join gives up after so many attempts, and says so once", async () => {
  const network = new PoolNetwork();
  const retryJoin = { addresses: ["10.0.0.9"], intervalMs: 1000, attemptsMax: 2 };
  const lonely = network.member("lonely", { retryJoin });
  await lonely.start();
  await network.until(() => lonely.exhausted === 1, "given up");
  assert.ok(lonely.lines.some((line) => line.includes("agent: max join retry exhausted, exiting")));
  await network.advance(10_000);
  assert.equal(lonely.exhausted, 1);
});

test("pool: a name that is this agent itself is nobody; the others that it names are joined", async () => {
  const network = new PoolNetwork();
  const retryJoin = { addresses: ["servers.example"], intervalMs: 5000, attemptsMax: 0 };
  network.names.set("servers.example", ["10.0.0.1", "10.0.0.2"]);
  const [a, b] = [network.member("a", { retryJoin }), network.member("b", { retryJoin })];
  await a.start();
  await network.advance(6000);
  assert.ok(
    a.lines.some((line) => line.includes("will retry")),
    "alone is not joined",
  );
  await b.start();
  await network.until(() => a.pool.counts.alive === 2 && b.pool.counts.alive === 2, "joined");
  const alone = network.member("alone", { retryJoin: { ...retryJoin, addresses: ["10.0.0.3:8301"] } });
  await alone.start();
  await network.advance(1000);
  assert.ok(
    alone.lines.some((line) => line.includes("Join cluster completed")),
    "only itself: it is there",
  );
});

test("pool: agents of another datacenter, of the other pool, or with a taken node id do not get in", async () => {
  const network = await PoolNetwork.joined(1);
  const foreign = network.member("foreign", { datacenter: "dc2" });
  const wan = network.member("wan", {}, "wan");
  const twin = network.member("twin", { nodeId: network.members[0]!.config.nodeId });
  const client = network.member("client", { server: false }, "wan");
  for (const member of [foreign, wan, twin, client]) await member.start();
  const textOf = async (member: TestMember, address: string): Promise<string> => {
    const { contacted, failures } = await network.run(member.pool.join([address], true));
    assert.equal(contacted, 0);
    return joinError(failures).message;
  };
  assert.equal(
    await textOf(foreign, "10.0.0.1"),
    "1 error occurred:\n\t* Failed to join 10.0.0.1:8301: this is datacenter 'dc1', and the call is for agents of datacenter 'dc2'. Correct the `datacenter` of one of them, or join the datacenters by their servers' WAN pools (-retry-join-wan, join -wan)\n\n",
  );
  assert.match(await textOf(wan, "10.0.0.1:8301"), /no calls to \/gossip\/1\/wan are answered there/);
  assert.match(await textOf(twin, "10.0.0.1"), /conflicting node ID/);
  assert.match(await textOf(client, wan.address), /Member 'client.dc1' is not a server/);
  // Were they to come to the right place all the same, the envelope says it.
  const bytes = await network.members[0]!.pool.handle("10.0.0.9", requestHead({ kind: "wan", datacenter: "dc1" }));
  const answer = decodeAnswer(openAnswer(bytes)!);
  assert.ok(
    answer?.type === "refused" && /LAN pool of datacenter 'dc1', and the call is for a WAN pool/.test(answer.text),
  );
  assert.equal(network.members[0]!.pool.members.length, 1);
});

test("pool: only addresses of the allowed networks may speak", async () => {
  const network = new PoolNetwork();
  const base = network.member("first").config.gossipLan;
  const guarded = network.member("guarded", {
    gossipLan: { ...base, advertiseAddress: "10.0.0.2", allowedCidrs: [parseCidr("10.0.0.2/31")!] },
  });
  const [inside, outside] = [network.member("inside"), network.member("outside")];
  for (const member of [guarded, inside, outside]) await member.start();
  assert.equal((await network.run(inside.pool.join([guarded.address], true))).contacted, 1);
  const { contacted, failures } = await network.run(outside.pool.join([guarded.address], true));
  assert.equal(contacted, 0);
  assert.match(failures[0]!.text, /requests from 10\.0\.0\.4 are not allowed/);
});

test("pool: hostile bytes at the door are refused, and nothing comes of them", async () => {
  const network = await PoolNetwork.joined(2);
  const { pool } = network.members[0]!;
  const random = new Random(7);
  const head = requestHead({ kind: "lan", datacenter: "dc1" });
  const good = concat([head, encodeRequest({ type: "ping", from: "x", target: "n1", updates: [], received: 0 })]);
  let refused = 0;
  for (let round = 0; round < 3000; round += 1) {
    const noise = Uint8Array.from({ length: random.below(80) }, () => random.below(256));
    const bytes = round % 3 === 0 ? noise : round % 3 === 1 ? concat([head, noise]) : good.slice();
    if (round % 3 === 2) bytes[random.below(bytes.length)] = random.below(256);
    const answer = decodeAnswer(openAnswer(await pool.handle("10.0.0.66", bytes))!);
    assert.ok(answer !== null);
    if (answer.type === "refused") refused += 1;
  }
  assert.ok(refused > 2000);
  await network.advance(5000);
  assert.deepEqual(
    pool.members.map(({ name, status }) => [name, status]),
    [
      ["n1", "alive"],
      ["n2", "alive"],
    ],
  );
});

test("pool: an agent whose loop was late lowers its own health, not others'", async () => {
  const network = await PoolNetwork.joined(3);
  const { pool } = network.members[0]!;
  pool.loopDelay(50);
  assert.equal(pool.status.healthScore, 0);
  pool.loopDelay(2500);
  assert.equal(pool.status.healthScore, 3);
  await network.until(() => pool.status.healthScore === 0, "it recovers");
});

test("pool: members learn coordinates from the round trips of probes", async () => {
  const network = await PoolNetwork.joined(3);
  await network.advance(60_000);
  const { pool } = network.members[0]!;
  assert.notDeepEqual(pool.coordinate?.Vec, [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.ok(pool.coordinateOf("n2") !== null);
});

test("pool: who has stopped answers that it takes no part, and its own requests fail", async () => {
  const network = await PoolNetwork.joined(2);
  const { pool } = network.members[1]!;
  const joining = pool.join(["10.9.9.9"], true);
  await pool.stop();
  await assert.rejects(joining, (error) => error instanceof OperationalError && error.code === "shutting-down");
  const head = requestHead({ kind: "lan", datacenter: "dc1" });
  const ping = encodeRequest({ type: "ping", from: "n1", target: "n2", updates: [], received: 0 });
  const answer = decodeAnswer(openAnswer(await pool.handle("10.0.0.1", concat([head, ping])))!);
  assert.ok(answer?.type === "refused" && answer.reason === "left");
  await assert.rejects(pool.fire("e", new Uint8Array(0), false), /takes no part/);
  await pool.leave();
});
