import assert from "node:assert/strict";
import { test } from "node:test";
import { Awareness } from "../../src/gossip/awareness.ts";
import { LamportClock } from "../../src/gossip/lamport.ts";
import { ceilLog10, ceilLog2, log10Thousandths, logRatio } from "../../src/gossip/logarithm.ts";
import { pushPullScale, retransmitLimit, suspicionTimeoutMs } from "../../src/gossip/scaling.ts";
import { remainingSuspicionMs, Suspicion } from "../../src/gossip/suspicion.ts";

// The vectors are those of memberlist's own tests.

test("suspicion timeout: mult × log10(members) × interval, at least mult × interval", () => {
  const rows = [
    [5, 1000],
    [10, 1000],
    [50, 1698],
    [100, 2000],
    [500, 2698],
    [1000, 3000],
  ] as const;
  for (const [members, ms] of rows) assert.equal(suspicionTimeoutMs(3, members, 1000) / 3, ms, `${members} members`);
});

test("retransmit limit: mult × ceil(log10(members + 1))", () => {
  for (const [members, limit] of [
    [0, 0],
    [1, 3],
    [9, 3],
    [10, 6],
    [99, 6],
    [100, 9],
    [999, 9],
  ] as const) {
    assert.equal(retransmitLimit(3, members), limit, `${members} members`);
  }
});

test("push-pull interval: one more for every doubling above 32", () => {
  for (const [members, ms] of [
    [0, 1000],
    [32, 1000],
    [33, 2000],
    [64, 2000],
    [65, 3000],
    [128, 3000],
    [129, 4000],
  ] as const) {
    assert.equal(pushPullScale(1000, members), ms, `${members} members`);
  }
});

test("remaining suspicion: from the most to the least on a logarithmic scale", () => {
  const rows = [
    [0, 0, 30_000],
    [1, 2000, 14_000],
    [2, 3000, 4810],
    [3, 4000, -2000],
    [4, 5000, -3000],
    [5, 10_000, -8000],
  ] as const;
  for (const [confirmations, elapsedMs, ms] of rows) {
    assert.equal(remainingSuspicionMs(confirmations, 3, elapsedMs, 2000, 30_000), ms, `${confirmations} confirmations`);
  }
});

test("suspicion timer: shorter with every other member that suspects, the first and repeated ones ignored", () => {
  const rows: [string[], number][] = [
    [[], 2000],
    [["me", "foo"], 1250],
    [["me", "foo", "foo", "foo"], 1250],
    [["me", "foo", "bar"], 811],
    [["me", "foo", "bar", "baz"], 500],
    [["me", "foo", "bar", "baz", "zoo"], 500],
  ];
  for (const [from, ms] of rows) {
    const suspicion = new Suspicion("me", 3, 500, 2000, 1000);
    const news = from.map((name) => suspicion.confirm(name, 1000));
    assert.equal(suspicion.deadlineMs, 1000 + ms, from.join());
    const distinct = new Set(from.filter((name) => name !== "me")).size;
    assert.equal(news.filter(Boolean).length, Math.min(3, distinct), from.join());
  }
  assert.equal(new Suspicion("me", 0, 500, 2000, 1000).deadlineMs, 1500, "nobody could confirm");
});

test("suspicion timer: a late confirmation counts from the beginning, and stalls do not count", () => {
  const suspicion = new Suspicion("me", 3, 500, 2000, 0);
  suspicion.confirm("foo", 1000);
  assert.equal(suspicion.deadlineMs, 1250);
  suspicion.extend(300);
  assert.equal(suspicion.deadlineMs, 1550);
  suspicion.confirm("bar", 1400);
  assert.equal(suspicion.deadlineMs, 1400, "its time was over already: at once");
  const patient = new Suspicion("me", 3, 500, 2000, 0);
  patient.confirm("foo", 1200, 400);
  assert.equal(patient.deadlineMs, 1600, "a last chance");
  patient.confirm("bar", 1500, 400);
  assert.equal(patient.deadlineMs, 1600, "no confirmation puts it off");
});

test("awareness: in [0, max - 1], and scales times by one more", () => {
  const awareness = new Awareness(8);
  assert.equal(awareness.scaleMs(1000), 1000);
  awareness.apply(10);
  assert.deepEqual([awareness.score, awareness.scaleMs(1000)], [7, 8000]);
  for (let score = 6; score >= 0; score -= 1) {
    awareness.apply(-1);
    assert.equal(awareness.score, score);
  }
  awareness.apply(-1);
  assert.equal(awareness.score, 0);
  const off = new Awareness(1);
  off.apply(5);
  assert.equal(off.score, 0);
});

test("logarithms: exact where a power is hit, which Math.log10 is not on every engine", () => {
  for (const [n, e] of [
    [0, 0],
    [1, 0],
    [2, 1],
    [10, 1],
    [11, 2],
    [1000, 3],
    [1001, 4],
  ] as const)
    assert.equal(ceilLog10(n), e);
  for (const [n, e] of [
    [1, 0],
    [1.03, 1],
    [2, 1],
    [2.1, 2],
    [1024, 10],
    [1025, 11],
  ] as const)
    assert.equal(ceilLog2(n), e);
  for (const [n, t] of [
    [0, 0],
    [1, 0],
    [2, 301],
    [999, 2999],
    [1000, 3000],
    [1_000_000, 6000],
    [999_999, 5999],
  ] as const) {
    assert.equal(log10Thousandths(n), t, String(n));
  }
  for (const [n, base, ratio] of [
    [1, 4, 0],
    [2, 4, 0.5],
    [3, 4, 0.792481],
    [4, 4, 1],
    [5, 4, 1.160964],
  ] as const) {
    assert.equal(logRatio(n, base), ratio);
  }
});

test("logarithms: no value of the domain lies where engines could round it unlike", () => {
  for (let n = 2; n <= 100_000; n += 1) {
    const billionths = Math.log10(n) * 1e9;
    // Rounded at 10^-9 and cut at 10^-3: only a value just below a multiple would tell engines apart.
    const toNext = 1e6 - (billionths % 1e6);
    assert.ok(Math.abs(toNext - 0.5) > 1e-3, String(n));
  }
  for (let base = 2; base <= 33; base += 1) {
    for (let n = 1; n <= base; n += 1) {
      const millionths = (Math.log(n) / Math.log(base)) * 1e6;
      assert.ok(Math.abs((millionths % 1) - 0.5) > 1e-6, `${n} of ${base}`);
    }
  }
});

test("Lamport clock: its times are later than any it has seen", () => {
  const clock = new LamportClock();
  assert.deepEqual([clock.next(), clock.next(), clock.time], [0, 1, 2]);
  clock.witness(41);
  assert.equal(clock.time, 42);
  clock.witness(41);
  clock.witness(30);
  assert.deepEqual([clock.next(), clock.time], [42, 43]);
});
