// Replays the scenarios of the conformance suite against a Worker, an area a fresh datacenter, and says where its answers differ from
// those of a real Consul beyond the differences that every runtime has.
//
//   node test/runtimes/cloudflare/replay.ts [--area kv,session] [--verbose]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { acceptedDifferences } from "../../conformance/accepted.ts";
import { type AgentProcess, type AgentProcessOptions, toolCommand } from "../../conformance/agent-process.ts";
import { type Outcome, replayArea } from "../../conformance/replay.ts";
import { loadArea } from "../../conformance/scenario.ts";
import { bundle, LocalWorker } from "./local-worker.ts";

/** Those that are asked over HTTP. DNS there is DNS over HTTPS. */
export const AREAS: readonly string[] = ["agent", "catalog", "cli", "config-entries", "kv", "session"];

/** Starts a Worker that plays the part of the one recorded agent. */
async function startWorker(code: string, options: AgentProcessOptions = {}): Promise<AgentProcess> {
  const { config = {}, node = "n1", dc = "dc1" } = options;
  const bindings = { DATACENTERS: dc, CONFIG: JSON.stringify({ node_name: node, ...config }) };
  const worker = await LocalWorker.start({ code, bindings });
  const dir = mkdtempSync(join(tmpdir(), "proconsul-replay-"));
  while ((await worker.json(`/v1/catalog/node/${node}`)) === null) await sleep(50);
  return {
    base: worker.base,
    ports: { http: Number(new URL(worker.base).port), dns: -1, server: 8300, "serf-lan": 8301, "serf-wan": -1 },
    dir,
    log: () => "",
    stop: async () => {
      await worker.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The steps of an area; `code` is the Worker's. */
export async function replayWorker(area: string, code: string): Promise<Outcome[]> {
  const command = toolCommand("node");
  return replayArea(await loadArea(area), command, (_command, options) => startWorker(code, options));
}

async function main(): Promise<number> {
  const { values: flags } = parseArgs({
    options: { area: { type: "string" }, verbose: { type: "boolean", default: false } },
  });
  const { code } = await bundle();
  const accepted = acceptedDifferences();
  let failed = 0;
  for (const name of flags.area?.split(",") ?? AREAS) {
    const outcomes = await replayWorker(name, code);
    const wrong = outcomes.filter(({ id, differences }) => differences.length > 0 && !accepted.has(`${name}: ${id}`));
    failed += wrong.length;
    for (const { id, differences } of wrong) {
      console.log(`FAIL ${name}: ${id}`);
      for (const line of differences.slice(0, flags.verbose ? differences.length : 4)) console.log(`       ${line}`);
    }
    console.log(`${name}: ${outcomes.length - wrong.length} of ${outcomes.length}`);
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main());
