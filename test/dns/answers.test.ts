// What each form of question is answered with, beyond what the recordings of golden.test.ts hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationalError } from "../../src/types/error.ts";
import { ask, askLater, decode, lines, queryPacket, serviceFor, WALL_MS } from "./ask.ts";
import { MemorySource, type Registration } from "./memory-source.ts";

const SOA = "SOA consul 0 ns.consul hostmaster.consul 3600 600 86400 0";

function sourceOf(...registrations: Registration[]): MemorySource {
  const source = new MemorySource();
  for (const body of registrations) source.register(body);
  return source;
}

const web = (node: string, address: string, service: object = {}, more: object = {}): Registration => ({
  Node: node,
  Address: address,
  Service: { Service: "web", Port: 80, ...service },
  ...more,
});

test("the TTL of a service is its own, else its longest prefix's, else everyone's", () => {
  const source = sourceOf(
    ...["db", "db-one", "db-one-two", "cache"].map((name) => ({
      Node: "n",
      Address: "10.0.0.1",
      Service: { Service: name },
    })),
  );
  const ttls = new Map([
    ["db", 1],
    ["db-*", 2],
    ["db-one-*", 3],
    ["*", 4],
  ]);
  const service = serviceFor(source, { serviceTtlSeconds: ttls });
  const ttl = (name: string) => ask(service, "A", `${name}.service.consul`).answers[0]?.ttl;
  assert.deepEqual(["db", "db-one", "db-one-two", "cache"].map(ttl), [1, 2, 3, 4]);
  assert.equal(ask(serviceFor(source), "A", "db.service.consul").answers[0]?.ttl, 0);
});

test("instances with warnings are answered, with their own weight, unless only_passing", () => {
  const source = sourceOf(
    web("a", "10.0.0.1", { Weights: { Passing: 5, Warning: 2 } }),
    web(
      "b",
      "10.0.0.2",
      { Weights: { Passing: 5, Warning: 2 } },
      { Check: { CheckID: "c", Status: "warning", ServiceID: "web" } },
    ),
    web("c", "10.0.0.3", {}, { Check: { CheckID: "node", Status: "critical" } }),
  );
  assert.deepEqual(lines(ask(serviceFor(source), "SRV", "web.service.consul").answers), [
    "SRV web.service.consul 0 1 2 80 b.node.dc1.consul",
    "SRV web.service.consul 0 1 5 80 a.node.dc1.consul",
  ]);
  const strict = serviceFor(source, { onlyPassing: true });
  assert.deepEqual(lines(ask(strict, "A", "web.service.consul").answers), ["A web.service.consul 0 10.0.0.1"]);
});

test("an address that several instances share is told once, a port of a node too", () => {
  const source = sourceOf(
    web("a", "10.0.0.1", { ID: "w1" }),
    web("a", "10.0.0.1", { ID: "w2" }),
    web("a", "10.0.0.1", { ID: "w3", Port: 81 }),
  );
  const service = serviceFor(source);
  assert.equal(ask(service, "A", "web.service.consul").answers.length, 1);
  const srv = ask(service, "SRV", "web.service.consul");
  assert.deepEqual(lines(srv.answers), [
    "SRV web.service.consul 0 1 1 80 a.node.dc1.consul",
    "SRV web.service.consul 0 1 1 81 a.node.dc1.consul",
  ]);
  assert.deepEqual(lines(srv.additionals), ["A a.node.dc1.consul 0 10.0.0.1"]);
});

test("a_record_limit bounds addresses for every client, and SRV for none", () => {
  const source = new MemorySource();
  for (let i = 1; i <= 9; i += 1) source.register(web(`n${i}`, `10.0.0.${i}`));
  const service = serviceFor(source, { aRecordLimit: 2 });
  for (const transport of ["udp", "tcp"] as const) {
    assert.equal(ask(service, "A", "web.service.consul", { transport, edns: 4096 }).answers.length, 2);
    assert.equal(ask(service, "SRV", "web.service.consul", { transport, edns: 4096 }).answers.length, 9);
  }
});

test("families: A and AAAA get their own, ANY and SRV both, and the tagged address wins", () => {
  const source = sourceOf(
    web("four", "10.0.0.1"),
    web("six", "2001:db8::1"),
    web("both", "10.0.0.2", {}, { TaggedAddresses: { lan_ipv4: "10.0.0.2", lan_ipv6: "2001:db8::2" } }),
  );
  const service = serviceFor(source);
  const answers = (type: string) => lines(ask(service, type, "web.service.consul").answers);
  assert.deepEqual(answers("A"), ["A web.service.consul 0 10.0.0.1", "A web.service.consul 0 10.0.0.2"]);
  assert.deepEqual(answers("AAAA"), ["AAAA web.service.consul 0 2001:db8::1", "AAAA web.service.consul 0 2001:db8::2"]);
  assert.equal(answers("ANY").length, 3);
  const srv = ask(service, "SRV", "web.service.consul");
  assert.deepEqual(lines(srv.additionals), [
    "A four.node.dc1.consul 0 10.0.0.1",
    "AAAA 20010db8000000000000000000000002.addr.dc1.consul 0 2001:db8::2",
    "AAAA six.node.dc1.consul 0 2001:db8::1",
  ]);
});

test("translate_wan_addrs uses WAN addresses and ports for other datacenters only", () => {
  const tagged = { wan: { Address: "198.51.100.7", Port: 8080 } };
  const body = web("a", "10.0.0.1", { Address: "10.7.7.7", TaggedAddresses: tagged }, { Datacenter: "dc2" });
  const source = sourceOf(body);
  source.datacenters.add("dc2");
  const asked = (translate: boolean, name: string) => {
    const srv = ask(serviceFor(source, { translateWanAddresses: translate }), "SRV", name);
    return lines([...srv.answers, ...srv.additionals]);
  };
  assert.deepEqual(asked(true, "web.service.dc2.consul"), [
    "A c6336407.addr.dc2.consul 0 198.51.100.7",
    "SRV web.service.dc2.consul 0 1 1 8080 c6336407.addr.dc2.consul",
  ]);
  assert.deepEqual(asked(false, "web.service.dc2.consul"), [
    "A 0a070707.addr.dc2.consul 0 10.7.7.7",
    "SRV web.service.dc2.consul 0 1 1 80 0a070707.addr.dc2.consul",
  ]);
  assert.match(asked(true, "web.service.consul")[1]!, / 80 /);
});

test("the WAN address of another datacenter's node is named by itself", () => {
  const source = sourceOf(web("a", "10.0.0.1", {}, { Datacenter: "dc2", TaggedAddresses: { wan: "198.51.100.1" } }));
  source.datacenters.add("dc2");
  const service = serviceFor(source, { translateWanAddresses: true });
  assert.deepEqual(lines(ask(service, "A", "a.node.dc2.consul").answers), ["A a.node.dc2.consul 0 198.51.100.1"]);
  const [srv] = lines(ask(service, "SRV", "web.service.dc2.consul").answers);
  assert.equal(srv, "SRV web.service.dc2.consul 0 1 1 80 c6336401.addr.dc2.consul");
});

test("a named port is answered by the instances that have it; nobody's is NXDOMAIN", () => {
  const ports = (http: number) => [
    { Name: "http", Port: http, Default: true },
    { Name: "admin", Port: http + 1, Default: false },
  ];
  const source = sourceOf(web("a", "10.0.0.1", { Port: 0, Ports: ports(80) }), web("b", "10.0.0.2"));
  const service = serviceFor(source);
  assert.deepEqual(lines(ask(service, "SRV", "web.service.admin.port.consul").answers), [
    "SRV web.service.admin.port.consul 0 1 1 81 a.node.dc1.consul",
  ]);
  assert.equal(ask(service, "SRV", "web.service.none.port.consul").rcode, "NXDOMAIN");
  const plain = lines(ask(service, "SRV", "web.service.consul").answers);
  assert.deepEqual(
    plain.map((line) => line.split(" ")[5]),
    ["80", "80"],
  );
  assert.match(plain[0]!, /a\.node/);
});

test("a host name is a CNAME only where there are no addresses; then one of them", () => {
  const source = sourceOf(web("a", "10.0.0.1"), web("b", "b.example.org"), web("c", "c.example.org."));
  const service = serviceFor(source);
  assert.deepEqual(lines(ask(service, "A", "web.service.consul").answers), ["A web.service.consul 0 10.0.0.1"]);
  const seen = new Set<string>();
  for (let i = 0; i < 50; i += 1) {
    const answers = lines(ask(service, "AAAA", "web.service.consul").answers);
    assert.equal(answers.length, 1);
    seen.add(answers[0]!);
  }
  assert.deepEqual([...seen].sort(), [
    "CNAME web.service.consul 0 b.example.org",
    "CNAME web.service.consul 0 c.example.org",
  ]);
});

test("a CNAME into the catalog is followed there, with the TTL of the answer that leads on", () => {
  const source = sourceOf(
    { Node: "ext", Address: "10.9.9.9", Service: { Service: "front", Address: "web.service.consul", Port: 443 } },
    web("a", "10.0.0.1"),
    { Node: "alias", Address: "a.node.consul" },
  );
  const service = serviceFor(source, { serviceTtlSeconds: new Map([["front", 30]]), nodeTtlSeconds: 5 });
  assert.deepEqual(lines(ask(service, "A", "front.service.consul").answers), [
    "A web.service.consul 30 10.0.0.1",
    "CNAME front.service.consul 30 web.service.consul",
  ]);
  const srv = ask(service, "SRV", "front.service.consul");
  assert.deepEqual(lines(srv.answers), ["SRV front.service.consul 30 1 1 443 web.service.consul"]);
  assert.deepEqual(lines(srv.additionals), ["A web.service.consul 30 10.0.0.1"]);
  assert.deepEqual(lines(ask(service, "A", "alias.node.consul").answers), [
    "A a.node.consul 5 10.0.0.1",
    "CNAME alias.node.consul 5 a.node.consul",
  ]);
  // Asked for a family that the other end has not: the CNAME alone.
  assert.deepEqual(lines(ask(service, "AAAA", "alias.node.consul").answers), [
    "CNAME alias.node.consul 5 a.node.consul",
  ]);
});

test("CNAMEs that lead round in the catalog end", () => {
  const source = sourceOf(
    { Node: "a", Address: "b.node.consul" },
    { Node: "b", Address: "a.node.consul" },
    { Node: "c", Address: "c.node.consul" },
    { Node: "x", Address: "10.0.0.1", Service: { Service: "one", Address: "two.service.consul" } },
    { Node: "x", Address: "10.0.0.1", Service: { Service: "two", Address: "one.service.consul" } },
  );
  const service = serviceFor(source);
  assert.equal(ask(service, "A", "a.node.consul", { transport: "tcp" }).answers.length, 4);
  assert.equal(ask(service, "A", "c.node.consul", { transport: "tcp" }).answers.length, 4);
  assert.equal(ask(service, "SRV", "one.service.consul").rcode, "NOERROR");
});

test("a service whose address is its own name is found at its node", () => {
  const source = sourceOf(web("a", "10.0.0.1", { Address: "web.service.consul" }));
  const reply = ask(serviceFor(source), "A", "WEB.service.consul");
  assert.deepEqual(lines(reply.answers), ["A WEB.service.consul 0 10.0.0.1"]);
});

test("names that cannot be written are not answered with, and addresses stand for nodes", () => {
  const source = sourceOf(
    web("n".repeat(64), "10.0.0.1"),
    web("ok", "10.0.0.2"),
    web("bad", "10.0.0.3", { Address: "not..a..name" }),
  );
  const service = serviceFor(source);
  assert.deepEqual(lines(ask(service, "SRV", "web.service.consul").answers), [
    "SRV web.service.consul 0 1 1 80 0a000001.addr.dc1.consul",
    "SRV web.service.consul 0 1 1 80 ok.node.dc1.consul",
  ]);
  assert.equal(ask(service, "PTR", "1.0.0.10.in-addr.arpa").rcode, "NXDOMAIN");
});

test("node metadata is TXT: RFC 1464 quoting, long values in several strings, only where wanted", () => {
  const meta = { "a=b": "v`w", "rfc1035-plain": "x=y", " pad ": "p", long: "l".repeat(400) };
  const source = sourceOf(web("a", "10.0.0.1", {}, { NodeMeta: meta }));
  const texts = [
    "TXT a.node.consul 0 ` pad` =p",
    "TXT a.node.consul 0 a`=b=v``w",
    `TXT a.node.consul 0 long=${"l".repeat(250)}|${"l".repeat(150)}`,
    "TXT a.node.consul 0 x=y",
  ];
  const service = serviceFor(source);
  assert.deepEqual(lines(ask(service, "TXT", "a.node.consul", { transport: "tcp" }).answers), texts);
  assert.deepEqual(lines(ask(service, "A", "a.node.consul", { transport: "tcp" }).additionals), texts);
  assert.equal(ask(service, "SRV", "web.service.consul", { transport: "tcp" }).additionals.length, 5);
  const without = serviceFor(source, { nodeMetaTxt: false });
  assert.deepEqual(lines(ask(without, "TXT", "a.node.consul", { transport: "tcp" }).answers), texts);
  assert.equal(ask(without, "A", "a.node.consul").additionals.length, 0);
  assert.equal(ask(without, "SRV", "web.service.consul", { transport: "tcp" }).additionals.length, 1);
});

test("virtual addresses: the answer for their family, beside it for another, nothing for none", () => {
  const source = new MemorySource();
  source.virtualAddresses.set("web", "240.0.0.1").set("six", "2000::1");
  const service = serviceFor(source, { nodeTtlSeconds: 9 });
  assert.deepEqual(lines(ask(service, "A", "web.virtual.consul").answers), ["A web.virtual.consul 9 240.0.0.1"]);
  assert.deepEqual(lines(ask(service, "AAAA", "six.virtual.consul").answers), ["AAAA six.virtual.consul 9 2000::1"]);
  const other = ask(service, "AAAA", "web.virtual.consul");
  assert.deepEqual([lines(other.answers), lines(other.additionals)], [[], ["A web.virtual.consul 9 240.0.0.1"]]);
  const none = ask(service, "A", "none.virtual.consul");
  assert.deepEqual([none.rcode, none.authorities.length], ["NOERROR", 0]);
});

test("literal addresses: beside the answer when another family was asked for", () => {
  const service = serviceFor(new MemorySource());
  const reply = ask(service, "AAAA", "0a000001.addr.consul");
  assert.deepEqual(
    [reply.rcode, lines(reply.answers), lines(reply.additionals)],
    ["NOERROR", [], ["A 0a000001.addr.consul 0 10.0.0.1"]],
  );
  assert.equal(ask(service, "ANY", "0a000001.addr.consul").answers.length, 1);
});

test("a prepared query: its TTL, its order, the address it is run for", () => {
  const source = new MemorySource();
  for (let i = 1; i <= 5; i += 1) source.register(web(`n${i}`, `10.0.0.${i}`));
  source.query({ Name: "near", Service: "web", ttlSeconds: 3, ordered: true });
  source.query({ Name: "any", Service: "web" });
  const service = serviceFor(source, { serviceTtlSeconds: new Map([["web", 8]]) });
  for (let i = 0; i < 20; i += 1) {
    const data = ask(service, "A", "near.query.consul", { edns: 1232 }).answers.map((record) => record.data);
    assert.deepEqual(data, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]);
  }
  assert.equal(ask(service, "A", "near.query.consul").answers[0]?.ttl, 3);
  assert.equal(ask(service, "A", "any.query.consul").answers[0]?.ttl, 8);
  assert.equal(ask(service, "A", "none.query.consul").rcode, "NXDOMAIN");
  source.keep = false;
  source.register(web("n6", "10.0.0.6"));
  ask(service, "A", "near.query.consul", { from: "192.0.2.7" });
  assert.equal(source.queriedFrom, "192.0.2.7");
  ask(service, "A", "near.query.consul", { from: "192.0.2.7", edns: 1232, subnet: "198.51.100.0/24" });
  assert.equal(source.queriedFrom, "198.51.100.0");
  ask(service, "A", "near.query.consul", { from: "192.0.2.7", edns: 1232, subnet: "0.0.0.0/0" });
  assert.equal(source.queriedFrom, "");
});

test("the client subnet comes back, its scope told by how far the answer holds", () => {
  const source = sourceOf(web("a", "10.0.0.1")).query({ Name: "q", Service: "web" });
  const service = serviceFor(source);
  const scope = (name: string, subnet: string) => {
    const [opt] = ask(service, "A", name, { edns: 1232, subnet }).additionals;
    const [option] = opt!.options as Record<string, unknown>[];
    return [option!.ip, option!.sourcePrefixLength, option!.scopePrefixLength];
  };
  assert.deepEqual(scope("web.service.consul", "198.51.100.0/24"), ["198.51.100.0", 24, 0]);
  assert.deepEqual(scope("q.query.consul", "198.51.100.0/24"), ["198.51.100.0", 24, 24]);
  assert.deepEqual(scope("q.query.consul", "2001:db8::/32"), ["2001:db8::", 32, 32]);
  assert.deepEqual(scope("none.query.consul", "198.51.100.0/24"), ["198.51.100.0", 24, 0]);
});

test("three servers at most are name servers, by chance, those with host names only", () => {
  const source = new MemorySource();
  for (const node of ["s1", "s2", "s3", "s4", "under_score"]) {
    source.register({ Node: node, Address: "10.0.0.1", Service: { Service: "consul", Port: 8300 } });
  }
  const service = serviceFor(source);
  const seen = new Set<string>();
  for (let i = 0; i < 60; i += 1) {
    const reply = ask(service, "NS", "Consul");
    assert.equal(reply.answers.length, 3);
    assert.equal(reply.additionals.length, 3);
    for (const { name, data } of reply.answers) {
      assert.equal(name, "Consul");
      seen.add(String(data));
    }
  }
  assert.deepEqual(
    [...seen].sort(),
    ["s1", "s2", "s3", "s4"].map((node) => `${node}.node.dc1.consul`),
  );
  const soa = ask(service, "SOA", "anything.service.consul");
  assert.deepEqual([lines(soa.answers), soa.authorities.length, soa.additionals.length], [[SOA], 3, 3]);
});

test("without a server to name, NS and SOA questions are answered all the same", () => {
  const service = serviceFor(new MemorySource());
  assert.deepEqual([ask(service, "NS", "consul").rcode, ask(service, "NS", "consul").answers], ["NOERROR", []]);
  assert.deepEqual(lines(ask(service, "SOA", "consul").answers), [SOA]);
});

test("the SOA's serial is the time, also in kept answers, and its TTL the minimum", () => {
  const source = new MemorySource();
  const soa = { refreshSeconds: 1, retrySeconds: 2, expireSeconds: 3, minimumTtlSeconds: 4 };
  const service = serviceFor(source, { soa });
  for (const turn of [1, 2]) {
    const [authority] = ask(service, "A", "none.service.consul").authorities;
    const { serial, refresh, retry, expire, minimum } = authority!.data as Record<string, unknown>;
    assert.deepEqual(
      [serial, refresh, retry, expire, minimum, authority!.ttl],
      [WALL_MS / 1000, 1, 2, 3, 4, 4],
      `${turn}`,
    );
  }
});

test("the alternative domain answers under its own name", () => {
  const source = sourceOf(web("a", "10.0.0.1"));
  const service = serviceFor(source, {}, "alt.example");
  const srv = ask(service, "SRV", "web.service.alt.example");
  assert.deepEqual(lines([...srv.answers, ...srv.additionals]), [
    "A a.node.dc1.alt.example 0 10.0.0.1",
    "SRV web.service.alt.example 0 1 1 80 a.node.dc1.alt.example",
  ]);
  assert.equal(ask(service, "A", "none.service.alt.example").authorities[0]?.name, "alt.example");
  assert.deepEqual(lines(ask(service, "PTR", "1.0.0.10.in-addr.arpa").answers), [
    "PTR 1.0.0.10.in-addr.arpa 0 a.node.dc1.consul",
  ]);
});

test("errors become codes: no path is NXDOMAIN, what cannot be asked SERVFAIL", () => {
  const source = sourceOf(web("a", "10.0.0.1"));
  const service = serviceFor(source);
  const rcode = () => ask(service, "A", "web.service.consul").rcode;
  source.failure = new OperationalError("no-path-to-datacenter", "");
  assert.equal(rcode(), "NXDOMAIN");
  source.failure = new OperationalError("no-leader", "");
  assert.equal(rcode(), "SERVFAIL");
  source.failure = new OperationalError("permission-denied", "");
  assert.equal(rcode(), "SERVFAIL");
  source.failure = null;
  assert.equal(rcode(), "NOERROR", "a failure is not kept");
  source.version += 1;
  source.failure = new TypeError("a bug");
  assert.throws(rcode, TypeError);
});

test("transfers are not implemented, foreign names refused, EDNS to come told so", () => {
  const service = serviceFor(new MemorySource());
  assert.equal(ask(service, "AXFR", "consul").rcode, "NOTIMP");
  const refused = ask(service, "A", "www.example.com", { edns: 1232 });
  assert.deepEqual(
    [refused.rcode, refused.flag_aa, refused.flag_ra, lines(refused.additionals)],
    ["REFUSED", false, false, ["OPT"]],
  );
  const packet = Uint8Array.from(queryPacket("A", "consul", { edns: 1232 }));
  packet[packet.length - 5] = 1;
  const reply = decode(service.handle(packet, "udp") as Uint8Array);
  assert.equal(reply.additionals[0]?.extendedRcode, 1);
});

test("the answer waits only when the source does, and is then the same", async () => {
  const source = sourceOf(
    web("a", "10.0.0.1", {}, { NodeMeta: { k: "v" } }),
    web("b", "b.example.org"),
    web("c", "a.node.consul"),
  ).query({ Name: "q", Service: "web", ordered: true });
  source.virtualAddresses.set("web", "240.0.0.1");
  const questions: [string, string][] = [
    ["A", "web.service.consul"],
    ["SRV", "web.service.consul"],
    ["A", "a.node.consul"],
    ["A", "c.node.consul"],
    ["A", "q.query.consul"],
    ["A", "web.virtual.consul"],
    ["PTR", "1.0.0.10.in-addr.arpa"],
    ["NS", "consul"],
    ["A", "web.service.dc9.consul"],
  ];
  for (const [type, name] of questions) {
    source.later = false;
    const now = ask(serviceFor(source), type, name, { transport: "tcp" });
    source.later = true;
    const service = serviceFor(source);
    assert.ok(service.handle(queryPacket(type, name), "tcp") instanceof Promise, name);
    const later = await askLater(serviceFor(source), type, name, { transport: "tcp" });
    assert.deepEqual(lines(later.answers), lines(now.answers), name);
    assert.deepEqual(lines(later.additionals), lines(now.additionals), name);
    assert.equal(later.rcode, now.rcode);
  }
});

test("a packet that is used again while the answer waits does no harm", async () => {
  const source = sourceOf(web("a", "10.0.0.1"));
  source.later = true;
  const packet = Buffer.from(queryPacket("A", "web.service.consul", { edns: 1232, subnet: "198.51.100.0/24" }));
  const pending = serviceFor(source).handle(packet, "udp");
  packet.fill(0xff);
  const reply = decode((await pending)!);
  assert.equal(reply.id, 4711);
  assert.equal(reply.questions[0]?.name, "web.service.consul");
  assert.deepEqual(lines(reply.answers), ["A web.service.consul 0 10.0.0.1"]);
});
