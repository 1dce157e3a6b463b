// The watches of the configuration: each repeats its read whenever its answer changes and calls its handler, one call
// after the other, the first time at once. What is shared with the command line's `watch`, the loop with its pauses after
// failures, is client/watch.ts.
import { watch as changesOf } from "../client/watch.ts";
import type { WatchDefinition, WatchHandler } from "../config/watch-definition.ts";
import type { Timers } from "../host/timers.ts";
import type { Uint64 } from "../types/records.ts";
import { stringifyJson } from "../util/json.ts";
import { reasonOf } from "../util/reason-of.ts";
import type { Logger } from "./logs.ts";
import { callHandler, type HandlerMeans } from "./watch-handler.ts";
import { watchedRead, type WatchSource } from "./watch-query.ts";

const MS_PER_SECOND = 1000;

/** What watches work with. */
export interface WatchesOptions extends HandlerMeans {
  source: WatchSource;
  logger: Logger;
}

/** The watches of one agent. */
export class Watches {
  readonly #options: WatchesOptions;
  #stop: AbortController = new AbortController();

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** Ends the watches there are and begins these; every handler is called anew, as Consul's are at a reload. */
  set(watches: readonly WatchDefinition[]): void {
    this.stop();
    this.#stop = new AbortController();
    for (const watch of watches) void this.#follow(watch, this.#stop.signal);
  }

  /** Ends every watch. A program that runs goes on, a request ends. */
  stop(): void {
    this.#stop.abort();
  }

  async #follow(watch: WatchDefinition, signal: AbortSignal): Promise<void> {
    const { source, logger, timers } = this.#options;
    const { type, handler } = watch;
    if (handler === null) return;
    const changes = changesOf(watchedRead(watch, source), {
      signal,
      sleep: (ms) => pause(timers, ms, signal),
      onError: (error, retryMs) =>
        logger.error("Watch errored", { type, error: reasonOf(error), retry: `${retryMs / MS_PER_SECOND}s` }),
    });
    for await (const { value, index } of changes) await this.#call(handler, value, index, signal);
  }

  async #call(handler: WatchHandler, value: unknown, index: Uint64, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    const fields = { watch_handler: nameOf(handler) };
    try {
      const output = await callHandler(handler, stringifyJson(value), String(index), this.#options, signal);
      logger.debug("watch handler output", { ...fields, output });
    } catch (error) {
      if (!signal.aborted) logger.error("Failed to run watch handler", { ...fields, error: reasonOf(error) });
    }
  }
}

function nameOf(handler: WatchHandler): string {
  return handler.type === "http" ? handler.path : handler.type === "shell" ? handler.command : handler.args.join(" ");
}

function pause(timers: Timers, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timers.cancel(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = timers.after(ms, done);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done, { once: true });
  });
}
