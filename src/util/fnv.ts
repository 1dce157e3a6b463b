// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): a small hash that is the same everywhere, for telling whether
// something changed. It is no defence against anybody.

const OFFSET_HIGH = 0xcbf2_9ce4;
const OFFSET_LOW = 0x8422_2325;
/** The prime is 2^40 + PRIME_LOW. */
const PRIME_LOW = 0x1b3;
const TWO_32 = 0x1_0000_0000;

/** The hash of the bytes, below 2^64. */
export function fnv1a64(bytes: Uint8Array): bigint {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    // (high·2^32 + low) · (2^40 + p), modulo 2^64; low·p stays below 2^53.
    const product = low * PRIME_LOW;
    high = (Math.imul(high, PRIME_LOW) + Math.floor(product / TWO_32) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}
