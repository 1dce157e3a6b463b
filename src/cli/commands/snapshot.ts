// `snapshot`: saves, restores and shows the state of a cluster as a file.
import type { SnapshotRecord } from "../../state/snapshot.ts";
import { stringifyJson } from "../../util/json.ts";
import type { SnapshotMeta } from "../../util/snapshot-archive.ts";
import type { Client } from "../../client/client.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";
import { readSnapshot, verifying } from "../snapshot-file.ts";
import { isPlace, localPath, readPlace, writePlace } from "../snapshot-place.ts";
import { snapshotInspect } from "./snapshot-inspect.ts";

const nameParts = ["version", "dc", "node", "status"];

const save: Command = {
  name: "snapshot save",
  synopsis: "Saves the state of the cluster to a file",
  operands: "[options] FILE",
  help: `Saves a snapshot: nodes, services, keys, sessions, prepared queries and
configuration entries of a datacenter, at one moment. The file is written
only when all of it has arrived and its checksums are right.

    $ proconsul snapshot save backup.snap

FILE may be a URL instead: s3://bucket/path/name, r2://bucket/path/name,
redis://host:6379/0/path/name or https://host/path/name, by the packages
"unstorage" and, for S3 and R2, "aws4fetch", for Redis "ioredis". Keys come
from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION;
CLOUDFLARE_ACCOUNT_ID, R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY.`,
  flags: [
    {
      name: "append-filename",
      type: "string",
      placeholder: "parts",
      usage: "Facts to add to the file's name, separated by commas: version, dc, node, status.",
    },
  ],
  http: true,
  async run(call) {
    const client = await call.client();
    const file = await fileName(call, client, theFile(call));
    let meta: SnapshotMeta | null = null;
    try {
      const { value } = await client.snapshot.save(call.reads);
      const checked = value.pipeThrough(
        verifying((found) => {
          meta = found;
        }),
      );
      if (isPlace(file)) await writePlace(call.io, file, checked);
      else await call.io.writeFile(file, checked, 0o600);
    } catch (error) {
      throw new CliError(`Error saving snapshot: ${errorText(error)}`, { cause: error });
    }
    const { Index = 0 } = (meta ?? {}) as Partial<SnapshotMeta>;
    call.print(`Saved and verified snapshot to index ${Index}`);
    return 0;
  },
};

const restore: Command = {
  name: "snapshot restore",
  synopsis: "Restores the state of the cluster from a file",
  operands: "[options] FILE",
  help: `Replaces everything that the cluster holds by what the file holds. Meant for
a new cluster after a disaster.

    $ proconsul snapshot restore backup.snap`,
  http: true,
  async run(call) {
    const bytes = await openFile(call, theFile(call));
    const { snapshot } = await call.client();
    try {
      await snapshot.restore(bytes);
    } catch (error) {
      throw new CliError(`Error restoring snapshot: ${errorText(error)}`, { cause: error });
    }
    call.print("Restored snapshot");
    return 0;
  },
};

const decodeRecords: Command = {
  name: "snapshot decode",
  synopsis: "Prints the records of a snapshot file as JSON",
  operands: "[options] FILE",
  help: `Prints one line of JSON for each record of a file that this program wrote;
"-" reads standard input. Values are base64.`,
  async run(call) {
    const bytes = await openFile(call, theFile(call));
    const show = (record: SnapshotRecord): void => call.print(stringifyJson(record));
    const { readable } = await readSnapshot(bytes, show).catch((error: unknown) => {
      throw new CliError(`Error decoding snapshot: ${errorText(error)}`, { cause: error });
    });
    if (!readable) throw new CliError("Error decoding snapshot: another program wrote its records");
    return 0;
  },
};

function theFile(call: Invocation): string {
  const [file, ...more] = call.args;
  if (file === undefined || file === "") throw new UsageError("Missing FILE argument");
  if (more.length > 0) throw new UsageError(`Too many arguments (expected 1, got ${call.args.length})`);
  return localPath(file);
}

async function openFile(call: Invocation, path: string): Promise<Uint8Array> {
  if (path === "-") return call.io.stdin();
  try {
    return isPlace(path) ? await readPlace(call.io, path) : await call.io.readFile(path);
  } catch (error) {
    throw new CliError(`Error opening snapshot file: ${(error as Error).message}`, { cause: error });
  }
}

/** "backup.snap" with the parts asked for: "backup-1.2.3-dc1.snap". */
async function fileName(call: Invocation, { agent }: Client, file: string): Promise<string> {
  const wanted = call.flags.string("append-filename");
  if (wanted === "") return file;
  const parts = wanted.split(",").map((part) => part.trim());
  const unknown = parts.find((part) => !nameParts.includes(part));
  if (unknown !== undefined) throw new UsageError(`Unknown part "${unknown}" in -append-filename`);
  const { Config, Stats } = (await agent.self()).value;
  const facts: Record<string, string> = {
    version: Config.Version,
    dc: Config.Datacenter,
    node: Config.NodeName,
    status: Stats.raft?.state?.toLowerCase() ?? "client",
  };
  const [, stem = file, extension = ""] = /^(.*?)(\.[^./]*)?$/s.exec(file) ?? [];
  return [stem, ...nameParts.filter((part) => parts.includes(part)).map((part) => facts[part])].join("-") + extension;
}

export const snapshots: readonly Command[] = [save, restore, snapshotInspect, decodeRecords];
