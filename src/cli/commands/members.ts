// `members`: the gossip pool as the agent sees it.
import type { AgentMember } from "../../client/types.ts";
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { columns } from "../table.ts";

const statusNames = ["none", "alive", "leaving", "left", "failed"];

export const members: Command = {
  name: "members",
  synopsis: "Lists the members of the gossip pool",
  help: `Lists the members that the agent knows of, servers first. The exit code is
2 when none fits.`,
  flags: [
    { name: "detailed", type: "bool", usage: "Print all tags instead of the usual columns." },
    { name: "filter", type: "string", placeholder: "expression", usage: "Only members that fulfil this expression." },
    { name: "segment", type: "string", placeholder: "name", usage: "Only members of this network segment." },
    {
      name: "status",
      type: "string",
      placeholder: "regexp",
      usage: "Only members whose status matches. The default is .*",
    },
    { name: "wan", type: "bool", usage: "Ask for the pool that joins datacenters; the agent must be a server." },
  ],
  http: true,
  async run(call) {
    const { flags } = call;
    call.none();
    const status = compile(flags.string("status", ".*"));
    const { agent } = await call.client();
    const { value } = await agent.members({
      wan: flags.bool("wan"),
      segment: flags.string("segment") || undefined,
      filter: flags.string("filter") || undefined,
    });
    const shown = value.filter((member) => status.test(statusName(member))).sort(compareMembers);
    if (shown.length === 0) return 2;
    call.print(columns(flags.bool("detailed") ? detailed(shown) : usual(shown)));
    return 0;
  },
};

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw new CliError(`Failed to compile status regexp: ${(error as Error).message}`, { cause: error });
  }
}

function usual(shown: AgentMember[]): string[][] {
  const header = ["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Partition", "Segment"];
  const rows = shown.map((member) => {
    const { Tags } = member;
    const build = (Tags.build ?? "").split(":")[0] ?? "";
    return [
      member.Name,
      hostPort(member),
      statusName(member),
      typeName(member),
      build,
      Tags.vsn ?? "",
      Tags.dc ?? "",
      Tags.ap || "default",
      segmentName(member),
    ];
  });
  return [header, ...rows];
}

function detailed(shown: AgentMember[]): string[][] {
  const rows = shown.map((member) => {
    const tags = Object.entries(member.Tags)
      .map(([key, value]) => `${key}=${value}`)
      .sort();
    return [member.Name, hostPort(member), statusName(member), tags.join(",")];
  });
  return [["Node", "Address", "Status", "Tags"], ...rows];
}

function statusName(member: AgentMember): string {
  return statusNames[member.Status] ?? "none";
}

function typeName({ Tags }: AgentMember): string {
  return Tags.role === "consul" ? "server" : Tags.role === "node" ? "client" : "unknown";
}

function segmentName(member: AgentMember): string {
  return member.Tags.segment || (typeName(member) === "server" ? "<all>" : "<default>");
}

function hostPort({ Addr, Port }: AgentMember): string {
  return Addr.includes(":") ? `[${Addr}]:${Port}` : `${Addr}:${Port}`;
}

/** Servers, then by partition, segment and name. */
function compareMembers(a: AgentMember, b: AgentMember): number {
  const keys = (member: AgentMember): string[] => [
    typeName(member) === "server" ? "0" : "1",
    member.Tags.ap ?? "",
    segmentName(member),
    member.Name,
  ];
  const [left, right] = [keys(a), keys(b)];
  const at = left.findIndex((key, i) => key !== right[i]);
  return at < 0 ? 0 : (left[at] as string) < (right[at] as string) ? -1 : 1;
}
