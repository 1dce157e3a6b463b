// Compares ways to keep the Raft log, on Node, Bun and Deno: `node bench/log-store/main.ts [--dir <where>] [--ms 1000] [--rounds 3]`.
// The directory must be on the kind of disk that is of interest: on a tmpfs a sync costs nothing. Medians of the rounds.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Measured } from "./measure.ts";

const RUNTIMES: Record<string, string[]> = { Node: ["node"], Bun: ["bun"], Deno: ["deno", "run", "-A", "--no-check"] };

function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return (at === -1 ? undefined : process.argv[at + 1]) ?? otherwise;
}

/** What `measure.ts` prints under a runtime; null when that is not installed. */
function run<T>(command: readonly string[], args: readonly string[]): T | null {
  const file = fileURLToPath(new URL("measure.ts", import.meta.url));
  const [program = "", ...before] = command;
  const { stdout, stderr, status, error } = spawnSync(program, [...before, file, ...args], { encoding: "utf8" });
  if (error !== undefined) return null;
  if (status !== 0) throw new Error(`${command.join(" ")} ${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Null when something was not measured. */
function median(numbers: (number | null)[]): number | null {
  const sorted = numbers.filter((number) => number !== null).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

function cell(value: number | null, digits: number): string {
  return (value === null ? "-" : value.toFixed(digits)).padStart(14);
}

const dir = fs.mkdtempSync(join(option("dir", tmpdir()), "proconsul-bench-"));
const ms = option("ms", "1000");
const rounds = Number(option("rounds", "3"));
const columns: [string, keyof Omit<Measured, "store">, number][] = [
  ["1 entry/s", "single", 0],
  ["p50 ms", "singleP50Ms", 3],
  ["p99 ms", "singleP99Ms", 3],
  ["of 10/s", "batch10", 0],
  ["of 100/s", "batch100", 0],
  ["64 callers/s", "callers64", 0],
  ["load 100k ms", "load100kMs", 0],
];
const rows = new Map<string, { command: readonly string[]; store: string; all: Measured[] }>();
try {
  for (const [runtime, command] of Object.entries(RUNTIMES)) {
    const stores = run<string[]>(command, []);
    if (stores === null) console.log(`${runtime} is not installed`);
    for (const store of stores ?? []) rows.set(`${runtime}, ${store}`, { command, store, all: [] });
  }
  // Round after round over all rows, so that what disturbs the machine for a while does not fall on one of them.
  for (let round = 0; round < rounds; round += 1) {
    for (const { command, store, all } of rows.values()) {
      const measured = run<Measured>(command, [dir, store, ms]);
      if (measured !== null) all.push(measured);
    }
  }
} finally {
  fs.rmSync(dir, { recursive: true, force: true });
}
console.log("runtime, store".padEnd(34) + columns.map(([title]) => title.padStart(14)).join(""));
for (const [title, { all }] of rows) {
  const cells = columns.map(([, key, digits]) => cell(median(all.map((one) => one[key])), digits));
  console.log(title.padEnd(34) + cells.join(""));
}
