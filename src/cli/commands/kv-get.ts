// `kv get`: one value, a tree, or only keys.
import type { KeyValue } from "../../client/types.ts";
import { encodeBase64 } from "../../util/base64.ts";
import { text } from "../../util/bytes.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, tooMany } from "../command.ts";
import { wideColumns } from "../table.ts";

export const kvGet: Command = {
  name: "kv get",
  synopsis: "Reads a value, or the values below a prefix",
  operands: "[options] [KEY_OR_PREFIX]",
  help: `Prints the value of a key. The value is printed as it is stored, with a
newline after it.

    $ proconsul kv get app/name

With -recurse, every key below a prefix with its value; with -keys, only
the keys.

    $ proconsul kv get -recurse app/`,
  flags: [
    { name: "base64", type: "bool", usage: "Print values in base64." },
    { name: "detailed", type: "bool", usage: "Print flags, indexes and session too." },
    { name: "keys", type: "bool", usage: "Print keys that begin with the prefix, without values." },
    { name: "recurse", type: "bool", usage: "Print every key that begins with the prefix." },
    {
      name: "separator",
      type: "string",
      placeholder: "string",
      usage: 'With -keys: print keys only up to this, once each. The default is "/".',
    },
  ],
  http: true,
  async run(call) {
    const { flags, args } = call;
    if (args.length > 1) throw tooMany(1, args.length);
    const key = withoutSlash(args[0] ?? "");
    const recurse = flags.bool("recurse");
    if (key === "" && !recurse && !flags.bool("keys")) throw new CliError("Error! Missing KEY argument");
    const { kv } = await call.client();
    if (flags.bool("keys")) {
      const separator = recurse ? "" : flags.string("separator", "/");
      for (const found of (await kv.keys(key, { ...call.reads, separator })).value) call.print(found);
      return 0;
    }
    if (recurse) {
      printTree(call, (await kv.list(key, call.reads)).value);
      return 0;
    }
    const entry = (await kv.get(key, call.reads)).value;
    if (entry === null) throw new CliError(`Error! No key exists at: ${key}`);
    if (flags.bool("detailed")) call.print(details(entry, flags.bool("base64")));
    else {
      call.io.stdout(flags.bool("base64") ? encodeBase64(entry.Value) : entry.Value);
      call.print("");
    }
    return 0;
  },
};

/** Keys never begin with a slash, but people write them so. */
export function withoutSlash(key: string): string {
  return key.startsWith("/") ? key.slice(1) : key;
}

function printTree(call: Invocation, entries: KeyValue[]): void {
  const base64 = call.flags.bool("base64");
  entries.forEach((entry, at) => {
    if (call.flags.bool("detailed")) {
      call.print(details(entry, base64));
      if (at < entries.length - 1) call.print("");
    } else {
      call.io.stdout(`${entry.Key}:`);
      call.io.stdout(base64 ? encodeBase64(entry.Value) : entry.Value);
      call.print("");
    }
  });
}

function details(entry: KeyValue, base64: boolean): string {
  return wideColumns([
    ["CreateIndex", String(entry.CreateIndex)],
    ["Flags", String(entry.Flags)],
    ["Key", entry.Key],
    ["LockIndex", String(entry.LockIndex)],
    ["ModifyIndex", String(entry.ModifyIndex)],
    ["Session", entry.Session || "-"],
    ["Value", base64 ? encodeBase64(entry.Value) : text(entry.Value)],
  ]);
}
