// Builds a configuration the way the tests want it: from texts and words, on the machine of interfaces.ts.
import { type AgentConfig, buildConfig, type ConfigInput, type ConfigResult } from "../../src/config/agent-config.ts";
import { parseAgentFlags } from "../../src/config/agent-flags.ts";
import { interfaces } from "./interfaces.ts";

export interface Given extends Partial<Omit<ConfigInput, "flags">> {
  /** A file in JSON. */
  json?: unknown;
  /** A file in HCL. */
  hcl?: string;
  /** The words after `agent`. */
  flags?: readonly string[];
}

export function build(given: Given): ConfigResult {
  const flags = given.flags === undefined ? null : parseAgentFlags(given.flags);
  if (flags !== null && "error" in flags) throw new Error(flags.error);
  const sources = [...(given.sources ?? [])];
  if (given.json !== undefined) sources.push({ name: "a.json", format: "json", text: JSON.stringify(given.json) });
  if (given.hcl !== undefined) sources.push({ name: "a.hcl", format: "hcl", text: given.hcl });
  return buildConfig({ hostname: "host", interfaces, ...given, sources, flags });
}

/** The configuration; throws what is wrong with it. */
export function built(given: Given): AgentConfig {
  const result = build(given);
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return result.config;
}

export function errorsOf(given: Given): string[] {
  const result = build(given);
  return "errors" in result ? result.errors : [];
}

export function warningsOf(given: Given): string[] {
  const result = build(given);
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return result.warnings;
}
