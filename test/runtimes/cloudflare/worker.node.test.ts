// A datacenter in workerd, asked over HTTP through the Worker: the API, DNS over HTTPS, who may ask, and that evictions lose nothing.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import dnsPacket from "dns-packet";
import { type Bundle, bundle, HARNESS, LocalWorker } from "./local-worker.ts";

const SECRET = "an open door is no door";
let harness: Bundle;
let worker: LocalWorker;
before(async () => {
  harness = await bundle(HARNESS);
  worker = await LocalWorker.start({ code: harness.code, bindings: { DATACENTERS: "dc1,dc2" } });
});
after(async () => {
  await worker?.stop();
});

interface HealthEntry {
  Service: { ID: string; Port: number };
  Checks: { CheckID: string; Status: string }[];
}

describe("the Worker: the API of a datacenter", () => {
  test("a key is written, read, listed, and kept by compare-and-set", async () => {
    assert.equal(await (await worker.put("/v1/kv/a/b", "one")).text(), "true");
    assert.equal(await worker.text("/v1/kv/a/b?raw"), "one");
    const [{ ModifyIndex }] = await worker.json<[{ ModifyIndex: number }]>("/v1/kv/a/b");
    assert.equal(await (await worker.put(`/v1/kv/a/b?cas=${ModifyIndex}`, "two")).text(), "true");
    assert.equal(await (await worker.put(`/v1/kv/a/b?cas=${ModifyIndex}`, "three")).text(), "false");
    assert.deepEqual(await worker.json("/v1/kv/?keys&separator=/"), ["a/"]);
    assert.equal(await worker.text("/v1/kv/a/b?raw&consistent"), "two");
  });

  test("it leads itself, alone, and says so", async () => {
    assert.equal(await worker.json("/v1/status/leader"), "127.0.0.1:8300");
    assert.deepEqual(await worker.json("/v1/status/peers"), ["127.0.0.1:8300"]);
    const health = await worker.json<{ Healthy: boolean; FailureTolerance: number }>("/v1/operator/autopilot/health");
    assert.equal(health.Healthy, true);
    assert.equal(health.FailureTolerance, 0);
  });

  test("a registered service is found by HTTP, by DNS over HTTPS as bytes and as JSON", async () => {
    const service = { Name: "web", ID: "web1", Port: 8080, Address: "10.1.2.3" };
    assert.equal((await worker.put("/v1/agent/service/register", service)).status, 200);
    const found = await worker.json<HealthEntry[]>("/v1/health/service/web?passing");
    assert.deepEqual(
      found.map(({ Service }) => [Service.ID, Service.Port]),
      [["web1", 8080]],
    );
    const question = dnsPacket.encode({
      type: "query",
      id: 7,
      questions: [{ type: "A", class: "IN", name: "web.service.consul" }],
    });
    for (const answer of [
      await worker.fetch(`/dns-query?dns=${question.toString("base64url")}`),
      await worker.fetch("/dns-query", {
        method: "POST",
        headers: { "Content-Type": "application/dns-message" },
        body: question as Uint8Array<ArrayBuffer>,
      }),
    ]) {
      assert.equal(answer.headers.get("content-type"), "application/dns-message");
      assert.equal(answer.headers.get("cache-control"), "max-age=0");
      const { answers } = dnsPacket.decode(Buffer.from(await answer.arrayBuffer()));
      assert.deepEqual(
        answers?.map((record) => "data" in record && record.data),
        ["10.1.2.3"],
      );
    }
    const srv = await worker.json<{ Status: number; Answer: { type: number; data: string }[] }>(
      "/dns-query?name=web.service.dc1.consul&type=SRV",
    );
    assert.equal(srv.Status, 0);
    assert.deepEqual(srv.Answer, [
      { name: "web.service.dc1.consul.", type: 33, TTL: 0, data: "1 1 8080 0a010203.addr.dc1.consul." },
    ]);
    const missing = await worker.json<{ Status: number; Authority: unknown[] }>("/dns-query?name=no.service.consul");
    assert.equal(missing.Status, 3);
    assert.equal(missing.Authority.length, 1);
    assert.equal((await worker.fetch("/dns-query?dns=%20")).status, 400);
    assert.equal((await worker.fetch("/dns-query?name=web.service.consul&type=NIX")).status, 400);
    assert.equal((await worker.fetch("/dns-query", { method: "POST", body: "x" })).status, 415);
    assert.equal((await worker.fetch("/dns-query", { method: "DELETE" })).status, 405);
  });

  test("a blocking query is answered by a write of somebody else", async () => {
    await worker.put("/v1/kv/watched", "1");
    const [{ ModifyIndex }] = await worker.json<[{ ModifyIndex: number }]>("/v1/kv/watched");
    const waiting = worker.json<[{ Value: string; ModifyIndex: number }]>(
      `/v1/kv/watched?index=${ModifyIndex}&wait=60s`,
    );
    await worker.put("/v1/kv/watched", "2");
    const [entry] = await waiting;
    assert.equal(Buffer.from(entry.Value, "base64").toString(), "2");
    assert.ok(entry.ModifyIndex > ModifyIndex);
  });

  test("a large answer is whole, and compressed at most once", async () => {
    await worker.put("/v1/kv/large", "x".repeat(100_000));
    const [entry] = await worker.json<[{ Value: string }]>("/v1/kv/large");
    assert.equal(Buffer.from(entry.Value, "base64").length, 100_000);
  });

  test("a backup is restored", async () => {
    await worker.put("/v1/kv/kept", "before");
    const snapshot = await (await worker.fetch("/v1/snapshot")).arrayBuffer();
    await worker.put("/v1/kv/kept", "after");
    const restored = await worker.fetch("/v1/snapshot", { method: "PUT", body: snapshot });
    assert.equal(restored.status, 200, await restored.text());
    assert.equal(await worker.text("/v1/kv/kept?raw"), "before");
    await worker.evict();
    assert.equal(await worker.text("/v1/kv/kept?raw"), "before");
  });

  test("datacenters of the list are apart, each an object of its own; others have no path", async () => {
    await worker.put("/v1/kv/where", "one");
    await worker.put("/v1/kv/where?dc=dc2", "two");
    assert.equal(await worker.text("/v1/kv/where?raw"), "one");
    assert.equal(await worker.text("/v1/kv/where?raw&dc=dc2"), "two");
    assert.deepEqual(await worker.json("/v1/catalog/datacenters"), ["dc1", "dc2"]);
    // By the agent of dc1, through the gateway of dc2.
    const registration = { Datacenter: "dc2", Node: "far", Address: "10.0.0.2", Service: { Service: "far" } };
    assert.equal((await worker.put("/v1/catalog/register", registration)).status, 200);
    assert.equal((await worker.json<unknown[]>("/v1/catalog/service/far?dc=dc2")).length, 1);
    assert.equal((await worker.json<unknown[]>("/v1/catalog/service/far")).length, 0);
    const elsewhere = await worker.fetch("/v1/kv/where?dc=dc3");
    assert.equal(elsewhere.status, 500);
    assert.equal(await elsewhere.text(), "No path to datacenter");
  });
});

describe("the Worker: an eviction", () => {
  test("loses nothing that was acknowledged, and the index goes on", async () => {
    for (let at = 0; at < 20; at++) {
      assert.equal(await (await worker.put(`/v1/kv/evicted/${at}`, String(at))).text(), "true");
      if (at % 5 === 4) await worker.evict();
    }
    const response = await worker.fetch("/v1/kv/evicted/?recurse");
    const index = Number(response.headers.get("x-consul-index"));
    const entries = (await response.json()) as { Key: string }[];
    assert.equal(entries.length, 20);
    await worker.put("/v1/kv/evicted/more", "1");
    const later = await worker.fetch("/v1/kv/evicted/?recurse");
    await later.body?.cancel();
    assert.ok(Number(later.headers.get("x-consul-index")) > index);
  });

  test("services registered with the agent are there again, a TTL check as it was", async () => {
    const service = { Name: "kept", ID: "kept1", Port: 1, Check: { CheckID: "alive", TTL: "60s" } };
    await worker.put("/v1/agent/service/register", service);
    await worker.put("/v1/agent/check/pass/alive");
    await worker.evict();
    const own = await worker.json<Record<string, { Port: number }>>("/v1/agent/services");
    assert.equal(own["kept1"]?.Port, 1);
    const [entry] = await worker.json<HealthEntry[]>("/v1/health/service/kept");
    assert.equal(entry?.Checks.find(({ CheckID }) => CheckID === "alive")?.Status, "passing");
  });

  test("a lock is still held, by its session", async () => {
    const { ID } = await worker.json<{ ID: string }>("/v1/session/create", { method: "PUT", body: '{"TTL":"60s"}' });
    assert.equal(await (await worker.put(`/v1/kv/lock?acquire=${ID}`, "mine")).text(), "true");
    await worker.evict();
    const other = await worker.json<{ ID: string }>("/v1/session/create", { method: "PUT", body: '{"TTL":"60s"}' });
    assert.equal(await (await worker.put(`/v1/kv/lock?acquire=${other.ID}`, "mine")).text(), "false");
    const [entry] = await worker.json<[{ Session: string }]>("/v1/kv/lock");
    assert.equal(entry.Session, ID);
  });

  test("workerd killed and started again on the same files finds everything", async () => {
    const { mkdtempSync, rmSync } = await import("node:fs");
    const dir = mkdtempSync("/tmp/proconsul-objects-");
    try {
      const first = await LocalWorker.start({ code: harness.code, dir });
      await first.put("/v1/kv/a", "kept");
      await first.stop();
      const second = await LocalWorker.start({ code: harness.code, dir });
      assert.equal(await second.text("/v1/kv/a?raw"), "kept");
      await second.stop();
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("the Worker: who may ask", () => {
  let guarded: LocalWorker;
  before(async () => {
    guarded = await LocalWorker.start({
      code: harness.code,
      bindings: { PROCONSUL_TOKEN: SECRET, CORS_ORIGIN: "https://app.example.com" },
    });
  });
  after(async () => {
    await guarded?.stop();
  });

  test("with a secret, only who sends it", async () => {
    const paths = ["/v1/kv/a", "/v1/status/leader", "/dns-query?name=a.consul", "/rpc/1/call", "/v1/agent/self"];
    for (const path of paths) {
      assert.equal((await guarded.fetch(path)).status, 403, path);
      assert.equal((await guarded.fetch(path, { headers: { "X-Consul-Token": "wrong" } })).status, 403, path);
    }
    assert.equal((await guarded.fetch("/livez")).status, 200);
    const ways: [string, Record<string, string>][] = [
      ["/v1/status/leader", { "X-Consul-Token": SECRET }],
      ["/v1/status/leader", { Authorization: `Bearer ${encodeURIComponent(SECRET)}` }],
      [`/v1/status/leader?token=${encodeURIComponent(SECRET)}`, {}],
    ];
    const statuses = await Promise.all(
      ways.map(async ([path, headers]) => (await guarded.fetch(path, { headers })).status),
    );
    assert.deepEqual(statuses, [200, 403, 200]);
  });

  test("a page of the origin that is let in may ask, after it has asked whether it may", async () => {
    const asked = await guarded.fetch("/v1/kv/a", {
      method: "OPTIONS",
      headers: { Origin: "https://app.example.com", "Access-Control-Request-Method": "PUT" },
    });
    assert.equal(asked.status, 204);
    assert.match(asked.headers.get("access-control-allow-headers") ?? "", /X-Consul-Token/);
    const answer = await guarded.fetch("/v1/kv/a", {
      method: "PUT",
      body: "1",
      headers: { Origin: "https://app.example.com", "X-Consul-Token": SECRET },
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://app.example.com");
  });

  test("without a secret, nobody from outside: the answer says what to set", async () => {
    const answer = await worker.fetch("/v1/kv/a", { headers: { "CF-Ray": "8c0ffee0" } });
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), /wrangler secret put PROCONSUL_TOKEN/);
  });
});
