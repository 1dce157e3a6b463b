// `force-leave`: gives up a failed member.
import type { Command } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const forceLeave: Command = {
  name: "force-leave",
  synopsis: "Forces a failed member to the state left",
  operands: "[options] NODE",
  help: `Makes the cluster give up a member that has failed, sooner than it would by
itself. A member that is alive comes back.`,
  flags: [
    { name: "prune", type: "bool", usage: "Remove it from the list of members at once." },
    { name: "wan", type: "bool", usage: "Only in the pool that joins datacenters." },
  ],
  http: true,
  async run(call) {
    const [node, ...more] = call.args;
    if (node === undefined || more.length > 0)
      throw new UsageError("A single node name must be specified to force leave.");
    const { agent } = await call.client();
    try {
      await agent.forceLeave(node, { prune: call.flags.bool("prune"), wan: call.flags.bool("wan") });
    } catch (error) {
      throw new CliError(`Error force leaving: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};
