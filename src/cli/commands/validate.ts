// `validate`: judges configuration files as the agent would, without starting one.
import type { ConfigFormat } from "../../config/merge.ts";
import { buildConfig } from "../../config/agent-config.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { readConfigFiles } from "../config-files.ts";
import type { MachineInfo } from "../io.ts";

export const validate: Command = {
  name: "validate",
  synopsis: "Checks configuration files",
  operands: "[options] FILE_OR_DIRECTORY ...",
  help: `Checks what the given files and directories say together, as the agent would
when it starts. The exit code is 0 when it would start with them.`,
  flags: [
    {
      name: "config-format",
      type: "string",
      placeholder: "format",
      usage: '"hcl" or "json": the format of all files, whatever their extension.',
    },
    { name: "quiet", type: "bool", usage: "Say only what is wrong." },
  ],
  async run(call) {
    const { flags, args } = call;
    if (args.length === 0) throw new UsageError("Must specify at least one config file or directory");
    const format = flags.string("config-format");
    if (format !== "" && format !== "hcl" && format !== "json")
      throw new CliError("-config-format must be either 'hcl' or 'json'");
    const warnings = await judge(call, format === "" ? null : format).catch((error: unknown) => {
      if (!(error instanceof CliError)) throw error;
      throw new CliError(`Config validation failed: ${error.message}`, { cause: error });
    });
    if (flags.bool("quiet")) return 0;
    for (const warning of warnings) call.warn(warning);
    call.print("Configuration is valid!");
    return 0;
  },
};

/** Where the machine cannot be asked: files are not to be blamed for that it has no address. */
const someMachine: MachineInfo = {
  hostname: "localhost",
  interfaces: [{ name: "eth0", address: "10.0.0.1", prefixBits: 8, loopback: false }],
};

/** The warnings. @throws CliError with all that is wrong. */
async function judge(call: Invocation, format: ConfigFormat | null): Promise<string[]> {
  const { sources, warnings } = await readConfigFiles(call.io, call.args, format);
  const { hostname, interfaces } = call.io.machine?.() ?? someMachine;
  const result = buildConfig({ sources, flags: null, hostname, interfaces, enterpriseKeys: "warn" });
  if ("errors" in result) throw new CliError(result.errors.join("\n"));
  return [...warnings, ...result.warnings];
}
