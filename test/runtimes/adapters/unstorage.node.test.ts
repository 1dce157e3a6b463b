// What unstorage and its drivers do to keys and values, and what is left of it behind the adapter: nothing.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Miniflare } from "miniflare";
import { createStorage, type Driver } from "unstorage";
import fsLite from "unstorage/drivers/fs-lite";
import httpDriver from "unstorage/drivers/http";
import memory from "unstorage/drivers/memory";
import r2Binding from "unstorage/drivers/cloudflare-r2-binding";
import { fromUnstorage, openStorage } from "../../../runtimes/storage/unstorage.ts";
import { createClient } from "../../../src/client/index.ts";
import { FakeClock, settle } from "../../client/fake-clock.ts";
import { FakeConsul } from "../../client/fake-consul.ts";
import { temporaryDir } from "../../support/process.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | null | undefined): string | null => (value ? new TextDecoder().decode(value) : null);
/** Names that unstorage would take for one another, or for folders. */
const names = [
  "web",
  "web/",
  "/web",
  "a/b",
  "a//b",
  "a:b",
  "a",
  "a?b=1",
  "../a",
  "a/../b",
  "ä",
  "_",
  "_5f",
  "A",
  "a.snap",
];

async function keepsNamesApart(driver: Driver): Promise<void> {
  const storage = fromUnstorage(createStorage({ driver }));
  for (const name of names) await storage.set(name, bytes(name));
  for (const name of names) assert.equal(text(await storage.get(name)), name, `under ${name}`);
  assert.equal(await storage.get("none"), null);
  for (const name of ["", ".", ".."]) await assert.rejects(storage.set(name, bytes("x")), /is no name/);
}

/** Texts that unstorage would turn into something else, and bytes that are no text. */
const values = [
  ...["", "123", "true", "null", '{"a":1}', '"text"', "base64:aGk=", "12345678901234567890"].map(bytes),
  Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256),
];

async function keepsValues(driver: Driver): Promise<void> {
  const storage = fromUnstorage(createStorage({ driver }));
  for (const [at, value] of values.entries()) {
    await storage.set(`v${at}`, value);
    const read = await storage.get(`v${at}`);
    assert.ok(read instanceof Uint8Array);
    assert.deepEqual(Uint8Array.from(read), value, `value ${at}`);
  }
}

test("unstorage by itself merges these keys and guesses these values", async () => {
  const storage = createStorage({ driver: memory() });
  await storage.setItem("web/", "1");
  assert.equal(await storage.getItem("web"), 1);
  await storage.setItem("a/b", "null");
  assert.equal(await storage.getItem("a:b?x=1"), null);
});

test("memory: names stay apart, values stay bytes, and a later change to the array is not seen", async () => {
  await keepsNamesApart(memory());
  await keepsValues(memory());
  const storage = fromUnstorage(createStorage({ driver: memory() }));
  const value = bytes("abc");
  await storage.set("k", value);
  value.fill(0);
  assert.equal(text(await storage.get("k")), "abc");
});

test("files: names stay apart, none is a folder, none leaves its own", async () => {
  const dir = temporaryDir();
  try {
    await keepsNamesApart(fsLite({ base: dir.path }));
    await keepsValues(fsLite({ base: dir.path }));
    const entries = readdirSync(dir.path, { withFileTypes: true });
    assert.ok(entries.every((entry) => entry.isFile()));
    assert.ok(entries.length >= names.length);
    const storage = await openStorage(`file://${dir.path}/sub`);
    await storage.set("k", bytes("v"));
    assert.equal(text(await storage.get("k")), "v");
  } finally {
    dir.remove();
  }
});

test("a driver without raw values, as those of KV and Redis are, stores base64", async () => {
  const held = new Map<string, unknown>();
  const driver: Driver = {
    hasItem: (key) => held.has(key),
    getItem: (key) => (held.get(key) ?? null) as string | null,
    setItem: (key, value) => void held.set(key, value),
    getKeys: () => [...held.keys()],
  };
  await keepsNamesApart(driver);
  await keepsValues(driver);
  assert.ok([...held.values()].every((value) => typeof value === "string" && value.startsWith("base64:")));
});

test("whatever shape a driver gives bytes in, they are bytes", async () => {
  const shapes: [unknown, string][] = [
    [bytes("abc").buffer, "abc"],
    [Buffer.from("abc"), "abc"],
    [bytes("xabcx").subarray(1, 4), "abc"],
    ["abc", "abc"],
    [new Blob(["abc"]), "abc"],
    [new Response("abc").body, "abc"],
  ];
  for (const [shape, expected] of shapes) {
    const storage = fromUnstorage({
      getItemRaw: async () => shape,
      setItemRaw: async () => {},
      hasItem: async () => true,
    });
    assert.equal(text(await storage.get("k")), expected);
  }
  const odd = fromUnstorage({ getItemRaw: async () => 123, setItemRaw: async () => {}, hasItem: async () => true });
  await assert.rejects(async () => odd.get("k"), /instead of bytes/);
});

test("a web server: what is not there is null, and an error is one", async () => {
  const held = new Map<string, Buffer>();
  let isBroken = false;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url ?? "";
    if (isBroken && request.method !== "HEAD") return response.writeHead(403).end();
    if (request.method === "PUT") held.set(path, Buffer.concat(chunks));
    const found = held.get(path);
    return found === undefined ? response.writeHead(404).end() : response.end(found);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/store`;
  try {
    await keepsNamesApart(httpDriver({ base }));
    await keepsValues(httpDriver({ base }));
    const storage = await openStorage(base);
    await storage.set("k", bytes("v"));
    assert.equal(text(await storage.get("k")), "v");
    assert.equal(await storage.get("none"), null);
    isBroken = true;
    await assert.rejects(async () => storage.get("k"));
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("R2, by its binding", async () => {
  const worker = new Miniflare({ modules: true, script: "export default {}", r2Buckets: ["BUCKET"] });
  try {
    const binding = (await worker.getR2Bucket("BUCKET")) as never;
    await keepsNamesApart(r2Binding({ binding }));
    await keepsValues(r2Binding({ binding }));
  } finally {
    await worker.dispose();
  }
});

test("a place that cannot be opened says what to set or to install", async () => {
  await assert.rejects(openStorage("ftp://host/x"), /no storage for "ftp:": one of file, memory, http/);
  await assert.rejects(openStorage("s3://bucket/x"), /AWS_ACCESS_KEY_ID is not set/);
  await assert.rejects(openStorage("r2://bucket/x", { CLOUDFLARE_ACCOUNT_ID: "a" }), /R2_ACCESS_KEY_ID is not set/);
  const keys = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
  await assert.rejects(openStorage("s3://bucket/x", keys), /npm install unstorage aws4fetch/);
  await assert.rejects(openStorage("redis://127.0.0.1:6379/0/x"), /npm install unstorage ioredis/);
});

test("a client's second level in files: a new process starts from it while every server is gone", async () => {
  const dir = temporaryDir();
  try {
    const clock = new FakeClock();
    const consul = new FakeConsul(clock);
    consul.instances = [{ id: "a" }];
    const options = { fetch: consul.fetch, clock, storage: await openStorage(`file://${dir.path}`) };
    const first = createClient(options);
    await first.discover("web", { background: true }).ready();
    await settle(20);
    await first.close();
    consul.go("refused");
    const second = createClient(options);
    const { value, source, stale } = await second.discover("web", { background: true }).ready();
    assert.deepEqual([value.map(({ id }) => id), source, stale], [["a"], "storage", true]);
    await second.close();
  } finally {
    dir.remove();
  }
});
