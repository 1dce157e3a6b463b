import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/util/bytes.ts";
import { fnv1a64 } from "../../src/util/fnv.ts";

// Vectors of the draft (draft-eastlake-fnv, appendix C).
const vectors: readonly [string, bigint][] = [
  ["", 0xcbf29ce484222325n],
  ["a", 0xaf63dc4c8601ec8cn],
  ["b", 0xaf63df4c8601f1a5n],
  ["foobar", 0x85944171f73967e8n],
  ["chongo was here!\n", 0x46810940eff5f915n],
];

for (const [text, hash] of vectors) {
  test(`FNV-1a of ${JSON.stringify(text)}: is the published one`, () => {
    assert.equal(fnv1a64(utf8(text)), hash);
  });
}

test("FNV-1a of every byte: agrees with arithmetic on big integers", () => {
  const bytes = Uint8Array.from({ length: 4096 }, (_, i) => (i * 167) & 0xff);
  let wanted = 0xcbf29ce484222325n;
  for (const byte of bytes) wanted = ((wanted ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn;
  assert.equal(fnv1a64(bytes), wanted);
});
