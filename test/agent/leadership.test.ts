import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryLogStore } from "../../src/host/memory-store.ts";
import type { LogBatch } from "../../src/platform.ts";
import { startTestAgent } from "../support/agent.ts";

/** A disk on which nothing is durable before `open` is called. */
class SlowLog extends MemoryLogStore {
  open: () => void = () => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
  override append(batch: LogBatch): Promise<void> {
    super.append(batch);
    return this.#opened;
  }
}

/** Anti-entropy looks within this when a server has appeared, and after 15 seconds at the earliest when it failed. */
const SERVER_UP_MS = 3000;

test("a server that comes to lead is soon told what it does not know", async () => {
  const log = new SlowLog();
  const settings = { services: [{ name: "web" }], performance: { rpc_hold_timeout: "1ms" } };
  const agent = await startTestAgent({ log, settings });
  try {
    const { server, local } = agent.agent;
    await agent.advance(1000);
    assert.ok(!server.leading && local.state.services.get("web")?.inSync === false);
    assert.ok(agent.platform.logs.some(({ message }) => message === "failed to sync remote state"));
    log.open();
    await agent.settle();
    assert.ok(server.leading);
    await agent.advance(SERVER_UP_MS);
    assert.equal(local.state.services.get("web")?.inSync, true);
  } finally {
    await agent.stop();
  }
});
