// `curl`, as it stands in Consul's documentation and in everybody's scripts.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { AgentProcess } from "../support/process.ts";
import { missing, run } from "./command.ts";

const skip = missing("curl");

/** Declares the tests; `agent` is asked for when they run. */
export function curlTests(agent: () => AgentProcess): void {
  const curl = async (path: string, args: readonly string[] = [], input?: Uint8Array | string): Promise<Buffer> =>
    run("curl", ["--silent", "--show-error", "--max-time", "20", ...args, agent().base + path], input);
  const text = async (path: string, ...args: string[]): Promise<string> => (await curl(path, args)).toString();
  const status = async (path: string, ...args: string[]): Promise<string> =>
    (await curl(path, ["--output", "/dev/null", "--write-out", "%{http_code}", ...args])).toString();

  test("curl: keys are put, read, listed and deleted as in Consul's documentation", { skip }, async () => {
    assert.match(await text("/v1/kv/curl/a", "--request", "PUT", "--data", "one"), /^true\s*$/);
    assert.match(await text("/v1/kv/curl/b", "--request", "PUT", "--data", "@-"), /^true\s*$/);
    assert.equal(await text("/v1/kv/curl/a?raw"), "one");
    assert.deepEqual(JSON.parse(await text("/v1/kv/curl/?keys")), ["curl/a", "curl/b"]);
    assert.equal(await status("/v1/kv/curl/none"), "404");
    assert.match(await text("/v1/kv/curl/?recurse", "--request", "DELETE"), /^true\s*$/);
    assert.equal(await status("/v1/kv/curl/a"), "404");
  });

  test("curl: bytes come back as they went in: declared, chunked, and after 100-continue", { skip }, async () => {
    const value = randomBytes(200_000);
    const ways: [string, string[]][] = [
      ["declared", ["--request", "PUT", "--data-binary", "@-"]],
      ["chunked", ["--upload-file", "-"]],
      ["100-continue", ["--request", "PUT", "--header", "Expect: 100-continue", "--data-binary", "@-"]],
    ];
    for (const [name, args] of ways) {
      assert.match((await curl(`/v1/kv/curl/bytes-${name}`, args, value)).toString(), /^true\s*$/, name);
      assert.ok((await curl(`/v1/kv/curl/bytes-${name}?raw`)).equals(value), name);
    }
  });

  test("curl: a JSON body counts whatever its content type says", { skip }, async () => {
    // curl says application/x-www-form-urlencoded when nobody tells it otherwise.
    assert.equal(
      await status("/v1/agent/service/register", "--request", "PUT", "--data", '{"Name":"curl","Port":81}'),
      "200",
    );
    assert.equal(JSON.parse(await text("/v1/agent/services")).curl.Port, 81);
    assert.equal(await status("/v1/agent/service/deregister/curl", "--request", "PUT"), "200");
  });

  test("curl: compressed and plain answers are the same", { skip }, async () => {
    for (let i = 0; i < 50; i++) await agent().send("PUT", `/v1/kv/curl/many/${i}`, "some value or other");
    assert.equal(await text("/v1/kv/curl/many?recurse", "--compressed"), await text("/v1/kv/curl/many?recurse"));
  });

  test("curl: headers, several requests on one connection, HTTP/1.0, and IPv4 by name", { skip }, async () => {
    const headers = await text("/v1/kv/curl/none", "--dump-header", "-");
    assert.match(headers, /^HTTP\/1\.1 404 /);
    assert.match(headers, /^X-Consul-Index: [1-9]\d*\r$/im);
    const twice = await text(
      "/v1/status/peers",
      "--write-out",
      " %{num_connects} ",
      `${agent().base}/v1/status/leader`,
    );
    assert.match(twice, / 1 [^]* 0 $/);
    assert.equal(await status("/v1/status/leader", "--http1.0"), "200");
    assert.equal(
      (await run("curl", ["--silent", "--ipv4", `http://localhost:${agent().ports.http}/v1/status/leader`])).toString(),
      `"127.0.0.1:${agent().ports.server}"`,
    );
  });

  test("curl: a method that the route has not is 405 and says which it has", { skip }, async () => {
    const answer = await text("/v1/agent/self", "--request", "DELETE", "--include");
    assert.match(answer, /^HTTP\/1\.1 405 /);
    assert.match(answer, /^Allow: .*GET/im);
    assert.equal(await status("/v1/agent/self", "--head"), "405");
  });

  test("curl: a blocking query answers when the key is written", { skip }, async () => {
    await agent().send("PUT", "/v1/kv/curl/blocking", "old");
    const { ModifyIndex } = (await agent().send("GET", "/v1/kv/curl/blocking")).json()[0];
    const waiting = text(`/v1/kv/curl/blocking?raw&index=${ModifyIndex}&wait=15s`);
    await agent().send("PUT", "/v1/kv/curl/blocking", "new");
    assert.equal(await waiting, "new");
  });
}
