// Read indexes that a follower asks of its leader (thesis §6.4). One attempt is under way at a time; reads that come
// meanwhile wait for the next. Every attempt has a context of its own, so that no answer to an earlier one, of this or of an
// earlier life of the server, can pass for its answer (etcd #20418).
import type { Random } from "../util/random.ts";

const CONTEXTS_PER_NONCE = 2 ** 20;

export class ForwardedReads {
  readonly #random: Random;
  #nonce = 0;
  #count = CONTEXTS_PER_NONCE;
  /** The attempt under way; 0: none. */
  context = 0;
  /** Its reads. */
  refs: number[] = [];
  /** Reads for the next attempt. */
  waiting: number[] = [];
  deadlineMs: number = Infinity;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Begins an attempt with all waiting reads and returns its context. */
  begin(deadlineMs: number): number {
    if (this.#count === CONTEXTS_PER_NONCE) {
      this.#nonce = this.#random.next();
      this.#count = 0;
    }
    this.#count += 1;
    // Below 2^53, never 0, and another one at every boot with another seed.
    this.context = this.#nonce * CONTEXTS_PER_NONCE + this.#count;
    this.refs = this.waiting;
    this.waiting = [];
    this.deadlineMs = deadlineMs;
    return this.context;
  }

  /** Ends the attempt and returns its reads. */
  end(): number[] {
    const { refs } = this;
    this.context = 0;
    this.refs = [];
    this.deadlineMs = Infinity;
    return refs;
  }

  /** Ends everything and returns all reads. */
  clear(): number[] {
    const refs = [...this.end(), ...this.waiting];
    this.waiting = [];
    return refs;
  }
}
