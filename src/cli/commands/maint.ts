// `maint`: takes a node or a service out of service and back, or shows what is out.
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

const nodeCheck = "_node_maintenance";
const serviceCheckPrefix = "_service_maintenance:";

export const maint: Command = {
  name: "maint",
  synopsis: "Puts a node or a service into maintenance, or back",
  help: `A node or service in maintenance is critical: discovery leaves it out. The
state outlives a restart of the agent. Without flags, shows what is in
maintenance on the agent's node.

    $ proconsul maint -enable -service=web-1 -reason="new disk"`,
  flags: [
    { name: "disable", type: "bool", usage: "End maintenance." },
    { name: "enable", type: "bool", usage: "Begin maintenance." },
    { name: "reason", type: "string", placeholder: "text", usage: "Why, for others to read; with -enable." },
    { name: "service", type: "string", placeholder: "id", usage: "Id of a service. Without it, the whole node." },
  ],
  http: true,
  async run(call) {
    call.none();
    const { flags } = call;
    const enable = flags.bool("enable");
    const disable = flags.bool("disable");
    const reason = flags.string("reason");
    const service = flags.string("service");
    if (enable && disable) throw new UsageError("Only one of -enable or -disable may be provided");
    if (!enable && reason !== "") throw new UsageError("Reason may only be provided with -enable");
    if (!enable && !disable && service !== "") throw new UsageError("Service requires either -enable or -disable");
    if (!enable && !disable) return show(call);
    const { agent } = await call.client();
    const now = enable ? "enabled" : "disabled";
    try {
      if (service === "") await agent.maintenance(enable, reason || undefined);
      else await agent.serviceMaintenance(service, enable, reason || undefined);
    } catch (error) {
      const what = `${enable ? "enabling" : "disabling"} ${service === "" ? "node" : "service"} maintenance`;
      throw new CliError(`Error ${what}: ${errorText(error)}`, { cause: error });
    }
    call.print(
      service === "" ? `Node maintenance is now ${now}` : `Service maintenance is now ${now} for "${service}"`,
    );
    return 0;
  },
};

async function show(call: Invocation): Promise<number> {
  const { agent } = await call.client();
  const { Config } = (await agent.self()).value;
  const { value: checks } = await agent.checks();
  for (const id of Object.keys(checks).sort()) {
    const notes = checks[id]?.Notes ?? "";
    if (id === nodeCheck) call.print(`Node:\n  Name:   ${Config.NodeName}\n  Reason: ${notes}\n`);
    else if (id.startsWith(serviceCheckPrefix))
      call.print(`Service:\n  ID:     ${id.slice(serviceCheckPrefix.length)}\n  Reason: ${notes}\n`);
  }
  return 0;
}
