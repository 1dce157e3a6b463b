// Logarithms that come out the same on every engine: `Math.log` and its like differ in the last bits, and what they feed is
// protocol state. So they are counted in integers, or rounded far above those bits.

/** The least integer e with 10^e at or above n; 0 for n up to 1. */
export function ceilLog10(n: number): number {
  let exponent = 0;
  for (let power = 1; power < n; power *= 10) exponent += 1;
  return exponent;
}

/** The least integer e with 2^e at or above n; 0 for n up to 1. */
export function ceilLog2(n: number): number {
  let exponent = 0;
  for (let power = 1; power < n; power *= 2) exponent += 1;
  return exponent;
}

/** 1000 × log10(n), rounded down, for an integer n from 1 to 10^9; 0 below. */
export function log10Thousandths(n: number): number {
  // Rounded at 10^-6 of the unit first: log10(1000) is a little less than 3 on some engines.
  return n <= 1 ? 0 : Math.floor(Math.round(Math.log10(n) * 1e9) / 1e6);
}

/** log(n) / log(base), rounded to 10^-6, for integers n from 1 and base from 2. */
export function logRatio(n: number, base: number): number {
  return Math.round((Math.log(n) / Math.log(base)) * 1e6) / 1e6;
}
