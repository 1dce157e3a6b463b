// A datacenter that sleeps: what is due happens by its alarm, however late or often that comes, nothing keeps it awake, and the
// power may be cut at any statement.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { before, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bundle, HARNESS, LocalWorker } from "./local-worker.ts";

const CONFIG = JSON.stringify({ session_ttl_min: "1s" });
/** Without a request for so long the platform puts an object to sleep. */
const SLEEP_MS = 10_000;
let code: string;
before(async () => {
  ({ code } = await bundle(HARNESS));
});

/** One datacenter, in a Worker of its own. */
class Datacenter {
  readonly #worker: LocalWorker;

  private constructor(worker: LocalWorker) {
    this.#worker = worker;
  }

  static async start(t: TestContext): Promise<Datacenter> {
    const worker = await LocalWorker.start({ code, bindings: { CONFIG } });
    t.after(() => worker.stop());
    return new Datacenter(worker);
  }

  async json<T>(path: string, method = "GET", body?: unknown): Promise<T> {
    const response = await this.#worker.fetch(path, {
      method,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${path}: ${response.status} ${text}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  async evict(): Promise<void> {
    await this.#worker.evict();
  }

  alarm(): Promise<{ at: number | null; rung: number }> {
    return this.json("/test/alarm");
  }

  async untilRung(times: number): Promise<void> {
    while ((await this.alarm()).rung < times) await sleep(100);
  }
}

test("a session ends by the alarm, and its lock with it, though nobody asks and the object was evicted", async (t) => {
  const dc = await Datacenter.start(t);
  const { ID } = await dc.json<{ ID: string }>("/v1/session/create", "PUT", { TTL: "1s", LockDelay: "0s" });
  assert.equal(await dc.json(`/v1/kv/lock?acquire=${ID}`, "PUT", "mine"), true);
  await dc.evict();
  const { at } = await dc.alarm();
  assert.ok(at !== null && at - Date.now() < 2500, "the alarm is set for the session's end");
  await dc.untilRung(1);
  assert.deepEqual(await dc.json(`/v1/session/info/${ID}`), []);
  const [entry] = await dc.json<[{ Session?: string; LockIndex: number }]>("/v1/kv/lock");
  assert.equal(entry.Session, undefined);
});

test("a session that is renewed lives, over evictions", async (t) => {
  const dc = await Datacenter.start(t);
  const { ID } = await dc.json<{ ID: string }>("/v1/session/create", "PUT", { TTL: "1s" });
  for (let second = 0; second < 5; second++) {
    await sleep(700);
    await dc.json(`/v1/session/renew/${ID}`, "PUT");
    if (second % 2 === 0) await dc.evict();
  }
  assert.equal((await dc.json<unknown[]>(`/v1/session/info/${ID}`)).length, 1);
  // Evictions without a renewal do not prolong it.
  for (let second = 0; second < 6; second++) {
    await sleep(500);
    await dc.evict();
    await dc.json("/v1/status/leader");
  }
  assert.deepEqual(await dc.json(`/v1/session/info/${ID}`), []);
});

test("a lock delay holds over an eviction", async (t) => {
  const dc = await Datacenter.start(t);
  const first = await dc.json<{ ID: string }>("/v1/session/create", "PUT", { TTL: "60s", LockDelay: "3s" });
  await dc.json(`/v1/kv/delayed?acquire=${first.ID}`, "PUT", "mine");
  const endedMs = Date.now();
  await dc.json(`/v1/session/destroy/${first.ID}`, "PUT");
  await dc.evict();
  const next = await dc.json<{ ID: string }>("/v1/session/create", "PUT", { TTL: "60s" });
  const taken = await dc.json(`/v1/kv/delayed?acquire=${next.ID}`, "PUT", "mine");
  if (Date.now() - endedMs < 3000) assert.equal(taken, false);
  while (!(await dc.json<boolean>(`/v1/kv/delayed?acquire=${next.ID}`, "PUT", "mine"))) await sleep(100);
  assert.ok(Date.now() - endedMs >= 3000);
});

test("a TTL check turns critical by the alarm; the alarm may come again and early", async (t) => {
  const dc = await Datacenter.start(t);
  await dc.json("/v1/agent/service/register", "PUT", { Name: "web", Check: { CheckID: "c", TTL: "2s" } });
  await dc.json("/v1/agent/check/pass/c", "PUT");
  await dc.json("/test/ring");
  await dc.json("/test/ring");
  const status = async (): Promise<string | undefined> =>
    (await dc.json<{ CheckID: string; Status: string }[]>("/v1/health/checks/web")).find(
      ({ CheckID }) => CheckID === "c",
    )?.Status;
  assert.equal(await status(), "passing");
  const { rung } = await dc.alarm();
  await dc.evict();
  await dc.untilRung(rung + 1);
  assert.equal(await status(), "critical");
});

test("an HTTP check runs by the alarm, and its first result outlives an eviction", async (t) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.end("fine");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const dc = await Datacenter.start(t);
  const HTTP = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await dc.json("/v1/agent/service/register", "PUT", { Name: "web", Check: { CheckID: "h", HTTP, Interval: "2s" } });
  await dc.evict();
  // Nobody but the alarm asks for it.
  await dc.untilRung(2);
  assert.ok(asked > 0);
  await dc.evict();
  const checks = await dc.json<{ CheckID: string; Status: string }[]>("/v1/health/checks/web");
  assert.deepEqual(
    checks.map(({ CheckID, Status }) => [CheckID, Status]),
    [["h", "passing"]],
  );
});

test("an idle object sleeps: nothing keeps it in memory, and there is no alarm where nothing is due", async (t) => {
  const dc = await Datacenter.start(t);
  await dc.json("/v1/kv/a", "PUT", "kept");
  const before = await dc.json<number>("/test/instances");
  await sleep(SLEEP_MS + 3000);
  assert.equal((await dc.alarm()).at, null);
  assert.equal(await dc.json<number>("/test/instances"), before + 1);
  const [{ Value }] = await dc.json<[{ Value: string }]>("/v1/kv/a");
  assert.equal(Buffer.from(Value, "base64").toString(), "kept");
});

test("the power is cut at any statement of a write: what was acknowledged is there, the rest is whole or not there", async (t) => {
  const dc = await Datacenter.start(t);
  let acknowledged = 0;
  let cut = 0;
  // Until the cut comes too late for the write.
  for (let after = 0; acknowledged === 0; after++) {
    assert.ok(after < 100, "a write takes fewer statements");
    const operations = ["x", "y"].map((name) => ({
      KV: { Verb: "set", Key: `cut/${name}`, Value: Buffer.from(String(after)).toString("base64") },
    }));
    await dc.json(`/test/crash?after=${after}`);
    try {
      await dc.json("/v1/txn", "PUT", operations);
      acknowledged = after;
    } catch {
      cut += 1;
    }
    await dc.json("/test/crash?after=1000000000");
    const entries = await dc.json<{ Value: string }[]>("/v1/kv/cut/?recurse").catch(() => []);
    const values = entries.map(({ Value }) => Number(Buffer.from(Value, "base64")));
    assert.equal(new Set(values).size <= 1, true, `cut after ${after}: ${values}`);
    if (values.length > 0) assert.ok((values[0] as number) >= acknowledged, `cut after ${after}: ${values}`);
    else assert.equal(acknowledged, 0);
  }
  assert.ok(cut > 5, `${cut} writes were cut`);
});

test("evictions under writes lose no acknowledged write", async (t) => {
  const dc = await Datacenter.start(t);
  const over = new AbortController();
  const acknowledged = new Map<string, number>();
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let count = 1; !over.signal.aborted; count++) {
      try {
        if (await dc.json<boolean>(`/v1/kv/load/${writer}`, "PUT", String(count)))
          acknowledged.set(String(writer), count);
      } catch {
        // Its outcome is not known: the next one is told from it by its number.
      }
    }
  });
  const rounds = Number(process.env["EVICTIONS"] ?? 25);
  for (let round = 0; round < rounds; round++) {
    await sleep(20);
    await dc.evict();
  }
  over.abort();
  await Promise.all(writers);
  assert.equal(acknowledged.size, 4);
  for (const [writer, count] of acknowledged) {
    const [{ Value }] = await dc.json<[{ Value: string }]>(`/v1/kv/load/${writer}?consistent`);
    assert.ok(
      Number(Buffer.from(Value, "base64")) >= count,
      `writer ${writer}: ${Buffer.from(Value, "base64")} < ${count}`,
    );
  }
});
