// The scheduler of checks, driven on a virtual clock: transcripts of what it asks for, and properties over many checks.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AliasedCheck } from "../../src/check/alias.ts";
import { type CheckEffect, type CheckInput, CheckScheduler } from "../../src/check/scheduler.ts";
import { boundedSpec, type CheckSpec, noTiming } from "../../src/check/spec.ts";
import type { CheckStatus } from "../../src/types/records.ts";
import { Random } from "../../src/util/random.ts";

const spec = (given: CheckSpec): CheckSpec => boundedSpec(given, 0).spec;
const tcp = (more: Partial<CheckSpec> = {}): CheckSpec =>
  spec({ ...noTiming, intervalMs: 10_000, kind: "tcp", address: "a:1", useTls: false, ...more } as CheckSpec);
const ttl = (ttlMs: number, more: Partial<CheckSpec> = {}): CheckSpec =>
  spec({ ...noTiming, kind: "ttl", ttlMs, ...more } as CheckSpec);
const alias = (serviceId: string): CheckSpec => spec({ ...noTiming, kind: "alias", node: "", serviceId });

/** A scheduler and a clock that stops at every deadline. */
class Clock {
  readonly machine: CheckScheduler;
  readonly log: string[] = [];
  readonly effects: { at: number; effect: CheckEffect }[] = [];
  now = 0;

  constructor(updateIntervalMs = 0, seed = 1) {
    this.machine = new CheckScheduler({ random: new Random(seed), updateIntervalMs });
  }

  input(input: CheckInput): CheckEffect[] {
    const effects = this.machine.step(this.now, input);
    for (const effect of effects) {
      this.effects.push({ at: this.now, effect });
      this.log.push(`${this.now} ${shown(effect)}`);
    }
    return effects;
  }

  add(id: string, given: CheckSpec, more: { serviceId?: string; status?: CheckStatus; output?: string } = {}): void {
    const { serviceId = "", status = "critical", output = "" } = more;
    this.input({ type: "add", id, serviceId, spec: given, status, output });
  }

  /** Ends the run of `id` that is under way. */
  result(id: string, status: CheckStatus, output = "", bypass = false): void {
    let run = 0;
    for (const { effect } of this.effects) if (effect.type === "run" && effect.id === id) run = effect.run;
    this.input({ type: "result", id, run, status, output, bypass });
  }

  /** Lets time pass, with a timeout at each deadline on the way. `answer` ends each run at once. */
  advance(ms: number, answer?: (id: string) => CheckStatus): void {
    const end = this.now + ms;
    for (let at = this.machine.deadline; at !== null && at <= end; at = this.machine.deadline) {
      assert.ok(at >= this.now, "a deadline in the past would spin");
      this.now = at;
      const effects = this.input({ type: "timeout" });
      assert.notEqual(this.machine.deadline, at, "a deadline must move on");
      if (answer === undefined) continue;
      for (const effect of effects) if (effect.type === "run") this.result(effect.id, answer(effect.id));
    }
    this.now = end;
  }

  taken(): string[] {
    return this.log.splice(0);
  }
}

function shown(effect: CheckEffect): string {
  switch (effect.type) {
    case "run":
    case "cancel":
      return `${effect.type} ${effect.id} #${effect.run}`;
    case "status":
      return `status ${effect.id} ${effect.status} ${JSON.stringify(effect.output)} ${effect.sync}`;
    case "renewed":
      return `renewed ${effect.id} ${effect.status} ${JSON.stringify(effect.output)} for ${effect.ttlMs}`;
    case "times":
      return `times ${effect.id} due ${effect.times.dueAt} critical ${effect.times.criticalSince}`;
    default:
      return `deregister ${effect.serviceId} by ${effect.checkId} after ${effect.afterMs}`;
  }
}

test("interval: the first run is within the interval, the next an interval after the last has ended", () => {
  const clock = new Clock();
  clock.add("c", tcp());
  const first = clock.machine.deadline as number;
  assert.ok(first >= 0 && first < 10_000);
  clock.advance(10_000);
  assert.deepEqual(clock.taken(), [`${first} run c #1`]);
  // It is still running: nothing is due however long it takes.
  assert.equal(clock.machine.deadline, null);
  clock.advance(50_000);
  clock.result("c", "passing", "ok");
  assert.deepEqual(clock.taken(), ['60000 status c passing "ok" now']);
  assert.equal(clock.machine.deadline, 70_000);
  clock.advance(10_000);
  assert.deepEqual(clock.taken(), ["70000 run c #2"]);
});

test("interval: first runs of many checks spread over the interval, the same way for the same seed", () => {
  const offsets = (seed: number): number[] => {
    const clock = new Clock(0, seed);
    for (let i = 0; i < 1000; i += 1) clock.add(`c${i}`, tcp());
    clock.advance(10_000);
    return clock.effects.map(({ at }) => at);
  };
  const found = offsets(7);
  assert.equal(found.length, 1000);
  const tenths = Array.from({ length: 10 }, (_, tenth) => found.filter((at) => Math.floor(at / 1000) === tenth).length);
  for (const count of tenths) assert.ok(count > 60 && count < 140, `uneven: ${tenths}`);
  assert.deepEqual(offsets(7), found);
  assert.notDeepEqual(offsets(8), found);
});

test("interval: runs of one check never overlap, whatever happens to it", () => {
  const random = new Random(99);
  const clock = new Clock(1000, 3);
  const running = new Map<string, number>();
  for (let step = 0; step < 5000; step += 1) {
    const id = `c${random.below(5)}`;
    const kind = random.below(6);
    const run = running.get(id);
    let effects: CheckEffect[] = [];
    if (kind === 0)
      effects = clock.input({
        type: "add",
        id,
        serviceId: "",
        spec: tcp({ timeoutMs: random.below(2) + 1 }),
        status: "critical",
        output: "",
      });
    else if (kind === 1) effects = clock.input({ type: "remove", id });
    else if (kind === 2 && run !== undefined) {
      running.delete(id);
      effects = clock.input({ type: "result", id, run, status: "passing", output: `${step}`, bypass: false });
    } else {
      clock.now += random.below(3000);
      effects = clock.input({ type: "timeout" });
    }
    for (const effect of effects) {
      if (effect.type === "cancel") {
        assert.equal(running.get(effect.id), effect.run, "only what runs is cancelled");
        running.delete(effect.id);
      } else if (effect.type === "run") {
        assert.equal(running.has(effect.id), false, `${effect.id} runs already`);
        running.set(effect.id, effect.run);
      }
    }
  }
  assert.ok(clock.effects.some(({ effect }) => effect.type === "cancel"));
});

test("interval: a late wake-up runs each due check once", () => {
  const clock = new Clock();
  clock.add("a", tcp());
  clock.add("b", tcp());
  clock.now = 3_600_000;
  clock.input({ type: "timeout" });
  assert.equal(clock.taken().length, 2);
});

test("results: thresholds hold a state back, a bypass does not", () => {
  const clock = new Clock();
  clock.add("c", tcp({ failuresBeforeCritical: 2 }));
  clock.advance(10_000, () => "passing");
  clock.advance(10_000, () => "critical");
  clock.taken();
  assert.equal(clock.machine.dropped, 0);
  clock.advance(10_000, () => "critical");
  const third = clock.taken();
  assert.equal(third.filter((line) => line.includes('status c critical "" now')).length, 1);
  clock.advance(10_000, () => "passing");
  clock.advance(10_000);
  clock.taken();
  clock.result("c", "critical", "Timed out", true);
  assert.deepEqual(clock.taken(), [`${clock.now} status c critical "Timed out" now`]);
});

test("results: what comes too late is dropped", () => {
  const clock = new Clock();
  clock.add("c", tcp());
  clock.advance(10_000);
  clock.add("c", tcp({ timeoutMs: 5 }));
  assert.ok(clock.taken().some((line) => line.endsWith("cancel c #1")));
  clock.result("c", "passing");
  clock.input({ type: "result", id: "none", run: 1, status: "passing", output: "", bypass: false });
  clock.input({ type: "ttl-update", id: "c", status: "passing", output: "" });
  clock.input({ type: "alias-target", id: "c", checks: [], serviceExists: true });
  assert.deepEqual(clock.taken(), []);
  assert.equal(clock.machine.dropped, 4);
});

test("results: that of a run which another has replaced is dropped", () => {
  const clock = new Clock();
  clock.add("c", tcp());
  clock.advance(10_000);
  clock.add("c", tcp({ timeoutMs: 5 }));
  clock.advance(10_000);
  assert.equal(clock.taken().filter((line) => line.includes("run c")).length, 2);
  clock.input({ type: "result", id: "c", run: 1, status: "passing", output: "old", bypass: false });
  assert.deepEqual(clock.taken(), []);
  clock.result("c", "passing", "new");
  assert.deepEqual(clock.taken(), ['20000 status c passing "new" now']);
});

test("add again: an unchanged check keeps its timetable and its run, a changed one starts anew", () => {
  const clock = new Clock();
  clock.add("c", tcp());
  const due = clock.machine.deadline as number;
  clock.advance(due - 1);
  clock.add("c", tcp());
  assert.equal(clock.machine.deadline, due);
  clock.advance(1);
  clock.add("c", tcp());
  clock.result("c", "passing", "ok");
  assert.deepEqual(clock.taken(), [`${due} run c #1`, `${due} status c passing "ok" now`]);
  clock.advance(9000);
  clock.add("c", tcp({ intervalMs: 2000 }), { status: "passing", output: "ok" });
  assert.ok((clock.machine.deadline as number) < clock.now + 2000);
  assert.equal(clock.machine.size, 1);
});

test("remove: nothing is due, and a run is cancelled", () => {
  const clock = new Clock();
  clock.add("c", tcp());
  clock.input({ type: "remove", id: "c" });
  assert.equal(clock.machine.deadline, null);
  assert.deepEqual(clock.taken(), []);
  clock.add("c", tcp());
  clock.advance(10_000);
  clock.taken();
  clock.input({ type: "remove", id: "c" });
  clock.input({ type: "remove", id: "c" });
  assert.deepEqual(clock.taken(), ["10000 cancel c #1"]);
  assert.equal(clock.machine.size, 0);
});

test("ttl: it turns critical once, with the last output, and comes back", () => {
  const clock = new Clock();
  clock.add("t", ttl(15_000));
  clock.advance(15_000);
  clock.advance(60_000);
  assert.deepEqual(clock.taken(), ['15000 status t critical "TTL expired" now']);
  clock.input({ type: "ttl-update", id: "t", status: "passing", output: "fine" });
  clock.advance(14_999);
  assert.deepEqual(clock.taken(), ['75000 status t passing "fine" now', '75000 renewed t passing "fine" for 15000']);
  // The same again shows nothing new, and is still a renewal.
  clock.input({ type: "ttl-update", id: "t", status: "passing", output: "fine" });
  assert.deepEqual(clock.taken(), ['89999 renewed t passing "fine" for 15000']);
  clock.advance(15_000);
  assert.deepEqual(clock.taken(), [
    '104999 status t critical "TTL expired (last output before timeout follows): fine" now',
  ]);
});

test("ttl: a long output keeps its head", () => {
  const clock = new Clock();
  clock.add("t", ttl(1000, { outputBytesMax: 4 }));
  clock.input({ type: "ttl-update", id: "t", status: "warning", output: "abcdef" });
  assert.deepEqual(clock.taken(), [
    '0 status t warning "abcd ... (captured 4 of 6 bytes)" now',
    '0 renewed t warning "abcd ... (captured 4 of 6 bytes)" for 1000',
  ]);
});

test("ttl: adding it again starts it anew and keeps what it shows", () => {
  const clock = new Clock();
  clock.add("t", ttl(1000));
  clock.advance(900);
  clock.add("t", ttl(1000), { status: "passing", output: "fine" });
  clock.advance(999);
  assert.deepEqual(clock.taken(), []);
  clock.advance(1);
  assert.deepEqual(clock.taken(), ['1900 status t critical "TTL expired" now']);
});

test("output: a change of output alone is deferred by half to one and a half update intervals", () => {
  for (let seed = 0; seed < 50; seed += 1) {
    const clock = new Clock(300_000, seed);
    clock.add("t", ttl(10_000_000), { status: "passing" });
    clock.now = 1000;
    clock.input({ type: "ttl-update", id: "t", status: "passing", output: "1" });
    const until = clock.machine.deadline as number;
    assert.ok(until >= 151_000 && until < 451_000, `${until}`);
    clock.now = 2000;
    // A later output does not put it off.
    clock.input({ type: "ttl-update", id: "t", status: "passing", output: "2" });
    assert.equal(clock.machine.deadline, until);
    clock.taken();
    clock.advance(500_000);
    assert.deepEqual(clock.taken(), [`${until} status t passing "2" now`]);
  }
});

test("output: a change of state is told at once, and with it the output that waited", () => {
  const clock = new Clock(300_000);
  clock.add("t", ttl(10_000_000), { status: "passing" });
  clock.input({ type: "ttl-update", id: "t", status: "passing", output: "1" });
  clock.input({ type: "ttl-update", id: "t", status: "warning", output: "2" });
  clock.advance(1_000_000);
  assert.deepEqual(
    clock.taken().filter((line) => line.includes("status")),
    ['0 status t passing "1" deferred', '0 status t warning "2" now'],
  );
});

test("deregister: a service goes at the first look after its time, which is a multiple of 30 seconds", () => {
  const clock = new Clock();
  clock.now = 5000;
  clock.add("c", ttl(1000, { deregisterCriticalServiceAfterMs: 90_000 }), { serviceId: "web" });
  clock.advance(200_000);
  // Critical since 6 s, so the time is up at 96 s.
  assert.deepEqual(clock.taken(), [
    '6000 status c critical "TTL expired" now',
    "120000 deregister web by c after 90000",
    // Nobody has removed it: it is said again at the next look.
    "150000 deregister web by c after 90000",
    "180000 deregister web by c after 90000",
  ]);
});

test("deregister: a moment of health starts the time anew, a node's check has no service", () => {
  const clock = new Clock();
  clock.add("c", ttl(10_000_000, { deregisterCriticalServiceAfterMs: 60_000 }), {
    serviceId: "web",
    status: "passing",
  });
  clock.add("n", ttl(1000, { deregisterCriticalServiceAfterMs: 60_000 }));
  const update = (status: CheckStatus): CheckEffect[] =>
    clock.input({ type: "ttl-update", id: "c", status, output: "" });
  update("critical");
  clock.advance(59_000);
  update("passing");
  clock.advance(100);
  update("critical");
  clock.advance(59_000);
  clock.taken();
  clock.advance(119_999 - clock.now);
  assert.deepEqual(clock.taken(), []);
  clock.advance(1);
  assert.deepEqual(clock.taken(), ["120000 deregister web by c after 60000"]);
});

test("deregister: a service that is well again stays", () => {
  const clock = new Clock();
  clock.add("c", ttl(10_000_000, { deregisterCriticalServiceAfterMs: 60_000 }), { serviceId: "web" });
  for (const status of ["critical", "warning"] as const)
    clock.input({ type: "ttl-update", id: "c", status, output: "" });
  clock.taken();
  clock.advance(1_000_000);
  assert.deepEqual(clock.taken(), []);
});

test("deregister: two checks of a service ask once", () => {
  const clock = new Clock();
  for (const id of ["a", "b"])
    clock.add(id, ttl(1000, { deregisterCriticalServiceAfterMs: 60_000 }), { serviceId: "web" });
  clock.advance(90_000);
  assert.deepEqual(
    clock.taken().filter((line) => line.includes("deregister")),
    ["90000 deregister web by a after 60000"],
  );
});

test("alias: it is watched from the start, and shows its target", () => {
  const clock = new Clock();
  const check: AliasedCheck = { CheckID: "x", Name: "x", ServiceID: "web", Status: "warning", Output: "hm" };
  clock.add("a", alias("web"));
  assert.deepEqual(clock.taken(), ["0 run a #1"]);
  assert.equal(clock.machine.deadline, null);
  clock.input({ type: "alias-target", id: "a", checks: [check], serviceExists: true });
  clock.input({ type: "alias-failed", id: "a", why: "no leader" });
  clock.input({ type: "alias-target", id: "a", checks: [], serviceExists: false });
  // A result is not how an alias learns.
  clock.input({ type: "result", id: "a", run: 1, status: "passing", output: "", bypass: false });
  assert.deepEqual(clock.taken(), [
    '0 status a warning "Aliased check \\"x\\" failing: hm" now',
    '0 status a critical "Failure checking aliased node or service: no leader" now',
    '0 status a critical "Service web could not be found on node " now',
  ]);
  clock.add("a", alias("web"), { status: "critical" });
  assert.deepEqual(clock.taken(), ["0 cancel a #1", "0 run a #2"]);
  clock.add("a", alias("db"));
  assert.deepEqual(clock.taken(), ["0 cancel a #2", "0 run a #3"]);
});

test("replay: the same inputs give the same effects", () => {
  const run = (): string[] => {
    const clock = new Clock(1000, 42);
    for (let i = 0; i < 20; i += 1) clock.add(`c${i}`, tcp({ intervalMs: 1000 + i * 100 }));
    clock.advance(60_000, (id) => (id.length % 2 === 0 ? "passing" : "critical"));
    return clock.taken();
  };
  const first = run();
  assert.ok(first.length > 100);
  assert.deepEqual(run(), first);
});

test("times: told when they change, and what is added with them goes on where it was", () => {
  const machine = new CheckScheduler({ random: new Random(1), updateIntervalMs: 0, tellsTimes: true });
  const times = (effects: CheckEffect[]): unknown[] => effects.flatMap((e) => (e.type === "times" ? [e.times] : []));
  const add = (id: string, given: CheckSpec, more: object = {}): CheckEffect[] =>
    machine.step(0, { type: "add", id, serviceId: "web", spec: given, status: "critical", output: "", ...more });
  // A TTL that began before the sleep ends when it would have.
  assert.deepEqual(times(add("ttl", ttl(60_000), { times: { dueAt: 5000, criticalSince: null } })), []);
  assert.equal(machine.deadline, 5000);
  assert.deepEqual(times(machine.step(1000, { type: "ttl-update", id: "ttl", status: "passing", output: "" })), [
    { dueAt: 61_000, criticalSince: null },
  ]);
  // A run that was due during the sleep is due now; its time is told when it has ended, not before.
  add("tcp", tcp(), { times: { dueAt: -100, criticalSince: null } });
  const started = machine.step(2000, { type: "timeout" });
  const run = started.find((e) => e.type === "run");
  assert.ok(run?.type === "run" && run.id === "tcp");
  assert.deepEqual(times(started), []);
  const ended = machine.step(2500, {
    type: "result",
    id: "tcp",
    run: run.run,
    status: "critical",
    output: "",
    bypass: true,
  });
  assert.deepEqual(times(ended), [{ dueAt: 12_500, criticalSince: 2500 }]);
  // Critical since before the sleep: the service goes by the sum.
  const deregistering = ttl(3_600_000, { deregisterCriticalServiceAfterMs: 120_000 });
  add("old", deregistering, { times: { dueAt: null, criticalSince: -100_000 } });
  const looked = machine.step(30_000, { type: "timeout" });
  assert.ok(looked.some((e) => e.type === "deregister-service" && e.checkId === "old"));
});
