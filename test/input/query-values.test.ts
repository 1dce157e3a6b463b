// Parameters with values that mean nothing: refused in words, or taken as if they were not there, but never a bug.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { routes } from "../../src/http/routes.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";
import { assertRefused, assertSound } from "./oracle.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
  await agent.fetch("PUT", "/v1/kv/input/here", "x");
});
after(() => agent.stop());

const REFUSED: readonly (readonly [method: string, target: string, status: number, words: RegExp])[] = [
  ["GET", "/v1/kv/a?index=abc", 400, /^Invalid index$/],
  ["GET", "/v1/kv/a?index=-1", 400, /^Invalid index$/],
  ["GET", "/v1/kv/a?index=1.5", 400, /^Invalid index$/],
  ["GET", "/v1/kv/a?index=1e3", 400, /^Invalid index$/],
  ["GET", "/v1/kv/a?index=99999999999999999999999", 400, /^Invalid index$/],
  ["GET", "/v1/kv/a?index=0x10", 400, /^Invalid index$/],
  ["GET", "/v1/event/list?index=abc", 400, /^Invalid index$/],
  ["GET", "/v1/kv/a?wait=abc", 400, /^Invalid wait time$/],
  ["GET", "/v1/kv/a?wait=10", 400, /^Invalid wait time$/],
  ["GET", "/v1/kv/a?wait=10%20s", 400, /^Invalid wait time$/],
  ["GET", "/v1/kv/a?stale&consistent", 400, /conflicting semantics/],
  ["GET", "/v1/health/service/a?cached&consistent", 400, /conflicting semantics/],
  ["GET", "/v1/kv/a?max_stale=soon", 400, /^Invalid max_stale value/],
  ["GET", "/v1/kv/a?dc=nowhere", 500, /^No path to datacenter$/],
  ["PUT", "/v1/kv/a?dc=nowhere", 500, /^No path to datacenter$/],
  ["GET", "/v1/kv/a?ns=team", 400, /Enterprise/],
  ["GET", "/v1/kv/a?partition=team", 400, /Enterprise/],
  ["PUT", "/v1/kv/a?cas=abc", 500, /ParseUint/],
  ["PUT", "/v1/kv/a?cas=-1", 500, /ParseUint/],
  ["PUT", "/v1/kv/a?cas=18446744073709551616", 500, /out of range/],
  ["PUT", "/v1/kv/a?flags=abc", 500, /ParseUint/],
  ["PUT", "/v1/kv/a?flags=-1", 500, /ParseUint/],
  ["PUT", "/v1/kv/a?flags=18446744073709551616", 500, /out of range/],
  ["PUT", `/v1/kv/a?flags=${"9".repeat(5000)}`, 500, /out of range/],
  ["PUT", "/v1/kv/a?flags=99999999999999999999", 500, /out of range/],
  ["DELETE", "/v1/kv/a?cas=abc", 500, /ParseUint/],
  ["DELETE", "/v1/kv/a?cas=1&recurse", 400, /^Conflicting flags/],
  ["PUT", "/v1/kv/a?acquire=x&release=y", 400, /^Conflicting flags/],
  ["PUT", "/v1/kv/a?acquire=not-a-session", 500, /invalid session/],
  ["GET", "/v1/health/service/a?passing=perhaps", 400, /^Invalid value for \?passing$/],
  ["GET", "/v1/catalog/nodes?filter=((", 400, /filter|expression/i],
  ["GET", "/v1/catalog/nodes?filter=Nonsense%20==%201", 400, /Nonsense/],
  ["GET", "/v1/catalog/services?filter=ServiceName%20matches%20%22(%22", 400, /regex|pars/i],
  ["PUT", "/v1/agent/maintenance?enable=perhaps", 400, /enable/i],
  ["PUT", "/v1/agent/maintenance", 400, /enable/i],
  ["GET", "/v1/agent/monitor?loglevel=loud", 400, /^Unknown log level: loud$/],
  ["GET", "/v1/health/state/", 400, /Missing check state/],
  ["GET", "/v1/health/service/", 400, /Missing service name/],
  ["GET", "/v1/kv/", 400, /^Missing key name$/],
  ["PUT", "/v1/session/renew/not-a-session", 404, /not found/],
  ["GET", "/v1/query/not-a-query", 500, /UUID/],
  ["GET", "/v1/query/none/execute?limit=many", 500, /Bad limit/],
  ["PUT", "/v1/event/fire/e?service=(", 500, /regexp/],
  ["PUT", "/v1/event/fire/e?tag=t", 500, /Cannot provide tag filter without service filter/],
];

for (const [method, target, status, words] of REFUSED)
  test(`${method} ${target.length > 80 ? `${target.slice(0, 80)}…` : target} is ${status}`, async () => {
    const reply = await agent.fetch(method, target, method === "PUT" ? "{}" : undefined);
    // A bad filter is told with the status that the recordings of Consul have for its route.
    assertRefused(reply, /filter=/.test(target) ? [400, 500] : status, target, words);
  });

test("what Consul ignores is ignored: unknown parameters, empty values, a node that is nobody", async () => {
  for (const query of [
    "unknown=1",
    "",
    "&&&",
    "=",
    "=x",
    "a=b=c",
    "index=",
    "wait=",
    "dc=",
    "near=",
    "%zz=1",
    "x=%zz",
    "%00=1",
    "index=0",
    "wait=-5s",
    "wait=9999h",
    "stale=no",
    "raw=&raw",
  ])
    assert.equal((await agent.fetch("GET", `/v1/kv/input/here?${query}`)).status, 200, query);
  for (const query of [
    "near=nobody",
    "node-meta=",
    "node-meta=:",
    "node-meta=a",
    "tag=",
    "filter=",
    "passing=",
    "passing=0",
    "passing=false",
  ])
    assert.equal((await agent.fetch("GET", `/v1/health/service/consul?${query}`)).status, 200, query);
});

test("the largest 64-bit number is taken, with as many zeros before it as anybody likes", async () => {
  assert.equal(
    (await agent.fetch("PUT", `/v1/kv/input/zeros?flags=${"0".repeat(500)}18446744073709551615`, "x")).text.trim(),
    "true",
  );
  assert.match((await agent.fetch("GET", "/v1/kv/input/zeros")).text, /"Flags": ?18446744073709551615,/);
});

test("an index past every index waits, however large it is", async () => {
  for (const index of ["9007199254740993", "18446744073709551615"]) {
    let answered = false;
    const waiting = agent.send("GET", `/v1/kv/input/here?index=${index}&wait=10s`);
    void waiting.reply.then(() => (answered = true));
    await agent.advance(9000);
    assert.equal(answered, false, index);
    await agent.advance(2000);
    assert.equal((await waiting.reply).status, 200, index);
  }
});

test("no parameter of any route takes a value that is a bug", async () => {
  const values = [
    "",
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "true",
    "perhaps",
    "__proto__",
    "constructor",
    "'\"<>",
    "(",
    "%00",
    "%ff",
    "a".repeat(10_000),
    "..%2f..",
    "%F0%9F%92%A9",
    "[",
    "{}",
    "null",
  ];
  const leftOut = new Set([
    "/v1/agent/leave",
    "/v1/agent/reload",
    "/v1/agent/monitor",
    "/v1/agent/metrics/stream",
    "/v1/operator/raft/transfer-leader",
    "/v1/snapshot",
  ]);
  for (const { method, path, params } of routes) {
    if (leftOut.has(path)) continue;
    const target = path.endsWith("/*") ? `${path.slice(0, -1)}input` : path;
    for (const param of [...params, "dc", "pretty", "token"])
      for (const value of values) {
        // A blocking query with an index of the future would wait for it.
        if (param === "index" && value.startsWith("1")) continue;
        const reply = await agent.fetch(method, `${target}?${param}=${value}`, method === "GET" ? undefined : "{}");
        assert.doesNotMatch(reply.text, /internal error/i, `${method} ${target}?${param}=${value.slice(0, 30)}`);
      }
  }
  await assertSound(agent);
});

test("a filter of ten thousand brackets, and patterns that make other engines wait for ever, answer at once", async () => {
  const from = performance.now();
  const filters = [
    "(".repeat(10_000),
    `${"not ".repeat(20_000)}true`,
    `${"(".repeat(5000)}ServiceName == "a"${")".repeat(5000)}`,
    'ServiceName matches "^(a+)+$"',
    'ServiceName matches "(a*)*b"',
    'ServiceName matches "(x+x+)+y"',
  ];
  await agent.fetch("PUT", "/v1/catalog/register", {
    Node: "slow",
    Address: "10.0.0.1",
    Service: { Service: `${"a".repeat(40)}!` },
  });
  for (const filter of filters) {
    const reply = await agent.fetch("GET", `/v1/catalog/services?filter=${encodeURIComponent(filter)}`);
    assert.doesNotMatch(reply.text, /internal error/i, filter.slice(0, 40));
  }
  assert.ok(performance.now() - from < 3000, `${performance.now() - from} ms`);
  await assertSound(agent);
});
