import assert from "node:assert/strict";
import { test } from "node:test";
import { Timers } from "../../src/host/timers.ts";
import { Random } from "../../src/util/random.ts";
import { VirtualClock } from "./virtual-clock.ts";

function setUp(): { clock: VirtualClock; timers: Timers } {
  const clock = new VirtualClock();
  const timers = new Timers(clock);
  clock.wake = () => timers.wake();
  return { clock, timers };
}

test("timers fire in order of time, and equal ones in the order they were set", () => {
  const { clock, timers } = setUp();
  const fired: string[] = [];
  timers.after(20, () => fired.push("20"));
  timers.after(10, () => fired.push("10a"));
  timers.after(10, () => fired.push("10b"));
  clock.advance(9);
  assert.deepEqual(fired, []);
  clock.advance(11);
  assert.deepEqual(fired, ["10a", "10b", "20"]);
  assert.equal(timers.pending, 0);
  assert.equal(clock.wakeTime, null);
});

test("a cancelled timer does not fire, and the platform is no longer asked to wake for it", () => {
  const { clock, timers } = setUp();
  const timer = timers.after(10, () => assert.fail("fired"));
  timers.after(30, () => {});
  assert.equal(clock.wakeTime, 10);
  timers.cancel(timer);
  assert.equal(timer.pending, false);
  assert.equal(clock.wakeTime, 30);
  timers.cancel(timer);
  clock.advance(20);
});

test("a timer cancelled by another that is due in the same wake-up does not fire", () => {
  const { clock, timers } = setUp();
  timers.after(10, () => timers.cancel(second));
  const second = timers.after(10, () => assert.fail("fired"));
  clock.advance(10);
  assert.equal(timers.pending, 0);
});

test("a timer set for now while firing waits for the next wake-up", () => {
  const { clock, timers } = setUp();
  let count = 0;
  const again = (): void => {
    count++;
    if (count < 3) timers.after(0, again);
  };
  timers.after(5, again);
  clock.at = 5;
  timers.wake();
  assert.equal(count, 1);
  assert.equal(clock.wakeTime, 5);
  timers.wake();
  timers.wake();
  assert.equal(count, 3);
});

test("one that throws does not keep the others from being armed", () => {
  const { clock, timers } = setUp();
  timers.after(1, () => {
    throw new Error("bug");
  });
  timers.after(2, () => {});
  clock.at = 1;
  assert.throws(() => timers.wake(), /bug/);
  assert.equal(clock.wakeTime, 2);
});

test("random timers and cancellations fire as a sorted list would", () => {
  const random = new Random(7);
  for (let round = 0; round < 50; round++) {
    const { clock, timers } = setUp();
    const fired: number[] = [];
    const expected: { at: number; id: number }[] = [];
    for (let id = 0; id < 40; id++) {
      const at = random.below(20);
      const timer = timers.at(at, () => fired.push(id));
      if (random.below(3) === 0) timers.cancel(timer);
      else expected.push({ at, id });
    }
    clock.advance(20);
    assert.deepEqual(
      fired,
      expected.sort((a, b) => a.at - b.at || a.id - b.id).map(({ id }) => id),
    );
  }
});

test("the alarm stands for the first lasting timer, and for no other; a platform without one is not asked", () => {
  const alarms: (number | null)[] = [];
  const clock = new VirtualClock();
  const timers = new Timers({
    now: () => clock.now(),
    wakeAt: (at) => clock.wakeAt(at),
    alarmAt: (at) => void alarms.push(at),
  });
  clock.wake = () => timers.wake();
  timers.after(5, () => {});
  assert.deepEqual(alarms, []);
  const late = timers.after(50, () => {}, true);
  timers.after(20, () => {}, true);
  timers.after(90, () => {}, true);
  assert.deepEqual(alarms, [50, 20, 20]);
  timers.cancel(late);
  clock.advance(20);
  timers.setAlarm();
  assert.equal(alarms.at(-1), 90);
  setUp().timers.after(1, () => {}, true);
});
