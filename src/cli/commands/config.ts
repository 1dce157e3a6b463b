// `config`: configuration entries, read from HCL or JSON.
import { parseHcl } from "../../config/hcl.ts";
import type { RawObject } from "../../config/raw-value.ts";
import { plainObject } from "../../config/raw-value.ts";
import type { FlagSpec } from "../../config/flags.ts";
import { text } from "../../util/bytes.ts";
import { stringifyJson } from "../../util/json.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

const casFlags: readonly FlagSpec[] = [
  { name: "cas", type: "bool", usage: "Only if the entry's index is -modify-index." },
  { name: "modify-index", type: "uint", placeholder: "uint", usage: "Index for -cas." },
];
const kindFlag: FlagSpec = { name: "kind", type: "string", usage: "Kind of the entry, such as service-defaults." };
const nameFlag: FlagSpec = { name: "name", type: "string", usage: "Name of the entry." };

const write: Command = {
  name: "config write",
  synopsis: "Writes a configuration entry",
  operands: "[options] FILE",
  help: `Writes the entry that FILE holds, in HCL or JSON; "-" reads standard input.

    $ proconsul config write web.hcl`,
  flags: casFlags,
  http: true,
  async run(call) {
    const entry = await readEntry(call, call.sole("FILE"));
    const { kind, name } = entryName(entry);
    const { config } = await call.client();
    let done: boolean;
    try {
      done = await config.set(entry as RawObject & { Kind: string }, casOptions(call));
    } catch (error) {
      throw new CliError(`Error writing config entry ${kind}/${name}: ${errorText(error)}`, { cause: error });
    }
    if (!done) throw new CliError(`Error writing config entry ${kind}/${name}: CAS failed`);
    call.print(`Config entry written: ${kind}/${name}`);
    return 0;
  },
};

const read: Command = {
  name: "config read",
  synopsis: "Prints a configuration entry as JSON",
  flags: [kindFlag, nameFlag],
  http: true,
  async run(call) {
    call.none();
    const { kind, name } = named(call);
    const { config } = await call.client();
    const entry = await config.get(kind, name, call.reads).catch((error: unknown) => {
      throw new CliError(`Error reading config entry ${kind}/${name}: ${errorText(error)}`, { cause: error });
    });
    if (entry.value === null)
      throw new CliError(
        `Error reading config entry ${kind}/${name}: Config entry not found for "${kind}" / "${name}"`,
      );
    call.print(stringifyJson(entry.value, true));
    return 0;
  },
};

const list: Command = {
  name: "config list",
  synopsis: "Lists the configuration entries of a kind",
  flags: [
    kindFlag,
    { name: "filter", type: "string", placeholder: "expression", usage: "Only entries that fulfil this expression." },
  ],
  http: true,
  async run(call) {
    call.none();
    const kind = call.flags.string("kind");
    if (kind === "") throw new UsageError("Must specify the -kind parameter");
    const { config } = await call.client();
    try {
      const filter = call.flags.string("filter") || undefined;
      for (const entry of (await config.list(kind, { ...call.reads, filter })).value) call.print(entry.Name);
    } catch (error) {
      throw new CliError(`Error listing config entries for kind "${kind}": ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};

const remove: Command = {
  name: "config delete",
  synopsis: "Deletes a configuration entry",
  help: `Deletes the entry of a kind and a name, or the one that a file describes.`,
  flags: [
    kindFlag,
    nameFlag,
    {
      name: "filename",
      type: "string",
      placeholder: "path",
      usage: "File with the entry, instead of -kind and -name.",
    },
    ...casFlags,
  ],
  http: true,
  async run(call) {
    call.none();
    const file = call.flags.string("filename");
    if (file !== "" && (call.flags.has("kind") || call.flags.has("name")))
      throw new UsageError("filename can't be used with kind or name");
    if (call.flags.bool("cas") && !call.flags.has("modify-index"))
      throw new UsageError("Must specify a -modify-index greater than 0 with -cas");
    const { kind, name } = file === "" ? named(call) : entryName(await readEntry(call, file));
    const { config } = await call.client();
    let done: boolean;
    try {
      done = await config.delete(kind, name, casOptions(call));
    } catch (error) {
      throw new CliError(`Error deleting config entry ${kind}/${name}: ${errorText(error)}`, { cause: error });
    }
    if (!done) throw new CliError(`Config entry not deleted: ${kind}/${name}`);
    call.print(`Config entry deleted: ${kind}/${name}`);
    return 0;
  },
};

function named(call: Invocation): { kind: string; name: string } {
  const kind = call.flags.string("kind");
  const name = call.flags.string("name");
  if (kind === "") throw new UsageError("Must specify the -kind parameter");
  if (name === "") throw new UsageError("Must specify the -name parameter");
  return { kind, name };
}

function casOptions(call: Invocation): { cas?: number | bigint } {
  return call.flags.bool("cas") ? { cas: call.flags.uint("modify-index") } : {};
}

/** The entry as it was written: the server knows the fields of each kind, in either spelling. */
async function readEntry(call: Invocation, path: string): Promise<RawObject> {
  const source = text(await call.readFile(path));
  try {
    return plainObject(parseHcl(source).root);
  } catch (error) {
    throw new CliError(`Failed to decode config entry input: ${(error as Error).message}`, { cause: error });
  }
}

function entryName(entry: RawObject): { kind: string; name: string } {
  const kind = entry.Kind ?? entry.kind;
  if (typeof kind !== "string")
    throw new CliError(
      "Failed to decode config entry input: Payload does not contain a kind/Kind key at the top level",
    );
  const name = entry.Name ?? entry.name ?? "";
  return { kind, name: String(name) };
}

export const configEntries: readonly Command[] = [write, read, list, remove];
