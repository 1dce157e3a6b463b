// Durations as Go writes and reads them ("1h2m3.5s", https://pkg.go.dev/time#ParseDuration): Consul's configuration, API
// and DNS settings all use this form. A duration is a number of nanoseconds, whole, exact up to 2^53 (104 days) and
// rounded to a double beyond.

import { utf8 } from "./bytes.ts";

/** Nanoseconds in a millisecond. */
export const nsPerMs = 1e6;

const LIMIT = 2 ** 63;

const units: ReadonlyMap<string, number> = new Map([
  ["ns", 1],
  ["us", 1e3],
  ["\u00b5s", 1e3], // micro sign
  ["\u03bcs", 1e3], // Greek letter mu
  ["ms", 1e6],
  ["s", 1e9],
  ["m", 60e9],
  ["h", 3600e9],
]);

/**
 * Nanoseconds of a text such as "10s", "1.5h" or "-1m30s".
 * @throws Error with Go's message when the text is no duration or does not fit int64.
 */
export function parseDuration(text: string): number {
  const invalid = (): Error => new Error(`time: invalid duration ${quote(text)}`);
  let at = 0;
  const negative = text[0] === "-";
  if (negative || text[0] === "+") at = 1;
  if (text.slice(at) === "0") return 0;
  if (at === text.length) throw invalid();
  let total = 0;
  while (at < text.length) {
    const start = at;
    at = skipDigits(text, at);
    const whole = text.slice(start, at);
    let fraction = "";
    if (text[at] === ".") {
      const from = at + 1;
      at = skipDigits(text, from);
      fraction = text.slice(from, at);
    }
    if (whole === "" && fraction === "") throw invalid();
    const unitStart = at;
    while (at < text.length && text[at] !== "." && !isDigit(text.charCodeAt(at))) at += 1;
    const name = text.slice(unitStart, at);
    if (name === "") throw new Error(`time: missing unit in duration ${quote(text)}`);
    const unit = units.get(name);
    if (unit === undefined) throw new Error(`time: unknown unit ${quote(name)} in duration ${quote(text)}`);
    total += Number(whole) * unit;
    // Digits past the 18th cannot move a nanosecond of an hour.
    if (fraction !== "") {
      const digits = fraction.slice(0, 18);
      total += Math.floor(Number(digits) * (unit / 10 ** digits.length));
    }
    if (total > LIMIT) throw invalid();
  }
  return negative && total !== 0 ? -total : total;
}

/** The same duration as `parseDuration`'s, in milliseconds, with a fraction if it has one. @throws Error as it does. */
export function durationMs(text: string): number {
  return parseDuration(text) / nsPerMs;
}

/** Go's `Duration.String()`: "0s", "1.5ms", "1m30s", "1h0m0s". */
export function formatDuration(ns: number): string {
  const sign = ns < 0 ? "-" : "";
  const size = Math.abs(Math.trunc(ns));
  if (size === 0) return "0s";
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${decimal(size, 1e3)}µs`;
  if (size < 1e9) return `${sign}${decimal(size, 1e6)}ms`;
  const inMinute = size % 60e9;
  const minutes = (size - inMinute) / 60e9;
  const seconds = `${decimal(inMinute, 1e9)}s`;
  if (minutes === 0) return sign + seconds;
  if (minutes < 60) return `${sign}${minutes}m${seconds}`;
  return `${sign}${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** value / unit as a decimal without trailing zeros; exact, since it never divides with a remainder. */
function decimal(value: number, unit: number): string {
  const rest = value % unit;
  const whole = String((value - rest) / unit);
  if (rest === 0) return whole;
  const fraction = String(unit + rest).slice(1);
  let end = fraction.length;
  while (fraction.charCodeAt(end - 1) === 48) end -= 1;
  return `${whole}.${fraction.slice(0, end)}`;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function skipDigits(text: string, at: number): number {
  while (at < text.length && isDigit(text.charCodeAt(at))) at += 1;
  return at;
}

/** Go quotes here byte by byte: everything that is not printable ASCII becomes \xNN. */
function quote(text: string): string {
  let quoted = '"';
  for (const byte of utf8(text)) {
    if (byte >= 0x80 || byte < 0x20) quoted += `\\x${byte.toString(16).padStart(2, "0")}`;
    else if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`;
    else quoted += String.fromCharCode(byte);
  }
  return `${quoted}"`;
}
