// Bodies that are no JSON, or not the JSON that a route takes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { routes } from "../../src/http/routes.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";
import { assertRefused, assertSound } from "./oracle.ts";

const ID = "00000000-0000-0000-0000-000000000000";

/** Every route whose body must be JSON, with a path for its row. */
const JSON_ROUTES: readonly (readonly [method: string, path: string])[] = [
  ["PUT", "/v1/agent/service/register"],
  ["PUT", "/v1/agent/check/register"],
  ["PUT", "/v1/agent/check/update/c"],
  ["PUT", "/v1/catalog/register"],
  ["PUT", "/v1/catalog/deregister"],
  ["PUT", "/v1/session/create"],
  ["PUT", "/v1/txn"],
  ["PUT", "/v1/coordinate/update"],
  ["POST", "/v1/query"],
  ["PUT", `/v1/query/${ID}`],
  ["PUT", "/v1/config"],
  ["PUT", "/v1/operator/autopilot/configuration"],
];
/** They end the agent, or wait for what no test agent has. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "/v1/agent/leave",
  "/v1/agent/reload",
  "/v1/operator/raft/transfer-leader",
]);

const MALFORMED: readonly (readonly [what: string, body: string])[] = [
  ["an open brace", "{"],
  ["an open bracket", "["],
  ["text", "hello"],
  ["half a string", '{"Name": "we'],
  ["a trailing comma", '{"Name": "web",}'],
  ["no value", '{"Name": }'],
  ["single quotes", "{'Name': 'web'}"],
  ["a bad escape", '{"Name": "\\x41"}'],
  ["a control character in a string", '{"Name": "a\nb"}'],
  ["a number of no form", '{"Port": 08}'],
  ["NaN", '{"Port": NaN}'],
  ["a comment", '/* web */ {"Name": "web"}'],
  ["bytes", "\u0000\u0001\u0002"],
  ["a byte-order mark alone", "\ufeff"],
  ["65 levels", "[".repeat(65) + "]".repeat(65)],
  ["20,000 levels", `{"Name":${"[".repeat(20_000)}${"]".repeat(20_000)}}`],
  ["200,000 levels, never closed", "[".repeat(200_000)],
];
/** JSON that no route takes as it is. */
const WRONG: readonly (readonly [what: string, body: string])[] = [
  ["a string", '"web"'],
  ["a number", "42"],
  ["true", "true"],
];

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

for (const [method, path] of JSON_ROUTES) {
  test(`${method} ${path}: a body that is no JSON is 400, and the answer says what is wrong`, async () => {
    for (const [what, body] of [...MALFORMED, ...WRONG])
      assertRefused(await agent.fetch(method, path, body), 400, what);
    await assertSound(agent);
  });
}

test("a body cut short says so, in the words of Consul's decoder", async () => {
  assertRefused(
    await agent.fetch("PUT", "/v1/catalog/register", "{"),
    400,
    "{",
    /^Request decode failed: unexpected EOF$/,
  );
  assertRefused(await agent.fetch("PUT", "/v1/catalog/register", ""), 400, "nothing", /^Request decode failed: EOF$/);
  assertRefused(await agent.fetch("PUT", "/v1/txn", "["), 400, "[", /^Failed to parse body: /);
});

test("fields of the wrong type are 400, and the answer names the field", async () => {
  const rows: readonly (readonly [method: string, path: string, body: string, field: RegExp])[] = [
    ["PUT", "/v1/agent/service/register", '{"Name": 1}', /Name/],
    ["PUT", "/v1/agent/service/register", '{"Name": "a", "Port": "many"}', /Port/],
    ["PUT", "/v1/agent/service/register", '{"Name": "a", "Tags": "t"}', /Tags/],
    ["PUT", "/v1/agent/service/register", '{"Name": "a", "Meta": {"k": {}}}', /Meta/],
    ["PUT", "/v1/agent/service/register", '{"Name": "a", "Check": []}', /Check/],
    ["PUT", "/v1/agent/service/register", '{"Name": "a", "Check": {"TTL": "soon"}}', /TTL|duration/],
    ["PUT", "/v1/agent/check/register", '{"Name": "a", "TTL": {}}', /TTL/],
    ["PUT", "/v1/catalog/register", '{"Node": ["a"]}', /Node/],
    ["PUT", "/v1/catalog/register", '{"Node": "a", "Address": "b", "Service": 7}', /Service/],
    ["PUT", "/v1/catalog/register", '{"Node": "a", "Address": "b", "Service": {"Service": "c", "Port": 1.5}}', /Port/],
    [
      "PUT",
      "/v1/catalog/register",
      '{"Node": "a", "Address": "b", "Service": {"Service": "c", "Port": 1e100}}',
      /Port/,
    ],
    ["PUT", "/v1/catalog/deregister", '{"Node": {}}', /Node/],
    ["PUT", "/v1/session/create", '{"TTL": {}}', /TTL/],
    ["PUT", "/v1/session/create", '{"LockDelay": "soon"}', /duration/],
    ["PUT", "/v1/session/create", '{"NodeChecks": "all"}', /NodeChecks/],
    ["PUT", "/v1/txn", '{"KV": {}}', /array|list|object/],
    ["PUT", "/v1/txn", '[{"KV": {"Verb": 1}}]', /Verb/],
    ["PUT", "/v1/txn", '[{"KV": {"Verb": "set", "Key": "a", "Flags": -1}}]', /Flags/],
    ["PUT", "/v1/txn", '[{"KV": {"Verb": "set", "Key": "a", "Flags": 18446744073709551616}}]', /Flags/],
    ["PUT", "/v1/txn", '[{"KV": {"Verb": "cas", "Key": "a", "Index": 1.5}}]', /Index/],
    ["PUT", "/v1/txn", "[{}]", /operation/],
    ["PUT", "/v1/txn", "[null]", /operation/],
    ["PUT", "/v1/coordinate/update", '{"Node": "n1", "Coord": {"Vec": "long"}}', /Vec/],
    ["POST", "/v1/query", '{"Name": "q", "Service": {"Service": 1}}', /Service/],
  ];
  for (const [method, path, body, field] of rows)
    assertRefused(await agent.fetch(method, path, body), 400, `${path} ${body}`, field);
  await assertSound(agent);
});

test("a value in a transaction that is no base64 is 400, and the answer says where it goes wrong", async () => {
  for (const Value of ["!!!", "YQ=", "YQ===", "Y Q==", "YQ==YQ==", "YQ==\u0000", "é", "Y"]) {
    const reply = await agent.fetch("PUT", "/v1/txn", [{ KV: { Verb: "set", Key: "input/base64", Value } }]);
    assertRefused(reply, 400, Value, /base64/);
  }
  assert.equal((await agent.fetch("GET", "/v1/kv/input/base64")).status, 404);
  // Line breaks are let through, as Go lets them through.
  assert.equal(
    (await agent.fetch("PUT", "/v1/txn", [{ KV: { Verb: "set", Key: "input/base64", Value: "YW\r\nJj" } }])).status,
    200,
  );
  assert.equal((await agent.fetch("GET", "/v1/kv/input/base64?raw")).text, "abc");
});

test("every route that is written to takes any body without a bug", async () => {
  const bodies = [
    ...MALFORMED,
    ...WRONG,
    ["null", "null"],
    ["an empty object", "{}"],
    ["an empty list", "[]"],
    ["a list of nulls", "[null, null]"],
  ] as const;
  for (const { method, path } of routes) {
    if ((method !== "PUT" && method !== "POST" && method !== "DELETE") || LEFT_OUT.has(path)) continue;
    const target = path.endsWith("/*") ? `${path.slice(0, -1)}input` : path;
    for (const [what, body] of bodies) {
      const reply = await agent.fetch(method, target, body);
      assert.doesNotMatch(reply.text, /internal error/i, `${method} ${target} with ${what}`);
    }
  }
  for (const [method, path] of JSON_ROUTES)
    assert.ok(
      routes.some(
        (row) =>
          row.method === method &&
          (row.path === path || (row.path.endsWith("/*") && path.startsWith(row.path.slice(0, -1)))),
      ),
      `${method} ${path} is a route`,
    );
  await assertSound(agent);
});

test("keys that differ in case only, and keys twice: the last one counts, as in Go", async () => {
  const body = '{"Node": "first", "node": "second", "NODE": "third", "Address": "10.0.0.9"}';
  assert.equal((await agent.fetch("PUT", "/v1/catalog/register", body)).status, 200);
  assert.equal((await agent.fetch("GET", "/v1/catalog/node/third")).json().Node.Node, "third");
});
