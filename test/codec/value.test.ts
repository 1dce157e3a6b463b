import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, Decoder, encode, Encoder } from "../../src/codec/value.ts";
import { OperationalError } from "../../src/types/error.ts";
import { AssertionError } from "../../src/util/assert.ts";
import { hex } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";
import { toUserMap, userMapPrototype } from "../../src/util/user-map.ts";

const ordinary = { ordinary: true };
const repeat = (text: string, times: number): string => text.repeat(times);

/** The value, and its bytes in hexadecimal by the MessagePack specification. */
const forms: readonly [unknown, string][] = [
  [null, "c0"],
  [false, "c2"],
  [true, "c3"],
  [0, "00"],
  [127, "7f"],
  [128, "cc80"],
  [255, "ccff"],
  [256, "cd0100"],
  [65_535, "cdffff"],
  [65_536, "ce00010000"],
  [4_294_967_295, "ceffffffff"],
  [4_294_967_296, "cf0000000100000000"],
  [Number.MAX_SAFE_INTEGER, "cf001fffffffffffff"],
  [2n ** 53n, "cf0020000000000000"],
  [2n ** 64n - 1n, "cfffffffffffffffff"],
  [-1, "ff"],
  [-32, "e0"],
  [-33, "d0df"],
  [-128, "d080"],
  [-129, "d1ff7f"],
  [-32_768, "d18000"],
  [-32_769, "d2ffff7fff"],
  [-2_147_483_648, "d280000000"],
  [-2_147_483_649, "d3ffffffff7fffffff"],
  [Number.MIN_SAFE_INTEGER, "d3ffe0000000000001"],
  [-(2n ** 63n), "d38000000000000000"],
  [1.5, "cb3ff8000000000000"],
  [-0.1, "cbbfb999999999999a"],
  [2 ** 53, "cb4340000000000000"],
  [Number.POSITIVE_INFINITY, "cb7ff0000000000000"],
  [Number.NaN, "cb7ff8000000000000"],
  ["", "a0"],
  ["abc", "a3616263"],
  ["é", "a2c3a9"],
  ["\ufeff", "a3efbbbf"],
  [repeat("a", 31), `bf${repeat("61", 31)}`],
  [repeat("a", 32), `d920${repeat("61", 32)}`],
  [repeat("a", 255), `d9ff${repeat("61", 255)}`],
  [repeat("a", 256), `da0100${repeat("61", 256)}`],
  [repeat("é", 16), `d920${repeat("c3a9", 16)}`],
  [repeat("é", 128), `da0100${repeat("c3a9", 128)}`],
  [repeat("a", 65_536), `db00010000${repeat("61", 65_536)}`],
  [repeat("é", 32_768), `db00010000${repeat("c3a9", 32_768)}`],
  [Uint8Array.from([1, 2]), "c4020102"],
  [new Uint8Array(256), `c50100${repeat("00", 256)}`],
  [new Uint8Array(65_536), `c600010000${repeat("00", 65_536)}`],
  [[], "90"],
  [[1, [2]], "92019102"],
  [Array.from({ length: 16 }, () => 1), `dc0010${repeat("01", 16)}`],
  [Array.from({ length: 65_536 }, () => 1), `dd00010000${repeat("01", 65_536)}`],
  [{}, "80"],
  [{ a: 1, b: null }, "82a16101a162c0"],
];

test("encode and decode: each kind in its shortest form", () => {
  for (const [value, bytes] of forms) {
    const label = bytes.slice(0, 20);
    const encoded = encode(value);
    assert.equal(hex(encoded), bytes, label);
    const decoded = decode(encoded, ordinary);
    if (value instanceof Uint8Array) assert.deepEqual(new Uint8Array(decoded as Uint8Array), value, label);
    // 2^53 as a number is not exact, so it is a float; either way it is the same number.
    else assert.deepEqual(decoded, value, label);
  }
});

test("encode and decode: maps of 16 and of 65,536 keys", () => {
  for (const [count, head] of [
    [15, "8f"],
    [16, "de0010"],
    [65_536, "df00010000"],
  ] as const) {
    const value = Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
    const encoded = encode(value);
    assert.ok(hex(encoded.subarray(0, 5)).startsWith(head));
    assert.deepEqual(decode(encoded, ordinary), value);
  }
});

test("encode: equal values have equal bytes", () => {
  assert.deepEqual(encode(5n), encode(5));
  assert.deepEqual(encode(-5n), encode(-5));
  assert.deepEqual(encode(-0), encode(0));
  assert.deepEqual(encode({ a: undefined, b: 1 }), encode({ b: 1 }));
  const sixteen = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i]));
  assert.deepEqual(
    encode([{ ...sixteen, k3: undefined, k9: { x: undefined } }, 1]),
    encode([decode(encode({ ...sixteen, k3: undefined, k9: {} })), 1]),
  );
  assert.equal(encode({ ...sixteen, k3: undefined })[0], 0x8f);
  assert.deepEqual(encode([undefined]), encode([null]));
  assert.deepEqual(encode(undefined), encode(null));
  assert.deepEqual(encode(toUserMap([["a", 1]])), encode({ a: 1 }));
  const other = new DataView(new ArrayBuffer(8));
  other.setBigUint64(0, 0x7ff8_0000_0000_0001n);
  assert.deepEqual(encode(other.getFloat64(0)), encode(Number.NaN));
  assert.equal(hex(encode("\ud800")), "a3efbfbd");
});

test("encode: what has no form is a failed assertion, and the encoder works on", () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  for (const value of [
    () => 1,
    Symbol("x"),
    new Map(),
    new Date(0),
    2n ** 64n,
    -(2n ** 63n) - 1n,
    cyclic,
    new Float64Array(1),
  ]) {
    assert.throws(() => encode({ deep: [value] }), AssertionError);
  }
  assert.deepEqual(decode(encode({ a: [1] }), ordinary), { a: [1] });
});

test("decode: objects are user maps, or ordinary with __proto__ as an own key", () => {
  const encoded = encode(
    toUserMap<unknown>([
      ["__proto__", { admin: true }],
      ["a", 1],
    ]),
  );
  const map = decode(encoded) as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(map), userMapPrototype);
  assert.deepEqual(Object.keys(map), ["__proto__", "a"]);
  const object = decode(encoded, ordinary) as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(object), Object.prototype);
  assert.deepEqual(Object.keys(object), ["__proto__", "a"]);
  assert.equal(object["admin"], undefined);
});

test("decode: bytes are copies unless views are asked for", () => {
  const encoded = encode(Uint8Array.from([1, 2, 3]));
  const copy = decode(encoded) as Uint8Array;
  const view = decode(encoded, { views: true }) as Uint8Array;
  encoded.fill(9);
  assert.deepEqual([...copy], [1, 2, 3]);
  assert.deepEqual([...view], [9, 9, 9]);
});

test("Encoder and Decoder: several values one after another, the buffer reused", () => {
  const encoder = new Encoder();
  for (const round of [1, 2]) {
    encoder.reset();
    encoder.write({ round });
    encoder.write(repeat("x", 2_000_000));
    encoder.write(new Uint8Array(20_000));
    assert.equal(encoder.length, encoder.view().length);
    const decoder = new Decoder(encoder.copy(), ordinary);
    assert.deepEqual(decoder.read(), { round });
    assert.equal((decoder.read() as string).length, 2_000_000);
    assert.equal(decoder.done, false);
    assert.equal((decoder.read() as Uint8Array).length, 20_000);
    assert.equal(decoder.done, true);
  }
});

test("decode: many field names share a slot of the cache and stay apart", () => {
  const value = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`field-${i * 7919}`, i]));
  const encoded = encode(value);
  for (let i = 0; i < 3; i += 1) assert.deepEqual(decode(encoded, ordinary), value);
});

function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

test("decode: malformed input is an operational error", () => {
  const bad: readonly string[] = [
    "",
    "c1", // unused
    "ca00000000", // float 32
    "d400", // extension
    "cc",
    "cd00",
    "cf00",
    "cb00",
    "a3 6162",
    "d9",
    "d9ff61",
    "dbffffffff61", // lengths far past the end
    "c6ffffffff00",
    "ddffffffff00",
    "dfffffffff00",
    "92 01",
    "81 a161",
    "81 01 01", // a key that is no text
    "81 c0 01",
    "81",
    "a1ff", // not UTF-8
    `b9${repeat("61", 24)}ff`,
    "a2c328",
    "81a1ff01",
    "0000", // two values
    `${repeat("91", 65)}00`,
    `${repeat("81a161", 65)}00`,
    repeat("91", 100_000),
  ];
  for (const digits of bad) {
    assert.throws(
      () => decode(bytesOf(digits.replaceAll(" ", ""))),
      (error) => error instanceof OperationalError && error.code === "invalid-request",
      digits.slice(0, 20),
    );
  }
  assert.deepEqual(decode(bytesOf(`${repeat("91", 64)}00`)), JSON.parse(`${repeat("[", 64)}0${repeat("]", 64)}`));
});

function randomValue(random: Random, depth: number): unknown {
  switch (random.below(depth > 4 ? 7 : 9)) {
    case 0:
      return null;
    case 1:
      return random.below(2) === 0;
    case 2:
      return Math.floor((random.float() - 0.5) * 2 ** random.below(54));
    case 3:
      return (random.float() - 0.5) * 1e6 + 0.5;
    case 4:
      return 2n ** 53n + (BigInt(random.next()) * BigInt(random.next())) / 2n;
    case 5:
      return Array.from({ length: random.below(70) }, () =>
        String.fromCodePoint(random.below(8) === 0 ? 0x1f600 + random.below(50) : 32 + random.below(90)),
      ).join("");
    case 6:
      return Uint8Array.from({ length: random.below(70) }, () => random.below(256));
    case 7:
      return Array.from({ length: random.below(20) }, () => randomValue(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(20) }, () => [`k${random.below(1000)}`, randomValue(random, depth + 1)]),
      );
  }
}

test("encode and decode: random values come back, and have one spelling", () => {
  const random = new Random(17);
  for (let i = 0; i < 500; i += 1) {
    const value = randomValue(random, 0);
    const encoded = encode(value);
    const decoded = decode(encoded, ordinary);
    assert.deepEqual(encode(decoded), encoded);
    assert.deepEqual(plain(decoded), plain(value));
  }
});

/** Byte arrays as arrays of numbers: deepEqual would compare the buffers behind them. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}

test("decode: mutated bytes give a value or an operational error, nothing else", () => {
  const random = new Random(23);
  let refused = 0;
  for (let i = 0; i < 20_000; i += 1) {
    if (i % 200 === 0) seed = encode(randomValue(random, 1));
    const bytes = seed.slice(0, random.below(4) === 0 ? random.below(seed.length + 1) : seed.length);
    for (let j = random.below(4); j >= 0 && bytes.length > 0; j -= 1)
      bytes[random.below(bytes.length)] = random.below(256);
    try {
      encode(decode(bytes));
    } catch (error) {
      assert.ok(error instanceof OperationalError, String(error));
      refused += 1;
    }
  }
  assert.ok(refused > 1000);
});
let seed: Uint8Array = encode(null);
