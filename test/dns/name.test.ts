import assert from "node:assert/strict";
import { test } from "node:test";
import { isWireName, labelBytes, splitName, withoutFinalDot } from "../../src/dns/name.ts";
import { WireReader } from "../../src/dns/wire-reader.ts";
import { WireWriter } from "../../src/dns/wire-writer.ts";

const label63 = "a".repeat(63);

test("a name is split at the dots that are not escaped", () => {
  const rows: [string, string[]][] = [
    ["", []],
    [".", []],
    ["consul", ["consul"]],
    ["db.service.consul.", ["db", "service", "consul"]],
    ["a\\.b.c", ["a\\.b", "c"]],
    ["a\\\\.b", ["a\\\\", "b"]],
    ["\\046.x", ["\\046", "x"]],
  ];
  for (const [name, labels] of rows) assert.deepEqual(splitName(name), labels, name);
});

test("only the final dot that is not part of a label is taken off", () => {
  assert.equal(withoutFinalDot("a.b."), "a.b");
  assert.equal(withoutFinalDot("a.b"), "a.b");
  assert.equal(withoutFinalDot("a\\."), "a\\.");
});

test("a label's escapes are undone and other text is UTF-8", () => {
  assert.deepEqual([...labelBytes("a\\.b")], [97, 46, 98]);
  assert.deepEqual([...labelBytes("\\000\\255x")], [0, 255, 120]);
  assert.deepEqual([...labelBytes("é🎈")], [...new TextEncoder().encode("é🎈")]);
});

test("names that the wire has no room for are told", () => {
  const rows: [string, boolean][] = [
    ["", true],
    ["a", true],
    ["_db._tcp.service.consul", true],
    [label63, true],
    [`${label63}a`, false],
    [`x.${label63}a.y`, false],
    ["a..b", false],
    [".a", false],
    ["a.", false],
    // 3 × 64 + 62 + the root is 255.
    [`${label63}.${label63}.${label63}.${"a".repeat(61)}`, true],
    [`${label63}.${label63}.${label63}.${"a".repeat(62)}`, false],
    ["\\065".repeat(63), true],
    ["\\065".repeat(64), false],
    ["é".repeat(31), true],
    ["é".repeat(32), false],
    ["a\\..b", true],
  ];
  for (const [name, fits] of rows) assert.equal(isWireName(name), fits, name);
});

test("every label of any bytes survives the wire and stays one label", () => {
  for (let byte = 0; byte < 256; byte += 1) {
    const packet = Uint8Array.of(3, 0x61, byte, 0x62, 1, 0x78, 0);
    const name = new WireReader(packet).name();
    assert.equal(splitName(name).length, 2, `byte ${byte}`);
    assert.ok(isWireName(name));
    const writer = new WireWriter();
    writer.begin(true);
    writer.name(name);
    assert.deepEqual(writer.finish(), packet, `byte ${byte}`);
  }
});
