// `snapshot inspect`: what a snapshot file holds, without a cluster.
import type { SnapshotRecord } from "../../state/snapshot.ts";
import { stringifyJson } from "../../util/json.ts";
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";
import type { SnapshotContent } from "../snapshot-file.ts";
import { readSnapshot } from "../snapshot-file.ts";
import { isPlace, localPath, readPlace } from "../snapshot-place.ts";
import { wideColumns } from "../table.ts";

/** Tables under the names that Consul's records have. */
const typeNames: Readonly<Record<SnapshotRecord["table"], string | null>> = {
  header: null,
  kv: "KVS",
  nodes: "Node",
  services: "Service",
  checks: "Check",
  sessions: "Session",
  queries: "PreparedQuery",
  config: "ConfigEntry",
  coordinates: "Coordinate",
  autopilot: "Autopilot",
  federation: "Federation",
  links: "ReplicationLink",
  stamps: "KVStamp",
  tombstones: "Tombstone",
  topics: "Index",
  end: null,
};

interface Sum {
  Name: string;
  Count: number;
  /** Bytes. */
  Sum: number;
}

export const snapshotInspect: Command = {
  name: "snapshot inspect",
  synopsis: "Shows what a snapshot file holds",
  operands: "[options] FILE",
  help: `Shows where a snapshot stands and how much it holds of what; "-" reads
standard input.

    $ proconsul snapshot inspect -kvdetails backup.snap`,
  flags: [
    { name: "format", type: "string", placeholder: "format", usage: '"pretty" or "json". The default is pretty.' },
    { name: "kvdepth", type: "int", placeholder: "int", usage: "With -kvdetails: levels of keys. The default is 2." },
    { name: "kvdetails", type: "bool", usage: "Show how much the keys take, by prefix." },
    { name: "kvfilter", type: "string", placeholder: "prefix", usage: "With -kvdetails: only keys that begin so." },
  ],
  async run(call) {
    const { flags, io } = call;
    const path = localPath(call.sole("FILE"));
    const format = flags.string("format", "pretty");
    if (format !== "pretty" && format !== "json") throw new CliError(`Invalid format: ${format}`);
    const kvDepth = flags.number("kvdepth", 2);
    const kvFilter = flags.string("kvfilter");
    const types = new Map<string, Sum>();
    const keys = new Map<string, Sum>();
    let content: SnapshotContent;
    try {
      const file = path === "-" ? await io.stdin() : await (isPlace(path) ? readPlace(io, path) : io.readFile(path));
      content = await readSnapshot(file, (record, bytes) => {
        const name = typeNames[record.table];
        if (name !== null) add(types, name, bytes);
        if (record.table === "kv" && record.record.Key.startsWith(kvFilter))
          add(keys, record.record.Key.split("/").slice(0, kvDepth).join("/"), bytes);
      });
    } catch (error) {
      throw new CliError(`Error reading snapshot: ${errorText(error)}`, { cause: error });
    }
    const typeSums = bySize(types);
    const keySums = flags.bool("kvdetails") ? bySize(keys) : null;
    call.print(format === "json" ? jsonReport(content, typeSums, keySums) : textReport(content, typeSums, keySums));
    if (!content.readable) call.warn("Another program wrote the records, so they are not listed.");
    return 0;
  },
};

function add(sums: Map<string, Sum>, name: string, bytes: number): void {
  const sum = sums.get(name) ?? { Name: name, Count: 0, Sum: 0 };
  sum.Count += 1;
  sum.Sum += bytes;
  sums.set(name, sum);
}

/** The largest first. */
function bySize(sums: Map<string, Sum>): Sum[] {
  return [...sums.values()].sort((a, b) => b.Sum - a.Sum || (a.Name < b.Name ? -1 : 1));
}

function total(sums: readonly Sum[], field: "Count" | "Sum"): number {
  return sums.reduce((sum, row) => sum + row[field], 0);
}

function jsonReport({ meta, stateBytes }: SnapshotContent, types: Sum[], keys: Sum[] | null): string {
  const { ID, Index, Term, Version } = meta;
  const report = {
    Meta: { ID, Size: stateBytes, Index, Term, Version },
    Stats: types,
    ...(keys === null ? {} : { StatsKV: keys, TotalCountKV: total(keys, "Count"), TotalSizeKV: total(keys, "Sum") }),
    TotalSize: total(types, "Sum"),
  };
  return stringifyJson(report, true);
}

function textReport({ meta, stateBytes, readable }: SnapshotContent, types: Sum[], keys: Sum[] | null): string {
  const head = [
    [" ID", meta.ID],
    [" Size", String(stateBytes)],
    [" Index", String(meta.Index)],
    [" Term", String(meta.Term)],
    [" Version", String(meta.Version)],
  ];
  const parts = [wideColumns(head)];
  if (readable) parts.push(sumTable(" Type", types));
  if (keys !== null && readable) parts.push(sumTable(" Key Name", keys));
  return parts.join("\n\n");
}

function sumTable(header: string, sums: readonly Sum[]): string {
  const rule = [" ----", "----", "----"];
  return wideColumns([
    [header, "Count", "Size"],
    rule,
    ...sums.map((sum) => [` ${sum.Name}`, String(sum.Count), byteSize(sum.Sum)]),
    rule,
    [" Total", "", byteSize(total(sums, "Sum"))],
  ]);
}

/** "512B", "1.7KB", "3MB". */
function byteSize(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let size = bytes;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1).replace(/\.0$/, "")}${units[unit]}`;
}
