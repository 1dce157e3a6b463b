import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from "../../src/util/base64.ts";
import { utf8 } from "../../src/util/bytes.ts";

test("base64: the vectors of RFC 4648", () => {
  const vectors: readonly [string, string][] = [
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg=="],
    ["fooba", "Zm9vYmE="],
    ["foobar", "Zm9vYmFy"],
  ];
  for (const [plain, encoded] of vectors) {
    assert.equal(encodeBase64(utf8(plain)), encoded);
    assert.deepEqual(new Uint8Array(decodeBase64(encoded)), new Uint8Array(utf8(plain)));
  }
});

test("base64: every length and every byte come back", () => {
  for (let length = 0; length < 20_000; length += length < 300 ? 1 : 997) {
    const bytes = new Uint8Array(length).map((_, i) => (i * 131 + length * 7) & 255);
    const standard = encodeBase64(bytes);
    assert.equal(standard.length, Math.ceil(length / 3) * 4);
    assert.deepEqual(new Uint8Array(decodeBase64(standard)), bytes);
    const url = encodeBase64Url(bytes);
    assert.match(url, /^[A-Za-z0-9_-]*$/);
    assert.deepEqual(new Uint8Array(decodeBase64Url(url)), bytes);
    assert.deepEqual(new Uint8Array(decodeBase64Url(standard.replaceAll("+", "-").replaceAll("/", "_"))), bytes);
  }
});

test("decodeBase64: line breaks are skipped", () => {
  for (const text of ["YW\nJj", "\r\nYWJj\r\n", "YWJ\nj"]) assert.deepEqual([...decodeBase64(text)], [97, 98, 99]);
  assert.deepEqual([...decodeBase64("YQ=\n=")], [97]);
});

test("decodeBase64: bad input names the byte", () => {
  const bad: readonly [string, number][] = [
    ["YQ", 0],
    ["YQ=", 3],
    ["Y", 0],
    ["Y===", 1],
    ["====", 0],
    ["YQ=x", 2],
    ["YQ==x", 4],
    ["YWJj!", 4],
    ["YW!j", 2],
    ["YWI=YWI=", 4],
    ["YWJjé===", 4],
    ["éYWJjYW", 0],
    ["YWJj\u0141WJj", 4],
    ["YW-_", 2],
  ];
  for (const [text, byte] of bad) {
    assert.throws(() => decodeBase64(text), { message: `illegal base64 data at input byte ${byte}` }, text);
  }
  assert.throws(() => decodeBase64Url("YW+/"), { message: "illegal base64 data at input byte 2" });
});
