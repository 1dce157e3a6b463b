// A read that is repeated whenever its answer changes, by blocking queries, with the rules a client owes: start anew when
// the index goes backwards, never ask with 0 twice, do not report what has not changed, wait longer after each failure.
import type { Uint64 } from "../types/records.ts";
import { stringifyJson } from "../util/json.ts";
import type { Read, ReadOptions } from "./transport.ts";

/** Retry after 5 s, 20 s, 45 s, … and at most this. */
const RETRY_MAX_MS = 180_000;
const RETRY_MS = 5_000;

export interface WatchOptions {
  /** Ends the watch. */
  signal?: AbortSignal;
  /** How long each query waits; "2m" when not given, below the time limits of common `fetch`es. */
  wait?: string;
  /** Called before each retry. */
  onError?(error: unknown, retryMs: number): void;
  sleep?: Sleep;
}

/** Resolves after `ms`, or at once when the signal is aborted. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

/** A read that takes `index` or `hash`. */
export type Watched<T> = (options: ReadOptions & { hash?: string }) => Promise<Read<T>>;

/** Yields the first answer and then each that differs from the one before, until the signal is aborted. */
export async function* watch<T>(
  read: Watched<T>,
  options: WatchOptions = {},
): AsyncGenerator<Read<T>, void, undefined> {
  const { signal, wait = "2m", sleep = defaultSleep } = options;
  let index: Uint64 | undefined;
  let hash: string | undefined;
  let shown: string | null = null;
  let failures = 0;
  for (;;) {
    if (signal?.aborted) return;
    let answer: Read<T>;
    try {
      answer = await read({ signal, wait, index, hash });
    } catch (error) {
      if (signal?.aborted) return;
      failures += 1;
      index = undefined;
      hash = undefined;
      const retryMs = Math.min(RETRY_MS * failures ** 2, RETRY_MAX_MS);
      options.onError?.(error, retryMs);
      await sleep(retryMs, signal);
      continue;
    }
    failures = 0;
    hash = answer.contentHash ?? undefined;
    index = hash === undefined ? nextIndex(index, answer.index) : undefined;
    const text = stringifyJson(answer.value);
    if (text !== shown) {
      shown = text;
      yield answer;
    }
    // An endpoint that cannot block is asked at intervals.
    if (answer.index === 0 && hash === undefined) await sleep(RETRY_MS, signal);
  }
}

/** An index that went backwards starts the query anew, without one. */
function nextIndex(before: Uint64 | undefined, index: Uint64): Uint64 | undefined {
  if (before !== undefined && index < before) return undefined;
  return index > 0 ? index : 1;
}

export const defaultSleep: Sleep = (ms, signal) =>
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
