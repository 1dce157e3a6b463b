// A histogram of positive numbers for quantiles: buckets a quarter of an octave wide or less, found from the bits of a
// 32-bit float, so that adding costs no logarithm and no allocation. A quantile is at most a sixteenth of its value off.

/** Buckets to an octave: the first three bits of the fraction. */
const FRACTION_BITS = 3;
const PER_OCTAVE = 2 ** FRACTION_BITS;
const OCTAVES = 32;
const BUCKETS = OCTAVES * PER_OCTAVE;
/** A 32-bit float has 23 bits of fraction; what is above them is the exponent, 127 for 1. */
const SHIFT = 23 - FRACTION_BITS;
/** The lowest bucket begins at 2^-11: as milliseconds, half a microsecond; the highest ends at 2^21, over half an hour. */
const EXPONENT_MIN = -11;
const FIRST = (127 + EXPONENT_MIN) * PER_OCTAVE;

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** Counts values by bucket. */
export class Histogram {
  /** Made when the first value comes: most of an agent's histograms never see one. */
  #counts: Uint32Array | null = null;
  #total = 0;

  /** Values below 2^-11 count in the lowest bucket, those from 2^21 on in the highest. */
  add(value: number): void {
    float[0] = value;
    const at = ((bits[0] as number) >> SHIFT) - FIRST;
    const bucket = at < 0 ? 0 : at < BUCKETS ? at : BUCKETS - 1;
    const counts = (this.#counts ??= new Uint32Array(BUCKETS));
    counts[bucket] = (counts[bucket] as number) + 1;
    this.#total += 1;
  }

  /** The value below which a share `q` (0 to 1) of both histograms lies: the middle of its bucket. NaN when they are empty. */
  quantile(q: number, other: Histogram): number {
    const total = this.#total + other.#total;
    if (total === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(q * total));
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      below += (this.#counts?.[bucket] ?? 0) + (other.#counts?.[bucket] ?? 0);
      if (below >= rank) return middle(bucket);
    }
    return middle(BUCKETS - 1);
  }

  clear(): void {
    if (this.#total === 0) return;
    this.#counts?.fill(0);
    this.#total = 0;
  }
}

/** The lowest bucket has everything down to 0. */
function middle(bucket: number): number {
  if (bucket === 0) return 0;
  const octave = Math.floor(bucket / PER_OCTAVE);
  return 2 ** (octave + EXPONENT_MIN) * (1 + ((bucket % PER_OCTAVE) + 0.5) / PER_OCTAVE);
}
