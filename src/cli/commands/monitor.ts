// `monitor`: the agent's log, as it is written.
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const monitor: Command = {
  name: "monitor",
  synopsis: "Streams the agent's log",
  help: `Prints log lines from now on, until it is interrupted or the agent ends. The
level may be below the one the agent itself logs at.`,
  flags: [
    { name: "log-json", type: "bool", usage: "Lines in JSON." },
    {
      name: "log-level",
      type: "string",
      placeholder: "level",
      usage: "trace, debug, info, warn or error. The default is info.",
    },
  ],
  http: true,
  async run(call) {
    call.none();
    const { agent } = await call.client();
    return call.interruptible(async (signal) => {
      try {
        const logLevel = call.flags.string("log-level", "info");
        const lines = await agent.monitor({ logLevel, logJson: call.flags.bool("log-json"), signal });
        for await (const chunk of lines) call.io.stdout(chunk);
      } catch (error) {
        if (signal.aborted) return 0;
        throw new CliError(`Error starting monitor: ${errorText(error)}`, { cause: error });
      }
      if (signal.aborted) return 0;
      call.warn("Remote side ended the monitor! This usually means that the\nremote side has exited or crashed.");
      return 0;
    });
  },
};
