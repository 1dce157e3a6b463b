// Two of three servers are lost for good: one command makes a group out of the survivor, as an operator does it, and those
// who come back all the same are turned away (docs/operating/cluster.md).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { childEnvironment, runtimeCommand } from "../conformance/agent-process.ts";
import { eventually } from "../support/process.ts";
import { GroupProcesses, type ServerProcess } from "./group.ts";

const run = promisify(execFile);
const agent = fileURLToPath(new URL("../../agent.ts", import.meta.url));

/** The command line, asked of one server; what it printed. @throws when it fails. */
async function cli(server: ServerProcess, ...words: string[]): Promise<string> {
  const [program, ...before] = runtimeCommand("node");
  const env = childEnvironment({ CONSUL_HTTP_ADDR: server.base });
  return (await run(program as string, [...before, agent, ...words], { env })).stdout;
}

async function valueOf(server: ServerProcess, key: string): Promise<string> {
  return (await server.send("GET", `/v1/kv/${key}?raw`)).text;
}

test(
  "a quorum lost for good: a dry run, the recovery, and writes go on; who was left out stops",
  { timeout: 120_000 },
  async () => {
    const group = await GroupProcesses.start(["node", "node", "node"]);
    try {
      const leader = await group.settled();
      assert.equal((await leader.send("PUT", "/v1/kv/before", "kept")).text, "true");
      await group.settled();
      const [survivor, ...lost] = [...group.servers].sort((a) => (a === leader ? 1 : -1)) as [
        ServerProcess,
        ...ServerProcess[],
      ];
      for (const server of lost) await server.signal("SIGKILL");
      await eventually("nobody leads", async () => (await survivor.send("GET", "/v1/status/leader")).text === '""');

      const dry = await cli(survivor, "operator", "raft", "recover", "-dry-run");
      assert.match(dry, /1 voter is left; 2 would be a quorum/);
      assert.match(dry, /This was a dry run: nothing was changed/);
      for (const { name } of lost) assert.match(dry, new RegExp(`^${name} .* gone .* left out$`, "m"));
      assert.match(await cli(survivor, "operator", "raft", "recover"), /leads/);

      await group.leader([survivor]);
      assert.equal(await valueOf(survivor, "before"), "kept");
      assert.equal((await survivor.send("PUT", "/v1/kv/after", "written")).text, "true");

      // Both come back, and would be a majority of the group of old.
      for (const server of lost) server.start();
      for (const server of lost) {
        await eventually(`${server.name} stops`, async () => !server.isRunning, 30_000);
        assert.match(server.log, /was left out of its group/);
        server.log = "";
        server.start();
        await eventually(`${server.name} refuses to start`, async () => !server.isRunning, 30_000);
        assert.match(server.log, /move its data directory away/);
      }
      assert.equal((await survivor.send("PUT", "/v1/kv/after", "again")).text, "true");
      assert.equal(await valueOf(survivor, "after"), "again");
    } finally {
      await group.stop();
    }
  },
);
