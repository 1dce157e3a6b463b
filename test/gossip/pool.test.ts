import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberEventKind } from "../../src/gossip/types.ts";
import { CONFIGURATIONS, play } from "./lifeguard.ts";
import type { Network } from "./network.ts";
import { isConverged, startPool } from "./network.ts";

// Pools of the size of a datacenter on a virtual clock; lifeguard.ts plays the whole table.

const MEMBERS = 128;

/** A pool in which all know all, and nothing is left to be told. */
function settledPool(options: Parameters<typeof startPool>[1]): Network {
  const network = startPool(MEMBERS, options);
  network.runUntil(15_000);
  network.runUntil(60_000, () => isConverged(network, MEMBERS));
  assert.ok(isConverged(network, MEMBERS), "all know all");
  return network;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** What becomes of one that is killed, in milliseconds: first and last to say that it failed. */
function detect(network: Network): { firstMs: number; lastMs: number; others: number } {
  const victim = network.hosts[1 + network.random.below(MEMBERS - 1)]!;
  const killedMs = network.now;
  network.kill(victim);
  const at: number[] = [];
  let others = 0;
  network.onEffect = (_, effect) => {
    if (effect.type !== "member" || effect.event !== "failed") return;
    if (effect.member.name === victim.name) at.push(network.now - killedMs);
    else others += 1;
  };
  network.runUntil(killedMs + 60_000, () => at.length === MEMBERS - 1);
  assert.equal(at.length, MEMBERS - 1, "everybody says so");
  return { firstMs: at[0]!, lastMs: at.at(-1)!, others };
}

test("128 members that join through one know each other within a second, and then are quiet", () => {
  const network = startPool(MEMBERS, { seed: 1 });
  network.runUntil(10 * MEMBERS);
  assert.ok(
    network.runUntil(10 * MEMBERS + 1000, () => isConverged(network, MEMBERS)),
    "converged",
  );
  network.run(10_000);
  for (const { name, gossip } of network.hosts) {
    assert.deepEqual(gossip.queueDepths, { members: 0, intents: 0, events: 0 }, name);
  }
  const { messages } = network;
  network.run(10_000);
  // One probe a second, asked and answered; and push-pull every 90 s.
  const perSecond = (network.messages - messages) / MEMBERS / 10;
  assert.ok(perSecond > 1.9 && perSecond < 2.1, `${perSecond} messages a second`);
  for (const { name, gossip } of network.hosts) assert.equal(gossip.healthScore, 0, name);
});

test("one of 128 killed: found within 12.5 s by the median, everywhere within half a second more, and nobody else", () => {
  const runs = [1, 2, 3, 4, 5].map((seed) => detect(settledPool({ seed, coordinates: false })));
  assert.ok(median(runs.map(({ firstMs }) => firstMs)) <= 12_500, JSON.stringify(runs));
  for (const { firstMs, lastMs, others } of runs) {
    assert.ok(lastMs - firstMs <= 1000, `${lastMs - firstMs} ms from first to last`);
    assert.equal(others, 0);
  }
  assert.ok(median(runs.map(({ firstMs, lastMs }) => lastMs - firstMs)) <= 500, JSON.stringify(runs));
});

test("one in ten messages lost: nobody is held for dead", () => {
  const network = settledPool({ seed: 3, loss: 0.1, coordinates: false });
  let suspects = 0;
  network.onEffect = (host, effect) => {
    if (effect.type === "member" && effect.event !== "update")
      assert.fail(`${effect.member.name} ${effect.event} at ${host.name}`);
    if (effect.type === "call" && effect.message.type === "indirect-ping") suspects += 1;
  };
  network.run(60_000);
  assert.ok(suspects > 100, `messages were lost: ${suspects} indirect probes`);
});

test("eight of 128 stand still for 5 s: nobody else is held for dead, by them or by anyone", () => {
  const network = settledPool({ seed: 4, coordinates: false });
  const stalled = new Set(network.hosts.slice(10, 18).map(({ name }) => name));
  for (let round = 0; round < 3; round += 1) {
    network.at(network.now + 10_000 * round, () => stalled.forEach((name) => network.freeze(network.host(name))));
    network.at(network.now + 10_000 * round + 5000, () =>
      stalled.forEach((name) => network.resume(network.host(name))),
    );
  }
  let unhealthy = 0;
  network.onEffect = (host, effect) => {
    if (effect.type === "member" && effect.event === "failed") assert.fail(`${effect.member.name} at ${host.name}`);
    if (stalled.has(host.name)) unhealthy = Math.max(unhealthy, host.gossip.healthScore);
  };
  network.run(45_000);
  assert.ok(unhealthy > 0, "they noticed");
});

test("16 and 32 of 128 blocked again and again: at most 2 in 100 of plain SWIM's false positives, messages at most 111 in 100", () => {
  const [swim, lifeguard] = ["SWIM", "Lifeguard"].map((name) => {
    const outcomes = [16, 32].map((blocked) =>
      play(
        { seed: 1, members: MEMBERS, blocked, blockedMs: 16_384, runningMs: 1024, durationMs: 26_000 },
        CONFIGURATIONS[name]!,
      ),
    );
    return (key: "falsePositives" | "atHealthy" | "messages"): number => outcomes[0]![key] + outcomes[1]![key];
  }) as [
    (key: "falsePositives" | "atHealthy" | "messages") => number,
    (key: "falsePositives" | "atHealthy" | "messages") => number,
  ];
  assert.ok(swim("falsePositives") > 1000, "SWIM has many");
  for (const key of ["falsePositives", "atHealthy"] as const) {
    assert.ok(lifeguard(key) <= 0.02 * swim(key), `${key}: ${lifeguard(key)} of ${swim(key)}`);
  }
  assert.ok(
    lifeguard("messages") <= 1.11 * swim("messages"),
    `${lifeguard("messages")} of ${swim("messages")} messages`,
  );
});

test("a pool cut in two halves and healed: both see the other half fail, and then all of it again", () => {
  const network = startPool(20, { seed: 5, timings: { reconnectIntervalMs: 5000 } });
  network.run(10_000);
  const [left, right] = [network.hosts.slice(0, 10), network.hosts.slice(10)];
  for (const a of left) for (const b of right) network.cut(a.name, b.name);
  assert.ok(
    network.runUntil(network.now + 120_000, () => network.hosts.every(({ gossip }) => gossip.counts.failed === 10)),
    "each half sees the other fail",
  );
  network.cuts.clear();
  assert.ok(
    network.runUntil(network.now + 60_000, () => isConverged(network, 20)),
    "whole again",
  );
});

test("the same seed gives the same run", () => {
  const [one, two] = [1, 1].map((seed) => {
    const events: [number, string, MemberEventKind, string][] = [];
    const network = startPool(20, { seed, loss: 0.2 });
    network.onEffect = (host, effect) => {
      if (effect.type === "member") events.push([network.now, host.name, effect.event, effect.member.name]);
    };
    network.run(5000);
    return events;
  });
  assert.ok(one!.length > 300);
  assert.deepEqual(one, two);
});
