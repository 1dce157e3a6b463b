// The calls of `LogStore` that share one record: those of one turn of the event loop, or of the time that a sync takes.
import type { OperationalError } from "../../src/types/error.ts";
import type { LogState, Operation } from "./log-record.ts";

/** The calls that share one record. */
export interface Group {
  operations: Operation[];
  payloadBytes: number;
  /** False as long as there are only operations that may use the reserve. */
  hasEntries: boolean;
  hasReset: boolean;
  /** Highest index of its entries, after the last reset in it; 0 without. */
  lastIndex: number;
  /** What the log holds after it. */
  state: LogState;
  /** True once its record is being written: it takes no more calls. */
  isClosed: boolean;
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: OperationalError) => void;
}

/** The state of a log that nothing was ever written to. */
export function emptyState(): LogState {
  return { hardState: null, base: { index: 0, term: 0 }, last: 0 };
}

/** A group without calls, after a log with that state. */
export function newGroup(state: LogState): Group {
  let resolve: () => void = () => {};
  let reject: (error: OperationalError) => void = () => {};
  const promise = new Promise<void>((onDone, onError) => {
    resolve = onDone;
    reject = onError;
  });
  const after = { hardState: state.hardState, base: state.base, last: state.last };
  return {
    operations: [],
    payloadBytes: 0,
    hasEntries: false,
    hasReset: false,
    lastIndex: 0,
    state: after,
    isClosed: false,
    promise,
    resolve,
    reject,
  };
}

/** Adds a call, with so many bytes of payload. */
export function addToGroup(group: Group, operation: Operation, bytes: number): void {
  group.operations.push(operation);
  group.payloadBytes += bytes;
  const { state } = group;
  switch (operation.type) {
    case "append": {
      const { entries, hardState } = operation.batch;
      if (hardState !== null) state.hardState = { term: hardState.term, vote: hardState.vote };
      const last = entries.at(-1);
      if (last === undefined) return;
      group.hasEntries = true;
      state.last = last.index;
      group.lastIndex = Math.max(group.lastIndex, last.index);
      return;
    }
    case "reset":
      state.last = operation.index;
      group.hasReset = true;
      group.lastIndex = 0;
      state.base = { index: operation.index, term: operation.term };
      return;
    case "base":
      state.base = { index: operation.index, term: operation.term };
      return;
    case "seal":
  }
}
