import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryLogStore } from "../../src/host/memory-store.ts";
import type { LogBatch } from "../../src/platform.ts";
import { LockDelays } from "../../src/server/lock-delays.ts";
import { startTestAgent } from "../support/agent.ts";

/** A log whose writes are durable only when the test says so. */
class HeldLog extends MemoryLogStore {
  isHeld = false;
  readonly #held: (() => void)[] = [];
  override append(batch: LogBatch): void | Promise<void> {
    if (!this.isHeld) return super.append(batch);
    return new Promise((resolve) => {
      this.#held.push(() => {
        super.append(batch);
        resolve();
      });
    });
  }
  release(): void {
    this.isHeld = false;
    for (const write of this.#held.splice(0)) write();
  }
}

test("a lock that is asked for while its holder's end is in the log and not applied is refused, in a transaction too", async () => {
  for (const isTxn of [false, true]) {
    const log = new HeldLog();
    const agent = await startTestAgent({ flags: ["-server", "-bootstrap-expect=1", "-data-dir=/data"], log });
    const create = async (): Promise<string> =>
      (await agent.fetch("PUT", "/v1/session/create", { LockDelay: "15s", Checks: [] })).json().ID;
    const [one, other] = [await create(), await create()];
    assert.equal((await agent.fetch("PUT", `/v1/kv/k?acquire=${one}`, "1")).text, "true");
    log.isHeld = true;
    const ended = agent.send("PUT", `/v1/session/destroy/${one}`);
    const taken = isTxn
      ? agent.send("PUT", "/v1/txn", [{ KV: { Verb: "lock", Key: "k", Value: "Mg==", Session: other } }])
      : agent.send("PUT", `/v1/kv/k?acquire=${other}`, "2");
    await agent.settle();
    log.release();
    assert.equal((await ended.reply).text, "true");
    const reply = await taken.reply;
    if (isTxn) assert.match(reply.text, /already held/);
    else assert.equal(reply.text, "false");
    // The delay goes by, and only then it is free.
    assert.equal((await agent.fetch("PUT", `/v1/kv/k?acquire=${other}`, "2")).text, "false");
    await agent.advance(16_000);
    assert.equal((await agent.fetch("PUT", `/v1/kv/k?acquire=${other}`, "2")).text, "true");
    await agent.stop();
  }
});

test("a released lock is held back for its delay, by the monotonic clock", () => {
  const delays = new LockDelays();
  delays.note([{ key: "k", lockDelayNs: 15e9 }], 1000);
  assert.equal(delays.delayed("k", 1000), true);
  assert.equal(delays.delayed("k", 15_999), true);
  assert.equal(delays.delayed("other", 1000), false);
  assert.equal(delays.delayed("k", 16_000), false);
  delays.note([{ key: "k", lockDelayNs: 1e6 }], 20_000);
  delays.clear();
  assert.equal(delays.delayed("k", 20_000), false);
});

test("W12: a delay of a millisecond is one", () => {
  const delays = new LockDelays();
  delays.note([{ key: "k", lockDelayNs: 1e6 }], 0);
  assert.equal(delays.delayed("k", 0.5), true);
  assert.equal(delays.delayed("k", 1), false);
});

test("delays that are over do not pile up", () => {
  const delays = new LockDelays();
  for (let i = 0; i < 5000; i++) delays.note([{ key: `k${i}`, lockDelayNs: 1e6 }], i * 10);
  assert.ok(delays.size < 2048, `${delays.size} kept`);
});
