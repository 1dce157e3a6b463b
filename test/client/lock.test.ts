import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../src/client/index.ts";
import { acquireLock, ClientError, createClient, LockConflict, TimeoutError } from "../../src/client/index.ts";
import { acquireSemaphore } from "../../src/client/semaphore.ts";
import { FakeClock, settle, until } from "./fake-clock.ts";
import { FakeStore } from "./fake-store.ts";

interface World {
  store: FakeStore;
  client: Client;
  clock: FakeClock;
  options: { sleep(ms: number, signal?: AbortSignal): Promise<void>; now(): number };
}
function world(): World {
  const store = new FakeStore();
  const clock = new FakeClock();
  const options = { sleep: clock.sleep, now: clock.now };
  return { store, client: createClient({ fetch: store.agent.fetch }), clock, options };
}
const aborted = (signal: AbortSignal): Promise<void> => until(() => signal.aborted);

test("a free lock is taken at once, and its key is gone after release and cleaning up", async () => {
  const { store, client, options } = world();
  const lock = await acquireLock(client, "a/.lock", { ...options, value: "me", sessionName: "mine" });
  assert.ok(lock);
  const entry = store.entries.get("a/.lock");
  assert.deepEqual(
    [entry?.Session, entry?.Flags, atob(entry?.Value ?? "")],
    [lock.session, "3304740253564472344", "me"],
  );
  assert.deepEqual(store.sessions.get(lock.session), { Name: "mine", TTL: "15s" });
  assert.equal(lock.lost.aborted, false);
  await lock.release();
  assert.deepEqual([...store.sessions], []);
  assert.equal(await lock.cleanUp(), true);
  assert.deepEqual([...store.entries], []);
});

test("a lock that is taken is waited for, and cleaning up leaves it to its new owner", async () => {
  const { store, client, options } = world();
  const first = await acquireLock(client, "k", options);
  assert.ok(first);
  const waiting = acquireLock(client, "k", options);
  await until(() => store.blocked === 2);
  await first.release();
  const second = await waiting;
  assert.ok(second);
  assert.equal(store.entries.get("k")?.Session, second.session);
  assert.equal(await first.cleanUp(), false);
  assert.ok(store.entries.has("k"));
  await second.release();
});

test("an attempt with a limit ends without the lock when the time is up", async () => {
  const { store, client, clock, options } = world();
  const first = await acquireLock(client, "k", options);
  assert.ok(first);
  const trying = acquireLock(client, "k", { ...options, tryForMs: 5_000 });
  await until(() => store.blocked === 2);
  assert.match(store.agent.lines.at(-1) ?? "", /wait=5000ms/);
  await clock.advance(5_001);
  store.changed();
  assert.equal(await trying, null);
  assert.equal(store.sessions.size, 1);
  await first.release();
});

test("an aborted attempt ends without the lock and without its session", async () => {
  const { store, client, options } = world();
  const first = await acquireLock(client, "k", options);
  const controller = new AbortController();
  const trying = acquireLock(client, "k", { ...options, signal: controller.signal });
  await until(() => store.blocked === 2);
  controller.abort();
  assert.equal(await trying, null);
  assert.equal(store.sessions.size, 1);
  await first?.release();
});

test("a lock delay is waited out", async () => {
  const { store, client, clock, options } = world();
  store.delayed.add("k");
  const trying = acquireLock(client, "k", options);
  await until(() => [...clock.sleeps].some(({ until }) => until === 5_000));
  store.delayed.clear();
  await clock.advance(5_000);
  const lock = await trying;
  assert.ok(lock);
  await lock.release();
});

test("a key that is no lock is refused", async () => {
  const { store, client, options } = world();
  store.put("k", "a value");
  await assert.rejects(acquireLock(client, "k", options), LockConflict);
  assert.equal(store.sessions.size, 0);
});

test("a lock is lost when its session ends", async () => {
  const { store, client, options } = world();
  const lock = await acquireLock(client, "k", options);
  assert.ok(lock);
  await until(() => store.blocked === 1);
  store.expire(lock.session);
  await aborted(lock.lost);
});

test("a lock is lost when someone takes the key away", async () => {
  const { store, client, options } = world();
  const lock = await acquireLock(client, "k", options);
  assert.ok(lock);
  await until(() => store.blocked === 1);
  store.entries.delete("k");
  store.changed();
  await aborted(lock.lost);
});

test("a session is renewed at half its TTL, and is lost when the agent does not know it", async () => {
  const { store, client, clock, options } = world();
  const lock = await acquireLock(client, "k", options);
  assert.ok(lock);
  const renewals = (): number => store.agent.lines.filter((line) => line.startsWith("PUT /v1/session/renew")).length;
  for (let count = 1; count <= 3; count++) {
    await settle();
    await until(() => [...clock.sleeps].some(({ until }) => until === clock.now() + 7_500));
    await clock.advance(7_500);
    await until(() => renewals() === count);
  }
  assert.equal(lock.lost.aborted, false);
  await until(() => clock.sleeps.size === 1);
  store.sessions.delete(lock.session);
  await clock.advance(7_500);
  await aborted(lock.lost);
});

test("failed reads lose the lock only when there are more in a row than retries", async () => {
  for (const [failures, isLost] of [
    [2, false],
    [3, true],
  ] as const) {
    const { store, client, clock, options } = world();
    const lock = await acquireLock(client, "k", { ...options, monitorRetries: 2, monitorRetryMs: 1_000 });
    assert.ok(lock);
    await until(() => store.blocked === 1);
    store.failReads = 500;
    store.changed();
    for (let failure = 1; failure < failures; failure++) {
      await until(() => [...clock.sleeps].some(({ until }) => until === clock.now() + 1_000));
      await clock.advance(1_000);
    }
    if (!isLost) {
      await until(() => [...clock.sleeps].some(({ until }) => until === clock.now() + 1_000));
      store.failReads = 0;
      await clock.advance(1_000);
      await until(() => store.blocked === 1);
    }
    if (isLost) await aborted(lock.lost);
    assert.equal(lock.lost.aborted, isLost);
    store.failReads = 0;
    await lock.release();
  }
});

test("a semaphore lets in as many as its limit, then waits", async () => {
  const { store, client, options } = world();
  const first = await acquireSemaphore(client, "s", 2, options);
  const second = await acquireSemaphore(client, "s/", 2, options);
  assert.ok(first && second);
  const lockEntry = store.entries.get("s/.lock");
  assert.equal(lockEntry?.Flags, "16210313421097356768");
  assert.deepEqual(JSON.parse(atob(lockEntry?.Value ?? "")), {
    Limit: 2,
    Holders: { [first.session]: true, [second.session]: true },
  });
  assert.equal(store.entries.get(`s/${first.session}`)?.Session, first.session);
  const waiting = acquireSemaphore(client, "s", 2, options);
  await until(() => store.blocked === 3);
  await first.release();
  const third = await waiting;
  assert.ok(third);
  assert.equal(await first.cleanUp(), false);
  await second.release();
  await third.release();
  assert.equal(await third.cleanUp(), true);
  assert.deepEqual([...store.entries], []);
});

test("a semaphore's dead holder is put out", async () => {
  const { store, client, options } = world();
  const first = await acquireSemaphore(client, "s", 1, options);
  assert.ok(first);
  await until(() => store.blocked === 1);
  store.expire(first.session);
  await aborted(first.lost);
  const second = await acquireSemaphore(client, "s", 1, options);
  assert.ok(second);
  const { Value = "" } = store.entries.get("s/.lock") ?? {};
  assert.deepEqual(JSON.parse(atob(Value)), { Limit: 1, Holders: { [second.session]: true } });
  await second.release();
});

test("a semaphore with another limit, or a key that is none, is refused", async () => {
  const { store, client, options } = world();
  const first = await acquireSemaphore(client, "s", 2, options);
  await assert.rejects(acquireSemaphore(client, "s", 3, options), LockConflict);
  await first?.release();
  store.put("t/.lock", "x", { Flags: "0" });
  await assert.rejects(acquireSemaphore(client, "t", 3, options), LockConflict);
});

test("an agent that refuses is told, and no session stays", async () => {
  const { store, client, options } = world();
  store.failReads = 403;
  await assert.rejects(acquireLock(client, "k", options), ClientError);
  assert.equal(store.sessions.size, 0);
});

test("a lock's fencing number grows from holder to holder, also when the key was deleted between", async () => {
  const { store, client, options } = world();
  let before: number | bigint = 0;
  for (let holder = 0; holder < 3; holder += 1) {
    const lock = await acquireLock(client, "k", options);
    assert.ok(lock);
    assert.ok(lock.fence > before, `${lock.fence} after ${before}`);
    assert.ok(lock.fence >= (store.entries.get("k")?.ModifyIndex ?? Infinity));
    before = lock.fence;
    await lock.release();
    if (holder === 0) assert.equal(await lock.cleanUp(), true);
  }
  const semaphore = await acquireSemaphore(client, "s", 2, options);
  assert.ok(semaphore && semaphore.fence > before);
  await semaphore.release();
});

test("a lock's guard names its key and session", async () => {
  const { client, options } = world();
  const lock = await acquireLock(client, "k", options);
  assert.deepEqual(lock?.guard, { KV: { Verb: "check-session", Key: "k", Session: lock?.session } });
  await lock?.release();
});

test("`using` gives a lock back, once", async () => {
  const { store, client, options } = world();
  {
    await using lock = await acquireLock(client, "k", options);
    assert.equal(store.entries.get("k")?.Session, lock?.session);
    await lock?.release();
  }
  assert.deepEqual([...store.sessions], []);
  assert.equal(store.agent.lines.filter((line) => line.includes("release=")).length, 1);
});

test("a lock is lost after its TTL when the agent says nothing at all", async () => {
  const { store, client, clock, options } = world();
  const lock = await acquireLock(client, "k", options);
  assert.ok(lock);
  store.isSilent = true;
  await until(() => [...clock.sleeps].some(({ until }) => until === 7_500));
  await clock.advance(7_500);
  await until(() => [...clock.sleeps].some(({ until }) => until === 15_000));
  assert.equal(lock.lost.aborted, false);
  await clock.advance(7_500);
  await until(() => {
    void clock.advance(0);
    return lock.lost.aborted;
  });
  let gaveUp: unknown = null;
  lock.release().catch((error: unknown) => (gaveUp = error));
  await until(() => {
    void clock.advance(5_000);
    return gaveUp !== null;
  });
  assert.ok(gaveUp instanceof TimeoutError);
  assert.equal(clock.sleeps.size, 0);
});

test("a lock that is taken away before it is confirmed is contended for again", async () => {
  const { store, client, options } = world();
  store.onAcquired = (key) => {
    store.onAcquired = () => {};
    const entry = store.entries.get(key);
    if (entry !== undefined) delete entry.Session;
  };
  const lock = await acquireLock(client, "k", options);
  assert.ok(lock);
  assert.equal(store.entries.get("k")?.Session, lock.session);
  assert.equal(store.agent.lines.filter((line) => line.includes("acquire=")).length, 2);
  await lock.release();
});
