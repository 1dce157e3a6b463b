// Random numbers for a simulation: a stream for each purpose, all from one seed, so that what one part draws moves no other
// part. Shrinking a run leaves the streams of what stays as they were.
import { Random } from "../../src/util/random.ts";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const TWO_32 = 0x1_0000_0000;

/** A 32-bit number of a text. */
export function hashText(text: string, start: number = FNV_OFFSET): number {
  let hash = start;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hash | 0;
}

export class Streams {
  readonly seed: number;
  readonly #streams = new Map<string, Random>();

  constructor(seed: number) {
    this.seed = seed;
  }

  /** The stream of a purpose: the same object each time. */
  of(purpose: string): Random {
    let stream = this.#streams.get(purpose);
    if (stream === undefined) this.#streams.set(purpose, (stream = new Random(this.seedOf(purpose))));
    return stream;
  }

  /** A stream of its own for one thing that has a seed. */
  fork(seed: number): Random {
    return new Random(seed);
  }

  /** The seed of a purpose's stream. */
  seedOf(purpose: string): number {
    const low = hashText(purpose, FNV_OFFSET ^ (this.seed | 0));
    return hashText(purpose, low ^ Math.floor(this.seed / TWO_32)) >>> 0;
  }
}

/** A number from `least` to `most`. */
export const between = (random: Random, least: number, most: number): number => least + random.float() * (most - least);

/** True with this probability. */
export const chance = (random: Random, probability: number): boolean => random.float() < probability;

/** One of them. */
export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** Exponentially distributed with this mean, by a table: engines differ in the last bits of a logarithm. */
export function exponential(random: Random, mean: number): number {
  return mean * (QUANTILES[random.below(QUANTILES.length)] as number);
}
const QUANTILE_COUNT = 256;
const ROUNDING = 1000;
const QUANTILES = Array.from(
  { length: QUANTILE_COUNT },
  (_, i) => Math.round(-Math.log(1 - (i + 0.5) / QUANTILE_COUNT) * ROUNDING) / ROUNDING,
);
