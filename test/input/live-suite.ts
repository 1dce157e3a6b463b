// Bad input to real agents, over sockets: the same for each runtime, and the same results.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type AgentProcess, eventually, type RuntimeName, startAgent } from "../support/process.ts";
import { bodyTests } from "./bodies.ts";
import { connectionTests } from "./connections.ts";
import { dnsTests } from "./dns.ts";
import { framingTests } from "./framing.ts";
import { pathTests } from "./paths.ts";
import { slowClientTests } from "./slow-clients.ts";

const MIB = 1024 * 1024;
/**
 * Growth of memory that the whole suite may leave behind, generously: what leaks, leaks more. Deno's node:dgram, which
 * answers DNS where Deno.listenDatagram is not allowed, takes 64 KiB for a packet and some 350 MiB in all.
 */
const GROWTH_BYTES_MAX = { node: 200 * MIB, bun: 200 * MIB, deno: 600 * MIB };

/** Declares all tests of this folder that need sockets, for agents of a runtime. */
export function liveInputSuite(runtime: RuntimeName): void {
  describe(`bad input to an agent on ${runtime}`, { timeout: 240_000 }, () => {
    let started: AgentProcess | undefined;
    let rssBefore = 0;
    const agent = (): AgentProcess => started as AgentProcess;
    before(async () => {
      started = await startAgent({ runtime, config: { http_config: { read_header_timeout: "1s" } } });
      rssBefore = (await runtimeStats(started)).rss;
    });
    after(() => started?.stop());

    const finish = slowClientTests(agent, runtime);
    pathTests(agent);
    bodyTests(agent);
    framingTests(agent, runtime);
    dnsTests(agent);
    connectionTests(agent, runtime);
    finish();

    test("after all of it: the agent is up, waits for nobody, has grown little and calls nothing a bug", async () => {
      await eventually("no query is blocked", async () => (await runtimeStats(agent())).blocked_queries === 0);
      assert.equal((await agent().send("PUT", "/v1/kv/still-there", "yes")).text.trim(), "true");
      assert.equal((await agent().send("GET", "/v1/kv/still-there?raw")).text, "yes");
      const { rss } = await runtimeStats(agent());
      assert.ok(rss - rssBefore < GROWTH_BYTES_MAX[runtime], `${rssBefore} bytes before, ${rss} after`);
      const lines = agent().log().split("\n");
      assert.deepEqual(
        lines.filter((line) => /\[ERROR\]|this is a bug|uncaught|unhandled|TypeError/i.test(line)),
        [],
      );
    });
  });
}

/** What /v1/agent/self says of the process. */
export async function runtimeStats(agent: AgentProcess): Promise<{ rss: number; blocked_queries: number }> {
  const { rss, blocked_queries } = (await agent.send("GET", "/v1/agent/self")).json().Stats.runtime;
  return { rss: Number(rss), blocked_queries: Number(blocked_queries) };
}
