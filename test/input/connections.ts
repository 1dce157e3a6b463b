// Many connections, and clients that go away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AgentProcess, eventually, type RuntimeName, startAgent } from "../support/process.ts";
import { RawConnection, requestBytes } from "../support/raw-http.ts";
import { runtimeStats } from "./live-suite.ts";

/** `limits.http_max_conns_per_client`, unless somebody sets it. */
const LIMIT = 200;
const BUSY = /^Your IP is issuing too many concurrent connections, please rate limit your calls\n$/;

/** Declares the tests; `agent` is asked for when they run. */
export function connectionTests(agent: () => AgentProcess, runtime: RuntimeName): void {
  const blocked = async (): Promise<number> => (await runtimeStats(agent())).blocked_queries;
  const indexOf = async (key: string): Promise<string> =>
    (await agent().send("GET", `/v1/kv/${key}`)).headers.get("x-consul-index") as string;

  test("connections: a client that goes away during a blocking query leaves nothing behind", async () => {
    const client = new RawConnection(agent().ports.http);
    client.write(requestBytes("GET", `/v1/kv/input/gone?index=${await indexOf("input/gone")}&wait=60s`));
    await eventually("the query is blocked", async () => (await blocked()) === 1);
    client.close();
    await eventually("the query is gone", async () => (await blocked()) === 0);
  });

  test("connections: a thousand aborted blocking queries leave nothing behind", async () => {
    const index = await indexOf("input/aborted");
    const before = (await runtimeStats(agent())).rss;
    const perRound = 125;
    for (let round = 0; round < 8; round++) {
      const clients = Array.from({ length: perRound }, () => new RawConnection(agent().ports.http));
      for (const [at, client] of clients.entries()) {
        const path =
          at % 2 === 0 ? `/v1/kv/input/aborted?index=${index}` : `/v1/health/service/aborted-${at}?index=${index}`;
        client.write(requestBytes("GET", `${path}&wait=60s`));
      }
      await eventually("all are blocked", async () => (await blocked()) === perRound);
      for (const client of clients) client.close();
      await eventually("all are gone", async () => (await blocked()) === 0);
    }
    const { rss } = await runtimeStats(agent());
    assert.ok(rss - before < 64 * 1024 * 1024, `${before} bytes before, ${rss} after`);
  });

  test("connections: of 300 that one address holds, those past 200 are told 429, and the others get their answers", async () => {
    const index = await indexOf("input/many");
    const clients = Array.from({ length: 300 }, () => new RawConnection(agent().ports.http));
    for (const client of clients) client.write(requestBytes("GET", `/v1/kv/input/many?raw&index=${index}&wait=60s`));
    await eventually("a hundred are refused", () => clients.filter(({ pending }) => !pending).length >= 300 - LIMIT);
    // Of the two hundred, the agent may count connections that this process keeps for its own questions.
    const refused = clients.filter(({ pending }) => !pending);
    assert.ok(refused.length >= 300 - LIMIT && refused.length <= 300 - LIMIT + 10, `${refused.length} refused`);
    for (const client of refused) {
      const answer = await client.next();
      assert.equal(answer?.status, 429);
      assert.match(answer.body.toString(), BUSY);
    }
    for (const client of refused) client.close();
    const [leaving, ...staying] = clients.filter((client) => !refused.includes(client));
    leaving?.close();
    await eventually(
      "one more gets in",
      async () => (await agent().send("PUT", "/v1/kv/input/many", "now")).status === 200,
    );
    for (const client of staying) {
      assert.equal((await client.next())?.body.toString(), "now");
      client.close();
    }
    await eventually("the agent counts down again", async () => (await blocked()) === 0);
  });

  // Deno's own server can do neither: it serves the loopback interface only.
  test(
    "connections: an address that others can reach has its limits on Deno, too",
    { skip: runtime === "deno" ? false : "only Deno has two listeners" },
    async () => {
      const open = await startAgent({
        runtime,
        args: ["-client=0.0.0.0"],
        config: { http_config: { read_header_timeout: "1s" }, limits: { http_max_conns_per_client: 50 } },
      });
      try {
        const clients = Array.from({ length: 80 }, () => new RawConnection(open.ports.http));
        await eventually("thirty are refused", () => clients.filter(({ pending }) => !pending).length >= 30);
        const idle = clients.filter(({ pending }) => pending);
        assert.ok(idle.length >= 40 && idle.length <= 50, `${idle.length} are let in`);
        for (const client of clients) if (!client.pending) assert.equal((await client.next())?.status, 429);
        // None of them sends a request: the agent closes them.
        for (const client of idle) assert.equal(await client.ended(5000), true);
        assert.equal((await open.send("GET", "/v1/status/leader")).status, 200);
      } finally {
        await open.stop();
      }
    },
  );
}
