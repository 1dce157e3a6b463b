import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientOptions, ClientStorage, DiscoverOptions } from "../../src/client/index.ts";
import { ClientError, createClient, json, TimeoutError } from "../../src/client/index.ts";
import { FakeClock, settle, until } from "./fake-clock.ts";
import { FakeConsul } from "./fake-consul.ts";

const HOUR_MS = 3_600_000;

interface World {
  clock: FakeClock;
  consul: FakeConsul;
  client: ReturnType<typeof createClient>;
  web(options?: DiscoverOptions): ReturnType<ReturnType<typeof createClient>["discover"]>;
}
/** A client and one instance of `web`; `background` unless said otherwise. */
function world(options: ClientOptions = {}, clock = new FakeClock()): World {
  const consul = new FakeConsul(clock);
  consul.instances = [{ id: "a" }];
  const client = createClient({ fetch: consul.fetch, clock, ...options });
  return { clock, consul, client, web: (more) => client.discover("web", { background: true, ...more }) };
}
/** Waits until so many queries are held; a tenth of a second goes by between two. */
async function held(consul: FakeConsul, count: number): Promise<void> {
  for (let step = 0; consul.held !== count; step += 1) {
    assert.ok(step < 100, `${consul.held} queries are held, not ${count}`);
    await settle();
    await consul.clock.advance(50);
  }
}
class MemoryStorage implements ClientStorage {
  readonly values: Map<string, Uint8Array> = new Map();
  get = async (name: string): Promise<Uint8Array | undefined> => this.values.get(name);
  set = async (name: string, value: Uint8Array): Promise<void> => void this.values.set(name, value);
}
const ids = (lookup: { value: readonly { id: string }[] }): string[] => lookup.value.map(({ id }) => id);

test("a look-up before the first answer has nothing, and says so", async () => {
  const { client, web } = world();
  const { value, ageMs, stale, error, source } = web().lookup();
  assert.deepEqual([value, ageMs, stale, error, source], [[], Infinity, true, null, "none"]);
  await client.close();
});

test("the watch keeps the instances up to date", async () => {
  const { consul, client, web } = world();
  const first = await web().ready();
  assert.deepEqual([ids(first), first.stale, first.error, first.source], [["a"], false, null, "server"]);
  await held(consul, 1);
  consul.change(() => consul.instances.push({ id: "b" }));
  await until(() => web().lookup().value.length === 2);
  await held(consul, 1);
  assert.equal(consul.requests, 3);
  assert.match(consul.agent.lines[2] ?? "", /^GET \/v1\/health\/service\/web\?passing=&stale=&index=11&wait=\d+ms$/);
  await client.close();
});

test("the same question is one watch, another is another", async () => {
  const { client, consul, web } = world();
  assert.equal(web(), web());
  assert.notEqual(web(), web({ tag: "x" }));
  await Promise.all([web().ready(), web({ tag: "x" }).ready()]);
  await held(consul, 2);
  await client.close();
  assert.notEqual(web({ background: false }), web());
  await client.close();
});

test("polls of many clients do not wait equally long", async () => {
  const waits = new Set<string | null>();
  const { client, consul, web } = world();
  for (let at = 0; at < 5; at += 1) await web({ tag: String(at) }).ready();
  await held(consul, 5);
  for (const { url } of consul.agent.asked) if (url.searchParams.has("index")) waits.add(url.searchParams.get("wait"));
  assert.equal(waits.size, 5);
  for (const wait of waits) assert.ok(Math.abs(Number.parseInt(wait ?? "", 10) - 60_000) <= 6_000, String(wait));
  await client.close();
});

test("an error leaves what was known, and its age, staleness and reason are plain", async () => {
  const { clock, consul, client, web } = world();
  await web().ready();
  await held(consul, 1);
  consul.go(500);
  await until(() => web().lookup().error !== null);
  await clock.advance(20_000);
  const lookup = web().lookup();
  assert.deepEqual([ids(lookup), lookup.stale, lookup.source], [["a"], true, "server"]);
  assert.ok(lookup.ageMs >= 20_000 && lookup.ageMs < 21_000, String(lookup.ageMs));
  assert.ok(lookup.error instanceof ClientError && lookup.error.status === 500);
  consul.gone = null;
  await clock.advance(30_000);
  await until(() => !web().lookup().stale);
  const after = web().lookup();
  assert.deepEqual([after.error, after.ageMs < 30_000], [null, true]);
  await client.close();
});

test("an answer by a server without its leader is as old as that server's knowledge", async () => {
  const { consul, client, web } = world();
  consul.lastContactMs = 120_000;
  const { ageMs, stale } = await web().ready();
  assert.deepEqual([ageMs, stale], [120_000, true]);
  await client.close();
});

test("an index that went backwards starts anew", async () => {
  const { consul, client, web } = world();
  consul.index = 500;
  await web().ready();
  await held(consul, 1);
  consul.change(() => (consul.instances = [{ id: "restored" }]), 3);
  await until(() => ids(web().lookup())[0] === "restored");
  await held(consul, 1);
  const indexes = consul.agent.asked.map(({ url }) => url.searchParams.get("index"));
  assert.deepEqual(indexes, [null, "500", null, "3"]);
  await client.close();
});

test("a server that does not hold queries is not asked without end", async () => {
  const { clock, consul, client, web } = world();
  consul.isImpatient = true;
  await web().ready();
  for (let second = 0; second < 60; second += 1) {
    await clock.advance(1_000);
    await settle();
  }
  assert.ok(consul.requests <= 14, `${consul.requests} requests in a minute`);
  assert.equal(web().lookup().stale, false);
  await client.close();
});

test("a value that changes all the time is asked for ten times a second at most", async () => {
  const { clock, consul, client, web } = world();
  await web().ready();
  for (let step = 0; step < 100; step += 1) {
    consul.change(() => (consul.instances = [{ id: `i${step}` }]));
    await clock.advance(20);
    await settle();
  }
  assert.ok(consul.requests >= 15 && consul.requests <= 23, `${consul.requests} requests in two seconds`);
  await client.close();
});

test("failures are retried later and later, with chance in it, and not without end", async () => {
  const { clock, consul, client, web } = world();
  consul.gone = "refused";
  web();
  await clock.advance(600_000);
  const at = consul.agent.asked.map(({ atMs }) => atMs);
  const pauses = at.slice(1).map((time, index) => time - (at[index] as number));
  assert.ok((pauses[0] as number) <= 550 && (pauses[0] as number) >= 200, `first pause ${pauses[0]}`);
  assert.ok(Math.max(...pauses) <= 30_050, `longest pause ${Math.max(...pauses)}`);
  assert.ok(at.length > 20 && at.length < 50, `${at.length} attempts in ten minutes`);
  assert.ok(new Set(pauses.slice(-8)).size > 4, `pauses ${pauses.slice(-8).join(" ")}`);
  await client.close();
});

test("a connection that goes silent is given up after the query's time", async () => {
  const { clock, consul, client, web } = world();
  await web().ready();
  await held(consul, 1);
  consul.go("silent");
  await clock.advance(60_000);
  assert.equal(web().lookup().error, null);
  await clock.advance(25_000);
  const { error, stale, value } = web().lookup();
  assert.ok(error instanceof ClientError || error instanceof TimeoutError, String(error));
  assert.deepEqual([stale, value.length], [true, 1]);
  await client.close();
});

test("every server gone for an hour: no look-up fails", async () => {
  for (const gone of ["refused", "silent", 500] as const) {
    const { clock, consul, client, web } = world();
    const flag = client.kv.follow("flag", json<{ on: boolean }>(), { background: true });
    consul.keys.set("flag", '{"on":true}');
    await Promise.all([web().ready(), flag.ready()]);
    await held(consul, 2);
    consul.go(gone);
    let lookups = 0;
    for (const start = clock.now(); clock.now() - start < HOUR_MS; await clock.advance(5_000)) {
      assert.deepEqual(ids(web().lookup()), ["a"]);
      assert.deepEqual(ids(await web().ready()), ["a"]);
      assert.equal(web().pick()?.id, "a");
      assert.deepEqual(flag.lookup().value, { on: true });
      lookups += 4;
    }
    assert.ok(lookups >= 2_880);
    const { ageMs, stale, error } = web().lookup();
    assert.ok(ageMs >= HOUR_MS && stale && error !== null);
    assert.ok(consul.requests < 600, `${consul.requests} requests`);
    consul.gone = null;
    consul.instances = [{ id: "new" }];
    await clock.advance(120_000);
    await until(() => ids(web().lookup())[0] === "new");
    assert.equal(web().lookup().stale, false);
    await client.close();
  }
});

test("every server gone for an hour, without a background: no look-up fails", async () => {
  for (const gone of ["refused", "silent", 500] as const) {
    const { clock, consul, client, web } = world();
    await web({ background: false }).ready();
    consul.go(gone);
    const requests = consul.requests;
    for (let request = 0; request < 3_600; request += 1) {
      const pending: Promise<unknown>[] = [];
      const service = web({ background: false });
      assert.deepEqual(ids(service.lookup()), ["a"]);
      const ready = service.ready(request % 2 === 0 ? {} : { waitUntil: (promise) => void pending.push(promise) });
      await clock.advance(gone === "silent" ? 6_000 : 3_000);
      assert.deepEqual(ids(await ready), ["a"]);
      await Promise.all(pending);
      if (clock.now() > HOUR_MS) break;
    }
    assert.ok(clock.now() >= HOUR_MS);
    assert.ok(consul.requests - requests < 400, `${consul.requests - requests} requests`);
    const { stale, error, ageMs } = web({ background: false }).lookup();
    assert.ok(stale && error !== null && ageMs > HOUR_MS - 10_000);
    await client.close();
  }
});

test("changes are told as they come, once each", async () => {
  const { consul, client, web } = world();
  const seen: string[][] = [];
  const watching = (async (): Promise<void> => {
    for await (const lookup of web().changes()) seen.push(ids(lookup));
  })();
  await held(consul, 1);
  consul.change(() => consul.instances.push({ id: "b" }));
  await until(() => seen.length === 2);
  await held(consul, 1);
  consul.change(() => {});
  await held(consul, 1);
  assert.equal(consul.requests, 4);
  await client.close();
  await watching;
  assert.deepEqual(seen, [["a"], ["a", "b"]]);
});

test("closing ends the requests and timers, and what is known stays", async () => {
  const { clock, consul, web, client } = world();
  const service = web();
  await service.ready();
  await held(consul, 1);
  {
    await using owned = service;
    assert.equal(owned.lookup().value.length, 1);
  }
  await settle();
  assert.deepEqual([clock.sleeps.size, consul.held], [0, 0]);
  const requests = consul.requests;
  await clock.advance(HOUR_MS);
  assert.equal(consul.requests, requests);
  assert.deepEqual(ids(service.lookup()), ["a"]);
  assert.notEqual(web(), service);
  await client.close();
  assert.equal(clock.sleeps.size, 0);
});

test("a look-up that waits gives up with its signal, or after its time, and says why", async () => {
  const { clock, consul, client, web } = world();
  consul.gone = "silent";
  const reason = new Error("enough");
  const controller = new AbortController();
  const waiting = assert.rejects(web().ready({ signal: controller.signal }), reason);
  controller.abort(reason);
  await waiting;
  const timely = assert.rejects(web().ready(), TimeoutError);
  await clock.advance(5_000);
  await timely;
  consul.gone = 500;
  const refused = assert.rejects(web({ tag: "x" }).ready(), ClientError);
  await settle();
  await clock.advance(5_000);
  await refused;
  await client.close();
});

test("without a background: fresh is served, young is served and refreshed, old is waited for", async () => {
  const { clock, consul, client, web } = world();
  const options = { background: false };
  const pending: Promise<unknown>[] = [];
  const waitUntil = (promise: Promise<unknown>): void => void pending.push(promise);
  assert.equal(consul.requests, 0);
  await web(options).ready({ waitUntil });
  assert.equal(consul.requests, 1);
  assert.equal(clock.sleeps.size, 0);
  await clock.advance(4_000);
  await web(options).ready({ waitUntil });
  assert.deepEqual([consul.requests, web(options).lookup().stale], [1, false]);
  await clock.advance(10_000);
  consul.instances = [{ id: "b" }];
  const young = await web(options).ready({ waitUntil });
  assert.deepEqual([ids(young), young.stale, pending.length], [["a"], true, 1]);
  await Promise.all(pending);
  assert.deepEqual([ids(web(options).lookup()), consul.requests], [["b"], 2]);
  await clock.advance(61_000);
  consul.instances = [{ id: "c" }];
  assert.deepEqual(ids(await web(options).ready({ waitUntil })), ["c"]);
  await clock.advance(6_000);
  consul.instances = [{ id: "d" }];
  // No `waitUntil`: the look-up itself is the time to ask.
  assert.deepEqual(ids(await web(options).ready()), ["d"]);
  assert.deepEqual([consul.requests, clock.sleeps.size], [4, 0]);
  await client.close();
});

test("without a background: many at a time are one request, and one that was cut off holds up nobody", async () => {
  const { clock, consul, client, web } = world();
  const options = { background: false };
  await web(options).ready();
  await clock.advance(10_000);
  consul.gone = "silent";
  let cutOff = 0;
  const waitUntil = (): void => void (cutOff += 1);
  for (let request = 0; request < 5; request += 1) web(options).lookup({ waitUntil });
  assert.equal(cutOff, 1);
  // The runtime has ended that request: nothing of it comes any more. Later ones ask again.
  consul.gone = null;
  consul.instances = [{ id: "b" }];
  await clock.advance(40_000);
  assert.deepEqual(ids(await web(options).ready()), ["b"]);
  await client.close();
});

test("without a background: a failure is waited out, also where nothing is known", async () => {
  const { clock, consul, client, web } = world();
  consul.gone = 500;
  const service = web({ background: false });
  await assert.rejects(service.ready(), ClientError);
  await assert.rejects(service.ready(), ClientError);
  assert.equal(consul.requests, 1);
  consul.gone = null;
  await clock.advance(1_000);
  assert.deepEqual(ids(await service.ready()), ["a"]);
  await client.close();
});

test("a new process starts from the storage while every server is gone", async () => {
  for (const background of [true, false]) {
    const storage = new MemoryStorage();
    const first = world({ storage, token: "t" });
    await first.web().ready();
    await settle();
    await first.client.close();
    const name = [...storage.values.keys()][0] ?? "";
    assert.match(name, /^proconsul-[0-9a-f]{16}$/);
    const second = world({ storage, token: "t" }, new FakeClock(1_700_000_000_000 + 7_200_000));
    second.consul.gone = "refused";
    const lookup = await second.web({ background }).ready();
    assert.deepEqual([ids(lookup), lookup.source, lookup.stale], [["a"], "storage", true]);
    assert.ok(lookup.ageMs >= 7_200_000 && lookup.ageMs < 7_260_000, String(lookup.ageMs));
    second.consul.gone = null;
    second.consul.instances = [{ id: "b" }];
    await second.clock.advance(60_000);
    await until(() => second.web({ background }).lookup().source === "server" || !background);
    assert.deepEqual(ids(await second.web({ background }).ready()), ["b"]);
    await second.client.close();
  }
});

test("what one token may see, or one address knows, is not served to another", async () => {
  const storage = new MemoryStorage();
  const first = world({ storage, token: "secret" });
  await first.web().ready();
  await settle();
  await first.client.close();
  const text = [...storage.values].map(([name, value]) => name + new TextDecoder().decode(value)).join();
  assert.ok(!text.includes("secret"));
  for (const more of [{ token: "other" }, { token: "secret", datacenter: "dc2" }, { token: "secret", address: "x" }]) {
    const second = world({ storage, ...more });
    second.consul.gone = 500;
    await assert.rejects(second.web({ background: false }).ready(), ClientError);
    await second.client.close();
  }
});

test("a storage that fails, hangs or holds rubbish costs nothing but the second level", async () => {
  const broken: ClientStorage[] = [
    { get: () => Promise.reject(new Error("no")), set: () => Promise.reject(new Error("no")) },
    { get: () => new Promise(() => {}), set: () => new Promise(() => {}) },
    { get: async () => new TextEncoder().encode("{"), set: async () => {} },
  ];
  for (const storage of broken) {
    const { clock, consul, client, web } = world({ storage });
    await web().ready();
    consul.change(() => consul.instances.push({ id: "b" }));
    await clock.advance(100);
    await until(() => web().lookup().value.length === 2);
    const lazily = web({ background: false }).ready();
    await clock.advance(10_000);
    assert.deepEqual(ids(await lazily), ["a", "b"]);
    const closing = client.close();
    await clock.advance(10_000);
    await closing;
    assert.equal(clock.sleeps.size, 0);
  }
});

test("a look-up takes microseconds", async () => {
  const { consul, client, web } = world();
  consul.instances = Array.from({ length: 1_000 }, (_, at) => ({ id: `i${at}` }));
  const service = web();
  await service.ready();
  let found = 0;
  const start = performance.now();
  for (let lookup = 0; lookup < 100_000; lookup += 1) found += service.lookup().value.length;
  const microseconds = ((performance.now() - start) * 1_000) / 100_000;
  assert.equal(found, 100_000_000);
  assert.ok(microseconds < 20, `${microseconds} µs`);
  await client.close();
});
