// `join`: makes the agent join the pool that another is in.
import type { Command } from "../command.ts";
import { UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const join: Command = {
  name: "join",
  synopsis: "Makes the agent join a cluster",
  operands: "[options] ADDRESS ...",
  help: `Tells the agent to join the cluster of at least one of the given members.`,
  flags: [{ name: "wan", type: "bool", usage: "Join two datacenters: the agent and the members are servers." }],
  http: true,
  async run(call) {
    if (call.args.length === 0) throw new UsageError("At least one address to join must be specified.");
    const { agent } = await call.client();
    let joined = 0;
    for (const address of call.args) {
      try {
        await agent.join(address, { wan: call.flags.bool("wan") });
        joined += 1;
      } catch (error) {
        call.warn(`Error joining address '${address}': ${errorText(error)}`);
      }
    }
    if (joined === 0) {
      call.warn("Failed to join any nodes.");
      return 1;
    }
    call.print(`Successfully joined cluster by contacting ${joined} nodes.`);
    return 0;
  },
};
