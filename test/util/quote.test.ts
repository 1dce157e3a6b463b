import assert from "node:assert/strict";
import { test } from "node:test";
import { quote } from "../../src/util/quote.ts";

test("quote: as Go's %q", () => {
  const table: readonly [string, string][] = [
    ["plain", '"plain"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["\u0007\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'],
    ["\u0000\u001f\u007f", '"\\x00\\x1f\\x7f"'],
    ["é😀 ", '"é😀 "'],
    ["\u00a0\u2028\u0085\ufeff", '"\\u00a0\\u2028\\u0085\\ufeff"'],
    ["\u{e0001}", '"\\U000e0001"'],
  ];
  for (const [text, quoted] of table) assert.equal(quote(text), quoted);
});
