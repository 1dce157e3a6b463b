import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonError, parseJson, parseJsonBody, stringifyJson } from "../../src/util/json.ts";
import { Random } from "../../src/util/random.ts";

test("parseJson: integers past 2^53 are exact", () => {
  const value = parseJson(
    '{"Flags":18446744073709551615,"Less":-9223372036854775808,"Safe":1234567890123456,"Float":1.5e20}',
  );
  assert.deepEqual(value, {
    Flags: 18_446_744_073_709_551_615n,
    Less: -9_223_372_036_854_775_808n,
    Safe: 1_234_567_890_123_456,
    Float: 1.5e20,
  });
  assert.equal(parseJson("9007199254740993"), 9_007_199_254_740_993n);
  assert.equal(parseJson('"9007199254740993"'), "9007199254740993");
  assert.equal(typeof parseJson("9".repeat(1000)), "number");
});

test("parseJson: __proto__ is a key and no prototype, whichever parser reads it", () => {
  for (const text of ['{"__proto__":{"admin":true}}', '{"__proto__":{"admin":true},"n":12345678901234567890}']) {
    const value = parseJson(text) as Record<string, unknown>;
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(value["admin"], undefined);
    assert.ok(Object.keys(value).includes("__proto__"));
  }
});

test("parseJson: depth is limited to 64, brackets in strings aside", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.ok(Array.isArray(parseJson(nested(64))));
  assert.throws(() => parseJson(nested(65)), { message: "exceeded max depth" });
  assert.throws(() => parseJson("[".repeat(100_000)), { message: "exceeded max depth" });
  assert.throws(() => parseJson('{"a":'.repeat(65)), { message: "exceeded max depth" });
  const brackets = '[{"'.repeat(100);
  assert.equal(parseJson(JSON.stringify(brackets)), brackets);
  const flat = Array.from({ length: 200 }, () => ({}));
  assert.deepEqual(parseJson(JSON.stringify(flat)), flat);
});

const malformed: readonly [string, string][] = [
  ["", "unexpected end of JSON input"],
  ["{", "unexpected end of JSON input"],
  ["[1,", "unexpected end of JSON input"],
  ['{"a":1', "unexpected end of JSON input"],
  ['"abc', "unexpected end of JSON input"],
  ["tru", "unexpected end of JSON input"],
  ["1.", "unexpected end of JSON input"],
  ["x", "invalid character 'x' looking for beginning of value"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  ["'a'", "invalid character '\\'' looking for beginning of value"],
  ["\u0001", "invalid character '\\x01' looking for beginning of value"],
  ["é", "invalid character 'Ã' looking for beginning of value"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ["{a:1}", "invalid character 'a' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
  ["[1 2]", "invalid character '2' after array element"],
  ["1 2", "invalid character '2' after top-level value"],
  ["01", "invalid character '1' after top-level value"],
  ["nulx", "invalid character 'x' in literal null (expecting 'l')"],
  ["-x", "invalid character 'x' in numeric literal"],
  ["1.x", "invalid character 'x' after decimal point in numeric literal"],
  ["1e+x", "invalid character 'x' in exponent of numeric literal"],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12G4"', "invalid character 'G' in \\u hexadecimal character escape"],
];

test("parseJson: errors in Go's words", () => {
  for (const [text, message] of malformed) assert.throws(() => parseJson(text), { name: "JsonError", message }, text);
});

test("parseJsonBody: reads the first value, and says EOF where the text ends too early", () => {
  assert.deepEqual(parseJsonBody('{"a":1} trailing'), { a: 1 });
  assert.throws(() => parseJsonBody(""), { message: "EOF", truncated: true });
  assert.throws(() => parseJsonBody(" \n"), { message: "EOF" });
  assert.throws(() => parseJsonBody('{"a":'), { message: "unexpected EOF", truncated: true });
  assert.throws(() => parseJsonBody("{a"), { message: /invalid character 'a'/, truncated: false });
});

test("parseJson: agrees with the engine on mutated texts", () => {
  const random = new Random(11);
  const seed = '{"Name":"w\\u00e9b","Tags":["a",null,true,-1.5e3],"Meta":{"x":{}},"Port":80, "n":12345678901234567}';
  const letters = '{}[]",:0123456789.eE+-tfn\\u \n';
  let accepted = 0;
  for (let i = 0; i < 5000; i += 1) {
    let text = seed;
    for (let j = random.below(3); j >= 0; j -= 1) {
      const at = random.below(text.length);
      text = text.slice(0, at) + letters[random.below(letters.length)]! + text.slice(at + random.below(2));
    }
    let expected: unknown;
    try {
      expected = JSON.parse(text);
    } catch {
      assert.throws(() => parseJson(text), JsonError, text);
      continue;
    }
    accepted += 1;
    assert.deepEqual(JSON.parse(stringifyJson(parseJson(text))), JSON.parse(JSON.stringify(expected)), text);
  }
  assert.ok(accepted > 100);
});

test("stringifyJson: bigints bare, bytes in base64, undefined left out", () => {
  const value = {
    a: 18_446_744_073_709_551_615n,
    b: new Uint8Array([1, 2, 3]),
    c: undefined,
    d: [undefined, null, 1.5],
    e: {},
    f: [],
  };
  assert.equal(stringifyJson(value), '{"a":18446744073709551615,"b":"AQID","d":[null,null,1.5],"e":{},"f":[]}');
  assert.equal(stringifyJson(5n), "5");
  assert.equal(stringifyJson(undefined), "null");
});

test("stringifyJson: both writers agree, pretty or not", () => {
  const plain = { a: [1, { b: "x" }, []], "k\n": { deep: { er: [[2]] } }, e: {}, t: true, n: null };
  for (const pretty of [false, true]) {
    const expected = JSON.stringify({ ...plain, z: 1 }, undefined, pretty ? 4 : undefined);
    assert.equal(stringifyJson({ ...plain, z: 1 }, pretty), expected);
    assert.equal(stringifyJson({ ...plain, z: 1n }, pretty), expected);
  }
});

test("stringifyJson: escapes what Go escapes for HTML", () => {
  assert.equal(stringifyJson({ "<k>": "a&b\u2028\u2029" }), '{"\\u003ck\\u003e":"a\\u0026b\\u2028\\u2029"}');
});
