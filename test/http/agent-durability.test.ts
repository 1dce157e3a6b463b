// Registrations on a disk that fails: nothing of one that was refused is left, in memory or on the disk.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { MemoryBlobs } from "../../src/host/memory-store.ts";
import { OperationalError } from "../../src/types/error.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

class FailingBlobs extends MemoryBlobs {
  failure: Error | null = null;
  override write(name: string, bytes: Uint8Array): Promise<void> {
    return this.failure === null ? super.write(name, bytes) : Promise.reject(this.failure);
  }
}

const FLAGS = ["-server", "-bootstrap-expect=1", "-data-dir=/unused"];
const blobs = new FailingBlobs();
let agent: TestAgent;

before(async () => {
  agent = await startTestAgent({ flags: FLAGS, blobs });
  await agent.advance(10_000);
  assert.equal(
    (await agent.fetch("PUT", "/v1/agent/service/register", { Name: "web", Port: 1, Check: { TTL: "1m" } })).status,
    200,
  );
});
after(() => agent.stop());
beforeEach(() => {
  blobs.failure = null;
});

const state = async (): Promise<unknown> => [
  (await agent.fetch("GET", "/v1/agent/services")).json(),
  (await agent.fetch("GET", "/v1/agent/checks")).json(),
];

const refusals: [string, string, object | undefined][] = [
  ["a new service", "/v1/agent/service/register", { Name: "db", Check: { TTL: "1m" } }],
  ["a changed service", "/v1/agent/service/register?replace-existing-checks", { Name: "web", Port: 2 }],
  ["a new check", "/v1/agent/check/register", { Name: "node", TTL: "1m" }],
  ["maintenance mode of the node", "/v1/agent/maintenance?enable=true", undefined],
  ["maintenance mode of a service", "/v1/agent/service/maintenance/web?enable=true", undefined],
];
for (const [what, path, body] of refusals) {
  test(`${what} that cannot be written down is answered with 500 and the reason, and is not there`, async () => {
    const before = await state();
    const names = (await blobs.list("")).filter((name) => /^(services|checks)/.test(name));
    blobs.failure = new OperationalError("disk-full", "no space left on device");
    const reply = await agent.fetch("PUT", path, body);
    assert.equal(reply.status, 500);
    assert.match(reply.text, /failed to persist (services|checks)\/.*: no space left on device/);
    assert.deepEqual(await state(), before);
    blobs.failure = null;
    // What could not be put back either is tried again with the next change.
    await agent.fetch("PUT", "/v1/agent/service/register", { Name: "next" });
    await agent.fetch("PUT", "/v1/agent/service/deregister/next");
    assert.deepEqual(
      (await blobs.list("")).filter((name) => /^(services|checks)/.test(name)),
      names,
    );
    assert.equal((await agent.fetch("PUT", path, body)).status, 200, "it can be tried again");
    await agent.fetch("PUT", path.replace("enable=true", "enable=false"), body);
    await agent.fetch("PUT", "/v1/agent/service/register", { Name: "web", Port: 1, Check: { TTL: "1m" } });
  });
}

test("what was refused does not reach the catalog, or leaves it again", async () => {
  blobs.failure = new Error("broken");
  assert.equal((await agent.fetch("PUT", "/v1/agent/service/register", { Name: "ghost" })).status, 500);
  await agent.advance(60_000);
  assert.deepEqual((await agent.fetch("GET", "/v1/catalog/service/ghost")).json(), []);
});

test("checks that a registration does not name go only for replace-existing-checks alone or true", async () => {
  for (const [value, replaces] of [
    ["", false],
    ["?replace-existing-checks", true],
    ["?replace-existing-checks=", true],
    ["?replace-existing-checks=true", true],
    ["?replace-existing-checks=false", false],
    ["?replace-existing-checks=1", false],
    ["?replace-existing-checks=True", false],
  ] as const) {
    await agent.fetch("PUT", "/v1/agent/service/register", { Name: "many", Check: { CheckID: "old", TTL: "1m" } });
    const reply = await agent.fetch("PUT", `/v1/agent/service/register${value}`, { Name: "many" });
    assert.equal(reply.status, 200);
    assert.equal("old" in (await agent.fetch("GET", "/v1/agent/checks")).json(), !replaces, value);
  }
});
