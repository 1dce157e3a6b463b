// The rules that are about bytes, on real agents: the same bytes from Node, Bun and Deno.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type AgentProcess, RUNTIMES, startAgent } from "../support/process.ts";
import { exchange, type RawAnswer, requestBytes } from "../support/raw-http.ts";

const FLAGS = ["3304740253564472344", "18446744073709551615"];

for (const runtime of RUNTIMES) {
  describe(`on the wire: ${runtime}`, { timeout: 120_000 }, () => {
    let agent: AgentProcess;
    before(async () => {
      agent = await startAgent({ runtime });
    });
    after(() => agent?.stop());

    const send = async (method: string, target: string, body?: string): Promise<RawAnswer> => {
      const answer = await exchange(agent.ports.http, requestBytes(method, target, body));
      assert.ok(answer !== null, `${method} ${target} is answered`);
      return answer;
    };
    const index = (answer: RawAnswer): number => {
      assert.match(answer.header("X-Consul-Index") ?? "none", /^[1-9]\d*$/);
      return Number(answer.header("X-Consul-Index"));
    };

    test("W1: flags past 2^53 and 2^63 come back digit by digit", async () => {
      for (const flags of FLAGS) {
        assert.equal((await send("PUT", `/v1/kv/w1?flags=${flags}`, "x")).body.toString().trim(), "true");
        assert.match((await send("GET", "/v1/kv/w1")).body.toString(), new RegExp(`"Flags": ?${flags},`));
        const txn = await send("PUT", "/v1/txn", `[{"KV":{"Verb":"set","Key":"w1t","Value":"eA==","Flags":${flags}}}]`);
        assert.match(txn.body.toString(), new RegExp(`"Flags": ?${flags},`));
      }
    });

    test("W2, W5, W16: a 404 has every header of a read, and no body", async () => {
      const answer = await send("GET", "/v1/kv/absent");
      assert.equal(answer.status, 404);
      assert.equal(answer.body.length, 0);
      index(answer);
      assert.equal(answer.header("X-Consul-KnownLeader"), "true");
      assert.match(answer.header("X-Consul-LastContact") ?? "none", /^\d+$/);
      assert.equal(answer.header("X-Consul-Query-Backend"), "blocking-query");
      assert.equal(answer.header("X-Consul-Default-ACL-Policy"), "allow");
    });

    test("W3, W4: a wait that ends without a change: the same index, after the wait and a sixteenth at most", async () => {
      const before = index(await send("GET", "/v1/kv/absent"));
      const from = performance.now();
      const answer = await send("GET", `/v1/kv/absent?index=${before}&wait=800ms`);
      const heldMs = performance.now() - from;
      assert.equal(index(answer), before);
      assert.ok(heldMs >= 799, `${heldMs} ms`);
      // node-consul gives up after half a second more, whatever the wait.
      assert.ok(heldMs < 800 + 800 / 16 + 450, `${heldMs} ms`);
    });

    test("W6: errors are plain text, whole and unwrapped", async () => {
      const ttl = await send("PUT", "/v1/session/create", '{"TTL":"1s"}');
      assert.equal(ttl.status, 500);
      assert.match(ttl.body.toString(), /^Invalid Session TTL '1000000000', must be between /);
      assert.match(ttl.header("Content-Type") ?? "none", /^text\/plain/);
      const large = await send("PUT", "/v1/kv/large", "x".repeat(512 * 1024 + 1));
      assert.equal(large.status, 413);
      assert.match(large.body.toString(), /too large/);
    });

    test("W7: keys of a body in lower case, a duration with a fraction", async () => {
      const created = await send("PUT", "/v1/session/create", '{"name":"w7","lockdelay":"0.001s","ttl":"10.5s"}');
      const { ID } = JSON.parse(created.body.toString()) as { ID: string };
      const [session] = JSON.parse((await send("GET", `/v1/session/info/${ID}`)).body.toString()) as [
        Record<string, unknown>,
      ];
      assert.deepEqual([session.Name, session.LockDelay, session.TTL], ["w7", 1e6, "10.5s"]);
    });

    test("W8: an id with a slash, raw and escaped", async () => {
      for (const id of ["scope/name", "scope%2Fname", "scope%2fname"]) {
        assert.equal((await send("PUT", "/v1/agent/service/register", '{"Name":"w8","ID":"scope/name"}')).status, 200);
        assert.equal((await send("GET", `/v1/agent/service/${id}`)).status, 200, id);
        assert.equal((await send("PUT", `/v1/agent/service/deregister/${id}`)).status, 200, id);
        assert.equal((await send("GET", `/v1/agent/service/${id}`)).status, 404, id);
      }
    });

    test("W9, W15: the agent's own description, and the leader as a JSON string", async () => {
      const { Config, Member } = JSON.parse((await send("GET", "/v1/agent/self")).body.toString()) as {
        Config: Record<string, unknown>;
        Member: Record<string, unknown>;
      };
      assert.deepEqual(
        [Config.Datacenter, Config.Server, typeof Config.Version, typeof Config.Revision, Member.Addr],
        ["dc1", true, "string", "string", "127.0.0.1"],
      );
      assert.equal((await send("GET", "/v1/status/leader")).body.toString(), `"127.0.0.1:${agent.ports.server}"`);
    });

    test("W12: acquire answers with a bare true or false", async () => {
      const session = async (): Promise<string> =>
        (JSON.parse((await send("PUT", "/v1/session/create", "{}")).body.toString()) as { ID: string }).ID;
      const [one, two] = [await session(), await session()];
      assert.match((await send("PUT", `/v1/kv/w12?acquire=${one}`, "x")).body.toString(), /^true\n?$/);
      assert.match((await send("PUT", `/v1/kv/w12?acquire=${two}`, "x")).body.toString(), /^false\n?$/);
    });

    test("W16: consistency and cache are told", async () => {
      const consistent = await send("GET", "/v1/health/service/consul?consistent");
      assert.equal(consistent.header("X-Consul-Effective-Consistency"), "consistent");
      await send("GET", "/v1/health/service/consul?cached");
      const cached = await send("GET", "/v1/health/service/consul?cached");
      assert.equal(cached.header("X-Cache"), "HIT");
      assert.match(cached.header("Age") ?? "none", /^\d+$/);
    });
  });
}
