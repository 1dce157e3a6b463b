// Questions for the recursors: which, in what order, with what taken from them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { recursorAddress } from "../../src/dns/config.ts";
import { decodeMessage, encodeMessage, type Message } from "../../src/dns/message.ts";
import { RCODE, type ResourceRecord, TYPE } from "../../src/dns/record.ts";
import type { Transport } from "../../src/dns/source.ts";
import { OperationalError } from "../../src/types/error.ts";
import { ask, askLater, lines, serviceFor } from "./ask.ts";
import { MemorySource } from "./memory-source.ts";

interface Asked {
  recursor: string;
  transport: Transport;
  timeoutMs: number;
  query: Message;
}

type Reaction = (query: Message, transport: Transport) => Partial<Message> | null | Uint8Array;

/** A catalog with recursors that react as told; null is silence. */
function recursing(reactions: Record<string, Reaction>): { source: MemorySource; asked: Asked[] } {
  const asked: Asked[] = [];
  const source = new MemorySource().register({ Node: "a", Address: "10.0.0.1", Service: { Service: "web" } });
  source.recurse = (packet, transport, recursor, timeoutMs) => {
    const query = decodeMessage(packet)!;
    asked.push({ recursor, transport, timeoutMs, query });
    const reaction = reactions[recursor]!(query, transport);
    if (reaction === null) return Promise.reject(new OperationalError("timeout", "silence"));
    if (reaction instanceof Uint8Array) return Promise.resolve(reaction);
    return Promise.resolve(encodeMessage({ ...query, response: true, recursionAvailable: true, ...reaction }));
  };
  return { source, asked };
}

const address = (name: string, last = 1): ResourceRecord => ({
  type: "A",
  name,
  ttl: 60,
  address: Uint8Array.of(192, 0, 2, last),
});
const answers: Reaction = (query) => ({ answers: [address(query.questions[0]!.name)] });
const FIRST = "192.0.2.1:53";
const SECOND = "192.0.2.2:53";
const recursors = ["192.0.2.1", "192.0.2.2"];

test("a foreign question goes to the first recursor, by the client's transport, under an id of its own", async () => {
  const { source, asked } = recursing({ [FIRST]: answers });
  const service = serviceFor(source, { recursors, recursorTimeoutMs: 1500 });
  const ids = new Set<number>();
  for (const transport of ["udp", "tcp"] as const) {
    const reply = await askLater(service, "A", "www.example.com", { transport, id: 77 });
    assert.equal(reply.id, 77);
    assert.equal(reply.flag_ra, true);
    assert.deepEqual(lines(reply.answers), ["A www.example.com 60 192.0.2.1"]);
    const last = asked.at(-1)!;
    assert.deepEqual([last.recursor, last.transport, last.timeoutMs], [FIRST, transport, 1500]);
    assert.equal(last.query.recursionDesired, true);
    ids.add(last.query.id);
  }
  assert.equal(ids.size, 2);
});

test("silence, other codes and answers to something else lead to the next recursor", async () => {
  const bad: [string, Reaction][] = [
    ["silence", () => null],
    ["SERVFAIL", () => ({ rcode: RCODE.SERVFAIL })],
    ["REFUSED", () => ({ rcode: RCODE.REFUSED })],
    ["another id", (query) => ({ id: query.id ^ 1 })],
    ["another question", () => ({ questions: [{ name: "www.example.org", type: TYPE.A, class: 1 }] })],
    ["a question", () => ({ response: false })],
    ["rubbish", () => Uint8Array.of(1, 2, 3)],
  ];
  for (const [what, reaction] of bad) {
    const { source, asked } = recursing({ [FIRST]: reaction, [SECOND]: answers });
    const reply = await askLater(serviceFor(source, { recursors }), "A", "www.example.com");
    assert.equal(reply.rcode, "NOERROR", what);
    assert.deepEqual(
      asked.map(({ recursor }) => recursor),
      [FIRST, SECOND],
      what,
    );
  }
});

test("NXDOMAIN is an answer, and so is one whose letters changed case", async () => {
  const { source, asked } = recursing({
    [FIRST]: (query) => ({ rcode: RCODE.NXDOMAIN, questions: [{ ...query.questions[0]!, name: "WWW.example.com" }] }),
  });
  const reply = await askLater(serviceFor(source, { recursors }), "A", "www.example.com");
  assert.deepEqual([reply.rcode, asked.length], ["NXDOMAIN", 1]);
});

test("when all fail the client is told SERVFAIL, with RA and its EDNS", async () => {
  const { source } = recursing({ [FIRST]: () => null, [SECOND]: () => ({ rcode: RCODE.REFUSED }) });
  const reply = await askLater(serviceFor(source, { recursors }), "A", "www.example.com", { edns: 1232 });
  assert.deepEqual(
    [reply.rcode, reply.flag_ra, reply.flag_aa, lines(reply.additionals)],
    ["SERVFAIL", true, false, ["OPT"]],
  );
  source.recurse = undefined as never;
  assert.equal((await askLater(serviceFor(source, { recursors }), "A", "www.example.com")).rcode, "SERVFAIL");
});

test("the random strategy starts with each of them", async () => {
  const { source, asked } = recursing({ [FIRST]: answers, [SECOND]: answers });
  const service = serviceFor(source, { recursors, recursorStrategy: "random" });
  for (let i = 0; i < 40; i += 1) await askLater(service, "A", "www.example.com");
  const first = asked.filter(({ recursor }) => recursor === FIRST).length;
  assert.ok(first > 5 && first < 35, `${first} of 40`);
});

test("our own names say that recursion is available and are never passed on", () => {
  const { source, asked } = recursing({});
  const service = serviceFor(source, { recursors });
  assert.equal(ask(service, "A", "web.service.consul").flag_ra, true);
  assert.equal(ask(service, "A", "none.service.consul").rcode, "NXDOMAIN");
  assert.equal(asked.length, 0);
});

test("an address that nobody here has is asked of the recursors", async () => {
  const { source, asked } = recursing({
    [FIRST]: (query) => ({
      answers: [{ type: "PTR", name: query.questions[0]!.name, ttl: 1, target: "x.example.org" }],
    }),
  });
  const service = serviceFor(source, { recursors });
  assert.deepEqual(lines(ask(service, "PTR", "1.0.0.10.in-addr.arpa").answers), [
    "PTR 1.0.0.10.in-addr.arpa 0 a.node.dc1.consul",
  ]);
  const reply = await askLater(service, "PTR", "9.9.9.9.in-addr.arpa");
  assert.deepEqual(lines(reply.answers), ["PTR 9.9.9.9.in-addr.arpa 1 x.example.org"]);
  assert.equal(asked.length, 1);
});

test("a host name is followed by a recursor: five records without EDNS, of the family asked for, the answer's TTL", async () => {
  const { source, asked } = recursing({
    [FIRST]: (query) => ({
      answers: [
        { type: "CNAME", name: "db.example.org", ttl: 9, target: "x.example.org" },
        ...Array.from({ length: 9 }, (_, i) => address("x.example.org", i)),
        { type: "TXT", name: query.questions[0]!.name, ttl: 1, texts: [] },
      ],
    }),
  });
  source.register({ Node: "e", Address: "10.0.0.9", Service: { Service: "ext", Address: "db.example.org", Port: 5 } });
  const service = serviceFor(source, { recursors, serviceTtlSeconds: new Map([["ext", 7]]) });
  const plain = await askLater(service, "A", "ext.service.consul", { transport: "tcp" });
  assert.equal(plain.answers.length, 1 + 5);
  assert.ok(plain.answers.every(({ ttl }) => ttl === 7));
  const edns = await askLater(service, "A", "ext.service.consul", { transport: "tcp", edns: 4096 });
  assert.equal(edns.answers.length, 1 + 10);
  const srv = await askLater(service, "SRV", "ext.service.consul", { transport: "tcp" });
  assert.deepEqual([srv.answers.length, srv.additionals.length], [1, 5]);
  const aaaa = await askLater(service, "AAAA", "ext.service.consul", { transport: "tcp" });
  assert.deepEqual(
    aaaa.answers.map(({ type }) => type),
    ["CNAME", "CNAME"],
  );
  assert.deepEqual(
    asked.map(({ query }) => query.questions[0]!.type),
    [TYPE.A, TYPE.A, TYPE.A, TYPE.AAAA],
  );
  assert.ok(asked.every(({ transport }) => transport === "udp"));
});

test("a truncated answer about a host name is asked for again by TCP", async () => {
  const { source, asked } = recursing({
    [FIRST]: (_query, transport) =>
      transport === "udp" ? { truncated: true } : { answers: [address("www.example.org")] },
  });
  source.register({ Node: "cname", Address: "www.example.org" });
  const reply = await askLater(serviceFor(source, { recursors }), "A", "cname.node.consul");
  assert.deepEqual(lines(reply.answers), [
    "A www.example.org 60 192.0.2.1",
    "CNAME cname.node.consul 0 www.example.org",
  ]);
  assert.deepEqual(
    asked.map(({ transport }) => transport),
    ["udp", "tcp"],
  );
});

test("many host names of one answer are asked for at once, and not without end", async () => {
  const { source, asked } = recursing({ [FIRST]: answers });
  for (let i = 0; i < 100; i += 1) {
    source.register({ Node: `e${i}`, Address: `h${i}.example.org`, Service: { Service: "ext", Port: i + 1 } });
  }
  const reply = await askLater(serviceFor(source, { recursors }), "SRV", "ext.service.consul", { transport: "tcp" });
  assert.equal(reply.answers.length, 100);
  assert.equal(asked.length, 32);
});

test("recursors are completed to address and port", () => {
  const rows = [
    ["8.8.8.8", "8.8.8.8:53"],
    ["8.8.8.8:5353", "8.8.8.8:5353"],
    ["2001:db8::1", "[2001:db8::1]:53"],
    ["[2001:db8::1]", "[2001:db8::1]:53"],
    ["[2001:db8::1]:5353", "[2001:db8::1]:5353"],
  ] as const;
  for (const [given, want] of rows) assert.equal(recursorAddress(given), want);
});
