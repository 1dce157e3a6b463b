// Reads what the command line names: configuration files and directories, the machine's name and addresses.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { buildConfig, type ConfigResult, type InterfaceAddress } from "../../src/config/agent-config.ts";
import type { AgentFlags } from "../../src/config/agent-flags.ts";
import { configFormat, type ConfigSource, orderConfigDir } from "../../src/config/merge.ts";

/** The configuration that the flags and the files they name give. Faults of files are among the errors. */
export function readConfig(flags: AgentFlags): ConfigResult {
  const warnings: string[] = [];
  let sources: ConfigSource[];
  try {
    sources = flags.configPaths.flatMap((path) => sourcesAt(path, flags, warnings));
  } catch (error) {
    return { errors: [(error as Error).message] };
  }
  const result = buildConfig({ sources, flags, hostname: hostname(), interfaces: interfaceAddresses() });
  return "errors" in result ? result : { config: result.config, warnings: [...warnings, ...result.warnings] };
}

function sourcesAt(path: string, flags: AgentFlags, warnings: string[]): ConfigSource[] {
  const failed = (error: unknown): Error => {
    const { code, message } = error as NodeJS.ErrnoException;
    return new Error(`config: Error reading ${path}: ${code === "ENOENT" ? "no such file or directory" : message}`);
  };
  try {
    if (!statSync(path).isDirectory()) return [source(path, flags)];
    const names = readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name);
    const order = orderConfigDir(path, names, flags.configFormat);
    warnings.push(...order.warnings);
    return order.files.map((name) => source(join(path, name), flags));
  } catch (error) {
    throw failed(error);
  }
}

function source(path: string, flags: AgentFlags): ConfigSource {
  return { name: path, format: configFormat(path, flags.configFormat) ?? "hcl", text: readFileSync(path, "utf8") };
}

/** The addresses of the machine's interfaces. */
export function interfaceAddresses(): InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).map(({ address, cidr, internal }) => ({
      name,
      address: address.split("%")[0] as string,
      prefixBits: Number(cidr?.split("/")[1] ?? (address.includes(":") ? 128 : 32)),
      loopback: internal,
    })),
  );
}
