// `catalog services`: the names of services, in the datacenter or on one node.
import type { Client } from "../../client/client.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";
import { wideColumns } from "../table.ts";

export const catalogServices: Command = {
  name: "catalog services",
  synopsis: "Lists the services of a datacenter",
  help: `Lists the names of services, all or those that fit.

    $ proconsul catalog services -node=web-1 -tags`,
  flags: [
    { name: "node", type: "string", placeholder: "id or name", usage: "Only services of this node." },
    {
      name: "node-meta",
      type: "string-map",
      placeholder: "key=value",
      usage: "Only services of nodes with this metadata. May be given repeatedly: all must fit.",
    },
    { name: "tags", type: "bool", usage: "Print the tags of each service too." },
  ],
  http: true,
  async run(call) {
    call.none();
    const client = await call.client();
    let services: Map<string, Set<string>>;
    try {
      services = await find(call, client);
    } catch (error) {
      throw new CliError(`Error listing services: ${errorText(error)}`, { cause: error });
    }
    if (services.size === 0) {
      call.warn("No services match the given query - try expanding your search.");
      return 0;
    }
    const names = [...services.keys()].sort();
    if (call.flags.bool("tags"))
      call.print(wideColumns(names.map((name) => [name, [...(services.get(name) ?? [])].sort().join(",")])));
    else call.print(names.join("\n"));
    return 0;
  },
};

/** Name to tags. */
async function find(call: Invocation, { catalog }: Client): Promise<Map<string, Set<string>>> {
  const { flags } = call;
  const options = { ...call.reads, nodeMeta: Object.fromEntries(flags.map("node-meta")) };
  const node = flags.string("node");
  const services = new Map<string, Set<string>>();
  if (node === "") {
    const { value } = await catalog.services(options);
    for (const [name, tags] of Object.entries(value)) services.set(name, new Set(tags));
    return services;
  }
  const { value } = await catalog.node(node, options);
  for (const { Service, Tags } of Object.values(value?.Services ?? {}))
    services.set(Service, new Set([...(services.get(Service) ?? []), ...(Tags ?? [])]));
  return services;
}
