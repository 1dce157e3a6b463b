// A read that is repeated whenever its answer changes, by blocking queries, with the rules a client owes: start anew when
// the index goes backwards, never ask with 0 twice, do not report what has not changed, wait longer after each failure, and
// do not spin when an answer comes at once that should have been held.
import type { Uint64 } from "../types/records.ts";
import type { Sleep } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { stringifyJson } from "./json.ts";
import type { Read, ReadOptions } from "./transport.ts";

/** Retry after 5 s, 20 s, 45 s, … and at most this. */
const RETRY_MAX_MS = 180_000;
const RETRY_MS = 5_000;
/** A query with an index that is answered with the same index sooner than this was not held. */
const HELD_MS = 500;

/** How to wait, and whom to tell. */
export interface WatchOptions {
  /** Ends the watch. */
  signal?: AbortSignal;
  /** How long each query waits; "2m" when not given, below the time limits of common `fetch`es. */
  wait?: string;
  /** Called before each retry. */
  onError?(error: unknown, retryMs: number): void;
  /** Called with every answer, also with one that is as before. */
  onAnswer?(answer: Read<unknown>): void;
  /** The pause after so many failures in a row; that of Consul's own watches when not given. */
  retryMs?(failures: number): number;
  /** The least time from one query to the next; none when not given. */
  intervalMs?: number;
  sleep?: Sleep;
  /** Monotonic milliseconds. */
  now?(): number;
}

/** A read that takes `index` or `hash`. */
export type Watched<T> = (options: ReadOptions & { hash?: string }) => Promise<Read<T>>;

/** Yields the first answer and then each that differs from the one before, until the signal is aborted. */
export async function* watch<T>(
  read: Watched<T>,
  options: WatchOptions = {},
): AsyncGenerator<Read<T>, void, undefined> {
  const { signal, wait = "2m", sleep = systemClock.sleep, now = systemClock.now, intervalMs = 0 } = options;
  const retryAfterMs = options.retryMs ?? ((failures) => Math.min(RETRY_MS * failures ** 2, RETRY_MAX_MS));
  let index: Uint64 | undefined;
  let hash: string | undefined;
  let shown: string | null = null;
  let failures = 0;
  for (;;) {
    if (signal?.aborted) return;
    const asked = index;
    const start = now();
    let answer: Read<T>;
    try {
      answer = await read({ signal, wait, index, hash });
    } catch (error) {
      if (signal?.aborted) return;
      failures += 1;
      index = undefined;
      hash = undefined;
      const retryMs = retryAfterMs(failures);
      options.onError?.(error, retryMs);
      await sleep(retryMs, signal);
      continue;
    }
    if (signal?.aborted) return;
    failures = 0;
    options.onAnswer?.(answer);
    hash = answer.contentHash ?? undefined;
    index = hash === undefined ? nextIndex(index, answer.index) : undefined;
    const text = stringifyJson(answer.value);
    if (text !== shown) {
      shown = text;
      yield answer;
    }
    const tookMs = now() - start;
    // An endpoint that cannot block, or does not, is asked at intervals.
    const isHeld = hash !== undefined || (answer.index !== 0 && (answer.index !== asked || tookMs >= HELD_MS));
    const pauseMs = isHeld ? intervalMs - tookMs : RETRY_MS;
    if (pauseMs > 0) await sleep(pauseMs, signal);
  }
}

/** An index that went backwards starts the query anew, without one. */
function nextIndex(before: Uint64 | undefined, index: Uint64): Uint64 | undefined {
  if (before !== undefined && index < before) return undefined;
  return index > 0 ? index : 1;
}

/** What is watched, for sources that send more than one request. */
export interface WatchTarget<T> {
  /** What follows "/v1/", encoded. */
  path: string;
  /** One blocking query of it. */
  read: Watched<T>;
}

/**
 * How changes come. Long polls are what every server has; where a server offers a stream of events or a WebSocket, a source
 * for that can be given to `createClient`. It reports by `onAnswer` and `onError`, and yields like `watch`.
 */
export type WatchSource = <T>(target: WatchTarget<T>, options: WatchOptions) => AsyncIterable<Read<T>>;

/** By blocking queries. */
export const longPolls: WatchSource = ({ read }, options) => watch(read, options);
