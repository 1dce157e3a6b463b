// What real clients see of a real agent: one suite, for each runtime.
import { after, before, describe } from "node:test";
import { type AgentProcess, type RuntimeName, startAgent } from "../support/process.ts";
import { curlTests } from "./curl.ts";
import { digTests } from "./dig.ts";
import { npmConsulTests } from "./npm-consul.ts";
import { storyTest } from "./story.ts";

/** Declares all tests of this folder for agents of a runtime. */
export function clientSuite(runtime: RuntimeName): void {
  describe(`real clients of an agent on ${runtime}`, { timeout: 180_000 }, () => {
    let started: AgentProcess | undefined;
    const agent = (): AgentProcess => started as AgentProcess;
    before(async () => {
      started = await startAgent({ runtime, config: { dns_config: { enable_truncate: true } } });
    });
    after(() => started?.stop());
    curlTests(agent);
    digTests(agent);
    npmConsulTests(agent);
  });
  storyTest(runtime);
}
