// The platform's AES-256-GCM on each runtime, by the vectors of the GCM specification (McGrew and Viega, test cases 14 and 16),
// and its two ways, at once and later, against each other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cipher } from "../../runtimes/node/cipher.ts";
import { equal, hex } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";

const bytes = (digits: string): Uint8Array =>
  Uint8Array.from(digits.match(/../g) ?? [], (two) => Number.parseInt(two, 16));
const EMPTY = new Uint8Array(0);

const VECTORS: readonly { key: string; nonce: string; aad: string; plain: string; sealed: string }[] = [
  {
    key: "00".repeat(32),
    nonce: "00".repeat(12),
    aad: "",
    plain: "00".repeat(16),
    sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
  },
  {
    key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
    nonce: "cafebabefacedbaddecaf888",
    aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    plain:
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    sealed:
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" +
      "76fc6ece0f4e1768cddf8853bb2d551b",
  },
];

for (const [i, { key, nonce, aad, plain, sealed }] of VECTORS.entries())
  test(`cipher: vector ${i + 1} of the specification`, async () => {
    const made = cipher.key(bytes(key));
    const written = await made.seal(bytes(nonce), bytes(aad), bytes(plain), 3);
    assert.deepEqual([...written.subarray(0, 3)], [0, 0, 0]);
    assert.equal(hex(written.subarray(3)), sealed);
    const opened = (await made.open(bytes(nonce), bytes(aad), bytes(sealed))) as Uint8Array;
    assert.equal(hex(opened), plain);
  });

for (const length of [0, 1, 15, 16, 2048, 2049, 65_536, 65_537, 1_000_000])
  test(`cipher: ${length} bytes come back, and not when key, nonce, text or tag is another`, async () => {
    const random = new Random(length);
    const draw = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random.next());
    const [keyBytes, nonce, aad, plain] = [draw(32), draw(12), draw(30), draw(length)];
    const key = cipher.key(keyBytes);
    const sealed = (await key.seal(nonce, aad, plain, 5)).subarray(5);
    assert.equal(sealed.length, length + 16);
    assert.ok(equal((await key.open(nonce, aad, sealed)) as Uint8Array, plain));
    const flipped = (of: Uint8Array, at: number): Uint8Array => of.map((byte, i) => (i === at ? byte ^ 1 : byte));
    assert.equal(await cipher.key(flipped(keyBytes, 3)).open(nonce, aad, sealed), null);
    assert.equal(await key.open(flipped(nonce, 3), aad, sealed), null);
    assert.equal(await key.open(nonce, flipped(aad, 3), sealed), null);
    assert.equal(await key.open(nonce, aad, flipped(sealed, 0)), null);
    assert.equal(await key.open(nonce, aad, flipped(sealed, sealed.length - 1)), null);
    assert.equal(await key.open(nonce, aad, sealed.subarray(1)), null);
  });

test("cipher: what is shorter than a tag does not open", async () => {
  const key = cipher.key(new Uint8Array(32));
  for (let length = 0; length < 16; length += 1)
    assert.equal(await key.open(new Uint8Array(12), EMPTY, new Uint8Array(length)), null);
});
