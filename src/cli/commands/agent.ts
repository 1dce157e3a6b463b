// `agent`: the words are checked here; running it is the runtime's.
import { agentUsage, parseAgentFlags } from "../../config/agent-flags.ts";
import type { Command } from "../command.ts";
import { program } from "../command.ts";

export const agent: Command = {
  name: "agent",
  synopsis: "Runs an agent",
  raw: true,
  async run(call) {
    const parsed = parseAgentFlags(call.args);
    if ("error" in parsed && parsed.help) {
      call.print(agentUsage(program));
      return 0;
    }
    if ("error" in parsed) {
      call.warn(`${parsed.error}\n\n${agentUsage(program)}`);
      return 1;
    }
    const extra = parsed.values.args;
    if (extra.length > 0) {
      call.warn(`==> Unexpected extra arguments: [${extra.join(" ")}]`);
      return 1;
    }
    return call.io.runAgent(call.args);
  },
};
