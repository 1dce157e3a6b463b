// Kills a process that writes a log, at random moments, and looks at what it left: every call that it had said was durable is
// there, the others whole or not at all, in their order. `node test/runtimes/storage/kill-rounds.ts --rounds 1000`
import { spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { openLogStore } from "../../../runtimes/node/log-store.ts";
import { type CallOptions, printLog, RandomCalls, seeded } from "./log-model.ts";

/** Entries that take several pages to write, and segments that change often. */
export const KILL_CALLS: CallOptions = { dataBytesMax: 6000, compactEvery: 12, resetEvery: 60 };
export const KILL_OPTIONS: { segmentBytes: number; allocateBytes: number } = {
  segmentBytes: 65536,
  allocateBytes: 16384,
};
/** A log and its calls begin anew after so many rounds, since every process has to make up all calls from the first. */
const ROUNDS_PER_LOG = 10;
/** The most calls that a killed process can have made after the last that it spoke of. */
const AHEAD_MAX = 200;

export interface KillCounts {
  rounds: number;
  /** Calls that had been acknowledged, calls beyond them that were there all the same, and torn writes that were cut. */
  acknowledged: number;
  beyond: number;
  torn: number;
}

/** @throws Error, with what is needed to see it again, at the first round that breaks the contract. */
export async function runKillRounds(rounds: number, seed: number): Promise<KillCounts> {
  const random = seeded(seed);
  const counts: KillCounts = { rounds: 0, acknowledged: 0, beyond: 0, torn: 0 };
  const dir = fs.mkdtempSync(join(tmpdir(), "proconsul-kill-"));
  for (let log = 0; counts.rounds < rounds; log += 1) {
    await runLog(join(dir, `log-${log}`), random, Math.min(ROUNDS_PER_LOG, rounds - counts.rounds), counts);
  }
  fs.rmSync(dir, { recursive: true, force: true });
  return counts;
}

async function runLog(
  dir: string,
  random: (below: number) => number,
  rounds: number,
  counts: KillCounts,
): Promise<void> {
  const seed = random(1_000_000);
  const calls = new RandomCalls(seed, KILL_CALLS);
  let done = 0;
  for (let round = 0; round < rounds; round += 1) {
    const before = done;
    const acknowledged = Math.max(done, await killAfter(dir, seed, done, 1 + random(80)));
    const store = await openLogStore(dir, {
      ...KILL_OPTIONS,
      notice: (text) => void (counts.torn += text.includes("cut") ? 1 : 0),
    });
    const loaded = printLog(await store.load());
    await store.close();
    while (done < acknowledged) {
      calls.next();
      done += 1;
    }
    while (printLog(calls.model.state) !== loaded) {
      if (done === acknowledged + AHEAD_MAX)
        throw new Error(`the log in ${dir} is wrong: seed ${seed}, after call ${acknowledged}`);
      calls.next();
      done += 1;
    }
    counts.rounds += 1;
    counts.acknowledged += acknowledged - before;
    counts.beyond += done - acknowledged;
  }
}

/** Runs a process until it has acknowledged so many calls, kills it at once, and returns the last that it acknowledged. */
async function killAfter(dir: string, seed: number, done: number, count: number): Promise<number> {
  const file = fileURLToPath(new URL("kill-child.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const child = spawn(process.execPath, [...runtime, file, dir, String(seed), String(done)], {
    stdio: ["ignore", "pipe", "inherit"],
    // Node starts four times as fast with what it compiled before.
    env: { ...process.env, NODE_COMPILE_CACHE: join(dir, "..", "compiled") },
  });
  let output = "";
  let lines = 0;
  child.stdout.on("data", (chunk: Uint8Array) => {
    const text = new TextDecoder().decode(chunk);
    output += text;
    lines += text.split("\n").length - 1;
    if (lines >= count) child.kill("SIGKILL");
  });
  const signal = await new Promise((resolve) => child.on("close", (_code, by) => resolve(by)));
  if (signal !== "SIGKILL") throw new Error(`the process ended by itself: seed ${seed}, after call ${done}, in ${dir}`);
  // The kill may have come within a line.
  return Math.max(
    0,
    ...output
      .slice(0, output.lastIndexOf("\n") + 1)
      .split("\n")
      .map(Number),
  );
}

if (import.meta.main) {
  const at = process.argv.indexOf("--rounds");
  const rounds = at === -1 ? 100 : Number(process.argv[at + 1]);
  const seedAt = process.argv.indexOf("--seed");
  const seed = seedAt === -1 ? Date.now() % 1_000_000 : Number(process.argv[seedAt + 1]);
  console.log(`seed ${seed}`);
  console.log(await runKillRounds(rounds, seed));
}
