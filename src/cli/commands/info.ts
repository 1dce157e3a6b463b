// `info`: the agent's statistics.
import type { Command } from "../command.ts";

export const info: Command = {
  name: "info",
  synopsis: "Prints figures of the agent for operators",
  http: true,
  async run(call) {
    call.none();
    const { agent } = await call.client();
    const { Stats } = (await agent.self()).value;
    for (const section of Object.keys(Stats).sort()) {
      call.print(`${section}:`);
      const facts = Stats[section] ?? {};
      for (const name of Object.keys(facts).sort()) call.print(`\t${name} = ${facts[name]}`);
    }
    return 0;
  },
};
