import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHcl } from "../../src/config/hcl.ts";
import {
  BlockList,
  blocksOf,
  ConfigSyntaxError,
  labelledBlocks,
  plain,
  soleBlock,
} from "../../src/config/raw-value.ts";

/** What a text says, as JSON: without prototypes and block lists. */
const read = (text: string): unknown => JSON.parse(JSON.stringify(plain(parseHcl(text).root), big));
const big = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);

const readings: readonly [string, string, unknown][] = [
  ["nothing", "", {}],
  ["white space and comments only", " # a\n// b\n/* c\n d */\t\r\n", {}],
  ["plain values", 'a = "x"\nb = 1\nc = true\nd = false', { a: "x", b: 1, c: true, d: false }],
  ["values on one line", 'a = 1 b = "x" c = true', { a: 1, b: "x", c: true }],
  ["commas between items", "a = 1, b = 2,", { a: 1, b: 2 }],
  ["a comment after a value", "a = 1 # one\nb = 2 // two\nc = /* three */ 3", { a: 1, b: 2, c: 3 }],
  ["a comment at the very end", "a = 1 # one", { a: 1 }],
  ["Windows line ends", "a = 1\r\nb {\r\n c = 2\r\n}\r\n", { a: 1, b: { c: 2 } }],
  ["a key with dots and dashes", "a.b-c = 1", { "a.b-c": 1 }],
  ["a quoted key", '"a b" = 1', { "a b": 1 }],
  ["a key in another script", "größe = 1", { größe: 1 }],
  [
    "a key that is a property of objects",
    '__proto__ { a = 1 }\nconstructor = "x"',
    { ["__proto__"]: { a: 1 }, constructor: "x" },
  ],
  ["a block", "a { b = 1 }", { a: { b: 1 } }],
  ["an empty block", "a {}", { a: {} }],
  ["an object given with =", "a = { b = 1 }", { a: { b: 1 } }],
  ["a block given twice", "a { b = 1 }\na { b = 2 }", { a: [{ b: 1 }, { b: 2 }] }],
  ["a block and an object under one key", "a { b = 1 }\na = { b = 2 }", { a: [{ b: 1 }, { b: 2 }] }],
  ["a block with a label", 'a "x" { b = 1 }', { a: { x: { b: 1 } } }],
  ["a block with two labels", 'a "x" y { b = 1 }', { a: { x: { y: { b: 1 } } } }],
  ["two labels under one key", 'a "x" { b = 1 }\na "y" { b = 2 }', { a: [{ x: { b: 1 } }, { y: { b: 2 } }] }],
  ["nested blocks", "a { b { c { d = 1 } } }", { a: { b: { c: { d: 1 } } } }],
  ["a list", 'a = [1, "x", true]', { a: [1, "x", true] }],
  ["an empty list", "a = []", { a: [] }],
  ["a list with a comma at its end", "a = [\n1,\n2,\n]", { a: [1, 2] }],
  ["a list of lists", "a = [[1], [2, 3]]", { a: [[1], [2, 3]] }],
  ["a list of objects", "a = [{ b = 1 }, { b = 2 }]", { a: [{ b: 1 }, { b: 2 }] }],
  ["a list of one object stays a list", "a = [{ b = 1 }]", { a: [{ b: 1 }] }],
  ["a list with comments", "a = [ # x\n1, // y\n2 /* z */]", { a: [1, 2] }],
  ["of a key given twice the last", "a = 1\na = 2", { a: 2 }],
  ["lists under one key", 'a = ["x"]\na = ["y"]', { a: ["x", "y"] }],
  ["numbers", "a = [0, -1, 42, 1.5, -0.25, 1e3, 1.5e-2, .5, 3.]", { a: [0, -1, 42, 1.5, -0.25, 1000, 0.015, 0.5, 3] }],
  ["hexadecimal and octal", "a = [0x1F, -0x10, 017]", { a: [31, -16, 15] }],
  ["integers past 2^53", "a = 9007199254740993", { a: "9007199254740993n" }],
  ["escapes", String.raw`a = "\a\b\f\n\r\t\v\\\"\u0041\U0001F600"`, { a: '\x07\b\f\n\r\t\v\\"A😀' }],
  ["bytes as escapes", String.raw`a = "\x41\101\xc3\xa9"`, { a: "AAé" }],
  ["text in UTF-8", 'a = "grüße 😀"', { a: "grüße 😀" }],
  ["an interpolation with quotes", 'a = "x ${ f("y", {z}) } \\n"', { a: 'x ${ f("y", {z}) } \n' }],
  ["an interpolation over lines", 'a = "${\n1\n}"', { a: "${\n1\n}" }],
  ["a dollar that is none", 'a = "cost: $5 {x}"', { a: "cost: $5 {x}" }],
  ["a heredoc", "a = <<EOF\none\n  two\nEOF\nb = 1", { a: "one\n  two\n", b: 1 }],
  ["an empty heredoc", "a = <<EOF\nEOF\n", { a: "" }],
  ["a heredoc that holds its anchor", "a = <<EOF\nEOFX\nx EOF\nEOF\n", { a: "EOFX\nx EOF\n" }],
  ["a heredoc with quotes and escapes kept", 'a = <<E\n"\\n"\nE\n', { a: '"\\n"\n' }],
  ["a heredoc at the end of the text", "a = <<E\nx\nE", { a: "x\n" }],
  ["an indented anchor", "a = <<E\nx\n  E\n", { a: "x\n  " }],
  ["an indented heredoc", "a = <<-E\n    one\n      two\n    E\n", { a: "one\n  two\n" }],
  ["an indented heredoc with a line further left", "a = <<-E\n  one\n two\n  E\n", { a: "  one\n two\n" }],
  ["a heredoc in a list", 'a = [<<E\nx\nE\n, "y"]', { a: ["x\n", "y"] }],
  ["JSON", ' {"a": {"b": [1, null]}}', { a: { b: [1, null] } }],
];

for (const [name, text, wanted] of readings) {
  test(`parseHcl: ${name}`, () => assert.deepEqual(read(text), wanted));
}

const faults: readonly [string, string, string][] = [
  ["no value", "a", "At 1:2: key 'a' expected start of object ('{') or assignment ('=')"],
  ["no value after =", "a =", "At 1:4: expected a value, got the end of the text"],
  ["two keys before =", 'a "b" = 1', "At 1:7: nested object expected: '{' got '='"],
  ["no key", "= 1", "At 1:1: expected a key, got '='"],
  ["a block without key", "a = 1\n{ }", "At 2:1: expected a key, got '{'"],
  ["a number as key", "1 = 2", "At 1:1: expected a key, got '1'"],
  ["a boolean as key", "true = 2", "At 1:1: expected a key, got 'true'"],
  ["a closing brace too many", "a = 1\n}", "At 2:1: expected a key, got '}'"],
  ["an open block", "a {\n  b = 1\n", "At 3:1: expected a key, got the end of the text"],
  ["a list without commas", "a = [1 2]", "At 1:8: expected ',' or ']', got '2'"],
  ["a list with two commas", "a = [1,,2]", "At 1:8: expected a value, got ','"],
  ["an open list", "a = [1,", "At 1:8: expected a value, got the end of the text"],
  ["a bare word as value", "a = yes", "At 1:5: expected a value, got 'yes'"],
  ["a colon", "a: 1", "At 1:2: illegal char"],
  ["a strange character", "a = 1\nb = ?", "At 2:5: illegal char"],
  ["an open string", 'a = "x', "At 1:5: literal not terminated"],
  ["a string over lines", 'a = "x\ny"', "At 1:5: literal not terminated"],
  ["an open interpolation", 'a = "${x"', "At 1:5: literal not terminated"],
  ["an unknown escape", String.raw`a = "\q"`, "At 1:6: illegal char escape"],
  ["a cut escape", String.raw`a = "\u12"`, "At 1:6: illegal char escape"],
  ["an open comment", "a = 1 /* x", "At 1:7: comment not terminated"],
  ["a lone slash", "a = 1 / 2", "At 1:7: expected '/' for comment"],
  ["hexadecimal without digits", "a = 0x", "At 1:5: illegal hexadecimal number"],
  ["octal with 8", "a = 018", "At 1:5: illegal octal number"],
  ["a number past 64 bits", "a = 9223372036854775808", "At 1:5: number out of range"],
  ["an exponent without digits", "a = 1e", "At 1:5: illegal number"],
  ["a heredoc without end", "a = <<EOF\nx\n", "At 1:5: heredoc not terminated"],
  ["a heredoc without anchor", "a = <<\nx\n", "At 1:5: zero-length heredoc anchor"],
  ["a heredoc with a bad anchor", "a = <<E F\nx\nE F\n", "At 1:5: invalid characters in heredoc anchor"],
  ["a half heredoc", "a = <E", "At 1:5: heredoc expected second '<', didn't see it"],
  ["a block after a value", "a = 1\na { }", "At 2:1: key 'a' is given both as a block and as a value"],
  ["a value after a block", "a { }\na = 1", "At 2:1: key 'a' is given both as a block and as a value"],
  ["columns after wide characters", 'a = "😀é" ?', "At 1:10: illegal char"],
];

for (const [name, text, message] of faults) {
  test(`parseHcl: ${name} is refused with its place`, () => {
    assert.throws(
      () => parseHcl(text),
      (error) => error instanceof ConfigSyntaxError && error.message.startsWith(message),
      `wanted ${message}`,
    );
  });
}

test("parseHcl: 64 levels are read, 65 refused", () => {
  const nested = (levels: number): string => "a {".repeat(levels) + "}".repeat(levels);
  assert.doesNotThrow(() => parseHcl(nested(64)));
  assert.throws(() => parseHcl(nested(65)), /nested deeper than 64/);
  assert.throws(() => parseHcl(`a = ${"[".repeat(100_000)}`), /nested deeper than 64/);
  const labels = Array.from({ length: 70 }, (_, index) => `l${index}`).join(" ");
  assert.throws(() => parseHcl(`a ${labels} { }`), /nested deeper than 64/);
});

test("parseHcl: a text of 50,000 keys is read", () => {
  const line = "key = 1 ";
  assert.equal(Object.keys(parseHcl(line.repeat(50_000)).root).length, 1);
});

test("parseHcl: refuseDuplicates refuses an attribute given twice, not a repeated block", () => {
  assert.throws(
    () => parseHcl("a = 1\na = 2", { refuseDuplicates: true }),
    /^ConfigSyntaxError: At 2:1: The argument "a" was already set\. Each argument can only be defined once$/,
  );
  assert.doesNotThrow(() => parseHcl('a "x" { b = 1 }\na "y" { b = 1 }', { refuseDuplicates: true }));
});

test("parseHcl: positions of keys are kept, the first of several", () => {
  const { root, positions } = parseHcl('a = 1\n  b {\n    "c" = 2\n  }\na = 3');
  assert.deepEqual(positions.get(root)?.get("a"), { line: 1, column: 1 });
  assert.deepEqual(positions.get(root)?.get("b"), { line: 2, column: 3 });
  assert.deepEqual(positions.get(soleBlock(root["b"] ?? null) ?? {})?.get("c"), { line: 3, column: 5 });
});

test("blocksOf and soleBlock: blocks, objects and lists of objects", () => {
  const { root } = parseHcl(
    "one { a = 1 }\ntwo { a = 1 }\ntwo { a = 2 }\nlist = [{ a = 1 }]\nplain = 1\nmixed = [1, {}]",
  );
  assert.ok(root["one"] instanceof BlockList);
  assert.equal(blocksOf(root["one"])?.length, 1);
  assert.equal(blocksOf(root["two"] ?? null)?.length, 2);
  assert.equal(blocksOf(root["list"] ?? null)?.length, 1);
  assert.equal(blocksOf(root["plain"] ?? null), null);
  assert.equal(blocksOf(root["mixed"] ?? null), null);
  assert.equal(soleBlock(root["two"] ?? null), null);
  assert.equal(soleBlock(root["one"])?.["a"], 1);
});

test("labelledBlocks: the same from HCL and from JSON", () => {
  const rules = (text: string): unknown =>
    labelledBlocks(parseHcl(text).root["key"] ?? null)?.map(({ label, body }) => [label, body["policy"]]);
  const wanted = [
    ["a", "read"],
    ["b/", "write"],
  ];
  assert.deepEqual(rules('key "a" { policy = "read" }\nkey "b/" { policy = "write" }'), wanted);
  assert.deepEqual(rules('key = { "a" = { policy = "read" } "b/" = { policy = "write" } }'), wanted);
  assert.deepEqual(rules('{"key": {"a": {"policy": "read"}, "b/": {"policy": "write"}}}'), wanted);
  assert.deepEqual(rules('{"key": [{"a": {"policy": "read"}}, {"b/": {"policy": "write"}}]}'), wanted);
  assert.equal(labelledBlocks(parseHcl('key = "a"').root["key"] ?? null), null);
  assert.equal(labelledBlocks(parseHcl('key { a = "read" }').root["key"] ?? null), null);
});
