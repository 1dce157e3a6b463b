// `leave`: the agent leaves its cluster and ends.
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const leave: Command = {
  name: "leave",
  synopsis: "Makes the agent leave the cluster and shut down",
  help: `The agent tells the others that it goes, so that it is not taken for failed,
and shuts down.`,
  http: true,
  async run(call) {
    call.none();
    const { agent } = await call.client();
    try {
      await agent.leave();
    } catch (error) {
      throw new CliError(`Error leaving: ${errorText(error)}`, { cause: error });
    }
    call.print("Graceful leave complete");
    return 0;
  },
};
