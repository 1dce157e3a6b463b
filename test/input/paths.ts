// Targets as bytes: one path for routing, permissions and keys, the same on every runtime.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentProcess } from "../support/process.ts";
import { exchange, type RawAnswer, requestBytes } from "../support/raw-http.ts";

/** What a PUT to a target does: it writes this key, or is answered with this status and writes nothing. */
const TARGETS: readonly (readonly [target: string, result: string | number])[] = [
  ["/v1/kv/paths/plain", "paths/plain"],
  ["/v1/kv/paths/x/../dots", "paths/dots"],
  ["/v1/kv/paths/x/%2e%2e/encoded-dots", "paths/encoded-dots"],
  ["/v1/kv/paths/x/.%2E/mixed-dots", "paths/mixed-dots"],
  ["/v1/kv/paths/./dot", "paths/dot"],
  ["/v1/kv/paths/%2e/encoded-dot", "paths/encoded-dot"],
  ["/v1/agent/../kv/paths/from-elsewhere", "paths/from-elsewhere"],
  ["/../../v1/kv/paths/above-the-root", "paths/above-the-root"],
  ["/v1/kv/paths\\backslash", "paths/backslash"],
  ["/v1\\kv\\paths\\all-backslashes", "paths/all-backslashes"],
  ["/v1/kv/paths/x\\..\\backslash-dots", "paths/backslash-dots"],
  ["/v1/kv/paths%5cencoded-backslash", "paths\\encoded-backslash"],
  ["/v1/kv/paths%2fencoded-slash", "paths/encoded-slash"],
  ["/v1/kv/paths/three...dots", "paths/three...dots"],
  ["/v1/kv/paths/.hidden", "paths/.hidden"],
  ["/v1/kv/paths/%C3%A9", "paths/é"],
  ["/v1/kv/paths/%F0%9F%92%A9", "paths/💩"],
  ["/v1/kv/paths/a%20b", "paths/a b"],
  ["/v1/kv/paths/a+b", "paths/a+b"],
  ["/v1/kv/paths/a%2Bb", "paths/a+b"],
  ["/v1/kv/paths/a%23b", "paths/a#b"],
  ["/v1/kv/paths/a%3Fb", "paths/a?b"],
  ["/v1/kv/paths/a%25b", "paths/a%b"],
  ["/v1/kv/paths/a%2525b", "paths/a%25b"],
  ["/v1/kv/paths/a;b=c,d:e@f!g$h&i'j(k)l*m~n", "paths/a;b=c,d:e@f!g$h&i'j(k)l*m~n"],
  ['/v1/kv/paths/a|b^c"d<e>f`g{h}i', 'paths/a|b^c"d<e>f`g{h}i'],
  ["/v1/kv/paths/[1]", "paths/[1]"],
  ["/v1/kv/paths/query?../../x#y", "paths/query"],
  ["http://elsewhere.example/v1/kv/paths/absolute", "paths/absolute"],
  [`/v1/kv/paths/${"long".repeat(3000)}`, `paths/${"long".repeat(3000)}`],
  ["/v1/kv//paths/two-slashes", 301],
  ["/v1//kv/paths/two-slashes", 301],
  ["//v1/kv/paths/two-slashes", 301],
  ["/v1/kv/paths%2f..%2fescaped-dots", 500],
  ["/v1/kv/%2fleading", 500],
  ["/v1/kv/%20leading", 500],
  ["/v1/kv/paths/%ff", 400],
  ["/v1/kv/paths/%C3", 400],
  ["/v1/kv/paths/%ED%A0%80", 400],
  ["/v1/kv/paths/%", 400],
  ["/v1/kv/paths/%zz", 400],
  ["/v1/kv/paths/%4", 400],
  ["/v1/kv/paths/a%00b", 400],
  ["/v1/kv/paths/a%0d%0aX:%20y", 400],
  ["/v1/kv/paths/a%7fb", 400],
  ["/v1/kv/paths/a#b", 400],
  ["/v1/kv/../kv", 400],
  ["/v1/kv/..", 404],
  ["/v2/kv/paths/a", 404],
  ["/V1/KV/paths/a", 404],
  ["/v1/kvpaths", 404],
  ["/v1/agent/self/../../kv/..%2f..%2fagent/leave", 500],
];

/** Declares the tests; `agent` is asked for when they run. */
export function pathTests(agent: () => AgentProcess): void {
  const put = async (target: string, headers: string[] = []): Promise<RawAnswer | null> =>
    exchange(agent().ports.http, requestBytes("PUT", target, "x", headers));
  const keys = async (): Promise<string[]> => (await agent().send("GET", "/v1/kv/?keys")).json();

  test("paths: each form of a path means one key, or is refused and writes nothing", async () => {
    const wrong: string[] = [];
    for (const [target, result] of TARGETS) {
      await agent().send("DELETE", "/v1/kv/?recurse");
      const answer = await put(target);
      const written = await keys();
      const got = answer === null ? "no answer" : typeof result === "number" ? answer.status : written.join();
      const fine = got === result && (typeof result === "string" || written.length === 0);
      if (!fine)
        wrong.push(
          `${target.slice(0, 80)} is ${answer?.status} ${answer?.body.toString().slice(0, 100)}, writes [${written.join().slice(0, 80)}], and should give ${String(result).slice(0, 80)}`,
        );
    }
    assert.deepEqual(wrong, []);
  });

  test("paths: a doubled slash is sent on to where Go's mux would send it", async () => {
    const answer = await put("/v1//kv///paths/x?flags=1");
    assert.deepEqual([answer?.status, answer?.header("location")], [301, "/v1/kv/paths/x?flags=1"]);
  });

  test("paths: bytes that are no ASCII are refused, or are the key that they spell in UTF-8", async () => {
    await agent().send("DELETE", "/v1/kv/?recurse");
    const answer = await put(Buffer.from("/v1/kv/paths/é").toString("latin1"));
    const written = await keys();
    if (answer?.status === 200) assert.deepEqual(written, ["paths/é"]);
    else assert.deepEqual([answer?.status, written], [400, []]);
    assert.notEqual((await put("/v1/kv/paths/\xff"))?.status, 500);
  });

  test("paths: a Host header cannot change the path", async () => {
    await agent().send("DELETE", "/v1/kv/?recurse");
    for (const host of [
      "a/v1/kv/paths/from-host",
      "a/v1/kv/paths/from-host?",
      "a/v1/kv/paths/from-host#",
      "a?b",
      "a#b",
      "a b",
      "[::1",
      "a:99999",
      "u:p@h",
    ]) {
      const answer = await exchange(
        agent().ports.http,
        `PUT /x//y/v1/kv/paths/from-target HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\n\r\nx`,
      );
      assert.ok(answer !== null && [301, 400, 404].includes(answer.status), `${host}: ${answer?.status}`);
      const plain = await exchange(
        agent().ports.http,
        `PUT /v1/kv/paths/right HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\n\r\nx`,
      );
      assert.ok(plain !== null && [200, 400].includes(plain.status), `${host}: ${plain?.status}`);
    }
    for (const key of await keys()) assert.equal(key, "paths/right");
  });
}
