// `event`: fires a user event.
import type { Command } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const event: Command = {
  name: "event",
  synopsis: "Fires an event",
  operands: "[options] [PAYLOAD]",
  help: `Tells every node of the datacenter that something has happened; watches of
the type "event" hear it. It is delivered by gossip: quickly, but without
guarantee, and the payload may be a few hundred bytes.`,
  flags: [
    { name: "name", type: "string", usage: "Name of the event; needed." },
    { name: "node", type: "string", placeholder: "regexp", usage: "Only nodes whose name matches." },
    { name: "service", type: "string", placeholder: "regexp", usage: "Only nodes with a service that matches." },
    {
      name: "tag",
      type: "string",
      placeholder: "regexp",
      usage: "Only nodes where that service has a tag that matches; needs -service.",
    },
  ],
  http: true,
  async run(call) {
    const { flags, args } = call;
    const name = flags.string("name");
    const filters = { node: flags.string("node"), service: flags.string("service"), tag: flags.string("tag") };
    if (name === "") throw new UsageError("Event name must be specified");
    for (const [what, pattern] of Object.entries(filters)) checkPattern(what, pattern);
    if (filters.tag !== "" && filters.service === "")
      throw new CliError("Cannot provide tag filter without service filter.");
    if (args.length > 1) throw new UsageError("Too many command line arguments. The payload is one: put it in quotes.");
    const client = await call.client();
    const options = Object.fromEntries(Object.entries(filters).filter(([, pattern]) => pattern !== ""));
    try {
      const fired = await client.event.fire(name, args[0] === undefined ? undefined : args[0], options);
      call.print(`Event ID: ${fired.ID}`);
    } catch (error) {
      throw new CliError(`Error firing event: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};

function checkPattern(what: string, pattern: string): void {
  try {
    void new RegExp(pattern);
  } catch (error) {
    throw new CliError(`Failed to compile ${what} filter regexp: ${(error as Error).message}`, { cause: error });
  }
}
