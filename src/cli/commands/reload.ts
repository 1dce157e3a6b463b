// `reload`: the agent reads its configuration anew.
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const reload: Command = {
  name: "reload",
  synopsis: "Makes the agent read its configuration anew",
  help: `The same as sending the agent the signal HUP. What cannot be changed while
the agent runs stays as it is.`,
  http: true,
  async run(call) {
    call.none();
    const { agent } = await call.client();
    try {
      await agent.reload();
    } catch (error) {
      throw new CliError(`Error reloading: ${errorText(error)}`, { cause: error });
    }
    call.print("Configuration reload triggered");
    return 0;
  },
};
