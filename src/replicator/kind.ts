// What a replicator (`replicator.ts`) needs to know of what it replicates.

/** What is to be done about an answer. */
export interface Plan<B> {
  /** What to write now: bounded. Null when nothing of the answer is left to write. */
  batch: B | null;
  /**
   * What comes then: `plan` compares the same answer with what is here once more; `ask` asks again at once, since there is more;
   * `wait` asks for what will change.
   */
  next: "plan" | "ask" | "wait";
  /** The source's index that is here then. */
  index: number;
}

/** A reason why nothing can be done about an answer. */
export interface Problem {
  problem: string;
}

/** One thing that is replicated. It may look at the local store and remember where it was; it does nothing by itself. */
export interface Kind<Q, R, B> {
  /** Forgets what it remembers of answers: what is stored counts. */
  begin(): void;
  /** What to ask now. */
  question(): Q;
  /** Compares an answer with what is here. */
  plan(answer: R): Plan<B> | Problem;
}
