// What a log store has to hold: a model to compare with, and a stream of random calls that follows from a seed alone, so
// that a killed process and its judge agree on what was called.
import type { LoadedLog, LogBatch, LogStore } from "../../../src/platform.ts";
import type { Entry, EntryKind } from "../../../src/raft/types.ts";

export type Call =
  | { type: "append"; batch: LogBatch }
  | { type: "compact"; index: number; term: number }
  | { type: "reset"; index: number; term: number };

/** The state after the calls it was given. */
export class LogModel {
  state: LoadedLog = { hardState: null, base: { index: 0, term: 0 }, entries: [] };

  get last(): number {
    return this.state.base.index + this.state.entries.length;
  }

  apply(call: Call): void {
    const { state } = this;
    if (call.type === "append") {
      const first = call.batch.entries[0];
      if (first !== undefined) state.entries.length = first.index - state.base.index - 1;
      state.entries.push(...call.batch.entries);
      if (call.batch.hardState !== null) state.hardState = { ...call.batch.hardState };
      return;
    }
    if (call.type === "compact") {
      if (call.index <= state.base.index) return;
      state.entries.splice(0, call.index - state.base.index);
    } else {
      state.entries = [];
    }
    state.base = { index: call.index, term: call.term };
  }

  copy(): LogModel {
    const copy = new LogModel();
    const { hardState, base, entries } = this.state;
    copy.state = { hardState: hardState && { ...hardState }, base: { ...base }, entries: entries.slice() };
    return copy;
  }
}

export function callStore(store: LogStore, call: Call): void | Promise<void> {
  if (call.type === "append") return store.append(call.batch);
  return call.type === "compact" ? store.compact(call.index, call.term) : store.reset(call.index, call.term);
}

/** The whole of it as one string, for comparing. */
export function printLog({ hardState, base, entries }: LoadedLog): string {
  const lines = entries.map(
    ({ index, term, kind, data }) => `${index} ${term} ${kind} ${Buffer.from(data).toString("base64")}`,
  );
  return [JSON.stringify(hardState && [hardState.term, hardState.vote]), `${base.index} ${base.term}`, ...lines].join(
    "\n",
  );
}

export function entry(
  index: number,
  term = 1,
  data: string | Uint8Array = `entry ${index}`,
  kind: EntryKind = "command",
): Entry {
  return { index, term, kind, data: typeof data === "string" ? new TextEncoder().encode(data) : data };
}

export function append(...entries: Entry[]): Call {
  return { type: "append", batch: { entries, hardState: null } };
}

/** Numbers from 0 up to `below`, the same for the same seed (mulberry32). */
export function seeded(seed: number): (below: number) => number {
  let a = seed >>> 0;
  return (below) => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export interface CallOptions {
  /** The most bytes in an entry. */
  dataBytesMax: number;
  /** One call in so many compacts, and one in so many resets. */
  compactEvery: number;
  resetEvery: number;
}

/** Calls that a server could make, one after the other; `next` also applies them to `model`. */
export class RandomCalls {
  readonly model: LogModel = new LogModel();
  readonly #random: (below: number) => number;
  readonly #options: CallOptions;
  #term = 1;

  constructor(seed: number, options: CallOptions) {
    this.#random = seeded(seed);
    this.#options = options;
  }

  next(): Call {
    const call = this.#call();
    this.model.apply(call);
    return call;
  }

  #call(): Call {
    const random = this.#random;
    const { last, state } = this.model;
    if (random(this.#options.compactEvery) === 0 && state.entries.length > 1) {
      const at = state.entries[random(state.entries.length)] as Entry;
      return { type: "compact", index: at.index, term: at.term };
    }
    if (random(this.#options.resetEvery) === 0) {
      return { type: "reset", index: Math.max(1, last - 5 + random(20)), term: this.#term };
    }
    let first = last + 1;
    if (random(8) === 0) {
      this.#term += 1;
      first -= random(Math.min(4, state.entries.length + 1));
    }
    const count = random(10) === 0 ? 0 : 1 + random(4);
    const entries = Array.from({ length: count }, (_, i) => this.#entry(first + i));
    const vote = random(2) === 0 ? null : `server-${random(3)}`;
    const hardState = count === 0 || random(6) === 0 ? { term: this.#term, vote } : null;
    return { type: "append", batch: { entries, hardState } };
  }

  #entry(index: number): Entry {
    const random = this.#random;
    const data = new Uint8Array(random(this.#options.dataBytesMax + 1));
    // Often with long runs of zeros, which look like what was never written.
    if (random(3) > 0) {
      let x = random(2 ** 32);
      for (let i = 0; i < data.length; i += 1) {
        x = (Math.imul(x, 1664525) + 1013904223) | 0;
        data[i] = x >>> 24;
      }
    }
    return {
      index,
      term: this.#term,
      kind: (["command", "command", "noop", "config"] as const)[random(4)] ?? "command",
      data,
    };
  }
}
