import assert from "node:assert/strict";
import { test } from "node:test";
import { cipher } from "../../runtimes/node/cipher.ts";
import { MemoryBlobs } from "../../src/host/memory-store.ts";
import { isSealed } from "../../src/rpc/sealed-form.ts";
import { text, utf8 } from "../../src/util/bytes.ts";
import { startTestAgent, type TestAgent, type TestAgentOptions } from "../support/agent.ts";

const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY = "ICEiIyQlJicoKSorLC0uLw==";
const DURABLE = ["-server", "-bootstrap-expect=1", "-data-dir=/data"];
const FILE = "serf/local.keyring";

async function withAgent(
  options: TestAgentOptions,
  body: (agent: TestAgent, blobs: MemoryBlobs) => Promise<void>,
): Promise<void> {
  const blobs = (options.blobs as MemoryBlobs | undefined) ?? new MemoryBlobs();
  const agent = await startTestAgent({ platform: { cipher }, ...options, blobs });
  try {
    await body(agent, blobs);
  } finally {
    await agent.stop();
  }
}

const keys = async (agent: TestAgent): Promise<unknown> =>
  (await agent.fetch("GET", "/v1/operator/keyring?local-only=true")).json();

test("encrypt: a platform that cannot encrypt refuses to start", async () => {
  await assert.rejects(startTestAgent({ flags: ["-dev", `-encrypt=${KEY}`] }), {
    code: "unsupported",
    message: /^encrypt: .*`cipher`/,
  });
});

test("encrypt: the key that is given first is kept and counts at later starts, with a warning when another is given", async () => {
  const blobs = new MemoryBlobs();
  await withAgent({ flags: [...DURABLE, `-encrypt=${KEY}`], blobs }, async (agent) => {
    assert.deepEqual(JSON.parse(text((await blobs.read(FILE)) as Uint8Array)), [KEY]);
    assert.ok(agent.agent.encryption.enabled);
  });
  await withAgent({ flags: DURABLE, blobs }, async (agent) => {
    assert.match(JSON.stringify(await keys(agent)), new RegExp(KEY));
    assert.ok(!agent.platform.logs.some(({ message }) => message.includes("keyring")));
  });
  await withAgent({ flags: [...DURABLE, `-encrypt=${OTHER_KEY}`], blobs }, async (agent) => {
    assert.match(JSON.stringify(await keys(agent)), new RegExp(KEY));
    assert.ok(agent.platform.logs.some(({ level, message }) => level === "warn" && message.includes("keyring")));
  });
});

test("encrypt: with disable_keyring_file nothing is kept, and nothing kept counts", async () => {
  const blobs = new MemoryBlobs();
  await blobs.write(FILE, utf8(JSON.stringify([OTHER_KEY])));
  const settings = { disable_keyring_file: true };
  await withAgent({ flags: [...DURABLE, `-encrypt=${KEY}`], settings, blobs }, async (agent) => {
    assert.match(JSON.stringify(await keys(agent)), new RegExp(KEY));
    assert.deepEqual(JSON.parse(text((await blobs.read(FILE)) as Uint8Array)), [OTHER_KEY]);
  });
  await withAgent({ flags: DURABLE, settings, blobs }, async (agent) => {
    assert.equal(agent.agent.encryption.enabled, false);
  });
});

for (const [name, bytes] of [
  ["no JSON", "["],
  ["no list", "{}"],
  ["an empty list", "[]"],
  ["a number in it", "[1]"],
  ["no base64", '["?"]'],
  ["a short key", '["AAAA"]'],
] as const)
  test(`encrypt: a keyring with ${name} stops the start and says what to do`, async () => {
    const blobs = new MemoryBlobs();
    await blobs.write(FILE, utf8(bytes));
    await assert.rejects(startTestAgent({ flags: DURABLE, blobs, platform: { cipher } }), {
      code: "invalid-request",
      message: /^the keyring serf\/local\.keyring .* is faulty: .+; mend it, or remove it/,
    });
  });

test("encrypt: the keyring is listed as Consul lists it; rotation is not in this build", async () => {
  await withAgent({ flags: ["-dev", `-encrypt=${KEY}`] }, async (agent) => {
    const pool = (WAN: boolean): unknown => ({
      WAN,
      Datacenter: "dc1",
      Segment: "",
      Keys: { [KEY]: 1 },
      PrimaryKeys: { [KEY]: 1 },
      NumNodes: 1,
    });
    assert.deepEqual(structuredClone((await agent.fetch("GET", "/v1/operator/keyring")).json()), [
      pool(true),
      pool(false),
    ]);
    assert.deepEqual(structuredClone(await keys(agent)), [pool(false)]);
    for (const method of ["POST", "PUT", "DELETE"]) {
      const reply = await agent.fetch(method, "/v1/operator/keyring", { Key: KEY });
      assert.ok(reply.status >= 500, String(reply.status));
      assert.match(reply.text, /not rotated in this build/);
    }
    const stats = (await agent.fetch("GET", "/v1/agent/self")).json().Stats;
    assert.deepEqual([stats.serf_lan.encrypted, stats.serf_wan.encrypted], ["true", "true"]);
  });
});

test("encrypt: no answer of the API and no line of the log has the key in it, but the keyring's", async () => {
  await withAgent({ flags: ["-dev", `-encrypt=${KEY}`] }, async (agent) => {
    for (const path of ["/v1/agent/self", "/v1/agent/metrics", "/v1/agent/host"])
      assert.ok(!(await agent.fetch("GET", path)).text.includes(KEY), path);
    assert.ok(!JSON.stringify(agent.platform.logs).includes(KEY));
  });
});

test("encrypt: an agent without a key answers an encrypted call with that it has none", async () => {
  await withAgent({ flags: ["-dev"] }, async (agent) => {
    const sealed = Uint8Array.of(0xf5, 0x50, 0x43, 0x53, 1, 1, 2, 3);
    const reply = await agent.running.peer("/rpc/1/call", sealed, "192.0.2.1");
    assert.ok(isSealed(reply));
    assert.equal(reply.length, 7);
  });
});

test("encrypt: encrypt_verify_incoming and encrypt_verify_outgoing say what is sealed and what is taken", async () => {
  for (const [incoming, outgoing] of [
    [true, true],
    [false, false],
  ] as const) {
    const sent: Uint8Array[] = [];
    const peers = {
      call: (_address: string, _path: string, body: Uint8Array) => {
        sent.push(body);
        return Promise.resolve(new Uint8Array(1));
      },
    };
    const settings = { encrypt_verify_incoming: incoming, encrypt_verify_outgoing: outgoing };
    const options = { flags: ["-dev", `-encrypt=${KEY}`], settings, platform: { cipher, peers } };
    await withAgent(options, async ({ agent, running }) => {
      await agent.encryption.peers.call("x:1", "/p", Uint8Array.of(1), 1000).catch(() => {});
      assert.equal(isSealed(sent[0] as Uint8Array), outgoing);
      const reply = text(await running.peer("/rpc/1/call", Uint8Array.of(0x50, 1, 0), "192.0.2.1"));
      assert.equal(reply.includes("takes encrypted calls only"), incoming);
      // In the clear the call is opened, and found to be malformed.
      assert.equal(agent.encryption.refused, incoming ? 2 : 1);
    });
  }
});
