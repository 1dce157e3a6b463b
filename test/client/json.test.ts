import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBase64, encodeBase64, parseJson, stringifyJson } from "../../src/client/json.ts";

test("integers past 2^53 are exact, wherever they stand, and strings are never taken for them", () => {
  const text = `{"a":18446744073709551615,"b":[-9223372036854775808,9007199254740991,9007199254740993],"c":1234567890123456,
    "s":"18446744073709551615","n18446744073709551615":"n18446744073709551615","q":"a \\"12345678901234567890\\\\","e":1.2345678901234567890e3,
    "t":"s","k" : "12345678901234567890: ","empty":""}`;
  assert.deepEqual(parseJson(text), {
    a: 18446744073709551615n,
    b: [-9223372036854775808n, 9007199254740991, 9007199254740993n],
    c: 1234567890123456,
    s: "18446744073709551615",
    n18446744073709551615: "n18446744073709551615",
    q: 'a "12345678901234567890\\',
    e: 1234.567890123457,
    t: "s",
    k: "12345678901234567890: ",
    empty: "",
  });
  assert.equal(parseJson("18446744073709551615"), 18446744073709551615n);
  assert.deepEqual(parseJson('[1,"a",null,true]'), [1, "a", null, true]);
});

test("a key named __proto__ is a key", () => {
  for (const text of ['{"__proto__":{"a":1}}', '{"__proto__":{"a":12345678901234567890}}']) {
    const parsed = parseJson(text) as object;
    assert.deepEqual(Object.keys(parsed), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(parsed), Object.prototype);
  }
});

test("a large value among long integers is read", () => {
  const value = "QUJD".repeat(200_000);
  assert.deepEqual(parseJson(`[{"Flags":12345678901234567890,"Value":"${value}"}]`), [
    { Flags: 12345678901234567890n, Value: value },
  ]);
});

test("what is not JSON is an error", () => {
  for (const text of ["", "{", "[12345678901234567890", "No cluster leader", '"1234567890123456789']) {
    assert.throws(() => parseJson(text), SyntaxError, text);
  }
});

test("bigints are written as numbers, bytes as base64, and what is undefined is not", () => {
  assert.equal(
    stringifyJson({
      a: 18446744073709551615n,
      b: new Uint8Array([104, 105]),
      c: undefined,
      d: [1, null, "x"],
      'e"': {},
    }),
    '{"a":18446744073709551615,"b":"aGk=","d":[1,null,"x"],"e\\"":{}}',
  );
  assert.equal(stringifyJson(undefined), "null");
});

test("base64 goes both ways, whatever the bytes", () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256);
  assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes);
  assert.equal(encodeBase64(new Uint8Array(0)), "");
});

test("json: the digits of a long fraction are no integer", () => {
  for (const value of [[-0.0001453205348066095, 1.2453270541388703, 1e-7], 0.1234567890123456, -12.345678901234567])
    assert.deepEqual(parseJson(JSON.stringify(value)), value);
  assert.deepEqual(parseJson("[0.0001453205348066095,-9223372036854775808,18446744073709551615]"), [
    0.0001453205348066095,
    -9223372036854775808n,
    18446744073709551615n,
  ]);
});
