import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalTarget, collapsedTarget, redacted } from "../../src/http/target.ts";
import { WebRequest } from "../../src/http/web-request.ts";
import { OperationalError } from "../../src/types/error.ts";

/** What was sent, and the one form of it. */
const forms: readonly [string, string][] = [
  ["/", "/"],
  ["/v1/kv/a", "/v1/kv/a"],
  ["/v1/kv/a?raw&x=../..", "/v1/kv/a?raw&x=../.."],
  ["/v1/kv/", "/v1/kv/"],
  ["/v1/kv/.hidden", "/v1/kv/.hidden"],
  ["/v1/kv/a..b", "/v1/kv/a..b"],
  ["/v1/kv/...", "/v1/kv/..."],
  ["/v1/kv/./a", "/v1/kv/a"],
  ["/v1/kv/../acl/tokens", "/v1/acl/tokens"],
  ["/v1/kv/%2e%2e/acl/tokens", "/v1/acl/tokens"],
  ["/v1/kv/.%2E/acl/tokens?dc=x", "/v1/acl/tokens?dc=x"],
  ["/v1/kv/a/..", "/v1/kv/"],
  ["/v1/kv/a/.", "/v1/kv/a/"],
  ["/../../v1/kv/a", "/v1/kv/a"],
  ["/v1\\kv\\a", "/v1/kv/a"],
  ["/v1/kv/a\\..\\b", "/v1/kv/b"],
  ["/v1/kv/a%2fb", "/v1/kv/a%2fb"],
  ["/v1/kv/a%20b", "/v1/kv/a%20b"],
  ["/v1/kv//a", "/v1/kv//a"],
  ["http://host:8500/v1/kv/a", "/v1/kv/a"],
  ["HTTPS://host", "/"],
  // Node hands over one character for each byte.
  ["/v1/kv/\u00c3\u00a9", "/v1/kv/%C3%A9"],
];

for (const [sent, wanted] of forms) {
  test(`the path of ${sent}: is ${wanted}`, () => {
    assert.equal(canonicalTarget(sent, false), wanted);
    assert.equal(canonicalTarget(wanted, false), wanted, "once is enough");
  });

  if (!/[\u0080-\u00ff]/.test(sent) && sent.startsWith("/")) {
    test(`the path of ${sent}: is the same where the web's URL parser came first`, () => {
      const { target } = new WebRequest(new Request(`http://127.0.0.1:8500${sent}`));
      assert.equal(canonicalTarget(target, false), wanted);
    });
  }
}

const refused: readonly string[] = [
  "*",
  "v1/kv/a",
  "",
  "/v1/kv/a b",
  "/v1/kv/a\tb",
  "/v1/kv/a\u0000b",
  "/v1/kv/a#b",
  "/v1/kv/%00",
  "/v1/kv/%0a",
  "/v1/kv/%7f",
  "/v1/kv/%E2%80%8B",
  "/v1/kv/%C2%A0",
  "/v1/kv/%ff",
  "/v1/kv/%zz",
];

for (const sent of refused) {
  test(`the path of ${JSON.stringify(sent)}: is refused`, () => {
    assert.throws(
      () => canonicalTarget(sent, false),
      (error) => error instanceof OperationalError && error.code === "invalid-request",
    );
  });
}

test("characters that cannot be printed: pass where the operator lets them, but for control characters", () => {
  assert.equal(canonicalTarget("/v1/kv/%E2%80%8B", true), "/v1/kv/%E2%80%8B");
  assert.throws(() => canonicalTarget("/v1/kv/%0A", true), OperationalError);
});

test("double slashes: are looked for elsewhere, but not those of the query", () => {
  assert.equal(collapsedTarget("/v1//kv///a?x=//"), "/v1/kv/a?x=//");
  assert.equal(collapsedTarget("/v1/kv/a?x=//"), null);
});

test("a target in the log: has no secrets", () => {
  assert.equal(redacted("/v1/kv/a?token=abc&raw&Token=def"), "/v1/kv/a?token=<hidden>&raw&Token=<hidden>");
  assert.equal(redacted("/v1/kv/token=a?raw"), "/v1/kv/token=a?raw");
});

test("a long path of any kind: is judged in time that grows with its length", () => {
  const started = performance.now();
  for (const part of ["/a", "/.", "/%2e%2e", "/-!"]) canonicalTarget(part.repeat(50_000), false);
  canonicalTarget(`${"/a".repeat(50_000)}/..`, false);
  assert.ok(performance.now() - started < 2000);
});
