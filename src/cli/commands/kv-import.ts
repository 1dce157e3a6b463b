// `kv import`: what `kv export` wrote, back into the store.
import { decodeBase64 } from "../../util/base64.ts";
import { text } from "../../util/bytes.ts";
import { parseJson } from "../../util/json.ts";
import type { Command } from "../command.ts";
import { CliError, tooMany } from "../command.ts";

interface Exported {
  key: string;
  flags: number | bigint;
  value: string;
}

export const kvImport: Command = {
  name: "kv import",
  synopsis: "Reads a tree that was exported",
  operands: "[options] DATA",
  help: `Writes every entry of DATA, the JSON of "kv export". "@path" takes it from
a file, "-" from standard input. Entries that are there already are
overwritten.

    $ proconsul kv import @app.json`,
  flags: [{ name: "prefix", type: "string", usage: "Put this, and a slash, before every key." }],
  http: true,
  async run(call) {
    if (call.args.length > 1) throw tooMany(1, call.args.length);
    const [operand] = call.args;
    if (operand === undefined || operand === "") throw new CliError("Error! Missing DATA argument");
    const entries = parseExport(text(await call.readOperand(operand)));
    const { kv } = await call.client();
    for (const { key, flags, value } of entries) {
      const under = underPrefix(call.flags.string("prefix"), key);
      await kv.put(under, value, { flags });
      call.print(`Imported: ${under}`);
    }
    return 0;
  },
};

/** Everything is read before anything is written. */
function parseExport(json: string): { key: string; flags: number | bigint; value: Uint8Array }[] {
  let parsed: unknown;
  try {
    parsed = parseJson(json);
  } catch (error) {
    throw new CliError(`Cannot unmarshal data: ${(error as Error).message}`, { cause: error });
  }
  if (!Array.isArray(parsed)) throw new CliError("Cannot unmarshal data: a list of entries is expected");
  return parsed.map((entry: Partial<Exported> | null) => {
    const { key, flags = 0, value } = entry ?? {};
    if (typeof key !== "string" || typeof value !== "string" || !/^\d+$/.test(String(flags)))
      throw new CliError('Cannot unmarshal data: an entry is {"key": string, "flags": number, "value": base64}');
    try {
      return { key, flags, value: decodeBase64(value) };
    } catch (error) {
      throw new CliError(`Error base 64 decoding value for key ${key}: ${(error as Error).message}`, { cause: error });
    }
  });
}

/** A slash between, and none doubled: a store does not know folders, but people do. */
function underPrefix(prefix: string, key: string): string {
  if (prefix === "") return key;
  return `${prefix.replace(/^\/+|\/+$/g, "")}/${key.replace(/^\/+/, "")}`;
}
