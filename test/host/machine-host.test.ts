import assert from "node:assert/strict";
import { test } from "node:test";
import { type Machine, MachineHost } from "../../src/host/machine-host.ts";
import { Timers } from "../../src/host/timers.ts";
import { VirtualClock } from "./virtual-clock.ts";

type Input = string;
type Effect = string;

/** Says each input back, twice, and asks for a time when told `at N`. */
class Echo implements Machine<Input, Effect> {
  deadline: number | null = null;
  step(now: number, input: Input): Effect[] {
    if (input === "throw") throw new Error("bug");
    if (input.startsWith("at ")) this.deadline = Number(input.slice(3));
    if (input === "timeout") this.deadline = null;
    return [`${input}@${now}`, `${input}!`];
  }
}

function setUp(perform: (effect: Effect) => void): {
  clock: VirtualClock;
  host: MachineHost<Input, Effect>;
  failures: unknown[];
  timers: Timers;
} {
  const clock = new VirtualClock();
  const timers = new Timers(clock);
  clock.wake = () => timers.wake();
  const failures: unknown[] = [];
  const host = new MachineHost<Input, Effect>({
    machine: new Echo(),
    platform: clock,
    timers,
    timeout: "timeout",
    perform,
    failed: (error) => failures.push(error),
  });
  return { clock, host, failures, timers };
}

test("what an effect dispatches is stepped after all effects of its step", () => {
  const seen: string[] = [];
  const { host } = setUp((effect) => {
    seen.push(effect);
    if (effect === "a@0") host.dispatch("b");
  });
  host.dispatch("a");
  assert.deepEqual(seen, ["a@0", "a!", "b@0", "b!"]);
});

test("the machine's deadline is kept, moved and dropped", () => {
  const seen: string[] = [];
  const { clock, host } = setUp((effect) => seen.push(effect));
  host.dispatch("at 50");
  assert.equal(clock.wakeTime, 50);
  host.dispatch("at 20");
  assert.equal(clock.wakeTime, 20);
  clock.advance(25);
  assert.deepEqual(seen.slice(-2), ["timeout@20", "timeout!"]);
  assert.equal(clock.wakeTime, null);
});

test("a machine that throws is stopped, reported once and never stepped again", () => {
  const seen: string[] = [];
  const { clock, host, failures, timers } = setUp((effect) => seen.push(effect));
  host.dispatch("at 50");
  host.dispatch("throw");
  assert.equal(failures.length, 1);
  assert.equal(host.stopped, true);
  host.dispatch("a");
  clock.advance(100);
  assert.deepEqual(seen, ["at 50@0", "at 50!"]);
  assert.equal(timers.pending, 0);
});

test("stopping from within an effect drops the rest of the step", () => {
  const seen: string[] = [];
  const { host } = setUp((effect) => {
    seen.push(effect);
    host.stop();
  });
  host.dispatch("a");
  assert.deepEqual(seen, ["a@0"]);
});
