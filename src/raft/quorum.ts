// The arithmetic of majorities: pure, without a word about roles.

/** How many of `count` voters are a majority. */
export function majority(count: number): number {
  return (count >> 1) + 1;
}

/**
 * The largest value that a majority has reached: with one value per voter, the majority-th largest. 0 of nobody.
 * Reorders `values`, which its caller can therefore reuse.
 */
export function reachedByMajority(values: number[]): number {
  if (values.length === 0) return 0;
  // Insertion sort, largest first: there are seldom more than seven.
  for (let i = 1; i < values.length; i += 1) {
    const value = values[i]!;
    let at = i;
    for (; at > 0 && values[at - 1]! < value; at -= 1) values[at] = values[at - 1]!;
    values[at] = value;
  }
  return values[majority(values.length) - 1]!;
}

export type ElectionResult = "won" | "lost" | "pending";

/** The votes of one election or pre-election. */
export class VoteTally {
  readonly #votes = new Map<string, boolean>();

  /** The first answer of a server counts; later ones do not change it. */
  record(id: string, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  /** What the answers of these voters decide; answers of others do not count. */
  result(voters: readonly string[]): ElectionResult {
    let granted = 0;
    let refused = 0;
    for (const id of voters) {
      const vote = this.#votes.get(id);
      if (vote === true) granted += 1;
      else if (vote === false) refused += 1;
    }
    if (granted >= majority(voters.length)) return "won";
    return voters.length - refused < majority(voters.length) ? "lost" : "pending";
  }
}
