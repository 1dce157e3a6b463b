// A server that never comes to lead: its disk never says that what it must remember is durable.
import { MemoryLogStore } from "../../src/host/memory-store.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

class SilentLog extends MemoryLogStore {
  override append(): Promise<void> {
    return new Promise(() => {});
  }
}

/** Starts one; `stop` it when done. */
export function startLeaderlessAgent(): Promise<TestAgent> {
  return startTestAgent({ log: new SilentLog() });
}
