// Measures three durable servers and their load together on this machine, row by row, several commands in turn: the
// machine's speed drifts, so only what ran in one run is to be compared, as a ratio. Beside the rate it says the processor
// time that a request took at the server asked, at the leader and at the others, which drifts less than the rate does.
//   node bench/cluster/main.ts [--runtimes node,bun] [--rounds 3] [--seconds 4] [--only put-leader,get-follower]
//        [--side "name=command" ...] [--connections 64] [--profile folder]
// A side is another command that takes Consul's arguments (an older version of this, or Consul). `--profile` keeps a V8
// profile of each server of the Node sides. Needs wrk (a Debian package).
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { wrk } from "../agent/load.ts";
import { Group } from "./group.ts";
import { ROWS } from "./rows.ts";

const { values: flags } = parseArgs({
  options: {
    runtimes: { type: "string", default: "node,bun" },
    side: { type: "string", multiple: true, default: [] },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    only: { type: "string", default: "" },
    connections: { type: "string", default: "64" },
    profile: { type: "string" },
  },
});
const only = flags.only === "" ? null : new Set(flags.only.split(","));
const sides = new Map<string, string | null>(
  flags.runtimes.split(",").flatMap((runtime): [string, null][] => (runtime === "" ? [] : [[runtime, null]])),
);
for (const side of flags.side) {
  const equals = side.indexOf("=");
  sides.set(side.slice(0, equals), side.slice(equals + 1));
}

/** By row, then by side: the rounds. */
const results = new Map<string, Map<string, number[]>>();
function note(row: string, side: string, value: number): void {
  const columns = results.get(row) ?? new Map<string, number[]>();
  results.set(row, columns.set(side, [...(columns.get(side) ?? []), value]));
}

const seconds = Number(flags.seconds);
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const [side, command] of sides) {
    const group = await Group.start(side, command, flags.profile);
    try {
      note("start to the first write, ms", side, group.startMs);
      for (const [row, { via, script }] of Object.entries(ROWS)) {
        if (only !== null && !only.has(row)) continue;
        const asked = via === "leader" ? group.leader : group.follower;
        const before = group.servers.map((server) => server.cpuMs);
        const rate = await wrk(asked.base, script, seconds, { connections: Number(flags.connections), core: null });
        note(row, side, rate);
        for (const [at, server] of group.servers.entries()) {
          const role = server === asked ? "asked" : server === group.leader ? "leader" : "another";
          note(`  ${row}: ${role}, µs`, side, ((server.cpuMs - (before[at] as number)) / rate / seconds) * 1000);
        }
      }
    } finally {
      await group.stop();
    }
  }
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const names = [...sides.keys()];
const shown = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 }).padStart(14);
console.log(`${cpus().length} cores, ${flags.connections} connections, ${seconds} s a row, medians of ${flags.rounds}`);
console.log(`${"row".padEnd(44)}${names.map((name) => name.padStart(14)).join("")}`);
for (const [row, columns] of results)
  console.log(`${row.padEnd(44)}${names.map((name) => shown(median(columns.get(name) ?? []))).join("")}`);
