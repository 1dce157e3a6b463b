// Replies that are kept: never older than the source, as random as without, and the client's own in what is the client's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ReplyCache } from "../../src/dns/cache.ts";
import { emptyAnswer } from "../../src/dns/answer.ts";
import { DEFAULT_DNS_CONFIG } from "../../src/dns/config.ts";
import { QueryScan } from "../../src/dns/query.ts";
import { Random } from "../../src/util/random.ts";
import { ask, askLater, lines, queryPacket, serviceFor } from "./ask.ts";
import { MemorySource } from "./memory-source.ts";

function sourceOf(count: number): MemorySource {
  const source = new MemorySource();
  for (let i = 0; i < count; i += 1) {
    source.register({ Node: `n${i}`, Address: `10.0.0.${i}`, Service: { Service: "web", Port: 80 } });
  }
  return source;
}

test("a question asked again is answered without asking the source, until something changes", () => {
  const source = sourceOf(5);
  const service = serviceFor(source);
  for (let i = 0; i < 300; i += 1) ask(service, "A", "web.service.consul");
  assert.equal(source.lookups, 1);
  assert.ok(service.counters.cached > 200, `${service.counters.cached} answers from the cache`);
  source.register({ Node: "new", Address: "10.9.9.9", Service: { Service: "web" } });
  const answers = ask(service, "A", "web.service.consul", { edns: 1232 }).answers.map((record) => record.data);
  assert.ok(answers.includes("10.9.9.9"));
  assert.equal(source.lookups, 2);
  for (let i = 0; i < 50; i += 1) {
    assert.equal(ask(service, "A", "web.service.consul", { edns: 1232 }).answers.length, 6);
  }
});

test("negative answers end with the change that makes them wrong", () => {
  const source = sourceOf(1);
  const service = serviceFor(source);
  for (let i = 0; i < 3; i += 1) assert.equal(ask(service, "A", "db.service.consul").rcode, "NXDOMAIN");
  assert.equal(source.lookups, 1);
  source.register({ Node: "n", Address: "10.0.0.1", Service: { Service: "db" } });
  assert.equal(ask(service, "A", "db.service.consul").rcode, "NOERROR");
});

test("an answer that led through several look-ups is fresh only while all of them are", () => {
  const source = sourceOf(1).register({ Node: "alias", Address: "n0.node.consul" });
  const service = serviceFor(source);
  const answers = () => lines(ask(service, "A", "alias.node.consul").answers);
  assert.equal(answers()[0], "A n0.node.consul 0 10.0.0.0");
  assert.equal(answers()[0], "A n0.node.consul 0 10.0.0.0");
  assert.equal(source.lookups, 2);
  source.register({ Node: "n0", Address: "10.5.5.5" });
  assert.equal(answers()[0], "A n0.node.consul 0 10.5.5.5");
});

test("results that must not be kept are not", () => {
  const source = sourceOf(2);
  source.keep = false;
  const service = serviceFor(source);
  for (let i = 0; i < 5; i += 1) ask(service, "A", "web.service.consul");
  assert.equal(source.lookups, 5);
  assert.equal(service.counters.cached, 0);
});

test("late answers are kept too", async () => {
  const source = sourceOf(1);
  source.later = true;
  const service = serviceFor(source);
  await askLater(service, "A", "web.service.consul");
  assert.deepEqual(lines(ask(service, "A", "web.service.consul").answers), ["A web.service.consul 0 10.0.0.0"]);
});

test("a kept answer has the id, the flags and the letter case of each question", () => {
  const service = serviceFor(sourceOf(1));
  for (const id of [1, 0xffff, 300]) {
    for (const recursionDesired of [true, false]) {
      for (const name of ["web.service.consul", "WEB.service.consul", "web.SERVICE.consul"]) {
        const reply = ask(service, "A", name, { id, recursionDesired });
        assert.equal(reply.id, id);
        assert.equal(reply.flag_rd, recursionDesired);
        assert.equal(reply.questions[0]?.name, name);
        assert.equal(reply.answers[0]?.name, name);
      }
    }
  }
});

test("clients of other sizes and transports do not get each other's answers", () => {
  const service = serviceFor(sourceOf(50));
  const sizes = () => [
    ask(service, "A", "web.service.consul").answers.length,
    ask(service, "A", "web.service.consul", { edns: 600 }).answers.length,
    ask(service, "A", "web.service.consul", { edns: 4096 }).answers.length,
    ask(service, "A", "web.service.consul", { transport: "tcp" }).answers.length,
    ask(service, "AAAA", "web.service.consul").answers.length,
  ];
  for (let i = 0; i < 20; i += 1) assert.deepEqual(sizes(), [3, 34, 50, 50, 0]);
});

test("a reply belongs to the client: what it does to it changes no other", () => {
  const service = serviceFor(sourceOf(1));
  const packet = queryPacket("A", "web.service.consul");
  const first = Uint8Array.from(service.handle(packet, "udp") as Uint8Array);
  for (let i = 0; i < 3; i += 1) (service.handle(packet, "udp") as Uint8Array).fill(0);
  assert.deepEqual(service.handle(packet, "udp"), first);
});

test("every instance comes first as often as any other, and with it the others in every order", () => {
  const instances = 10;
  const rounds = 16_000;
  const service = serviceFor(sourceOf(instances));
  const first = new Map<unknown, number>();
  const pairs = new Map<string, number>();
  for (let i = 0; i < rounds; i += 1) {
    const [a, b] = ask(service, "A", "web.service.consul").answers.map((record) => record.data);
    first.set(a, (first.get(a) ?? 0) + 1);
    pairs.set(`${a} ${b}`, (pairs.get(`${a} ${b}`) ?? 0) + 1);
  }
  assert.equal(first.size, instances);
  // 1,600 each; chance alone would leave about ±40 (one standard deviation), reuse without the deck about ±150.
  for (const [address, count] of first) assert.ok(Math.abs(count - 1600) < 100, `${address} came first ${count} times`);
  assert.equal(pairs.size, instances * (instances - 1), "every pair was seen");
});

test("the same seed gives the same answers", () => {
  const run = (): string[] => {
    const service = serviceFor(sourceOf(10), {}, "", 99);
    return Array.from({ length: 100 }, () =>
      ask(service, "A", "web.service.consul")
        .answers.map((a) => a.data)
        .join(),
    );
  };
  assert.deepEqual(run(), run());
});

test("a new configuration counts at once, also for what waits", async () => {
  const source = sourceOf(1);
  const service = serviceFor(source);
  assert.equal(ask(service, "A", "web.service.consul").answers[0]?.ttl, 0);
  source.later = true;
  const waiting = askLater(service, "A", "n0.node.consul");
  service.configure({ ...DEFAULT_DNS_CONFIG, nodeTtlSeconds: 7, serviceTtlSeconds: new Map([["*", 60]]) });
  await waiting;
  source.later = false;
  assert.equal(ask(service, "A", "web.service.consul").answers[0]?.ttl, 60);
  assert.equal(ask(service, "A", "n0.node.consul").answers[0]?.ttl, 7);
});

test("the cache keeps within its bounds, and what is used longer than what is not", () => {
  const cache = new ReplyCache(new Random(1));
  const scan = new QueryScan();
  const put = (name: string): void => {
    const packet = queryPacket("A", name);
    scan.read(packet);
    cache.put(packet, scan.questionEnd, 0, emptyAnswer(), 0, { bytes: new Uint8Array(100), serialAt: 0 });
  };
  const has = (name: string): boolean => {
    const packet = queryPacket("A", name);
    scan.read(packet);
    return cache.find(packet, scan.questionEnd, 0) !== null;
  };
  put("used.consul");
  for (let i = 0; i < 20_000; i += 1) {
    put(`name-${i}.consul`);
    if (i % 100 === 0) assert.ok(has("used.consul"), `after ${i}`);
  }
  assert.ok(cache.size <= 4096);
  assert.ok(has("name-19999.consul"));
  assert.ok(!has("name-0.consul"));
  cache.clear();
  assert.equal(cache.size, 0);
  const packet = queryPacket("A", "big.consul");
  scan.read(packet);
  for (let form = 0; form < 1000; form += 1) {
    cache.put(packet, scan.questionEnd, form, emptyAnswer(), 0, { bytes: new Uint8Array(60_000), serialAt: 0 });
  }
  assert.ok(cache.size < 300, "16 MiB of replies");
});

test("random names leave the cache bounded and the counters exact", () => {
  const service = serviceFor(sourceOf(1));
  for (let i = 0; i < 6000; i += 1) ask(service, "A", `x${i}.service.consul`);
  assert.equal(service.counters.queries, 6000);
  assert.equal(service.counters.cached, 0);
});
