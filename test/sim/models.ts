// The objects whose histories are checked beside the register of linearizability.ts: a table of keys under transactions, a
// lock with its fence, and lists and sets that only grow.
import type { Call, Model } from "./linearizability.ts";

const NONE: readonly never[] = [];

/** What a transaction does with one key: absent is null. */
export type TxnStep =
  | { kind: "get"; key: string; result: string | null }
  | { kind: "set"; key: string; value: string }
  | { kind: "delete"; key: string }
  /** Holds when the key has this value, else the whole transaction does nothing. */
  | { kind: "check"; key: string; expected: string | null };

/** All steps or none; `ok` says which. */
export interface TxnOperation {
  steps: readonly TxnStep[];
  ok: boolean;
}

type Table = Readonly<Record<string, string>>;

/** Several keys as one object. */
export const TABLE: Model<Table, TxnOperation> = {
  initial: {},
  step(table, { steps, ok }, isKnown) {
    const next = new Map(Object.entries(table));
    let isDone = true;
    for (const step of steps) {
      const value = next.get(step.key) ?? null;
      if (step.kind === "set") next.set(step.key, step.value);
      else if (step.kind === "delete") next.delete(step.key);
      else if (step.kind === "check") isDone &&= value === step.expected;
      else if (isKnown && ok && value !== step.result) return NONE;
    }
    if (isKnown && isDone !== ok) return NONE;
    return [isDone && steps.some(({ kind }) => kind === "set" || kind === "delete") ? Object.fromEntries(next) : table];
  },
  isRead: ({ steps, ok }) => !ok || steps.every(({ kind }) => kind === "get" || kind === "check"),
  key: (table) =>
    Object.keys(table)
      .sort()
      .map((key) => `${key}=${table[key]}`)
      .join("&"),
};

/** What is done with a lock. Sessions are named once and never come back. */
export type LockOperation =
  | { kind: "acquire"; session: string; ok: boolean }
  | { kind: "release"; session: string; ok: boolean }
  /** The session ends: asked for, or by itself (its time of life is over: then it may end late, or never). */
  | { kind: "end"; session: string }
  | { kind: "read"; session: string | null; fence: number };

/** Who holds it, how often it was taken, and whether a lock delay may be running. */
interface Lock {
  holder: string | null;
  fence: number;
  isDelayed: boolean;
}

/** A key that sessions lock; `fence` is its LockIndex. */
export const LOCK: Model<Lock, LockOperation> = {
  initial: { holder: null, fence: 0, isDelayed: false },
  step(lock, operation, isKnown) {
    const { holder, fence } = lock;
    switch (operation.kind) {
      case "read":
        return !isKnown || (operation.session === holder && operation.fence === fence) ? [lock] : NONE;
      case "end":
        return [holder === operation.session ? { holder: null, fence, isDelayed: true } : lock];
      case "release": {
        const isHeld = holder === operation.session;
        if (isKnown && isHeld !== operation.ok) return NONE;
        return [isHeld ? { ...lock, holder: null } : lock];
      }
      case "acquire": {
        const { session, ok } = operation;
        const isFree = holder === null || holder === session;
        // Who gets it while a delay may be running gets it because that is over, or was forgotten with its leader.
        const taken = holder === session ? lock : { holder: session, fence: fence + 1, isDelayed: false };
        if (!isKnown) return isFree ? [taken] : NONE;
        if (ok) return isFree ? [taken] : NONE;
        // A lock that its holder's session lost is refused for a while.
        return isFree && !(holder === null && lock.isDelayed) ? NONE : [lock];
      }
    }
  },
  isRead: (operation) => operation.kind === "read" || (operation.kind !== "end" && !operation.ok),
  key: ({ holder, fence, isDelayed }) => `${holder ?? ""}|${fence}|${isDelayed ? 1 : 0}`,
};

/** What is done with a list that only grows: an element is added once. */
export type ListOperation = { kind: "append"; element: string } | { kind: "read"; elements: readonly string[] };

/**
 * What is wrong with the history of a list whose elements keep their order; null when nothing is. Exact, and without a
 * search: every read must be the beginning of every longer one, and time must agree with what they show.
 */
export function listProblem(history: readonly Call<ListOperation>[]): string | null {
  const reads = history.flatMap(({ operation, calledMs, returnedMs }) =>
    operation.kind === "read" && returnedMs !== null ? [{ elements: operation.elements, calledMs, returnedMs }] : [],
  );
  reads.sort((a, b) => a.elements.length - b.elements.length);
  const longest = reads.at(-1)?.elements ?? [];
  for (const { elements } of reads)
    for (const [at, element] of elements.entries())
      if (longest[at] !== element) return `a read shows ${element} at ${at}, another one ${longest[at]}`;
  const appends = new Map<string, Call<ListOperation>>();
  for (const call of history) if (call.operation.kind === "append") appends.set(call.operation.element, call);
  const places = new Map<string, number>();
  for (const [at, element] of longest.entries()) {
    if (places.has(element)) return `${element} is there twice`;
    if (!appends.has(element)) return `${element} was never added`;
    places.set(element, at);
  }
  const events: Placed[] = [];
  for (const { elements, calledMs, returnedMs } of reads)
    events.push({ place: elements.length - 0.5, calledMs, returnedMs, what: `a read of ${elements.length}` });
  for (const [element, { calledMs, returnedMs }] of appends) {
    const place = places.get(element);
    if (place === undefined && returnedMs === null) continue;
    events.push({ place: place ?? Infinity, calledMs, returnedMs: returnedMs ?? Infinity, what: `adding ${element}` });
  }
  return orderProblem(events);
}

/** The same of a set, whose elements have no order: reads give it sorted in any way. */
export function setProblem(history: readonly Call<ListOperation>[]): string | null {
  const added = new Map<string, Call<ListOperation>>();
  const reads: { elements: ReadonlySet<string>; calledMs: number; returnedMs: number }[] = [];
  for (const call of history) {
    const { operation, calledMs, returnedMs } = call;
    if (operation.kind === "append") added.set(operation.element, call);
    else if (returnedMs !== null) reads.push({ elements: new Set(operation.elements), calledMs, returnedMs });
  }
  reads.sort((a, b) => a.elements.size - b.elements.size);
  // When each element was first shown, by the place of the read among the sorted ones.
  const shownFrom = new Map<string, number>();
  for (const [at, { elements }] of reads.entries()) {
    const before = at === 0 ? null : reads[at - 1]!.elements;
    if (before !== null) for (const element of before) if (!elements.has(element)) return `${element} comes and goes`;
    for (const element of elements) {
      if (!added.has(element)) return `${element} was never added`;
      if (!shownFrom.has(element)) shownFrom.set(element, at);
    }
  }
  // Reads of one size are equal; an element takes effect just before the first size that shows it.
  const events: Placed[] = reads.map((read, at) => ({
    place: shownPlace(reads, at),
    calledMs: read.calledMs,
    returnedMs: read.returnedMs,
    what: `a read of ${read.elements.size}`,
  }));
  for (const [element, { calledMs, returnedMs }] of added) {
    const from = shownFrom.get(element);
    if (from === undefined && returnedMs === null) continue;
    const place = from === undefined ? Infinity : shownPlace(reads, from) - 0.5;
    events.push({ place, calledMs, returnedMs: returnedMs ?? Infinity, what: `adding ${element}` });
  }
  return orderProblem(events);
}

/** An operation whose place in the order of effects is known. */
interface Placed {
  place: number;
  calledMs: number;
  returnedMs: number;
  what: string;
}

/** None may have been over before one with an earlier place began; what is in one place can come in any order. */
function orderProblem(events: Placed[]): string | null {
  events.sort((a, b) => a.place - b.place);
  /** Of what has an earlier place, and of that and what has the present one: what began last. */
  let earlier: Placed | null = null;
  let latest: Placed | null = null;
  let place = -Infinity;
  for (const event of events) {
    if (event.place > place) {
      place = event.place;
      earlier = latest;
    }
    if (earlier !== null && event.returnedMs < earlier.calledMs)
      return `${event.what} was over before ${earlier.what} began, and must come after it`;
    if (latest === null || event.calledMs > latest.calledMs) latest = event;
  }
  return null;
}

/** The place of a read in the order: that of the first one as large. */
function shownPlace(reads: readonly { elements: ReadonlySet<string> }[], at: number): number {
  let first = at;
  while (first > 0 && reads[first - 1]!.elements.size === reads[at]!.elements.size) first -= 1;
  return first;
}
