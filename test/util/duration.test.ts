import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs, formatDuration, parseDuration } from "../../src/util/duration.ts";
import { Random } from "../../src/util/random.ts";

const readings: readonly [string, number, string][] = [
  ["0", 0, "0s"],
  ["-0s", 0, "0s"],
  ["0.001s", 1e6, "1ms"],
  ["9.98s", 9_980_000_000, "9.98s"],
  ["1h2m3.5s", 3_723_500_000_000, "1h2m3.5s"],
  ["-1s", -1e9, "-1s"],
  ["+5s", 5e9, "5s"],
  ["1µs", 1000, "1µs"],
  ["1μs", 1000, "1µs"],
  ["1us", 1000, "1µs"],
  ["1.5ns", 1, "1ns"],
  ["1234ns", 1234, "1.234µs"],
  [".5s", 5e8, "500ms"],
  ["1.s", 1e9, "1s"],
  ["1.5h", 54e11, "1h30m0s"],
  ["60s", 6e10, "1m0s"],
  ["90m", 54e11, "1h30m0s"],
  ["72h", 2592e11, "72h0m0s"],
  ["8760h", 31_536e12, "8760h0m0s"],
  ["0.3333333333333333333h", 1_199_999_999_999, "19m59.999999999s"],
  ["1s1s", 2e9, "2s"],
];

test("parseDuration and formatDuration: as Go reads and writes", () => {
  for (const [text, ns, written] of readings) {
    assert.equal(parseDuration(text), ns, text);
    assert.equal(formatDuration(ns), written, text);
  }
});

test("parseDuration: errors in Go's words", () => {
  const errors: readonly [string, string][] = [
    ["", 'time: invalid duration ""'],
    ["abc", 'time: invalid duration "abc"'],
    ["-", 'time: invalid duration "-"'],
    [".s", 'time: invalid duration ".s"'],
    ["1", 'time: missing unit in duration "1"'],
    ["1.2.3s", 'time: missing unit in duration "1.2.3s"'],
    ["1x", 'time: unknown unit "x" in duration "1x"'],
    ["1 s", 'time: unknown unit " s" in duration "1 s"'],
    ["3é", 'time: unknown unit "\\xc3\\xa9" in duration "3\\xc3\\xa9"'],
    ['"\n', 'time: invalid duration "\\"\\x0a"'],
    ["3000000h", 'time: invalid duration "3000000h"'],
    [`${"9".repeat(400)}s`, `time: invalid duration "${"9".repeat(400)}s"`],
  ];
  for (const [text, message] of errors) assert.throws(() => parseDuration(text), { message }, text);
});

test("durationMs: milliseconds with their fraction", () => {
  assert.equal(durationMs("1.5s"), 1500);
  assert.equal(durationMs("250us"), 0.25);
});

test("parseDuration: reads back whatever formatDuration writes", () => {
  const random = new Random(3);
  for (let i = 0; i < 5000; i += 1) {
    const ns = Math.floor(random.float() * 10 ** random.below(16)) * (random.below(2) === 0 ? 1 : -1);
    assert.equal(parseDuration(formatDuration(ns)), ns === 0 ? 0 : ns);
  }
});
