// A proposal on its way through the log, and whoever waits for its result.
import type { OperationalError } from "../types/error.ts";
import type { Sample } from "../util/instrument.ts";
import type { Proposal } from "./consensus.ts";

/** A proposal of a command, and the command itself, so that its own server need not decode it. */
export class Pending<C, R> implements Proposal {
  readonly data: Uint8Array;
  /** Null for a change of the group. */
  readonly command: C | null;
  readonly startedMs: number;
  /** Takes the time until the command is applied. */
  readonly sample: Sample | null;
  #state: "waiting" | "applied" | "failed" = "waiting";
  #result: R | undefined;
  #error: OperationalError | null = null;
  #resolve: ((result: R) => void) | null = null;
  #reject: ((error: OperationalError) => void) | null = null;

  constructor(data: Uint8Array, command: C | null, startedMs: number, sample: Sample | null) {
    this.data = data;
    this.command = command;
    this.startedMs = startedMs;
    this.sample = sample;
  }

  settle(result: R): void {
    this.#state = "applied";
    this.#result = result;
    this.#resolve?.(result);
  }

  failed(error: OperationalError): void {
    this.#state = "failed";
    this.#error = error;
    this.#reject?.(error);
  }

  /** The result when it is there already, without a promise. */
  outcome(): R | Promise<R> {
    if (this.#state === "applied") return this.#result as R;
    if (this.#state === "failed") throw this.#error as OperationalError;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }
}
