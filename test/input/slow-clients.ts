// Clients that send or read slowly.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentProcess, RuntimeName } from "../support/process.ts";
import { RawConnection, requestBytes } from "../support/raw-http.ts";
import { runtimeStats } from "./live-suite.ts";

/** Bun ends a connection without a whole header after some ten seconds, whatever was asked for. */
const HEADER_MS_MAX = 25_000;

/**
 * Declares the tests; `agent` is asked for when they run. Some clients need long: they begin at once, and what is given
 * back declares the test of how they ended.
 */
export function slowClientTests(agent: () => AgentProcess, runtime: RuntimeName): () => void {
  const slow: { what: string; client: RawConnection }[] = [];
  before(() => {
    for (const [what, bytes] of [
      ["half a request line", "GET /v1/kv"],
      ["a header that never ends", "GET /v1/status/leader HTTP/1.1\r\nHost: h\r\n"],
      [
        "a header that never ends, of a write",
        "PUT /v1/kv/input/slow-header HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n",
      ],
    ] as const) {
      const client = new RawConnection(agent().ports.http);
      client.write(bytes);
      slow.push({ what, client });
    }
    const dripping = new RawConnection(agent().ports.http);
    dripping.write("GET /v1/status/leader HTTP/1.1\r\nHost: h\r\n");
    const drip = setInterval(() => dripping.write("X: y\r\n"), 200);
    dripping.socket.once("close", () => clearInterval(drip));
    slow.push({ what: "a header that comes line by line", client: dripping });
  });

  test("slow clients: a body that comes a byte at a time is taken", async () => {
    for (const chunked of [false, true]) {
      const client = new RawConnection(agent().ports.http);
      client.write(
        `PUT /v1/kv/input/dripped HTTP/1.1\r\nHost: h\r\n${chunked ? "Transfer-Encoding: chunked" : "Content-Length: 10"}\r\n\r\n`,
      );
      for (let i = 0; i < 10; i++) {
        client.write(chunked ? "1\r\nx\r\n" : "x");
        await sleep(20);
      }
      if (chunked) client.write("0\r\n\r\n");
      assert.equal((await client.next())?.status, 200);
      client.close();
      assert.equal((await agent().send("GET", "/v1/kv/input/dripped?raw")).text, "x".repeat(10));
    }
  });

  test("slow clients: an answer that is read slowly is whole, and others do not wait for it", async () => {
    const value = "v".repeat(400 * 1024);
    for (let i = 0; i < 10; i++) await agent().send("PUT", `/v1/kv/input/read-slowly/${i}`, value);
    const readers = Array.from({ length: 4 }, () => new RawConnection(agent().ports.http));
    for (const reader of readers) {
      reader.socket.pause();
      reader.write(requestBytes("GET", "/v1/kv/input/read-slowly/?recurse"));
    }
    await sleep(300);
    const from = performance.now();
    assert.equal((await agent().send("GET", "/v1/status/leader")).status, 200);
    assert.ok(performance.now() - from < 2000);
    for (const [at, reader] of readers.entries()) {
      // Half of them go away without having read.
      if (at % 2 === 0) {
        reader.close();
        continue;
      }
      reader.socket.resume();
      const answer = await reader.next(20_000);
      assert.equal(answer?.status, 200);
      assert.equal((JSON.parse(answer.body.toString()) as unknown[]).length, 10);
      reader.close();
    }
    await agent().send("DELETE", "/v1/kv/input/read-slowly/?recurse");
  });

  test("slow clients: who follows the log and does not read it costs the agent no memory", async () => {
    const followers = Array.from({ length: 5 }, () => new RawConnection(agent().ports.http));
    for (const follower of followers) follower.write(requestBytes("GET", "/v1/agent/monitor?loglevel=trace"));
    await sleep(100);
    for (const follower of followers) follower.socket.pause();
    const { rss } = await runtimeStats(agent());
    for (let i = 0; i < 100; i++) await agent().send("PUT", `/v1/agent/service/register`, { Name: `followed-${i}` });
    for (let i = 0; i < 100; i++) await agent().send("PUT", `/v1/agent/service/deregister/followed-${i}`);
    assert.ok((await runtimeStats(agent())).rss - rss < 64 * 1024 * 1024);
    for (const follower of followers) follower.close();
  });

  return () => {
    // Deno's own server has no time limit: see runtimes/deno/http.ts, and the test of an address that others can reach.
    test(
      "slow clients: a header that does not come to its end is not waited for",
      { skip: runtime === "deno" ? "Deno.serve waits for ever" : false },
      async () => {
        for (const { what, client } of slow) {
          assert.equal(await client.ended(HEADER_MS_MAX), true, what);
          const answer = await client.next(0);
          assert.ok(answer === null || answer.status === 408 || answer.status === 400, `${what}: ${answer?.status}`);
        }
        assert.equal((await agent().send("GET", "/v1/kv/input/slow-header")).status, 404);
      },
    );

    test("slow clients: those that hang on are let go", () => {
      for (const { client } of slow) client.close();
    });
  };
}
