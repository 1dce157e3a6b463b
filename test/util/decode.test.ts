import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bool,
  bytes,
  decode,
  type Decoded,
  DecodeError,
  type Decoder,
  duration,
  durationText,
  float,
  int,
  list,
  map,
  mapped,
  nullable,
  object,
  optional,
  raw,
  string,
  uint64,
  withDefault,
} from "../../src/util/decode.ts";

const service = object(
  {
    Name: string,
    Port: int,
    Tags: list(string),
    Meta: map(string),
    Weights: object({ Passing: withDefault(int, 1), Warning: withDefault(int, 1) }),
    EnableTagOverride: bool,
    Interval: duration,
    Flags: uint64,
    Token: optional(string),
    Checks: nullable(list(object({ Status: string }))),
  },
  { snakeCase: true, aliases: { Name: ["ServiceName"] } },
);

test("object: an absent field, a null, and an absent object are zero values", () => {
  const zero: Decoded<typeof service> = decode(service, null);
  assert.deepEqual(Object.keys(zero), [
    "Name",
    "Port",
    "Tags",
    "Meta",
    "Weights",
    "EnableTagOverride",
    "Interval",
    "Flags",
    "Token",
    "Checks",
  ]);
  assert.deepEqual(
    { ...zero, Meta: null },
    {
      Name: "",
      Port: 0,
      Tags: [],
      Meta: null,
      Weights: { Passing: 1, Warning: 1 },
      EnableTagOverride: false,
      Interval: 0,
      Flags: 0,
      Token: undefined,
      Checks: null,
    },
  );
  const nulls = Object.fromEntries(Object.keys(zero).map((key) => [key, null]));
  assert.deepEqual(decode(service, nulls), zero);
});

test("object: keys match whatever their case, by alias, and with underscores", () => {
  const decoded = decode(service, {
    SERVICENAME: "web",
    port: 80,
    enable_tag_override: true,
    checks: [{ status: "passing" }],
  });
  assert.equal(decoded.Name, "web");
  assert.equal(decoded.Port, 80);
  assert.equal(decoded.EnableTagOverride, true);
  assert.deepEqual(decoded.Checks, [{ Status: "passing" }]);
  assert.equal(decode(object({ EnableTagOverride: bool }), { enable_tag_override: true }).EnableTagOverride, false);
  assert.equal(decode(object({ A: int }), { a: 1, A: 2 }).A, 2);
  assert.equal(decode(object({ A: int }), { A: 2, a: 1 }).A, 1);
});

test("object: unknown fields are an error only when strict", () => {
  assert.deepEqual(decode(object({ A: int }), { A: 1, Nope: 1 }), { A: 1 });
  assert.throws(() => decode(object({ A: int }, { strict: true }), { A: 1, 'No"pe': 1 }), {
    name: "DecodeError",
    message: 'json: unknown field "No\\"pe"',
  });
});

test("map: the user's keys inherit nothing", () => {
  const meta = decode(map(string), JSON.parse('{"__proto__":"x","constructor":"y"}'));
  assert.equal(meta["__proto__"], "x");
  assert.equal(meta["constructor"], "y");
  assert.equal(meta["toString"], undefined);
});

test("decode: values of each kind", () => {
  const table: readonly [Decoder<unknown>, unknown, unknown][] = [
    [uint64, 18_446_744_073_709_551_615n, 18_446_744_073_709_551_615n],
    [uint64, 7, 7],
    [float, 2n, 2],
    [float, 1.5, 1.5],
    [duration, "1m30s", 90e9],
    [duration, 1500, 1500],
    [duration, "", 0],
    [durationText, "90s", "1m30s"],
    [durationText, 1e9, "1s"],
    [durationText, null, ""],
    [raw, { a: 1 }, { a: 1 }],
    [mapped(string, (text) => text.length), "abc", 3],
    [optional(int), null, undefined],
  ];
  for (const [decoder, value, expected] of table) assert.deepEqual(decode(decoder, value), expected);
  assert.deepEqual([...decode(bytes, "AQI=")], [1, 2]);
  assert.equal(decode(bytes, null).length, 0);
});

test("decode: a wrong type names the field and what was sent", () => {
  const table: readonly [Decoder<unknown>, unknown, string][] = [
    [service, { Name: 5 }, "json: cannot unmarshal number 5 into field Name of type string"],
    [service, { Port: "80" }, "json: cannot unmarshal string into field Port of type int"],
    [service, { Port: 1.5 }, "json: cannot unmarshal number 1.5 into field Port of type int"],
    [service, { Tags: "a" }, "json: cannot unmarshal string into field Tags of type list"],
    [service, { Tags: [true] }, "json: cannot unmarshal bool into field Tags of type string"],
    [service, { Meta: [] }, "json: cannot unmarshal array into field Meta of type map"],
    [service, { Meta: { a: 1 } }, "json: cannot unmarshal number 1 into field Meta.a of type string"],
    [service, { Weights: { Passing: {} } }, "json: cannot unmarshal object into field Weights.Passing of type int"],
    [service, { EnableTagOverride: "true" }, "json: cannot unmarshal string into field EnableTagOverride of type bool"],
    [service, { Flags: -1 }, "json: cannot unmarshal number -1 into field Flags of type uint64"],
    [
      service,
      { Flags: 2n ** 64n },
      "json: cannot unmarshal number 18446744073709551616 into field Flags of type uint64",
    ],
    [service, { Interval: "abc" }, 'time: invalid duration "abc"'],
    [service, { Interval: true }, "json: cannot unmarshal bool into field Interval of type duration"],
    [service, [], "json: cannot unmarshal array into value of type object"],
    [bytes, "!", "illegal base64 data at input byte 0"],
    [bytes, 1, "json: cannot unmarshal number 1 into value of type []uint8"],
    [float, Infinity, "json: cannot unmarshal number Infinity into value of type float64"],
    [float, "1", "json: cannot unmarshal string into value of type float64"],
  ];
  for (const [decoder, value, message] of table) {
    assert.throws(
      () => decode(decoder, value),
      (error) => error instanceof DecodeError && error.message === message,
      message,
    );
  }
});
