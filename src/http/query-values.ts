// Values of query parameters as Go's parsers read them.
import { parseBool } from "../config/flags.ts";
import { OperationalError } from "../types/error.ts";
import type { Uint64 } from "../types/records.ts";
import type { Context } from "./context.ts";

/** A flag of maintenance mode. @throws OperationalError with Consul's texts when it is missing or neither true nor false. */
export function requireEnable(c: Context): boolean {
  const value = c.query.get("enable");
  if (value === null || value === "") throw new OperationalError("invalid-request", "Missing value for enable");
  const enable = parseBool(value);
  if (enable === null)
    throw new OperationalError("invalid-request", `Invalid value for enable: ${JSON.stringify(value)}`);
  return enable;
}

const UINT64_DIGITS_MAX = 20;

/** @throws OperationalError in the manner of Go's parser, as Consul passes it on. */
export function parseUint64(value: string): Uint64 {
  if (!/^\d+$/.test(value))
    throw new OperationalError("refused", `strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`);
  const digits = value.replace(/^0+(?=\d)/, "");
  // Reading a million digits takes a third of a second, and there is nothing to learn from them.
  const exact = digits.length > UINT64_DIGITS_MAX ? null : BigInt(digits);
  if (exact === null || exact > 0xffff_ffff_ffff_ffffn)
    throw new OperationalError("refused", `strconv.ParseUint: parsing ${JSON.stringify(value)}: value out of range`);
  return exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact;
}
