// W5, W15, W16: what every answer says of who gave it and how it was read.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";
import { blockingPaths, withParam } from "./blocking-routes.ts";

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent();
});
after(() => agent.stop());

test("W5: every read says that there is a leader, and how long ago it was heard, as an integer", async () => {
  for (const path of blockingPaths) {
    for (const mode of ["", "stale", "consistent"]) {
      const reply = await agent.fetch("GET", mode === "" ? path : withParam(path, mode));
      // What its endpoint refuses (an unknown query) has a read's headers with nothing in them, as Consul's have.
      if (reply.status === 404 && reply.text !== "") continue;
      assert.equal(reply.header("x-consul-knownleader"), "true", `${path} ${mode}`);
      assert.match(reply.header("x-consul-lastcontact") ?? "none", /^\d+$/, `${path} ${mode}`);
    }
  }
});

test("W15: /v1/status/leader is a JSON string: an address with a leader, empty without one", async () => {
  assert.match((await agent.fetch("GET", "/v1/status/leader")).text, /^"127\.0\.0\.1:\d+"$/);
  const alone = await startTestAgent();
  try {
    Object.defineProperty(alone.agent.calls, "groupStatus", { value: () => ({ leader: "", voters: [] }) });
    const reply = await alone.fetch("GET", "/v1/status/leader");
    assert.equal(reply.status, 200);
    assert.equal(reply.text, '""');
    assert.equal(reply.json(), "");
  } finally {
    await alone.stop();
  }
});

test("W16: every read takes stale, consistent and cached, and says how it was read", async () => {
  for (const path of blockingPaths) {
    const { status } = await agent.fetch("GET", path);
    for (const mode of ["stale", "consistent", "cached", "stale=true", "max_stale=10s", "cached&stale"]) {
      const reply = await agent.fetch("GET", withParam(path, mode));
      assert.equal(reply.status, status, `${path} ${mode}: ${reply.text}`);
      assert.equal(reply.header("x-consul-default-acl-policy"), "allow", `${path} ${mode}`);
      if (status === 200) assert.equal(reply.header("x-consul-query-backend"), "blocking-query", `${path} ${mode}`);
    }
  }
});

test("W16: the catalog and health say the consistency that they had", async () => {
  const told = new Map([
    ["", "leader"],
    ["stale", "stale"],
    ["consistent", "consistent"],
  ]);
  for (const path of blockingPaths.filter((path) => /^\/v1\/(catalog|health)\//.test(path)))
    for (const [mode, consistency] of told)
      assert.equal(
        (await agent.fetch("GET", mode === "" ? path : withParam(path, mode))).header("x-consul-effective-consistency"),
        consistency,
        `${path} ${mode}`,
      );
});

test("W16: a cached read says whether it was a hit, and of a hit its age in seconds", async () => {
  for (const path of [
    "/v1/health/service/consul",
    "/v1/catalog/service/consul",
    "/v1/catalog/services",
    "/v1/health/connect/consul",
    "/v1/catalog/connect/consul",
  ]) {
    assert.equal((await agent.fetch("GET", path)).header("x-cache"), null, path);
    const words = new Set<string | null>();
    for (let i = 0; i < 3; i++) {
      const reply = await agent.fetch("GET", withParam(path, "cached"));
      words.add(reply.header("x-cache"));
      if (reply.header("x-cache") === "HIT") assert.match(reply.header("age") ?? "none", /^\d+$/, path);
      else assert.equal(reply.header("x-cache"), "MISS", path);
    }
    assert.ok(words.has("HIT"), `${path}: ${[...words].join()}`);
  }
});
