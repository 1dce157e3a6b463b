import assert from "node:assert/strict";
import { test } from "node:test";
import { QueryScan } from "../../src/dns/query.ts";
import { queryPacket } from "./ask.ts";

const plain = queryPacket("SRV", "Db.Service.consul");
const scan = new QueryScan();

/** The plain question with some bytes set. */
function changed(...changes: [at: number, value: number][]): Uint8Array {
  const copy = Uint8Array.from(plain);
  for (const [at, value] of changes) copy[at] = value;
  return copy;
}

/** The plain question with records behind it. */
function withRecords(count: number, ...records: number[][]): Uint8Array {
  return Uint8Array.from([...changed([11, count]), ...records.flat()]);
}

const opt = (...options: number[]): number[] => [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.length, ...options];

test("a question's parts are found where they are", () => {
  assert.equal(scan.read(plain), "answer");
  assert.equal(scan.id, 4711);
  assert.equal(scan.type, 33);
  assert.equal(scan.name(plain), "Db.Service.consul");
  assert.equal(scan.questionEnd, plain.length);
  assert.equal(scan.edns, false);
  assert.equal(scan.subnet(plain), null);
});

test("EDNS and the client subnet are read; other options are passed over", () => {
  const packet = withRecords(1, opt(0, 10, 0, 2, 1, 2, 0, 8, 0, 7, 0, 1, 20, 0, 10, 1, 0x20));
  assert.equal(scan.read(packet), "answer");
  assert.equal(scan.edns, true);
  assert.equal(scan.udpBytes, 1232);
  assert.deepEqual(scan.subnet(packet), { family: 1, sourceBits: 20, address: Uint8Array.of(10, 1, 0x20) });
  assert.equal(scan.read(plain), "answer");
  assert.equal(scan.hasSubnet, false, "nothing is left of the packet before");
});

test("packets that must not be answered are dropped", () => {
  assert.equal(scan.read(new Uint8Array(0)), "drop");
  assert.equal(scan.read(plain.subarray(0, 11)), "drop");
  assert.equal(scan.read(changed([2, 0x81])), "drop");
});

test("opcodes other than QUERY are not implemented", () => {
  for (let opcode = 1; opcode < 16; opcode += 1) {
    assert.equal(scan.read(changed([2, opcode << 3])), "not-implemented", `opcode ${opcode}`);
  }
});

test("malformed packets are format errors", () => {
  const rows: [string, Uint8Array][] = [
    ["no question", changed([5, 0])],
    ["two questions", changed([5, 2])],
    ["too many answers", changed([7, 2])],
    ["too many authorities", changed([9, 2])],
    ["too many additionals", changed([11, 3])],
    ["missing record", changed([11, 1])],
    ["pointer in the question", changed([12, 0xc0])],
    ["reserved label", changed([12, 0x40])],
    ["question cut in the name", plain.subarray(0, 20)],
    ["question cut in the type", plain.subarray(0, plain.length - 3)],
    ["two OPT records", withRecords(2, opt(), opt())],
    ["OPT not at the root", withRecords(1, [1, 0x61, ...opt()])],
    ["OPT cut", withRecords(1, opt().slice(0, 8))],
    ["option longer than its record", withRecords(1, opt(0, 10, 0, 9, 1))],
    ["option without a length", withRecords(1, opt(0, 10, 0))],
    ["subnet too short", withRecords(1, opt(0, 8, 0, 2, 0, 1))],
    ["subnet of more bits than the family has", withRecords(1, opt(0, 8, 0, 9, 0, 1, 33, 0, 1, 2, 3, 4, 5))],
    ["subnet of an unknown family", withRecords(1, opt(0, 8, 0, 5, 0, 3, 8, 0, 1))],
    ["subnet with fewer bytes than bits", withRecords(1, opt(0, 8, 0, 5, 0, 1, 24, 0, 10))],
    ["subnet with bits beyond its prefix", withRecords(1, opt(0, 8, 0, 7, 0, 1, 20, 0, 10, 1, 0x21))],
    ["name of more than 255 bytes", Uint8Array.from([...plain.subarray(0, 12), ...longName(64), 0, 1, 0, 1])],
  ];
  for (const [what, packet] of rows) assert.equal(scan.read(packet), "format-error", what);
  assert.equal(scan.read(Uint8Array.from([...plain.subarray(0, 12), ...longName(63), 0, 1, 0, 1])), "answer");
});

test("what follows the message does not matter", () => {
  assert.equal(scan.read(Uint8Array.from([...plain, 1, 2, 3])), "answer");
});

/** Three labels of 63 bytes and one more that takes `last` bytes with its length, and the root. */
function longName(last: number): number[] {
  const label = (length: number): number[] => [length, ...Array.from({ length }, () => 0x61)];
  return [...label(63), ...label(63), ...label(63), ...label(last - 2), 0];
}
