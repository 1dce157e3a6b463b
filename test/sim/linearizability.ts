// Is a history of operations on one register linearizable? The search of Wing and Gong ("Testing and Verifying Concurrent
// Objects", 1993) with Lowe's memory of states that were seen ("Testing for linearizability", 2017): find an order in
// which each operation takes effect between its call and its return. An operation whose outcome is unknown may take effect
// at any time after its call, or never. Registers (keys) are independent: check each by itself.

/** What was asked of the register: absent is null. `cas` replaces `expected` by `value`; `ok` says whether it did. */
export type Operation =
  | { kind: "put"; value: string }
  | { kind: "delete" }
  | { kind: "get"; result: string | null }
  | { kind: "cas"; expected: string | null; value: string; ok: boolean };

/** One operation of a history. */
export interface Call {
  operation: Operation;
  /** When it was called, and when its answer came; null when none did: its outcome is unknown. */
  calledMs: number;
  returnedMs: number | null;
}

/** The value after an operation; undefined when it cannot have gone so. An unknown outcome fits anything. */
function step(value: string | null, { operation, returnedMs }: Call): string | null | undefined {
  switch (operation.kind) {
    case "put":
      return operation.value;
    case "delete":
      return null;
    case "get":
      return returnedMs === null || operation.result === value ? value : undefined;
    case "cas": {
      const isMatch = operation.expected === value;
      if (returnedMs !== null && isMatch !== operation.ok) return undefined;
      return isMatch ? operation.value : value;
    }
  }
}

/** True when the history of one register, absent at first, is linearizable. */
export function isLinearizable(history: readonly Call[]): boolean {
  const calls = history.toSorted((a, b) => a.calledMs - b.calledMs);
  const done = calls.map(() => false);
  const seen = new Set<string>();
  let left = calls.filter(({ returnedMs }) => returnedMs !== null).length;

  const search = (value: string | null): boolean => {
    if (left === 0) return true;
    const key = `${done.map(Number).join("")}:${value === null ? "" : `=${value}`}`;
    if (seen.has(key)) return false;
    seen.add(key);
    // Whatever has not been called before the first return of those left comes after it.
    let bound = Number.POSITIVE_INFINITY;
    for (const [at, call] of calls.entries())
      if (!done[at] && call.returnedMs !== null) bound = Math.min(bound, call.returnedMs);
    for (const [at, call] of calls.entries()) {
      if (call.calledMs > bound) break;
      if (done[at]) continue;
      const next = step(value, call);
      if (next === undefined) continue;
      done[at] = true;
      if (call.returnedMs !== null) left -= 1;
      if (search(next)) return true;
      done[at] = false;
      if (call.returnedMs !== null) left += 1;
    }
    return false;
  };
  return search(null);
}
