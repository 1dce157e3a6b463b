// Group commit: proposals that come while entries of this leader are being written go together, in one batch to the disk and
// in one message to each follower, as soon as those are durable here or committed by the others. A proposal that finds
// nothing under way goes at once, so nobody waits who is alone.

/** Proposals of more bytes than this do not wait for each other. */
const GATHERED_BYTES_MAX = 1024 * 1024;

/** A proposal as the Raft machine takes it. */
interface Gathered {
  ref: number;
  data: Uint8Array;
}

/** The proposals of one leader that wait to go together. */
export class GroupCommit {
  readonly #propose: (entries: readonly Gathered[]) => void;
  #gathered: Gathered[] = [];
  #bytes = 0;
  /** The write that they wait for; 0: none. */
  #token = 0;

  constructor(propose: (entries: readonly Gathered[]) => void) {
    this.#propose = propose;
  }

  /** Entries are being written: what comes from now on waits for them. */
  writing(token: number): void {
    this.#token = token;
  }

  /** Proposes it, now or with others. */
  add(ref: number, data: Uint8Array): void {
    if (this.#token === 0) {
      this.#propose([{ ref, data }]);
      return;
    }
    this.#gathered.push({ ref, data });
    this.#bytes += data.length;
    if (this.#bytes > GATHERED_BYTES_MAX) this.release();
  }

  /** The write with this token is done. */
  written(token: number): void {
    if (token >= this.#token) this.release();
  }

  /** There is nothing to wait for any more. */
  release(): void {
    this.#token = 0;
    if (this.#gathered.length === 0) return;
    const entries = this.#gathered;
    this.#gathered = [];
    this.#bytes = 0;
    this.#propose(entries);
  }
}
