// `operator autopilot`: how dead servers are cleaned up and new ones let in.
import type { OperatorArea } from "../../client/operator.ts";
import type { AutopilotConfiguration, AutopilotServer, AutopilotState } from "../../client/types.ts";
import { formatDuration } from "../../util/duration.ts";
import { stringifyJson } from "../../util/json.ts";
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";

const getConfig: Command = {
  name: "operator autopilot get-config",
  synopsis: "Prints the autopilot configuration",
  http: true,
  async run(call) {
    call.none();
    const { operator } = await call.client();
    const config = await readConfig(operator, call.reads);
    call.print(`CleanupDeadServers = ${config.CleanupDeadServers}`);
    call.print(`LastContactThreshold = ${duration(config.LastContactThreshold)}`);
    call.print(`MaxTrailingLogs = ${config.MaxTrailingLogs}`);
    call.print(`MinQuorum = ${config.MinQuorum}`);
    call.print(`ServerStabilizationTime = ${duration(config.ServerStabilizationTime)}`);
    call.print(`RedundancyZoneTag = ${JSON.stringify(config.RedundancyZoneTag ?? "")}`);
    call.print(`DisableUpgradeMigration = ${config.DisableUpgradeMigration ?? false}`);
    call.print(`UpgradeVersionTag = ${JSON.stringify(config.UpgradeVersionTag ?? "")}`);
    return 0;
  },
};

const setConfig: Command = {
  name: "operator autopilot set-config",
  synopsis: "Changes the autopilot configuration",
  help: "Changes what is given and leaves the rest as it is.",
  flags: [
    { name: "cleanup-dead-servers", type: "bool", usage: "Remove a dead server when a new one takes its place." },
    { name: "disable-upgrade-migration", type: "bool", usage: "Kept for compatibility; without effect." },
    {
      name: "last-contact-threshold",
      type: "duration",
      placeholder: "duration",
      usage: "A server that was without the leader for longer is not healthy.",
    },
    {
      name: "max-trailing-logs",
      type: "uint",
      placeholder: "uint",
      usage: "A server that is behind the leader by more entries is not healthy.",
    },
    {
      name: "min-quorum",
      type: "uint",
      placeholder: "uint",
      usage: "Dead servers are not removed when fewer than this would be left.",
    },
    {
      name: "redundancy-zone-tag",
      type: "string",
      placeholder: "name",
      usage: "Kept for compatibility; without effect.",
    },
    {
      name: "server-stabilization-time",
      type: "duration",
      placeholder: "duration",
      usage: "A new server becomes a voter once it has been healthy for this long.",
    },
    {
      name: "upgrade-version-tag",
      type: "string",
      placeholder: "name",
      usage: "Kept for compatibility; without effect.",
    },
  ],
  http: true,
  async run(call) {
    call.none();
    const { flags } = call;
    const { operator } = await call.client();
    const config = await readConfig(operator, {});
    if (flags.has("cleanup-dead-servers")) config.CleanupDeadServers = flags.bool("cleanup-dead-servers");
    if (flags.has("max-trailing-logs")) config.MaxTrailingLogs = Number(flags.uint("max-trailing-logs"));
    if (flags.has("min-quorum")) config.MinQuorum = Number(flags.uint("min-quorum"));
    if (flags.has("last-contact-threshold"))
      config.LastContactThreshold = formatDuration(flags.number("last-contact-threshold"));
    if (flags.has("server-stabilization-time"))
      config.ServerStabilizationTime = formatDuration(flags.number("server-stabilization-time"));
    if (flags.has("redundancy-zone-tag")) config.RedundancyZoneTag = flags.string("redundancy-zone-tag");
    if (flags.has("disable-upgrade-migration"))
      config.DisableUpgradeMigration = flags.bool("disable-upgrade-migration");
    if (flags.has("upgrade-version-tag")) config.UpgradeVersionTag = flags.string("upgrade-version-tag");
    let done: boolean;
    try {
      done = await operator.setAutopilotConfiguration(config, { cas: config.ModifyIndex });
    } catch (error) {
      throw new CliError(`Error setting Autopilot configuration: ${errorText(error)}`, { cause: error });
    }
    if (!done) throw new CliError("Configuration could not be atomically updated, please try again");
    call.print("Configuration updated!");
    return 0;
  },
};

const state: Command = {
  name: "operator autopilot state",
  synopsis: "Prints how autopilot sees the servers",
  flags: [
    { name: "format", type: "string", placeholder: "format", usage: '"pretty" or "json". The default is pretty.' },
  ],
  http: true,
  async run(call) {
    call.none();
    const format = call.flags.string("format", "pretty");
    if (format !== "pretty" && format !== "json") throw new CliError(`Error: invalid format: ${format}`);
    const { operator } = await call.client();
    let found: AutopilotState;
    try {
      found = (await operator.autopilotState(call.reads)).value;
    } catch (error) {
      throw new CliError(`Error querying Autopilot state: ${errorText(error)}`, { cause: error });
    }
    call.print(format === "json" ? stringifyJson(found, true) : stateText(found));
    return 0;
  },
};

async function readConfig(
  operator: OperatorArea,
  options: Parameters<OperatorArea["autopilotConfiguration"]>[0],
): Promise<AutopilotConfiguration> {
  try {
    return (await operator.autopilotConfiguration(options)).value;
  } catch (error) {
    throw new CliError(`Error querying Autopilot configuration: ${errorText(error)}`, { cause: error });
  }
}

function duration(value: string | number): string {
  return typeof value === "number" ? formatDuration(value) : value;
}

function stateText(found: AutopilotState): string {
  const lines = [
    `Healthy:                      ${found.Healthy}`,
    `Failure Tolerance:            ${found.FailureTolerance}`,
    `Optimistic Failure Tolerance: ${found.OptimisticFailureTolerance}`,
    `Leader:                       ${found.Leader}`,
    "Voters:",
    ...found.Voters.map((id) => `   ${id}`),
  ];
  const replicas = found.ReadReplicas ?? [];
  if (replicas.length > 0) lines.push("Read Replicas:", ...replicas.map((id) => `   ${id}`));
  lines.push("Servers:");
  for (const id of Object.keys(found.Servers).sort()) lines.push(`   ${id}`, ...serverLines(found.Servers[id]));
  return lines.join("\n");
}

function serverLines(server: AutopilotServer | undefined): string[] {
  if (server === undefined) return [];
  const facts: [string, unknown][] = [
    ["Name", server.Name],
    ["Address", server.Address],
    ["Version", server.Version],
    ["Status", server.Status],
    ["Node Type", server.NodeType],
    ["Node Status", server.NodeStatus],
    ["Healthy", server.Healthy],
    ...(server.Reason === undefined ? [] : [["Reason", server.Reason] as [string, unknown]]),
    ["Last Contact", server.LastContact],
    ["Last Term", server.LastTerm],
    ["Last Index", server.LastIndex],
  ];
  const lines = facts.map(([name, value]) => `      ${`${name}:`.padEnd(18)} ${String(value ?? "")}`);
  const meta = Object.entries(server.Meta ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  if (meta.length > 0)
    lines.push(
      "      Meta",
      ...meta.map(([key, value]) => `         ${JSON.stringify(key)}: ${JSON.stringify(value)}`),
    );
  return lines;
}

export const operatorAutopilot: readonly Command[] = [getConfig, setConfig, state];
