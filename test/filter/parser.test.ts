import assert from "node:assert/strict";
import { test } from "node:test";
import type { Expression, MatchOperator } from "../../src/filter/expression.ts";
import { FilterSyntaxError, parseExpression } from "../../src/filter/parser.ts";
import { Random } from "../../src/util/random.ts";

function match(selector: string, operator: MatchOperator, value?: string): Expression {
  const parts = selector.split(".");
  return value === undefined
    ? { type: "match", selector: parts, operator }
    : { type: "match", selector: parts, operator, value };
}
const not = (operand: Expression): Expression => ({ type: "not", operand });
const and = (...operands: Expression[]): Expression => ({ type: "and", operands });
const or = (...operands: Expression[]): Expression => ({ type: "or", operands });

test("parseExpression: each operator", () => {
  const table: readonly [string, Expression][] = [
    ["Port == 80", match("Port", "Equal", "80")],
    ["Port==80", match("Port", "Equal", "80")],
    ["Node != web", match("Node", "Not Equal", "web")],
    ["Tags is empty", match("Tags", "Is Empty")],
    ["Tags is not empty", match("Tags", "Is Not Empty")],
    ["v1 in Tags", match("Tags", "In", "v1")],
    ["v1 not in Tags", match("Tags", "Not In", "v1")],
    ["Tags contains v1", match("Tags", "In", "v1")],
    ["Tags not contains v1", match("Tags", "Not In", "v1")],
    ["Node matches `^w.b$`", match("Node", "Matches", "^w.b$")],
    ["Node not matches `^w.b$`", match("Node", "Not Matches", "^w.b$")],
    ["not Port == 80", not(match("Port", "Equal", "80"))],
    ["not not Port == 80", match("Port", "Equal", "80")],
    ["not not not Port == 80", not(match("Port", "Equal", "80"))],
    ["\t\r\n ( \n not  \t a  in \r\n b \n) ", not(match("b", "In", "a"))],
  ];
  for (const [text, expression] of table) assert.deepEqual(parseExpression(text), expression, text);
});

test("parseExpression: values", () => {
  const table: readonly [string, string][] = [
    ["web", "web"],
    ["a.b.c", "a.b.c"],
    ['a["b c"]', "a.b c"],
    ["0", "0"],
    ["-11.25", "-11.25"],
    ['""', ""],
    ['"a b"', "a b"],
    ['`a\\b "q"\r\n`', 'a\\b "q"\n'],
    ['"\\\\ \\t \\x41 \\101 \\u00e9 \\U0001F600"', "\\ \t A A é 😀"],
    ['"\\xc3\\xa9"', "é"],
    ["not", "not"],
    ["and", "and"],
    ['"日本"', "日本"],
  ];
  for (const [text, value] of table)
    assert.deepEqual(parseExpression(`x == ${text}`), match("x", "Equal", value), text);
});

test("parseExpression: selectors", () => {
  const table: readonly [string, string[]][] = [
    ["a_1.b.c", ["a_1", "b", "c"]],
    ['Meta["a.b"]', ["Meta", "a.b"]],
    ['Meta[ `k 1` ].x["日"]', ["Meta", "k 1", "x", "日"]],
    ['a[""]', ["a", ""]],
    ["not", ["not"]],
    ["is", ["is"]],
  ];
  for (const [text, selector] of table) {
    assert.deepEqual(parseExpression(`${text} is empty`), { type: "match", selector, operator: "Is Empty" }, text);
  }
  assert.deepEqual(parseExpression("not in not"), match("not", "In", "not"));
  assert.deepEqual(parseExpression("in in in"), match("in", "In", "in"));
});

test("parseExpression: not before and before or, parentheses before all", () => {
  const [a, b, c] = [match("a", "Equal", "1"), match("b", "Equal", "2"), match("c", "Equal", "3")];
  const table: readonly [string, Expression][] = [
    ["a == 1 and b == 2 or c == 3", or(and(a, b), c)],
    ["a == 1 or b == 2 and c == 3", or(a, and(b, c))],
    ["(a == 1 or b == 2) and c == 3", and(or(a, b), c)],
    ["not a == 1 and b == 2", and(not(a), b)],
    ["not (a == 1 and b == 2)", not(and(a, b))],
    ["a == 1 and not b == 2 and c == 3", and(a, not(b), c)],
    ["(a == 1) or b == 2", or(a, b)],
    ["((a == 1))", a],
    ["(a == 1)or(b == 2)", or(a, b)],
  ];
  for (const [text, expression] of table.slice(0, -1)) assert.deepEqual(parseExpression(text), expression, text);
  assert.throws(() => parseExpression(table.at(-1)![0]), FilterSyntaxError);
});

const start = '"(", "-", "0", "\\"", "`", "not", [ \\t\\r\\n], [1-9] or [a-zA-Z]';

test("parseExpression: errors in go-bexpr's words", () => {
  const table: readonly [string, string][] = [
    ["", `1:1 (0): no match found, expected: ${start}`],
    ["a == 1 and ", `1:12 (11): no match found, expected: ${start}`],
    ["a == 1\nor", "2:3 (9): no match found, expected: [ \\t\\r\\n]"],
    ["a", '1:2 (1): no match found, expected: "!=", ".", "==", "[", [ \\t\\r\\n] or [a-zA-Z0-9_]'],
    ["bad ===", '1:7 (6): no match found, expected: "-", "0", "\\"", "`", [ \\t\\r\\n], [1-9] or [a-zA-Z]'],
    ["12 == 12", '1:4 (3): no match found, expected: "in", "not" or [ \\t\\r\\n]'],
    ["12 is empty", '1:4 (3): no match found, expected: "in", "not" or [ \\t\\r\\n]'],
    ["v in tags junk", '1:11 (10): no match found, expected: "and", "or", [ \\t\\r\\n] or EOF'],
    ["a is empty)", "1:11 (10): no match found, expected: [ \\t\\r\\n] or EOF"],
    ["a. b == 1", "1:3 (2): no match found, expected: [a-zA-Z]"],
    ['"é" in 日', '1:8 (8): rule "match": Invalid selector'],
    ["v in 32", '1:6 (5): rule "match": Invalid selector'],
    ["a == 3x", '1:7 (6): rule "number": Invalid number literal'],
    ["a == 01", '1:7 (6): rule "number": Invalid number literal'],
    ["a == 10.0.0.1", '1:10 (9): rule "number": Invalid number literal'],
    ['a == "open', '1:11 (10): rule "string": Unterminated string literal'],
    ["a == `open", '1:11 (10): rule "string": Unterminated string literal'],
    ['a == "\\q"', '1:6 (5): rule "string": invalid syntax'],
    ['a == "\\ud800"', '1:6 (5): rule "string": invalid syntax'],
    ['a == "\\400"', '1:6 (5): rule "string": invalid syntax'],
    ['a == "x\ny"', '1:6 (5): rule "string": invalid syntax'],
    ["a[3] == b", '1:3 (2): rule "index": Invalid index'],
    ['a["k"', '1:6 (5): rule "index": Unclosed index expression'],
    ['a["k" == 3', '1:7 (6): rule "index": Unclosed index expression'],
    ["(a == 4", '1:8 (7): rule "grouping": Unmatched parentheses'],
  ];
  for (const [text, message] of table)
    assert.throws(() => parseExpression(text), { name: "FilterSyntaxError", message }, text);
});

test("parseExpression: nesting is bounded, length is not", () => {
  const nested = (depth: number): string => `${"(".repeat(depth)}a == 1${")".repeat(depth)}`;
  assert.deepEqual(parseExpression(nested(128)), match("a", "Equal", "1"));
  for (const text of [
    nested(129),
    "(".repeat(100_000),
    `${"not ".repeat(100_000)}a == 1`,
    `${"not (".repeat(100_000)}`,
  ]) {
    assert.throws(() => parseExpression(text), { message: /nested deeper than 128 levels/ });
  }
  const many = Array.from({ length: 20_000 }, (_, i) => `a == ${i}`).join(" or ");
  assert.equal((parseExpression(many) as { operands: unknown[] }).operands.length, 20_000);
});

test("parseExpression: failing expressions end too, however they nest", () => {
  // A parser that tries each alternative anew at every level would need 2^128 steps and more for these.
  for (const text of [
    `${"(".repeat(120)}a == 1`,
    `${"not (".repeat(60)}a == 1 and${")".repeat(60)}`,
    `${"(a == 1 and ".repeat(120)}b`,
  ]) {
    assert.throws(() => parseExpression(text), FilterSyntaxError);
  }
});

test("parseExpression: random texts give an expression or a FilterSyntaxError", () => {
  const random = new Random(29);
  const pieces = [
    "a",
    "Meta",
    ".",
    "[",
    "]",
    '"',
    "`",
    "(",
    ")",
    " ",
    "  ",
    "==",
    "!=",
    "not",
    "in",
    "is",
    "empty",
    "contains",
    "matches",
    "and",
    "or",
    "1",
    "-",
    "0.5",
    "\\",
    "é",
    "\n",
    '"k"',
    "`v`",
    "a == 1",
    "x in y",
  ];
  let parsed = 0;
  for (let i = 0; i < 30_000; i += 1) {
    let text = "";
    for (let j = random.below(12); j >= 0; j -= 1)
      text += pieces[random.below(pieces.length)]! + (random.below(2) === 0 ? " " : "");
    try {
      parseExpression(text);
      parsed += 1;
    } catch (error) {
      assert.ok(error instanceof FilterSyntaxError, `${text}: ${String(error)}`);
    }
  }
  assert.ok(parsed > 50, String(parsed));
});

/** The text of an expression, fully parenthesised. */
function print(expression: Expression): string {
  switch (expression.type) {
    case "not":
      return `not (${print(expression.operand)})`;
    case "and":
    case "or":
      return expression.operands.map((operand) => `(${print(operand)})`).join(` ${expression.type} `);
    case "match":
      return `${expression.selector[0]!} == ${JSON.stringify(expression.value)}`;
  }
}

test("parseExpression: reads back a printed tree", () => {
  const random = new Random(31);
  const tree = (depth: number): Expression => {
    const kind = depth === 0 ? 0 : random.below(4);
    if (kind === 0) return match(`f${random.below(9)}`, "Equal", `v ${random.below(9)}`);
    if (kind === 1) {
      const operand = tree(depth - 1);
      return operand.type === "not" ? operand : not(operand);
    }
    return (kind === 2 ? and : or)(tree(depth - 1), tree(depth - 1), tree(depth - 1));
  };
  for (let i = 0; i < 300; i += 1) {
    const expression = tree(4);
    assert.deepEqual(parseExpression(print(expression)), expression);
  }
});
