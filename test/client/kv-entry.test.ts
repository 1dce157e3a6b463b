import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, createClient, json, text } from "../../src/client/index.ts";
import { FakeClock, settle, until } from "./fake-clock.ts";
import { FakeConsul } from "./fake-consul.ts";
import { FakeStore } from "./fake-store.ts";

interface Settings {
  color: string;
  limit?: number;
}
const checked = json((value: unknown): Settings => {
  if (typeof (value as Settings).color !== "string") throw new TypeError("no color");
  return value as Settings;
});

test("values have the type of their codec, there and back", async () => {
  const { agent } = new FakeStore();
  const { kv } = createClient({ fetch: agent.fetch });
  assert.equal(await kv.entry("j", checked).set({ color: "blue" }), true);
  assert.deepEqual((await kv.entry("j", checked).get()).value, { color: "blue" });
  assert.equal((await kv.entry("j", text).get()).value, '{"color":"blue"}');
  await kv.entry("b", bytes).set(new Uint8Array([0, 127]));
  assert.deepEqual((await kv.entry("b", bytes).get()).value, new Uint8Array([0, 127]));
  const absent = await kv.entry("none", text).get();
  assert.deepEqual(absent, { value: null, modifyIndex: 0, flags: 0, session: null });
});

test("what the codec cannot read is thrown", async () => {
  const store = new FakeStore();
  const { kv } = createClient({ fetch: store.agent.fetch });
  store.put("j", "{");
  await assert.rejects(kv.entry("j", checked).get(), SyntaxError);
  store.put("j", "{}");
  await assert.rejects(kv.entry("j", checked).get(), TypeError);
});

test("set with cas writes only over what was read", async () => {
  const store = new FakeStore();
  const entry = createClient({ fetch: store.agent.fetch }).kv.entry("k", text);
  assert.equal(await entry.set("a", { cas: 0 }), true);
  const { modifyIndex } = await entry.get();
  assert.equal(await entry.set("b", { cas: modifyIndex }), true);
  assert.equal(await entry.set("c", { cas: modifyIndex }), false);
  assert.equal(await entry.delete({ cas: modifyIndex }), false);
  assert.equal((await entry.get()).value, "b");
});

test("update reads, changes and writes, again when somebody was faster, and keeps the flags", async () => {
  const store = new FakeStore();
  const entry = createClient({ fetch: store.agent.fetch }).kv.entry("n", json<number>());
  assert.equal(await entry.update((value) => (value ?? 0) + 1), 1);
  let rivals = 3;
  const result = await entry.update(async (value) => {
    if (rivals > 0) store.put("n", String((value ?? 0) + 10), { Flags: "42" });
    rivals -= 1;
    return (value ?? 0) + 1;
  });
  assert.deepEqual([result, rivals], [32, -1]);
  assert.equal(store.entries.get("n")?.Flags, "42");
  assert.equal(await entry.update(() => null), null);
  assert.equal(store.entries.size, 0);
  assert.equal(await entry.update(() => null), null);
  await assert.rejects(
    entry.update(() => {
      store.put("n", "1");
      return 2;
    }),
    /changed by others 16 times/,
  );
});

test("many updates at a time lose none", async () => {
  const store = new FakeStore();
  const { kv } = createClient({ fetch: store.agent.fetch });
  await Promise.all(Array.from({ length: 8 }, () => kv.entry("n", json<number>()).update((value) => (value ?? 0) + 1)));
  assert.equal((await kv.entry("n", json<number>()).get()).value, 8);
});

test("a watch yields the value and each that differs", async () => {
  const store = new FakeStore();
  const controller = new AbortController();
  const seen: unknown[] = [];
  const watching = (async (): Promise<void> => {
    const entry = createClient({ fetch: store.agent.fetch }).kv.entry("k", text);
    for await (const { value } of entry.watch({ signal: controller.signal })) seen.push(value);
  })();
  await until(() => store.blocked === 1);
  store.put("k", "a");
  await until(() => seen.length === 2 && store.blocked === 1);
  store.put("k", "b");
  await until(() => seen.length === 3);
  controller.abort();
  await watching;
  assert.deepEqual(seen, [null, "a", "b"]);
});

interface Followed {
  clock: FakeClock;
  consul: FakeConsul;
  kv: ReturnType<typeof createClient>["kv"];
  close(): Promise<void>;
}
function followed(): Followed {
  const clock = new FakeClock();
  const consul = new FakeConsul(clock);
  const client = createClient({ fetch: consul.fetch, clock });
  return { clock, consul, kv: client.kv, close: () => client.close() };
}

test("a followed key is in memory, and a value that cannot be read leaves the one before", async () => {
  const { clock, consul, kv, close } = followed();
  const flag = kv.follow("flag", checked, { background: true });
  assert.equal((await flag.ready()).value, null);
  const change = async (value: string | null): Promise<void> => {
    await clock.advance(100);
    await until(() => consul.held === 1);
    consul.change(() => (value === null ? consul.keys.delete("flag") : consul.keys.set("flag", value)));
    await settle();
  };
  await change('{"color":"blue"}');
  assert.deepEqual(flag.lookup().value, { color: "blue" });
  await change("{}");
  const broken = flag.lookup();
  assert.deepEqual([broken.value, broken.stale], [{ color: "blue" }, true]);
  assert.ok(broken.error instanceof TypeError);
  await change('{"color":"red"}');
  assert.deepEqual([flag.lookup().value, flag.lookup().error], [{ color: "red" }, null]);
  await change(null);
  assert.equal(flag.lookup().value, null);
  await close();
});

test("followed keys are by their names after the prefix, and one that cannot be read does not hold up the others", async () => {
  const { clock, consul, kv, close } = followed();
  consul.keys = new Map([
    ["flags/a", '{"color":"blue"}'],
    ["flags/b", '{"color":"red"}'],
    ["other", "{}"],
  ]);
  const flags = kv.followTree("flags/", checked, { background: true });
  assert.deepEqual([...(await flags.ready()).value.keys()], ["a", "b"]);
  await clock.advance(100);
  await until(() => consul.held === 1);
  consul.change(() => {
    consul.keys.set("flags/a", "{");
    consul.keys.set("flags/b", '{"color":"green"}');
    consul.keys.set("flags/c", "{}");
  });
  await settle();
  const { value, error } = flags.lookup();
  assert.deepEqual(
    [...value],
    [
      ["a", { color: "blue" }],
      ["b", { color: "green" }],
    ],
  );
  assert.match(String(error), /flags\/a/);
  await close();
});
