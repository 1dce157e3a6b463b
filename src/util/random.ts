// Seeded random numbers for machines and tests: sfc32 (Chris Doty-Humphrey, PractRand), its state filled by splitmix32.
// Only 32-bit integer operations, so every engine gives the same stream for the same seed. Not for secrets or ids.

const TWO_32 = 0x1_0000_0000;
const TWO_53 = 0x20_0000_0000_0000;

/** A stream of random numbers that its seed decides entirely. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** @param seed any number; it counts modulo 2^32, its fraction dropped. */
  constructor(seed: number) {
    let state = seed | 0;
    const fill = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = fill();
    this.#b = fill();
    this.#c = fill();
    // Neighbouring seeds start alike; a dozen rounds part them.
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** The next uint32. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** An integer in [0, n), for an integer n in [1, 2^32]; uniform to within n / 2^32. */
  below(n: number): number {
    return Math.floor((this.next() / TWO_32) * n);
  }

  /** A number in [0, 1) of 53 random bits. */
  float(): number {
    const high = this.next() >>> 5;
    const low = this.next() >>> 6;
    return (high * 0x400_0000 + low) / TWO_53;
  }
}

/** A seed from four random bytes. */
export function seedOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
