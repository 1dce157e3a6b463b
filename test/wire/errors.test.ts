// W6: errors are plain text with the phrases that clients look for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent, type TestReply } from "../support/agent.ts";
import { startLeaderlessAgent } from "./leaderless.ts";

const NO_SUCH_ID = "00000000-0000-0000-0000-000000000000";
const KIB_512 = 512 * 1024;

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

function assertText(reply: TestReply, status: number, phrase: RegExp): void {
  assert.match(reply.text, phrase);
  assert.equal(reply.status, status);
  assert.match(reply.header("content-type") ?? "none", /^text\/plain/);
}

test("W6: a session's TTL out of range: the body starts with Invalid Session TTL", async () => {
  for (const TTL of ["1s", "9.98s", "25h"])
    assertText(await agent.fetch("PUT", "/v1/session/create", { TTL }), 500, /^Invalid Session TTL/);
});

test("W6: a lock for a session that is gone says invalid session", async () => {
  assertText(
    await agent.fetch("PUT", `/v1/kv/w6?acquire=${NO_SUCH_ID}`, "x"),
    500,
    /^raft apply failed: invalid session "/,
  );
  // In a transaction it is what the operation's error starts with, in JSON and with 409.
  const txn = await agent.fetch("PUT", "/v1/txn", [
    { KV: { Verb: "lock", Key: "w6", Value: "eA==", Session: NO_SUCH_ID } },
  ]);
  assert.equal(txn.status, 409);
  assert.match(txn.json().Errors[0].What, /^invalid session "/);
});

test("W6: a failed transaction is 409, with the operation and the reason of each failure", async () => {
  const reply = await agent.fetch("PUT", "/v1/txn", [
    { KV: { Verb: "set", Key: "w6/fine", Value: "eA==" } },
    { KV: { Verb: "check-index", Key: "w6/absent", Index: 7 } },
  ]);
  assert.equal(reply.status, 409);
  const { Results, Errors } = reply.json();
  assert.equal(Results, null);
  assert.equal(Errors[0].OpIndex, 1);
  assert.equal((await agent.fetch("GET", "/v1/kv/w6/fine")).status, 404);
});

test("W6: a value past its limit is 413 and too large", async () => {
  const value = new Uint8Array(KIB_512 + 1);
  assertText(await agent.fetch("PUT", "/v1/kv/w6/large", value), 413, /too large/);
  assert.equal((await agent.fetch("PUT", "/v1/kv/w6/large", value.subarray(1))).text.trim(), "true");
  const Value = Buffer.from(value).toString("base64");
  assertText(
    await agent.fetch("PUT", "/v1/txn", [{ KV: { Verb: "set", Key: "w6/large", Value } }]),
    413,
    /Value for key "w6\/large" is too large|too large/,
  );
});

test("W6: a transaction of too many operations is 413 and too many", async () => {
  const operations = Array.from({ length: 129 }, (_, at) => ({ KV: { Verb: "get-or-empty", Key: `w6/${at}` } }));
  assertText(await agent.fetch("PUT", "/v1/txn", operations), 413, /too many operations \(129 > 128\)/);
  assert.equal((await agent.fetch("PUT", "/v1/txn", operations.slice(1))).status, 200);
});

test("W6: without a leader, reads and writes are told No cluster leader", async () => {
  const alone = await startLeaderlessAgent();
  try {
    for (const [method, path] of [
      ["GET", "/v1/kv/a"],
      ["PUT", "/v1/kv/a"],
      ["GET", "/v1/health/service/a"],
      ["PUT", "/v1/session/create"],
    ] as const) {
      const waiting = alone.send(method, path, method === "PUT" ? "{}" : undefined);
      await alone.advance(60_000);
      assertText(await waiting.reply, 500, /^No cluster leader$/);
    }
    assert.equal((await alone.fetch("GET", "/v1/kv/a?stale")).status, 404, "a stale read needs none");
  } finally {
    await alone.stop();
  }
});

test("W6: with ACLs off, their routes are told so", async () => {
  assertText(await agent.fetch("PUT", "/v1/agent/token/default", { Token: "x" }), 401, /^ACL support disabled/);
});
