// From sources and flags to one set of settings, in Consul's order: defaults, then lists from flags, then files in the
// order given, then the other flags, then `-hcl` fragments (which win over flags: that is how Consul does it).
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file#config-file-precedence
import { quote } from "../util/quote.ts";
import { type AgentFlags, flagSettings } from "./agent-flags.ts";
import { moveDeprecatedKeys } from "./deprecated-keys.ts";
import { parseHcl } from "./hcl.ts";
import { parseJson } from "./json.ts";
import { ConfigSyntaxError, type RawDocument, type RawObject } from "./raw-value.ts";
import { configKeys } from "./schema.ts";
import { defaultSettings, mergeSettings, type Settings, settingsOf } from "./settings.ts";

export type ConfigFormat = "json" | "hcl";

/** The text of one configuration file. */
export interface ConfigSource {
  /** The file's path, for messages. */
  name: string;
  format: ConfigFormat;
  text: string;
}

/** The format that a file's name tells, or the forced one; null when it is no configuration file. */
export function configFormat(fileName: string, forced: ConfigFormat | null = null): ConfigFormat | null {
  if (forced !== null) return forced;
  if (fileName.endsWith(".json")) return "json";
  return fileName.endsWith(".hcl") ? "hcl" : null;
}

/** Which files of a `-config-dir` are read, in which order; the others are skipped with a warning. */
export interface DirectoryOrder {
  files: string[];
  warnings: string[];
}

/** Sorts the names of a directory's files (without subdirectories, which are not read) by their bytes, as Go does. */
export function orderConfigDir(
  directory: string,
  fileNames: readonly string[],
  forced: ConfigFormat | null = null,
): DirectoryOrder {
  const files: string[] = [];
  const warnings: string[] = [];
  for (const name of [...fileNames].sort((a, b) => (a < b ? -1 : Number(a > b)))) {
    if (configFormat(name, forced) !== null) files.push(name);
    else {
      warnings.push(
        `skipping file ${directory}/${name}, extension must be .hcl or .json, or config format must be set`,
      );
    }
  }
  return { files, warnings };
}

/** Consul Enterprise's keys: refused, or, as Consul's own community edition does, a warning. */
export type EnterpriseKeys = "refuse" | "warn";

export interface MergeInput {
  sources: readonly ConfigSource[];
  flags: AgentFlags | null;
  enterpriseKeys: EnterpriseKeys;
}

export interface Merged {
  settings: Settings;
  /** Paths that files or flags set, not defaults. */
  userKeys: ReadonlySet<string>;
  warnings: string[];
}

/** Reads and merges everything; the errors name source and key. */
export function mergeSources(input: MergeInput): Merged | { errors: string[] } {
  const { flags } = input;
  const warnings: string[] = [];
  const errors: string[] = [];
  const read = (source: ConfigSource): Settings => {
    const settings = sourceSettings(source, errors);
    warnings.push(...enterpriseFaults(settings, input.enterpriseKeys, source.name, errors));
    warnings.push(...moveDeprecatedKeys(settings));
    return settings;
  };
  const fromFlags = flags === null ? { lists: new Map(), values: new Map(), warnings: [] } : flagSettings(flags);
  warnings.push(...fromFlags.warnings);
  warnings.push(...enterpriseFaults(fromFlags.values, input.enterpriseKeys, "flags", errors));
  const files = input.sources.map(read);
  const fragments = (flags?.hcl ?? []).map((text, index) => read({ name: `flags-${index}.hcl`, format: "hcl", text }));
  if (errors.length > 0) return { errors };
  const userLayers: Settings[] = [fromFlags.lists, ...files, fromFlags.values, ...fragments];
  for (const layer of userLayers) for (const path of layer.keys()) if (isFixed(path)) layer.delete(path);
  const settings = mergeSettings([defaultSettings(flags?.dev ?? false), ...userLayers]);
  return { settings, userKeys: new Set(userLayers.flatMap((layer) => [...layer.keys()])), warnings };
}

function isFixed(path: string): boolean {
  return configKeys.get(path)?.support === "fixed";
}

function sourceSettings(source: ConfigSource, errors: string[]): Settings {
  // Consul skips an empty file, whatever its format.
  if (source.text === "") return new Map();
  let document: RawDocument;
  try {
    document = source.format === "json" ? parseJson(source.text) : parseHcl(source.text);
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
    errors.push(`failed to parse ${source.name}: ${error.message}`);
    return new Map();
  }
  const result = settingsOf(document);
  if ("errors" in result) {
    for (const error of result.errors) errors.push(`failed to parse ${source.name}: ${error}`);
    return new Map();
  }
  const { settings } = result;
  foldSingular(settings, "service", "services");
  foldSingular(settings, "check", "checks");
  return settings;
}

/** A single `service` or `check` goes to the end of the list, so that those of several files add up. */
function foldSingular(settings: Settings, one: string, many: string): void {
  const single = settings.get(one);
  if (single === undefined) return;
  settings.delete(one);
  settings.set(many, [...((settings.get(many) ?? []) as readonly RawObject[]), single as RawObject]);
}

/** Takes Enterprise's keys out of `settings`, as errors or as the warnings returned. Empty values are nobody's wish. */
function enterpriseFaults(settings: Settings, how: EnterpriseKeys, source: string, errors: string[]): string[] {
  const warnings: string[] = [];
  for (const [path, value] of settings) {
    if (configKeys.get(path)?.support !== "enterprise") continue;
    settings.delete(path);
    const empty = value === "" || (typeof value === "object" && Object.values(value).every((item) => item === false));
    if (empty) continue;
    const key = quote(path);
    if (how === "warn" && path !== "segment" && path !== "segments") {
      warnings.push(`${key} is a Consul Enterprise configuration and will have no effect`);
    } else {
      errors.push(`${source}: ${key} is a Consul Enterprise configuration, which this build does not have`);
    }
  }
  return warnings;
}
