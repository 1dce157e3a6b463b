// How many records a client gets: the limits of transport, EDNS and configuration.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DnsConfig } from "../../src/dns/config.ts";
import { decodeMessage } from "../../src/dns/message.ts";
import { Random } from "../../src/util/random.ts";
import { type Ask, ask, serviceFor } from "./ask.ts";
import { MemorySource } from "./memory-source.ts";

function sourceOf(count: number, more: object = {}): MemorySource {
  const source = new MemorySource();
  for (let i = 0; i < count; i += 1) {
    const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    source.register({ Node: `node-${1000 + i}`, Address: address, Service: { Service: "web", Port: 80 }, ...more });
  }
  return source;
}

const hundred = sourceOf(100);
const counts = (config: Partial<DnsConfig>, type: string, options: Ask, source = hundred) => {
  const reply = ask(serviceFor(source, config), type, "web.service.consul", options);
  return {
    answers: reply.answers.length,
    additionals: reply.additionals.length,
    tc: reply.flag_tc,
    bytes: reply.bytes.length,
  };
};

test("UDP without EDNS gives udp_answer_limit answers, never more than 8, never none", () => {
  const rows: [limit: number, answers: number][] = [
    [3, 3],
    [1, 1],
    [8, 8],
    [50, 8],
    [0, 1],
  ];
  for (const [udpAnswerLimit, answers] of rows) {
    const got = counts({ udpAnswerLimit }, "A", {});
    assert.equal(got.answers, answers, `limit ${udpAnswerLimit}`);
  }
  assert.deepEqual(counts({ udpAnswerLimit: 3 }, "SRV", {}), {
    answers: 3,
    additionals: 3,
    tc: false,
    bytes: 36 + 3 * (45 + 16),
  });
});

test("EDNS of 512 bytes or less is as none", () => {
  for (const edns of [1, 511, 512]) assert.equal(counts({}, "A", { edns }).answers, 3, `${edns}`);
  assert.equal(counts({}, "A", { edns: 513 }).answers > 20, true);
});

test("enable_truncate tells that records were left out, and nothing else does", () => {
  const truncated = (options: Ask, source = hundred) => counts({ enableTruncate: true }, "A", options, source).tc;
  assert.equal(truncated({}), true);
  assert.equal(truncated({ edns: 600 }), true);
  assert.equal(truncated({ edns: 4096 }), false);
  assert.equal(truncated({ transport: "tcp" }), false);
  assert.equal(truncated({}, sourceOf(3)), false);
  assert.equal(truncated({}, sourceOf(4)), true);
  assert.equal(counts({}, "A", {}).tc, false);
});

test("a reply has as many answers as fit what the client can take, less the UDP header, and not one more", () => {
  for (const type of ["A", "SRV"]) {
    for (let edns = 520; edns < 3000; edns += 61) {
      const { answers, bytes, additionals } = counts({}, type, { edns });
      assert.ok(bytes <= edns - 8, `${type} ${edns}: ${bytes}`);
      if (answers === 100) continue;
      const each = type === "A" ? 16 : 61;
      assert.ok(bytes + each > edns - 8, `${type} ${edns}: ${bytes} bytes, room for more`);
      // One address for each target; the OPT record is gone, as with Consul.
      assert.equal(additionals, type === "A" ? 0 : answers);
    }
  }
});

test("a reply that is whole keeps its OPT record", () => {
  assert.deepEqual(counts({}, "A", { edns: 4096 }), {
    answers: 100,
    additionals: 1,
    tc: false,
    bytes: 12 + 24 + 1600 + 11,
  });
});

test("every target in a cut answer has its address beside it", () => {
  const reply = ask(serviceFor(hundred), "SRV", "web.service.consul", { edns: 1000 });
  const targets = reply.answers.map((record) => (record.data as { target: string }).target);
  assert.deepEqual(
    reply.additionals.map((record) => record.name),
    targets,
  );
});

test("without compression names are in full and fewer records fit", () => {
  const full = counts({ disableCompression: true }, "A", { edns: 1000 });
  const short = counts({}, "A", { edns: 1000 });
  // 34 bytes an answer for 16.
  assert.equal(full.answers, Math.floor((992 - 36) / 34));
  assert.equal(short.answers, Math.floor((992 - 36) / 16));
});

test("TCP tries 4,096 answers, 1,024 for SRV, and cuts at 64 KiB", () => {
  const many = sourceOf(5000);
  const a = counts({ enableTruncate: true }, "A", { transport: "tcp" }, many);
  assert.equal(a.answers, Math.floor((65_523 - 36) / 16));
  assert.equal(a.tc, true);
  const srv = counts({ enableTruncate: true }, "SRV", { transport: "tcp" }, many);
  assert.ok(srv.answers > 900 && srv.answers <= 1024);
  assert.ok(srv.bytes <= 65_523);
  const udp = counts({}, "A", { edns: 65_535 }, many);
  assert.ok(udp.bytes <= 65_467 && udp.bytes > 65_400);
});

test("one answer with more metadata than fits is sent without it", () => {
  const meta = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`key-${i}`, "x".repeat(100)]));
  const source = sourceOf(1, { NodeMeta: meta });
  const reply = ask(serviceFor(source), "A", "node-1000.node.consul");
  assert.deepEqual([reply.answers.length, reply.additionals.length], [1, 0]);
  const edns = ask(serviceFor(source), "A", "node-1000.node.consul", { edns: 1232 });
  assert.deepEqual(
    edns.additionals.map((record) => record.type),
    ["OPT"],
  );
  const tcp = ask(serviceFor(source), "A", "node-1000.node.consul", { transport: "tcp" });
  assert.equal(tcp.additionals.length, 30);
});

test("no reply to any client is larger than it can take, whatever the records", () => {
  const random = new Random(7);
  for (let round = 0; round < 150; round += 1) {
    const source = new MemorySource();
    const count = 1 + random.below(40);
    for (let i = 0; i < count; i += 1) {
      const long = "n".repeat(1 + random.below(50));
      source.register({
        Node: `${long}-${i}`,
        Address:
          random.below(4) === 0 ? `2001:db8::${i}` : random.below(8) === 0 ? `${long}.example.org` : `10.0.0.${i}`,
        NodeMeta: random.below(3) === 0 ? { k: "v".repeat(random.below(300)) } : {},
        Service: { Service: "web", Port: i },
      });
    }
    const service = serviceFor(source, { disableCompression: round % 5 === 0 });
    for (const type of ["A", "AAAA", "ANY", "SRV", "TXT"]) {
      for (const edns of [undefined, 512, 700, 1232]) {
        const reply = ask(service, type, "web.service.consul", edns === undefined ? {} : { edns });
        assert.ok(reply.bytes.length <= (edns ?? 512), `round ${round}: ${type} ${edns}: ${reply.bytes.length}`);
        assert.ok(decodeMessage(reply.bytes), "well formed");
      }
    }
  }
});
