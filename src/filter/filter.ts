// `?filter=`: an expression and the fields of a record type become a function that says which records stay. Meaning and
// errors are those of go-bexpr 0.1.2, with two limits of our own: nesting, and regular expressions of 1,024 characters.

import { RE2JS } from "re2js";
import { OperationalError } from "../types/error.ts";
import { quote } from "../util/quote.ts";
import type { Expression, Match } from "./expression.ts";
import { coerce, type Field, type FieldSet, type Literal, operatorsOf, subfieldOf } from "./field.ts";
import { parseExpression } from "./parser.ts";

const REGEX_CHARS_MAX = 1024;

/** True for a record that stays. */
export type Filter = (record: object) => boolean;

type Test = (value: unknown) => boolean;

/**
 * The filter that `text` describes; every record stays for "".
 * @throws OperationalError refused: the text is malformed, selects a field that is not there, or compares what cannot be.
 */
export function compileFilter(text: string, fields: FieldSet): Filter {
  if (text === "") return () => true;
  try {
    return compile(parseExpression(text), { kind: "object", fields });
  } catch (error) {
    const message = `Failed to create boolean expression evaluator: ${(error as Error).message}`;
    throw new OperationalError("refused", message, { cause: error });
  }
}

function compile(expression: Expression, record: Field): Test {
  switch (expression.type) {
    case "not": {
      const operand = compile(expression.operand, record);
      return (value) => !operand(value);
    }
    case "and": {
      const operands = expression.operands.map((operand) => compile(operand, record));
      return (value) => operands.every((operand) => operand(value));
    }
    case "or": {
      const operands = expression.operands.map((operand) => compile(operand, record));
      return (value) => operands.some((operand) => operand(value));
    }
    case "match":
      return compileMatch(expression, record);
  }
}

function compileMatch(match: Match, record: Field): Test {
  let field: Field | undefined = record;
  for (const [index, part] of match.selector.entries()) {
    field = subfieldOf(field, part);
    if (field === undefined)
      throw new Error(`Selector ${quote(match.selector.slice(0, index + 1).join("."))} is not valid`);
  }
  const selector = quote(match.selector.join("."));
  if (!operatorsOf(field).includes(match.operator)) {
    throw new Error(`Invalid match operator ${quote(match.operator)} for selector ${selector}`);
  }
  return reach(record, match, 0, leafTest(match, field, selector));
}

/** The test of a value that the whole selector leads to. */
function leafTest(match: Match, field: Field, selector: string): Test {
  const { operator } = match;
  switch (operator) {
    case "Is Empty":
      return isEmpty;
    case "Is Not Empty":
      return (value) => !isEmpty(value);
    case "Matches":
      return matches(match.value ?? "");
    case "Not Matches": {
      const test = matches(match.value ?? "");
      return (value) => !test(value);
    }
    default:
  }
  const literal = coerced(match.value ?? "", field, selector);
  switch (operator) {
    case "Equal":
      return equals(literal);
    case "Not Equal": {
      const test = equals(literal);
      return (value) => !test(value);
    }
    case "In":
      return contains(literal, field);
    case "Not In": {
      const test = contains(literal, field);
      return (value) => !test(value);
    }
  }
}

function coerced(raw: string, field: Field, selector: string): Literal {
  try {
    return coerce(raw, field);
  } catch (error) {
    const message = `Failed to coerce value ${quote(raw)} for selector ${selector}: ${(error as Error).message}`;
    throw new Error(message, { cause: error });
  }
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

function equals(literal: Literal): Test {
  const zero = zeroOf(literal);
  return (value) => (value ?? zero) === literal;
}

/** What Go holds where a record has nothing. */
function zeroOf(literal: Literal): Literal {
  switch (typeof literal) {
    case "string":
      return "";
    case "boolean":
      return false;
    default:
      return 0;
  }
}

function contains(literal: Literal, field: Field): Test {
  if (field.kind === "map")
    return (value) => value !== null && value !== undefined && Object.hasOwn(value, String(literal));
  if (field.kind === "list") return (value) => Array.isArray(value) && value.includes(literal);
  return (value) => (typeof value === "string" ? value : "").includes(String(literal));
}

function matches(pattern: string): Test {
  if (pattern.length > REGEX_CHARS_MAX) {
    throw new Error(`Failed to compile regular expression: it is longer than ${REGEX_CHARS_MAX} characters`);
  }
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(pattern);
  } catch (error) {
    const message = `Failed to compile regular expression ${quote(pattern)}: ${(error as Error).message}`;
    throw new Error(message, { cause: error });
  }
  return (value) => regex.test(typeof value === "string" ? value : "");
}

/**
 * The test of a value from which the selector's parts from `depth` on are still to be followed. Of a list, one item that
 * passes is enough, for negated operators too: `Checks.Status != passing` asks whether any check is not passing.
 */
function reach(field: Field, match: Match, depth: number, leaf: Test): Test {
  const part = match.selector[depth];
  if (part === undefined) return leaf;
  switch (field.kind) {
    case "object": {
      const next = reach(subfieldOf(field, part)!, match, depth + 1, leaf);
      return (value) =>
        next(value === null || value === undefined ? undefined : (value as Record<string, unknown>)[part]);
    }
    case "list": {
      const next = reach(field.item, match, depth, leaf);
      return (value) => Array.isArray(value) && value.some(next);
    }
    case "map": {
      const next = reach(field.value, match, depth + 1, leaf);
      // Where the key is missing, go-bexpr lets every operator pass but these three, `matches` among them.
      const passes = match.operator !== "Equal" && match.operator !== "Is Not Empty" && match.operator !== "In";
      return (value) => {
        if (value === null || value === undefined || !Object.hasOwn(value, part)) return passes;
        return next((value as Record<string, unknown>)[part]);
      };
    }
    default:
      return leaf;
  }
}
