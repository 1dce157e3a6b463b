// CRC-32C (Castagnoli polynomial, reflected), the checksum of RFC 3720 §12.1 (iSCSI), in plain JavaScript: eight tables,
// eight bytes a step ("slicing by 8"), above 1 GB/s on V8 and JavaScriptCore. `node:zlib` only has the other CRC-32.

const POLYNOMIAL = 0x82f63b78;

function table(previous: Int32Array | null, first: Int32Array | null): Int32Array {
  const result = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    if (previous === null || first === null) {
      let crc = i;
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
      result[i] = crc;
    } else {
      const crc = previous[i] as number;
      result[i] = (crc >>> 8) ^ (first[crc & 255] as number);
    }
  }
  return result;
}

const T0: Int32Array = table(null, null);
const T1: Int32Array = table(T0, T0);
const T2: Int32Array = table(T1, T0);
const T3: Int32Array = table(T2, T0);
const T4: Int32Array = table(T3, T0);
const T5: Int32Array = table(T4, T0);
const T6: Int32Array = table(T5, T0);
const T7: Int32Array = table(T6, T0);

/**
 * The checksum, an unsigned 32-bit number, of `bytes` from `start` up to `end`. With the checksum of what came before as
 * `seed` it continues it: `crc32c(b, crc32c(a))` is the checksum of `a` and `b` together.
 */
export function crc32c(bytes: Uint8Array, seed = 0, start = 0, end: number = bytes.length): number {
  let crc = ~seed;
  let i = start;
  for (const stop = end - 7; i < stop; i += 8) {
    crc =
      (T7[(crc ^ (bytes[i] as number)) & 255] as number) ^
      (T6[((crc >>> 8) ^ (bytes[i + 1] as number)) & 255] as number) ^
      (T5[((crc >>> 16) ^ (bytes[i + 2] as number)) & 255] as number) ^
      (T4[((crc >>> 24) ^ (bytes[i + 3] as number)) & 255] as number) ^
      (T3[bytes[i + 4] as number] as number) ^
      (T2[bytes[i + 5] as number] as number) ^
      (T1[bytes[i + 6] as number] as number) ^
      (T0[bytes[i + 7] as number] as number);
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[i] as number)) & 255] as number);
  return ~crc >>> 0;
}
