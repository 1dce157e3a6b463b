// `kv export`: a tree as JSON, for `kv import`.
import { encodeBase64 } from "../../util/base64.ts";
import type { Command } from "../command.ts";
import { tooMany } from "../command.ts";
import { withoutSlash } from "./kv-get.ts";

export const kvExport: Command = {
  name: "kv export",
  synopsis: "Writes a tree of the store as JSON",
  operands: "[options] [PREFIX]",
  help: `Prints every key that begins with PREFIX, with flags and value (base64),
as JSON that "kv import" reads. Without PREFIX, the whole store.

    $ proconsul kv export app/ > app.json`,
  http: true,
  async run(call) {
    if (call.args.length > 1) throw tooMany(1, call.args.length);
    const { kv } = await call.client();
    const { value } = await kv.list(withoutSlash(call.args[0] ?? ""), call.reads);
    const entries = value.map(
      ({ Key, Flags, Value }) =>
        `\t{\n\t\t"key": ${JSON.stringify(Key)},\n\t\t"flags": ${Flags},\n\t\t"value": "${encodeBase64(Value)}"\n\t}`,
    );
    call.print(entries.length === 0 ? "[]" : `[\n${entries.join(",\n")}\n]`);
    return 0;
  },
};
