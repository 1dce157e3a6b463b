import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { afterEach, test } from "node:test";
import { startTestAgent, type TestAgent, type TestAgentOptions } from "../support/agent.ts";

let agent: TestAgent | null = null;
afterEach(async () => {
  await agent?.stop();
  agent = null;
});

async function start(options: TestAgentOptions = {}): Promise<TestAgent> {
  agent = await startTestAgent(options);
  return agent;
}

test("what is no route: is 404 without the API's headers, and the root says that there is no page", async () => {
  const { fetch } = await start();
  const cases: readonly [string, number, string][] = [
    ["/v1/nothing/here", 404, "Invalid URL path: not a recognized HTTP API endpoint\n"],
    ["/v1/", 404, "Invalid URL path: not a recognized HTTP API endpoint\n"],
    ["/nothing", 404, "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n"],
    [
      "/",
      200,
      "Consul Agent: UI disabled. To enable, set ui_config.enabled=true in the agent configuration and restart.",
    ],
  ];
  for (const [path, status, body] of cases) {
    const reply = await fetch("GET", path);
    assert.deepEqual([reply.status, reply.text], [status, body]);
    assert.equal(reply.header("x-consul-default-acl-policy"), null);
    assert.equal(reply.header("content-type"), "text/plain; charset=utf-8");
    assert.equal(reply.header("x-content-type-options"), "nosniff");
  }
});

test("paths: dots are resolved, double slashes redirected, what cannot be printed refused", async () => {
  const { fetch } = await start();
  await fetch("PUT", "/v1/kv/a", "1");
  assert.equal((await fetch("GET", "/v1/catalog/../kv/a?raw")).text, "1");
  assert.equal((await fetch("GET", "/v1/kv/b/%2e%2e/a?raw")).text, "1");
  const moved = await fetch("GET", "/v1//kv/a?raw");
  assert.deepEqual([moved.status, moved.header("location")], [301, "/v1/kv/a?raw"]);
  assert.equal((await fetch("PUT", "/v1/kv//a", "2")).status, 301);
  assert.equal((await fetch("GET", "/v1/kv/a%0ab")).status, 400);
  assert.equal((await fetch("GET", "/v1/kv/a?raw")).text, "1");
});

test("a key that a dotted path leads to: is kept under its one name only", async () => {
  const { fetch } = await start();
  await fetch("PUT", "/v1/kv/a", "1");
  await fetch("GET", "/v1/kv/x/../a?raw");
  await fetch("PUT", "/v1/kv/a", "2");
  assert.equal((await fetch("GET", "/v1/kv/x/../a?raw")).text, "2");
});

test("blocked endpoints: are 403 by prefix, also for what was answered before", async () => {
  const { fetch } = await start({ settings: { http_config: { block_endpoints: ["/v1/kv/secret", "/v1/agent"] } } });
  for (const [method, path] of [
    ["GET", "/v1/kv/secret/a"],
    ["PUT", "/v1/kv/secret"],
    ["GET", "/v1/agent/self"],
    ["GET", "/v1/catalog/../agent/self"],
  ] as const) {
    const reply = await fetch(method, path, method === "PUT" ? "x" : undefined);
    assert.deepEqual([reply.status, reply.text], [403, "Endpoint is blocked by agent configuration"], path);
  }
  assert.equal((await fetch("PUT", "/v1/kv/open", "x")).status, 200);
});

test("allow_write_http_from: lets only these networks write", async () => {
  const elsewhere = await start({ settings: { http_config: { allow_write_http_from: ["10.0.0.0/8"] } } });
  const refused = await elsewhere.fetch("PUT", "/v1/kv/a", "1");
  assert.deepEqual([refused.status, refused.text], [403, "Access is restricted"]);
  assert.equal((await elsewhere.fetch("GET", "/v1/kv/a")).status, 404);
  assert.equal((await elsewhere.fetch("OPTIONS", "/v1/kv/a")).status, 200);
  await elsewhere.stop();
  const here = await start({ settings: { http_config: { allow_write_http_from: ["127.0.0.0/8"] } } });
  assert.equal((await here.fetch("PUT", "/v1/kv/a", "1")).status, 200);
});

test("response_headers: are on every reply, also on errors and on replies given again", async () => {
  const { fetch } = await start({ settings: { http_config: { response_headers: { "X-Mine": "yes" } } } });
  await fetch("PUT", "/v1/kv/a", "1");
  for (const path of ["/v1/kv/a", "/v1/kv/a", "/v1/kv/none", "/v1/nope", "/", "/v1/session/info/", "/v1/kv/%00"]) {
    assert.equal((await fetch("GET", path)).header("x-mine"), "yes", path);
  }
  assert.equal((await fetch("POST", "/v1/kv/a")).header("x-mine"), "yes");
});

interface Page {
  name: string;
  method: "GET" | "PUT";
  headers: Record<string, string>;
  status: number;
}
const page = (name: string, method: Page["method"], headers: Record<string, string>, status: number): Page => ({
  name,
  method,
  headers,
  status,
});
const pages: readonly Page[] = [
  page("no browser", "PUT", {}, 200),
  page("the agent's own page", "PUT", { origin: "http://127.0.0.1:8500", "sec-fetch-site": "same-origin" }, 200),
  page("another site", "PUT", { origin: "http://evil.example" }, 403),
  page("another port of this machine", "PUT", { origin: "http://127.0.0.1:3000", "sec-fetch-site": "same-site" }, 403),
  page("a page without an origin", "PUT", { origin: "null" }, 403),
  page("another site that sends no origin", "PUT", { "sec-fetch-site": "cross-site" }, 403),
  page("another site that only reads, whose page sees nothing of it", "GET", { origin: "http://evil.example" }, 200),
  page(
    "a name led to 127.0.0.1, writing",
    "PUT",
    { origin: "http://evil.example:8500", host: "evil.example:8500" },
    403,
  ),
  page("a name led to 127.0.0.1, reading", "GET", { "sec-fetch-site": "same-origin", host: "evil.example:8500" }, 403),
  page("localhost", "GET", { "sec-fetch-site": "same-origin", host: "localhost:8500" }, 200),
  page("the node's name", "GET", { "sec-fetch-site": "same-origin", host: "N1:8500" }, 200),
  page("a name of the agent's domain", "GET", { "sec-fetch-site": "none", host: "consul.service.consul:8500" }, 200),
  page("an IPv6 address", "GET", { "sec-fetch-site": "same-origin", host: "[::1]:8500" }, 200),
  page("no browser, under any name", "PUT", { host: "balancer.example" }, 200),
];

for (const { name, method, headers, status } of pages) {
  test(`web pages: ${name}, ${method}: ${status}`, async () => {
    const { fetch } = await start();
    await fetch("PUT", "/v1/kv/a", "1");
    // Twice, so that the second is one that was kept.
    for (const round of [1, 2]) {
      const reply = await fetch(method, "/v1/kv/a", method === "PUT" ? "2" : undefined, headers);
      assert.equal(reply.status, status, `${reply.text} (${round})`);
    }
    assert.equal((await fetch("GET", "/v1/kv/a?raw")).text, method === "PUT" && status === 200 ? "2" : "1");
  });
}

test("web pages: an origin that the operator named may write, under the name that leads here", async () => {
  const { fetch } = await start({
    settings: { http_config: { response_headers: { "Access-Control-Allow-Origin": "https://ui.example" } } },
  });
  const headers = { origin: "https://ui.example", host: "consul.example", "sec-fetch-site": "cross-site" };
  assert.equal((await fetch("PUT", "/v1/kv/a", "1", headers)).status, 200);
  assert.equal((await fetch("PUT", "/v1/kv/a", "1", { ...headers, origin: "https://other.example" })).status, 403);
});

test("request limits: too many are refused, the agent's own routes and those of status are not counted", async () => {
  const { fetch, advance } = await start({
    settings: { limits: { request_limits: { mode: "enforcing", read_rate: 1, write_rate: 1 } } },
  });
  const statuses = async (method: string, path: string, times: number): Promise<number[]> => {
    const list: number[] = [];
    for (let i = 0; i < times; i++)
      list.push((await fetch(method, path, method === "PUT" ? String(i) : undefined)).status);
    return list;
  };
  const writes = await statuses("PUT", "/v1/kv/a", 12);
  assert.deepEqual(writes, [...Array.from({ length: 10 }, () => 200), 503, 503]);
  const reads = await statuses("GET", "/v1/kv/a", 12);
  assert.deepEqual(reads, [...Array.from({ length: 10 }, () => 200), 429, 429]);
  assert.equal(
    (await fetch("GET", "/v1/kv/a")).text,
    "rate limit exceeded, try again later or against a different server",
  );
  assert.equal((await fetch("GET", "/v1/status/leader")).status, 200);
  assert.equal((await fetch("GET", "/v1/agent/self")).status, 200);
  await advance(1000);
  assert.deepEqual(await statuses("GET", "/v1/kv/a", 2), [200, 429]);
});

test("request limits in permissive mode: only say that they would refuse", async () => {
  const { fetch, platform } = await start({
    settings: { limits: { request_limits: { mode: "permissive", read_rate: 0.1 } } },
  });
  for (let i = 0; i < 5; i++) assert.equal((await fetch("GET", "/v1/catalog/nodes")).status, 200);
  assert.equal(platform.logs.filter(({ message }) => message === "rate limit exceeded").length, 1);
});

test("compression: large bodies for who takes gzip, the same reply compressed once", async () => {
  const { fetch, agent: inner } = await start();
  for (let i = 0; i < 20; i++) await fetch("PUT", `/v1/kv/list/${i}`, "x".repeat(100));
  const plain = await fetch("GET", "/v1/kv/list/?recurse");
  assert.equal(plain.header("content-encoding"), null);
  assert.equal(plain.header("vary"), "Accept-Encoding");
  for (const round of [1, 2]) {
    const reply = await fetch("GET", "/v1/kv/list/?recurse", undefined, { "accept-encoding": "br, gzip;q=0.8" });
    assert.equal(reply.header("content-encoding"), "gzip", String(round));
    assert.equal(reply.header("x-consul-index"), plain.header("x-consul-index"));
    assert.deepEqual(new Uint8Array(gunzipSync(reply.bytes)), plain.bytes);
  }
  const headers = { "accept-encoding": "gzip" };
  const request = (): ReturnType<TestAgent["request"]> =>
    (agent as TestAgent).request("GET", "/v1/kv/list/?recurse", undefined, headers);
  assert.equal(await agent?.running.handle(request()), await agent?.running.handle(request()));
  assert.ok(inner.server.leading);
  const refused = await fetch("GET", "/v1/kv/list/?recurse", undefined, { "accept-encoding": "gzip;q=0, br" });
  assert.equal(refused.header("content-encoding"), null);
  const small = await fetch("GET", "/v1/kv/list/1", undefined, headers);
  assert.equal(small.header("content-encoding"), null);
});

test("a bug in a handler: is told to the log without the request's token", async () => {
  const { fetch, agent: inner, platform } = await start();
  Object.defineProperty(inner.calls, "groupStatus", { value: () => (undefined as unknown as string[]).length });
  const reply = await fetch("GET", "/v1/status/peers?token=very-secret");
  assert.equal(reply.status, 500);
  assert.doesNotMatch(reply.text, /undefined|secret/);
  const [event] = platform.logs.filter(({ level }) => level === "error");
  assert.equal(event?.fields?.["url"], "/v1/status/peers?token=<hidden>");
  assert.doesNotMatch(JSON.stringify(event?.fields), /very-secret/);
});
