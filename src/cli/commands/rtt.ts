// `rtt`: the round-trip time between two nodes, estimated from their Vivaldi coordinates without sending anything
// (https://developer.hashicorp.com/consul/docs/architecture/coordinates).
import type { Client } from "../../client/client.ts";
import type { Coordinate } from "../../client/types.ts";
import { distance } from "../../util/vivaldi.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const rtt: Command = {
  name: "rtt",
  synopsis: "Estimates the round-trip time between two nodes",
  operands: "[options] NODE1 [NODE2]",
  help: `Estimates the network round-trip time between two nodes, or between one and
the agent's own.

    $ proconsul rtt web-1 db-1
    $ proconsul rtt -wan server-1.dc1 server-2.dc2`,
  flags: [{ name: "wan", type: "bool", usage: "The nodes are servers, named NODE.DATACENTER." }],
  http: true,
  async run(call) {
    const { args, flags } = call;
    if (args.length < 1 || args.length > 2) throw new UsageError("One or two node names must be specified");
    const wan = flags.bool("wan");
    const client = await call.client();
    const from = args[0] as string;
    const to = args[1] ?? (await ownName(client, wan));
    const found = await coordinates(call, client, wan);
    const ends = [from, to].map((name) => {
      const coordinate = found.get(name);
      if (coordinate === undefined) throw new CliError(`Could not find a coordinate for node "${name}"`);
      return coordinate;
    });
    const milliseconds = distance(ends[0] as Coordinate, ends[1] as Coordinate) * 1000;
    const which = wan ? "WAN" : "LAN";
    call.print(`Estimated ${from} <-> ${to} rtt: ${milliseconds.toFixed(3)} ms (using ${which} coordinates)`);
    return 0;
  },
};

async function ownName({ agent }: Client, wan: boolean): Promise<string> {
  try {
    const { Config } = (await agent.self()).value;
    return wan ? `${Config.NodeName}.${Config.Datacenter}` : Config.NodeName;
  } catch (error) {
    throw new CliError(`Unable to look up agent info: ${errorText(error)}`, { cause: error });
  }
}

async function coordinates(call: Invocation, { coordinate }: Client, wan: boolean): Promise<Map<string, Coordinate>> {
  const found = new Map<string, Coordinate>();
  try {
    if (wan) {
      for (const { Datacenter, Coordinates } of (await coordinate.datacenters()).value)
        for (const { Node, Coord } of Coordinates) found.set(`${Node}.${Datacenter}`, Coord);
    } else {
      for (const { Node, Coord } of (await coordinate.nodes(call.reads)).value) found.set(Node, Coord);
    }
  } catch (error) {
    throw new CliError(`Error getting coordinates: ${errorText(error)}`, { cause: error });
  }
  return found;
}
