// Is a history of operations linearizable? The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993)
// with Lowe's memory of what was seen ("Testing for linearizability", 2017): find an order in which each operation takes
// effect between its call and its return. An operation whose outcome is unknown may take effect at any time after its
// call, or never. What is remembered is the set of operations done together with the state that they left.
//
// Independent objects (keys) are searches of their own, and `checkAll` gives them growing budgets in turn, so that one
// wrong key is found although another one would take for ever. More models are in models.ts.

/** What a kind of object does. */
export interface Model<S, O> {
  readonly initial: S;
  /**
   * The states that the operation may leave behind: none when it cannot have gone as it was answered. With `isKnown`
   * false no answer came, and what the operation says of its result counts for nothing.
   */
  step(state: S, operation: O, isKnown: boolean): readonly S[];
  /** True when the operation, answered as it was, changed nothing whenever it took effect. */
  isRead(operation: O): boolean;
  /** Equal for equal states, different for others. */
  key(state: S): string;
}

/** One operation of a history. */
export interface Call<O = Operation> {
  operation: O;
  /** When it was called, and when its answer came, in any count that orders; null when none did: its outcome is unknown. */
  calledMs: number;
  returnedMs: number | null;
}

/** What was asked of a register: absent is null. `cas` replaces `expected` by `value`; `ok` says whether it did. */
export type Operation =
  | { kind: "put"; value: string }
  | { kind: "delete" }
  | { kind: "get"; result: string | null }
  | { kind: "cas"; expected: string | null; value: string; ok: boolean }
  /** Deletes `expected`; `ok` also when there is nothing to delete. */
  | { kind: "delete-cas"; expected: string; ok: boolean };

/** Null: the budget was not enough to tell. */
export type Verdict = "linearizable" | "violation" | null;

/** A step of the search that may have to be taken back. */
interface Frame<S> {
  /** Where in `#calls` the operation is that was put next. */
  readonly at: number;
  readonly before: S;
  /** The states that it can have left, and which one is being tried. */
  readonly outcomes: readonly S[];
  outcome: number;
  /** The first operation that was not done, before. */
  readonly first: number;
  /** A read that may come now: nothing is lost when it does, so nothing else is tried in its place. */
  readonly isForced: boolean;
}

/** The search through one history; it can be interrupted and goes on where it was. */
export class Search<S, O> {
  readonly #model: Model<S, O>;
  /** The operations with a known outcome by their call, then the others by theirs. */
  readonly #calls: readonly Call<O>[];
  readonly #known: number;
  readonly #done: Uint8Array;
  readonly #seen = new Set<string>();
  readonly #stack: Frame<S>[] = [];
  #state: S;
  #left: number;
  #first = 0;
  /** Where to look for the next operation to try. */
  #from = 0;
  /** Whatever has not been called before the first return of those left comes after it. */
  #bound: number;
  #verdict: Verdict = null;
  /** Operations tried so far. */
  steps = 0;

  constructor(model: Model<S, O>, history: readonly Call<O>[]) {
    const byCall = (a: Call<O>, b: Call<O>): number => a.calledMs - b.calledMs;
    const known = history.filter(({ returnedMs }) => returnedMs !== null).sort(byCall);
    this.#model = model;
    this.#known = known.length;
    this.#calls = [...known, ...history.filter(({ returnedMs }) => returnedMs === null).sort(byCall)];
    this.#done = new Uint8Array(this.#calls.length);
    this.#state = model.initial;
    this.#left = known.length;
    this.#bound = this.#boundNow();
  }

  /** Goes on for at most `budget` steps. */
  run(budget: number): Verdict {
    const until = this.steps + budget;
    while (this.#verdict === null && this.steps < until) this.#advance();
    return this.#verdict;
  }

  #advance(): void {
    if (this.#left === 0) {
      this.#verdict = "linearizable";
      return;
    }
    const read = this.#from === this.#first ? this.#read() : -1;
    const at = read >= 0 ? read : this.#candidate();
    if (at < 0) {
      if (!this.#back()) this.#verdict = "violation";
      return;
    }
    this.steps += 1;
    const before = this.#state;
    const isKnown = at < this.#known;
    const outcomes = this.#model.step(before, this.#calls[at]!.operation, isKnown);
    const news = isKnown ? outcomes : outcomes.filter((state) => state !== before);
    this.#try({ at, before, outcomes: news, outcome: 0, first: this.#first, isForced: read >= 0 });
  }

  /** A read that may come now; -1: none. */
  #read(): number {
    const calls = this.#calls;
    for (let at = this.#first; at < this.#known && calls[at]!.calledMs <= this.#bound; at += 1) {
      const { operation } = calls[at]!;
      if (this.#done[at] === 1 || !this.#model.isRead(operation)) continue;
      if (this.#model.step(this.#state, operation, true).length > 0) return at;
    }
    return -1;
  }

  /** The next operation that may come now; -1: none is left to try. */
  #candidate(): number {
    const calls = this.#calls;
    let at = this.#from;
    for (; at < this.#known; at += 1) {
      if (calls[at]!.calledMs > this.#bound) {
        at = this.#known;
        break;
      }
      if (this.#done[at] === 0) return at;
    }
    // What may never have happened is tried last: mostly it is not needed.
    for (; at < calls.length; at += 1) {
      if (calls[at]!.calledMs > this.#bound) return -1;
      if (this.#done[at] === 0) return at;
    }
    return -1;
  }

  /** Puts the operation next, with the first of its outcomes from which it was not tried to go on before. */
  #try(frame: Frame<S>): void {
    const { at, outcomes, first } = frame;
    this.#done[at] = 1;
    this.#first = first;
    while (this.#first < this.#known && this.#done[this.#first] === 1) this.#first += 1;
    for (; frame.outcome < outcomes.length; frame.outcome += 1) {
      const state = outcomes[frame.outcome]!;
      const key = this.#key(state);
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      this.#state = state;
      this.#stack.push(frame);
      if (at < this.#known) this.#left -= 1;
      this.#bound = this.#boundNow();
      this.#from = this.#first;
      return;
    }
    this.#done[at] = 0;
    this.#first = first;
    this.#state = frame.before;
    this.#from = frame.isForced ? this.#calls.length : at + 1;
  }

  /** Takes the last operation back and tries its other outcomes, or what may come in its place. False: nothing is left. */
  #back(): boolean {
    const frame = this.#stack.pop();
    if (frame === undefined) return false;
    if (frame.at < this.#known) this.#left += 1;
    this.#done[frame.at] = 0;
    this.#first = frame.first;
    this.#bound = this.#boundNow();
    if (frame.isForced) {
      this.#state = frame.before;
      this.#from = this.#calls.length;
      return true;
    }
    frame.outcome += 1;
    this.#try(frame);
    return true;
  }

  #boundNow(): number {
    let bound = Infinity;
    for (let at = this.#first; at < this.#known; at += 1) {
      const { calledMs, returnedMs } = this.#calls[at]!;
      if (calledMs > bound) break;
      if (this.#done[at] === 0 && returnedMs! < bound) bound = returnedMs!;
    }
    return bound;
  }

  /** The set of what is done: all before the first that is not, and those after it one by one. */
  #key(state: S): string {
    let key = `${this.#first}`;
    for (let at = this.#first; at < this.#calls.length; at += 1) {
      if (this.#done[at] === 1) key += `,${at}`;
      // Nothing that is known can be done beyond the first return of what is left.
      else if (at < this.#known && this.#calls[at]!.calledMs > this.#bound) at = this.#known - 1;
    }
    return `${key}:${this.#model.key(state)}`;
  }
}

const NONE: readonly never[] = [];

/** One key: put, delete, get, compare-and-swap. */
export const REGISTER: Model<string | null, Operation> = {
  initial: null,
  step(value, operation, isKnown) {
    switch (operation.kind) {
      case "put":
        return [operation.value];
      case "delete":
        return [null];
      case "get":
        return !isKnown || operation.result === value ? [value] : NONE;
      case "cas": {
        const isMatch = operation.expected === value;
        if (isKnown && isMatch !== operation.ok) return NONE;
        return [isMatch ? operation.value : value];
      }
      case "delete-cas": {
        const isGone = value === null || value === operation.expected;
        if (isKnown && isGone !== operation.ok) return NONE;
        return [isGone ? null : value];
      }
    }
  },
  isRead: (operation) => operation.kind === "get" || ("ok" in operation && !operation.ok),
  key: (value) => (value === null ? "" : `=${value}`),
};

/** True when the history of one register, absent at first, is linearizable. */
export function isLinearizable(history: readonly Call[]): boolean {
  return new Search(REGISTER, history).run(Infinity) === "linearizable";
}

const BUDGETS_FROM = 1000;
const BUDGETS_GROW = 10;

/**
 * Searches several independent histories with growing budgets in turn. Gives those that are not linearizable, and those
 * of which `stepsMax` steps each could not tell.
 */
export function checkAll<K>(
  searches: ReadonlyMap<K, Pick<Search<never, never>, "run" | "steps">>,
  stepsMax = 1_000_000,
): { violations: K[]; undecided: K[] } {
  let open = [...searches];
  const violations: K[] = [];
  for (let budget = BUDGETS_FROM; open.length > 0; budget *= BUDGETS_GROW) {
    const next: typeof open = [];
    for (const [key, search] of open) {
      const verdict = search.run(Math.min(budget, stepsMax - search.steps));
      if (verdict === "violation") violations.push(key);
      else if (verdict === null) next.push([key, search]);
    }
    open = next;
    if (violations.length > 0 || open.every(([, search]) => search.steps >= stepsMax)) break;
  }
  return { violations, undecided: open.map(([key]) => key) };
}
