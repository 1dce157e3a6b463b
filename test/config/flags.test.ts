import assert from "node:assert/strict";
import { test } from "node:test";
import { type FlagSpec, type FlagValue, parseBool, parseFlags, usageText } from "../../src/config/flags.ts";

const specs: readonly FlagSpec[] = [
  { name: "b", type: "bool", usage: "A switch." },
  { name: "s", type: "string", usage: "A text." },
  { name: "i", type: "int", usage: "An integer." },
  { name: "u", type: "uint", usage: "A large integer." },
  { name: "f", type: "float", usage: "A number." },
  { name: "d", type: "duration", usage: "A time." },
  { name: "l", type: "strings", usage: "Texts." },
  { name: "l-old", type: "strings", usage: "Old name of -l.", sameAs: "l" },
  { name: "m", type: "string-map", usage: "Pairs." },
  { name: "c", type: "string-map", usage: "Pairs.", separator: ":" },
];
const given = (...words: string[]): [Record<string, FlagValue>, readonly string[]] => {
  const result = parseFlags(specs, words);
  if ("error" in result) throw new Error(result.error);
  const values: Record<string, FlagValue> = {};
  for (const { name } of specs) {
    const value = result.flags.get(name);
    if (value !== undefined) values[name] = value;
  }
  return [values, result.flags.args];
};

const readings: readonly [string[], Record<string, FlagValue>, string[]][] = [
  [[], {}, []],
  [["-s", "x"], { s: "x" }, []],
  [["-s=x"], { s: "x" }, []],
  [["--s", "x"], { s: "x" }, []],
  [["--s=x"], { s: "x" }, []],
  [["-s="], { s: "" }, []],
  [["-s=a=b"], { s: "a=b" }, []],
  [["-s", "-b"], { s: "-b" }, []],
  [["-s", "x", "-s", "y"], { s: "y" }, []],
  [["-b"], { b: true }, []],
  [["-b", "false"], { b: true }, ["false"]],
  [["-b=false"], { b: false }, []],
  [["-b=T"], { b: true }, []],
  [["-b=0"], { b: false }, []],
  [["-i", "-5"], { i: -5 }, []],
  [["-i=+7"], { i: 7 }, []],
  [["-i=0x10"], { i: 16 }, []],
  [["-i=010"], { i: 10 }, []],
  [["-u=18446744073709551615"], { u: 18446744073709551615n }, []],
  [["-u", "42"], { u: 42 }, []],
  [["-f=1.5e3"], { f: 1500 }, []],
  [["-d=1m30s"], { d: 90e9 }, []],
  [["-l", "a", "-l=b", "-l-old=c"], { l: ["a", "b", "c"] }, []],
  [
    ["-m=a=1", "-m", "b=2=3"],
    {
      m: new Map([
        ["a", "1"],
        ["b", "2=3"],
      ]),
    },
    [],
  ],
  [
    ["-c=a:1", "-c=b"],
    {
      c: new Map([
        ["a", "1"],
        ["b", ""],
      ]),
    },
    [],
  ],
  [["x", "-b"], {}, ["x", "-b"]],
  [["-b", "x", "-s", "y"], { b: true }, ["x", "-s", "y"]],
  [["-b", "--", "-s", "y"], { b: true }, ["-s", "y"]],
  [["-"], {}, ["-"]],
  [["-b", "-", "x"], { b: true }, ["-", "x"]],
  [["", "x"], {}, ["", "x"]],
];

for (const [words, values, rest] of readings) {
  test(`parseFlags: ${JSON.stringify(words)}`, () => assert.deepEqual(given(...words), [values, rest]));
}

const faults: readonly [string[], string, boolean][] = [
  [["-nope"], "flag provided but not defined: -nope", false],
  [["--nope=1"], "flag provided but not defined: -nope", false],
  [["-s"], "flag needs an argument: -s", false],
  [["-b=maybe"], 'invalid boolean value "maybe" for -b: parse error', false],
  [["-i=x"], 'invalid value "x" for flag -i: parse error', false],
  [["-i", ""], 'invalid value "" for flag -i: parse error', false],
  [["-i=1.5"], 'invalid value "1.5" for flag -i: parse error', false],
  [["-i=9007199254740992"], 'invalid value "9007199254740992" for flag -i: parse error', false],
  [["-u=-1"], 'invalid value "-1" for flag -u: parse error', false],
  [["-u=18446744073709551616"], 'invalid value "18446744073709551616" for flag -u: parse error', false],
  [["-f=x"], 'invalid value "x" for flag -f: parse error', false],
  [["-d=5"], 'invalid value "5" for flag -d: time: missing unit in duration "5"', false],
  [["-m=a"], 'invalid value "a" for flag -m: Missing "=" value in argument: a', false],
  [["-=x"], "bad flag syntax: -=x", false],
  [["---b"], "bad flag syntax: ---b", false],
  [["--=x"], "bad flag syntax: --=x", false],
  [["-h"], "flag: help requested", true],
  [["-help"], "flag: help requested", true],
  [["-b", "--help"], "flag: help requested", true],
];

for (const [words, error, help] of faults) {
  test(`parseFlags: ${JSON.stringify(words)} is refused`, () => {
    assert.deepEqual(parseFlags(specs, words), { error, help });
  });
}

test("FlagValues: getters give their fallback for a flag that was not given", () => {
  const result = parseFlags(specs, ["-s=x"]);
  assert.ok("flags" in result);
  const { flags } = result;
  assert.equal(flags.has("s"), true);
  assert.equal(flags.has("b"), false);
  assert.equal(flags.string("s"), "x");
  assert.equal(flags.bool("b"), false);
  assert.equal(flags.bool("b", true), true);
  assert.equal(flags.number("i", 7), 7);
  assert.equal(flags.uint("u", 8), 8);
  assert.deepEqual(flags.strings("l"), []);
  assert.deepEqual(flags.map("m"), new Map());
});

test("parseBool: Go's forms and no others", () => {
  for (const text of ["1", "t", "T", "true", "TRUE", "True"]) assert.equal(parseBool(text), true, text);
  for (const text of ["0", "f", "F", "false", "FALSE", "False"]) assert.equal(parseBool(text), false, text);
  for (const text of ["", "yes", "tRUE", "2"]) assert.equal(parseBool(text), null, text);
});

test("usageText: groups, values and wrapped sentences", () => {
  const help = usageText("\nUsage: x [options]\n", [
    { name: "zeta", type: "bool", usage: "Short." },
    { name: "alpha", type: "string", usage: "word ".repeat(30).trim(), placeholder: "path" },
    { name: "token", type: "string", usage: "Shared.", group: "HTTP API Options" },
  ]);
  const words = (count: number): string => `     ${"word ".repeat(count).trim()}`;
  assert.equal(
    help,
    [
      "Usage: x [options]",
      "",
      "HTTP API Options",
      "",
      "  -token=<value>",
      "     Shared.",
      "",
      "Command Options",
      "",
      "  -alpha=<path>",
      words(13),
      words(13),
      words(4),
      "",
      "  -zeta",
      "     Short.",
    ].join("\n"),
  );
});
