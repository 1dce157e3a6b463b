// Time and chance, which come from outside so that tests and other schedulers own them. Nothing here runs when the module
// is loaded: Workers allow neither timers nor random numbers outside a request.

/** Resolves after `ms`, or at once when the signal is aborted; never rejects. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

/** What the client needs of time. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since the epoch. */
  wall(): number;
  sleep: Sleep;
  /** In [0, 1). */
  random(): number;
}

const defaultSleep: Sleep = (ms, signal) =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    signal?.addEventListener("abort", done);
  });

/** The runtime's own. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => new Date().getTime(),
  sleep: defaultSleep,
  random: () => (crypto.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32,
};

/** Something did not happen in its time. */
export class TimeoutError extends Error {
  override readonly name: string = "TimeoutError";
}

/**
 * Runs `task` with a signal that is aborted after `ms`, or when `outer` is. It ends then, whether the task heeds the signal
 * or not: a connection that says nothing more must not hold anyone for ever.
 * @throws TimeoutError, the reason of `outer`, or what the task throws
 */
export async function within<T>(
  clock: Pick<Clock, "sleep">,
  ms: number,
  outer: AbortSignal | null | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer?.throwIfAborted();
  const inner = new AbortController();
  const over = new AbortController();
  const stop = (): void => inner.abort(outer?.reason);
  outer?.addEventListener("abort", stop);
  const aborted = new Promise<never>((_, reject) => {
    inner.signal.addEventListener("abort", () => reject(inner.signal.reason as Error));
  });
  if (ms !== Infinity)
    void clock.sleep(ms, over.signal).then(() => {
      if (!over.signal.aborted) inner.abort(new TimeoutError(`no answer within ${Math.round(ms)} ms`));
    });
  try {
    return await Promise.race([task(inner.signal), aborted]);
  } finally {
    outer?.removeEventListener("abort", stop);
    over.abort();
  }
}

/** The key of an object that `await using` looks for, also where the runtime has none yet. */
export const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
