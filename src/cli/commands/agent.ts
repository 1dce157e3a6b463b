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
    if ("error" in parsed) {
      if (!parsed.help) call.warn(`${parsed.error}\n`);
      (parsed.help ? call.print : call.warn).call(call, agentUsage(program));
      return parsed.help ? 0 : 1;
    }
    const extra = parsed.values.args;
    if (extra.length > 0) {
      call.warn(`==> Unexpected extra arguments: [${extra.join(" ")}]`);
      return 1;
    }
    return call.io.runAgent(call.args);
  },
};
