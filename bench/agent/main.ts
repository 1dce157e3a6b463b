// Measures one agent, row by row, beside an empty handler on the same runtime: what the runtime itself costs is the limit.
//   node bench/agent/main.ts [--runtimes node,bun] [--rounds 3] [--seconds 3] [--only kv-get,dns-a] [--a "<command>"]
// Needs wrk and dnsperf (Debian's packages) and two cores: the server is pinned to core 0, the load to core 1. With `--a`
// another agent that takes Consul's arguments is measured too, on the same work.
import { parseArgs } from "node:util";
import { type AgentUnderTest, startAgent, startEmpty } from "./servers.ts";
import { dnsperf, parkQueries, residentMiB, wrk } from "./load.ts";
import { DNS_ROWS, fill, HTTP_ROWS } from "./rows.ts";

const { values: flags } = parseArgs({
  options: {
    runtimes: { type: "string", default: "node,bun" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    a: { type: "string" },
  },
});
const seconds = Number(flags.seconds);
const only = flags.only === "" ? null : new Set(flags.only.split(","));
const wants = (row: string): boolean => only === null || only.has(row);

/** Results by row, then by column; each the list of its rounds. */
const results = new Map<string, Map<string, number[]>>();
function note(row: string, column: string, value: number): void {
  const columns = results.get(row) ?? new Map<string, number[]>();
  results.set(row, columns.set(column, [...(columns.get(column) ?? []), value]));
}

async function measureAgent(column: string, agent: AgentUnderTest): Promise<void> {
  note("start to leader, ms", column, agent.startMs);
  note("memory idle, MiB", column, residentMiB(agent.pid));
  await fill(agent.base);
  for (const [row, script] of Object.entries(HTTP_ROWS))
    if (wants(row)) note(row, column, await wrk(agent.base, script, seconds));
  for (const [row, question] of Object.entries(DNS_ROWS))
    if (wants(row)) note(row, column, await dnsperf(agent.dnsPort, question, seconds));
  note("memory after the load, MiB", column, residentMiB(agent.pid));
  for (const count of [1000, 10_000]) {
    if (!wants("blocking")) continue;
    const { lastMs, parkedMiB } = await parkQueries(agent.base, count, agent.pid);
    note(`${count} blocking queries woken, ms to the last`, column, lastMs);
    note(`memory of ${count} parked queries, MiB`, column, parkedMiB);
  }
}

for (let round = 0; round < Number(flags.rounds); round++) {
  for (const runtime of flags.runtimes.split(",")) {
    const empty = await startEmpty(runtime);
    try {
      if (wants("empty")) note("empty handler", runtime, await wrk(empty.base, HTTP_ROWS["kv-get"] as string, seconds));
      if (wants("empty-dns"))
        note("empty DNS answer", runtime, await dnsperf(empty.dnsPort, "web.service.consul A", seconds));
    } finally {
      await empty.stop();
    }
    const agent = await startAgent(runtime);
    try {
      await measureAgent(runtime, agent);
    } finally {
      await agent.stop();
    }
  }
  if (flags.a !== undefined) {
    const peer = await startAgent("peer", flags.a);
    try {
      await measureAgent("peer", peer);
    } finally {
      await peer.stop();
    }
  }
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const columns = [...new Set([...results.values()].flatMap((row) => [...row.keys()]))];
console.log(`${"row".padEnd(48)}${columns.map((column) => column.padStart(12)).join("")}`);
for (const [row, values] of results) {
  const cells = columns.map((column) => {
    const value = median(values.get(column) ?? []);
    return (
      Number.isNaN(value) ? "-" : value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 })
    ).padStart(12);
  });
  console.log(`${row.padEnd(48)}${cells.join("")}`);
}
