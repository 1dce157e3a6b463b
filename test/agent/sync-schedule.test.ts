// When anti-entropy runs: transcripts on a virtual clock.
import assert from "node:assert/strict";
import { test } from "node:test";
import { scaleFactor, type SyncInput, SyncSchedule } from "../../src/agent/sync-schedule.ts";
import { Random } from "../../src/util/random.ts";

/** Runs a schedule: each synchronisation takes `tookMs` and ends as `outcome` says. */
class Run {
  readonly machine: SyncSchedule;
  readonly log: string[] = [];
  now = 0;
  constructor(seed = 1) {
    this.machine = new SyncSchedule(new Random(seed));
  }
  input(input: SyncInput): void {
    for (const { full } of this.machine.step(this.now, input))
      this.log.push(`${this.now} ${full ? "full" : "partial"}`);
  }
  to(at: number): void {
    for (let next = this.machine.deadline; next !== null && next <= at; next = this.machine.deadline) {
      this.now = Math.max(this.now, next);
      this.input({ type: "timeout" });
    }
    this.now = at;
  }
  taken(): string[] {
    return this.log.splice(0);
  }
}

const scales: [number, number][] = [
  [0, 1],
  [1, 1],
  [128, 1],
  [129, 2],
  [256, 2],
  [257, 3],
  [512, 3],
  [1024, 4],
  [8192, 7],
];
for (const [nodes, factor] of scales) {
  test(`scale: ${nodes} nodes spread by ${factor}`, () => assert.equal(scaleFactor(nodes), factor));
}

test("nothing happens before the start, which is a full synchronisation", () => {
  const run = new Run();
  run.input({ type: "changed" });
  run.input({ type: "server-up" });
  assert.deepEqual([run.taken(), run.machine.deadline], [[], null]);
  run.input({ type: "start" });
  run.input({ type: "start" });
  assert.deepEqual(run.taken(), ["0 full"]);
  // One at a time: no deadline while it is under way.
  assert.equal(run.machine.deadline, null);
});

test("full synchronisations come every minute and a random part of one, the more the larger the cluster", () => {
  for (const [nodes, most] of [
    [1, 120_000],
    [1024, 60_000 + 4 * 60_000],
  ] as const) {
    const gaps: number[] = [];
    for (let seed = 0; seed < 200; seed += 1) {
      const run = new Run(seed);
      run.input({ type: "cluster-size", nodes });
      run.input({ type: "start" });
      run.input({ type: "done", ok: true });
      gaps.push(run.machine.deadline as number);
    }
    assert.ok(Math.min(...gaps) >= 60_000 && Math.max(...gaps) < most, `${Math.min(...gaps)}..${Math.max(...gaps)}`);
    assert.ok(Math.max(...gaps) > most - (most - 60_000) * 0.05, "the whole range is used");
  }
});

test("a change starts a partial one at once; changes during it one more", () => {
  const run = new Run();
  run.input({ type: "start" });
  run.input({ type: "done", ok: true });
  run.now = 1000;
  run.input({ type: "changed" });
  run.input({ type: "changed" });
  run.input({ type: "changed" });
  run.now = 2000;
  run.input({ type: "done", ok: true });
  run.now = 3000;
  run.input({ type: "done", ok: true });
  run.input({ type: "done", ok: true });
  assert.deepEqual(run.taken(), ["0 full", "1000 partial", "2000 partial"]);
});

test("a failure is mended by a full one 15 to 30 seconds later, and changes wait for it", () => {
  for (let seed = 0; seed < 50; seed += 1) {
    const run = new Run(seed);
    run.input({ type: "start" });
    run.input({ type: "done", ok: false });
    run.input({ type: "changed" });
    assert.deepEqual(run.taken(), ["0 full"]);
    const retry = run.machine.deadline as number;
    assert.ok(retry >= 15_000 && retry < 30_000);
    run.to(retry);
    assert.deepEqual(run.taken(), [`${retry} full`]);
    run.input({ type: "done", ok: true });
    run.input({ type: "changed" });
    assert.deepEqual(run.taken(), [`${retry} partial`]);
    // A partial one that fails is mended likewise.
    run.input({ type: "done", ok: false });
    const again = run.machine.deadline as number;
    assert.ok(again >= retry + 15_000 && again < retry + 30_000);
  }
});

test("a server that appears brings the next full one within 3 seconds, also after a failure", () => {
  for (const ok of [true, false]) {
    const run = new Run();
    run.input({ type: "start" });
    run.input({ type: "done", ok });
    run.now = 1000;
    run.input({ type: "server-up" });
    const at = run.machine.deadline as number;
    assert.ok(at >= 1000 && at < 4000);
    run.to(4000);
    assert.deepEqual(run.taken(), ["0 full", `${at} full`]);
  }
});

test("a server that appears during one is not forgotten", () => {
  const run = new Run();
  run.input({ type: "start" });
  run.input({ type: "server-up" });
  run.now = 100;
  run.input({ type: "done", ok: false });
  assert.ok((run.machine.deadline as number) < 3000);
});

test("while paused nothing starts; pauses nest", () => {
  const run = new Run();
  run.input({ type: "start" });
  run.input({ type: "done", ok: true });
  run.taken();
  run.input({ type: "pause" });
  run.input({ type: "pause" });
  run.input({ type: "changed" });
  run.to(500_000);
  run.input({ type: "resume" });
  assert.deepEqual([run.taken(), run.machine.deadline], [[], null]);
  run.input({ type: "resume" });
  assert.deepEqual(run.taken(), ["500000 full"]);
  run.input({ type: "resume" });
  run.input({ type: "done", ok: true });
  run.input({ type: "changed" });
  assert.deepEqual(run.taken(), ["500000 partial"]);
});
