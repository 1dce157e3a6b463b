import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationalError } from "../../src/types/error.ts";
import { Random } from "../../src/util/random.ts";
import { SimDisk } from "./disk.ts";
import { EventQueue, rest } from "./event-queue.ts";
import { faultKinds } from "./faults/table.ts";
import { guardGlobals } from "./guards.ts";
import { NodeClock } from "./node-clock.ts";
import { makeScenario } from "./scenario.ts";
import { exponential, Streams } from "./streams.ts";
import { Trace } from "./trace.ts";

const bytes = new Uint8Array(3);
const entry = (index: number) => ({ index, term: 1, kind: "command" as const, data: bytes });

/** A disk, and a way to let a time pass. */
function diskOf(events: EventQueue, fired: string[] = []): SimDisk {
  return new SimDisk({ events, random: new Random(1), syncMs: [1, 2], fired: (kind) => fired.push(kind) });
}

async function pass(events: EventQueue, untilMs: number): Promise<void> {
  await rest();
  while (events.step(untilMs)) await rest();
  events.now = untilMs;
}

const now = (then: () => void): void => then();

test("sim: events happen in the order of their times, those of one time in the order they were asked for", () => {
  const events = new EventQueue();
  const seen: string[] = [];
  events.at(5, () => seen.push("b"));
  events.at(5, () => seen.push("c"));
  events.at(1, () => seen.push("a"));
  events.cancel(events.at(3, () => seen.push("never")));
  while (events.step(10));
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.equal(events.now, 5);
});

test("sim: rest waits for chains of promises of any length", async () => {
  // Bun's very first one comes too early.
  await rest();
  let isDone = false;
  void (async () => {
    for (let i = 0; i < 1000; i += 1) await Promise.resolve();
    isDone = true;
  })();
  await rest();
  assert.ok(isDone);
});

test("sim: streams of one seed are the same each time and move each other by nothing", () => {
  const a = new Streams(7);
  const b = new Streams(7);
  b.of("other").next();
  assert.equal(a.of("network").next(), b.of("network").next());
  assert.notEqual(a.of("network").next(), new Streams(8).of("network").next());
  assert.equal(a.of("network"), a.of("network"));
});

test("sim: exponential times have the mean that was asked for", () => {
  const random = new Random(1);
  let sum = 0;
  for (let i = 0; i < 20_000; i += 1) sum += exponential(random, 10);
  assert.ok(Math.abs(sum / 20_000 - 10) < 0.3, String(sum / 20_000));
});

test("sim: while globals are guarded nothing real can be reached, and afterwards all is as before", () => {
  const before = [globalThis.setTimeout, Date, Date.now, Math.random, globalThis.fetch];
  const release = guardGlobals();
  try {
    const calls: (() => unknown)[] = [
      () => setTimeout(() => {}, 0),
      () => Date.now(),
      () => new Date(),
      () => Math.random(),
      () => performance.now(),
      () => fetch("http://127.0.0.1/"),
      () => crypto.getRandomValues(bytes),
    ];
    for (const call of calls) assert.throws(call, /inside a simulation/, call.toString());
    assert.equal(new Date(0).toISOString(), "1970-01-01T00:00:00.000Z");
  } finally {
    release();
  }
  assert.deepEqual([globalThis.setTimeout, Date, Date.now, Math.random, globalThis.fetch], before);
  assert.equal(typeof performance.now(), "number");
});

test("sim: a disk keeps what it said it keeps, and loses whole batches from the end at a crash", async () => {
  let lost = 0;
  for (let seed = 1; seed <= 50; seed += 1) {
    const events = new EventQueue();
    const disk = new SimDisk({ events, random: new Random(seed), syncMs: [1, 2], fired: () => {} });
    disk.faults.loses = true;
    const { log } = disk.open(now);
    let durable = 0;
    for (let index = 1; index <= 20; index += 1) {
      void log.append({ entries: [entry(index)], hardState: null })?.then(() => (durable = index));
      await pass(events, events.now + 0.3);
    }
    disk.crash();
    const loading = disk.open(now).log.load();
    await pass(events, events.now + 10);
    const { entries } = await loading;
    assert.ok(entries.length >= durable, `seed ${seed}: ${entries.length} of ${durable} durable entries are left`);
    assert.deepEqual(
      entries.map(({ index }) => index),
      entries.map((_, i) => i + 1),
    );
    lost += 20 - entries.length;
  }
  assert.ok(lost > 0, "nothing was ever lost");
});

test("sim: a full disk refuses entries and everything that waits behind them, and is usable afterwards", async () => {
  const events = new EventQueue();
  const fired: string[] = [];
  const disk = diskOf(events, fired);
  const { log } = disk.open(now);
  disk.faults.full = true;
  const codes: string[] = [];
  const noteCode = (error: OperationalError): void => void codes.push(error.code);
  log.append({ entries: [entry(1)], hardState: null })?.catch(noteCode);
  log.append({ entries: [entry(2)], hardState: null })?.catch(noteCode);
  await pass(events, 10);
  assert.deepEqual(codes, ["disk-full", "disk-full"]);
  assert.deepEqual(fired, ["disk-full"]);
  const vote = log.append({ entries: [], hardState: { term: 2, vote: "a" } });
  await pass(events, 20);
  await vote;
  disk.faults.full = false;
  const later = log.append({ entries: [entry(1)], hardState: null });
  await pass(events, 30);
  await later;
});

test("sim: after a failed sync nothing is written any more in that life", async () => {
  const events = new EventQueue();
  const disk = diskOf(events);
  const { log } = disk.open(now);
  disk.faults.failsNextSync = true;
  const first = Promise.resolve(log.append({ entries: [entry(1)], hardState: null }));
  const second = assert.rejects(first, { code: "storage-failed" });
  await pass(events, 10);
  await second;
  await assert.rejects(Promise.resolve(log.append({ entries: [entry(2)], hardState: null })), {
    code: "storage-failed",
  });
  disk.crash();
  const again = disk.open(now).log.append({ entries: [entry(1)], hardState: null });
  await pass(events, 20);
  await again;
});

test("sim: damage to the log is found when it is read, and said", async () => {
  const events = new EventQueue();
  const disk = diskOf(events);
  disk.damage = "a record";
  const load = assert.rejects(disk.open(now).log.load(), { code: "storage-failed", message: /damaged: a record/ });
  await pass(events, 10);
  await load;
});

test("sim: a clock that runs fast or slow sets its timer off at its own time", () => {
  const events = new EventQueue();
  let wokenAt = -1;
  const clock: NodeClock = new NodeClock(events, () => (wokenAt = clock.now()));
  clock.setRate(1.02);
  clock.wakeAt(102);
  while (events.step(1000));
  assert.ok(Math.abs(events.now - 100) < 0.1, String(events.now));
  assert.ok(wokenAt >= 102 && wokenAt < 102.1, String(wokenAt));
  clock.wakeAt(204);
  clock.setRate(0.98);
  while (events.step(1000));
  assert.ok(wokenAt >= 204 && wokenAt < 204.1, String(wokenAt));
  const wall = clock.wall();
  clock.jumpWall(-5000);
  assert.equal(clock.wall(), wall - 5000);
});

test("sim: a scenario is a function of its seed, and has faults of the kinds that were asked for", () => {
  assert.deepEqual(makeScenario(3, faultKinds), makeScenario(3, faultKinds));
  assert.notDeepEqual(makeScenario(3, faultKinds), makeScenario(4, faultKinds));
  const only = makeScenario(3, faultKinds, { kinds: ["crash", "net-loss"] });
  assert.deepEqual([...new Set(only.faults.map(({ kind }) => kind))].sort(), ["crash", "net-loss"]);
  const without = makeScenario(3, faultKinds, { without: ["crash"] });
  const all = makeScenario(3, faultKinds);
  assert.deepEqual(
    without.faults,
    all.faults.filter(({ kind }) => kind !== "crash"),
  );
});

test("sim: there are at least thirty kinds of fault, each named once", () => {
  const names = faultKinds.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.length >= 30, String(names.length));
});

test("sim: a trace's hash tells apart what differs", () => {
  const hashOf = (text: string, ms: number): string => {
    const trace = new Trace(false);
    trace.time(ms);
    trace.text(text);
    return trace.hash;
  };
  assert.equal(hashOf("a", 1), hashOf("a", 1));
  assert.notEqual(hashOf("a", 1), hashOf("b", 1));
  assert.notEqual(hashOf("a", 1), hashOf("a", 1.001));
});
