// The machine alone: transcripts of what it does when its source answers, fails, is silent, or has more.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kind, Plan, Problem } from "../../src/replicator/kind.ts";
import { Replicator, type ReplicatorInput, type ReplicatorTimings } from "../../src/replicator/replicator.ts";
import { Random } from "../../src/util/random.ts";

const TIMINGS: ReplicatorTimings = { retryMinMs: 100, retryMaxMs: 1000, paceMs: 50, answerMs: 5000 };

/** Numbers that the source has and that are copied two at a time. */
class Numbers implements Kind<number, readonly number[], readonly number[]> {
  readonly here: number[] = [];
  index = 0;
  begin(): void {
    this.index = 0;
  }
  question(): number {
    return this.index;
  }
  plan(answer: readonly number[]): Plan<readonly number[]> | Problem {
    if (answer.includes(-1)) return { problem: "the source is odd" };
    const missing = answer.filter((number) => !this.here.includes(number));
    this.index = answer.length;
    const batch = missing.length === 0 ? null : missing.slice(0, 2);
    return { batch, next: batch === null ? "wait" : "plan", index: answer.length };
  }
}

class Play {
  readonly kind = new Numbers();
  readonly machine = new Replicator(this.kind, TIMINGS, new Random(7));
  now = 0;
  call = 0;
  readonly lines: string[] = [];

  step(input: ReplicatorInput<readonly number[]>): this {
    for (const effect of this.machine.step(this.now, input)) {
      if (effect.type === "tell") {
        this.lines.push(`${effect.level}: ${effect.message}${effect.reason === "" ? "" : ` (${effect.reason})`}`);
        continue;
      }
      this.call = effect.call;
      this.lines.push(effect.type === "ask" ? `ask from ${effect.question}` : `write ${effect.batch.join(" ")}`);
    }
    return this;
  }
  answer(...numbers: number[]): this {
    return this.step({ type: "answer", call: this.call, answer: numbers });
  }
  written(batch: readonly number[]): this {
    this.kind.here.push(...batch);
    return this.step({ type: "written", call: this.call });
  }
  fail(reason: string): this {
    return this.step({ type: "failed", call: this.call, reason });
  }
  /** Time passes until it wants a step. */
  wait(): this {
    const { deadline } = this.machine;
    assert.ok(deadline !== null, "it wants a step at some time");
    this.now = Math.max(this.now, deadline);
    return this.step({ type: "timeout" });
  }
  take(): string[] {
    return this.lines.splice(0);
  }
}

test("a replicator: writes an answer in bounded parts, then waits for what changes", () => {
  const play = new Play().step({ type: "start" }).answer(1, 2, 3);
  assert.deepEqual(play.take(), ["ask from 0", "write 1 2"]);
  assert.equal(play.machine.status.isCaughtUp, false);
  play.written([1, 2]);
  assert.deepEqual(play.take(), ["write 3"]);
  play.now = 60;
  play.written([3]);
  assert.deepEqual(play.take(), ["ask from 3"]);
  const { isCaughtUp, index, batches, lastSuccessAt } = play.machine.status;
  assert.deepEqual(
    { isCaughtUp, index, batches, lastSuccessAt },
    { isCaughtUp: true, index: 3, batches: 2, lastSuccessAt: 60 },
  );
});

test("a replicator: does not ask faster than its pace when answers come at once and say nothing", () => {
  const play = new Play().step({ type: "start" }).answer();
  assert.deepEqual(play.take(), ["ask from 0"]);
  assert.equal(play.machine.deadline, 50);
  play.wait();
  assert.deepEqual(play.take(), ["ask from 0"]);
});

test("a replicator: a failure is told once and tried again after delays that double up to a bound, jittered", () => {
  const play = new Play().step({ type: "start" });
  const delays: number[] = [];
  for (let i = 0; i < 7; i += 1) {
    play.fail("no way");
    delays.push((play.machine.deadline as number) - play.now);
    play.wait();
  }
  const lines = play.take();
  assert.deepEqual(
    lines.filter((line) => !line.startsWith("ask")),
    ["warn: replication fails (no way)"],
  );
  for (const [i, delay] of delays.entries()) {
    const base = Math.min(1000, 100 * 2 ** i);
    assert.ok(delay >= base * 0.75 && delay <= base * 1.25, `delay ${i} is ${delay}, about ${base}`);
  }
  assert.ok(new Set(delays.slice(-3)).size === 3, "equal delays are jittered apart");
  assert.equal(play.machine.status.failures, 7);
  play.answer();
  assert.deepEqual(play.take(), ["info: replication goes on"]);
  assert.equal(play.machine.status.failures, 0);
  assert.equal(play.machine.status.lastError, "no way");
});

test("a replicator: never stops by itself: what goes on failing is told again and again", () => {
  const play = new Play().step({ type: "start" });
  for (let i = 0; i < 40; i += 1) play.fail("down").wait();
  assert.equal(play.take().filter((line) => line.startsWith("warn")).length, 3);
  assert.notEqual(play.machine.deadline, null);
});

test("a replicator: an answer that never comes counts as a failure, and is dropped when it comes late", () => {
  const play = new Play().step({ type: "start" });
  const late = play.call;
  play.wait();
  assert.deepEqual(play.take(), ["ask from 0", "warn: replication fails (no answer in time)"]);
  play.step({ type: "answer", call: late, answer: [1] });
  assert.deepEqual(play.take(), []);
  assert.equal(play.machine.status.late, 1);
  play.wait();
  assert.deepEqual(play.take(), ["ask from 0"]);
});

test("a replicator: a write that fails has it read anew where it stands", () => {
  const play = new Play().step({ type: "start" }).answer(1, 2, 3);
  // It was written after all; only the word of it got lost.
  play.kind.here.push(1, 2);
  play.fail("outcome unknown").wait().answer(1, 2, 3);
  assert.deepEqual(play.take(), [
    "ask from 0",
    "write 1 2",
    "warn: replication fails (outcome unknown)",
    "ask from 0",
    "write 3",
  ]);
});

test("a replicator: an answer that it can do nothing about is a failure with its reason", () => {
  const play = new Play().step({ type: "start" }).answer(-1);
  assert.deepEqual(play.take(), ["ask from 0", "warn: replication fails (the source is odd)"]);
});

test("a replicator: hurry ends a wait and nothing else; stop ends all, start begins anew", () => {
  const play = new Play().step({ type: "start" }).step({ type: "hurry" }).fail("down");
  play.take();
  play.step({ type: "hurry" });
  assert.deepEqual(play.take(), ["ask from 0"]);
  play.step({ type: "stop" });
  assert.equal(play.machine.deadline, null);
  assert.equal(play.machine.status.state, "off");
  play.answer(1).step({ type: "hurry" });
  assert.deepEqual(play.take(), []);
  play.step({ type: "start" });
  assert.deepEqual(play.take(), ["ask from 0"]);
});
