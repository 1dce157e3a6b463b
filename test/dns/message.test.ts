import assert from "node:assert/strict";
import { test } from "node:test";
import * as packets from "dns-packet";
import { decodeMessage, encodeMessage, type Message } from "../../src/dns/message.ts";
import { type ResourceRecord, TYPE } from "../../src/dns/record.ts";
import { Random } from "../../src/util/random.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function message(fields: Partial<Message>): Message {
  return {
    id: 1,
    response: true,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    ...fields,
  };
}

/** One record of each kind, and as dns-packet shows it. */
const samples: [ResourceRecord, unknown][] = [
  [{ type: "A", name: "a.consul", ttl: 1, class: 1, address: Uint8Array.of(10, 0, 0, 1) }, "10.0.0.1"],
  [
    {
      type: "AAAA",
      name: "a.consul",
      ttl: 2,
      class: 1,
      address: Uint8Array.of(32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    },
    "2001:db8::1",
  ],
  [{ type: "CNAME", name: "b.consul", ttl: 3, class: 1, target: "a.consul" }, "a.consul"],
  [{ type: "NS", name: "consul", ttl: 4, class: 1, target: "n1.node.dc1.consul" }, "n1.node.dc1.consul"],
  [{ type: "PTR", name: "1.0.0.10.in-addr.arpa", ttl: 5, class: 1, target: "a.consul" }, "a.consul"],
  [
    { type: "SRV", name: "_db._tcp.consul", ttl: 6, class: 1, priority: 1, weight: 9, port: 5432, target: "a.consul" },
    { priority: 1, weight: 9, port: 5432, target: "a.consul" },
  ],
  [
    { type: "MX", name: "consul", ttl: 7, class: 1, preference: 10, exchange: "mx.consul" },
    { preference: 10, exchange: "mx.consul" },
  ],
  [
    { type: "TXT", name: "a.consul", ttl: 8, class: 1, texts: [text("k=v"), text("")] },
    [Buffer.from("k=v"), Buffer.from("")],
  ],
  [
    {
      type: "SOA",
      name: "consul",
      ttl: 9,
      class: 1,
      mname: "ns.consul",
      rname: "hostmaster.consul",
      serial: 4_000_000_000,
      refresh: 2,
      retry: 3,
      expire: 4,
      minimum: 5,
    },
    {
      mname: "ns.consul",
      rname: "hostmaster.consul",
      serial: 4_000_000_000,
      refresh: 2,
      retry: 3,
      expire: 4,
      minimum: 5,
    },
  ],
];

test("every kind of record is read by dns-packet as it was written", () => {
  for (const compress of [true, false]) {
    for (const [record, data] of samples) {
      const bytes = encodeMessage(message({ answers: [record] }), { compress });
      const [read] = packets.decode(Buffer.from(bytes)).answers;
      assert.ok(read);
      assert.equal(read.type, record.type);
      assert.deepEqual(read.data, data, record.type);
    }
  }
});

test("every kind of record that dns-packet writes is read as it was meant", () => {
  for (const [record, data] of samples) {
    if (record.type === "OPT") continue;
    const bytes = packets.encode({
      type: "response",
      answers: [{ type: record.type, name: record.name, ttl: record.ttl, class: "IN", data }],
    });
    assert.deepEqual(decodeMessage(bytes)?.answers, [record]);
  }
});

test("records of unknown types keep their data, and EDNS its fields", () => {
  const records: ResourceRecord[] = [
    { type: "other", code: 257, name: "consul", ttl: 1, class: 1, data: Uint8Array.of(0, 5, 1, 2) },
    {
      type: "OPT",
      udpBytes: 1232,
      extendedRcode: 1,
      version: 0,
      dnssecOk: true,
      options: [{ code: 8, data: Uint8Array.of(0, 1, 24, 0, 10, 0, 0) }],
    },
  ];
  const bytes = encodeMessage(message({ additionals: records }));
  assert.deepEqual(decodeMessage(bytes)?.additionals, records);
  const opt = packets.decode(Buffer.from(bytes)).additionals[1];
  assert.equal(opt?.udpPayloadSize, 1232);
  assert.equal(opt?.flag_do, true);
});

test("the header's bits go both ways, as dns-packet has them", () => {
  const flags = message({
    response: false,
    authoritative: true,
    truncated: true,
    recursionDesired: true,
    recursionAvailable: true,
    authenticData: true,
    checkingDisabled: true,
    opcode: 0,
    id: 0xbeef,
    rcode: 3,
    questions: [{ name: "X.consul", type: TYPE.ANY, class: 1 }],
  });
  const bytes = encodeMessage(flags);
  assert.deepEqual(decodeMessage(bytes), flags);
  const theirs = packets.decode(Buffer.from(bytes));
  assert.equal(theirs.id, 0xbeef);
  assert.equal(
    theirs.flag_aa && theirs.flag_tc && theirs.flag_rd && theirs.flag_ra && theirs.flag_ad && theirs.flag_cd,
    true,
  );
  assert.deepEqual(theirs.questions, [{ name: "X.consul", type: "ANY", class: "IN" }]);
});

test("compression points back to whole names and their ends, never inside an SRV target", () => {
  const target = "n1.node.dc1.consul";
  const answers: ResourceRecord[] = [
    { type: "SRV", name: "db.service.consul", ttl: 0, priority: 1, weight: 1, port: 1, target },
    { type: "A", name: target, ttl: 0, address: Uint8Array.of(1, 2, 3, 4) },
  ];
  const asked = message({ questions: [{ name: "db.service.consul", type: TYPE.SRV, class: 1 }], answers });
  const short = encodeMessage(asked);
  const full = encodeMessage(asked, { compress: false });
  // Owner of the SRV: 2 bytes for 19. Owner of the A: 2 bytes for 20. The target in full both times.
  assert.equal(full.length - short.length, 17 + 18);
  assert.deepEqual(decodeMessage(short), decodeMessage(full));
});

test("random messages survive both codecs, ours to theirs and theirs to ours", () => {
  const random = new Random(20260101);
  const labels = ["a", "db", "node", "service", "consul", "dc1", "x".repeat(40)];
  const name = (): string =>
    Array.from({ length: 1 + random.below(5) }, () => labels[random.below(labels.length)]).join(".");
  const records = (): ResourceRecord[] =>
    Array.from({ length: random.below(6) }, () => {
      const head = { name: name(), ttl: random.below(2 ** 31), class: 1 };
      const kind = random.below(4);
      if (kind === 0) return { type: "A", ...head, address: Uint8Array.from({ length: 4 }, () => random.below(256)) };
      if (kind === 1) return { type: "CNAME", ...head, target: name() };
      if (kind === 2) {
        return {
          type: "SRV",
          ...head,
          priority: random.below(65536),
          weight: 0,
          port: random.below(65536),
          target: name(),
        };
      }
      return { type: "TXT", ...head, texts: [Uint8Array.from({ length: random.below(256) }, () => random.below(256))] };
    });
  for (let round = 0; round < 300; round += 1) {
    const sent = message({
      id: random.below(65536),
      questions: [{ name: name(), type: TYPE.A, class: 1 }],
      answers: records(),
      authorities: records(),
      additionals: records(),
    });
    const bytes = encodeMessage(sent, { compress: round % 2 === 0 });
    assert.deepEqual(decodeMessage(bytes), sent);
    const theirs = packets.decode(Buffer.from(bytes));
    assert.deepEqual(decodeMessage(packets.encode(theirs)), sent);
  }
});

test("a message cut anywhere is malformed, not half read", () => {
  const whole = encodeMessage(
    message({ questions: [{ name: "a.consul", type: 1, class: 1 }], answers: samples.map(([record]) => record) }),
  );
  assert.ok(decodeMessage(whole));
  for (let length = 0; length < whole.length; length += 1) {
    assert.equal(decodeMessage(whole.subarray(0, length)), null, `${length} bytes`);
  }
});

test("pointers that loop, lead forward or out of the message make it malformed", () => {
  const head = [0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  const rest = [0, 1, 0, 1];
  const names: [string, number[]][] = [
    ["to itself", [0xc0, 12]],
    ["forward", [0xc0, 14, 0]],
    ["to its own start", [1, 0x61, 0xc0, 12]],
    ["past the end", [0xc1, 0]],
    ["cut", [0xc0]],
    ["of a reserved kind", [0x40, 0]],
  ];
  for (const [what, name] of names) {
    assert.equal(decodeMessage(Uint8Array.from([...head, ...name, ...rest])), null, what);
  }
  assert.ok(decodeMessage(Uint8Array.from([...head, 1, 0x61, 0, ...rest])));
});

test("a name grown past 255 bytes by pointers is malformed", () => {
  // Each question's name is 60 bytes before a pointer to the one before.
  const bytes = [0, 1, 0x80, 0, 0, 5, 0, 0, 0, 0, 0, 0];
  let before = -1;
  for (let i = 0; i < 5; i += 1) {
    const at = bytes.length;
    bytes.push(60, ...Array.from({ length: 60 }, () => 0x61));
    if (before === -1) bytes.push(0);
    else bytes.push(0xc0 | (before >> 8), before & 255);
    before = at;
    bytes.push(0, 1, 0, 1);
  }
  assert.equal(decodeMessage(Uint8Array.from(bytes)), null);
  bytes[5] = 4;
  assert.equal(decodeMessage(Uint8Array.from(bytes))?.questions.length, 4);
});
