import assert from "node:assert/strict";
import { test } from "node:test";
import type { GossipOptions, MergeRule } from "../../src/gossip/types.ts";
import { parseCidr } from "../../src/util/ip-address.ts";
import { utf8 } from "../../src/util/bytes.ts";
import type { Host, Network } from "./network.ts";
import { isConverged, Network as Pool, startPool } from "./network.ts";

// Small pools: joining, leaving, being forgotten, names, rules, events.

function settled(count: number, options: Partial<Parameters<typeof startPool>[1]> = {}): Network {
  const network = startPool(count, { seed: 1, ...options });
  assert.ok(
    network.runUntil(30_000, () => network.now > 10 * count && isConverged(network, count)),
    "all know all",
  );
  network.run(5000);
  for (const { effects } of network.hosts) effects.length = 0;
  return network;
}

const join = (network: Network, host: Host, ...addresses: string[]): void =>
  network.step(host, { type: "join", ref: 7, addresses, ignoreOld: false });

/** Member effects of a host, as `event name`. */
function told(host: Host): string[] {
  return host.effects.flatMap((effect) => (effect.type === "member" ? [`${effect.event} ${effect.member.name}`] : []));
}

const status = (host: Host, name: string): string => host.gossip.member(name)?.status ?? "unknown";

function until(network: Network, ms: number, isDone: () => boolean, what: string): void {
  assert.ok(network.runUntil(network.now + ms, isDone), what);
}

test("a member alone has nothing to do", () => {
  const network = new Pool({ seed: 1 });
  const host = network.add("a");
  assert.equal(host.gossip.deadline, null);
  assert.deepEqual(told(host), ["join a"]);
  assert.deepEqual(host.gossip.counts, { alive: 1, leaving: 0, left: 0, failed: 0 });
});

test("join: each address's outcome is told; the own one is no address", () => {
  const network = new Pool({ seed: 1, refuses: true });
  const [a, b] = [network.add("a"), network.add("b")];
  join(network, b, "a:8301", "nobody:8301", "b:8301");
  network.run(1000);
  assert.deepEqual(
    b.effects.filter(({ type }) => type === "joined"),
    [{ type: "joined", ref: 7, contacted: 1, failures: [{ address: "nobody:8301", reason: "refused", text: "" }] }],
  );
  assert.deepEqual(told(a), ["join a", "join b"]);
  join(network, a, "a:8301");
  assert.deepEqual(a.effects.at(-1), { type: "joined", ref: 7, contacted: 0, failures: [] });
});

test("leave: others see it leaving, then left, and never failed", () => {
  const network = settled(5);
  const [m0, m1] = network.hosts as [Host, Host];
  const seen = new Set<string>();
  network.onStep = () => seen.add(status(m0, "m1"));
  network.step(m1, { type: "leave" });
  until(network, 20_000, () => m1.gossip.hasLeft, "left");
  network.kill(m1);
  network.run(60_000);
  assert.deepEqual([...seen].sort(), ["alive", "leaving", "left"]);
  for (const host of network.hosts) if (host !== m1) assert.deepEqual(told(host), ["leave m1"], host.name);
  assert.equal(m1.gossip.deadline, null);
});

test("leave alone: at once", () => {
  const network = new Pool({ seed: 1 });
  const host = network.add("a");
  network.step(host, { type: "leave" });
  assert.equal(host.effects.at(-1)?.type, "left");
});

test("leave with nobody answering: goes on when time is over", () => {
  const network = settled(2);
  const [m0, m1] = network.hosts as [Host, Host];
  network.cut("m0", "m1");
  network.step(m1, { type: "leave" });
  network.run(12_900);
  assert.equal(m1.gossip.hasLeft, false);
  network.run(200);
  assert.equal(m1.gossip.hasLeft, true);
  assert.notEqual(status(m0, "m1"), "left");
});

test("a member that left comes back", () => {
  const network = settled(3);
  const [m0, m1] = network.hosts as [Host, Host];
  network.step(m1, { type: "leave" });
  until(network, 20_000, () => m1.gossip.hasLeft, "left");
  network.kill(m1);
  const again = network.add("m1");
  join(network, again, "m0:8301");
  network.run(3000);
  assert.ok(isConverged(network, 3));
  assert.deepEqual(told(m0), ["leave m1", "join m1"]);
  assert.ok(again.gossip.self.incarnation > 1, "it refuted its own leave");
});

test("force-leave: a failed member is left everywhere, and with prune forgotten", () => {
  const network = settled(4);
  const [m0, m1, m2, m3] = network.hosts as [Host, Host, Host, Host];
  for (const host of [m2, m3]) network.kill(host);
  until(network, 60_000, () => m0.gossip.counts.failed === 2 && m1.gossip.counts.failed === 2, "failed");
  network.step(m0, { type: "force-leave", ref: 1, name: "m2", prune: false });
  network.step(m0, { type: "force-leave", ref: 2, name: "m3", prune: true });
  network.step(m0, { type: "force-leave", ref: 3, name: "nobody", prune: false });
  network.run(2000);
  for (const host of [m0, m1]) {
    assert.equal(status(host, "m2"), "left", host.name);
    assert.equal(status(host, "m3"), "unknown", host.name);
    assert.deepEqual(told(host).slice(-3).sort(), ["leave m2", "leave m3", "reap m3"], host.name);
  }
  assert.deepEqual(
    m0.effects.filter(({ type }) => type === "done" || type === "rejected"),
    [
      { type: "done", ref: 1 },
      { type: "done", ref: 2 },
      { type: "rejected", ref: 3, reason: "unknown-member" },
    ],
  );
});

test("force-leave of a member that lives: it says so", () => {
  const network = settled(3);
  const [m0, m1] = network.hosts as [Host, Host];
  network.step(m0, { type: "force-leave", ref: 1, name: "m1", prune: true });
  assert.equal(status(m0, "m1"), "leaving");
  network.run(2000);
  for (const host of network.hosts) assert.equal(status(host, "m1"), "alive", host.name);
  assert.deepEqual(told(m1), []);
});

test("reap: failed members are forgotten after their time, their own if a tag says one, and left ones after the tombstone's", () => {
  const timings = { reconnectTimeoutMs: 600_000, tombstoneTimeoutMs: 300_000 };
  const network = new Pool({ seed: 1, timings });
  const change: Partial<GossipOptions> = { reconnectTimeoutTag: "rc_tm" };
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) =>
    network.add(
      name,
      name === "c"
        ? { ...change, tags: { rc_tm: "2m0s" } }
        : name === "d"
          ? { ...change, tags: { rc_tm: "nonsense" } }
          : change,
    ),
  ) as [Host, Host, Host, Host];
  for (const host of [b, c, d]) join(network, host, "a:8301");
  network.run(2000);
  network.step(b, { type: "leave" });
  network.run(10_000);
  for (const host of [b, c, d]) network.kill(host);
  until(network, 60_000, () => a.gossip.counts.failed === 2, "failed");
  const reaped: [string, number][] = [];
  const start = network.now;
  network.onEffect = (_, effect) => {
    if (effect.type === "member" && effect.event === "reap")
      reaped.push([effect.member.name, Math.round((network.now - start) / 60_000)]);
  };
  network.run(700_000);
  assert.deepEqual(reaped, [
    ["c", 2],
    ["b", 5],
    ["d", 10],
  ]);
  assert.equal(a.gossip.deadline, null, "alone again");
});

test("reconnect: a failed member that runs again without joining is found", () => {
  const network = settled(3);
  network.kill(network.host("m2"));
  until(network, 60_000, () => network.host("m0").gossip.counts.failed === 1, "failed");
  // Longer than it is told of its death.
  network.run(60_000);
  network.add("m2");
  until(network, 120_000, () => isConverged(network, 3), "found");
});

test("a member restarted on another address gets its name once it has been dead for a while", () => {
  const network = settled(3);
  const m0 = network.host("m0");
  network.kill(network.host("m2"));
  until(network, 60_000, () => status(m0, "m2") === "failed", "failed");
  const failedMs = network.now;
  const again = network.add("m2", { address: "elsewhere:8301" });
  const retry = (): void => {
    join(network, again, "m0:8301");
    network.at(network.now + 5000, retry);
  };
  retry();
  until(network, 90_000, () => status(m0, "m2") === "alive", "taken over");
  assert.equal(m0.gossip.member("m2")?.address, "elsewhere:8301");
  assert.ok(network.now - failedMs >= 30_000);
});

test("two members of one name: it is told, and the one that came second must go", () => {
  const network = settled(5);
  const second = network.add("m1", { address: "second:8301" });
  join(network, second, "m0:8301");
  network.run(3000);
  assert.deepEqual(
    network.host("m0").effects.filter(({ type }) => type === "name-conflict"),
    [{ type: "name-conflict", name: "m1", address: "m1:8301", otherAddress: "second:8301" }],
  );
  assert.deepEqual(
    second.effects.filter(({ type }) => type.startsWith("name-")),
    [
      { type: "name-conflict", name: "m1", address: "second:8301", otherAddress: "m1:8301" },
      { type: "name-lost", address: "m1:8301" },
    ],
  );
  assert.equal(network.host("m0").gossip.member("m1")?.address, "m1:8301");
  assert.equal(network.host("m1").effects.filter(({ type }) => type === "name-lost").length, 0);
});

test("tags: what a member says of itself is known everywhere, with a new incarnation", () => {
  const network = settled(4);
  const m1 = network.host("m1");
  network.step(m1, { type: "tags", ref: 1, tags: { role: "db" } });
  network.step(m1, { type: "tags", ref: 2, tags: { long: "x".repeat(3000) } });
  network.run(2000);
  assert.deepEqual(
    m1.effects.filter(({ type }) => type === "done" || type === "rejected"),
    [
      { type: "done", ref: 1 },
      { type: "rejected", ref: 2, reason: "too-large" },
    ],
  );
  for (const host of network.hosts) {
    assert.deepEqual(host.gossip.member("m1")?.tags, { role: "db" }, host.name);
    assert.deepEqual(told(host), ["update m1"], host.name);
    assert.equal(host.gossip.member("m1")?.incarnation, 2, host.name);
  }
});

const RULES: MergeRule[] = [
  { type: "one-of", tag: "dc", values: ["dc1"], message: "Member '{name}' part of wrong datacenter '{value}'" },
  { type: "unique", tag: "id", message: "Member '{name}' has the id {value} of '{other}'" },
];

test("merge rules: who breaks one is refused, and told why", () => {
  const rows: [Record<string, string>, string][] = [
    [{ dc: "dc2", id: "2" }, "Member 'b' part of wrong datacenter 'dc2'"],
    [{ id: "2" }, "Member 'b' part of wrong datacenter ''"],
    [{ dc: "dc1", id: "1" }, "Member 'b' has the id 1 of 'a'"],
  ];
  for (const [tags, text] of rows) {
    const network = new Pool({ seed: 1 });
    const a = network.add("a", { tags: { dc: "dc1", id: "1" }, mergeRules: RULES });
    const b = network.add("b", { tags });
    join(network, b, "a:8301");
    network.run(2000);
    assert.deepEqual(b.effects.at(-1), {
      type: "joined",
      ref: 7,
      contacted: 0,
      failures: [{ address: "a:8301", reason: "vetoed", text }],
    });
    assert.equal(a.gossip.counts.alive, 1, text);
    assert.equal(a.gossip.dropped.vetoed, 1, text);
  }
});

test("merge rules: who joins a pool of others by mistake takes none of them in", () => {
  const network = new Pool({ seed: 1 });
  network.add("a", { tags: { dc: "dc2" } });
  const b = network.add("b", { tags: { dc: "dc1" }, mergeRules: RULES });
  join(network, b, "a:8301");
  network.run(50);
  const joined = b.effects.find((effect) => effect.type === "joined");
  assert.equal(joined?.failures[0]?.text, "Member 'a' part of wrong datacenter 'dc2'");
  assert.equal(b.gossip.counts.alive, 1);
});

test("networks: addresses outside may neither speak nor be members", () => {
  const network = new Pool({ seed: 1 });
  const allowedNetworks = [parseCidr("10.0.0.0/8")!];
  const a = network.add("a", { address: "10.0.0.1:8301", allowedNetworks });
  for (const [name, address, contacted] of [
    ["b", "10.1.2.3:8301", 1],
    ["c", "192.168.0.1:8301", 0],
    ["d", "host:8301", 0],
    ["e", "[fd00::1]:8301", 0],
  ] as const) {
    const host = network.add(name, { address });
    join(network, host, "10.0.0.1:8301");
    network.run(2000);
    const joined = host.effects.find((effect) => effect.type === "joined");
    assert.equal(joined?.contacted, contacted, address);
    if (contacted === 0) assert.equal(joined?.failures[0]?.reason, "address");
  }
  assert.deepEqual(
    a.gossip.members.map(({ name }) => name),
    ["a", "b"],
  );
});

test("networks: a request from outside is refused, whatever it says", () => {
  const network = new Pool({ seed: 1 });
  const a = network.add("a", { address: "10.0.0.1:8301", allowedNetworks: [parseCidr("10.0.0.0/8")!] });
  for (const [from, type] of [
    ["10.0.0.2:40000", "ack"],
    ["192.168.0.1:40000", "refused"],
  ] as const) {
    const message = { type: "ping", from: "b", target: "a", updates: [], received: 0 } as const;
    const [effect] = a.gossip.step(0, { type: "request", id: 1, from, message });
    assert.equal(effect?.type === "respond" && effect.message.type, type, from);
  }
  assert.equal(a.gossip.dropped.address, 1);
});

test("versions: members that do not understand each other do not mix", () => {
  const network = new Pool({ seed: 1 });
  const old = {
    protocolMin: 1,
    protocolMax: 5,
    protocolCurrent: 2,
    delegateMin: 2,
    delegateMax: 5,
    delegateCurrent: 4,
  };
  const a = network.add("a", { versions: old });
  const b = network.add("b", { versions: { ...old, protocolMin: 6, protocolMax: 7, protocolCurrent: 6 } });
  join(network, b, "a:8301");
  network.run(2000);
  const joined = b.effects.find((effect) => effect.type === "joined");
  assert.equal(joined?.failures[0]?.reason, "protocol");
  assert.equal(a.gossip.counts.alive, 1);
});

test("user events: each is delivered once, everywhere, and not to who joins later and wants none", () => {
  const network = settled(6);
  const m1 = network.host("m1");
  network.step(m1, { type: "user-event", ref: 1, name: "deploy", payload: utf8("v2"), coalesce: false });
  network.step(m1, { type: "user-event", ref: 2, name: "deploy", payload: utf8("v2"), coalesce: false });
  network.step(m1, { type: "user-event", ref: 3, name: "big", payload: new Uint8Array(510), coalesce: false });
  network.run(2000);
  assert.deepEqual(m1.effects.at(-1), { type: "rejected", ref: 3, reason: "too-large" });
  for (const { name, effects } of network.hosts) {
    const events = effects.flatMap((effect) => (effect.type === "user-event" ? [effect] : []));
    assert.deepEqual(
      events.map((event) => event.name),
      ["deploy", "deploy"],
      name,
    );
    assert.notEqual(events[0]!.time, events[1]!.time, "two events of the same words are two events");
  }
  const [late, early] = [network.add("late"), network.add("early")];
  network.step(late, { type: "join", ref: 1, addresses: ["m0:8301"], ignoreOld: true });
  network.step(early, { type: "join", ref: 1, addresses: ["m0:8301"], ignoreOld: false });
  network.run(40_000);
  const count = ({ effects }: Host): number => effects.filter(({ type }) => type === "user-event").length;
  assert.deepEqual([count(late), count(early)], [0, 2]);
  network.step(late, { type: "user-event", ref: 1, name: "after", payload: utf8(""), coalesce: true });
  network.run(2000);
  assert.equal(count(m1), 3, "the Lamport clock of one that came later is not behind");
});

test("a leaf, which nobody can call, is known everywhere, and hears of everybody", () => {
  const network = settled(5);
  const leaf = network.add("leaf", { address: "" });
  join(network, leaf, "m1:8301");
  until(network, 5000, () => isConverged(network, 6), "known");
  const m0 = network.host("m0");
  assert.equal(m0.gossip.member("leaf")?.anchor, "m1");
  network.step(network.host("m3"), { type: "user-event", ref: 1, name: "x", payload: utf8(""), coalesce: false });
  network.step(leaf, { type: "user-event", ref: 1, name: "y", payload: utf8(""), coalesce: false });
  network.step(leaf, { type: "tags", ref: 2, tags: { role: "browser" } });
  network.kill(network.host("m4"));
  network.run(30_000);
  const events = ({ effects }: Host): string =>
    effects
      .flatMap((effect) => (effect.type === "user-event" ? [effect.name] : []))
      .sort()
      .join();
  for (const host of [leaf, m0]) assert.equal(events(host), "x,y", host.name);
  assert.equal(status(leaf, "m4"), "failed");
  assert.deepEqual(m0.gossip.member("leaf")?.tags, { role: "browser" });
  assert.ok(!told(m0).includes("failed leaf"));
  network.kill(leaf);
  until(
    network,
    30_000,
    () => [m0, network.host("m1")].every((host) => status(host, "leaf") === "failed"),
    "seen to be gone",
  );
});

test("a leaf whose anchor dies finds another one, and is never held for dead", () => {
  const network = settled(5);
  const leaf = network.add("leaf", { address: "" });
  join(network, leaf, "m1:8301");
  until(network, 5000, () => isConverged(network, 6), "known");
  network.kill(network.host("m1"));
  network.run(60_000);
  const m0 = network.host("m0");
  assert.equal(status(m0, "leaf"), "alive");
  assert.notEqual(m0.gossip.member("leaf")?.anchor, "m1");
  for (const host of network.hosts) if (host.isUp) assert.ok(!told(host).includes("failed leaf"), host.name);
});

test("a leaf that is gone together with its anchor is held for dead too", () => {
  const network = settled(5);
  const leaf = network.add("leaf", { address: "" });
  join(network, leaf, "m1:8301");
  until(network, 5000, () => isConverged(network, 6), "known");
  for (const host of [leaf, network.host("m1")]) network.kill(host);
  until(network, 60_000, () => network.hosts.every((host) => !host.isUp || host.gossip.counts.failed === 2), "both");
});

test("a leaf leaves", () => {
  const network = settled(3);
  const leaf = network.add("leaf", { address: "" });
  join(network, leaf, "m1:8301");
  until(network, 5000, () => isConverged(network, 4), "known");
  network.step(leaf, { type: "leave" });
  until(network, 20_000, () => leaf.gossip.hasLeft, "left");
  for (const name of ["m0", "m1", "m2"]) assert.equal(status(network.host(name), "leaf"), "left", name);
});

test("a leaf that shows life by other means than calls stays", () => {
  const network = settled(3);
  const leaf = network.add("leaf", { address: "" });
  join(network, leaf, "m1:8301");
  until(network, 5000, () => isConverged(network, 4), "known");
  network.freeze(leaf);
  const heard = (): void => {
    network.step(network.host("m1"), { type: "heard", name: "leaf" });
    network.at(network.now + 1000, heard);
  };
  heard();
  network.run(60_000);
  assert.equal(status(network.host("m0"), "leaf"), "alive");
});

test("coordinates: round trips measured by probes place members in space", () => {
  const network = settled(4, { latencyMs: 5 });
  network.run(60_000);
  const m0 = network.host("m0");
  const other = m0.gossip.coordinateOf("m1");
  assert.ok(other !== null && m0.gossip.coordinate !== null);
  const away = Math.hypot(...m0.gossip.coordinate.Vec.map((x, i) => x - other.Vec[i]!));
  const rtt = away + m0.gossip.coordinate.Height + other.Height;
  assert.ok(rtt > 0.008 && rtt < 0.025, `${rtt} s for a round trip of 15 ms`);
});
