// A bug that is planted to see whether the simulator finds it.

/** One replacement in one file of the product. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** There exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Bug {
  /** For `--bug`. */
  readonly name: string;
  /** What it breaks, and where it is known from. */
  readonly what: string;
  readonly edits: readonly Edit[];
  /** It shows only when there are so many datacenters. */
  readonly datacenters?: number;
}
