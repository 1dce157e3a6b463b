// `kv put`: writes a value, also by check-and-set or under a lock.
import type { PutOptions } from "../../client/kv.ts";
import { decodeBase64 } from "../../util/base64.ts";
import { text } from "../../util/bytes.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, tooMany } from "../command.ts";

export const kvPut: Command = {
  name: "kv put",
  synopsis: "Writes a value",
  operands: "[options] KEY [DATA]",
  help: `Writes DATA to KEY; without DATA, an empty value. "@path" takes the data
from a file, "-" from standard input.

    $ proconsul kv put app/name hello
    $ proconsul kv put app/config @config.json

Only when nobody has changed it since it was read:

    $ proconsul kv put -cas -modify-index=844 app/name hello`,
  flags: [
    { name: "acquire", type: "bool", usage: "Take the key's lock; needs -session." },
    { name: "base64", type: "bool", usage: "DATA is base64." },
    {
      name: "cas",
      type: "bool",
      usage: "Write only if the key's index is -modify-index, or if it is not there when that is 0.",
    },
    { name: "flags", type: "uint", placeholder: "uint", usage: "A number to keep with the value. The default is 0." },
    { name: "modify-index", type: "uint", placeholder: "uint", usage: "Index for -cas. The default is 0." },
    { name: "release", type: "bool", usage: "Give the key's lock back; needs -session." },
    { name: "session", type: "string", placeholder: "id", usage: "Session for -acquire and -release." },
  ],
  http: true,
  async run(call) {
    const { flags, args } = call;
    if (args.length > 2) throw new CliError(`Error! ${tooMany("1 or 2", args.length).message}`);
    const [key, operand] = args;
    if (key === undefined) throw new CliError("Error! Missing KEY argument");
    if (key.startsWith("/")) throw new CliError(`Error! Invalid key. Key must not begin with a '/': ${key}`);
    const session = flags.string("session");
    const acquire = flags.bool("acquire");
    const release = flags.bool("release");
    if ((acquire || release) && session === "")
      throw new CliError("Error! Missing -session (required with -acquire and -release)");
    const value = await readValue(call, operand);
    const { kv } = await call.client();
    const options: PutOptions = { flags: flags.has("flags") ? flags.uint("flags") : undefined };
    if (flags.bool("cas")) {
      const index = flags.uint("modify-index");
      if (await kv.put(key, value, { ...options, cas: index })) return written(call, key);
      throw new CliError(
        index === 0
          ? `Error! Did not write to ${key}: CAS performed with index=0 and key already exists.`
          : `Error! Did not write to ${key}: CAS failed`,
      );
    }
    if (acquire) {
      if (!(await kv.put(key, value, { ...options, acquire: session })))
        throw new CliError("Error! Did not acquire lock");
      call.print(`Success! Lock acquired on: ${key}`);
      return 0;
    }
    if (release) {
      if (!(await kv.put(key, value, { ...options, release: session })))
        throw new CliError("Error! Did not release lock");
      call.print(`Success! Lock released on: ${key}`);
      return 0;
    }
    await kv.put(key, value, options);
    return written(call, key);
  },
};

function written(call: Invocation, key: string): number {
  call.print(`Success! Data written to: ${key}`);
  return 0;
}

async function readValue(call: Invocation, operand: string | undefined): Promise<Uint8Array> {
  const raw = operand === undefined ? new Uint8Array(0) : await call.readOperand(operand);
  if (!call.flags.bool("base64")) return raw;
  try {
    return decodeBase64(text(raw));
  } catch (error) {
    throw new CliError(`Error! Cannot base 64 decode data: ${(error as Error).message}`, { cause: error });
  }
}
