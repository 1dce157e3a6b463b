// Broken and hostile packets: dropped or told so, never an exception, never a reply that does not fit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage } from "../../src/dns/message.ts";
import { Random } from "../../src/util/random.ts";
import { queryPacket, serviceFor } from "./ask.ts";
import { MemorySource } from "./memory-source.ts";

const source = new MemorySource()
  .register({ Node: "a", Address: "10.0.0.1", NodeMeta: { k: "v" }, Service: { Service: "web", Port: 80 } })
  .register({ Node: "b", Address: "b.example.org", Service: { Service: "web", Port: 81 } })
  .query({ Name: "q", Service: "web" });
const service = serviceFor(source, {}, "alt.example");

const seeds: Uint8Array[] = [
  queryPacket("A", "web.service.consul"),
  queryPacket("SRV", "_web._tcp.service.consul", { edns: 1232 }),
  queryPacket("ANY", "a.node.dc1.alt.example", { edns: 4096, subnet: "10.1.0.0/16" }),
  queryPacket("PTR", "1.0.0.10.in-addr.arpa"),
  queryPacket("A", "q.query.consul", { edns: 512, subnet: "2001:db8::/33" }),
  queryPacket("SOA", "consul"),
];

function check(packet: Uint8Array, transport: "udp" | "tcp"): void {
  const reply = service.handle(packet, transport, "192.0.2.1");
  if (reply === null) return;
  assert.ok(reply instanceof Uint8Array);
  const message = decodeMessage(reply);
  assert.ok(message, "a well-formed reply");
  assert.ok(message.response);
  assert.equal(message.id, (packet[0]! << 8) | packet[1]!);
  if (message.questions.length > 0) assert.deepEqual(reply.subarray(12, 17), Uint8Array.from(packet.subarray(12, 17)));
}

test("packets with bytes changed, cut, doubled and put together are survived", () => {
  const random = new Random(0xd15);
  for (let round = 0; round < 60_000; round += 1) {
    let packet = Uint8Array.from(seeds[random.below(seeds.length)]!);
    for (let changes = random.below(6); changes > 0; changes -= 1) {
      packet[random.below(packet.length)] =
        random.below(3) === 0 ? [0, 0xc0, 0xff, 12][random.below(4)]! : random.below(256);
    }
    const kind = random.below(8);
    if (kind === 0) packet = packet.subarray(0, random.below(packet.length + 1));
    else if (kind === 1) {
      const other = seeds[random.below(seeds.length)]!;
      packet = Uint8Array.from([
        ...packet.subarray(0, random.below(packet.length)),
        ...other.subarray(random.below(other.length)),
      ]);
    }
    check(packet, round % 3 === 0 ? "tcp" : "udp");
  }
});

test("random bytes behind a sound header are survived", () => {
  const random = new Random(0xf00d);
  for (let round = 0; round < 20_000; round += 1) {
    const packet = Uint8Array.from({ length: 12 + random.below(80) }, () => random.below(256));
    packet.set([0, 1, 0, 0, 0, random.below(2) + random.below(2), 0, random.below(2)], 2);
    check(packet, "udp");
    decodeMessage(packet);
  }
});

test("names with every byte in every place are answered or refused", () => {
  for (let byte = 0; byte < 256; byte += 1) {
    for (const at of [13, 15, 16, 24, 25]) {
      const packet = Uint8Array.from(seeds[0]!);
      packet[at] = byte;
      check(packet, "udp");
    }
  }
});

test("answers sent to us are not answered, so two agents cannot keep each other busy", () => {
  const reply = service.handle(seeds[0]!, "udp") as Uint8Array;
  assert.equal(service.handle(reply, "udp"), null);
  const error = service.handle(seeds[0]!.subarray(0, 14), "udp") as Uint8Array;
  assert.equal(error[3]! & 15, 1);
  assert.equal(service.handle(error, "udp"), null);
});
