// What the client does against a real agent, by the runtime's own `fetch`, clock and timers. Run on every runtime.
import assert from "node:assert/strict";
import { createClient, json, text } from "../../../src/client/index.ts";

const address = (base: string): { address: string; hostname: string; port: number } => {
  const { hostname, port, origin } = new URL(base);
  return { address: origin, hostname, port: Number(port) };
};
const unique = (): string => Math.random().toString(36).slice(2);

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds();) {
    if (Date.now() > end) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Name and test; each works in keys and names of its own. */
export const live: [string, (base: string) => Promise<void>][] = [
  [
    "live: keys are written, read, changed by compare-and-set, and followed",
    async (base) => {
      await using consul = createClient({ address: address(base).address });
      const key = `live/${unique()}`;
      const entry = consul.kv.entry(key, json<{ n: number }>());
      assert.equal(await entry.set({ n: 1 }), true);
      assert.deepEqual(await entry.update((value) => ({ n: (value?.n ?? 0) + 1 })), { n: 2 });
      const followed = consul.kv.follow(key, json<{ n: number }>(), { background: true });
      assert.deepEqual((await followed.ready()).value, { n: 2 });
      await entry.set({ n: 3 });
      await eventually("the change is seen", () => followed.lookup().value?.n === 3);
      assert.equal(followed.lookup().stale, false);
      await entry.delete();
      await eventually("the deletion is seen", () => followed.lookup().value === null);
    },
  ],
  [
    "live: a service registers itself, is discovered and called, and is gone after close",
    async (base) => {
      const { address: origin, hostname, port } = address(base);
      await using consul = createClient({ address: origin });
      const Name = `web-${unique()}`;
      const web = consul.discover(Name, { background: true });
      assert.deepEqual((await web.ready()).value, []);
      const registration = await consul.register({ Name, Address: hostname, Port: port }, { ttlMs: 5_000 });
      await eventually("the instance is there", () => web.lookup().value.length === 1);
      const response = await web.fetch("/up/hello", { method: "POST", body: "you" });
      assert.equal(await response.text(), "hello you");
      await registration.close();
      await eventually("the instance is gone", () => web.lookup().value.length === 0);
    },
  ],
  [
    "live: without a background, a look-up is a request, and then memory",
    async (base) => {
      await using consul = createClient({ address: address(base).address });
      const agent = consul.discover("consul", { background: false });
      const first = await agent.ready();
      assert.ok(first.value.length >= 1);
      assert.deepEqual([first.source, first.stale, first.error], ["server", false, null]);
      assert.equal(agent.lookup().value, first.value);
    },
  ],
  [
    "live: one lock, one holder, and each its greater number; writes behind its guard",
    async (base) => {
      await using consul = createClient({ address: address(base).address });
      const key = `live/${unique()}`;
      const first = await consul.lock(key, { value: "a" });
      assert.ok(first);
      assert.equal(await consul.lock(key, { tryForMs: 100 }), null);
      const guarded = { KV: { Verb: "set", Key: `${key}-data`, Value: "x" } };
      assert.equal((await consul.txn([first.guard, guarded])).ok, true);
      const { fence } = first;
      await first.release();
      assert.equal((await consul.txn([first.guard, guarded])).ok, false);
      const second = await consul.lock(key);
      assert.ok(second && second.fence > fence, `${second?.fence} after ${fence}`);
      await second.release();
      await second.cleanUp();
      assert.equal((await consul.kv.entry(`${key}-data`, text).get()).value, "x");
    },
  ],
];
