import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client, ClientFetch, Discovery, DiscoverOptions } from "../../src/client/index.ts";
import { ClientError, createClient, NoInstanceError } from "../../src/client/index.ts";
import { FakeClock, settle, whilst } from "./fake-clock.ts";
import type { FakeInstance } from "./fake-consul.ts";
import { FakeConsul } from "./fake-consul.ts";

interface Call {
  host: string;
  url: string;
  init: RequestInit;
}
type Answer = (call: Call) => Response | Promise<Response>;
interface World {
  clock: FakeClock;
  consul: FakeConsul;
  client: Client;
  web: Discovery;
  calls: Call[];
  /** How the instances answer. */
  answer: Answer;
}
const named = (...names: string[]): FakeInstance[] => names.map((id) => ({ id, address: id }));

function world(instances: FakeInstance[], options: DiscoverOptions = {}): World {
  const clock = new FakeClock();
  const consul = new FakeConsul(clock);
  consul.instances = instances;
  const client = createClient({ fetch: consul.fetch, clock });
  const calls: Call[] = [];
  const fetch: ClientFetch = async (url, init) => {
    const call = { host: new URL(url).hostname, url, init };
    calls.push(call);
    return self.answer(call);
  };
  const web = client.discover("web", { background: false, freshMs: Infinity, fetch, ...options });
  const self: World = { clock, consul, client, web, calls, answer: () => new Response("ok") };
  return self;
}
const shares = (hosts: string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const host of hosts) counts[host] = (counts[host] ?? 0) + 1;
  return counts;
};
const hostsOf = ({ calls }: World): string[] => calls.map(({ host }) => host);
/** Sends so many requests, one after the other. */
async function send(world: World, count: number, path = "/"): Promise<void> {
  for (let request = 0; request < count; request += 1) await (await world.web.fetch(path)).text();
}
const refused = (): never => {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error(""), { code: "ECONNREFUSED" }) });
};
const reset = (): never => {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error("read"), { code: "ECONNRESET" }) });
};

test("an instance is where its service, or else its node, says", async () => {
  const rows: [FakeInstance, DiscoverOptions, string][] = [
    [{ id: "a", address: "10.0.0.1", port: 8080 }, {}, "http://10.0.0.1:8080/x?y=1"],
    [{ id: "a", address: "", port: 80 }, {}, "http://10.9.9.9:80/x?y=1"],
    [{ id: "a", address: "fd00::1", port: 80 }, {}, "http://[fd00::1]:80/x?y=1"],
    [{ id: "a", address: "web.example", port: 443 }, {}, "https://web.example:443/x?y=1"],
    [{ id: "a", address: "web.example", port: 8443, meta: { scheme: "https" } }, {}, "https://web.example:8443/x?y=1"],
    [{ id: "a", address: "web.example", port: 8443 }, { scheme: "https" }, "https://web.example:8443/x?y=1"],
    [{ id: "a", address: "web.example", port: 0 }, {}, "http://web.example/x?y=1"],
  ];
  for (const [instance, options, url] of rows) {
    const it = world([instance], options);
    await it.web.fetch("/x?y=1");
    assert.deepEqual(
      it.calls.map((call) => call.url),
      [url],
    );
    await it.web.fetch("x?y=1");
    assert.equal(it.calls[1]?.url, url);
  }
});

test("method, headers and body go with the request, and options of ours do not", async () => {
  const it = world(named("a"));
  await it.web.fetch("/", { method: "POST", headers: { A: "b" }, body: "text", retries: 1, timeoutMs: 1_000 });
  const { signal, ...init } = it.calls[0]?.init ?? {};
  assert.deepEqual(init, { method: "POST", headers: { A: "b" }, body: "text" });
  assert.equal(signal?.aborted, false);
  assert.equal(it.clock.sleeps.size, 0);
});

test("equal instances get equal shares", async () => {
  const it = world(named("a", "b", "c", "d"));
  it.answer = async () => {
    await it.clock.sleep(10);
    return new Response("ok");
  };
  for (let round = 0; round < 100; round += 1) {
    await whilst(it.clock, 5, send(it, 1));
  }
  for (const share of Object.values(shares(hostsOf(it)))) assert.ok(share >= 10 && share <= 45, String(share));
});

test("the faster of two gets more", async () => {
  const it = world(named("fast", "slow"));
  it.answer = async ({ host }) => {
    await it.clock.sleep(host === "fast" ? 5 : 100);
    return new Response("ok");
  };
  for (let round = 0; round < 50; round += 1) {
    await whilst(it.clock, 5, send(it, 1));
  }
  const { fast = 0, slow = 0 } = shares(hostsOf(it));
  assert.ok(fast > slow * 4, `${fast} to ${slow}`);
});

test("requests under way count: many at once spread out", async () => {
  const it = world(named("a", "b", "c"));
  it.answer = () => it.clock.sleep(1_000).then(() => new Response("ok"));
  const sent = Array.from({ length: 30 }, () => it.web.fetch("/"));
  await settle();
  const counts = Object.values(shares(hostsOf(it)));
  assert.equal(counts.length, 3);
  for (const count of counts) assert.ok(count >= 7 && count <= 13, JSON.stringify(counts));
  await it.clock.advance(1_000);
  await Promise.all(sent);
});

test("weights count", async () => {
  const it = world([
    { id: "a", address: "a", weight: 3 },
    { id: "b", address: "b", weight: 1 },
  ]);
  it.answer = () => it.clock.sleep(1_000).then(() => new Response("ok"));
  const sent = Array.from({ length: 40 }, () => it.web.fetch("/"));
  await settle();
  const { a = 0, b = 0 } = shares(hostsOf(it));
  assert.ok(a >= 27 && a <= 33, `${a} to ${b}`);
  await it.clock.advance(1_000);
  await Promise.all(sent);
});

test("a failing instance is left out, comes back, and is out longer each time", async () => {
  const it = world(named("good", "bad"));
  it.answer = ({ host }) => (host === "bad" ? new Response("", { status: 500 }) : new Response("ok"));
  while (it.web.ejected.length === 0) await send(it, 1);
  assert.deepEqual(it.web.ejected, ["node-bad/bad"]);
  assert.equal(shares(hostsOf(it)).bad, 3);
  await send(it, 20);
  assert.equal(shares(hostsOf(it)).bad, 3);
  await it.clock.advance(10_001);
  assert.deepEqual(it.web.ejected, []);
  // On probation, one failure is enough.
  while (it.web.ejected.length === 0) await send(it, 1);
  assert.equal(shares(hostsOf(it)).bad, 4);
  await it.clock.advance(10_001);
  assert.equal(it.web.ejected.length, 1);
  await it.clock.advance(10_001);
  assert.equal(it.web.ejected.length, 0);
  it.answer = () => new Response("ok");
  await send(it, 100);
  assert.ok((shares(hostsOf(it)).bad ?? 0) > 20);
});

test("never all are left out, nor more than half", async () => {
  const it = world(named("a", "b", "c", "d", "e"));
  it.answer = () => new Response("", { status: 500 });
  await send(it, 200);
  assert.equal(it.web.ejected.length, 2);
  const alone = world(named("a"));
  alone.answer = () => new Response("", { status: 500 });
  await send(alone, 20);
  assert.deepEqual([alone.web.ejected.length, alone.calls.length], [0, 20]);
});

test("what is retried is what cannot have arrived, or may arrive twice", async () => {
  const stream = (): ReadableStream => new Response("x").body as ReadableStream;
  const rows: [string, Answer, Parameters<Discovery["fetch"]>[1], number][] = [
    ["refused GET", refused, {}, 3],
    ["refused POST", refused, { method: "POST", body: "x" }, 3],
    ["refused POST of a stream", refused, { method: "POST", body: stream() }, 1],
    ["reset GET", reset, {}, 3],
    ["reset PUT", reset, { method: "PUT", body: "x" }, 3],
    ["reset PUT of a stream", reset, { method: "PUT", body: stream() }, 1],
    ["reset POST", reset, { method: "POST", body: "x" }, 1],
    ["reset POST that says it may", reset, { method: "POST", body: "x", idempotent: true }, 3],
    ["reset GET that says it may not", reset, { idempotent: false }, 1],
    ["503 to GET", () => new Response("", { status: 503 }), {}, 3],
    ["503 to POST", () => new Response("", { status: 503 }), { method: "POST" }, 1],
    ["500 to GET", () => new Response("", { status: 500 }), {}, 1],
    ["404 to GET", () => new Response("", { status: 404 }), {}, 1],
    ["refused GET without retries", refused, { retries: 0 }, 1],
  ];
  for (const [name, answer, request, attempts] of rows) {
    const it = world(named("a", "b", "c"));
    it.answer = answer;
    await it.web.fetch("/", request).catch(() => {});
    assert.equal(it.calls.length, attempts, name);
    assert.equal(new Set(hostsOf(it)).size, attempts, `${name}: another instance each time`);
  }
});

test("a retry that succeeds is all the caller sees, and the last answer otherwise", async () => {
  const it = world(named("a", "b", "c"));
  it.answer = () => (it.calls.length < 3 ? new Response("", { status: 502 }) : new Response("third"));
  assert.equal(await (await it.web.fetch("/")).text(), "third");
  const bad = world(named("a", "b", "c"));
  bad.answer = () => new Response("why", { status: 503 });
  const response = await bad.web.fetch("/");
  assert.deepEqual([response.status, await response.text()], [503, "why"]);
  const dead = world(named("a"));
  dead.answer = reset;
  await assert.rejects(whilst(dead.clock, 1_000, dead.web.fetch("/")), TypeError);
  assert.equal(dead.calls.length, 3);
});

test("retries are a fifth of the requests at most, once the credit is gone", async () => {
  const it = world(named("a", "b", "c"));
  it.answer = refused;
  for (let request = 0; request < 100; request += 1) await it.web.fetch("/").catch(() => {});
  assert.ok(it.calls.length >= 125 && it.calls.length <= 131, String(it.calls.length));
});

test("an instance that does not begin to answer counts as failed, and the next is asked", async () => {
  const it = world(named("a", "b"));
  const silent = new Set<string>();
  it.answer = ({ host, init }) => {
    if (silent.size === 0) silent.add(host);
    if (!silent.has(host)) return new Response("ok");
    return new Promise((_, reject) =>
      init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error)),
    );
  };
  const sent = it.web.fetch("/", { timeoutMs: 2_000 });
  await settle();
  await it.clock.advance(2_000);
  assert.equal(await (await sent).text(), "ok");
  assert.equal(new Set(hostsOf(it)).size, 2);
});

test("a caller who gives up is heard, before and after the answer has begun, and nobody is blamed", async () => {
  const it = world(named("a"));
  const controller = new AbortController();
  const reason = new Error("enough");
  it.answer = ({ init }) =>
    new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error)));
  const sent = assert.rejects(it.web.fetch("/", { signal: controller.signal }), reason);
  await settle();
  controller.abort(reason);
  await sent;
  assert.deepEqual([it.calls.length, it.web.ejected], [1, []]);
  it.answer = () => new Response("body");
  const later = new AbortController();
  await it.web.fetch("/", { signal: later.signal });
  later.abort(reason);
  assert.equal(it.calls.at(-1)?.init.signal?.aborted, true);
});

test("the own zone comes first, others help when it is overrun or out", async () => {
  const instances = [
    { id: "a1", address: "a1", zone: "a" },
    { id: "a2", address: "a2", zone: "a" },
    { id: "b1", address: "b1", zone: "b" },
    { id: "b2", address: "b2", zone: "b" },
  ];
  const it = world(instances, { zone: "a", spillInFlight: 5 });
  it.answer = () => it.clock.sleep(10).then(() => new Response("ok"));
  for (let request = 0; request < 20; request += 1) {
    await whilst(it.clock, 5, send(it, 1));
  }
  assert.deepEqual(Object.keys(shares(hostsOf(it))).sort(), ["a1", "a2"]);
  it.calls.length = 0;
  it.answer = () => it.clock.sleep(1_000).then(() => new Response("ok"));
  const sent = Array.from({ length: 20 }, () => it.web.fetch("/"));
  await settle();
  const { a1 = 0, a2 = 0, b1 = 0, b2 = 0 } = shares(hostsOf(it));
  assert.ok(a1 + a2 >= 10 && b1 + b2 >= 5, JSON.stringify({ a1, a2, b1, b2 }));
  await it.clock.advance(1_000);
  await Promise.all(sent);
  it.answer = ({ host }) => (host.startsWith("a") ? new Response("", { status: 500 }) : new Response("ok"));
  await send(it, 30);
  assert.deepEqual(it.web.ejected.toSorted(), ["node-a1/a1", "node-a2/a2"]);
  it.calls.length = 0;
  await send(it, 10);
  assert.ok(
    hostsOf(it).every((host) => host.startsWith("b")),
    hostsOf(it).join(" "),
  );
  const elsewhere = world(instances, { zone: "c" });
  await send(elsewhere, 40);
  assert.equal(Object.keys(shares(hostsOf(elsewhere))).length, 4);
});

test("with a place, the nearest half comes first", async () => {
  const it = world(named("n1", "n2", "n3", "n4", "n5", "n6"), { near: "_agent" });
  await send(it, 40);
  assert.deepEqual(Object.keys(shares(hostsOf(it))).sort(), ["n1", "n2", "n3"]);
  assert.match(it.consul.agent.lines[0] ?? "", /near=_agent/);
});

test("without an instance, or anything known, the error says so", async () => {
  await assert.rejects(world([]).web.fetch("/"), new NoInstanceError("no instance of web is known"));
  const it = world(named("a"));
  it.consul.gone = 500;
  await assert.rejects(it.web.fetch("/"), ClientError);
  assert.equal(it.calls.length, 0);
});

test("what is asked for is asked of the server", async () => {
  const it = world(named("a"), {
    tag: ["x", "y"],
    passing: false,
    datacenter: "dc2",
    filter: "Service.Port == 1",
    nodeMeta: { k: "v" },
    consistency: "default",
    token: "t",
  });
  await it.web.ready();
  const [asked] = it.consul.agent.asked;
  assert.equal(asked?.url.search, "?tag=x&tag=y&dc=dc2&filter=Service.Port+%3D%3D+1&node-meta=k%3Av");
  assert.equal(asked?.headers.get("X-Consul-Token"), "t");
});

test("instances that come and go keep what is known of those that stay", async () => {
  const it = world(named("a", "b"), { freshMs: 0 });
  it.answer = ({ host }) => new Response("", { status: host === "a" ? 500 : 200 });
  while (it.web.ejected.length === 0) await send(it, 1);
  it.consul.instances = named("a", "b", "c");
  await it.clock.advance(1);
  await send(it, 20);
  assert.deepEqual(it.web.ejected, ["node-a/a"]);
  assert.ok((shares(hostsOf(it)).c ?? 0) > 0);
  it.consul.instances = named("c");
  await it.clock.advance(1);
  await it.web.ready();
  assert.equal(it.web.pick()?.id, "c");
});
