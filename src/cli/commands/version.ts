// `version`: what this program is.
import { stringifyJson } from "../../util/json.ts";
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import type { VersionInfo } from "../io.ts";

export const version: Command = {
  name: "version",
  synopsis: "Prints the version",
  flags: [
    { name: "format", type: "string", placeholder: "format", usage: '"pretty" or "json". The default is pretty.' },
  ],
  async run(call) {
    call.none();
    const format = call.flags.string("format", "pretty");
    if (format === "pretty") call.print(versionText(call.io.version));
    else if (format === "json") {
      const { version, revision, buildDate } = call.io.version;
      const [core = "", prerelease = ""] = version.split(/-(.*)/s);
      const Protocol = { Default: 2, Min: 2, Max: 3 };
      const facts = { Version: core, Revision: revision, Prerelease: prerelease, BuildDate: buildDate, Protocol };
      call.print(stringifyJson(facts, true));
    } else throw new CliError(`Invalid format: ${format}`);
    return 0;
  },
};

/** Several lines, without a last newline. */
export function versionText({ version, revision, buildDate }: VersionInfo): string {
  const lines = [`Proconsul v${version}`];
  if (revision !== "") lines.push(`Revision ${revision}`);
  if (buildDate !== "") lines.push(`Build Date ${buildDate}`);
  lines.push("Protocol 2 spoken by default, understands 2 to 3");
  return lines.join("\n");
}
