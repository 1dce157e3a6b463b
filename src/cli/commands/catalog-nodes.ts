// `catalog nodes`: the nodes of a datacenter, or those of one service.
import type { Client } from "../../client/client.ts";
import type { Node } from "../../client/types.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";
import { columns } from "../table.ts";

export const catalogNodes: Command = {
  name: "catalog nodes",
  synopsis: "Lists the nodes of a datacenter",
  help: `Lists nodes, all or those that fit.

    $ proconsul catalog nodes -service=web -near=_agent`,
  flags: [
    { name: "detailed", type: "bool", usage: "Print whole ids, tagged addresses and metadata." },
    { name: "filter", type: "string", placeholder: "expression", usage: "Only nodes that fulfil this expression." },
    {
      name: "near",
      type: "string",
      placeholder: "node",
      usage: 'Nearest to this node first; "_agent" for the agent\'s own.',
    },
    {
      name: "node-meta",
      type: "string-map",
      placeholder: "key=value",
      usage: "Only nodes with this metadata. May be given repeatedly: all must fit.",
    },
    { name: "service", type: "string", placeholder: "name", usage: "Only nodes that have an instance of it." },
  ],
  http: true,
  async run(call) {
    call.none();
    const client = await call.client();
    let nodes: Node[];
    try {
      nodes = await find(call, client);
    } catch (error) {
      throw new CliError(`Error listing nodes: ${errorText(error)}`, { cause: error });
    }
    if (nodes.length === 0) {
      call.warn("No nodes match the given query - try expanding your search.");
      return 0;
    }
    call.print(columns(call.flags.bool("detailed") ? detailed(nodes) : usual(nodes)));
    return 0;
  },
};

async function find(call: Invocation, { catalog }: Client): Promise<Node[]> {
  const { flags } = call;
  const options = {
    ...call.reads,
    near: flags.string("near") || undefined,
    filter: flags.string("filter") || undefined,
    nodeMeta: Object.fromEntries(flags.map("node-meta")),
  };
  const service = flags.string("service");
  if (service === "") return (await catalog.nodes(options)).value;
  const { value } = await catalog.service(service, options);
  const nodes = new Map<string, Node>();
  for (const { NodeMeta: Meta, ...instance } of value)
    if (!nodes.has(instance.Node)) nodes.set(instance.Node, { ...instance, Meta });
  return [...nodes.values()];
}

function usual(nodes: Node[]): string[][] {
  const rows = nodes.map((node) => [node.Node, node.ID.slice(0, 8), node.Address, node.Datacenter]);
  return [["Node", "ID", "Address", "DC"], ...rows];
}

function detailed(nodes: Node[]): string[][] {
  const rows = nodes.map((node) => [
    node.Node,
    node.ID,
    node.Address,
    node.Datacenter,
    pairs(node.TaggedAddresses),
    pairs(node.Meta),
  ]);
  return [["Node", "ID", "Address", "DC", "TaggedAddresses", "Meta"], ...rows];
}

function pairs(map: Record<string, string> | null): string {
  return Object.entries(map ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(", ");
}
