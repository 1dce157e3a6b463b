// A command that comes twice is carried out once. A runtime's fetch sends a request again when the kept-alive connection
// it chose turns out to be dead, and a network may deliver a packet twice: the leader then sees one command two times,
// and a second `PUT` could undo what a third party wrote in between. So each forwarded command carries the id of the
// process that sent it and a number of its own, and the leader remembers for a while what became of it: whoever asks
// again gets the same answer. Nothing of it is replicated: it does not reach over a change of leader.
import { OperationalError } from "../types/error.ts";
import { hex } from "../util/bytes.ts";

/** How long an answer is remembered: far beyond the time that its sender waits for it. */
const KEPT_MS = 60_000;
/** Answers remembered at most, oldest first out. */
const KEPT_MAX = 32_768;
/** Processes whose forgotten numbers are known. */
const PROCESSES_MAX = 4096;
const LIFE_BYTES = 12;

/** Names a command: the process that sends it, and the how-manieth it is. */
export type RequestId = readonly [life: string, number: number];

/** Numbers the commands that one process sends. */
export class RequestIds {
  readonly #life: string;
  #number = 0;

  /** @param random of the platform: no other life of any agent must ever get the same. */
  constructor(random: (length: number) => Uint8Array) {
    this.#life = hex(random(LIFE_BYTES));
  }

  next(): RequestId {
    this.#number += 1;
    return [this.#life, this.#number];
  }
}

/** True when a value from outside names a command. */
export function isRequestId(value: unknown): value is RequestId {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === "string" &&
    value[0].length === 2 * LIFE_BYTES &&
    Number.isSafeInteger(value[1])
  );
}

interface Outcome {
  readonly life: string;
  readonly number: number;
  /** Infinity while it is under way. */
  endedMs: number;
  readonly answer: Promise<unknown>;
}

/** What became of the commands that came lately. */
export class RequestOutcomes {
  readonly #now: () => number;
  /** In the order in which they came. */
  readonly #kept = new Map<string, Outcome>();
  /** By process: the highest number whose outcome was forgotten. */
  readonly #forgotten = new Map<string, number>();
  /** Commands that came again. */
  repeated = 0;

  /** @param now monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Does `act` the first time; afterwards gives what came of it. @throws OperationalError when that is forgotten. */
  once<T>([life, number]: RequestId, act: () => T | Promise<T>): Promise<T> {
    this.#forget();
    const key = `${life} ${number}`;
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.repeated += 1;
      return known.answer as Promise<T>;
    }
    // Numbers come about in order: one that is this late was sent again, or its sender has given up on it.
    if (number <= (this.#forgotten.get(life) ?? 0))
      return Promise.reject(
        new OperationalError("outcome-unknown", "a request came too late to tell what became of it"),
      );
    const answer = attempt(act);
    const outcome: Outcome = { life, number, endedMs: Number.POSITIVE_INFINITY, answer };
    this.#kept.set(key, outcome);
    const ended = (): void => {
      outcome.endedMs = this.#now();
    };
    answer.then(ended, ended);
    return answer;
  }

  #forget(): void {
    const before = this.#now() - KEPT_MS;
    for (const [key, { life, number, endedMs }] of this.#kept) {
      if (endedMs > before && this.#kept.size < KEPT_MAX) break;
      this.#kept.delete(key);
      const forgotten = Math.max(number, this.#forgotten.get(life) ?? 0);
      this.#forgotten.delete(life);
      this.#forgotten.set(life, forgotten);
    }
    for (const life of this.#forgotten.keys()) {
      if (this.#forgotten.size <= PROCESSES_MAX) break;
      this.#forgotten.delete(life);
    }
  }
}

async function attempt<T>(act: () => T | Promise<T>): Promise<T> {
  return act();
}
