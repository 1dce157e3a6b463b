import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../src/config/json.ts";
import { ConfigSyntaxError } from "../../src/config/raw-value.ts";

const texts = [
  "{}",
  '{"a": 1, "b": [true, false, null], "c": {"d": "x"}}',
  ' \n\t\r{ "a" : [ ] , "b" : [ { } , -0.5e-3 ] } \n',
  String.raw`{"a": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`,
  '{"__proto__": {"a": 1}, "": 0}',
  '{"grüße": "😀"}',
];

for (const text of texts) {
  test(`parseJson: ${JSON.stringify(text)} as JSON.parse reads it`, () => {
    assert.deepEqual(JSON.parse(JSON.stringify(parseJson(text).root)), JSON.parse(text));
  });
}

test("parseJson: integers past 2^53 are whole", () => {
  assert.equal(parseJson('{"a": 18446744073709551615}').root["a"], 18446744073709551615n);
});

const faults: readonly [string, string][] = [
  ["", "At 1:1: expected '{', got the end of the text"],
  ["  ", "At 1:3: expected '{', got the end of the text"],
  ["this is not JSON", `At 1:1: expected '{', got "t"`],
  ["[]", `At 1:1: expected '{', got "["`],
  ["{", "At 1:2: expected a key in double quotes, got the end of the text"],
  ["{a: 1}", `At 1:2: expected a key in double quotes, got "a"`],
  ['{"a" 1}', `At 1:6: expected ':', got "1"`],
  ['{"a": }', `At 1:7: expected a value, got "}"`],
  ['{"a": 1,}', `At 1:9: expected a key in double quotes, got "}"`],
  ['{"a": 1\n"b": 2}', `At 2:1: expected ',' or '}', got "\\""`],
  ['{"a": [1 2]}', `At 1:10: expected ',' or ']', got "2"`],
  ['{"a": [1,]}', `At 1:10: expected a value, got "]"`],
  ['{"a": 01}', `At 1:8: expected ',' or '}', got "1"`],
  ['{"a": nul}', `At 1:7: expected a value, got "n"`],
  ['{"a": "x}', "At 1:7: string not terminated"],
  ['{"a": "x\ny"}', "At 1:9: control character in a string"],
  [String.raw`{"a": "\x"}`, "At 1:7: invalid escape in a string"],
  ["{} {}", `At 1:4: expected the end of the text, got "{"`],
  ['{\n  "a": 1,\n  "a": 2\n}', 'At 3:3: duplicate key "a"'],
  ['{"a": 1 // one\n}', `At 1:9: expected ',' or '}', got "/"`],
];

for (const [text, message] of faults) {
  test(`parseJson: ${JSON.stringify(text)} is refused with its place`, () => {
    assert.throws(
      () => parseJson(text),
      (error) => error instanceof ConfigSyntaxError && error.message === message,
    );
  });
}

test("parseJson: 64 levels are read, 65 refused", () => {
  const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  assert.doesNotThrow(() => parseJson(nested(64)));
  assert.throws(() => parseJson(nested(65)), /nested deeper than 64/);
  assert.throws(() => parseJson(`{"a": ${"[".repeat(100_000)}`), /nested deeper than 64/);
});
