// A clock that a test moves: whoever sleeps is woken in order, and what follows from that happens before time goes on.
import type { Clock } from "../../src/client/index.ts";

/** Enough turns of the microtask queue for a chain of awaits. */
const TURNS = 30;

export class FakeClock implements Clock {
  #now = 0;
  #seed = 1;
  /** How far the wall's clock is ahead of the monotonic one. */
  readonly #epoch: number;
  readonly sleeps: Set<{ until: number; wake(): void }> = new Set();

  constructor(epoch = 1_700_000_000_000) {
    this.#epoch = epoch;
  }
  readonly now = (): number => this.#now;
  readonly wall = (): number => this.#epoch + this.#now;
  readonly random = (): number => {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  };
  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const sleep = {
        until: this.#now + ms,
        wake: (): void => {
          this.sleeps.delete(sleep);
          signal?.removeEventListener("abort", sleep.wake);
          resolve();
        },
      };
      if (signal?.aborted) return resolve();
      signal?.addEventListener("abort", sleep.wake);
      this.sleeps.add(sleep);
    });

  /** Lets time pass, from one sleeper's end to the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turns();
    for (;;) {
      let next: { until: number; wake(): void } | null = null;
      for (const sleep of this.sleeps) if (sleep.until <= end && sleep.until < (next?.until ?? Infinity)) next = sleep;
      if (next === null) break;
      this.#now = Math.max(this.#now, next.until);
      next.wake();
      await turns();
      await settle(3);
    }
    this.#now = end;
  }
}

const { scheduler } = globalThis as { scheduler?: { postTask?(task: () => void): Promise<void> } };

/** Browsers make short timers wait. */
function nextTask(): Promise<void> {
  if (scheduler?.postTask !== undefined) return scheduler.postTask(() => {});
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
}

/** Lets everything happen that needs no time, bodies of answers too, which some runtimes read in tasks of their own. */
export async function settle(tasks = 6): Promise<void> {
  for (let task = 0; task < tasks; task += 1) await nextTask();
}

/** Waits until something that others do is true. */
export async function until(condition: () => boolean): Promise<void> {
  for (let task = 0; !condition(); task += 1) {
    if (task > 5_000) throw new Error(`what was waited for did not happen: ${condition}`);
    await nextTask();
  }
}

/** Lets time pass until the promise is settled, and gives what it gives. */
export async function whilst<T>(clock: FakeClock, stepMs: number, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const done = promise.then(
    () => (isDone = true),
    () => (isDone = true),
  );
  for (let step = 0; ; step += 1) {
    if (isDone) break;
    if (step > 1_000) throw new Error("what was waited for did not happen");
    await settle();
    if (!isDone) await clock.advance(stepMs);
  }
  await done;
  return promise;
}
