import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, equal, hex, isUtf8, isUuid, text, utf8, uuid } from "../../src/util/bytes.ts";

test("utf8 and text: there and back, byte order mark kept, bad bytes replaced", () => {
  assert.deepEqual([...utf8("é")], [0xc3, 0xa9]);
  assert.equal(text(utf8("\ufeffaé😀")), "\ufeffaé😀");
  assert.equal(text(Uint8Array.from([0x61, 0xff])), "a\ufffd");
  assert.equal(isUtf8(utf8("aé😀")), true);
  assert.equal(isUtf8(Uint8Array.from([0x61, 0xff])), false);
});

test("concat and equal", () => {
  const whole = concat([utf8("ab"), utf8(""), utf8("c")]);
  assert.ok(equal(whole, utf8("abc")));
  assert.equal(equal(whole, utf8("abd")), false);
  assert.equal(equal(whole, utf8("ab")), false);
  assert.equal(concat([]).length, 0);
});

test("hex, uuid and isUuid", () => {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => i * 17);
  assert.equal(hex(bytes), "00112233445566778899aabbccddeeff");
  assert.equal(uuid(bytes), "00112233-4455-6677-8899-aabbccddeeff");
  assert.ok(isUuid(uuid(bytes)));
  assert.ok(isUuid("40E4A748-2192-161A-0510-9BF59FE950B5"));
  for (const bad of [
    "",
    "40e4a748-2192-161a-0510-9bf59fe950b",
    "40e4a7482192-161a-0510-9bf59fe950b5a",
    "g0e4a748-2192-161a-0510-9bf59fe950b5",
    "40e4a748-2192-161a-0510-9bf59fe950b5\n",
  ]) {
    assert.equal(isUuid(bad), false, bad);
  }
});
