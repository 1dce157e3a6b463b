// What a filter may ask of a record: its fields by Consul's names, and the kind of each, which decides the operators that
// suit it and how a literal is read. go-bexpr derives the same from Go's types.

import { quote } from "../util/quote.ts";
import type { MatchOperator } from "./expression.ts";

/** The fields of a record or of an object within it. Fields that are not listed cannot be selected. */
export type FieldSet = ReadonlyMap<string, Field>;

/** `bits` is the width of an integer, which a literal must fit. A field that is absent has its kind's zero value. */
export type Field =
  | { kind: "string" }
  | { kind: "bool" }
  | { kind: "int"; bits: number }
  | { kind: "uint"; bits: number }
  | { kind: "list"; item: Field }
  | { kind: "map"; value: Field }
  | { kind: "object"; fields: FieldSet };

export const string: Field = { kind: "string" };
export const bool: Field = { kind: "bool" };
export const int: Field = { kind: "int", bits: 64 };

export function uint(bits: number): Field {
  return { kind: "uint", bits };
}

export function list(item: Field): Field {
  return { kind: "list", item };
}

/** A map with keys of the user. */
export function map(value: Field): Field {
  return { kind: "map", value };
}

export function object(fields: FieldSet): Field {
  return { kind: "object", fields };
}

export function fieldSet(fields: Readonly<Record<string, Field>>): FieldSet {
  return new Map(Object.entries(fields));
}

/** What a literal becomes to be compared with a field's values. */
export type Literal = string | boolean | number | bigint;

/** True for the kinds that a list may hold to be searched with `in`. */
function isPrimitive(field: Field): boolean {
  return field.kind !== "list" && field.kind !== "map" && field.kind !== "object";
}

/** The operators that suit a field's kind. */
export function operatorsOf(field: Field): readonly MatchOperator[] {
  switch (field.kind) {
    case "string":
      return ["Equal", "Not Equal", "In", "Not In", "Matches", "Not Matches"];
    case "bool":
    case "int":
    case "uint":
      return ["Equal", "Not Equal"];
    case "list":
      return isPrimitive(field.item) ? ["In", "Not In", "Is Empty", "Is Not Empty"] : ["Is Empty", "Is Not Empty"];
    case "map":
      return ["Is Empty", "Is Not Empty", "In", "Not In"];
    case "object":
      return [];
  }
}

/** The field that one more part of a selector leads to: `Checks.Status` reaches through the list into its objects. */
export function subfieldOf(field: Field, name: string): Field | undefined {
  switch (field.kind) {
    case "object":
      return field.fields.get(name);
    case "map":
      return field.value;
    case "list":
      return isPrimitive(field.item) ? undefined : subfieldOf(field.item, name);
    default:
      return undefined;
  }
}

/** The literal as the field's kind reads it. @throws Error with the message of Go's strconv. */
export function coerce(raw: string, field: Field): Literal {
  switch (field.kind) {
    case "bool":
      return parseBool(raw);
    case "int":
      return parseInteger(raw, field.bits, true);
    case "uint":
      return parseInteger(raw, field.bits, false);
    case "list":
      return coerce(raw, field.item);
    default:
      return raw;
  }
}

const trueTexts = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseTexts = new Set(["0", "f", "F", "FALSE", "false", "False"]);

function parseBool(raw: string): boolean {
  if (trueTexts.has(raw)) return true;
  if (falseTexts.has(raw)) return false;
  throw new Error(`strconv.ParseBool: parsing ${quote(raw)}: invalid syntax`);
}

/** Decimal, or with Go's prefixes; an underscore may part digits. */
const integerForm =
  /^(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/;

function parseInteger(raw: string, bits: number, signed: boolean): number | bigint {
  const name = signed ? "strconv.ParseInt" : "strconv.ParseUint";
  const sign = signed ? /^[+-]/.exec(raw) : null;
  const digits = sign === null ? raw : raw.slice(1);
  // More digits than any 64-bit number has in any base, leading zeros aside, are not worth reading.
  if (!integerForm.test(digits) || digits.length > 512) {
    throw new Error(`${name}: parsing ${quote(raw)}: invalid syntax`);
  }
  const plain = digits.replaceAll("_", "").replace(/^0(?=[0-7])/, "0o");
  const size = BigInt(plain);
  const value = sign?.[0] === "-" ? -size : size;
  const least = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const most = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  if (value < least || value > most) throw new Error(`${name}: parsing ${quote(raw)}: value out of range`);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
