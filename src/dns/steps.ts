// One way of writing for look-ups that answer at once and for those that answer later: a generator that yields the promises
// it must wait for. Driven by `drive`, it runs to its end in one go when there are none, which is the rule here.

import type { Awaitable } from "./source.ts";

/** Work that may have to wait. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** Waits for a value if need be: `const node = yield* wait(source.node(name))`. */
export function* wait<T>(value: Awaitable<T>): Steps<T> {
  return value instanceof Promise ? ((yield value) as T) : value;
}

/** Runs the steps; the result is a promise only if one of them yielded one. Throws or rejects as they do. */
export function drive<T>(steps: Steps<T>): Awaitable<T> {
  const first = steps.next();
  return first.done === true ? first.value : driveOn(steps, first.value);
}

async function driveOn<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let pending = first;
  for (;;) {
    let settled: { value: unknown } | { error: unknown };
    try {
      settled = { value: await pending };
    } catch (error) {
      settled = { error };
    }
    const turn = "error" in settled ? steps.throw(settled.error) : steps.next(settled.value);
    if (turn.done === true) return turn.value;
    pending = turn.value;
  }
}
