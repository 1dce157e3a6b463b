// W1: 64-bit numbers are exact, whatever JavaScript's own numbers can hold.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

/** The Go client's lock flag, its semaphore flag (past 2^63), and the edges. */
const FLAGS = [
  "3304740253564472344",
  "16210313421097356768",
  "18446744073709551615",
  "9223372036854775808",
  "9007199254740993",
  "9007199254740991",
  "0",
];

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

for (const flags of FLAGS) {
  test(`W1: flags of ${flags} come back digit by digit, from a key, a list and a transaction`, async () => {
    assert.equal((await agent.fetch("PUT", `/v1/kv/w1/${flags}?flags=${flags}`, "x")).text.trim(), "true");
    const shown = new RegExp(`"Flags": ?${flags},`);
    assert.match((await agent.fetch("GET", `/v1/kv/w1/${flags}`)).text, shown);
    assert.match((await agent.fetch("GET", "/v1/kv/w1?recurse")).text, shown);
    const written = await agent.fetch(
      "PUT",
      "/v1/txn",
      `[{"KV":{"Verb":"set","Key":"w1/txn/${flags}","Value":"eA==","Flags":${flags}}}]`,
    );
    assert.equal(written.status, 200);
    assert.match(written.text, shown);
    const read = await agent.fetch("PUT", "/v1/txn", `[{"KV":{"Verb":"get","Key":"w1/txn/${flags}"}}]`);
    assert.match(read.text, shown);
    assert.match((await agent.fetch("GET", `/v1/kv/w1/txn/${flags}`)).text, shown);
  });
}

test("W1: a lock with the Go client's flag keeps it, through acquire and release", async () => {
  const { ID } = (await agent.fetch("PUT", "/v1/session/create", { Name: "go-lock" })).json();
  for (const step of ["acquire", "release"]) {
    assert.equal(
      (await agent.fetch("PUT", `/v1/kv/w1/lock?${step}=${ID}&flags=3304740253564472344`, "x")).text.trim(),
      "true",
    );
    assert.match((await agent.fetch("GET", "/v1/kv/w1/lock")).text, /"Flags": ?3304740253564472344,/);
  }
});

test("W1: the index of events, past 2^53, is written whole and accepted back", async () => {
  // The index is made of the event's random ID: of several, one is certainly past 2^53.
  const seen: bigint[] = [];
  for (let i = 0; i < 8; i++) {
    const fired = await agent.fetch("PUT", `/v1/event/fire/w1-${i}`, "payload");
    assert.equal(fired.status, 200);
    const listed = await agent.fetch("GET", "/v1/event/list");
    const index = listed.header("x-consul-index") as string;
    const halves = (fired.json().ID as string).replaceAll("-", "");
    assert.equal(index, String(BigInt(`0x${halves.slice(0, 16)}`) ^ BigInt(`0x${halves.slice(16)}`)));
    seen.push(BigInt(index));
    const waiting = agent.send("GET", `/v1/event/list?index=${index}&wait=5s`);
    await agent.advance(6000);
    assert.equal((await waiting.reply).header("x-consul-index"), index);
  }
  assert.ok(seen.some((index) => index > 2n ** 53n));
});

test("W1: indexes and lock counts past 2^53 are compared, not rounded", async () => {
  await agent.fetch("PUT", "/v1/kv/w1/cas", "x");
  const modified = (await agent.fetch("GET", "/v1/kv/w1/cas")).json()[0].ModifyIndex;
  for (const wrong of ["18446744073709551615", String(2n ** 64n - 2n ** 32n + BigInt(modified))])
    assert.equal((await agent.fetch("PUT", `/v1/kv/w1/cas?cas=${wrong}`, "y")).text.trim(), "false");
  const txn = await agent.fetch(
    "PUT",
    "/v1/txn",
    `[{"KV":{"Verb":"cas","Key":"w1/cas","Value":"eQ==","Index":18446744073709551615}}]`,
  );
  assert.equal(txn.status, 409);
});
