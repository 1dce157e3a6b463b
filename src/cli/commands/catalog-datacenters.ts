// `catalog datacenters`: the known datacenters, nearest first.
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const catalogDatacenters: Command = {
  name: "catalog datacenters",
  synopsis: "Lists all known datacenters",
  help: "Lists the datacenters that the agent's servers know of, nearest first.",
  http: true,
  async run(call) {
    call.none();
    const { catalog } = await call.client();
    try {
      for (const name of (await catalog.datacenters()).value) call.print(name);
    } catch (error) {
      throw new CliError(`Error listing datacenters: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};
