// One server with a million keys of 200 bytes on a data directory: loading, memory, reads while a snapshot is written, and
// the restart from snapshot and log.
//   node bench/million/main.ts [--keys 1000000] [--runtime node]
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: { keys: { type: "string", default: "1000000" }, runtime: { type: "string", default: "node" } },
});
const keys = Number(flags.keys);
const root = fileURLToPath(new URL("../..", import.meta.url));
const OPERATIONS = 128;
const IN_FLIGHT = 4;
const folder = mkdtempSync(join(tmpdir(), "million-"));

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

async function start(): Promise<{ child: ChildProcess; base: string; ms: number }> {
  const ports = await Promise.all(
    ["http", "dns", "server", "serf-lan", "serf-wan"].map(async (name) => `-${name}-port=${await freePort()}`),
  );
  const base = `http://127.0.0.1:${(ports[0] as string).split("=")[1]}`;
  const config = join(folder, "agent.json");
  writeFileSync(config, JSON.stringify({ raft_snapshot_interval: "5s", log_level: "info" }));
  const began = performance.now();
  const run = flags.runtime === "deno" ? ["run", "-A"] : [];
  const child = spawn(
    join(root, "node_modules", ".bin", flags.runtime),
    [
      ...run,
      join(root, "agent.ts"),
      "agent",
      "-server",
      "-bootstrap-expect=1",
      "-bind=127.0.0.1",
      `-data-dir=${join(folder, "data")}`,
      `-config-file=${config}`,
      ...ports,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  child.stdout?.on("data", (chunk) => {
    for (const line of String(chunk).split("\n")) if (/snapshot/.test(line)) console.log(`  agent: ${line}`);
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}`);
    try {
      if ((await (await fetch(`${base}/v1/status/leader`)).text()).length > 2) break;
    } catch {
      // Not listening yet.
    }
    await sleep(20);
  }
  return { child, base, ms: performance.now() - began };
}

const mib = (pid: number, what: string): number =>
  Math.round(Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);

async function load(base: string): Promise<number> {
  const value = Buffer.alloc(200, "v").toString("base64");
  const began = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < keys) {
      const from = next;
      next = Math.min(keys, next + OPERATIONS);
      const body = [];
      for (let i = from; i < next; i++)
        body.push({ KV: { Verb: "set", Key: `app/${i % 1000}/key-${i}`, Value: value } });
      const response = await fetch(`${base}/v1/txn`, { method: "PUT", body: JSON.stringify(body) });
      if (!response.ok) throw new Error(await response.text());
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return performance.now() - began;
}

/** The longest and the middling time of a read, one after the other for `ms`. */
async function readLatency(base: string, ms: number): Promise<{ worst: number; median: number }> {
  const times: number[] = [];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const began = performance.now();
    await (await fetch(`${base}/v1/kv/app/7/key-7?raw`)).arrayBuffer();
    times.push(performance.now() - began);
    await sleep(1);
  }
  times.sort((a, b) => a - b);
  return { worst: times.at(-1) as number, median: times[times.length >> 1] as number };
}

try {
  let agent = await start();
  const pid = agent.child.pid as number;
  console.log(`start, empty: ${Math.round(agent.ms)} ms; ${mib(pid, "VmRSS")} MiB resident`);
  const loadMs = await load(agent.base);
  console.log(
    `load: ${keys} keys in ${(loadMs / 1000).toFixed(1)} s, ${Math.round((keys / loadMs) * 1000)} keys/s (durable, ${OPERATIONS} a transaction); ${mib(pid, "VmRSS")} MiB resident, ${mib(pid, "VmHWM")} at most`,
  );
  await sleep(8000);
  const quiet = await readLatency(agent.base, 3000);
  console.log(`reads, quiet: median ${quiet.median.toFixed(2)} ms, worst ${quiet.worst.toFixed(1)} ms`);
  const snapshot = fetch(`${agent.base}/v1/snapshot`).then(async (response) => {
    const began = performance.now();
    const bytes = (await response.arrayBuffer()).byteLength;
    return { bytes, ms: performance.now() - began };
  });
  const busy = await readLatency(agent.base, 6000);
  const saved = await snapshot;
  console.log(
    `reads while a snapshot is made: median ${busy.median.toFixed(2)} ms, worst ${busy.worst.toFixed(1)} ms (snapshot ${Math.round(saved.bytes / 2 ** 20)} MiB gzip)`,
  );
  agent.child.kill("SIGKILL");
  await new Promise((resolve) => agent.child.once("exit", resolve));
  agent = await start();
  console.log(
    `restart after kill -9: ${Math.round(agent.ms)} ms; ${mib(agent.child.pid as number, "VmRSS")} MiB resident, ${mib(agent.child.pid as number, "VmHWM")} at most`,
  );
  const count = ((await (await fetch(`${agent.base}/v1/kv/app/?keys&separator=/`)).json()) as string[]).length;
  console.log(`folders found again: ${count}`);
  agent.child.kill("SIGKILL");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
