import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lookup, parseQuestion, zones } from "../../src/dns/question.ts";
import { TYPE } from "../../src/dns/record.ts";

const own = zones("consul.", "alt.example.");
const parse = (name: string, type: number = TYPE.A, recursors = false) =>
  parseQuestion(name, type, own, "dc1", recursors);
const lookup = (name: string, type: number = TYPE.A): Lookup => parse(name, type).lookup;

const service = (name: string, more: object = {}): Lookup =>
  ({ type: "service", service: name, tag: "", port: "", datacenter: "dc1", peer: "", ...more }) as Lookup;
const node = (name: string, more: object = {}): Lookup =>
  ({ type: "node", node: name, datacenter: "dc1", peer: "", ...more }) as Lookup;
const invalid: Lookup = { type: "invalid" };

test("services: tags, RFC 2782, locality", () => {
  const rows: [string, Lookup][] = [
    ["db.service.consul", service("db")],
    ["DB.Service.Consul", service("db")],
    ["primary.db.service.consul", service("db", { tag: "primary" })],
    ["v1.2.db.service.consul", service("db", { tag: "v1.2" })],
    ["db.service.dc2.consul", service("db", { datacenter: "dc2" })],
    ["db.service.dc2.dc.consul", service("db", { datacenter: "dc2" })],
    ["db.service.east.peer.consul", service("db", { datacenter: "", peer: "east" })],
    ["db.service.http.port.consul", service("db", { port: "http" })],
    ["db.service.http.port.dc2.dc.consul", service("db", { port: "http", datacenter: "dc2" })],
    ["db.service.dc2.dc.http.port.consul", service("db", { port: "http", datacenter: "dc2" })],
    ["_db._tcp.service.consul", service("db")],
    ["_db._primary.service.consul", service("db", { tag: "primary" })],
    ["_db._tcp.service.dc2.consul", service("db", { datacenter: "dc2" })],
    ["x._db._tcp.service.consul", service("_tcp", { tag: "x._db" })],
    ["service.consul", invalid],
    ["_._tcp.service.consul", invalid],
    ["db.service.dc2.dc.east.peer.consul", invalid],
    ["db.service.a.b.c.consul", invalid],
    ["db.service.team.ns.consul", invalid],
    ["db.service.part.ap.consul", invalid],
    ["db.service.group.sg.consul", invalid],
    ["db.service.a.dc.b.dc.c.dc.d.dc.consul", invalid],
  ];
  for (const [name, want] of rows) assert.deepEqual(lookup(name), want, name);
});

test("SRV questions may leave the keyword out", () => {
  assert.deepEqual(lookup("_db._tcp.consul", TYPE.SRV), service("db"));
  assert.deepEqual(lookup("_db._tcp.dc2.consul", TYPE.SRV), service("db", { datacenter: "dc2" }));
  assert.deepEqual(lookup("_db._tcp.consul", TYPE.A), invalid);
});

test("nodes, mesh forms, virtual addresses, queries and literal addresses", () => {
  const rows: [string, Lookup][] = [
    ["foo.node.consul", node("foo")],
    ["foo.bar.node.consul", node("foo.bar")],
    ["foo.node.dc2.consul", node("foo", { datacenter: "dc2" })],
    ["foo.node.east.peer.consul", node("foo", { datacenter: "", peer: "east" })],
    ["node.consul", invalid],
    ["db.connect.consul", { type: "connect", service: "db", datacenter: "dc1" }],
    ["tag.db.connect.dc2.consul", { type: "connect", service: "db", datacenter: "dc2" }],
    ["db.ingress.consul", { type: "ingress", service: "db", datacenter: "dc1" }],
    ["db.virtual.consul", { type: "virtual", service: "db", peer: "" }],
    ["db.virtual.east.consul", { type: "virtual", service: "db", peer: "east" }],
    ["db.virtual.east.peer.consul", { type: "virtual", service: "db", peer: "east" }],
    ["find.query.consul", { type: "query", query: "find", datacenter: "dc1" }],
    ["a.b.c.query.consul", { type: "query", query: "a.b.c", datacenter: "dc1" }],
    ["find.query.dc2.consul", { type: "query", query: "find", datacenter: "dc2" }],
    ["_find._tcp.query.consul", { type: "query", query: "find", datacenter: "dc1" }],
    ["_a.b._tcp.query.consul", { type: "query", query: "a.b", datacenter: "dc1" }],
    ["find.query.dc2.dc.consul", invalid],
    ["query.consul", invalid],
    ["0a000001.addr.consul", { type: "addr", address: Uint8Array.of(10, 0, 0, 1) }],
    ["0A000001.addr.dc9.consul", { type: "addr", address: Uint8Array.of(10, 0, 0, 1) }],
    ["0a00001.addr.consul", invalid],
    ["0a0000012.addr.consul", invalid],
    ["zz000001.addr.consul", invalid],
    ["x.0a000001.addr.consul", invalid],
    ["consul", invalid],
    ["odd.consul", invalid],
  ];
  for (const [name, want] of rows) assert.deepEqual(lookup(name), want, name);
  const ipv6 = lookup("20010db8000000000000000000000001.addr.consul");
  assert.equal(ipv6.type === "addr" && ipv6.address.length, 16);
});

test("the rightmost keyword counts", () => {
  assert.deepEqual(lookup("service.node.consul"), node("service"));
  assert.deepEqual(lookup("node.service.consul"), service("node"));
});

test("NS and SOA questions have the same answer for every name of ours", () => {
  for (const name of ["consul", "db.service.consul", "odd.consul"]) {
    assert.deepEqual(lookup(name, TYPE.NS), { type: "nameservers" });
    assert.deepEqual(lookup(name, TYPE.SOA), { type: "authority" });
  }
});

test("names under arpa are reverse names, whole or not", () => {
  const rows: [string, string | null][] = [
    ["1.0.0.10.in-addr.arpa", "10.0.0.1"],
    ["1.0.0.10.IN-ADDR.ARPA", "10.0.0.1"],
    ["0.0.10.in-addr.arpa", null],
    ["1.1.0.0.10.in-addr.arpa", null],
    ["256.0.0.10.in-addr.arpa", null],
    ["01.0.0.10.in-addr.arpa", null],
    ["1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::1"],
    ["1.0.0.2.ip6.arpa", null],
    ["arpa", null],
  ];
  for (const [name, address] of rows) assert.deepEqual(lookup(name, TYPE.PTR), { type: "reverse", address }, name);
});

test("answers keep the domain of the question, in its case", () => {
  assert.equal(parse("db.service.Consul").domain, "Consul");
  assert.equal(parse("db.service.ALT.Example").domain, "ALT.Example");
  assert.deepEqual(parse("db.service.alt.example").lookup, service("db"));
  assert.equal(parse("1.0.0.10.in-addr.arpa").domain, "consul");
});

test("all else is for the recursors; DS questions about our names too, if there are any", () => {
  for (const name of ["", "www.example.com", "example", "xconsul", "consul.example"]) {
    assert.deepEqual(lookup(name), { type: "foreign" }, name);
  }
  assert.deepEqual(parse("db.service.consul", TYPE.DS, true).lookup, { type: "foreign" });
  assert.deepEqual(parse("db.service.consul", TYPE.DS, false).lookup, service("db"));
});

test("of two domains where one ends with the other, the longer one takes the name", () => {
  const nested = zones("consul", "test.consul");
  assert.equal(parseQuestion("db.service.test.consul", TYPE.A, nested, "dc1", false).domain, "test.consul");
  assert.equal(parseQuestion("db.service.consul", TYPE.A, nested, "dc1", false).domain, "consul");
});

test("a server for the root has every name but those under arpa", () => {
  const root = zones(".");
  assert.deepEqual(parseQuestion("db.service", TYPE.A, root, "dc1", false), { lookup: service("db"), domain: "" });
  assert.equal(parseQuestion("1.0.0.10.in-addr.arpa", TYPE.PTR, root, "dc1", false).lookup.type, "reverse");
});

test("dots inside a label are no separators", () => {
  assert.deepEqual(lookup("db\\.service.consul"), invalid);
});
