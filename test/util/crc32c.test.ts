import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "../../src/util/crc32c.ts";

// RFC 3720, appendix B.4, and the check value that every catalogue of CRCs gives for "123456789".
const vectors: [string, Uint8Array, number][] = [
  ["nothing", new Uint8Array(0), 0],
  ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["32 rising", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ["32 falling", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
];

for (const [name, bytes, expected] of vectors) {
  test(`crc32c: ${name}`, () => assert.equal(crc32c(bytes), expected));
}

test("crc32c: continued at every split, equals the whole", () => {
  const bytes = Uint8Array.from({ length: 67 }, (_, i) => (i * 37 + 11) & 255);
  const whole = crc32c(bytes);
  for (let at = 0; at <= bytes.length; at++) {
    assert.equal(crc32c(bytes, crc32c(bytes, 0, 0, at), at), whole, `split at ${at}`);
    assert.equal(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at))), whole, `views split at ${at}`);
  }
});

test("crc32c: equals the bit by bit definition for every length up to 40", () => {
  for (let length = 0; length <= 40; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 151 + length) & 255);
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
    assert.equal(crc32c(bytes), ~crc >>> 0, `length ${length}`);
  }
});
