// `kv delete`: deletes a key, or everything below a prefix.
import type { Command } from "../command.ts";
import { CliError, tooMany } from "../command.ts";
import { withoutSlash } from "./kv-get.ts";

export const kvDelete: Command = {
  name: "kv delete",
  synopsis: "Deletes a key, or the keys below a prefix",
  operands: "[options] KEY_OR_PREFIX",
  help: `Deletes a key. It is no error when there is none.

    $ proconsul kv delete app/name

With -recurse, all keys that begin with the prefix; the empty prefix
deletes everything.

    $ proconsul kv delete -recurse app/`,
  flags: [
    { name: "cas", type: "bool", usage: "Delete only if the key's index is -modify-index." },
    { name: "modify-index", type: "uint", placeholder: "uint", usage: "Index for -cas, greater than 0." },
    { name: "recurse", type: "bool", usage: "Delete every key that begins with the prefix." },
  ],
  http: true,
  async run(call) {
    const { flags, args } = call;
    if (args.length > 1) throw new CliError(`Error! ${tooMany(1, args.length).message}`);
    const key = withoutSlash(args[0] ?? "");
    const cas = flags.bool("cas");
    const recurse = flags.bool("recurse");
    const index = flags.uint("modify-index");
    if (args.length === 0 || (key === "" && !recurse)) throw new CliError("Error! Missing KEY argument");
    if (recurse && cas) throw new CliError("Error! Cannot specify -cas with -recurse!");
    if (cas && index === 0) throw new CliError("Error! Must specify -modify-index with -cas!");
    if (!cas && index !== 0) throw new CliError("Error! Cannot specify -modify-index without -cas!");
    const { kv } = await call.client();
    if (recurse) {
      await kv.deleteTree(key);
      call.print(`Success! Deleted keys with prefix: ${key}`);
      return 0;
    }
    if (!(await kv.delete(key, cas ? { cas: index } : {})))
      throw new CliError(`Error! Did not delete key ${key}: CAS failed`);
    call.print(`Success! Deleted key: ${key}`);
    return 0;
  },
};
